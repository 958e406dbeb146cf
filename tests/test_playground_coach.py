"""The coach speaks when there is something to say, and is silent on a run that learns well."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from fabricated_runs import fabricate

from lm.run_dir import RunDir, Status
from playground import coach, live
from playground.app import TABS
from playground.views import Curve, Library, Meter, Row

STEPS = 1000
HEALTHY = dict(vocab_size=80, parameters=800_000, train_tokens=200_000)


def learning(step: float) -> float:
    """The loss of a run that learns well, in nats; the shape of the quick start on the shipped tales."""
    return 1.1 + 2.2 * math.exp(-step / 12) + 0.85 * math.exp(-step / 220) + 0.1 * (1 - step / STEPS)


def draw(loss=learning, steps: int = STEPS, unseen=lambda step: learning(step) + 0.05, grad_norm=lambda step: 0.6,
         every: int = 50) -> Curve:  # fmt: skip
    """A curve that was never on a disk: what the coach sees of one."""
    curve = Curve(run=RunDir(Path("one")))
    for step in range(steps + 1):
        if step:
            curve.train.append((step, loss(step) + 0.08 * math.sin(12.9898 * step)))
            curve.meters.append(Meter(step * 0.1, 1e-3, grad_norm(step), 10_000.0))
        if step % every == 0:
            record = dict(step=step, val_loss=unseen(step), train_loss=loss(step), val_bits_per_byte=2.0)
            curve.measured.append(record)
            curve.evaluations.append((step, record["val_loss"], 2.0))
            if step and record["val_loss"] < curve.best.get("val_loss", math.inf):
                curve.best = record
    return curve


def keys(curve: Curve, progress: float = 0.5, is_active: bool = True, **about: float) -> list[str]:
    return [remark.key for remark in coach.remarks(curve, HEALTHY | about, progress, is_active)]


@pytest.mark.parametrize("steps", [1, 5, 20, 40, 75, 150, 400, 700, 950, 1000])
def test_nothing_is_said_at_any_moment_of_a_run_that_learns_well(steps: int) -> None:
    assert keys(draw(steps=steps), steps / STEPS) == []
    assert keys(draw(steps=steps), is_active=False) == []


def test_nothing_is_said_of_the_real_quick_start() -> None:
    """A minute on two busy cores, as it was recorded: every 4th of its 449 steps."""
    curve = Library(Path(__file__).parent / "recorded").curve("quickstart")
    assert len(curve.train) > 100
    assert [keys(curve, progress) for progress in (0.5, 0.95)] == [[], []]
    assert keys(curve, is_active=False) == []


def unlearning(step: float) -> float:
    return learning(step) + 0.05 + max(0.0, step - 400) * 0.002


def test_memorising_is_told_with_the_best_step_and_a_way_to_stop() -> None:
    [remark] = coach.remarks(draw(unseen=unlearning, steps=800), HEALTHY, 0.8, True)
    assert (remark.key, remark.values, remark.action) == ("coach.parted", dict(step=400), "stop")


def test_memorising_for_long_is_not_called_a_plateau_too() -> None:
    assert keys(draw(unseen=unlearning, steps=900, every=20), 0.5) == ["coach.parted"]


def test_after_the_end_memorising_is_told_without_a_button() -> None:
    [remark] = coach.remarks(draw(unseen=unlearning), HEALTHY, 1.0, False)
    assert (remark.key, remark.action) == ("coach.had_parted", "")


def test_unseen_text_that_gets_worse_with_the_learnt_one_is_not_memorising() -> None:
    assert "coach.parted" not in keys(draw(loss=unlearning, unseen=unlearning))


def test_a_plateau_is_told_while_there_is_time_left_and_not_at_the_end() -> None:
    def flat(step: float) -> float:
        return max(2.0, learning(step))

    curve = draw(loss=flat, unseen=flat, steps=900, every=25)
    assert keys(curve, 0.4) == ["coach.plateau"]
    assert keys(curve, 0.95) == []


def test_jumps_are_told_when_they_come_back_and_one_is_not() -> None:
    def jumpy(*at: int):
        return draw(loss=lambda step: learning(step) + (3.0 if int(step) in at else 0.0), steps=800)

    assert keys(jumpy(500, 600, 700)) == ["coach.spikes"]
    assert keys(jumpy(700)) == []


@pytest.mark.parametrize("steps", [40, 300])
def test_a_loss_that_rises_is_a_rate_too_high(steps: int) -> None:
    [remark] = coach.remarks(draw(loss=lambda step: 4.2 + step / 100, steps=steps), HEALTHY, 0.1, True)
    assert (remark.key, remark.values, remark.action) == ("coach.too_high", dict(lr="0.001", lower="0.0003"), "stop")


def test_a_gradient_that_explodes_with_the_loss_is_a_rate_too_high() -> None:
    def bursting(step: float) -> float:
        return learning(step) + (0.8 if step > 480 else 0.0)

    assert "coach.too_high" in keys(draw(loss=bursting, grad_norm=lambda s: 60.0 if s > 480 else 0.6, steps=500))
    assert "coach.too_high" not in keys(draw(grad_norm=lambda s: 60.0 if s > 480 else 0.6, steps=500))


def test_a_loss_that_falls_as_at_the_beginning_is_a_rate_too_low() -> None:
    def slow(step: float) -> float:
        return 4.2 - step / 1000

    curve = draw(loss=slow, unseen=slow)
    assert keys(curve, 0.95) == keys(curve, is_active=False) == ["coach.too_low"]
    assert keys(curve, 0.5) == []


def test_a_vocabulary_too_large_for_the_text_is_told() -> None:
    """GPT-2's over Tiny Shakespeare; a thousand byte pairs over the same text are enough."""
    assert keys(draw(), vocab_size=50_257, train_tokens=304_000) == ["coach.vocabulary"]
    assert keys(draw(), vocab_size=1_000, train_tokens=420_000) == []


