"""How a training may end before its time: a signal, a full disk, a full memory, a user's mistake, a bug of ours.

Ctrl-C and SIGTERM become a stop request. Everything else is written into the run's status before it goes on its way, so
that whoever watches learns it too: an `LMError` keeps its words, a bug keeps its traceback in the log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace

from lm import memory, prepare, run_dir
from lm.errors import CheckpointError, LMError, RunError, TrainingError
from lm.files import FULL, REFUSALS
from lm.run_dir import RunDir, Status


def alive(status: Status, state: str) -> Status:
    """`status` with another `state`, as this process reports it now: its pid, a fresh heartbeat, no error."""
    return replace(status, state=state, pid=os.getpid(), heartbeat=time.time(), error="", error_kind="")


@contextlib.contextmanager
def recording_failure(run: RunDir) -> Iterator[None]:
    """The trainer's outer frame: whatever ends it too early is written into the run before it goes on its way."""
    place = run_dir.identity(run)
    try:
        yield
    except Exception as caught:  # broad: whatever it is, whoever watches must learn of it; it is raised again below
        error = in_the_users_words(caught, run)
        if not isinstance(error, LMError):
            traceback.print_exc()
        said = alive(run_dir.read_status(run), "failed")
        kind = error.kind if isinstance(error, LMError) else "bug"
        text = str(error) if isinstance(error, LMError) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):  # the disk may be what failed, or another run's folder stand there
            if run_dir.identity(run) == place:
                run_dir.write_status(run, replace(said, seconds_left=None, error=text, error_kind=kind))
        raise error from caught


def in_the_users_words(error: Exception, run: RunDir) -> Exception:
    """`error` itself, or a `TrainingError` where disk or memory are full or gone: the user's situation, not our bug."""
    if isinstance(error, (OSError, CheckpointError)) and not run.path.is_dir():
        return run_dir.gone(run)
    if isinstance(error, OSError) and error.errno in FULL:
        return TrainingError(
            "the disk is full: nothing more could be saved. Free some space and go on with `lm resume`; "
            "what was saved before is whole"
        )
    if isinstance(error, OSError) and error.errno in REFUSALS:
        return TrainingError(
            f"{error.filename or run.path} can no longer be written to ({error.strerror}). Make the disk writable again "
            "and go on with `lm resume`; what was saved before is whole"
        )
    if not memory.is_full(error):
        return error
    traceback.clear_frames(error.__traceback__)  # they hold what fills the memory, and to say so takes some
    try:
        setup = prepare.load(run)
    except RunError:
        return TrainingError("the memory is full, and no step was taken yet: close other programs, or use less text")
    where = "of the GPU " if setup.device.type == "cuda" else ""
    cure = memory.smaller(setup.model, setup.train, setup.grad_accum_steps)
    how = f"go on with `lm resume {run.name}`" if cure.startswith("--") else "train again"
    return TrainingError(f"the memory {where}is full: {how}, where {cure}")


def forget_old_stop(run: RunDir) -> None:
    """Drop a stop request that an earlier trainer did not live to answer.

    No clock tells: only a run that is active can be asked to stop, and one that some trainer has spoken for before is
    not active until this one, which holds its lock by now, has spoken too. What was asked of a run that nobody has
    spoken for yet was asked of this trainer, while it began.
    """
    if run_dir.read_status(run).heartbeat:
        with contextlib.suppress(FileNotFoundError):
            run.stop.unlink()


@contextlib.contextmanager
def signals_as_stop(run: RunDir) -> Iterator[None]:
    """Ctrl-C and SIGTERM finish the step and save; a second one ends the process as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: object) -> None:
        signal.signal(number, before[number])
        run_dir.request_stop(run)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
