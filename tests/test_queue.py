"""The line before a shared machine: fair, remembered, and only so many at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest
from fabricated_runs import fabricate
from runs import write_text
from test_disk import room_for

from lm import __main__, launch, library, run_dir
from lm.errors import RunError
from lm.run_dir import RunDir, Status
from playground import queue, trainings
from playground.limits import ANONYMOUS
from playground.queue import TrainingQueue
from playground.shares import Share
from playground.workspace import Workspace

DAY = 86_400.0


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs whose turn has come, in order; instead of a trainer, a status says that they run."""
    names: list[str] = []

    def begin(run: RunDir) -> RunDir:
        names.append(run.name)
        run.log.touch()
        run_dir.write_status(run, Status(state="starting"))  # fresh: believed for START_GRACE_SECONDS
        return run

    monkeypatch.setattr(launch, "start", lambda runs_dir, name, argv, command, niceness: begin(RunDir(runs_dir / name)))
    monkeypatch.setattr(launch, "resume", lambda run, argv, niceness: begin(run))
    return names


@pytest.fixture
def line(tmp_path: Path) -> TrainingQueue:
    return TrainingQueue(tmp_path / "queue.json", slots=1)


def test_a_training_leaves_the_other_processor_to_the_pages(line, tmp_path, monkeypatch):
    given: list[str] = []
    monkeypatch.setattr(launch, "start", lambda runs_dir, name, argv, command, niceness: given.extend(argv))
    line.add("ann", run_dir.create(tmp_path, "fox"), ["--minutes", "1", "--threads", "8"], 1)
    assert __main__.build_parser().parse_args(["train", "--data", "fox.txt", *given]).threads == 1


@pytest.mark.parametrize(("here", "trainings"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4)])
def test_one_training_for_every_two_processors(here: int, trainings: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "processors", lambda: here)
    assert queue.slots_here() == trainings


def ask(line: TrainingQueue, folder: Path, visitor: str, name: str, minutes: float = 1) -> RunDir:
    run = run_dir.create(folder / visitor, name)
    line.add(visitor, run, ["--minutes", str(minutes)], minutes)
    return run


def end(run: RunDir, state: str = "finished") -> None:
    run_dir.write_status(run, Status(state=state, heartbeat=time.time()))


def names_of(line: TrainingQueue) -> list[str]:
    return [entry.directory.name for entry in line._line()]


def test_as_many_train_at_once_as_there_are_slots(tmp_path: Path, begun: list[str]) -> None:
    line = TrainingQueue(tmp_path / "queue.json", slots=2)
    for n in range(4):
        ask(line, tmp_path, "ann", f"run{n}")
    assert begun == ["run0", "run1"]


