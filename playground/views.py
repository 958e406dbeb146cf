"""What the page shows of runs, as values: each a function of the run directory and nothing else.

`Library` remembers how far each `metrics.jsonl` has been read, once for all browsers, so that a tick costs one `stat`
per run and the new lines only. A run that was resumed rewrites its file; its curve then starts again (`generation`).
`playground.markup` turns these values into HTML.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import stat
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from lm import library, run_dir
from lm.errors import RunError
from lm.names import slug
from lm.records import fault_of_sample
from lm.run_dir import ACTIVE_STATES, RunDir, Status

# A new page gets at most this many training points, evaluations and samples; later ones arrive one by one. Measured:
# 90 kB for a run of 20,000 steps. The chart is 800 points wide. assumed.
FIRST_POINTS, FIRST_EVALUATIONS, FIRST_SAMPLES = 1600, 400, 200
LOG_BYTES = 8192
SAMPLE_BYTES = 1 << 16  # the end of samples.jsonl in which its last line is looked for. assumed: 10,000 tokens
RESUMABLE_STATES = ("stopped", "failed", "dead")


class Meter(NamedTuple):
    """What else was measured at a training step; None where the trainer did not say."""

    seconds: float | None
    lr: float | None
    grad_norm: float | None
    tokens_per_second: float | None


@dataclass
class Curve:
    """One run's metrics as far as they have been read. Its lists only grow within a generation."""

    run: RunDir
    generation: int = 0
    train: list[tuple[int, float]] = field(default_factory=list)  # step, nats
    meters: list[Meter] = field(default_factory=list)  # of the same steps
    evaluations: list[tuple[int, float, float]] = field(default_factory=list)  # step, nats, bits per byte
    measured: list[dict[str, Any]] = field(default_factory=list)  # the whole lines of the evaluations
    last: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    _offset: int = 0
    _writer: tuple[int, int] | None = None  # process, inode of the file
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def refresh(self, pid: int) -> None:
        """Read what is new; begin again when the file shrank, was replaced, or another process writes it."""
        with self._lock:
            size, file = _size_and_inode(self.run.metrics)
            if size < self._offset or (self._writer and (pid, file) != self._writer):
                self._restart()
            self._writer = (pid, file) if size else None
            if size > self._offset:
                self._extend()

    def _restart(self) -> None:
        self.generation += 1
        self.train, self.meters, self.evaluations, self.measured = [], [], [], []
        self.last, self.best, self._offset = {}, {}, 0

    def _extend(self) -> None:
        try:
            records, self._offset = run_dir.read_metrics(self.run.metrics, self._offset)
            self.fault = ""
        except RunError as error:
            records, self.fault = [], str(error)
        for record in records:
            step = record.get("step", 0)
            if record.get("loss") is not None:
                self.train.append((step, record["loss"]))
                named = (record.get(name) for name in ("time_seconds", "lr", "grad_norm", "tokens_per_second"))
                self.meters.append(Meter(*named))
            if record.get("val_loss") is not None:
                self.measured.append(record)
                self.evaluations.append((step, record["val_loss"], record.get("val_bits_per_byte") or 0.0))
                if record["val_loss"] < self.best.get("val_loss", float("inf")):
                    self.best = record
            self.last = record


@dataclass
class Samples:
    """What one run wrote, as far as it has been read: the same prompt and seed each time, in the order of the steps."""

    run: RunDir
    generation: int = 0
    written: list[dict[str, Any]] = field(default_factory=list)  # step, prompt, text
    _offset: int = 0
    _writer: tuple[int, int] | None = None  # process, inode of the file
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def refresh(self, pid: int) -> None:
        """Read what is new; begin again when the file shrank, was replaced, or another process writes it."""
        with self._lock:
            size, file = _size_and_inode(self.run.samples)
            if size < self._offset or (self._writer and (pid, file) != self._writer):
                self.generation, self.written, self._offset = self.generation + 1, [], 0
            self._writer = (pid, file) if size else None
            if size > self._offset:
                with contextlib.suppress(RunError):  # a damaged line: what stands before it was shown
                    records, self._offset = run_dir.read_samples(self.run.samples, self._offset)
                    self.written += records


@dataclass(frozen=True)
class Row:
    """One run in the library."""

    name: str
    state: str
    status: Status
    best_step: int | None
    best_bits_per_byte: float | None
    losses: tuple[float, ...] = ()  # validation, nats, in the order of the evaluations
    is_pinned: bool = False

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES


