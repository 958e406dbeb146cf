"""Attention by plain products: the same attention, its gradients as close to the truth as PyTorch's own in bf16."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lm.attention import LONGEST_PLAIN, PlainAttention, attend

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
        (64, torch.bfloat16, 0.1, True, False),
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


def test_grouped_heads_fall_back(length: int = 16) -> None:
    q, _, _ = heads((1, 4, length, 8), torch.bfloat16)
    _, k, v = heads((1, 2, length, 8), torch.bfloat16)
    assert attend(q, k, v, dropout=0.0).shape == q.shape
