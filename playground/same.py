"""What an event leaves as it is must cost nothing: `gr.skip()` in a form that Gradio passes on without a look.

For every `gr.skip()` Gradio makes the component anew and describes it twice; a tick that has nothing to tell skips two
dozen of them. Measured on one core: 25 ms a tick, and half of what fifty visitors cost. The values of `PLAIN` components
travel as handlers make them, so Gradio is asked to leave them alone (`postprocess=False`), and `SAME` stands for what
stays: no dictionary for Gradio, but the same JSON.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any

import gradio as gr

_FIELDS = (gr.Textbox, gr.Number, gr.Slider, gr.Checkbox, gr.Radio, gr.Dropdown)
PLAIN = (gr.HTML, gr.State, gr.Button, gr.Timer, *_FIELDS)
SKIPPED = gr.skip()


class Same(Enum):
    """No dictionary, but written as one: JSON has the value of a member where Python has the member."""

    SAME = SKIPPED


SAME = Same.SAME


def are_plain(outputs: Sequence[gr.components.Component]) -> bool:
    """Whether Gradio may leave alone what reaches `outputs`."""
    return all(isinstance(output, PLAIN) for output in outputs)


def lightened(shown: Callable[..., Any], outputs: Sequence[gr.components.Component]) -> Callable[..., Any]:
    """`shown`, with `SAME` for each `gr.skip()`; but not for a `gr.State`, which would keep it as its value."""
    is_state = [isinstance(output, gr.State) for output in outputs]

    def sent(made: Any) -> Any:
        if len(is_state) < 2:
            return SAME if made == SKIPPED and not any(is_state) else made
        return tuple(SAME if not own and one == SKIPPED else one for one, own in zip(made, is_state, strict=True))

    @functools.wraps(shown)
    def light(*args: Any) -> Any:
        return sent(shown(*args))

    @functools.wraps(shown)
    def light_stream(*args: Any) -> Iterator[Any]:
        yield from map(sent, shown(*args))

    return light_stream if inspect.isgeneratorfunction(shown) else light
