"""Causal attention, by the way that is fastest here: PyTorch's own, or plain matrix products where those win.

PyTorch's flash attention never holds the T × T weights, which is what long contexts need. On a CPU in bf16 and at short
contexts it loses to plain products over weights that are kept for the backward pass, most of all where these are made
in blocks of rows: a block needs the keys up to its last row and none of the later ones. Measured on two cores (Zen 5,
no AMX), forward and backward at 8×6×256×64: 25 ms by PyTorch, 6.5 ms in one block, 5.8 ms in blocks of 128 rows, 6.7 ms
in blocks of 64. The gradients are about as close to float64's as bf16 allows (a test bounds them beside PyTorch's).

Attention that drops weights is always made of plain products on a CPU: there PyTorch, too, then keeps them all, and takes
most of its time to draw which of them fall (`lm.dropout`).

`attention_forward` and `attention_backward` are these products, for `PlainAttention` and for `lm.fast_block`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lm.dropout import is_drawn_here, scale, stays

LONGEST_PLAIN = 256
ROWS_AT_ONCE = 128


def attend(q: Tensor, k: Tensor, v: Tensor, *, dropout: float) -> Tensor:
    """Causal attention of q (B, H, T, D) over k, v (B, H_kv, S, D) → (B, H, T, D); T is S, or 1 for the newest."""
    groups = q.size(1) // k.size(1)
    if _is_plain_faster(q, k, dropout):
        return PlainAttention.apply(q, *(z.repeat_interleave(groups, 1) if groups > 1 else z for z in (k, v)), dropout)
    return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=q.size(2) > 1, enable_gqa=groups > 1)


def _is_plain_faster(q: Tensor, k: Tensor, dropout: float) -> bool:
    if dropout:
        return q.size(2) == k.size(2) and is_drawn_here(q)
    is_short = 1 < q.size(2) <= LONGEST_PLAIN and q.shape == k.shape
    return is_short and q.requires_grad and q.device.type == "cpu" and q.dtype == torch.bfloat16


def keeps_weights(length: int, dropout: float) -> bool:
    """Whether attention over so many tokens keeps its weights for the backward pass on a CPU: of a short context, where
    that is faster, and of any where some are dropped."""
    return length <= LONGEST_PLAIN or dropout > 0


class PlainAttention(torch.autograd.Function):
    """softmax(q kᵀ/√D + mask) v, and its gradients by the chain rule; q, k, v (B, H, T, D)."""

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:  # noqa: ANN001 - autograd's own
        y = torch.empty_like(q, memory_format=torch.contiguous_format)
        q, k, v = (z.flatten(0, 1) for z in (q, k, v))  # (B H, T, D)
        ctx.save_for_backward(q, k, v, *attention_forward(q, k, v, y, dropout))
        ctx.dropout = dropout
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN001
        q, k, v, *kept = ctx.saved_tensors
        grad_qkv = q.new_empty((3, *gradient.shape))
        attention_backward(gradient, q, k, v, kept, grad_qkv, ctx.dropout)
        return *grad_qkv, None


def attention_forward(q: Tensor, k: Tensor, v: Tensor, y: Tensor, dropout: float = 0.0) -> list[Tensor]:
    """Fill y (B, H, T, D), in whatever order it lies, with the mixtures that q, k, v (B H, T, D) ask for.

    Returns what the backward pass needs: the weights of each block of rows, (B H, rows, last row + 1), and with `dropout`
    after each which of them stayed.
    """
    kept = []
    for first, end in _blocks(q.size(1)):
        mask = torch.full((end - first, end), -math.inf, dtype=q.dtype).triu_(first + 1)
        scores = torch.baddbmm(mask, q[:, first:end], k[:, :end].mT, alpha=q.size(2) ** -0.5)
        weights = torch.softmax(scores, -1, out=scores)
        kept.append(weights)
        if dropout:
            kept.append(stays(weights, dropout))
            weights = weights * kept[-1]
        mixtures = torch.bmm(weights, v[:, :end]).view(*y.shape[:2], end - first, -1)
        y[:, :, first:end] = mixtures.mul_(scale(dropout)) if dropout else mixtures
    return kept


def attention_backward(
    gradient: Tensor, q: Tensor, k: Tensor, v: Tensor, kept: list[Tensor], grad_qkv: Tensor, dropout: float = 0.0
) -> None:
    """Fill grad_qkv (3, B, H, T, D), in whatever order it lies, from the gradient of the mixtures (B, H, T, D)."""
    grad_q, grad_k, grad_v = grad_qkv
    B, H, T, D = gradient.shape
    factor, kept = D**-0.5, list(kept)
    for first, end in reversed(_blocks(T)):  # the last one sees all keys
        here = gradient[:, :, first:end].flatten(0, 1)  # (B H, rows, D)
        if dropout:
            stayed, here = kept.pop(), here * scale(dropout)
        weights = kept.pop()
        grad_weights = torch.bmm(here, v[:, :end].mT)  # (B H, rows, end)
        if dropout:
            grad_weights *= stayed
        grad_scores = torch.ops.aten._softmax_backward_data.out(
            grad_weights, weights, -1, weights.dtype, grad_input=grad_weights
        )
        grad_q[:, :, first:end] = torch.bmm(grad_scores, k[:, :end]).mul_(factor).view(B, H, end - first, D)
        grad_keys = torch.bmm(grad_scores.mT, q[:, first:end]).mul_(factor).view(B, H, end, D)
        if dropout:
            weights = torch.mul(weights, stayed, out=grad_weights)  # whose own numbers have been read
        grad_values = torch.bmm(weights.mT, here).view(B, H, end, D)
        for total, share in ((grad_k, grad_keys), (grad_v, grad_values)):
            if end == T:
                total.copy_(share)
            else:
                total[:, :, :end] += share


def _blocks(length: int) -> list[tuple[int, int]]:
    """First row and end of each block of `ROWS_AT_ONCE` rows."""
    return [(first, min(first + ROWS_AT_ONCE, length)) for first in range(0, length, ROWS_AT_ONCE)]
