"""Forgetting pages that were closed: Gradio keeps what it knows of each, 0.6 MB, until ten thousand others have come.

A page that is open speaks up with every tick, a hidden one too. One whose heartbeat has ended and that has been silent
for `KEPT_SECONDS` hardly comes back; the last `SPARED` of them may take their time all the same, as a laptop that slept.
A page that does come back after that begins as a new one.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import gradio as gr
from gradio.state_holder import StateHolder

SESSIONS = 500  # kept at most, open or not; the one that was silent for longest goes first. assumed
SPARED, KEPT_SECONDS, LOOK_SECONDS = 60, 120.0, 15.0  # assumed


def keep_few(app: gr.Blocks) -> None:
    """`forget` again and again, in a thread of its own, as soon as `app` is launched."""
    while True:
        time.sleep(LOOK_SECONDS)
        forget(app.state_holder)


def forget(holder: StateHolder, spared: int = SPARED, seconds: float = KEPT_SECONDS) -> None:
    """Drop what is held of pages that were closed and silent for so long, but for the last few."""
    since = datetime.now() - timedelta(seconds=seconds)
    with holder.lock:
        pages = [page for page, state in holder.session_data.items() if state.is_closed]  # the last one used last
        for page in pages[: max(0, len(pages) - spared)]:
            if holder.time_last_used[page] < since:
                del holder.session_data[page], holder.time_last_used[page]
