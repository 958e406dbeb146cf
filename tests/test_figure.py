"""The books' figure: the run's own numbers at their places, on two axes, in three kinds of file."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from fabricated_runs import fabricate

from lm import figure, run_dir
from lm.__main__ import main
from lm.errors import RunError
from lm.recipes import RECIPES
from lm.run_dir import RunDir

EPOCH = 400  # steps of a fabricated run


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """One whose held-out loss is lowest at step 200 of 1,000."""
    return fabricate(tmp_path / "runs", "mira", steps=1000, max_steps=1000, parted_at=200)


def lines(drawn) -> dict[str, tuple[list[float], list[float]]]:
    """What is drawn under each word of the legend."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in drawn.axes[0].lines
        if not line.get_label().startswith("_")
    }


def test_losses_stand_over_epochs(run: RunDir) -> None:
    records, _ = run_dir.read_metrics(run.path)
    measured = [record for record in records if "val_loss" in record]
    places, values = lines(figure.losses(run))["validation"]
    assert places == [record["step"] / EPOCH for record in measured]
    assert values == [record["val_loss"] for record in measured]
    assert lines(figure.losses(run))["training"][0] == [step / EPOCH for step in range(1, 1001)]


def test_tokens_are_counted_on_the_second_axis(run: RunDir) -> None:
    below, above = figure.losses(run).axes
    assert (below.get_xlabel(), above.get_xlabel()) == ("epochs", "tokens seen")
    per_epoch = [tokens / epoch for tokens, epoch in zip(above.get_xlim(), below.get_xlim(), strict=True) if epoch]
    assert per_epoch == pytest.approx([2048 * EPOCH])


def test_the_loss_of_knowing_nothing_stands_beside_the_first(run: RunDir) -> None:
    untrained = dict(step=0, epoch=0.0, tokens=0, val_loss=4.5, train_loss=4.4)
    run_dir.write_whole(run.metrics, b"")
    for record in (untrained, *({"step": n, "epoch": n / 4, "tokens": n, "loss": 4.0} for n in (1, 2, 3))):
        run_dir.append_record(run.metrics, record)
    (label,) = (label for label in lines(figure.losses(run)) if label.startswith("ln "))
    assert label == f"ln 80 = {math.log(80):.3f}; at step 0: 4.500"
    assert lines(figure.losses(run))[label][1] == [math.log(80)] * 2


def test_the_best_step_is_marked_and_over_fitting_from_there(run: RunDir) -> None:
    drawn = lines(figure.losses(run))
    best = run_dir.best_record(run)
    assert drawn[f"best: {best['val_loss']:.4f} at step {best['step']:,}"] == ([best["epoch"]], [best["val_loss"]])
    (label,) = (label for label in drawn if label.startswith("over-fitting"))
    assert drawn[label][0] == [best["epoch"]] * 2


def test_a_loss_that_still_falls_is_not_called_over_fitted(tmp_path: Path) -> None:
    run = fabricate(tmp_path, "mira", steps=200)
    assert not any(label.startswith("over-fitting") for label in lines(figure.losses(run)))


def test_the_published_curve_is_dotted_as_far_as_the_run_went(run: RunDir) -> None:
    run_dir.write_json(run.config, run_dir.read_json(run.config) | dict(recipe="chapter19"))
    run_dir.truncate_records(run.metrics, 450)
    drawn, curve = lines(figure.losses(run)), RECIPES["chapter19"].curve
    for column, what in ((1, "training"), (2, "validation")):
        places, values = drawn[f"{what}, published"]
        assert places == pytest.approx([point[0] / EPOCH for point in curve if point[0] <= 450])
        assert values == [point[column] for point in curve if point[0] <= 450]


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")])
def test_the_shell_saves_each_kind_and_twice_the_same(run: RunDir, tmp_path: Path, name: str, begins: bytes) -> None:
    made = []
    for folder in ("one", "two"):
        to = tmp_path / folder / name
        to.parent.mkdir()
        assert main(["plot", str(run.path), "--to", str(to)]) == 0
        made.append(to.read_bytes())
    assert made[0].startswith(begins) and made[0] == made[1]


def test_text_of_an_svg_stays_text(run: RunDir, tmp_path: Path) -> None:
    figure.write(run, tmp_path / "a.svg")
    words = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "tokens seen" in words and "over-fitting from here" in words


def test_what_cannot_be_drawn_is_said(run: RunDir, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"a\.gif.*png, svg, pdf"):
        figure.write(run, tmp_path / "a.gif")
    run_dir.write_whole(run.metrics, b"")
    with pytest.raises(RunError, match="no steps to draw yet"):
        figure.write(run, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
