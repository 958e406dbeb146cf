"""The run directory: the one contract between the trainer and everyone who watches it.

One writer per file. A whole file is replaced atomically (`write_json`), a log grows by whole lines (`append_record`).
Readers never lock, never fail on a file that is being written, and know from the trainer's lock whether it still lives,
so a reload, a second tab, a restarted app or a `kill -9` loses nothing.

`best/`, `last/` and `resume/` are filled by `lm.checkpoint`, `embeddings/` by `lm.stages`; everything else in the
directory is named here.
Schema 1; readers ignore unknown keys and default missing ones in `Status` and `summary`, nowhere else.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lm import records
from lm.death import probable_cause
from lm.errors import RunError, TrainingError
from lm.files import (  # noqa: F401 - part of the contract: how its files are written and read
    append_record,
    explaining_damage,
    read_json,
    read_records,
    replace_file,
    temporary_beside,
    truncate_records,
    write_json,
    write_whole,
)
from lm.names import check_name

SCHEMA = 1
ACTIVE_STATES = ("starting", "running")
WAITING = "waiting"  # for its turn, on a machine that many train on: `playground.queue`
STATES = (WAITING, *ACTIVE_STATES, "finished", "stopped", "failed")
# A process that was just launched needs this long to import torch and take its lock. Measured: 3 s; more for slow disks.
START_GRACE_SECONDS = 30.0
# Two readers that probe the lock at the same instant can make it look held; the trainer tries again for this long.
LOCK_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class RunDir:
    """The paths inside `runs/<name>/`. Making one touches nothing on disk."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def tokenizer(self) -> Path:
        return self.path / "tokenizer.json"

    @property
    def train_tokens(self) -> Path:
        return self.path / "train.bin"

    @property
    def val_tokens(self) -> Path:
        return self.path / "val.bin"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def status(self) -> Path:
        return self.path / "status.json"

    @property
    def initial(self) -> Path:
        return self.path / "initial"

    @property
    def best(self) -> Path:
        return self.path / "best"

    @property
    def last(self) -> Path:
        return self.path / "last"

    @property
    def embeddings(self) -> Path:
        return self.path / "embeddings"

    @property
    def resume(self) -> Path:
        return self.path / "resume"

    @property
    def stop(self) -> Path:
        return self.path / "stop"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def lock(self) -> Path:
        return self.path / "lock"


@dataclass(frozen=True)
class Status:
    """`status.json`. `max_steps` is 0 when only the clock ends the run; `heartbeat` is in seconds since the epoch."""

    state: str = "starting"
    step: int = 0
    max_steps: int = 0
    elapsed_seconds: float = 0.0
    seconds_left: float | None = None
    pid: int = 0
    heartbeat: float = 0.0
    error: str = ""
    error_kind: str = ""
    free_bytes: int | None = None  # of memory, at that heartbeat


# ---------------------------------------------------------------------------------------------- places


def create(runs_dir: Path, name: str, is_reserved: bool = False) -> RunDir:
    """Make `runs_dir/name/`, or take over one that never got as far as its `config.json`: there is nothing to lose.

    With `is_reserved` whoever launched this process has made it already; who asks it to stop since then is heard.
    """
    run = RunDir(Path(runs_dir) / check_name(name))
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise RunError(f"{run.path} is a file, not a directory; choose another name or move the file away") from None
    except OSError as error:
        raise RunError(f"cannot write to {run.path}: {error.strerror}; choose another --runs-dir") from None
    is_prepared = run.config.exists() or (any(run.path.iterdir()) and not is_run(run.path))
    if is_prepared or is_owned(run):
        raise RunError(
            f"a run named {name!r} already exists in {runs_dir}; choose another --name, "
            f"or go on with `lm resume {name}`"
        )
    if not is_reserved:
        run.stop.unlink(missing_ok=True)  # asked of an attempt before this one
    return run


