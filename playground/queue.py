"""The line before a machine that trains for many: so many trainings at once, the rest wait, each visitor in turn.

A run that waits is a run directory whose `status.json` says `waiting`; who waits with what stands in one file, so an app
that is started again goes on where it was, and trainings that went on without it still count. Whose turn is next: the
visitor with the fewest trainings under way, among those the one who was served longest ago; within a visitor, what was
asked for first. So nobody waits longer because somebody else asked for ten.
"""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lm import launch, run_dir
from lm.errors import LMError, RunError
from lm.run_dir import ACTIVE_STATES, START_GRACE_SECONDS, WAITING, RunDir

RESUME = ("resume",)
# One thread a training, one training for every two processors: half of the machine stays for the pages. A second thread
# gains a small model little (the quick start's step on two idle cores: 50 ms with one, 42 with two), and beside fifty
# visitors the two waited for one another: 48 to 54 % of the lone speed was left.
SHARED = ("--threads", "1")
LOOK_SECONDS = 1.0
# What a training takes besides its minutes: the imports, the tokens, the last evaluation. assumed.
OVERHEAD_SECONDS = 15.0
REMEMBERED = 500  # visitors whose last turn is known. assumed
# A trainer that was asked to stop and has not after this long is ended. assumed.
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Entry:
    """One training that waits or is under way; `started` is 0 while it waits, times are seconds since the epoch."""

    visitor: str
    run: str
    argv: tuple[str, ...]
    minutes: float
    since: float
    command: tuple[str, ...] = ("train",)  # "resume" alone goes on with a run
    started: float = 0.0

    @property
    def directory(self) -> RunDir:
        return RunDir(Path(self.run))

    @property
    def seconds(self) -> float:
        """How long it takes at most."""
        return 60 * self.minutes + OVERHEAD_SECONDS


@dataclass(frozen=True)
class Place:
    """Where a run stands in the line, 1 is next, and after how many seconds it begins at the latest."""

    position: int
    seconds: float


