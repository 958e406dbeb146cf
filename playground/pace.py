"""How often a page looks at the disk, and the component that counts the time (`assets/pace.js`).

Measured on two cores without a GPU: a look costs the server 30 ms and the browser 120, and a training of two threads loses
as much. So the longer a training goes on, the rarer are the looks at it: each shows a curve that is a twentieth longer.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.look import Look
from playground.theme import asset
from playground.views import Row

# Seconds between two looks; where many visitors share two processors, the trainings need them more. assumed
SECONDS, SHARED_SECONDS, LONGEST_SECONDS, HIDDEN_SECONDS = 2.0, 2.5, 8.0, 20.0
LONGER = 1 / 20
NOT_YET = dict(seconds=0, hidden_seconds=0)  # until the page knows what it shows


def component() -> gr.HTML:
    """Causes a `look` whenever it is time for one."""
    script = asset("pace.js").read_text(encoding="utf-8")
    return gr.HTML(NOT_YET, html_template="<i hidden></i>", js_on_load=script, elem_id="pace", apply_default_css=False)


def pace(look: Look) -> dict[str, Any]:
    """The value of the component: how long to wait for the next look, and on a page that nobody sees."""
    shortest = SECONDS if look.space.share.limits is None else SHARED_SECONDS
    wanted = [_seconds(row, shortest) for row in look.rows if row.is_active]
    return dict(seconds=min(wanted, default=shortest), hidden_seconds=HIDDEN_SECONDS)


def _seconds(row: Row, shortest: float) -> float:
    """In steps of half a second; the end of a training is not missed."""
    longest = LONGEST_SECONDS if row.status.seconds_left is None else min(LONGEST_SECONDS, row.status.seconds_left)
    return max(shortest, min(longest, round(2 * LONGER * row.status.elapsed_seconds) / 2))