class Library:
    """Every run below `runs_dir`, or `only` that one, read incrementally."""

    def __init__(self, runs_dir: Path, only: str = ""):
        self.runs_dir, self.only = Path(runs_dir), only
        self._curves: dict[str, Curve] = {}
        self._samples: dict[str, Samples] = {}

    def runs(self) -> list[RunDir]:
        """What `rows` is about, the newest first."""
        return [run for run in run_dir.list_runs(self.runs_dir) if self.only in ("", run.name)]

    def rows(self) -> list[Row]:
        """All runs: those being trained, then the pinned ones, then the others, the newest first."""
        pinned, runs = library.pins(self.runs_dir), self.runs()
        self._keep({run.name for run in runs})
        rows = [replace(self.row(run.name), is_pinned=run.name in pinned) for run in runs]
        return sorted(
            rows, key=lambda row: (not row.is_active, pinned.index(row.name) if row.is_pinned else len(pinned))
        )

    def _keep(self, names: set[str]) -> None:
        """Forget what was read of runs that are gone."""
        for read in (self._curves, self._samples):
            for name in set(read) - names:
                read.pop(name, None)  # another thread may have been faster

    def row(self, name: str) -> Row:
        run, curve = RunDir(self.runs_dir / name), self.curve(name)
        best = curve.best
        losses = tuple(loss for _, loss, _ in curve.evaluations)
        status = run_dir.read_status(run)
        return Row(name, run_dir.state(run), status, best.get("step"), best.get("val_bits_per_byte"), losses)

    def curve(self, name: str) -> Curve:
        """The run's metrics up to now."""
        run = RunDir(self.runs_dir / name)
        curve = self._curves.setdefault(name, Curve(run))
        curve.refresh(run_dir.read_status(run).pid)
        return curve

    def samples(self, name: str) -> Samples:
        """What the run wrote up to now."""
        run = RunDir(self.runs_dir / name)
        samples = self._samples.setdefault(name, Samples(run))
        samples.refresh(run_dir.read_status(run).pid)
        return samples

    def has(self, name: str) -> bool:
        """Whether there is such a run; what is not a name (a way out of the directory) is none."""
        is_name = bool(name) and name == slug(name) and self.only in ("", name)
        return is_name and run_dir.is_run(self.runs_dir / name)

    def default(self) -> str:
        """The run a new page shows: one that is being trained, else the newest, else none."""
        active = (row.name for row in self.rows() if row.is_active)
        newest = (run.name for run in self.runs())
        return next(itertools.chain(active, newest), "")


def progress(status: Status) -> float | None:
    """The share of the run that is done, by its steps or by its clock; None when nothing bounds it yet."""
    if status.seconds_left is not None and status.elapsed_seconds + status.seconds_left > 0:
        return status.elapsed_seconds / (status.elapsed_seconds + status.seconds_left)
    return min(1.0, status.step / status.max_steps) if status.max_steps else None


def latest_sample(run: RunDir) -> dict[str, Any]:
    """The last line of `samples.jsonl`, or an empty dictionary."""
    lines = [line for line in _end_of(run.samples, SAMPLE_BYTES).split("\n")[:-1] if line]
    with contextlib.suppress(ValueError, IndexError, RecursionError):
        sample = json.loads(lines[-1])
        return sample if isinstance(sample, dict) and not fault_of_sample(sample) else {}
    return {}


def log_tail(run: RunDir, lines: int = 40) -> str:
    """The end of `log.txt`; of a line that a progress bar redrew, only what stood there last."""
    shown = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in _end_of(run.log, LOG_BYTES).split("\n")]
    return "\n".join(shown[-lines:]).strip("\n")


def _size_and_inode(path: Path) -> tuple[int, int]:
    """Bytes, and which file it is: a rollback replaces it by a shorter one, which may be longer by the next look."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_ino


def _end_of(path: Path, n_bytes: int) -> str:
    """The last `n_bytes` of a file; nothing where there is none, or something else: to open a pipe is to wait."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return ""
        with open(path, "rb") as file:
            file.seek(max(0, found.st_size - n_bytes))
            return file.read(n_bytes).decode("utf-8", errors="replace")
    except OSError:
        return ""


def description(run: RunDir) -> dict[str, Any]:
    """What `config.json` says of the run: recipe, corpus, parameters, architecture; missing ones empty."""
    config = run_dir.shown_settings(run)
    model, data, tokens = (config.get(name, {}) for name in ("model", "data", "tokens"))
    return dict(
        recipe=config["recipe"],
        corpus=config.get("corpus", {}).get("name") or "",
        parameters=config["parameters"],
        arch=model.get("arch", ""),
        tokenizer=data.get("tokenizer", ""),
        vocab_size=_count(model.get("vocab_size")),
        train_tokens=_count(tokens.get("train")),
        block_size=_count(model.get("block_size")),
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def thin(points: Sequence[tuple[float, ...]], most: int = FIRST_POINTS) -> list[tuple[float, ...]]:
    """At most `most` points of the same curve: each the mean of as many neighbours, at the last one's step.

    A column that misses a value among them has the last one's.
    """
    size = -(-len(points) // most)
    if size <= 1:
        return list(points)
    groups = (points[i : i + size] for i in range(0, len(points), size))
    return [(group[-1][0], *map(_mean, itertools.islice(zip(*group), 1, None))) for group in groups]


def _mean(column: tuple[float | None, ...]) -> float | None:
    return column[-1] if None in column else sum(column) / len(column)


def spread(n: int, most: int, keep: int = 0) -> list[int]:
    """At most `most` of the numbers from 0 to n - 1, evenly spaced: the first, the last and `keep` among them."""
    if n <= most:
        return list(range(n))
    return sorted({i * (n - 1) // (most - 2) for i in range(most - 1)} | {keep})
