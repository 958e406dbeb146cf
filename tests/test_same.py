"""What an event leaves as it is costs nothing, and the browser is told the same as by `gr.skip()`."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import gradio as gr
import orjson
from coroutines import run
from gradio.context import Context
from gradio.state_holder import SessionState

from playground.edge import Edge
from playground.same import SAME, are_plain, lightened


def blocks_with(handler: Any, *outputs: Any) -> gr.Blocks:
    """A page of `outputs`, and one event that shows in them what `handler` makes."""
    with gr.Blocks(analytics_enabled=False) as blocks:
        page = [make() for make in outputs]
        Edge(SimpleNamespace())(gr.Button().click, handler, None, page)
    return blocks


def answer(blocks: gr.Blocks) -> list[Any]:
    """What the browser gets of the page's event."""
    [event] = blocks.fns.values()
    request = gr.Request(SimpleNamespace(headers={}))
    made = blocks.process_api(event, [], state=SessionState(blocks), request=request)
    return orjson.loads(orjson.dumps(run(made)["data"]))


def test_what_stays_reaches_the_browser_as_a_skip() -> None:
    blocks = blocks_with(lambda: (gr.skip(), "new", gr.skip()), gr.HTML, gr.HTML, gr.Dropdown)
    assert answer(blocks) == [gr.skip(), "new", gr.skip()]


def test_no_component_is_made_anew_for_what_stays() -> None:
    blocks = blocks_with(lambda: (gr.skip(), "new"), gr.HTML, gr.HTML)
    made_so_far = Context.id
    assert answer(blocks) == [gr.skip(), "new"]
    assert Context.id == made_so_far


def test_a_state_keeps_its_value() -> None:
    shown = lightened(lambda: (gr.skip(), gr.skip()), [gr.State(1), gr.HTML()])
    assert shown() == (gr.skip(), SAME)


def test_a_stream_stays_a_stream() -> None:
    def handler() -> Any:
        yield "a", gr.skip()
        yield gr.skip(), "b"

    shown = lightened(handler, [gr.HTML(), gr.HTML()])
    assert inspect.isgeneratorfunction(shown) and list(shown()) == [("a", SAME), (SAME, "b")]


def test_values_that_gradio_must_prepare_are_left_to_it() -> None:
    assert are_plain([gr.HTML(), gr.State()]) and not are_plain([gr.HTML(), gr.File()])
