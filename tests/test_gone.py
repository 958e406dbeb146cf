"""The folder of a run is deleted, replaced or made read-only while it is trained; a stop request outlives its trainer."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from fabricated_runs import fabricate
from runs import metrics, request, write_text
from test_disk import room_for

from lm import run_dir, trainer
from lm.__main__ import main
from lm.death import probable_cause
from lm.errors import LMError, TrainingError
from lm.files import refusal
from lm.run_dir import RunDir

LONG = dict(steps=40, eval_interval=4, checkpoint_interval=4, sample_tokens=4)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return run_dir.create(tmp_path / "runs", "fox")


def trained(run: RunDir, tmp_path: Path, harm: Callable[[], object], **settings: object) -> dict:
    """Train `run`, and do the harm after its sixth step."""
    return trainer.train(
        run,
        request(write_text(tmp_path / "fox.txt"), **LONG | settings),
        on_record=lambda record, status: harm() if record["step"] == 6 else None,
    )


@pytest.mark.parametrize("settings", [dict(), dict(sample_tokens=0)], ids=["samples", "no samples"])
def test_a_run_that_is_deleted_while_it_is_trained_ends_in_words_and_stays_away(run, tmp_path, settings) -> None:
    with pytest.raises(TrainingError, match="was deleted or moved.*start again"):
        trained(run, tmp_path, lambda: shutil.rmtree(run.path), **settings)
    assert not run.path.exists() and run_dir.list_runs(run.path.parent) == []


def test_a_trainer_never_writes_into_another_run_that_took_its_runs_place(run: RunDir, tmp_path: Path) -> None:
    def replace() -> None:
        shutil.rmtree(run.path)
        fabricate(run.path.parent, "fox", steps=3)
        before.update({path: path.read_bytes() for path in run.path.iterdir() if path.is_file()})

    before: dict[Path, bytes] = {}
    with pytest.raises(TrainingError, match="was deleted or moved"):
        trained(run, tmp_path, replace)
    assert {path: path.read_bytes() for path in run.path.iterdir() if path.is_file()} == before


def test_a_run_that_was_moved_away_and_back_goes_on(run: RunDir, tmp_path: Path) -> None:
    aside = run.path.with_name("aside")
    with pytest.raises(TrainingError):
        trained(run, tmp_path, lambda: run.path.rename(aside))
    aside.rename(run.path)
    assert run_dir.state(run) == "dead" and trainer.train(run)["steps"] == 40


@pytest.mark.parametrize("why", [errno.EROFS, errno.EACCES, errno.EIO], ids=["read-only", "not ours", "broken"])
def test_a_disk_that_refuses_while_a_run_is_trained_is_said_and_the_run_goes_on_later(run, tmp_path, why: int) -> None:
    source = write_text(tmp_path / "fox.txt")
    whole = run_dir.create(tmp_path / "runs", "whole")
    trainer.train(whole, request(source, **LONG))
    for n in (90, 117, 144):
        with (
            room_for(n, run.path, why),
            pytest.raises(LMError, match="writable again|may write|choose another") as said,
        ):
            trainer.train(run, request(source, **LONG))
        assert os.strerror(why) in str(said.value)
        trainer.train(run)
        assert metrics(run) == metrics(whole)
        shutil.rmtree(run.path)
        run_dir.create(run.path.parent, "fox")


def test_a_command_whose_run_is_deleted_ends_without_a_traceback(tmp_path: Path) -> None:
    """A real one, in a process of its own."""
    words = ["--data", str(write_text(tmp_path / "fox.txt")), "--runs-dir", str(tmp_path / "runs"), "--name", "fox"]
    small = [
        "--minutes",
        "1",
        "--n-layer",
        "1",
        "--n-embd",
        "16",
        "--n-head",
        "2",
        "--batch-size",
        "4",
        "--threads",
        "1",
    ]
    command = [sys.executable, "-m", "lm", "train", *words, *small]
    process = subprocess.Popen(command, cwd=Path(__file__).parent.parent, stderr=subprocess.PIPE, text=True)
    run = RunDir(tmp_path / "runs" / "fox")
    while not (run.metrics.exists() and run.metrics.stat().st_size > 1000):
        assert process.poll() is None
    shutil.rmtree(run.path.parent.rename(tmp_path / "away"))
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 2 and "Traceback" not in said and "was deleted or moved" in said
    assert not run.path.exists()


def test_a_run_that_died_on_a_read_only_disk_says_so(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Injected, for an administrator may write anywhere."""
    run_dir.write_status(run, run_dir.Status(state="running", heartbeat=1.0))
    monkeypatch.setattr(os, "access", lambda path, mode: not (Path(path) == run.path and mode == os.W_OK))
    assert "make it writable" in run_dir.last_words(run)
    assert "writable" not in probable_cause("fox", {}, None, 1 << 40)


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENOTDIR, errno.ESTALE])
def test_what_was_deleted_meanwhile_is_the_users_situation(code: int) -> None:
    assert "was deleted or moved" in str(refusal(OSError(code, os.strerror(code), "/runs/fox")))


# ---------------------------------------------------------------------------------------------- stop requests


YEAR = 365 * 86_400.0
LEAPS = pytest.mark.parametrize(
    "leap", [86_400.0, -86_400.0, YEAR, -YEAR, None], ids=["+day", "-day", "+year", "-year", "1970"]
)


def ask_to_stop(run: RunDir, leap: float | None) -> None:
    """A stop request whose date is wrong by so much, or is the first of January 1970."""
    run.stop.touch()
    at = 1.0 if leap is None else run.stop.stat().st_mtime + leap
    os.utime(run.stop, (at, at))


@LEAPS
def test_a_stop_request_that_its_trainer_did_not_live_to_answer_stops_no_other(run, tmp_path, leap) -> None:
    """Whatever its date, and whatever that of the process that goes on."""
    with pytest.raises(KeyError):
        trained(run, tmp_path, lambda: {}["a bug"])
    ask_to_stop(run, leap)
    assert trainer.train(run)["state"] == "finished" and not run.stop.exists()


@LEAPS
def test_a_run_that_is_asked_to_stop_while_its_trainer_begins_stops(run, tmp_path, leap) -> None:
    ask_to_stop(run, leap)
    assert trained(run, tmp_path, lambda: None)["state"] == "stopped"


def test_a_name_that_is_taken_over_brings_no_stop_request_along(run: RunDir) -> None:
    run.log.write_text("it died before it was prepared", encoding="utf-8")
    run.stop.touch()
    assert not run_dir.create(run.path.parent, "fox").stop.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is kept on Linux")
def test_a_page_that_may_have_too_little_memory_does_not_begin_and_says_so(tmp_path: Path) -> None:
    import resource

    process = subprocess.Popen(
        [sys.executable, "app.py", "--no-browser", "--runs-dir", str(tmp_path / "runs")],
        cwd=Path(__file__).parent.parent, stderr=subprocess.PIPE, text=True, env=os.environ | dict(OMP_NUM_THREADS="1"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, 1_500_000_000)),
    )  # fmt: skip
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 1 and "leaves this process 1.5 GB" in said and "raise the limit" in said
    assert "Traceback" not in said


def test_no_room_for_temporary_files_is_said_with_the_setting(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Injected, for a system has many folders for them."""

    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    monkeypatch.setattr(tempfile, "_get_default_tempdir", none)
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert main(["tokenize", "the fox"]) == 2 and "set TMPDIR" in capsys.readouterr().err
