"""What the page shows of runs, as values: each a function of the run directory and nothing else.

`Library` remembers how far each `metrics.jsonl` has been read, once for all browsers, so that a tick costs one `stat`
per run and the new lines only. A run that was resumed rewrites its file; its curve then starts again (`generation`).
`playground.markup` turns these values into HTML.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lm import run_dir
from lm.errors import RunError
from lm.run_dir import ACTIVE_STATES, RunDir, Status

# A new page gets at most this many training points; later ones arrive one by one. About 60 kB. assumed.
FIRST_POINTS = 3000
LOG_BYTES = 8192
RESUMABLE_STATES = ("stopped", "failed", "dead")


@dataclass
class Curve:
    """One run's metrics as far as they have been read. `train` and `evaluations` only grow within a generation."""

    run: RunDir
    generation: int = 0
    train: list[tuple[int, float]] = field(default_factory=list)
    evaluations: list[tuple[int, float, float]] = field(default_factory=list)  # step, nats, bits per byte
    last: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    _offset: int = 0
    _pid: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def refresh(self, pid: int) -> None:
        """Read what is new; begin again when the file shrank or another process writes it."""
        with self._lock:
            size = self.run.metrics.stat().st_size if self.run.metrics.exists() else 0
            if size < self._offset or (self._pid and pid != self._pid):
                self._restart()
            self._pid = pid
            if size > self._offset:
                self._extend()

    def _restart(self) -> None:
        self.generation += 1
        self.train, self.evaluations, self.last, self.best, self._offset = [], [], {}, {}, 0

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
            if record.get("val_loss") is not None:
                self.evaluations.append((step, record["val_loss"], record.get("val_bits_per_byte") or 0.0))
                if record["val_loss"] < self.best.get("val_loss", float("inf")):
                    self.best = record
            self.last = record


@dataclass(frozen=True)
class Row:
    """One run in the library."""

    name: str
    state: str
    status: Status
    best_step: int | None
    best_bits_per_byte: float | None

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE_STATES


class Library:
    """Every run below `runs_dir`, read incrementally."""

    def __init__(self, runs_dir: Path):
        self.runs_dir = Path(runs_dir)
        self._curves: dict[str, Curve] = {}

    def rows(self) -> list[Row]:
        """All runs, those being trained first, then the newest first."""
        rows = [self.row(run.name) for run in run_dir.list_runs(self.runs_dir)]
        return sorted(rows, key=lambda row: not row.is_active)

    def row(self, name: str) -> Row:
        run, curve = RunDir(self.runs_dir / name), self.curve(name)
        best = curve.best
        return Row(name, run_dir.state(run), run_dir.read_status(run), best.get("step"), best.get("val_bits_per_byte"))

    def curve(self, name: str) -> Curve:
        """The run's metrics up to now."""
        run = RunDir(self.runs_dir / name)
        curve = self._curves.setdefault(name, Curve(run))
        curve.refresh(run_dir.read_status(run).pid)
        return curve

    def has(self, name: str) -> bool:
        """Whether there is such a run; what is not a name (a way out of the directory) is none."""
        return bool(name) and name == run_dir.slug(name) and run_dir.is_run(self.runs_dir / name)

    def default(self) -> str:
        """The run a new page shows: one that is being trained, else the newest, else none."""
        rows = self.rows()
        return rows[0].name if rows else ""


def progress(status: Status) -> float | None:
    """The share of the run that is done, by its steps or by its clock; None when nothing bounds it yet."""
    if status.seconds_left is not None and status.elapsed_seconds + status.seconds_left > 0:
        return status.elapsed_seconds / (status.elapsed_seconds + status.seconds_left)
    return min(1.0, status.step / status.max_steps) if status.max_steps else None


def latest_sample(run: RunDir) -> dict[str, Any]:
    """The last line of `samples.jsonl`, or an empty dictionary."""
    try:
        records, _ = run_dir.read_records(run.samples)
    except RunError:
        return {}
    return records[-1] if records else {}


def log_tail(run: RunDir, lines: int = 40) -> str:
    """The end of `log.txt`; of a line that a progress bar redrew, only what stood there last."""
    try:
        with open(run.log, "rb") as file:
            file.seek(max(0, run.log.stat().st_size - LOG_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    shown = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    return "\n".join(shown[-lines:]).strip("\n")


def description(run: RunDir) -> dict[str, Any]:
    """What `config.json` says of the run: recipe, corpus, parameters, architecture; missing ones empty."""
    try:
        config = run_dir.read_json(run.config)
    except RunError:
        return {}
    model, data = config.get("model") or {}, config.get("data") or {}
    return dict(
        recipe=config.get("recipe") or "",
        corpus=(config.get("corpus") or {}).get("name") or "",
        parameters=config.get("parameters"),
        arch=model.get("arch", ""),
        tokenizer=data.get("tokenizer", ""),
        vocab_size=model.get("vocab_size"),
        block_size=model.get("block_size"),
    )


def thin(points: list[tuple[int, float]], most: int = FIRST_POINTS) -> list[tuple[int, float]]:
    """At most `most` points of the same curve: each the mean of as many neighbours, at the last one's step."""
    size = -(-len(points) // most)
    if size <= 1:
        return points
    groups = (points[i : i + size] for i in range(0, len(points), size))
    return [(group[-1][0], sum(loss for _, loss in group) / len(group)) for group in groups]
