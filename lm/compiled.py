"""The loss of a batch, forward and backward, as fused kernels, where that pays and a compiler is there: `--compile`.

`torch.compile` makes them at the first call, which takes from seconds to minutes. It is tried here once, before the
first step, and a machine that cannot do it trains on without. The compiled function works on the same parameters under
the same names, so checkpoints, evaluations and samples know nothing of it.

The loss is inside, for over a large vocabulary it is mostly traffic: the scores of 16 × 1,024 tokens are 3.3 GB in
float32 at V = 50,257, and operation by operation they are written and read several times. Fused kernels keep them in
bf16 alone.

`auto` compiles on CUDA only: on a CPU it was measured to take 12 to 27 s and to gain nothing. Nor does it compile a
mixture of experts: how many tokens an expert meets differs from step to step, and each number would be compiled anew.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lm.device import autocast
from lm.model import GPT

Objective = Callable[[Tensor, Tensor], Tensor]  # ids and targets (rows, T) → their mean loss


def is_wanted(setting: str, model: GPT) -> bool:
    """Whether `setting` (on, off or auto) asks to compile this model on the device that it is on."""
    return setting == "on" or (setting == "auto" and model.device.type == "cuda" and not model.config.has_experts)


def objective(model: GPT, device: torch.device, precision: str, label_smoothing: float) -> Objective:
    """What a step lowers: ids and targets (rows, T) int64 → the mean loss in nats, float32, smoothing counted in."""

    def loss(ids: Tensor, targets: Tensor) -> Tensor:
        with autocast(device, precision):
            logits = model(ids)  # (rows, T, V)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), label_smoothing=label_smoothing)

    return loss


def compiled(loss: Objective, model: GPT, rows: int, say: Callable[[str], None]) -> Objective:
    """`loss`, an `objective` of `model`, compiled for batches of `rows` rows; itself where that fails.

    Tries one forward and backward pass of the full shape. Leaves gradients and random states as they were.
    """
    fast = torch.compile(loss, dynamic=False)
    shape = (rows, model.config.block_size)  # of two tensors: for one that is both ids and targets it is made anew
    ids, targets = (torch.zeros(shape, dtype=torch.int64, device=model.device) for _ in range(2))
    gpus = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(gpus):
            fast(ids, targets).backward()
    except torch.OutOfMemoryError:
        raise
    # No compiler, no Triton, a graph it cannot make; Triton's own compiler fails as a process where Python.h is missing.
    except (RuntimeError, ImportError, OSError, subprocess.SubprocessError) as error:
        reason = str(error).strip().partition("\n")[0]
        say(f"torch.compile does not work here ({reason}), so the model runs as it is; --compile off says so at once")
        return loss
    finally:
        model.zero_grad(set_to_none=True)
    return fast
