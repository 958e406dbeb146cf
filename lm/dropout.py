"""Dropout on a processor: some numbers become zero while a model trains, the others are scaled up (Srivastava et al. 2014).

PyTorch draws for every number by itself, 9 ns each, on one thread however many there are. Here one random number of 64
bits decides of four: a number falls where its 16 bits are small. The rate is so met to 1/131,072, and what stays is scaled
by the share that truly stays, so the mean is exact. Random numbers come from PyTorch's global state and nowhere else:
what brings that state back (resuming, recomputing) brings the same numbers to fall.

On other devices, and under a compiler, it is PyTorch's own.
"""

from __future__ import annotations

import torch
import torch.nn as nn
from torch import Tensor

LEVELS = 1 << 16  # of a number's 16 random bits
LANES = 4  # numbers that a random number of 64 bits decides of


class Dropout(nn.Dropout):
    """`nn.Dropout`, drawn by `stays` where that is possible."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.p and is_drawn_here(x)):
            return super().forward(x)
        return (x * stays(x, self.p)).mul_(scale(self.p))


def is_drawn_here(x: Tensor) -> bool:
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def stays(x: Tensor, rate: float) -> Tensor:
    """Ones and zeros in shape and type of x: which of its numbers are kept when `rate` of them fall.

    Not bool, which would be turned into numbers at every product: 1.0 instead of 0.14 ms for 1.6 million.
    """
    bits = torch.empty(-(-x.numel() // LANES), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    kept = torch.empty(x.shape, dtype=x.dtype)
    return torch.ge(bits[: x.numel()].view(x.shape), _fallen_levels(rate) - LEVELS // 2, out=kept)


def scale(rate: float) -> float:
    """What the numbers that stay are multiplied by, so that their mean is what it was."""
    return LEVELS / (LEVELS - _fallen_levels(rate))


def _fallen_levels(rate: float) -> int:
    return min(round(rate * LEVELS), LEVELS - 1)