class TrainingQueue:
    """The line that `path` remembers, before `slots` places to train. Any thread may call it."""

    def __init__(self, path: Path, slots: int) -> None:
        self.path, self.slots = Path(path), slots
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._served: dict[str, float] = {}
        self._entries: list[Entry] = []
        self._read()

    # ------------------------------------------------------------------------------------------ for visitors

    def add(
        self, visitor: str, run: RunDir, argv: Sequence[str], minutes: float, command: Sequence[str] = ("train",)
    ) -> None:
        """Let `run` wait for its turn; `RunError` when it already does. It may begin at once.

        `command` is as in `lm.launch.start`, or `RESUME`.
        """
        with self._lock:
            if self._find(run):
                raise RunError(f"run {run.name!r} is in the queue already; it begins by itself")
            run_dir.write_status(run, replace(run_dir.read_status(run), state=WAITING, error="", error_kind=""))
            entry = Entry(visitor, str(run.path.resolve()), tuple(argv), minutes, time.time(), tuple(command))
            self._entries.append(entry)
            self._write()
        self.step()

    def leave(self, run: RunDir) -> bool:
        """Take a waiting run out of the line; False if it does not wait there."""
        with self._lock:
            entry = self._find(run)
            if entry is None or entry.started:
                return False
            self._entries.remove(entry)
            self._write()
            run_dir.write_status(run, replace(run_dir.read_status(run), state="stopped"))
            return True

    def place(self, run: RunDir) -> Place | None:
        """Where it stands; None if it does not wait."""
        with self._lock:
            entry, line = self._find(run), self._line()
            if entry not in line:
                return None
            free = self._free_at()
            for ahead in line[: line.index(entry)]:
                heapq.heappush(free, heapq.heappop(free) + ahead.seconds)
            return Place(line.index(entry) + 1, free[0])

    def n_running(self) -> int:
        """How many train now, whose ever they are."""
        with self._lock:
            return len(self._running())

    def is_busy(self, visitor: str) -> bool:
        """Whether something of this visitor trains or waits."""
        with self._lock:
            return any(entry.visitor == visitor for entry in self._entries)

    # ------------------------------------------------------------------------------------------ its own work

    def step(self) -> None:
        """Let go of what has ended, stop what takes too long, begin what can begin."""
        with self._lock:
            over = [entry for entry in self._entries if _is_over(entry)]
            for entry in over:
                self._entries.remove(entry)
                _say_if_never_begun(entry)
            for entry in self._running():
                _end_if_too_long(entry)
            line = self._line()[: max(0, self.slots - len(self._running()))]
            for entry in line:
                self._begin(entry)
            if over or line:
                self._write()

    def keep_going(self) -> None:
        """`step` again and again, in a thread of its own, until `close`."""
        while not self._closed.wait(LOOK_SECONDS):
            with suppress(LMError, OSError):  # a disk that was full may have room the next time
                self.step()

    def close(self) -> None:
        self._closed.set()

    def _begin(self, entry: Entry) -> None:
        """Start it. That it was started is on disk before it is: an app that dies in between starts nothing twice."""
        self._entries[self._entries.index(entry)] = replace(entry, started=time.time())
        self._served[entry.visitor] = time.time()
        self._write()
        run = entry.directory
        try:
            if entry.command == RESUME:
                launch.resume(run, entry.argv)
            else:
                launch.start(run.path.parent, run.name, (*entry.argv, *SHARED), entry.command)
        except (LMError, OSError) as error:
            said = replace(run_dir.read_status(run), state="failed", error=str(error), heartbeat=time.time())
            run_dir.write_status(run, said)

    def _line(self) -> list[Entry]:
        """Those that wait, the next one first."""
        waiting = sorted((entry for entry in self._entries if not entry.started), key=lambda entry: entry.since)
        turns, served, line = Counter(entry.visitor for entry in self._running()), dict(self._served), []
        while waiting:
            entry = min(waiting, key=lambda one: (turns[one.visitor], served.get(one.visitor, 0.0), one.since))
            waiting.remove(entry)
            line.append(entry)
            turns[entry.visitor] += 1
            served[entry.visitor] = time.time() + len(line)
        return line

    def _running(self) -> list[Entry]:
        return [entry for entry in self._entries if entry.started]

    def _free_at(self) -> list[float]:
        """Seconds until each place to train is free, as a heap."""
        left = sorted((_seconds_left(entry) for entry in self._running()), reverse=True)[: self.slots]
        return sorted([*left, *[0.0] * (self.slots - len(left))])

    def _find(self, run: RunDir) -> Entry | None:
        path = str(run.path.resolve())
        return next((entry for entry in self._entries if entry.run == path), None)

    def _read(self) -> None:
        if not self.path.exists():
            return
        record = run_dir.read_json(self.path)
        self._served = record["served"]
        self._entries = [
            Entry(**one | dict(argv=tuple(one["argv"]), command=tuple(one["command"]))) for one in record["entries"]
        ]
        self._entries = [entry for entry in self._entries if run_dir.is_run(entry.directory.path)]

    def _write(self) -> None:
        latest = sorted(self._served, key=self._served.__getitem__)[-REMEMBERED:]
        self._served = {visitor: self._served[visitor] for visitor in latest}
        record: dict[str, Any] = dict(served=self._served, entries=[asdict(entry) for entry in self._entries])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        run_dir.write_json(self.path, record)


def slots_here() -> int:
    """Trainings that run well side by side on this machine: one for every two processors."""
    return max(1, (os.cpu_count() or 1) // 2)


def _is_over(entry: Entry) -> bool:
    """Whether a training that was begun has ended, or never got to its first word, or its run is gone."""
    run = entry.directory
    if not entry.started or run_dir.state(run) in ACTIVE_STATES:
        return not run_dir.is_run(run.path)
    has_spoken = run_dir.read_status(run).heartbeat >= entry.started
    return has_spoken or not 0 <= time.time() - entry.started < START_GRACE_SECONDS


def _say_if_never_begun(entry: Entry) -> None:
    run = entry.directory
    said = run_dir.read_status(run)
    if said.state == WAITING and run_dir.is_run(run.path):
        words = "its process ended before it could begin; what it said stands in the log"
        run_dir.write_status(run, replace(said, state="failed", error=words))


def _end_if_too_long(entry: Entry) -> None:
    over = time.time() - entry.started - entry.seconds
    if over > PATIENCE_SECONDS:
        launch.kill(entry.directory)
    elif over > 0 and not entry.directory.stop.exists():
        launch.stop(entry.directory)


def _seconds_left(entry: Entry) -> float:
    """Of a training under way, by its own words, and never more than its limit leaves."""
    left = max(0.0, entry.started + entry.seconds - time.time())
    said = run_dir.read_status(entry.directory).seconds_left
    return left if said is None else min(left, said)
