"""The line before a machine that trains for many: so many trainings at once, the rest wait, each visitor in turn.

A run that waits is a run directory whose `status.json` says `waiting`; who waits with what stands in one file, so an app
that is started again goes on where it was, and trainings that went on without it still count. Whose turn is next: the
visitor with the fewest trainings under way, among those the one who has waited longest, which counts from when they
asked or, if that is later, from the end of their last training. So nobody waits longer because somebody else asked for
ten, and neither to be new nor to leave the line and enter it again gains a place.

The clock may be set while somebody waits or trains. Times that are written down only order the line, and each is later
than those before it; how long a training takes is counted by a clock that nobody sets, and after a restart of the app by
what was written down, within the training's limit.
"""

from __future__ import annotations

import heapq
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lm import launch, run_dir
from lm.errors import LMError, RunError
from lm.processors import processors
from lm.run_dir import ACTIVE_STATES, START_GRACE_SECONDS, WAITING, RunDir, Status

RESUME = ("resume",)
# One thread a training, one training for every two processors: half of the machine stays for the pages. A second thread
# gains a small model little (the quick start's step on two idle cores: 50 ms with one, 42 with two), and beside fifty
# visitors the two waited for one another: 48 to 54 % of the lone speed was left.
SHARED = ("--threads", "1")
NICENESS = 10  # of 19: a page is waited for by a person, a step of a training by nobody
LOOK_SECONDS = 1.0
# What a training takes besides its minutes: the imports, the tokens, the last evaluation. assumed.
OVERHEAD_SECONDS = 15.0
REMEMBERED = 500  # visitors of whom is known when their last training began or ended. assumed
# A trainer that was asked to stop and has not after this long is ended. assumed.
PATIENCE_SECONDS = 300.0
TICK_SECONDS = 1e-3  # between two times that would be the same


