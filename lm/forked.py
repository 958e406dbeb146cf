"""Work in a child that is forked from this process: for a processor that would otherwise be idle.

What a small model does for a token is over in microseconds, so threads only hand Python's lock to each other, and a new
interpreter needs seconds to load PyTorch. A forked child begins at once (measured: 7 to 9 ms) with all that its parent
has in memory, the model too, and shares it until either writes to it.

A process of many threads is forked with one, and a lock that another held at that moment stays locked in the child. So
nothing may depend on a child: what it does touches no more than its own numbers, `Child` says when it has come to its
end or has been silent for too long, and whoever began it can do the rest. At most one child for each processor but one
lives at a time. Only on Linux (`can_fork`): macOS ends forked processes that use its libraries, Windows has no fork.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import threading
import warnings
from array import array
from collections.abc import Iterable, Sequence

from lm.processors import processors

PATIENCE = 5.0  # seconds of silence after which a child is given up, that speaks every few milliseconds. assumed
NUMBER = array("q").itemsize  # bytes
PIPE = 1 << 16  # bytes that are read at once: all that Linux's pipes hold

_places = threading.BoundedSemaphore(max(1, processors() - 1))


def can_fork() -> bool:
    """Whether a child would find a processor of its own."""
    return sys.platform == "linux" and processors() > 1


class Child:
    """The rows of `count` integers that `rows` gives, computed in a child of this process.

    They come in their order, over a pipe. To be used as a context, whose end is the child's.
    """

    def __init__(self, rows: Iterable[Sequence[int]], count: int) -> None:
        """Fork. `OSError` where the system lets no process begin, or too many of them are at work (`BlockingIOError`)."""
        self._row_bytes, self._unread = count * NUMBER, b""
        if not _places.acquire(blocking=False):
            raise BlockingIOError
        try:
            self._pid, self._pipe = _fork(rows)
        except OSError:
            _places.release()
            raise

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        """End the child, whatever it is doing."""
        os.close(self._pipe)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        _places.release()

    def waiting(self, seconds: float = 0.0) -> list[list[int]]:
        """The rows that have come; with `seconds`, as long as is waited for the first of them. None when all have come,
        or the child has failed, or it says nothing for that time."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while len(self._unread) < self._row_bytes and poll.poll(1000 * seconds):
            if not (bytes_read := os.read(self._pipe, PIPE)):
                return []
            self._unread += bytes_read
        whole = len(self._unread) // self._row_bytes * self._row_bytes
        numbers, self._unread = array("q", self._unread[:whole]).tolist(), self._unread[whole:]
        count = self._row_bytes // NUMBER
        return [numbers[i : i + count] for i in range(0, len(numbers), count)]


def _fork(rows: Iterable[Sequence[int]]) -> tuple[int, int]:
    """The child's number and where its rows can be read."""
    here, there = os.pipe()
    try:
        with warnings.catch_warnings():  # Python 3.12 and later warn of a fork beside threads: see above
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _work(rows, there)
    except OSError:
        os.close(here)
        raise
    finally:
        os.close(there)
    return pid, here


def _work(rows: Iterable[Sequence[int]], pipe: int) -> None:
    """The child's life. It ends without a word, and without any of its parent's affairs: no finaliser runs, no signal is
    handled, no file or connection of its parent's stays open because of it."""
    with contextlib.suppress(BaseException):
        gc.disable()
        signal.set_wakeup_fd(-1)
        for caught in (signal.SIGINT, signal.SIGTERM):
            signal.signal(caught, signal.SIG_DFL)
        for file in map(int, os.listdir("/proc/self/fd")):
            if file not in (0, 1, 2, pipe):
                with contextlib.suppress(OSError):  # that of the listing
                    os.close(file)
        for row in rows:
            os.write(pipe, array("q", row).tobytes())
    os._exit(0)
