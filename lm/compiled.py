"""The model's forward and backward passes as fused kernels, where that pays and a compiler is there: `--compile`.

`torch.compile` makes them at the first call, which takes from seconds to minutes. It is tried here once, before the
first step, and a machine that cannot do it trains on without. The compiled function works on the same parameters under
the same names, so checkpoints, evaluations and samples know nothing of it.

`auto` compiles on CUDA only: on a CPU it was measured to take 12 to 27 s and to gain nothing. Nor does it compile a
mixture of experts: how many tokens an expert meets differs from step to step, and each number would be compiled anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from lm.model import GPT

Forward = Callable[[Tensor], Tensor]


def is_wanted(setting: str, model: GPT) -> bool:
    """Whether `setting` (on, off or auto) asks to compile this model on the device that it is on."""
    return setting == "on" or (setting == "auto" and model.device.type == "cuda" and not model.config.has_experts)


def compiled(model: GPT, rows: int, precision: AbstractContextManager, say: Callable[[str], None]) -> Forward:
    """The function ids (rows, T) → logits (rows, T, V), compiled; the model itself where that fails.

    Tries one forward and backward pass of the full shape. Leaves gradients and random states as they were.
    """
    fast = torch.compile(model, dynamic=False)
    ids = torch.zeros((rows, model.config.block_size), dtype=torch.int64, device=model.device)
    gpus = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(gpus), precision:
            fast(ids).float().sum().backward()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ImportError, OSError) as error:  # no compiler, no Triton, a graph it cannot make
        reason = str(error).strip().partition("\n")[0]
        say(f"torch.compile does not work here ({reason}), so the model runs as it is; --compile off says so at once")
        return model
    finally:
        model.zero_grad(set_to_none=True)
    return fast
