"""What the page tells a visitor of a shared machine before it is too late: the limits, the place in the line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fabricated_runs import fabricate

from lm import launch, run_dir
from lm.run_dir import RunDir, Status
from playground.app import WATCHER
from playground.limits import ANONYMOUS
from playground.queue import TrainingQueue
from playground.shares import Share
from playground.workspace import Workspace
from playground.workspaces import Workspaces


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingQueue:
    """A line in which a training that never ends has begun; instead of a trainer, a status says so."""

    def begin(runs_dir: Path, name: str, argv: list[str], command: list[str], niceness: int) -> None:
        (Path(runs_dir) / name / "log.txt").touch()
        run_dir.write_status(RunDir(Path(runs_dir) / name), Status(state="starting", seconds_left=125.0))

    monkeypatch.setattr(launch, "start", begin)
    line = TrainingQueue(tmp_path / "queue.json", slots=1)
    line.add("bob", run_dir.create(tmp_path / "bob", "first"), [], minutes=5)
    return line


@pytest.fixture
def space(tmp_path: Path, line: TrainingQueue) -> Workspace:
    return Workspace(tmp_path / "ann" / "workspace", tmp_path / "ann" / "runs", Share("ann", ANONYMOUS, line))


def told(space: Workspace, selected: str, language: str = "en") -> dict[str, str]:
    return dict(zip(WATCHER.outputs, WATCHER.watch(space, selected, {}, language), strict=True))


@pytest.mark.parametrize(("language", "words"), [("en", "number 1 in the line"), ("ja", "1 番目")])
def test_a_run_that_waits_says_its_place_and_its_time(
    space: Workspace, line: TrainingQueue, language: str, words: str
) -> None:
    line.add("ann", run_dir.create(space.runs_dir, "mine"), [], minutes=1)
    note = told(space, "mine", language)["train.note"]
    assert words in note and "2:05" in note


def test_the_limits_stand_where_they_will_bite(space: Workspace) -> None:
    page = told(space, "")
    assert "10 minutes" in page["train.note"] and "2,000" in page["generate.limits"]
    assert "500 MB" in page["guest.about"]


def test_on_ones_own_machine_no_limit_is_spoken_of(tmp_path: Path) -> None:
    page = told(Workspace(tmp_path / "workspace", tmp_path / "runs"), "")
    assert page["generate.limits"] == page["guest.about"] == "" and "minutes" not in page["train.note"]


def test_a_run_is_shown_to_others_or_hidden_again_never_both(space: Workspace, line: TrainingQueue) -> None:
    fabricate(space.runs_dir, "mine")
    workspaces = Workspaces(space, space.root.parent.parent, line)
    for act, is_linked in ((workspaces.show, True), (workspaces.hide, False)):
        act(space, "mine")
        page = told(space, "mine")
        assert (page["guest.show"]["visible"], page["guest.hide"]["visible"]) == (not is_linked, is_linked)


def test_a_spectator_is_told_of_no_limits(tmp_path: Path) -> None:
    fabricate(tmp_path, "shown")
    page = told(Workspace(tmp_path / "nothing", tmp_path, Share(limits=ANONYMOUS, only="shown")), "shown")
    assert page["generate.limits"] == ""


@pytest.mark.parametrize("state", ["finished", "stopped", "dead", "failed"])
def test_a_spectator_is_not_told_what_the_owner_can_do_next(tmp_path: Path, state: str) -> None:
    fabricate(tmp_path, "shown", state="running" if state == "dead" else state)
    own = told(Workspace(tmp_path / "workspace", tmp_path), "shown")
    page = told(Workspace(tmp_path / "nothing", tmp_path, Share(limits=ANONYMOUS, only="shown")), "shown")
    assert own["train.note"] != "" and page["train.note"] == ""


def test_a_spectator_is_told_what_is_seen_while_it_trains(tmp_path: Path) -> None:
    with run_dir.owned(fabricate(tmp_path, "shown", state="running", steps=40)):
        page = told(Workspace(tmp_path / "nothing", tmp_path, Share(limits=ANONYMOUS, only="shown")), "shown")
    assert "Blue is the text it learns from" in page["train.note"]


def test_a_workspace_whose_run_waits_for_its_turn_is_not_removed(tmp_path: Path, line: TrainingQueue) -> None:
    many = Workspaces(Workspace(tmp_path / "w", tmp_path / "r"), tmp_path / "visitors", line)
    folder = tmp_path / "visitors" / "ann"
    run = run_dir.create(folder / "runs", "mine")
    line.add("ann", run, [], minutes=1)
    run_dir.write_json(folder / "seen.json", dict(at=time.time() - 99 * 86_400, is_signed_in=False))
    many.clean()
    assert run_dir.state(run) == run_dir.WAITING
    line.leave(run)
    many.clean()
    assert not folder.exists()
