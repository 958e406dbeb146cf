"""How many processors are ours: those that this process may run on, and no more than its container is given time for.

`docker run --cpus 2`, a Kubernetes pod or a Space show all processors of their host and are given the time of a few: a
*quota* of each tenth of a second, and once it is spent everything stands still until the next. Threads that meet after
every operation, as torch's do, must not be more than that pays for: the one that stands still is waited for by all.
Measured with the time of one processor and two to be seen: two threads trained on 8,000 and 9,600 tokens a second, one
on 14,300 and 11,000. Python and torch count the host's. The kernel's files tell the quota (cgroups; `man 7 cgroups`, and its documentation of
`cpu.max` and `cpu.cfs_quota_us`).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")  # a line for each hierarchy: number, controllers, the group's path within it


@functools.cache
def processors() -> int:
    """Whole processors that this process can keep busy; at least one."""
    return max(1, min([visible_processors(), *(int(quota) for quota in quotas())]))


def visible_processors() -> int:
    """Those that it may run on, whatever time it is given there."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quotas(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> list[float]:
    """The processors' time that this process's group, and each group around it, is given; nothing where none is limited."""
    return [quota for folder in _folders(cgroups, membership) if (quota := _quota(folder))]


def _folders(cgroups: Path, membership: Path) -> Iterator[Path]:
    """Where the limits of this process may stand: its group's folder and those around it, of both versions.

    Seen from inside a container its own group is the root, whatever `membership` says.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:  # another system
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            own = Path(path.lstrip("/"))
            for group in (own, *own.parents):
                yield cgroups / controllers / group


def _quota(folder: Path) -> float | None:
    """Processors' time of one group, if it is limited."""
    try:
        if (folder / "cpu.max").exists():
            most, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            most, period = ((folder / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period"))
        return int(most) / int(period) if int(most) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # no such group here, or its limit reads "max"
        return None
