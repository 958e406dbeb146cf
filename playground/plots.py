"""The live loss chart: Plotly's own bundle, drawn by `assets/chart.js` inside one `gr.HTML`.

`gr.Plot` mounts anew at every update and forgets the zoom; `Plotly.react` in a component of our own keeps it, and lets
a tick carry only the points that are new: `payload()` says which. What a reader chooses (nats or bits per byte, linear
or log, the axis, the table) is a switch of the component and never travels.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import gradio as gr

from playground import views
from playground.look import Look
from playground.references import published, references
from playground.text import words
from playground.theme import asset
from playground.views import FIRST_EVALUATIONS, Curve, spread, thin

EMPTY = dict(run="", reset=True, train=[], evaluations=[], max_steps=0, is_over=False, shares=[], per_step=[0, 0])
SCRIPTS = ("chart.js", "chart_grow.js", "chart_table.js", "chart_panels.js")


def plotly_bundle() -> Path:
    """The `plotly.min.js` of the installed package, found without importing it (0.4 s)."""
    return Path(importlib.util.find_spec("plotly").origin).parent / "package_data" / "plotly.min.js"


def loss_chart() -> gr.HTML:
    """The chart as a component whose value is what `payload` gives; its small panels are drawn in `panels()`."""
    return gr.HTML(
        EMPTY,
        elem_id="chart",
        apply_default_css=False,
        html_template='<div class="switches"></div><div class="stage"><div class="plot" role="figure"></div>'
        '<div class="numbers" tabindex="0" hidden></div><p class="hint"></p></div>',
        js_on_load="\n".join(asset(name).read_text(encoding="utf-8") for name in SCRIPTS),
    )


def panels() -> gr.HTML:
    """Where the chart draws what goes with the loss: learning rate, gradient, speed, the use of experts."""
    return gr.HTML('<div class="panels"></div>', elem_id="panels", apply_default_css=False)


def follow(look: Look, cursor: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The chart's next value, if there is any, and the cursor after that; a new run brings its words along."""
    known = references(look.run) if look.run else None
    is_over = look.row is not None and not look.row.is_active
    value, after = payload(look.curve, cursor, look.row.status.max_steps if look.row else 0, known, is_over)
    if value and value["reset"]:
        recipe = views.description(look.run).get("recipe", "") if look.run else ""
        value = value | dict(words=words("chart", look.language), published=published(recipe))
    return value, after


def payload(
    curve: Curve | None,
    cursor: dict[str, Any],
    max_steps: int,
    known: dict[str, Any] | None = None,
    is_over: bool = False,
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """What the chart must be sent so that it shows `curve`, and the cursor after that.

    Inputs: the curve (None: no run is selected), the cursor of this browser (`run`, `generation`, and how many
    `train` points and `evaluations` it has), what `playground.references` knows of the run by now, whether it is over.
    Outputs: a value for the chart with the new points only (`reset` true: all of them, thinned), or None when there is
    nothing to send; the next cursor.
    """
    if curve is None:
        after = dict(run="", generation=0, train=0, evaluations=0, references=False)
        return (EMPTY if cursor.get("run") != "" else None), after
    reset = (cursor.get("run"), cursor.get("generation")) != (curve.run.name, curve.generation)
    before = dict(train=0, evaluations=0, references=False) if reset else cursor
    train, evaluations = _train(curve, before["train"]), _evaluations(curve, before["evaluations"])
    after = dict(
        run=curve.run.name,
        generation=curve.generation,  # another browser's tick may begin it anew meanwhile
        train=before["train"] + len(train),
        evaluations=before["evaluations"] + len(evaluations),
        references=known is not None,
        is_over=is_over,
    )
    is_news = known is not None and not before["references"]
    if not (reset or train or evaluations or is_news or is_over != before.get("is_over", False)):
        return None, after
    if reset:
        train = thin(train)
        best = next((i for i, record in enumerate(curve.measured) if record is curve.best), 0)
        evaluations = [evaluations[i] for i in spread(len(evaluations), FIRST_EVALUATIONS, best)]
    value = dict(run=curve.run.name, reset=reset, train=[_rounded(row) for row in train], evaluations=evaluations,
                 max_steps=max_steps, is_over=is_over, shares=_latest_shares(curve), per_step=_per_step(curve.last))  # fmt: skip
    return value | (dict(references=known) if is_news else {}), after


def _train(curve: Curve, seen: int) -> list[tuple[Any, ...]]:
    """(step, nats, seconds, lr, gradient's length, tokens per second) of every step after `seen` of them."""
    # `meters` grows after `train`, in another thread maybe: what is not in both is for the next tick.
    return [(*point, *meter) for point, meter in zip(curve.train[seen:], curve.meters[seen:])]


def _evaluations(curve: Curve, seen: int) -> list[list[Any]]:
    """(step, nats, bits per byte, nats on the learnt text, seconds, use of each expert) of every one after `seen`."""
    return [_evaluation(record) for record in curve.measured[seen:]]


def _evaluation(record: dict[str, Any]) -> list[Any]:
    by_block = record.get("expert_shares") or []
    means = [round(sum(shares) / len(by_block), 4) for shares in zip(*by_block)]
    measured = (record.get(name) for name in ("val_loss", "val_bits_per_byte", "train_loss"))
    return [record.get("step", 0), *(_digits(v, 6) for v in measured), record.get("time_seconds"), means]


def _latest_shares(curve: Curve) -> list[list[float]]:
    """The use of every expert, by block, when it was measured last."""
    return curve.measured[-1].get("expert_shares") or [] if curve.measured else []


def _per_step(record: dict[str, Any]) -> list[float]:
    """Tokens and epochs of one step."""
    step = record.get("step") or 0
    return [record.get("tokens", 0) / step, record.get("epoch", 0.0) / step] if step else [0, 0]


def _rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """No more digits than a line can show: a third of the bytes."""
    step, loss, seconds, lr, grad_norm, speed = row
    return step, round(loss, 5), _digits(seconds, 6), _digits(lr, 4), _digits(grad_norm, 4), _digits(speed, 4)


def _digits(value: float | None, n: int) -> float | None:
    return None if value is None else float(f"{value:.{n}g}")
