"""Several processes that train one model: rank 0 leads and alone touches the run directory, the others compute.

Every process draws the same batch and takes its own rows of it; the gradients are summed, so each step is the step of
one process over the same batch, within rounding. Before each step the leader says at which rate, or that all is over:
the clock, stop requests, evaluations and files are its business alone. It meets the others by torchrun's environment
variables, or starts them itself (`--processes N`). gloo on processors, nccl on GPUs.

Models that do not fit one device are spread over them (`lm.shard`).

Deviations: the gradients travel once, after the last backward pass, not during it as DDP's do. Dropout draws other
numbers than one process would, each process its own, which are saved: interrupted and resumed by as many is never
interrupted. The balance loss of a mixture of experts is that of each process's rows of each part of a batch, as
DDP's would be, so there the step of many is not quite that of one. Never tried on several GPUs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from lm.errors import ConfigError, TrainingError

PATIENCE = timedelta(days=7)  # a leader that evaluates or prepares keeps the others waiting
FAULT = "fault"
# What a leader says that is no rate: it is over; back to the last saved state; give your weights; give all your state.
END, GO_BACK, SHOW, SAVE = -1.0, -2.0, -3.0, -4.0


class LeaderGone(Exception):
    """A follower's connection broke; raised here alone, and caught by `following`."""


class Team:
    """This process among those that train together; the default is one alone, whose methods communicate with nobody."""

    def __init__(self, rank: int = 0, size: int = 1, store: dist.Store | None = None) -> None:
        self.rank, self.size, self.store = rank, size, store

    def rows(self, batch: Tensor) -> Tensor:
        """This process's rows of a batch (B, T); `ConfigError` if they cannot be shared out evenly."""
        if batch.size(0) % self.size:
            raise ConfigError(
                f"batch_size={batch.size(0)} is not divisible by processes={self.size}; use a multiple of {self.size}"
            )
        return batch.chunk(self.size)[self.rank]

    def lead(self, what: float) -> float:
        """Tell everyone what comes next: a step at this share of the highest rate, or one of `END` and its kin."""
        if self.size > 1:
            with self._explaining():
                dist.broadcast(torch.tensor([what], dtype=torch.float64), src=0)
        return what

    def hear(self) -> float:
        """What the leader says next."""
        said = torch.empty(1, dtype=torch.float64)
        with self._explaining():
            dist.broadcast(said, src=0)
        return float(said)

    def add(self, parameters: Iterable[torch.nn.Parameter], loss: Tensor) -> None:
        """Replace gradients and loss by their sums over all processes, in place."""
        if self.size == 1:
            return
        tensors = [p.grad for p in parameters if p.grad is not None] + [loss]
        whole = torch.cat([tensor.flatten() for tensor in tensors])
        with self._explaining():
            dist.all_reduce(whole)
        for tensor, part in zip(tensors, whole.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def share(self, text: str = "") -> str:
        """The leader's text, in every process."""
        box = [text]
        if self.size > 1:
            with self._explaining():
                dist.broadcast_object_list(box, src=0)
        return box[0]

    def collect(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """To the leader, everyone's tensors: those of the others with `.RANK` behind the name. To them, their own."""
        if self.size == 1:
            return tensors
        boxes = [{} for _ in range(self.size)] if self.rank == 0 else None
        with self._explaining():
            dist.gather_object(tensors, boxes, dst=0)
        others = enumerate(boxes[1:], start=1) if boxes else ()
        return tensors | {f"{name}.{rank}": tensor for rank, box in others for name, tensor in box.items()}

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        """A broken connection means that a process died: a `TrainingError` with its last words, or `LeaderGone`."""
        try:
            yield
        except RuntimeError as error:
            if self.rank:
                raise LeaderGone from error
            faults = [f"{FAULT} {rank}" for rank in range(1, self.size) if self.store.check([f"{FAULT} {rank}"])]
            words = "; ".join(self.store.get(fault).decode() for fault in faults) or "without a word"
            raise TrainingError(
                f"one of the {self.size} processes ended ({words}); go on with `lm resume`, in fewer processes perhaps"
            ) from error


ALONE = Team()


@contextlib.contextmanager
def gathered(processes: int = 1) -> Iterator[Team]:
    """The team of this process: torchrun's, or this one with `processes` - 1 others that it starts, or it alone."""
    is_torchrun = "RANK" in os.environ
    if not is_torchrun and processes == 1:
        yield Team()
        return
    others = [] if is_torchrun else _start_others(processes)
    try:
        store, rank, size = next(dist.rendezvous("env://", timeout=PATIENCE))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)) % torch.cuda.device_count())
        yield Team(rank, size, store)
        for other in others:  # they were dismissed
            other.wait()
    finally:
        for other in others:
            other.kill()
            other.wait()
        if dist.is_initialized():
            dist.destroy_process_group()
        if others:
            for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
                os.environ.pop(name)


@dataclass
class Outcome:
    """Of a follower: whether it heard the end."""

    is_complete: bool = False


@contextlib.contextmanager
def following(team: Team) -> Iterator[Outcome]:
    """A follower's outer frame: signals are the leader's business, and so are this process's last words."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        yield Outcome()
    except LeaderGone:
        pass  # it has said why, or could not
    except Exception as error:  # broad: whatever it is, the leader must hear of it, who says it to everyone
        with contextlib.suppress(RuntimeError):  # the leader may be gone, and then nobody asks
            team.store.set(f"{FAULT} {team.rank}", f"process {team.rank}: {type(error).__name__}: {error}")
        traceback.print_exc()


def _start_others(processes: int) -> list[subprocess.Popen]:
    """Start the followers on this machine and make this process their leader."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = dict(WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    command = [sys.executable, "-m", "lm.follow"]
    others = [subprocess.Popen(command, env=os.environ | meeting | {"RANK": str(r)}) for r in range(1, processes)]
    os.environ.update(meeting, RANK="0")
    return others
