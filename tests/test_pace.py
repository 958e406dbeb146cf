"""How often a page looks at the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fabricated_runs import fabricate

from lm import run_dir
from playground import pace
from playground.limits import SIGNED_IN
from playground.look import look
from playground.shares import Share
from playground.workspace import Workspace


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace", tmp_path / "runs")


def seconds(space: Workspace, elapsed: float, cores: int = 2, **status: float) -> float:
    """What a page waits while a run that has been trained for `elapsed` seconds goes on."""
    shutil.rmtree(space.runs_dir, ignore_errors=True)
    run = fabricate(space.runs_dir, "one", steps=3, state="running", elapsed_seconds=elapsed, **status)
    with run_dir.owned(run):
        return pace.pace(look(space, "", "en"), cores)["seconds"]


def test_the_longer_a_training_goes_on_the_rarer_are_the_looks(space: Workspace) -> None:
    assert seconds(space, 0) == seconds(space, 8) == pace.SECONDS
    assert pace.SECONDS < seconds(space, 20) < seconds(space, 40) < seconds(space, 4000)


@pytest.mark.parametrize("cores", [1, 2, 4, 8])
def test_looks_take_at_most_their_share_of_the_processors(space: Workspace, cores: int) -> None:
    taken = pace.LOOK_PROCESSOR_SECONDS / seconds(space, 4000, cores)
    assert taken <= 1.01 * pace.SHARE * cores


def test_on_many_processors_a_page_looks_as_often_as_at_the_beginning(space: Workspace) -> None:
    assert seconds(space, 4000, cores=16) == pace.SECONDS


def test_the_end_of_a_training_is_seen_in_time(space: Workspace) -> None:
    assert seconds(space, 4000, seconds_left=5.0) == 5.0
    assert seconds(space, 4000, seconds_left=0.1) == pace.SECONDS


def test_without_a_training_a_page_looks_as_often_as_at_its_beginning(space: Workspace) -> None:
    fabricate(space.runs_dir, "ended", elapsed_seconds=4000)
    assert pace.pace(look(space, "ended", "en"))["seconds"] == pace.SECONDS


def test_a_shared_page_looks_less_often_and_one_that_nobody_sees_seldom(space: Workspace) -> None:
    space.share = Share(limits=SIGNED_IN)
    shared = pace.pace(look(space, "", "en"))
    assert pace.SECONDS < shared["seconds"] < shared["hidden_seconds"]
