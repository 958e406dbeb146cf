"""A disk that fills up, refuses or lies, and a clock that jumps: words with a cure, nothing half-written, nothing lost."""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from runs import metrics, request, weights, write_text

from lm import checkpoint, run_dir, tensors, trainer
from lm.__main__ import main
from lm.errors import LMError, RunError
from lm.run_dir import RunDir

BRIEF = dict(steps=6, eval_interval=2, checkpoint_interval=2, sample_tokens=4)


class Disk:
    """A disk below `root` that takes `room` more changes (a write, a sync, a new name) and is full from then on, or `why`."""

    def __init__(self, root: Path, room: float, why: int = errno.ENOSPC) -> None:
        self.root, self.room, self.changes, self.why = str(root), room, 0, why

    def change(self, path: Any) -> None:
        if not str(path).startswith(self.root):
            return
        self.changes += 1
        if self.changes > self.room:
            raise OSError(self.why, os.strerror(self.why), str(path))

    def guarded(self, work: Callable[..., Any], place: int) -> Callable[..., Any]:
        def guard(*words: Any, **named: Any) -> Any:
            self.change(words[place])
            return work(*words, **named)

        return guard

    def open(self, file: Any, mode: str = "r", *words: Any, **named: Any) -> Any:
        opened = _OPEN(file, mode, *words, **named)
        if set(mode) & set("wax+") and str(file).startswith(self.root):
            self.change(file)
            opened = _Guarded(opened, self, file)
        return opened


class _Guarded:
    """A file whose every write asks the disk first; a refused one leaves half of its bytes, as a full disk does."""

    def __init__(self, file: Any, disk: Disk, path: Any) -> None:
        self._file, self._disk, self._path = file, disk, path

    def write(self, data: Any) -> int:
        try:
            self._disk.change(self._path)
        except OSError:
            self._file.write(data[: len(data) // 2])
            raise
        return self._file.write(data)

    def __enter__(self) -> _Guarded:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


_OPEN = builtins.open


@contextmanager
def room_for(changes: float, root: Path, why: int = errno.ENOSPC) -> Iterator[Disk]:
    disk = Disk(root, changes, why)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "open", disk.open)
        patch.setattr(io, "open", disk.open)
        patch.setattr(os, "replace", disk.guarded(os.replace, 1))
        patch.setattr(os, "mkdir", disk.guarded(os.mkdir, 0))
        patch.setattr(tensors, "save_file", disk.guarded(tensors.save_file, 1))
        yield disk


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "fox.txt")


def attempt(run: RunDir, source: Path) -> None:
    trainer.train(run, None if run.config.exists() else request(source, **BRIEF))


def test_the_disk_may_fill_up_at_any_write(text: Path) -> None:
    """For changes all over a training: it ends in words, nothing half is visible, and with room again it is the same."""
    runs_dir = text.parent / "runs"
    whole = run_dir.create(runs_dir, "whole")
    with room_for(float("inf"), runs_dir) as disk:
        attempt(whole, text)
    assert disk.changes > 100
    for n in sorted({*range(0, 24, 2), *random.Random(0).sample(range(24, disk.changes), 12)}):
        run = run_dir.create(runs_dir, f"full-{n}")
        with (
            room_for(n, runs_dir),
            pytest.raises(LMError, match=r"disk is full|No space left.*free some space") as caught,
        ):
            attempt(run, text)
        assert "Free some space" in str(caught.value) or "free some space" in str(caught.value), n
        assert not [path for path in run.path.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".")]
        assert run_dir.state(run) in ("starting", "failed", "dead"), n
        for folder in (run.best, run.last):
            assert not checkpoint.damage(folder), n
        run_dir.read_metrics(run.path), run_dir.read_status(run)
        attempt(run, text)
        assert metrics(run) == metrics(whole) and weights(run) == weights(whole), n
        assert run.samples.read_bytes() == whole.samples.read_bytes()
        shutil.rmtree(run.path)


def test_a_read_only_runs_directory_is_refused_in_words(text: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Injected, for an administrator may write anywhere."""
    make = os.mkdir

    def read_only(path: Any, *words: Any, **named: Any) -> None:
        if "ro" in Path(path).parts:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        make(path, *words, **named)

    monkeypatch.setattr(os, "mkdir", read_only)
    arguments = ["--data", str(text), "--runs-dir", str(text.parent / "ro"), "--name", "x"]
    assert main(["train", *arguments]) == 2
    assert "cannot write to" in (said := capsys.readouterr().err) and "choose another --runs-dir" in said


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_real_read_only_folder_is_refused_in_words(text: Path) -> None:
    folder = text.parent / "ro"
    folder.mkdir(mode=0o555)
    with pytest.raises(RunError, match="choose another --runs-dir"):
        run_dir.create(folder, "x")


def test_a_run_on_a_read_only_disk_can_still_be_looked_at(fox: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(path: Any, flags: int, *words: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return _OS_OPEN(path, flags, *words, **named)

    monkeypatch.setattr(os, "open", read_only)
    assert run_dir.summary(fox)["state"] == "finished" and run_dir.state(fox) == "finished"
    assert checkpoint.load_model(fox.best)


_OS_OPEN = os.open


def test_a_clock_that_jumps_changes_nothing_that_is_learnt(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calm, jumpy = (run_dir.create(text.parent / "runs", name) for name in ("calm", "jumpy"))
    trainer.train(calm, request(text))
    dice, real = random.Random(0), time.time
    monkeypatch.setattr(time, "time", lambda: real() + dice.choice([-1e9, -3600.0, 0.0, 3600.0, 1e9]))
    result = trainer.train(jumpy, request(text))
    monkeypatch.undo()
    assert metrics(calm) == metrics(jumpy) and weights(calm) == weights(jumpy)
    seconds = [record["time_seconds"] for record in run_dir.read_metrics(jumpy.path)[0]]
    assert seconds == sorted(seconds) and 0 <= seconds[0] <= seconds[-1] <= result["elapsed_seconds"] < 60
    assert run_dir.state(jumpy) == "finished"


def test_a_clock_that_jumps_does_not_end_a_run_by_minutes(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, real = run_dir.create(text.parent / "runs", "minutes"), time.time
    jumps = iter([0.0] * 3 + [1e8] * 10**6)
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    assert 1.0 < trainer.train(run, request(text, steps=0, minutes=0.02))["elapsed_seconds"] < 10
    assert run_dir.state(run) == "finished"
