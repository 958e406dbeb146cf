"""Causal attention, by the way that is fastest here: PyTorch's own, or plain matrix products where those win.

PyTorch's flash attention never holds the T × T weights, which is what long contexts need. On a CPU in bf16 and at short
contexts it loses to plain products over weights that are kept for the backward pass, most of all where these are made
in blocks of rows: a block needs the keys up to its last row and none of the later ones. Measured on two cores (Zen 5,
no AMX), forward and backward at 8×6×256×64: 25 ms by PyTorch, 6.5 ms in one block, 5.8 ms in blocks of 128 rows, 6.7 ms
in blocks of 64. The gradients are about as close to float64's as bf16 allows (a test bounds them beside PyTorch's), and
nothing is drawn at random.

`weigh` and `weigh_backward` are these products, for `PlainAttention` and for `lm.fast_block`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LONGEST_PLAIN = 256
ROWS_AT_ONCE = 128


def attend(q: Tensor, k: Tensor, v: Tensor, *, dropout: float) -> Tensor:
    """Causal attention of q (B, H, T, D) over k, v (B, H_kv, S, D) → (B, H, T, D); T is S, or 1 for the newest."""
    if _is_plain_faster(q, k, dropout):
        return PlainAttention.apply(q, k, v)
    return F.scaled_dot_product_attention(
        q, k, v, dropout_p=dropout, is_causal=q.size(2) > 1, enable_gqa=q.size(1) != k.size(1)
    )


def _is_plain_faster(q: Tensor, k: Tensor, dropout: float) -> bool:
    is_short = 1 < q.size(2) <= LONGEST_PLAIN and q.shape == k.shape
    return is_short and q.requires_grad and not dropout and q.device.type == "cpu" and q.dtype == torch.bfloat16


class PlainAttention(torch.autograd.Function):
    """softmax(q kᵀ/√D + mask) v, and its gradients by the chain rule; q, k, v (B, H, T, D)."""

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # noqa: ANN001 - autograd's own context
        B, H, T, D = q.shape
        q, k, v = (z.reshape(B * H, T, D) for z in (q, k, v))
        y, weights = weigh(q, k, v)
        ctx.save_for_backward(q, k, v, *weights)
        return y.view(B, H, T, D)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN001
        q, k, v, *weights = ctx.saved_tensors
        gradients = weigh_backward(gradient.reshape(q.shape), q, k, v, weights)
        return tuple(z.view(gradient.shape) for z in gradients)


def weigh(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, list[Tensor]]:
    """q, k, v (N, T, D) → the mixtures (N, T, D), and the weights of each block of rows, (N, rows, last row + 1)."""
    y, kept = torch.empty_like(q), []
    for first, end in _blocks(q.size(1)):
        mask = torch.full((end - first, end), -math.inf, dtype=q.dtype).triu_(first + 1)
        scores = torch.baddbmm(mask, q[:, first:end], k[:, :end].mT, alpha=q.size(2) ** -0.5)
        kept.append(scores.softmax(-1))
        y[:, first:end] = torch.bmm(kept[-1], v[:, :end])
    return y, kept


def weigh_backward(gradient: Tensor, q: Tensor, k: Tensor, v: Tensor, weights: list[Tensor]) -> tuple[Tensor, ...]:
    """The gradients of q, k and v, from that of the mixtures: all (N, T, D)."""
    by_q, by_k, by_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    blocks = _blocks(q.size(1))
    for (first, end), kept in zip(reversed(blocks), reversed(weights), strict=True):  # the last one sees all keys
        here = gradient[:, first:end]
        by_weights = torch.bmm(here, v[:, :end].mT)  # (N, rows, end)
        by_scores = torch._softmax_backward_data(by_weights, kept, -1, kept.dtype)
        by_q[:, first:end] = torch.bmm(by_scores, k[:, :end])
        for total, share in ((by_k, torch.bmm(by_scores.mT, q[:, first:end])), (by_v, torch.bmm(kept.mT, here))):
            if end == q.size(1):
                total.copy_(share)
            else:
                total[:, :end] += share
    scale = q.size(2) ** -0.5
    return by_q.mul_(scale), by_k.mul_(scale), by_v


def _blocks(length: int) -> list[tuple[int, int]]:
    """First row and end of each block of `ROWS_AT_ONCE` rows."""
    return [(first, min(first + ROWS_AT_ONCE, length)) for first in range(0, length, ROWS_AT_ONCE)]
