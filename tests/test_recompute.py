"""Activations that are computed twice give the gradients of those that were kept, in less memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lm import run_dir, trainer
from lm.config import ModelConfig, TrainConfig
from lm.costs import memory_estimate
from lm.device import autocast
from lm.model import GPT
from lm.recompute import recompute
from tests.runs import metrics, request, weights, write_text

NETWORKS = [
    dict(arch="gpt2", dropout=0.2),
    dict(arch="modern", dropout=0.1),
    dict(arch="modern"),
    dict(arch="gpt2", n_experts=4, dropout=0.1),
    dict(arch="bigram"),
]


def model_of(**changes) -> GPT:
    small = dict(vocab_size=30, block_size=24, n_layer=3, n_head=2, n_embd=32)
    return GPT(ModelConfig(**small | changes), torch.Generator().manual_seed(1))


def gradients(model: GPT, precision: str) -> list[torch.Tensor]:
    torch.manual_seed(5)  # dropout
    ids = torch.randint(30, (4, 25), generator=torch.Generator().manual_seed(2))
    with autocast(torch.device("cpu"), precision):
        logits = model(ids[:, :-1])
    loss = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
    (loss + 0.1 * model.balance_loss()).backward()
    return [parameter.grad for parameter in model.parameters()] + [torch.rand(3)]  # and where the random state is


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("changes", NETWORKS, ids=lambda changes: "-".join(map(str, changes.values())))
def test_the_gradients_are_the_same_bit_for_bit_dropout_too(changes: dict, precision: str) -> None:
    kept, twice = model_of(**changes), model_of(**changes)
    recompute(twice)
    for a, b in zip(gradients(kept, precision), gradients(twice, precision), strict=True):
        assert torch.equal(a, b)
    assert kept.state_dict().keys() == twice.state_dict().keys()


@pytest.mark.parametrize("changes", [dict(), dict(optimizer="muon", model=dict(arch="modern", n_experts=4))])
def test_a_run_with_recompute_is_the_run_without(tmp_path: Path, changes: dict) -> None:
    text = write_text(tmp_path / "fox.txt")
    kept, twice = (run_dir.create(tmp_path / "runs", name) for name in ("kept", "twice"))
    trainer.train(kept, request(text, **changes))
    trainer.train(twice, request(text, recompute=True, **changes))
    assert metrics(kept) == metrics(twice) and weights(kept) == weights(twice)


@pytest.mark.parametrize("changes", [dict(), dict(n_experts=4)])
def test_what_is_kept_until_the_backward_pass_is_as_little_as_estimated(changes: dict) -> None:
    model = model_of(n_layer=6, **changes)
    recompute(model)
    kept: dict[int, int] = {}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    parameters = {parameter.data_ptr() for parameter in model.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        model(torch.zeros(8, 24, dtype=torch.int64)).float().sum().backward()
    per_token = sum(n for place, n in kept.items() if place not in parameters) / (8 * 24)
    assert per_token < 6 * 32 + 3 * 30 + 8 * 32
    whole, less = (memory_estimate(model.config, TrainConfig(recompute=value)) for value in (False, True))
    assert less < 0.5 * whole


def test_a_mixture_of_experts_lets_go_of_what_the_second_pass_computed() -> None:
    model = model_of(n_experts=4, n_layer=4)
    recompute(model)
    loss = model(torch.zeros(2, 24, dtype=torch.int64)).sum()
    first = [block.mlp.balance for block in model.blocks]
    loss.backward()
    assert all(block.mlp.balance is noted for block, noted in zip(model.blocks, first, strict=True))
