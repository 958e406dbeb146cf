"""Folders in which something is made that is to be whole or not there, and what killed processes left in theirs.

A scratch folder lies beside what is made in it, so that the result reaches its place by one `os.rename`; its name begins
with a dot, which no run, text or export may be called. Its maker holds a lock as long as it lives, however it dies, so
nobody needs a clock or a process number to tell a folder that is in use from one that was left: whoever makes another
one in the same place, and `sweep`, remove the latter.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lm.files import drop_leftovers

MARK, LOCK = ".making-", ".lock"
PATIENCE_SECONDS = 2.0  # a sweeper that looks at this instant can make a new lock look taken


@contextmanager
def scratch(place: Path) -> Iterator[Path]:
    """An empty folder in `place` that is gone afterwards; `OSError` where the disk refuses."""
    sweep(place)
    folder = Path(place) / f"{MARK}{secrets.token_hex(6)}"
    lock = FileLock(_lock_of(folder))
    lock.acquire(timeout=PATIENCE_SECONDS)
    try:
        folder.mkdir()
        yield folder
    finally:  # on Windows somebody who was left behind may still hold a file of it: the next sweep takes it
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        _forget_lock(folder)


def sweep(place: Path) -> None:
    """Remove from `place` what killed processes were making there; what a living one makes stays."""
    with suppress(OSError):  # it is gone, or may not be read: whoever writes there is told
        names = {path.name.removesuffix(LOCK) for path in Path(place).glob(f"{MARK}*")}
        for folder in (Path(place) / name for name in names):
            with suppress(Timeout, OSError), FileLock(_lock_of(folder)).acquire(timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                _forget_lock(folder)
        drop_leftovers(Path(place))


def remove(folder: Path) -> None:
    """Delete `folder` with all that is in it; whoever looks meanwhile sees the whole of it or nothing."""
    with suppress(OSError), scratch(folder.parent) as away:
        folder.rename(away / folder.name)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + LOCK)


def _forget_lock(folder: Path) -> None:
    with suppress(OSError):
        _lock_of(folder).unlink(missing_ok=True)