@dataclass(frozen=True)
class Entry:
    """One training that waits or is under way; `started` is 0 while it waits, times are seconds since the epoch.

    `heard` is the run's heartbeat when it was begun: one that differs is its trainer's.
    """

    visitor: str
    run: str
    argv: tuple[str, ...]
    minutes: float
    since: float
    command: tuple[str, ...] = ("train",)  # "resume" alone goes on with a run
    started: float = 0.0
    heard: float = 0.0

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
        self.asking = threading.RLock()  # held by whoever looks how many there are before adding one
        self._closed = threading.Event()
        self._claim = FileLock(self.path.with_suffix(".lock"))
        self._served: dict[str, float] = {}
        self._entries: list[Entry] = []
        self._begun: dict[str, float] = {}  # by `time.monotonic`, of the runs under way
        self._unwanted: set[str] = set()  # runs to be stopped as soon as their trainers have spoken
        self._read()

    def claim(self) -> None:
        """Keep the line for this app, until it ends; `RunError` where another one keeps it: two would begin a run twice."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._claim.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"another app serves the visitors of {self.path.parent.resolve()} already; end it first, "
                "or choose another --runs-dir"
            ) from None
        except OSError:  # a file system without locks: nobody can tell
            return

    # ------------------------------------------------------------------------------------------ for visitors

    def add(
        self, visitor: str, run: RunDir, argv: Sequence[str], minutes: float, command: Sequence[str] = ("train",)
    ) -> None:
        """Let `run` wait for its turn; `RunError` when it already does. It may begin at once.

        `command` is as in `lm.launch.start`, or `RESUME`.
        """
        with self.asking:
            self.step()  # a training that ended since the last look holds its run no longer
            if self._find(run):
                raise RunError(f"run {run.name!r} is in the queue already; it begins by itself")
            entry = Entry(visitor, str(run.path.resolve()), tuple(argv), minutes, self._now(), tuple(command))
            said = run_dir.read_status(run)
            self._entries.append(entry)
            try:
                run_dir.write_status(run, replace(said, state=WAITING, error="", error_kind=""))
                self._write()
            except OSError:
                self._entries.remove(entry)
                _forget_asking(run, said)
                raise
        self.step()

    def leave(self, run: RunDir) -> bool:
        """Take a waiting run out of the line; False if it does not wait there.

        One whose trainer is just beginning, and would not hear of it yet, is stopped when it has begun.
        """
        with self.asking:
            entry = self._find(run)
            if entry is None:
                return self.settle(run)
            if entry.started:
                if run_dir.state(run) == WAITING:
                    self._unwanted.add(entry.run)
                return False
            self._entries.remove(entry)
            self._write()
            run_dir.write_status(run, replace(run_dir.read_status(run), state="stopped"))
            return True

    def settle(self, run: RunDir) -> bool:
        """Say of a run that it was stopped if it says that it waits and does not stand in the line; whether it did."""
        with self.asking:
            said = run_dir.read_status(run)
            if said.state != WAITING or self._find(run):
                return False
            run_dir.write_status(run, replace(said, state="stopped"))
            return True

    def place(self, run: RunDir) -> Place | None:
        """Where it stands; None if it does not wait."""
        with self.asking:
            entry, line = self._find(run), self._line()
            if entry not in line:
                return None
            free = self._free_at()
            for ahead in line[: line.index(entry)]:
                heapq.heappush(free, heapq.heappop(free) + ahead.seconds)
            return Place(line.index(entry) + 1, free[0])

    def n_running(self) -> int:
        """How many train now, whose ever they are."""
        with self.asking:
            return len(self._running())

    def n_waiting(self) -> int:
        """How many wait, whose ever they are."""
        with self.asking:
            return len(self._entries) - len(self._running())

    def is_busy(self, visitor: str) -> bool:
        """Whether something of this visitor trains or waits."""
        with self.asking:
            return any(entry.visitor == visitor for entry in self._entries)

    # ------------------------------------------------------------------------------------------ its own work

    def step(self) -> None:
        """Let go of what has ended, stop what takes too long, begin what can begin."""
        with self.asking:
            over = [entry for entry in self._entries if _is_over(entry, self._age(entry))]
            for entry in over:
                self._entries.remove(entry)
                self._unwanted.discard(entry.run)
                if self._begun.pop(entry.run, None) is not None:
                    self._served[entry.visitor] = self._now()
                _say_if_never_begun(entry)
            for entry in self._running():
                self._stop_if_unwanted(entry)
                _end_if_too_long(entry, self._age(entry))
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

    def _stop_if_unwanted(self, entry: Entry) -> None:
        if entry.run in self._unwanted and run_dir.state(entry.directory) in ACTIVE_STATES:
            self._unwanted.discard(entry.run)
            launch.stop(entry.directory)

    def _begin(self, entry: Entry) -> None:
        """Start it. That it was started is on disk before it is: an app that dies in between starts nothing twice."""
        run, now = entry.directory, self._now()
        started = replace(entry, started=now, heard=run_dir.read_status(run).heartbeat)
        self._entries[self._entries.index(entry)] = started
        self._served[entry.visitor] = now
        self._begun[entry.run] = time.monotonic()
        self._write()
        try:
            if entry.command == RESUME:
                launch.resume(run, entry.argv, NICENESS)
            else:
                launch.start(run.path.parent, run.name, (*entry.argv, *SHARED), entry.command, NICENESS)
        except (LMError, OSError) as error:
            said = replace(run_dir.read_status(run), state="failed", error=str(error), heartbeat=time.time())
            run_dir.write_status(run, said)

    def _line(self) -> list[Entry]:
        """Those that wait, the next one first."""
        waiting = sorted((entry for entry in self._entries if not entry.started), key=lambda entry: entry.since)
        turns, line, now = Counter(entry.visitor for entry in self._running()), [], self._now()
        ended = dict(self._served)
        while waiting:
            entry = min(
                waiting, key=lambda one: (turns[one.visitor], max(one.since, ended.get(one.visitor, 0.0)), one.since)
            )
            waiting.remove(entry)
            line.append(entry)
            turns[entry.visitor] += 1
            ended[entry.visitor] = now + len(line)
        return line

    def _now(self) -> float:
        """The time, but later than all that is written down: who came first came first, wherever the clock is set."""
        noted = [*self._served.values(), *(entry.since for entry in self._entries)]
        return max(time.time(), max(noted, default=0.0) + TICK_SECONDS)

    def _age(self, entry: Entry) -> float:
        """For how many seconds it has been under way; 0 while it waits."""
        return time.monotonic() - self._begun[entry.run] if entry.started else 0.0

    def _running(self) -> list[Entry]:
        return [entry for entry in self._entries if entry.started]

    def _free_at(self) -> list[float]:
        """Seconds until each place to train is free, as a heap."""
        left = sorted((_seconds_left(entry, self._age(entry)) for entry in self._running()), reverse=True)[: self.slots]
        return sorted([*left, *[0.0] * (self.slots - len(left))])

    def _find(self, run: RunDir) -> Entry | None:
        path = str(run.path.resolve())
        return next((entry for entry in self._entries if entry.run == path), None)

    def _read(self) -> None:
        """Go on where the app before ended; a file that is damaged is set aside, with a word to whoever started it."""
        if not self.path.exists():
            return
        try:
            self._served, entries = _remembered(self.path)
        except RunError as error:
            aside = self.path.with_suffix(".damaged")
            run_dir.replace_file(self.path, aside)
            print(f"the queue begins empty: {error}. It is kept as {aside}", file=sys.stderr, flush=True)
            return
        self._entries = [entry for entry in entries if run_dir.is_run(entry.directory.path)]
        now, wall = time.monotonic(), time.time()
        for entry in self._running():
            self._begun[entry.run] = now - min(max(0.0, wall - entry.started), entry.seconds)

    def _write(self) -> None:
        latest = sorted(self._served, key=self._served.__getitem__)[-REMEMBERED:]
        self._served = {visitor: self._served[visitor] for visitor in latest}
        record: dict[str, Any] = dict(served=self._served, entries=[asdict(entry) for entry in self._entries])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        run_dir.write_json(self.path, record)


def slots_here() -> int:
    """Trainings that run well side by side on this machine: one for every two processors."""
    return max(1, processors() // 2)


def _remembered(path: Path) -> tuple[dict[str, float], list[Entry]]:
    """(visitors' last turns, entries) as `TrainingQueue` wrote them; `RunError` when somebody else did."""
    with run_dir.explaining_damage(path):
        record = run_dir.read_json(path)
        served = {str(visitor): float(at) for visitor, at in record["served"].items()}
        return served, [_entry(one) for one in record["entries"]]


def _entry(said: dict[str, Any]) -> Entry:
    names = ("argv", "command")
    words = {name: tuple(str(word) for word in said[name]) for name in names}
    times = {name: float(said[name]) for name in ("minutes", "since", "started", "heard") if name in said}
    return Entry(str(said["visitor"]), str(said["run"]), **words, **times)


def _forget_asking(run: RunDir, said: Status) -> None:
    """Leave `run` as it was before it was to wait, as far as a disk that refuses lets it."""
    run_dir.discard_unprepared(run)
    if run.path.exists():
        with suppress(OSError):
            run_dir.write_status(run, said)


def _is_over(entry: Entry, age: float) -> bool:
    """Whether a training that was begun has ended, or never got to its first word, or its run is gone."""
    run = entry.directory
    if not run_dir.is_run(run.path):
        return True
    if not entry.started or run_dir.state(run) in ACTIVE_STATES:
        return False
    return run_dir.read_status(run).heartbeat != entry.heard or age >= START_GRACE_SECONDS


def _say_if_never_begun(entry: Entry) -> None:
    run = entry.directory
    said = run_dir.read_status(run)
    if said.state == WAITING and run_dir.is_run(run.path):
        words = "its process ended before it could begin; what it said stands in the log"
        run_dir.write_status(run, replace(said, state="failed", error=words))


def _end_if_too_long(entry: Entry, age: float) -> None:
    over = age - entry.seconds
    if over > PATIENCE_SECONDS:
        launch.kill(entry.directory)
    elif over > 0 and not entry.directory.stop.exists():
        launch.stop(entry.directory)


def _seconds_left(entry: Entry, age: float) -> float:
    """Of a training under way, by its own words, and never more than its limit leaves."""
    left = max(0.0, entry.seconds - age)
    said = run_dir.read_status(entry.directory).seconds_left
    return left if said is None else min(left, said)
