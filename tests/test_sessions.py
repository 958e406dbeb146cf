"""What is held of pages that were closed does not pile up; open ones, and the last few, are left alone."""

from __future__ import annotations

import gradio as gr
import pytest
from gradio.state_holder import StateHolder

from playground import sessions


@pytest.fixture
def holder() -> StateHolder:
    """Of five pages of which the first three were closed."""
    with gr.Blocks(analytics_enabled=False) as blocks:
        gr.State(1)
    holder = StateHolder()
    holder.set_blocks(blocks)
    for n in range(5):
        holder[f"page{n}"].is_closed = n < 3
    return holder


def test_closed_pages_are_forgotten_after_a_while_and_open_ones_never(holder: StateHolder) -> None:
    sessions.forget(holder, spared=0)
    assert len(holder.session_data) == 5
    sessions.forget(holder, spared=0, seconds=-1)
    assert list(holder.session_data) == list(holder.time_last_used) == ["page3", "page4"]


def test_the_last_of_them_may_come_back_at_any_time(holder: StateHolder) -> None:
    holder["page0"]  # speaks up again
    sessions.forget(holder, spared=1, seconds=-1)
    assert list(holder.session_data) == ["page3", "page4", "page0"]


def test_an_app_forgets_by_itself(holder: StateHolder, monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception):
        pass

    naps = iter([None])

    def nap(_: float) -> None:
        if next(naps, Enough) is Enough:
            raise Enough

    monkeypatch.setattr(sessions.time, "sleep", nap)
    monkeypatch.setattr(sessions, "forget", lambda held: held.session_data.clear())
    app = holder.blocks
    with pytest.raises(Enough):
        sessions.keep_few(app)
    assert not holder.session_data
