"""Start, resume, stop and end training processes. The run directory is the only thing shared with them.

A training lives in a process session of its own, so that Ctrl-C on the playground, a closed browser or a restarted app
do not reach it; what it prints goes to the run's `log.txt`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from lm import run_dir
from lm.run_dir import RunDir

PACKAGE_PARENT = Path(__file__).resolve().parent.parent


def start(
    runs_dir: Path, name: str, argv: Sequence[str], command: Sequence[str] = ("train",), niceness: int = 0
) -> RunDir:
    """Reserve `runs_dir/name` and train in it, by `lm *command --reserved --name NAME --runs-dir DIR *argv`, apart.

    With a `niceness` (0 to 19) it leaves the processors to whoever needs them more.
    """
    run = run_dir.create(Path(runs_dir), name)
    where = ["--reserved", "--name", name, "--runs-dir", str(Path(runs_dir).resolve())]
    return _spawn(run, [*command, *where, *argv], niceness)


def resume(run: RunDir, argv: Sequence[str] = (), niceness: int = 0) -> RunDir:
    """Go on with a stopped, failed or dead run: `lm resume RUN *argv` in a process of its own."""
    return _spawn(run, ["resume", str(run.path.resolve()), *argv], niceness)


def stop(run: RunDir) -> None:
    """Ask the trainer to finish its step, save and end. Returns at once; does nothing to a run that is not active."""
    if run_dir.state(run) in run_dir.ACTIVE_STATES:
        run_dir.request_stop(run)


def kill(run: RunDir) -> bool:
    """End a trainer that does not answer; what it saved last stays. False when no trainer lives."""
    if not run_dir.is_owned(run):  # never signal a pid that may belong to somebody else by now
        return False
    try:
        psutil.Process(run_dir.read_status(run).pid).kill()
    except (psutil.NoSuchProcess, ValueError):
        return False
    return True


def command(name: str, argv: Sequence[str]) -> str:
    """What a person types to get the same run."""
    words = ["lm", "train", "--name", name, *argv]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def apart() -> dict[str, Any]:
    """How `subprocess.Popen` starts a process that outlives this one: a session of its own, `lm` within its reach."""
    paths = [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | dict(
        PYTHONPATH=os.pathsep.join(filter(None, paths)), PYTHONUNBUFFERED="1", PYTHONUTF8="1"
    )
    if os.name == "nt":
        return dict(env=environment, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP)
    return dict(env=environment, start_new_session=True)


def be_nice(pid: int, niceness: int) -> None:
    """Have a process that has just begun, and all threads that it will start, yield to others; Windows knows one way."""
    try:
        process = psutil.Process(pid)
        is_windows = sys.platform == "win32"
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if is_windows else max(process.nice(), niceness))
    except psutil.Error:  # it has ended, or may not be asked
        return


def _spawn(run: RunDir, argv: list[str], niceness: int) -> RunDir:
    with open(run.log, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "lm", *argv],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **apart(),
        )  # fmt: skip
    if niceness:
        be_nice(process.pid, niceness)
    threading.Thread(target=process.wait, daemon=True).start()  # reaps it: no zombie while the app lives
    return run
