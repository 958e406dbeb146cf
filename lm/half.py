"""A model's matrices in 16 bits, for writing on a CPU: half the memory that every token has to read.

A token alone is multiplied with each weight once, so it waits for the weights to arrive, not for the arithmetic. FBGEMM
multiplies float32 rows with matrices kept in fp16 and sums in float32: only the weights are rounded, to 11 significant
bits, three more than training in bf16 looks at. What that costs in quality `benchmarks/generation.py` measures.

A text is written by *one* model throughout: `Halved.model` computes with the rounded matrices in float32 and reads
prompts and whole windows, `Halved.product` has the same numbers packed for single tokens. So writing with and without a
cache still agrees to float32's last bits. Both are made for a model once and again when its weights have changed.

To read a prompt each matrix of a block is rounded when it is met and then forgotten: to keep them all takes memory that
a process does not have yet, which on a virtual machine was measured to take 30 ms for 4 blocks of width 256 and 90 for 6
of 384, longer than the prompt. A small model's are kept (`Halved.keep`) once windows are read often.

To pack the matrices takes nine nanoseconds a weight, once for a model: 1.1 s for GPT-2's 124 million, which on two
processors then writes a token in 17 ms and not 33, eight in 28 and not 75. `halved` gives nothing, and the model writes as
it is, where FBGEMM is missing (it needs x86 with AVX2), where a weight is beyond fp16's range, where the model is much
larger than that, and where it is not small and more processors read float32 faster than one reads fp16.
"""

from __future__ import annotations

import functools
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate
from weakref import WeakKeyDictionary

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from lm.decode import Step, can_decode, is_small, one_thread
from lm.device import has_onednn
from lm.fast_block import onednn_linear
from lm.heap import large_block
from lm.model import GPT
from lm.processors import processors

# Beyond, the wait for the first text is longer than most texts gain; with more processors the models that are not small are
# read faster by all of them. Both assumed: measured up to 124 million, on two.
MOST_PARAMETERS, MOST_PROCESSORS = 200_000_000, 2
ALIGNED = 16  # numbers, the 64 bytes of a cache line
_kept: WeakKeyDictionary[GPT, tuple[Tensor, Halved | None]] = WeakKeyDictionary()


def halved(model: GPT) -> Halved | None:
    """`model` as it is now, with its matrices in fp16, or nothing where that is not to be had."""
    if not (can_decode(model) and gains(model) and has_half_products()):
        return None
    now = fingerprint(model)
    if model not in _kept or not torch.equal(_kept[model][0], now):
        _kept[model] = now, Halved(model) if fits(model) else None
    return _kept[model][1]


def gains(model: GPT) -> bool:
    """Whether one thread and fp16 are faster here than all threads and float32."""
    return is_small(model) or (processors() <= MOST_PROCESSORS and model.parameter_count() <= MOST_PARAMETERS)


def fingerprint(model: GPT) -> Tensor:
    """A number for each row of each weight, that changes with it.

    PyTorch's own count of changes, `_version`, stands still under its fused AdamW (2.13). This reads the weights once,
    as long as a token takes.
    """
    rows = [weight.detach().reshape(-1, weight.size(-1)) for weight in model.parameters()]
    return torch.cat([row @ torch.linspace(1, 2, row.size(-1)) for row in rows])


@functools.cache
def has_half_products() -> bool:
    """Whether this PyTorch on this processor multiplies with packed fp16 matrices."""
    one = torch.ones(1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both calls say, once, that some later PyTorch will lack them
        try:
            torch.fbgemm_linear_fp16_weight_fp32_activation(one, torch.fbgemm_pack_gemm_matrix_fp16(one), None)
        except (AttributeError, RuntimeError):
            return False
    return True


def fits(model: GPT) -> bool:
    """Whether fp16 can hold every weight."""
    most = torch.finfo(torch.float16).max
    ends = (weight.detach().aminmax() for weight in model.parameters() if weight.dim() == 2)
    return all(-most <= least.item() and greatest.item() <= most for least, greatest in ends)


def linears(model: nn.Module) -> list[nn.Linear]:
    return [module for module in model.modules() if isinstance(module, nn.Linear)]


class Halved:
    """A model whose matrices are rounded to fp16, in evaluation mode, and the products with them.

    Its blocks share their weights with the model that it is made of, whose weights must not change meanwhile.
    """

    @torch.inference_mode(False)  # also where a text is being written, so that its parameters are ordinary ones
    def __init__(self, model: GPT) -> None:
        self.model = GPT(model.config, is_blank=True).eval().requires_grad_(False)
        shared = {linear.weight for linear in linears(self.model.blocks)}
        for ours, theirs in zip(self.model.parameters(), model.parameters(), strict=True):
            ours.data = theirs.detach() if ours in shared or theirs.dim() < 2 else rounded(theirs.detach())
        for linear in linears(self.model.blocks):
            linear.forward = partial(rounded_linear, linear)
        self._packed: dict[Tensor, Tensor] = {}
        self._is_kept = False

    @torch.inference_mode(False)
    def keep(self) -> None:
        """Keep the rounded matrices, in one block of memory, each beginning at a border of `ALIGNED` numbers."""
        if self._is_kept:
            return
        self._is_kept = True
        weights = [linear.weight for linear in linears(self.model.blocks)]
        places = [0, *accumulate(-(-weight.numel() // ALIGNED) * ALIGNED for weight in weights)]
        block = torch.frombuffer(large_block(4 * places[-1]), dtype=torch.float32)
        with one_thread():  # several would wait for each other at the first touch of every large page
            for linear, weight, place in zip(linears(self.model.blocks), weights, places):
                ours = block[place : place + weight.numel()].view_as(weight)
                weight.data = ours.copy_(weight.half())
                linear.forward = partial(multiply, weight=weight, bias=linear.bias)

    def product(self, weight: Tensor, bias: Tensor | None) -> Step:
        """x (B, in) float32 → x Wᵀ + b (B, out) float32, for a matrix of `model`."""
        self._packed = self._packed or packed_matrices(self.model)
        packed, bias = self._packed[weight], None if bias is None else bias.detach()
        return partial(torch.fbgemm_linear_fp16_weight_fp32_activation, packed_weight=packed, bias=bias)


def rounded(weight: Tensor) -> Tensor:
    """A copy of `weight` in float32 with fp16's numbers."""
    return weight.half().float()


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`F.linear`, by oneDNN where it is: a prompt's 128 rows by 1536 × 384 in 0.49 ms, where MKL takes 0.97."""
    return (onednn_linear if has_onednn() else F.linear)(x, weight, bias)


def rounded_linear(linear: nn.Linear, x: Tensor) -> Tensor:
    """`linear` of x (…, in) with the weight rounded."""
    return multiply(x, rounded(linear.weight), linear.bias)


def packed_matrices(model: GPT) -> dict[Tensor, Tensor]:
    """What rows of `model` are multiplied with, as FBGEMM lays it out: ten nanoseconds a weight, so on all threads."""
    weights = [linear.weight for linear in linears(model)]
    weights += [model.token_embedding.weight] if model.head is None else []
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        packed = threads.map(lambda weight: torch.fbgemm_pack_gemm_matrix_fp16(rounded(weight.detach())), weights)
        return dict(zip(weights, packed, strict=True))
