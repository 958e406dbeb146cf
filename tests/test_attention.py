"""Attention by plain products: the same attention, its gradients as close to the truth as PyTorch's own in bf16."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lm.attention import LONGEST_PLAIN, ROWS_AT_ONCE, PlainAttention, attend
from lm.dropout import scale, stays

SHAPES = [(2, 3, 16, 8), (1, 2, 33, 16), (2, 4, 128, 48), (1, 2, 200, 16)]  # the last in two blocks of rows


def heads(shape: tuple[int, ...], dtype: torch.dtype) -> list[Tensor]:
    """q, k, v as the model makes them: views of one (B, T, H, D) tensor with the heads moved forward."""
    B, H, T, D = shape
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(B, T, H, D, generator=generator).to(dtype).transpose(1, 2).requires_grad_() for _ in range(3)]


def outcome(attention, qkv: list[Tensor]) -> list[Tensor]:
    """The output and the gradients of q, k, v for one fixed direction, in float64."""
    y = attention(*qkv)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y.dtype)
    return [z.detach().double() for z in (y, *torch.autograd.grad(y, qkv, direction))]


def flash(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_plain_attention_is_attention_and_so_are_its_gradients(shape: tuple[int, ...]) -> None:
    qkv = heads(shape, torch.float64)
    for ours, theirs in zip(outcome(PlainAttention.apply, qkv), outcome(flash, qkv), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_in_bf16_it_is_about_as_close_to_float64_as_pytorchs_own(shape: tuple[int, ...]) -> None:
    qkv = heads(shape, torch.bfloat16)
    truth = outcome(flash, [z.detach().double().requires_grad_() for z in qkv])
    for ours, theirs, true in zip(outcome(PlainAttention.apply, qkv), outcome(flash, qkv), truth, strict=True):
        ours_off, theirs_off = ((z - true).norm() / true.norm() for z in (ours, theirs))
        assert ours_off < 0.006 and ours_off < 2 * theirs_off


def test_no_token_sees_a_later_one() -> None:
    q, k, v = heads((1, 2, 12, 8), torch.bfloat16)
    later = v.detach().clone()
    later[:, :, 7:] += 1.0
    before, after = PlainAttention.apply(q, k, v), PlainAttention.apply(q, k, later)
    assert torch.equal(before[:, :, :7], after[:, :, :7]) and not torch.equal(before[:, :, 7:], after[:, :, 7:])


@pytest.mark.parametrize(
    ("length", "dtype", "dropout", "is_training", "is_plain"),
    [
        (LONGEST_PLAIN, torch.bfloat16, 0.0, True, True),
        (LONGEST_PLAIN + 1, torch.bfloat16, 0.0, True, False),
        (64, torch.float32, 0.0, True, False),
        (64, torch.bfloat16, 0.1, True, True),
        (64, torch.float32, 0.1, True, True),
        (LONGEST_PLAIN + 1, torch.float32, 0.1, True, True),
        (64, torch.bfloat16, 0.0, False, False),
        (1, torch.bfloat16, 0.0, True, False),
    ],
)
def test_the_plain_way_is_taken_only_where_it_was_measured_to_win(
    length: int, dtype: torch.dtype, dropout: float, is_training: bool, is_plain: bool
) -> None:
    q, k, v = heads((1, 1, length, 8), dtype)
    with torch.set_grad_enabled(is_training):
        y = attend(*(z if is_training else z.detach() for z in (q, k, v)), dropout=dropout)
    assert (type(y.grad_fn).__name__ == "PlainAttentionBackward") is is_plain


def dropping(q: Tensor, k: Tensor, v: Tensor, rate: float) -> Tensor:
    """Attention by its formula, every number where PyTorch's own differentiation sees it; drawn as `PlainAttention` draws."""
    T, groups = q.size(2), q.size(1) // k.size(1)
    k, v = (z.repeat_interleave(groups, 1) for z in (k, v))
    scores = q @ k.mT / q.size(-1) ** 0.5
    weights = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -math.inf).softmax(-1)
    mask = torch.zeros_like(weights)
    for first in range(0, T, ROWS_AT_ONCE):
        rows = weights[:, :, first : first + ROWS_AT_ONCE, : first + ROWS_AT_ONCE].detach()
        mask[:, :, first : first + ROWS_AT_ONCE, : first + ROWS_AT_ONCE] = stays(rows, rate)
    return weights * mask * scale(rate) @ v


@pytest.mark.parametrize("shape", [*SHAPES, (1, 2, LONGEST_PLAIN + 70, 8)])
@pytest.mark.parametrize("groups", [1, 2])
def test_with_dropout_it_is_the_formula_and_so_are_its_gradients(shape: tuple[int, ...], groups: int) -> None:
    B, H, T, D = shape
    q, _, _ = heads((B, groups * H, T, D), torch.float64)
    _, k, v = heads(shape, torch.float64)
    found = []
    for attention in (lambda q, k, v: attend(q, k, v, dropout=0.3), lambda q, k, v: dropping(q, k, v, 0.3)):
        torch.manual_seed(7)
        found.append(outcome(attention, [q, k, v]))
    for ours, formula in zip(*found, strict=True):
        assert torch.allclose(ours, formula, atol=1e-10)


def test_one_query_over_many_keys_is_pytorchs_own(length: int = 9) -> None:
    q, k, v = heads((1, 2, length, 8), torch.float32)
    assert attend(q[:, :, -1:], k, v, dropout=0.5).shape == (1, 2, 1, 8)


def test_grouped_heads_fall_back(length: int = 16) -> None:
    q, _, _ = heads((1, 4, length, 8), torch.bfloat16)
    _, k, v = heads((1, 2, length, 8), torch.bfloat16)
    assert attend(q, k, v, dropout=0.0).shape == q.shape