def discard_unprepared(run: RunDir) -> None:
    """Remove what an attempt left that failed before its `config.json` and that no log explains.

    Not if it lives: of two that began at the same moment, the one that was refused must not take the other's away.
    """
    if not run.config.exists() and not run.log.exists() and not is_owned(run):
        shutil.rmtree(run.path, ignore_errors=True)


def find(runs_dir: Path, name_or_path: str | Path) -> RunDir:
    """The run called so in `runs_dir`, or the run directory at that path; `RunError` names what there is instead."""
    for path in (Path(name_or_path), Path(runs_dir) / name_or_path):
        if is_run(path):
            return RunDir(path)
    known = [run.name for run in list_runs(runs_dir)]
    there = f"there are {', '.join(known[:8])}" if known else "there are none yet; `lm train --data FILE` makes one"
    raise RunError(f"no run named {str(name_or_path)!r} in {runs_dir}: {there}")


def is_run(path: Path) -> bool:
    return any(os.path.isfile(path / name) for name in ("status.json", "metrics.jsonl", "log.txt"))


def list_runs(runs_dir: Path) -> list[RunDir]:
    """All runs below `runs_dir`, the newest first."""
    root = Path(runs_dir)
    if not os.path.isdir(root):
        return []
    try:
        found = [RunDir(path) for path in root.iterdir() if is_run(path)]
    except OSError as error:
        raise RunError(f"cannot read {root}: {error.strerror}; choose another --runs-dir") from None
    return sorted(found, key=lambda run: (_born(run), run.name), reverse=True)


# ---------------------------------------------------------------------------------------------- writing


def write_status(run: RunDir, status: Status) -> None:
    write_json(run.status, asdict(status))


def identity(run: RunDir) -> tuple[int, int]:
    """Which folder it is, under whatever name: another one in its place, made after it was deleted, is another."""
    found = os.stat(run.path)
    return found.st_dev, found.st_ino


def gone(run: RunDir) -> TrainingError:
    """What to say when the folder of a run that is being trained is not there any more, or is another one."""
    return TrainingError(
        f"the folder {run.path} was deleted or moved while it was being trained, so nothing more can be saved; move it "
        "back and go on with `lm resume`, or start again"
    )


def request_stop(run: RunDir) -> None:
    """Ask the trainer to finish its step, save and end as `stopped`."""
    run.stop.touch()


@contextmanager
def owned(run: RunDir) -> Iterator[None]:
    """Hold the run's lock: the proof of life for readers, and what keeps a second trainer out."""
    lock = FileLock(run.lock)
    try:
        lock.acquire(timeout=LOCK_WAIT_SECONDS)
    except Timeout:
        raise RunError(
            f"run {run.name!r} is being trained by another process (pid {read_status(run).pid}); "
            f"stop it first with `lm stop {run.name}`"
        ) from None
    except OSError as error:
        raise RunError(f"cannot write to {run.path}: {error.strerror}; choose another --runs-dir") from None
    try:
        _sweep(run)
        yield
    finally:
        lock.release()


def _sweep(run: RunDir) -> None:
    """Remove what a killed trainer was about to write: its owner alone writes here, and nobody reads these names."""
    for folder in (run.path, run.initial, run.best, run.last, run.embeddings, run.resume):
        for pattern in (".*.tmp", ".tmp*"):  # ours, and those that safetensors makes
            for leftover in folder.glob(pattern):
                with suppress(OSError):
                    leftover.unlink()


# ---------------------------------------------------------------------------------------------- reading


