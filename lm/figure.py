"""Pictures for files: the loss of a run over its steps, for model cards; over its epochs as the books draw it.

The books' figure (Raschka, Build a Large Language Model, figure 5.12) has epochs below and tokens seen above. Ours says
besides what a first loss should be, ln V, where the held-out loss was lowest and whether it rose from there, and shows
the recipe's published curve in dots.

matplotlib is imported when a picture is drawn and never before: it takes half a second, and `lm` works without it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm import run_dir
from lm.errors import RunError
from lm.recipes import RECIPES
from lm.run_dir import RunDir

BLUE, VERMILION, GOLD, INK, SOFT, LINE = "#2b4acb", "#c93a22", "#c98a00", "#1d1b18", "#645f55", "#e6e1d6"
SPAN = 0.02  # each point of the smoothed training loss is fitted to this share of all points on either side of it
OVERFITTED = 1.02  # a last held-out loss above the best one times this has risen; assumed: less is noise
MARGIN = 1.01  # of the axes over the last step
# What a file would say of when and by what it was made; without it the same run makes the same file.
UNSAID = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}

Record = Mapping[str, Any]


def smoothed(values: Sequence[float], span: float = SPAN) -> list[float]:
    """Each value as the straight line through its neighbours has it (least squares), which does not lag where they fall.

    `span` is the share of all values that count as neighbours on either side; two of them at the least.
    """
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
    """Training loss (raw and smoothed), validation loss and its best point over the steps, as a PNG."""
    figure, axes = _canvas((0.085, 0.125, 0.9, 0.85))
    records = run_dir.read_metrics(run.path)[0]
    _draw_losses(axes, records, "step")
    if best := _best(records):
        axes.plot(best["step"], best["val_loss"], label=_in_words(best), **_RING)
    axes.set(xlabel="step", ylabel="loss (nats per token)")
    _legend(axes)
    return _rendered(figure, "png")


def write(run: RunDir, to: Path) -> None:
    """Write `losses(run)` as the file `to`, a .png, .svg or .pdf, whole or not at all; `RunError` if it cannot be."""
    kind = Path(to).suffix.lower().removeprefix(".")
    if kind not in UNSAID:
        raise RunError(f"{to} is no kind of picture that can be drawn; let its name end in {', '.join(UNSAID)}")
    try:
        run_dir.write_whole(Path(to), _rendered(losses(run), kind))
    except OSError as error:
        raise RunError(f"cannot write {to}: {error.strerror}; free some space or choose another place") from None


def losses(run: RunDir) -> Any:
    """The books' figure of `run`, as matplotlib's `Figure`; `RunError` if nothing was recorded yet, or it is damaged."""
    with run_dir.explaining_damage(run.config):
        return _losses(run)


def _losses(run: RunDir) -> Any:
    from matplotlib.ticker import EngFormatter

    said, records = run_dir.read_json(run.config), run_dir.read_metrics(run.path)[0]
    if not any(record.get("epoch") for record in records):
        raise RunError(f"run {run.name!r} has no steps to draw yet; wait for its first ones")
    last = records[-1]
    figure, axes = _canvas((0.085, 0.125, 0.89, 0.74))
    _draw_losses(axes, records, "epoch")
    _draw_published(axes, said.get("recipe"), records)
    _draw_first(axes, said["model"]["vocab_size"], records)
    _draw_best(axes, records)
    axes.set(xlabel="epochs", ylabel="loss (nats per token)")
    axes.set_xlim(0, MARGIN * last["epoch"])
    tokens = axes.twiny()  # the same curve, counted in tokens
    tokens.set_xlim(0, MARGIN * last["tokens"])
    tokens.set_xlabel("tokens seen")
    tokens.xaxis.set_major_formatter(EngFormatter(sep=""))
    tokens.spines[["right", "bottom", "left"]].set_visible(False)
    tokens.tick_params(colors=INK)
    _legend(axes)
    return figure


# ---------------------------------------------------------------------------------------------- what is drawn

_RING = dict(marker="o", linestyle="", color=GOLD, markersize=8, zorder=3)


def _draw_losses(axes: Any, records: Sequence[Record], x: str) -> None:
    trained = [(r[x], r["loss"]) for r in records if "loss" in r]
    measured = [(r[x], r["val_loss"]) for r in records if "val_loss" in r]
    if trained:
        places, values = zip(*trained)
        axes.plot(places, values, color=BLUE, alpha=0.25, linewidth=0.8)
        axes.plot(places, smoothed(values), color=BLUE, linewidth=1.8, label="training")
    if measured:
        axes.plot(*zip(*measured), color=VERMILION, linewidth=1.4, marker="o", markersize=3.5, label="validation")


def _draw_published(axes: Any, recipe: str | None, records: Sequence[Record]) -> None:
    """The curve that the recipe's source printed, as far as this run went."""
    last = records[-1]
    curve = RECIPES[recipe].curve if recipe in RECIPES else ()
    points = [(step * last["epoch"] / last["step"], *both) for step, *both in curve if step <= last["step"]]
    for column, (what, color) in enumerate((("training", BLUE), ("validation", VERMILION)), start=1):
        if points:
            places, values = [p[0] for p in points], [p[column] for p in points]
            axes.plot(places, values, color=color, linestyle=":", linewidth=1.6, label=f"{what}, published")


def _draw_first(axes: Any, vocab_size: int, records: Sequence[Record]) -> None:
    """ln V, the loss of a uniform guess, as a line; the untrained model's validation loss as a point."""
    first = next((r["val_loss"] for r in records if r["step"] == 0 and "val_loss" in r), None)
    nothing = math.log(vocab_size)
    measured = f"; at step 0: {first:.3f}" if first is not None else ""
    axes.axhline(nothing, color=SOFT, linewidth=1, linestyle="--", label=f"ln {vocab_size:,} = {nothing:.3f}{measured}")
    if first is not None:
        axes.plot(0, first, marker="s", color=SOFT, markersize=5, clip_on=False, zorder=3)


def _draw_best(axes: Any, records: Sequence[Record]) -> None:
    """The lowest held-out loss; a line from there on if it rose again."""
    best = _best(records)
    if not best:
        return
    axes.plot(best["epoch"], best["val_loss"], label=_in_words(best), **_RING)
    last = [r["val_loss"] for r in records if "val_loss" in r][-1]
    if last > OVERFITTED * best["val_loss"]:
        axes.axvline(
            best["epoch"], color=GOLD, linewidth=1, label=f"over-fitting from here: +{last - best['val_loss']:.3f}"
        )


def _best(records: Sequence[Record]) -> Record | None:
    """The evaluation with the lowest loss; untrained weights do not count."""
    return min((r for r in records if "val_loss" in r and r["step"]), key=lambda r: r["val_loss"], default=None)


def _in_words(best: Record) -> str:
    return f"best: {best['val_loss']:.4f} at step {best['step']:,}"


# ---------------------------------------------------------------------------------------------- paper and file


def _canvas(place: tuple[float, float, float, float]) -> tuple[Any, Any]:
    """A figure and its axes at `place` (left, bottom, width, height); a layout engine would draw everything twice."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.2), dpi=120, facecolor="white")
    axes = figure.add_axes(place)
    axes.grid(color=LINE, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    return figure, axes


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)


def _rendered(figure: Any, kind: str) -> bytes:
    import matplotlib

    picture = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "lm", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(picture, format=kind, metadata=UNSAID[kind])
    return picture.getvalue()
