"""A block by hand: what the plain block computes, its gradients as close to the truth as autocast's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from models import lively
from torch import Tensor

from lm import fast_block
from lm.attention import LONGEST_PLAIN
from lm.config import ModelConfig
from lm.model import GPT

CONFIG = ModelConfig(vocab_size=31, block_size=160, n_layer=2, n_head=4, n_embd=64)
VARIANTS = {
    "gpt2": {},
    "gpt2 tanh": dict(gelu="tanh"),
    "gpt2 without biases": dict(bias=False),
    "gpt2 without query biases": dict(qkv_bias=False),
    "modern": dict(arch="modern"),
    "modern untied": dict(arch="modern", tie_weights=False),
    "gpt2 with dropout": dict(dropout=0.2),
    "modern with dropout": dict(arch="modern", dropout=0.2),
}
every_variant = pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)


def made(**changes) -> GPT:
    return lively(replace(CONFIG, **changes), scale=0.1).train()


def outcome(model: GPT, precision: torch.dtype, *, is_fast: bool, monkeypatch, length: int = 150) -> list[Tensor]:
    """Logits and the gradients of all parameters, in float64."""
    monkeypatch.setattr(fast_block, "is_ready", is_ready if is_fast else lambda x: False)
    ids = torch.randint(31, (2, length + 1), generator=torch.Generator().manual_seed(2))
    model.zero_grad(set_to_none=True)
    torch.manual_seed(3)  # dropout: the same numbers fall
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
        logits = model(ids[:, :-1])
    F.cross_entropy(
        logits.to(max(precision, torch.float32, key=lambda d: d.itemsize)).flatten(0, 1), ids[:, 1:].flatten()
    ).backward()
    return [logits.detach().double(), *(parameter.grad.double() for parameter in model.parameters())]


is_ready = fast_block.is_ready


def distances(found: list[Tensor], truth: list[Tensor]) -> Tensor:
    """How far each tensor is from the truth, relative to its length."""
    return torch.stack([(a - b).norm() / b.norm() for a, b in zip(found, truth, strict=True)])


@every_variant
@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float32], ids=["bf16", "float32"])
def test_logits_and_gradients_are_as_close_to_float64_as_the_modules_own(changes, precision, monkeypatch) -> None:
    model = made(**changes)
    ours, theirs = (outcome(model, precision, is_fast=fast, monkeypatch=monkeypatch) for fast in (True, False))
    truth = outcome(model.double(), torch.float64, is_fast=False, monkeypatch=monkeypatch)
    ours_off, theirs_off = distances(ours, truth), distances(theirs, truth)
    assert ours_off.mean() < 1.1 * theirs_off.mean()
    assert (ours_off < 1.5 * theirs_off + (1e-3 if precision == torch.bfloat16 else 1e-6)).all()


def branches(model: GPT, length: int) -> int:
    """How many branches a forward pass over so many tokens computes by hand."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        model(torch.zeros(1, length, dtype=torch.int64))
    return sum(event.name in ("AttentionBranch", "MLPBranch") for event in profile.events())


@pytest.mark.parametrize("arch", ["gpt2", "modern"])
def test_a_float32_training_goes_by_hand_and_what_only_reads_does_not(arch: str) -> None:
    model = made(arch=arch)
    assert branches(model, 8) == 2 * CONFIG.n_layer
    with torch.no_grad():
        assert branches(model, 8) == 0


@pytest.mark.parametrize("arch", ["gpt2", "modern"])
@pytest.mark.parametrize("length", [40, LONGEST_PLAIN + 40])
def test_with_dropout_too_and_then_at_any_length(arch: str, length: int, monkeypatch) -> None:
    model = made(arch=arch, dropout=0.2, block_size=length)
    ours, theirs = (
        outcome(model, torch.float32, is_fast=fast, monkeypatch=monkeypatch, length=length) for fast in (True, False)
    )
    assert distances(ours, theirs).max() < 1e-4
    monkeypatch.setattr(fast_block, "is_ready", is_ready)
    assert branches(model, length) == 2 * CONFIG.n_layer


def test_no_number_falls_while_a_model_writes() -> None:
    model, ids = made(dropout=0.5).eval(), torch.zeros(1, 8, dtype=torch.int64)
    assert torch.equal(model(ids), model(ids))


def test_half_precisions_other_than_bf16_and_float64_go_their_own_way() -> None:
    x = torch.zeros(1, 4, 8, requires_grad=True)
    assert fast_block.is_ready(x) and not fast_block.is_ready(x.double())
    with torch.autocast("cpu", dtype=torch.float16):
        assert not fast_block.is_ready(x)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        assert fast_block.is_ready(x.detach())