def test_a_model_that_can_hold_the_text_many_times_is_told() -> None:
    assert keys(draw(), parameters=124_000_000) == ["coach.little_text"]


def test_a_run_without_measurements_or_words_about_it_can_be_looked_at() -> None:
    assert coach.remarks(Curve(run=RunDir(Path("one"))), {}, None, True) == []


def test_what_comes_next_depends_on_whether_it_was_still_learning() -> None:
    def flat(step: float) -> float:
        return max(1.45, learning(step)) + (0.001 if step > 700 else 0.0)

    assert coach.what_next(draw()).key == "coach.more"
    assert coach.what_next(draw(unseen=flat)).key == "coach.enough"
    assert coach.what_next(draw(unseen=unlearning)) is None  # the coach has said it already


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_finished_run_leads_to_where_it_writes(language: str) -> None:
    shown = live.note(Row("one", "finished", Status(step=1000), 1000, 2.0), draw(), HEALTHY, False, language)
    assert f'data-tab="{list(TABS).index("generate") + 1}"' in shown


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_remark_stands_in_words_with_its_button(language: str) -> None:
    row = Row("one", "running", Status(step=800, max_steps=1000), 400, 2.0)
    shown = live.note(row, draw(unseen=unlearning, steps=800), HEALTHY, False, language)
    assert 'data-act="stop"' in shown and "400" in shown and "attention" in shown and "{" not in shown
    assert shown.count('data-act="stop"') == 1
    assert 'data-act="stop"' not in live.note(row, draw(unseen=unlearning, steps=800), HEALTHY, True, language)


def test_a_training_is_stopped_beside_its_curve_where_nothing_is_remarked_too() -> None:
    row = Row("one", "running", Status(step=800, max_steps=1000), 400, 2.0)
    assert 'data-act="stop"' in live.note(row, draw(), HEALTHY, False, "en")


def test_every_remark_can_be_said(tmp_path: Path) -> None:
    fabricate(tmp_path, "one", steps=900, parted_at=300, state="finished")
    row = Library(tmp_path).row("one")
    shown = live.note(
        row, Library(tmp_path).curve("one"), dict(vocab_size=9e4, train_tokens=10, parameters=9e9), False, "en"
    )
    assert shown.count('role="note"') == 1 + coach.MOST_REMARKS
