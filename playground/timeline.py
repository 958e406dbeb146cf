"""The sample timeline: what a run wrote at each of its measurements, behind a scrubber, drawn by `assets/timeline.js`.

The same prompt and the same seed each time, so that only what was learnt differs. As with the chart the component keeps
what it was told, and a tick brings what is new.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.look import Look
from playground.text import words
from playground.theme import asset
from playground.views import FIRST_SAMPLES, Samples, spread

EMPTY = dict(run="", reset=True, samples=[], max_steps=0)
# Of a long sample this much is shown; `samples.jsonl` has the whole. assumed: a page of text.
SHOWN_CHARACTERS = 2000
_PLAY = '<svg viewBox="0 0 20 20" aria-hidden="true"><path class="go" d="M7 4.6v10.8l8.6-5.4z"/>'
_PAUSE = '<path class="hold" d="M6.6 4.8h2.6v10.4H6.6zM10.8 4.8h2.6v10.4h-2.6z"/></svg>'


def timeline() -> gr.HTML:
    """The timeline as a component whose value is what `payload` gives; its `keep` event carries `kind`: html or gif."""
    return gr.HTML(
        EMPTY,
        elem_id="timeline",
        apply_default_css=False,
        html_template='<div class="top"><h3></h3><button type="button" class="newest"></button><div class="keep" hidden><span></span>'
        '<button type="button" data-kind="html">HTML</button><button type="button" data-kind="gif">GIF</button></div></div>'
        f'<div class="scrub"><button type="button" class="play">{_PLAY}{_PAUSE}</button>'
        '<input type="range" min="0" max="0" value="0" step="1"></div>'
        '<div class="written"><span class="given"></span><span class="made"></span></div><p class="teach"></p>',
        js_on_load=asset("timeline.js").read_text(encoding="utf-8"),
    )


def kept() -> gr.HTML:
    """A component that hands a file to the browser; its value is what `playground.keepsake.kept` gives."""
    script = asset("kept.js").read_text(encoding="utf-8")
    return gr.HTML({}, elem_id="kept", apply_default_css=False, html_template="<p class='fine'></p>", js_on_load=script)


def follow(look: Look, cursor: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The timeline's next value, if there is any, and the cursor after that; a new run brings its words along."""
    samples = look.space.library.samples(look.run.name) if look.run else None
    value, after = payload(samples, cursor, look.row.status.max_steps if look.row else 0)
    if value and value["reset"]:
        value = value | dict(words=words("timeline", look.language))
    return value, after


def payload(
    samples: Samples | None, cursor: dict[str, Any], max_steps: int
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """What the timeline must be sent so that it shows `samples`, and the cursor after that.

    Inputs: the samples (None: no run is selected), the cursor of this browser (`run`, `generation`, and how many it
    has seen). Outputs: a value with the new ones only (`reset` true: all of them, at most `FIRST_SAMPLES`, the first
    and the last among them), or None when there is nothing to send; the next cursor.
    """
    if samples is None:
        return (EMPTY if cursor.get("run") != "" else None), dict(run="", generation=0, seen=0)
    reset = (cursor.get("run"), cursor.get("generation")) != (samples.run.name, samples.generation)
    seen = 0 if reset else cursor["seen"]
    found = samples.written[seen:]
    after = dict(run=samples.run.name, generation=samples.generation, seen=seen + len(found))
    if not (reset or found):
        return None, after
    shown = [found[i] for i in spread(len(found), FIRST_SAMPLES)] if found else []
    value = dict(run=samples.run.name, reset=reset, samples=[_row(one) for one in shown], max_steps=max_steps)
    return value, after


def _row(sample: dict[str, Any]) -> tuple[int, str, str]:
    prompt, text = str(sample.get("prompt", "")), str(sample.get("text", ""))
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + " …"
    return sample.get("step", 0), prompt[:SHOWN_CHARACTERS], cut
