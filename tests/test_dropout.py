"""Dropout by sixteen random bits a number: the rate, the mean, the gradient, and where the randomness comes from."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lm.dropout import LANES, Dropout, scale, stays

RATES = [0.0005, 0.1, 0.2, 0.5, 0.9]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(11)


def is_likely(mask: Tensor, rate: float) -> bool:
    """Whether as many fell as fall by chance, within four and a half deviations."""
    fallen, count = mask.numel() - mask.sum().item(), mask.numel()
    return abs(fallen - rate * count) < 4.5 * math.sqrt(count * rate * (1 - rate))


@pytest.mark.parametrize("rate", RATES)
def test_as_many_fall_as_are_wanted_whichever_of_the_four_bits_decide(rate: float) -> None:
    mask = stays(torch.empty(1_000_003), rate)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert is_likely(mask, rate)
    assert all(is_likely(mask[lane::LANES], rate) for lane in range(LANES))


@pytest.mark.parametrize("distance", range(1, 9))
def test_what_falls_says_nothing_of_its_neighbours(distance: int) -> None:
    mask = stays(torch.empty(1_000_000), 0.5)
    both = mask[:-distance] * mask[distance:]
    assert is_likely(both, 0.75)


@pytest.mark.parametrize("shape", [(1,), (3,), (5, 7), (2, 3, 4), (0, 4), ()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_shape_and_type_are_those_of_the_numbers(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    mask = stays(torch.empty(shape, dtype=dtype), 0.5)
    assert mask.shape == shape and mask.dtype == dtype and mask.is_contiguous()


def test_numbers_that_lie_otherwise_are_dropped_where_they_stand() -> None:
    x = torch.ones(40, 30).T
    y = Dropout(0.5)(x)
    assert y.shape == x.shape and 0.3 < (y == 0).float().mean() < 0.7


@pytest.mark.parametrize("rate", RATES)
def test_what_stays_is_scaled_so_that_the_mean_stays(rate: float) -> None:
    y = Dropout(rate)(torch.full((1_000_000,), 3.0))
    assert torch.equal(y.unique(), torch.tensor([0.0, 3.0 * scale(rate)]))
    assert scale(rate) == pytest.approx(1 / (1 - rate), abs=1e-4 / (1 - rate) ** 2)
    assert abs(y.mean() - 3.0) < 4.5 * 3.0 * math.sqrt(rate / (1 - rate) / len(y))


def test_a_gradient_comes_back_by_the_same_numbers() -> None:
    x = torch.randn(50, 50, requires_grad=True)
    y = Dropout(0.3)(x)
    y.backward(torch.full_like(y, 2.0))
    assert torch.allclose(y, x * x.grad / 2)
    assert x.grad.unique().tolist() == pytest.approx([0.0, 2 * scale(0.3)])


def test_the_global_state_decides_and_it_alone() -> None:
    x, drop = torch.ones(1000), Dropout(0.5)
    state = torch.get_rng_state()
    first, second = drop(x), drop(x)
    torch.set_rng_state(state)
    assert torch.equal(drop(x), first) and torch.equal(drop(x), second) and not torch.equal(first, second)


@pytest.mark.parametrize("drop", [Dropout(0.5).eval(), Dropout(0.0)], ids=["while writing", "rate 0"])
def test_nothing_falls_and_nothing_is_drawn(drop: Dropout) -> None:
    x, state = torch.randn(100), torch.get_rng_state()
    assert torch.equal(drop(x), x) and torch.equal(torch.get_rng_state(), state)


def test_rates_near_one_leave_a_little() -> None:
    mask = stays(torch.empty(10_000_000), 0.999999)  # rounds to all; one level in 65,536 stays
    assert 0 < mask.sum() < 400


def test_under_a_compiler_it_is_pytorchs_own() -> None:
    drop, x = Dropout(0.5), torch.ones(4000)
    torch._dynamo.reset()
    state = torch.get_rng_state()
    found = torch.compile(drop, backend="eager", fullgraph=True)(x)
    torch.set_rng_state(state)
    assert torch.equal(found, torch.nn.functional.dropout(x, 0.5))
