"""Pictures for files: the loss of a run as a PNG, for model cards and reports.

matplotlib is imported when a picture is drawn and never before: it takes half a second, and `lm` works without it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from lm import run_dir
from lm.run_dir import RunDir

BLUE, VERMILION, GOLD, INK, LINE = "#2b4acb", "#c93a22", "#c98a00", "#1d1b18", "#e6e1d6"
MEMORY = 0.95  # of the smoothed training loss: how much of the mean so far each step keeps


def smoothed(values: Sequence[float], memory: float = MEMORY) -> list[float]:
    """The exponential mean of what came before, without its bias towards the start."""
    mean, weight, means = 0.0, 0.0, []
    for value in values:
        mean = memory * mean + (1 - memory) * value
        weight = memory * weight + (1 - memory)
        means.append(mean / weight)
    return means


def loss_png(run: RunDir) -> bytes:
    """Training loss (raw and smoothed), validation loss and its best point over the steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    records, _ = run_dir.read_metrics(run.path)
    trained = [(r["step"], r["loss"]) for r in records if "loss" in r]
    measured = [(r["step"], r["val_loss"]) for r in records if "val_loss" in r]
    figure = Figure(figsize=(8, 4.2), dpi=120, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    if trained:
        steps, losses = zip(*trained)
        axes.plot(steps, losses, color=BLUE, alpha=0.25, linewidth=0.8)
        axes.plot(steps, smoothed(losses), color=BLUE, linewidth=1.8, label="training")
    if measured:
        axes.plot(*zip(*measured), color=VERMILION, linewidth=1.4, marker="o", markersize=3.5, label="validation")
        step, loss = min(measured, key=lambda point: point[1])
        axes.plot(step, loss, "o", color=GOLD, markersize=8, zorder=3, label=f"best: {loss:.4f} at step {step:,}")
    axes.set(xlabel="step", ylabel="loss (nats per token)")
    axes.grid(color=LINE, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    if trained or measured:
        axes.legend(frameon=False)
    FigureCanvasAgg(figure)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