def test_the_next_begins_when_one_ends(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    first, second = ask(line, tmp_path, "ann", "first"), ask(line, tmp_path, "ann", "second")
    assert run_dir.state(second) == run_dir.WAITING
    line.step()
    assert begun == ["first"]
    end(first)
    line.step()
    assert begun == ["first", "second"]


def test_one_who_asks_for_much_does_not_keep_others_waiting(
    line: TrainingQueue, tmp_path: Path, begun: list[str]
) -> None:
    runs = [ask(line, tmp_path, "ann", f"ann{n}") for n in range(4)]
    ask(line, tmp_path, "bob", "bob0")
    ask(line, tmp_path, "cleo", "cleo0")
    ask(line, tmp_path, "bob", "bob1")
    assert names_of(line) == ["bob0", "cleo0", "ann1", "bob1", "ann2", "ann3"]
    end(runs[0])
    line.step()
    assert begun == ["ann0", "bob0"]


def test_who_was_served_does_not_come_before_who_waits_when_asking_again(
    line: TrainingQueue, tmp_path: Path, begun: list[str]
) -> None:
    first = ask(line, tmp_path, "ann", "ann0")
    second = ask(line, tmp_path, "bob", "bob0")
    end(first)
    line.step()
    ask(line, tmp_path, "bob", "bob1")
    ask(line, tmp_path, "ann", "ann1")
    end(second)
    line.step()
    assert begun == ["ann0", "bob0", "ann1"]


def test_a_waiting_run_knows_its_place_and_its_time(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    runs = [ask(line, tmp_path, "ann", f"run{n}", minutes=n + 1) for n in range(3)]
    assert line.place(runs[0]) is None
    second, third = line.place(runs[1]), line.place(runs[2])
    assert (second.position, third.position) == (1, 2)
    assert second.seconds == pytest.approx(60 + queue.OVERHEAD_SECONDS, abs=5)
    assert third.seconds - second.seconds == pytest.approx(120 + queue.OVERHEAD_SECONDS, abs=5)


def test_the_time_to_wait_is_what_the_trainer_says_is_left(
    line: TrainingQueue, tmp_path: Path, begun: list[str]
) -> None:
    first, second = ask(line, tmp_path, "ann", "first", minutes=9), ask(line, tmp_path, "ann", "second")
    run_dir.write_status(first, Status(state="starting", seconds_left=7.0))
    assert line.place(second).seconds == 7.0


def test_to_stop_a_waiting_run_takes_it_out_of_the_line(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    first, second = ask(line, tmp_path, "ann", "first"), ask(line, tmp_path, "ann", "second")
    assert line.leave(second) and not line.leave(second)
    assert run_dir.state(second) == "stopped"
    end(first)
    line.step()
    assert begun == ["first"] and not line.is_busy("ann")


def test_a_run_waits_only_once(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    run = ask(line, tmp_path, "ann", "first")
    with pytest.raises(RunError, match="in the queue already"):
        line.add("ann", run, [], 1)


def test_the_line_survives_the_app(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    first = ask(line, tmp_path, "ann", "first")
    ask(line, tmp_path, "ann", "second")
    ask(line, tmp_path, "bob", "third")
    again = TrainingQueue(line.path, slots=1)
    again.step()
    assert begun == ["first"] and names_of(again) == ["third", "second"]
    end(first)
    again.step()
    assert begun == ["first", "third"]


def test_a_full_disk_does_not_end_the_line(
    line: TrainingQueue, tmp_path: Path, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def step() -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            raise OSError(28, "No space left on device")
        line.close()

    monkeypatch.setattr(queue, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(line, "step", step)
    line.keep_going()
    assert looks == [0, 1]


def test_a_run_that_was_deleted_is_no_longer_waited_for(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    import shutil

    first, second = ask(line, tmp_path, "ann", "first"), ask(line, tmp_path, "ann", "second")
    shutil.rmtree(second.path)
    line.step()
    end(first)
    line.step()
    assert begun == ["first"] and not second.path.exists()


def test_a_run_goes_on_again_the_moment_it_has_ended(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    run = ask(line, tmp_path, "ann", "fox")
    end(run, "stopped")
    line.add("ann", run, [], 1, queue.RESUME)
    assert begun == ["fox", "fox"]


def test_a_name_is_free_the_moment_its_run_was_deleted(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    space = Workspace(tmp_path / "home", tmp_path / "runs", Share("ann", ANONYMOUS, line))
    for _ in range(3):
        assert trainings.begin(space, "fox", [], "en") == "fox"
        end(RunDir(space.runs_dir / "fox"))
        library.delete(space.runs_dir, "fox")
    assert begun == ["fox", "fox", "fox"]


def test_a_training_that_takes_too_long_is_stopped(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    run = ask(line, tmp_path, "ann", "long", minutes=-1)
    line.step()
    assert run.stop.exists()


def test_a_trainer_that_never_spoke_is_said_to_have_failed(
    line: TrainingQueue, tmp_path: Path, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "start", lambda *_: None)
    monkeypatch.setattr(queue, "START_GRACE_SECONDS", 0.0)
    run = ask(line, tmp_path, "ann", "mute")
    line.step()
    assert run_dir.state(run) == "failed" and "log" in run_dir.read_status(run).error


def test_a_training_that_is_stopped_while_it_begins_is_stopped_when_it_has_begun(
    line: TrainingQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "start", lambda *_: None)  # a process that has not said a word yet
    run = ask(line, tmp_path, "ann", "one")
    assert run_dir.state(run) == "waiting" and not line.leave(run)
    line.step()
    assert not run.stop.exists()
    run_dir.write_status(run, Status(state="starting"))
    line.step()
    assert run.stop.exists()


def test_a_resumed_run_keeps_what_it_knew_while_it_waits(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    ask(line, tmp_path, "ann", "first")
    run = fabricate(tmp_path / "bob", "old", state="stopped", step=120)
    line.add("bob", run, [], 1, queue.RESUME)
    assert run_dir.read_status(run).step == 120 and run_dir.state(run) == run_dir.WAITING


# ---------------------------------------------------------------------------------------------- nothing to be gained


def test_whoever_comes_back_as_somebody_new_waits_behind_those_who_wait(
    line: TrainingQueue, tmp_path: Path, begun: list[str]
) -> None:
    """A browser without a cookie is a new visitor each time it comes; bob was served before, and is as good as new."""
    end(ask(line, tmp_path, "bob", "bob0"))
    line.step()
    ask(line, tmp_path, "ann", "ann0")
    ask(line, tmp_path, "bob", "bob1")
    ask(line, tmp_path, "ann-again", "ann1")
    assert begun == ["bob0", "ann0"] and names_of(line) == ["bob1", "ann1"]


def test_to_leave_the_line_and_enter_it_again_gains_no_place(
    line: TrainingQueue, tmp_path: Path, begun: list[str]
) -> None:
    ask(line, tmp_path, "ann", "ann0")
    bob, cleo = ask(line, tmp_path, "bob", "bob0"), ask(line, tmp_path, "cleo", "cleo0")
    line.leave(cleo)
    line.add("cleo", cleo, [], 1)
    assert names_of(line) == ["bob0", "cleo0"]
    line.leave(bob)
    line.add("bob", bob, [], 1)
    assert names_of(line) == ["cleo0", "bob0"]


# ---------------------------------------------------------------------------------------------- a clock that is set


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which this machine's clock is wrong; a test may set it."""
    wrong, real = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: real() + wrong[0])
    return wrong


@pytest.mark.parametrize("leap", [DAY, -DAY, -1.7e9], ids=["tomorrow", "yesterday", "1970"])
def test_a_clock_that_is_set_neither_ends_a_training_nor_changes_the_line(
    line: TrainingQueue,
    tmp_path: Path,
    begun: list[str],
    clock: list[float],
    monkeypatch: pytest.MonkeyPatch,
    leap: float,
) -> None:
    killed = []
    monkeypatch.setattr(launch, "kill", killed.append)
    first, second = ask(line, tmp_path, "ann", "first"), ask(line, tmp_path, "bob", "second")
    end(first, "running")
    clock[0] = leap
    with run_dir.owned(first):
        ask(line, tmp_path, "cleo", "third")
        line.step()
        assert not killed and not first.stop.exists() and names_of(line) == ["second", "third"]
        assert 0 < line.place(second).seconds <= 60 + queue.OVERHEAD_SECONDS
        again = TrainingQueue(line.path, slots=1)
        assert names_of(again) == ["second", "third"]
        again.step()
        assert not killed and begun == ["first"]
    end(first)
    again.step()
    assert begun == ["first", "second"]


def test_a_training_that_takes_too_long_ends_however_the_clock_is_set(
    line: TrainingQueue, tmp_path: Path, begun: list[str], clock: list[float]
) -> None:
    run = ask(line, tmp_path, "ann", "long", minutes=-1)
    end(run, "running")
    clock[0] = -1.7e9
    with run_dir.owned(run):
        line.step()
    assert run.stop.exists()


# ---------------------------------------------------------------------------------------------- what a death leaves


def test_two_apps_do_not_serve_one_line(line: TrainingQueue) -> None:
    line.claim()
    with pytest.raises(RunError, match="another app serves the visitors of .*end it first"):
        TrainingQueue(line.path, slots=1).claim()


def test_a_damaged_line_is_set_aside_and_the_app_opens(
    line: TrainingQueue, tmp_path: Path, begun: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ask(line, tmp_path, "ann", "first")
    waiting = ask(line, tmp_path, "ann", "second")
    whole = line.path.read_text(encoding="utf-8")
    for damage in (
        "",
        "[]",
        "{}",
        whole[:-9],
        whole.replace('"since": ', '"since": "x", "old": '),
        whole.replace("argv", "arg"),
    ):
        line.path.write_text(damage, encoding="utf-8")
        again = TrainingQueue(line.path, slots=1)
        assert names_of(again) == [] and not line.path.exists()
        assert "damaged" in capsys.readouterr().err
    assert again.leave(waiting) and run_dir.state(waiting) == "stopped"


def test_a_run_that_says_it_waits_and_does_not_stand_in_the_line_is_stopped(
    line: TrainingQueue, tmp_path: Path
) -> None:
    lost = fabricate(tmp_path / "ann", "lost", state=run_dir.WAITING)
    assert line.settle(lost) and run_dir.state(lost) == "stopped" and not line.settle(lost)


def test_whoever_waits_or_trains_is_left_as_they_are(line: TrainingQueue, tmp_path: Path, begun: list[str]) -> None:
    first, second = ask(line, tmp_path, "ann", "first"), ask(line, tmp_path, "ann", "second")
    assert not line.settle(first) and not line.settle(second) and run_dir.state(second) == run_dir.WAITING


@pytest.mark.parametrize("room", range(6))
@pytest.mark.parametrize("command", [("train",), queue.RESUME], ids=["new", "resumed"])
def test_whoever_is_refused_by_a_full_disk_does_not_stand_in_the_line(
    line: TrainingQueue, tmp_path: Path, begun: list[str], room: int, command: tuple[str, ...]
) -> None:
    """Neither now nor after a restart, and the run is as it was before: resting, or not there."""
    ask(line, tmp_path, "ann", "first")
    if command == queue.RESUME:
        run = fabricate(tmp_path / "bob", "fox", state="stopped", step=120)
    else:
        run = run_dir.create(tmp_path / "bob", "fox")
    with room_for(room, tmp_path):
        try:
            line.add("bob", run, [], 1, command)
        except OSError:
            assert names_of(line) == [] == names_of(TrainingQueue(line.path, slots=1))
        else:
            assert names_of(line) == ["fox"]
    line.leave(run)
    assert not run.path.exists() or run_dir.state(run) == "stopped"


def test_a_real_training_waits_begins_and_ends(line: TrainingQueue, tmp_path: Path) -> None:
    text = write_text(tmp_path / "fox.txt")
    small = "--steps 3 --n-layer 1 --n-head 1 --n-embd 8 --block-size 8 --batch-size 2 --sample-tokens 0".split()
    argv = ["--data", str(text), *small]
    runs = [run_dir.create(tmp_path / "runs", name) for name in ("one", "two")]
    for run in runs:
        line.add("ann", run, argv, 1)
    deadline, niceness = time.monotonic() + 60, set()
    while line.is_busy("ann"):
        line.step()
        running = [run for run in runs if run_dir.state(run) == "running"]
        assert len(running) <= 1
        niceness |= {psutil.Process(run_dir.read_status(run).pid).nice() for run in running}
        assert time.monotonic() < deadline, [run.log.read_text(encoding="utf-8") for run in runs if run.log.exists()]
        time.sleep(0.1)
    assert [run_dir.state(run) for run in runs] == ["finished", "finished"]
    own = psutil.Process().nice()
    assert niceness == {psutil.BELOW_NORMAL_PRIORITY_CLASS if os.name == "nt" else max(own, queue.NICENESS)}
