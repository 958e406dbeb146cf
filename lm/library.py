"""The shelf the runs stand on: rename one, pin it, delete it and have it back.

A deleted run is moved into `.trash/` beside the runs and is whole there until `KEPT_SECONDS` have passed; `restore`
brings it back. Which runs are pinned stands in `library.json` beside them, in the order in which they were pinned.
A run that is being trained can be neither renamed nor deleted: its trainer writes into the directory.

How long a run has lain in the trash is counted, in `.trash/ages.json`, not read from the date: each look adds the time
since the look before, but a day at the most, so a clock that is set, or was wrong when the machine began, costs nobody
a run. Where nobody looks for long, the runs lie there for longer.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm import run_dir
from lm.errors import RunError
from lm.names import check_name, free_name
from lm.run_dir import ACTIVE_STATES, WAITING, RunDir
from lm.scratch import remove

TRASH, AGES = ".trash", "ages.json"
SHELF = "library.json"
KEPT_SECONDS = 7 * 86_400.0  # assumed: who misses a run, misses it within a week
MOST_LOOK_SECONDS = 86_400.0  # what one look adds to an age at the most, whatever the clock says
AFTER_SECONDS = 1e-3  # between two deletions that the clock says were at once, or in the wrong order

_deleted_here: dict[Path, float] = {}  # entries that this process made, by a clock that nobody sets


@dataclass(frozen=True)
class Deleted:
    """One run in the trash. `entry` is its folder's name there, `at` when it was deleted, in seconds since the epoch."""

    entry: str
    name: str
    at: float


def rename(runs_dir: Path, name: str, to: str) -> RunDir:
    """Call the run `to` from now on; `RunError` when it is being trained, or a run of that name is there."""
    run, wanted = _resting(runs_dir, name, "rename"), Path(runs_dir) / check_name(to)
    if wanted == run.path:
        return run
    # A file system that does not tell `Fox` from `fox` finds the run itself there.
    if wanted.exists() and not wanted.samefile(run.path):
        raise RunError(f"a run named {to!r} already exists; choose another name")
    pinned = pins(runs_dir)
    _write_pins(runs_dir, [one for old in pinned for one in ((old, to) if old == name else (old,))])  # under both names
    try:
        _move(run.path, wanted)
    except RunError:
        _write_pins(runs_dir, pinned)
        raise
    _write_pins(runs_dir, [to if old == name else old for old in pinned])
    return RunDir(wanted)


def delete(runs_dir: Path, name: str) -> Deleted:
    """Move the run to the trash, and remove for good what has lain there too long."""
    run = _resting(runs_dir, name, "delete")
    empty_trash(runs_dir)
    now = max([time.time(), *(gone.at + AFTER_SECONDS for gone in trash(runs_dir))])
    gone = Deleted(f"{now:.3f}-{name}", name, round(now, 3))
    (Path(runs_dir) / TRASH).mkdir(exist_ok=True)
    place = Path(runs_dir) / TRASH / gone.entry
    _move(run.path, place)
    _deleted_here[place] = time.monotonic()
    return gone


def restore(runs_dir: Path, entry: str) -> RunDir:
    """Bring a deleted run back, under its old name or, if that is taken by now, one beside it."""
    gone = next((one for one in trash(runs_dir) if one.entry == entry), None)
    if gone is None:
        name = entry.partition("-")[2] or entry
        raise RunError(f"run {name!r} was restored already, or removed for good; look for it among the runs")
    back = Path(runs_dir) / free_name(runs_dir, gone.name)
    _move(Path(runs_dir) / TRASH / entry, back)
    return RunDir(back)


def trash(runs_dir: Path) -> list[Deleted]:
    """What was deleted and can be restored, the latest first."""
    folder = Path(runs_dir) / TRASH
    found = [_deleted(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((one for one in found if one), key=lambda one: one.at, reverse=True)


def empty_trash(runs_dir: Path, kept_seconds: float | None = None) -> None:
    """Look at the trash: what lies there has grown older; remove for good what was kept for `KEPT_SECONDS`, or so long."""
    folder, kept = Path(runs_dir) / TRASH, KEPT_SECONDS if kept_seconds is None else kept_seconds
    there = [gone.entry for gone in trash(runs_dir)]
    if not there:
        return
    now, (looked, before) = time.time(), _ages(folder)
    passed = min(max(0.0, now - looked), MOST_LOOK_SECONDS)
    ages = {entry: before[entry] + passed if entry in before else 0.0 for entry in there}
    for entry in there:
        if ages[entry] >= kept:
            remove(folder / entry)
            _deleted_here.pop(folder / entry, None)
    run_dir.write_json(folder / AGES, dict(looked=now, seconds={e: ages[e] for e in there if (folder / e).exists()}))


def seconds_since(runs_dir: Path, gone: Deleted) -> float:
    """How long ago it was deleted: by a clock that nobody sets, or, if another process did it, by what it wrote down."""
    began = _deleted_here.get(Path(runs_dir) / TRASH / gone.entry)
    return time.time() - gone.at if began is None else time.monotonic() - began


def pins(runs_dir: Path) -> list[str]:
    """The names of the pinned runs, the first one pinned first; a damaged file pins none."""
    try:
        said: Any = run_dir.read_json(Path(runs_dir) / SHELF)
    except RunError:
        return []
    names = said.get("pinned") if isinstance(said, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def pin(runs_dir: Path, name: str, is_pinned: bool = True) -> None:
    """Keep the run at the top, or let it go back to its place."""
    run_dir.find(runs_dir, check_name(name))
    others = [pinned for pinned in pins(runs_dir) if pinned != name]
    _write_pins(runs_dir, [*others, name] if is_pinned else others)


def _resting(runs_dir: Path, name: str, deed: str) -> RunDir:
    """The run of that name, if nothing trains it."""
    run = run_dir.find(runs_dir, Path(runs_dir) / check_name(name))
    if run_dir.state(run) in (WAITING, *ACTIVE_STATES):
        raise RunError(f"run {name!r} is being trained, or waits for it; stop it, then {deed} it")
    return run


def _move(source: Path, to: Path) -> None:
    try:
        os.rename(source, to)
    except OSError as error:  # Windows: some program has a file of it open
        raise RunError(f"cannot move {source} to {to}: {error.strerror}; close what uses it and try again") from None


def _ages(folder: Path) -> tuple[float, dict[str, float]]:
    """(time of the last look, seconds that each entry had lain there by then); nothing where the file is damaged."""
    try:
        with run_dir.explaining_damage(folder / AGES):
            said = run_dir.read_json(folder / AGES)
            return float(said["looked"]), {str(entry): float(seconds) for entry, seconds in said["seconds"].items()}
    except RunError:
        return 0.0, {}


def _deleted(entry: str) -> Deleted | None:
    at, _, name = entry.partition("-")
    try:
        return Deleted(entry, name, float(at))
    except ValueError:  # not ours
        return None


def _write_pins(runs_dir: Path, names: list[str]) -> None:
    if names != pins(runs_dir):
        run_dir.write_json(Path(runs_dir) / SHELF, dict(pinned=names))
