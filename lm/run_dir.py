"""The run directory: the one contract between the trainer and everyone who watches it.

One writer per file. A whole file is replaced atomically (`write_json`), a log grows by whole lines (`append_record`).
Readers never lock, never fail on a file that is being written, and know from the trainer's lock whether it still lives,
so a reload, a second tab, a restarted app or a `kill -9` loses nothing.

`best/`, `last/` and `resume/` are filled by `lm.checkpoint`; everything else in the directory is named here.
Schema 1; readers ignore unknown keys and default missing ones in `Status` and `summary`, nowhere else.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lm.errors import RunError

SCHEMA = 1
ACTIVE_STATES = ("starting", "running")
# A process that was just launched needs this long to import torch and take its lock. Measured: 3 s; more for slow disks.
START_GRACE_SECONDS = 30.0
# Two readers that probe the lock at the same instant can make it look held; the trainer tries again for this long.
LOCK_WAIT_SECONDS = 2.0
REPLACE_SECONDS = 5.0  # assumed: nobody reads a file for longer
RESERVED_NAMES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


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


# ---------------------------------------------------------------------------------------------- names and places


def slug(text: str) -> str:
    """A name that is safe on every file system, as close to `text` as can be: letters and digits, - _ ."""
    name = re.sub(r"[^\w.-]+", "-", text.strip(), flags=re.UNICODE).strip("-._")[:64].rstrip("-._")
    if not name:
        return "run"
    return f"run-{name}"[:64] if name.split(".")[0].lower() in RESERVED_NAMES else name


def check_name(name: str) -> str:
    """`name` itself if a run may be called so, else a `RunError` with one that it may be."""
    if name != slug(name):
        raise RunError(
            f"{name!r} cannot name a run: use letters, digits, '-', '_' and '.', at most 64 of them; "
            f"for example {slug(name)!r}"
        )
    return name


def create(runs_dir: Path, name: str) -> RunDir:
    """Make `runs_dir/name/`, or take over one that never got as far as its `config.json`: there is nothing to lose."""
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
    return run


def discard_unprepared(run: RunDir) -> None:
    """Remove what an attempt left that failed before its `config.json` and that no log explains."""
    if not run.config.exists() and not run.log.exists():
        shutil.rmtree(run.path, ignore_errors=True)


def free_name(runs_dir: Path, wanted: str) -> str:
    """`wanted` as a slug, with -2, -3, … appended while that run exists."""
    base, name, n = slug(wanted)[:58], slug(wanted), 1
    while (Path(runs_dir) / name).exists():
        n += 1
        name = f"{base}-{n}"
    return name


def find(runs_dir: Path, name_or_path: str | Path) -> RunDir:
    """The run called so in `runs_dir`, or the run directory at that path; `RunError` names what there is instead."""
    for path in (Path(name_or_path), Path(runs_dir) / name_or_path):
        if is_run(path):
            return RunDir(path)
    known = [run.name for run in list_runs(runs_dir)]
    there = f"there are {', '.join(known[:8])}" if known else "there are none yet; `lm train --data FILE` makes one"
    raise RunError(f"no run named {str(name_or_path)!r} in {runs_dir}: {there}")


def is_run(path: Path) -> bool:
    return any((path / name).is_file() for name in ("status.json", "metrics.jsonl", "log.txt"))


def list_runs(runs_dir: Path) -> list[RunDir]:
    """All runs below `runs_dir`, the newest first."""
    root = Path(runs_dir)
    if not root.is_dir():
        return []
    found = [RunDir(path) for path in root.iterdir() if path.is_dir() and is_run(path)]
    return sorted(found, key=lambda run: (_born(run), run.name), reverse=True)


# ---------------------------------------------------------------------------------------------- writing


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as JSON, whole or not at all. Not-a-number is refused: JSON has none."""
    write_whole(path, (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode("utf-8"))


def write_whole(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, whole or not at all, also when the machine dies or the disk is full."""
    with temporary_beside(path) as temporary:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace_file(temporary, path)


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A name in the folder of `path`, to be written and moved onto it; what is still there afterwards is removed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def replace_file(source: Path, target: Path) -> None:
    """`os.replace`, patient with Windows, where a file that somebody reads at this instant cannot be replaced."""
    deadline = time.monotonic() + REPLACE_SECONDS
    while True:
        try:
            return os.replace(source, target)
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Add one JSON object as one line, in a single write."""
    line = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
    with open(path, "ab", buffering=0) as file:
        file.write(line.encode("utf-8"))


def truncate_records(path: Path, last_step: int) -> None:
    """Drop every line after `last_step` and a torn last line, as a resumed run will write them again."""
    if not path.exists():
        return
    records, _ = read_records(path)
    kept = [record for record in records if record.get("step", 0) <= last_step]
    lines = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in kept)
    write_whole(path, "".join(lines).encode("utf-8"))


def write_status(run: RunDir, status: Status) -> None:
    write_json(run.status, asdict(status))


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
        yield
    finally:
        lock.release()


# ---------------------------------------------------------------------------------------------- reading


def read_json(path: Path) -> Any:
    """The value of a JSON file; `RunError` when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); restore it from a copy, or delete the run") from None


def read_records(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The whole lines after byte `offset` and the offset of the next.

    An unfinished last line waits for more; a missing file has no lines yet; a corrupt one in the middle is a `RunError`.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            chunk = file.read()
    except FileNotFoundError:
        return [], offset
    end = chunk.rfind(b"\n") + 1
    records = []
    for line in chunk[:end].splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise RunError(f"{path} has a damaged line: {line[:80]!r}; delete that line to read the rest")
        records.append(record)
    return records, offset + end


def read_metrics(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """`read_records` of a `metrics.jsonl`, or of the run directory that holds it."""
    return read_records(path / "metrics.jsonl" if path.is_dir() else path, offset)


def read_status(run: RunDir) -> Status:
    """`status.json` as it was last written; all defaults when there is none."""
    try:
        values = json.loads(run.status.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Status()
    return Status(**{f.name: values[f.name] for f in fields(Status) if f.name in values})


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


def summary(run: RunDir) -> dict[str, Any]:
    """What a list of runs shows of one: names and numbers only, missing ones as None. Never raises for a broken run."""
    said, config = read_status(run), _read_config_or_empty(run)
    best = best_record(run)
    corpus = config.get("corpus", {})
    return dict(
        name=run.name,
        run_dir=str(run.path),
        state=state(run),
        step=said.step,
        max_steps=said.max_steps,
        elapsed_seconds=said.elapsed_seconds,
        seconds_left=said.seconds_left,
        error=said.error,
        recipe=config.get("recipe"),
        corpus=corpus.get("name"),
        parameters=config.get("parameters"),
        created=_born(run),
        best_step=best.get("step"),
        best_val_loss=best.get("val_loss"),
        best_val_bits_per_byte=best.get("val_bits_per_byte"),
    )


def best_record(run: RunDir) -> dict[str, Any]:
    """The evaluation line with the lowest validation loss, or an empty dictionary; untrained weights do not count."""
    try:
        records, _ = read_records(run.metrics)
    except RunError:
        return {}
    measured = [r for r in records if r.get("step") and isinstance(r.get("val_loss"), float)]
    evaluations = [r for r in measured if math.isfinite(r["val_loss"])]
    return min(evaluations, key=lambda r: r["val_loss"], default={})


def _read_config_or_empty(run: RunDir) -> dict[str, Any]:
    try:
        config = read_json(run.config)
    except RunError:
        return {}
    return config if isinstance(config, dict) else {}


def _born(run: RunDir) -> float:
    """When the run was made, in seconds since the epoch: the age of its oldest file."""
    try:
        return min((entry.stat().st_mtime for entry in run.path.iterdir() if entry.is_file()), default=0.0)
    except OSError:
        return 0.0
