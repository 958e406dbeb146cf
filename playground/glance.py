"""Whether another look at the disk could show anything new, told from a few `stat`s.

A look reads and parses every file that some part of the page shows. A glance compares only what the file system says of
them, inode, time and size: whoever writes here appends or replaces, and both show there. Two equal glances at a
workspace where nothing is trained mean two equal looks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lm.library import SHELF, TRASH
from lm.run_dir import ACTIVE_STATES, WAITING, RunDir
from playground.look import Look
from playground.references import references
from playground.workspace import CHECKPOINTS, Workspace

# What a glance cannot see (the machine's memory, an offer to undo that has expired, a fetched model that somebody
# removed) is seen after so long at the latest. assumed
LOOK_SECONDS = 10.0
FILES = ("status.json", "config.json", "metrics.jsonl", "samples.jsonl", "log.txt", "stop")
WATCHED = (*FILES, *(f"{which}/model.safetensors" for which in CHECKPOINTS))

Glance = tuple[Any, ...]
Seen = tuple[int, int, int]  # inode, nanoseconds of the last change, bytes; -1 thrice where nothing is


def glance(space: Workspace, selected: str, language: str) -> Glance:
    """What tells one look from the next; take it before the look, so that nothing is missed between them."""
    run = RunDir(space.runs_dir / selected) if selected and space.library.has(selected) else None
    share = space.share
    of_page = selected, language, str(space.root), share.limits, share.only, sorted(share.linked), space.device
    lines_are_known = run is not None and references(run) is not None
    folders = (space.models, space.runs_dir / SHELF, space.runs_dir / TRASH)
    return (
        *of_page,
        lines_are_known,
        int(time.monotonic() / LOOK_SECONDS),
        *(_seen(str(path)) for path in folders),
        *_runs(space.runs_dir),
    )


def is_at_rest(look: Look) -> bool:
    """Whether nothing is trained or waits: whether a trainer lives is told by its lock, which no `stat` shows."""
    return all(row.state not in (WAITING, *ACTIVE_STATES) for row in look.rows)


def _runs(runs_dir: Path) -> Iterator[tuple[Any, ...]]:
    """Of each folder there: its name, then what its files are."""
    with suppress(OSError), os.scandir(runs_dir) as entries:
        for entry in entries:
            if entry.is_dir():
                yield entry.name, *(_seen(f"{entry.path}/{name}") for name in WATCHED)


def _seen(path: str) -> Seen:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return -1, -1, -1
    return found.st_ino, found.st_mtime_ns, found.st_size
