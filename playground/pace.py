"""How often a page looks at the disk, and the component that counts the time (`assets/pace.js`).

Measured on two cores without a GPU, a look takes a processor for 0.1 s, nearly all of it the browser's, twice that where
it brings an evaluation, and a training of two threads loses 0.15 s. So the longer a training goes on, the rarer are the
looks at it, until they cost next to nothing: the fewer processors there are, the sooner and the rarer.
"""

from __future__ import annotations

import math
from typing import Any

import gradio as gr

from lm.processors import processors
from playground.look import Look
from playground.theme import asset
from playground.views import Row

# Seconds between two looks; where many visitors share two processors, the trainings need them more. assumed
SECONDS, SHARED_SECONDS, HIDDEN_SECONDS = 2.0, 2.5, 20.0
LONGER = 1 / 4  # each look shows a curve that is longer by so much. assumed
LOOK_PROCESSOR_SECONDS, SHARE = 0.2, 1 / 120  # what a look takes, and what looks may take of all processors
NOT_YET = dict(seconds=0, hidden_seconds=0)  # until the page knows what it shows
OVER = NOT_YET | dict(is_over=True)  # the page is asked for again, and says why there is nothing to look at


def component() -> gr.HTML:
    """Causes a `look` whenever it is time for one."""
    script = asset("pace.js").read_text(encoding="utf-8")
    return gr.HTML(NOT_YET, html_template="<i hidden></i>", js_on_load=script, elem_id="pace", apply_default_css=False)


def pace(look: Look, cores: int | None = None) -> dict[str, Any]:
    """The value of the component: how long to wait for the next look, and on a page that nobody sees."""
    shortest = SECONDS if look.space.share.limits is None else SHARED_SECONDS
    longest = LOOK_PROCESSOR_SECONDS / SHARE / (cores or processors())
    wanted = [_seconds(row, shortest, longest) for row in look.rows if row.is_active]
    return dict(seconds=min(wanted, default=shortest), hidden_seconds=max(HIDDEN_SECONDS, longest))


def _seconds(row: Row, shortest: float, longest: float) -> float:
    """In steps of half a second; the end of a training is not missed."""
    wanted = [longest, LONGER * row.status.elapsed_seconds]
    if row.status.seconds_left is not None:
        wanted.append(row.status.seconds_left)
    return max(shortest, math.ceil(2 * min(wanted)) / 2)
