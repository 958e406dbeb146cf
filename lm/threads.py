"""How the processor is shared with everything else that runs on it.

torch's threads meet at a barrier after every operation. The one that arrives first spins there for a while before it
sleeps. Alone on the machine that is the faster way: on two cores of a virtual machine a training with 10,000 turns of
libgomp's spin did 1.2 times the tokens of one with 1,000. But while another program holds a core, everybody waits for a
spinner: beside one that never rests it did 0.4 times as many. So threads spin for as long as that, and while they have
to wait for a processor they hardly spin at all (`considerate`): 27,000 tokens a second alone, 11,500 beside the other
program, where 1,000 turns gave 21,000 and 9,500.

There are as many threads as processors: torch counts them itself, but for a container's quota (`lm.processors`).

libgomp has no call for spinning. But it spins hardly at all while there are more threads than processors in all its teams: a
second team that does nothing is enough.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from lm.processors import processors, visible_processors

SPINS = "10000"
LOOK_SECONDS = 1.0
# Seconds that threads were ready and without a processor, in each second. Measured: 0.01 to 0.08 alone, up to 0.15 beside
# a page that is watched, 0.5 (hardly spinning) to 0.9 (spinning) beside a program that never rests.
CROWDED, CALM = 0.4, 0.2
THREADS = Path("/proc/self/task")


def set_up_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Tell OpenMP how many threads there shall be and how long they spin, unless the environment says otherwise.

    Takes effect if torch has not been imported yet.
    """
    if (ours := processors()) < visible_processors():
        environment.setdefault("OMP_NUM_THREADS", str(ours))
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", SPINS)


@contextmanager
def considerate() -> Iterator[None]:
    """Inside, torch's threads sleep at once at their barriers while others need the processors; on Linux."""
    if _waited() is None:
        yield
        return
    is_over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(is_over,), daemon=True, name="considerate")
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


def _watch(is_over: threading.Event) -> None:
    """Keep a second team for as long as the processors are crowded."""
    team, before = None, _waited() or 0.0
    while not is_over.wait(LOOK_SECONDS):
        now = _waited() or before
        share, before = (now - before) / LOOK_SECONDS, now
        if team is None and share > CROWDED:
            team = SecondTeam()
        elif team is not None and share < CALM:
            team.disband()
            team = None
    if team is not None:
        team.disband()


def _waited() -> float | None:
    """Seconds that the threads of this process were ready and without a processor; None where nobody counts them."""
    try:
        counts = [(task / "schedstat").read_text(encoding="ascii") for task in THREADS.iterdir()]
        return sum(int(count.split()[1]) for count in counts) / 1e9
    except (OSError, IndexError, ValueError):  # another system; a thread that has just ended
        return None


class SecondTeam:
    """Threads of OpenMP that do nothing: there are more of them than processors for as long as they exist."""

    NUMBERS = 1 << 17  # so many that torch adds them up with all its threads

    def __init__(self) -> None:
        self._is_over = threading.Event()
        self._leader = threading.Thread(target=self._lead, daemon=True, name="second-team")
        self._leader.start()

    def _lead(self) -> None:
        import torch

        torch.ones(self.NUMBERS).add_(1)
        self._is_over.wait()

    def disband(self) -> None:
        """End them."""
        self._is_over.set()
        self._leader.join()