def read_metrics(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """`read_records` of a `metrics.jsonl`, or of the run directory that holds it; its numbers are numbers."""
    return _checked(path / "metrics.jsonl" if path.is_dir() else path, offset, records.fault_of_metrics)


def read_samples(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """`read_records` of a `samples.jsonl`; its texts are texts."""
    return _checked(path, offset, records.fault_of_sample)


def _checked(path: Path, offset: int, fault_of: Callable[[Mapping[str, Any]], str]) -> tuple[list[dict[str, Any]], int]:
    found, end = read_records(path, offset)
    if fault := next(filter(None, map(fault_of, found)), ""):
        raise RunError(f"{path} has a damaged line, with {fault}; delete that line to read the rest")
    return found, end


def shown_settings(run: RunDir) -> dict[str, Any]:
    """What `config.json` says, for those who only show it: see `lm.records`; empty where it is missing or damaged."""
    return records.shown_settings(_read_object(run.config))


def read_status(run: RunDir) -> Status:
    """`status.json` as it was last written; all defaults when there is none."""
    values, default = _read_object(run.status), Status()
    known = {name: values[name] for name in vars(default) if name in values}
    if known.get("state") not in STATES:
        known.pop("state", None)
    return Status(**{name: v for name, v in known.items() if records.is_like(v, getattr(default, name))})


def is_owned(run: RunDir) -> bool:
    """Whether a living process trains this run: it holds the lock until its last breath, however it dies."""
    if not run.lock.exists():
        return False
    try:
        with FileLock(run.lock).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a read-only copy of a run: nobody can be training it
        return False


def state(run: RunDir) -> str:
    """starting, running, finished, stopped, failed, or *dead*: it says that it runs but its process is gone."""
    said = read_status(run)
    if said.state not in ACTIVE_STATES or is_owned(run):
        return said.state
    said = read_status(run)  # it may have ended between the two looks
    if said.state not in ACTIVE_STATES:
        return said.state
    is_fresh = said.heartbeat == 0 and abs(time.time() - _born(run)) < START_GRACE_SECONDS
    return "starting" if is_fresh else "dead"


def last_words(run: RunDir) -> str:
    """Why a run ended too early: in its own words, or what can be told of one that died without any."""
    said, config = read_status(run), _read_object(run.config)
    if state(run) != "dead":
        return said.error
    can_write = os.access(run.path, os.W_OK)
    return probable_cause(run.name, config, said.free_bytes, _free_bytes(run.path), can_write)


def _free_bytes(folder: Path) -> int:
    """What is free on its disk; of one that is gone by now, nothing is known to be short."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return sys.maxsize


def summary(run: RunDir) -> dict[str, Any]:
    """What a list of runs shows of one: names and numbers only, missing ones as None. Never raises for a broken run."""
    said, config, best = read_status(run), _read_object(run.config), best_record(run)
    corpus = _of_kind(config.get("corpus"), dict) or {}
    return dict(
        name=run.name,
        run_dir=str(run.path),
        state=state(run),
        step=said.step,
        max_steps=said.max_steps,
        elapsed_seconds=said.elapsed_seconds,
        seconds_left=said.seconds_left,
        error=last_words(run),
        recipe=_of_kind(config.get("recipe"), str),
        corpus=_of_kind(corpus.get("name"), str),
        parameters=_of_kind(config.get("parameters"), int),
        created=_born(run),
        best_step=best.get("step"),
        best_val_loss=best.get("val_loss"),
        best_val_bits_per_byte=_of_kind(best.get("val_bits_per_byte"), float),
    )


def best_record(run: RunDir) -> dict[str, Any]:
    """The evaluation line with the lowest validation loss, or an empty dictionary; untrained weights do not count."""
    try:
        found, _ = read_records(run.metrics)
    except RunError:
        return {}
    measured = [r for r in found if records.is_count(r.get("step") or None) and isinstance(r.get("val_loss"), float)]
    evaluations = [r for r in measured if math.isfinite(r["val_loss"])]
    return min(evaluations, key=lambda r: r["val_loss"], default={})


def _read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; an empty one where it is missing or damaged."""
    try:
        value = read_json(path)
    except RunError:
        return {}
    return value if isinstance(value, dict) else {}


def _of_kind(value: Any, kind: type) -> Any:
    """`value`, or None if it is of another kind than its readers expect."""
    return value if type(value) is kind else None


def _born(run: RunDir) -> float:
    """When the run was made, in seconds since the epoch: the age of its oldest file."""
    try:
        with os.scandir(run.path) as entries:
            return min((entry.stat().st_mtime for entry in entries if entry.is_file()), default=0.0)
    except OSError:
        return 0.0
