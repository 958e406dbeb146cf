"""Causal attention, by the way that is fastest here: PyTorch's own, or plain matrix products where those win.

PyTorch's flash attention never holds the T × T weights, which is what long contexts need. On a CPU in bf16 and at short
contexts it loses to plain products over weights that are kept for the backward pass, most of all where these are made
in blocks of rows: a block needs the keys up to its last row and none of the later ones. Measured on two cores (Zen 5,
no AMX), forward and backward at 8×6×256×64: 25 ms by PyTorch, 6.5 ms in one block, 5.8 ms in blocks of 128 rows, 6.7 ms
in blocks of 64. The gradients are about as close to float64's as bf16 allows (a test bounds them beside PyTorch's), and
nothing is drawn at random.

`attention_forward` and `attention_backward` are these products, for `PlainAttention` and for `lm.fast_block`.
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
        y = torch.empty_like(q, memory_format=torch.contiguous_format)
        q, k, v = (z.flatten(0, 1) for z in (q, k, v))  # (B H, T, D)
        ctx.save_for_backward(q, k, v, *attention_forward(q, k, v, y))
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN001
        q, k, v, *weights = ctx.saved_tensors
        grad_qkv = q.new_empty((3, *gradient.shape))
        attention_backward(gradient, q, k, v, weights, grad_qkv)
        return tuple(grad_qkv)


def attention_forward(q: Tensor, k: Tensor, v: Tensor, y: Tensor) -> list[Tensor]:
    """Fill y (B, H, T, D), in whatever order it lies, with the mixtures that q, k, v (B H, T, D) ask for.

    Returns the weights of each block of rows, (B H, rows, last row + 1).
    """
    kept = []
    for first, end in _blocks(q.size(1)):
        mask = torch.full((end - first, end), -math.inf, dtype=q.dtype).triu_(first + 1)
        scores = torch.baddbmm(mask, q[:, first:end], k[:, :end].mT, alpha=q.size(2) ** -0.5)
        kept.append(torch.softmax(scores, -1, out=scores))
        y[:, :, first:end] = torch.bmm(scores, v[:, :end]).view(*y.shape[:2], end - first, -1)
    return kept


def attention_backward(
    gradient: Tensor, q: Tensor, k: Tensor, v: Tensor, weights: list[Tensor], grad_qkv: Tensor
) -> None:
    """Fill grad_qkv (3, B, H, T, D), in whatever order it lies, from the gradient of the mixtures (B, H, T, D)."""
    grad_q, grad_k, grad_v = grad_qkv
    B, H, T, D = gradient.shape
    scale = D**-0.5
    for (first, end), kept in zip(reversed(_blocks(T)), reversed(weights), strict=True):  # the last one sees all keys
        here = gradient[:, :, first:end].flatten(0, 1)  # (B H, rows, D)
        grad_weights = torch.bmm(here, v[:, :end].mT)  # (B H, rows, end)
        grad_scores = torch.ops.aten._softmax_backward_data.out(
            grad_weights, kept, -1, kept.dtype, grad_input=grad_weights
        )
        grad_q[:, :, first:end] = torch.bmm(grad_scores, k[:, :end]).mul_(scale).view(B, H, end - first, D)
        grad_keys = torch.bmm(grad_scores.mT, q[:, first:end]).mul_(scale).view(B, H, end, D)
        grad_values = torch.bmm(kept.mT, here).view(B, H, end, D)
        for total, share in ((grad_k, grad_keys), (grad_v, grad_values)):
            if end == T:
                total.copy_(share)
            else:
                total[:, :, :end] += share


def _blocks(length: int) -> list[tuple[int, int]]:
    """First row and end of each block of `ROWS_AT_ONCE` rows."""
    return [(first, min(first + ROWS_AT_ONCE, length)) for first in range(0, length, ROWS_AT_ONCE)]
