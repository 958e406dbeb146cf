"""Files that nobody ever sees half: a whole one is replaced at once, a log grows by whole lines.

Readers take what may come from anywhere (a run directory that was copied, unpacked or fetched): what is no ordinary
file, larger than such a file can be, or damaged is a `RunError` in words, and nothing is executed. An unfinished last
line of a log is no damage: it waits for its end.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lm.errors import RunError

# The user's situation: a disk that is full, read-only, not ours or broken; what was deleted or moved meanwhile.
FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
REFUSALS = (*FULL, *FORBIDDEN, errno.EFBIG, errno.EIO)
VANISHED = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
REPLACE_SECONDS = 5.0  # assumed: nobody reads a file for longer
# assumed: far more than a vocabulary of 200,000 tokens (20 MB) or two million lines of metrics take
MOST_JSON_BYTES, MOST_LOG_BYTES = 100_000_000, 1 << 29
# Of the Hub: what one repository may bring, unless the user allows more, and what of the disk stays free. assumed
MOST_FETCHED_GIGABYTES, SPARED_GIGABYTES = 4.0, 0.2
# What may stand for half of a character, or for a number that no float holds: 1e999 is read as infinity.
UNWRITABLE = re.compile(rb"\\[uU][dD]|[eE]\+?\d{3}|(?<!\d)\d{300}")


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
    """A name in the folder of `path`, to be written and moved onto it; what is still there afterwards is removed.

    So is what a process left that was killed while it wrote the same.
    """
    drop_leftovers(path.parent, path.name)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def drop_leftovers(folder: Path, name: str = "*") -> None:
    """Remove what processes that live no more were about to write in `folder`, as `name`."""
    pattern = name if name == "*" else glob.escape(name)
    for leftover in folder.glob(f".{pattern}.*.tmp"):
        writer = leftover.name.split(".")[-2]
        if writer.isdecimal() and not _lives(int(writer)):
            with suppress(OSError):
                leftover.unlink()


def _lives(pid: int) -> bool:
    import psutil  # takes 15 ms, and what was left is rare

    return pid == os.getpid() or psutil.pid_exists(pid)


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
    kept = [record for record in records if isinstance(step := record.get("step", 0), int) and step <= last_step]
    lines = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in kept)
    write_whole(path, "".join(lines).encode("utf-8"))


def refusal(error: OSError) -> RunError:
    """What a disk refuses, or what is no longer there, in words; any other failure is raised as it is."""
    if error.errno in VANISHED and error.filename:
        return RunError(
            f"{error.filename} is not there: it was deleted or moved; bring it back, or choose something else"
        )
    if error.errno == errno.ENOENT and "temporary" in str(error):  # of Python's `tempfile`, which names no file
        return RunError(
            "there is no room for temporary files: no folder for them can be written to; free some space, or set TMPDIR "
            "to a folder that can"
        )
    if error.errno not in REFUSALS:
        raise error
    # of a file that was to be replaced, not of what was written beside it
    where = re.sub(r"\.([^/\\]+)\.\d+\.tmp$", r"\1", str(error.filename or "the disk"))
    if error.errno in FORBIDDEN:
        return RunError(f"cannot read or write {where}: {error.strerror}; make it writable or choose another place")
    return RunError(f"cannot read or write {where}: {error.strerror}; free some space or choose another place")


# ---------------------------------------------------------------------------------------------- reading


def read_json(path: Path) -> Any:
    """The value of a JSON file; `RunError` when it is missing or damaged."""
    try:
        return _parsed(_read(path, 0, MOST_JSON_BYTES))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({error}); restore it from a copy, or delete the run") from None


def read_records(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The whole lines after byte `offset` and the offset of the next.

    An unfinished last line waits for more; a missing file has no lines yet; a corrupt one in the middle is a `RunError`.
    """
    try:
        chunk = _read(path, offset, MOST_LOG_BYTES)
    except FileNotFoundError:
        return [], offset
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}; check who may read it") from None
    end = chunk.rfind(b"\n") + 1
    return [_record(line, path) for line in chunk[:end].splitlines()], offset + end


@contextmanager
def explaining_damage(path: Path) -> Iterator[None]:
    """Turn what a reader of `path` trips over, where it holds something else than it should, into a `RunError`."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error!r}; restore it from a copy, or delete the run") from error


def _record(line: bytes, path: Path) -> dict[str, Any]:
    try:
        record = _parsed(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise RunError(f"{path} has a damaged line: {line[:80]!r}; delete that line to read the rest")
    return record


def _parsed(data: bytes) -> Any:
    """The value of strict JSON, one that can be written again: no not-a-number, no half of a surrogate pair."""
    value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    if UNWRITABLE.search(data):
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read(path: Path, offset: int, most_bytes: int) -> bytes:
    """The bytes after `offset`. What is no file is not opened: to read a pipe is to wait for its other end."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise RunError(f"{path} is no ordinary file; remove it, or take another copy of the run")
    if status.st_size - offset > most_bytes:
        raise RunError(
            f"{path} has {status.st_size / 1e6:,.0f} MB, and no such file of a run has more than "
            f"{most_bytes / 1e6:,.0f} MB; take another copy of the run, or a larger --log-interval"
        )
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(max(0, status.st_size - offset))  # not `most_bytes`: so much memory would be taken first
