"""The live loss chart: Plotly's own bundle, drawn by `assets/chart.js` inside one `gr.HTML`.

`gr.Plot` mounts anew at every update and forgets the zoom; `Plotly.react` in a component of our own keeps it, and lets
a tick carry only the points that are new: `payload()` says which.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import gradio as gr

from playground.theme import asset
from playground.views import Curve, thin

EMPTY = dict(run="", reset=True, train=[], evaluations=[], max_steps=0)


def plotly_bundle() -> Path:
    """The `plotly.min.js` of the installed package, found without importing it (0.4 s)."""
    return Path(importlib.util.find_spec("plotly").origin).parent / "package_data" / "plotly.min.js"


def loss_chart() -> gr.HTML:
    """The chart as a component whose value is what `payload` gives."""
    return gr.HTML(
        EMPTY,
        elem_id="chart",
        apply_default_css=False,
        html_template='<div class="plot" role="img"></div><p class="hint"></p>',
        js_on_load=asset("chart.js").read_text(encoding="utf-8"),
    )


def payload(
    curve: Curve | None, cursor: dict[str, Any], max_steps: int
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """What the chart must be sent so that it shows `curve`, and the cursor after that.

    Inputs: the curve (None: no run is selected), the cursor of this browser (`run`, `generation`, and how many
    `train` points and `evaluations` it has).
    Outputs: a value for the chart with the new points only (`reset` true: all of them, thinned), or None when there is
    nothing to send; the next cursor.
    """
    if curve is None:
        return (EMPTY if cursor.get("run") != "" else None), dict(run="", generation=0, train=0, evaluations=0)
    generation = curve.generation  # another browser's tick may begin it anew meanwhile
    reset = (cursor.get("run"), cursor.get("generation")) != (curve.run.name, generation)
    seen_train, seen_evaluations = (0, 0) if reset else (cursor["train"], cursor["evaluations"])
    train, evaluations = curve.train[seen_train:], curve.evaluations[seen_evaluations:]
    after = dict(
        run=curve.run.name,
        generation=generation,
        train=seen_train + len(train),
        evaluations=seen_evaluations + len(evaluations),
    )
    if not (reset or train or evaluations):
        return None, after
    shown = [(step, round(loss, 5)) for step, loss in (thin(train) if reset else train)]
    value = dict(run=curve.run.name, reset=reset, train=shown, evaluations=evaluations, max_steps=max_steps)
    return value, after
