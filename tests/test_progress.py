"""When a training is measured: at milestones, and against the clock only where it leaves the time for learning."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lm import progress
from lm.config import TrainConfig
from lm.progress import MILESTONES, TRAINING_PER_EVALUATION, Progress

CLOCKED = TrainConfig(steps=0, minutes=1.0)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set: `clock[0] = seconds`."""
    seconds = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: seconds[0])
    return seconds


def evaluations(config: TrainConfig, clock: list[float], cost: float, step_seconds: float = 0.1) -> list[float]:
    """The seconds at which a training is measured that takes so long for a step and for an evaluation."""
    counted, found, done = Progress(config, 1, 10**6), [], 0.0
    while done < 1.0:
        before = done
        counted.count_step()
        clock[0] += step_seconds
        done = counted.share()
        if counted.is_evaluation_due(before, done):
            found.append(round(counted.elapsed(), 3))
            started = counted.elapsed()
            clock[0] += cost
            counted.has_evaluated(started)
    return found


def test_measuring_that_costs_nothing_happens_at_every_milestone(clock):
    assert len(evaluations(CLOCKED, clock, cost=0.0)) == len(MILESTONES)


@pytest.mark.parametrize("cost", [0.3, 1.0, 2.5])
def test_against_the_clock_ten_seconds_of_training_lie_between_two_of_measuring(clock, cost):
    found = evaluations(CLOCKED, clock, cost)
    gaps = [later - sooner - cost for sooner, later in zip(found, found[1:])]
    assert len(found) >= 2 and min(gaps) >= TRAINING_PER_EVALUATION * cost - 0.1  # before the end as well
    assert found[-1] >= 60.0


def test_a_training_too_short_for_more_is_measured_at_its_end_alone(clock):
    assert len(evaluations(replace(CLOCKED, minutes=0.2), clock, cost=1.5)) <= 2
    clock[0] = 0.0
    found = evaluations(replace(CLOCKED, minutes=0.2), clock, cost=6.0)
    assert found[-1] >= 12.0


def test_a_number_of_steps_is_measured_as_often_whatever_it_costs(clock):
    by_steps = replace(CLOCKED, steps=200, minutes=0.0)
    assert len(evaluations(by_steps, clock, cost=5.0)) == len(MILESTONES)


def test_an_interval_is_kept_against_the_clock_too(clock):
    found = evaluations(replace(CLOCKED, eval_interval=100), clock, cost=1.0)
    assert len(found) >= 5
