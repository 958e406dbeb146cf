"""Pictures for files: the loss of a run as a PNG, for model cards and reports.

matplotlib is imported when a picture is drawn and never before: it takes half a second, and `lm` works without it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from lm import run_dir
from lm.run_dir import RunDir

BLUE, VERMILION, GOLD, INK, LINE = "#2b4acb", "#c93a22", "#c98a00", "#1d1b18", "#e6e1d6"
SPAN = 0.02  # the smoothed training loss looks at this share of the points on either side


def smoothed(values: Sequence[float], span: float = SPAN) -> list[float]:
    """Each value by the straight line that fits its neighbours best: a mean that does not lag where the curve falls."""
    half, found = max(2, round(len(values) * span)), []
    for i in range(len(values)):
        first = max(0, i - half)
        near = values[first : i + half + 1]
        middle = (len(near) - 1) / 2
        spread = sum((k - middle) ** 2 for k in range(len(near)))
        slope = sum((k - middle) * value for k, value in enumerate(near)) / spread if spread else 0.0
        found.append(sum(near) / len(near) + slope * (i - first - middle))
    return found


def loss_png(run: RunDir) -> bytes:
    """Training loss (raw and smoothed), validation loss and its best point over the steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.2), dpi=120, facecolor="white")
    axes = figure.add_axes((0.085, 0.125, 0.9, 0.85))  # said, not searched for: a layout engine draws everything twice
    _draw_losses(axes, run_dir.read_metrics(run.path)[0])
    axes.set(xlabel="step", ylabel="loss (nats per token)")
    axes.grid(color=LINE, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    FigureCanvasAgg(figure)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _draw_losses(axes: Any, records: Sequence[Mapping[str, Any]]) -> None:
    trained = [(r["step"], r["loss"]) for r in records if "loss" in r]
    measured = [(r["step"], r["val_loss"]) for r in records if "val_loss" in r]
    if trained:
        steps, losses = zip(*trained)
        axes.plot(steps, losses, color=BLUE, alpha=0.25, linewidth=0.8)
        axes.plot(steps, smoothed(losses), color=BLUE, linewidth=1.8, label="training")
    if measured:
        axes.plot(*zip(*measured), color=VERMILION, linewidth=1.4, marker="o", markersize=3.5, label="validation")
        step, loss = min(measured, key=lambda point: point[1])
        axes.plot(step, loss, "o", color=GOLD, markersize=8, zorder=3, label=f"best: {loss:.4f} at step {step:,}")
    if trained or measured:
        axes.legend(frameon=False)
