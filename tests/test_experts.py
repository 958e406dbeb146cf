"""Mixtures of experts: every token meets the experts its router likes best, and they are kept in balance."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lm import run_dir, trainer
from lm.checkpoint import export, find_checkpoint, load_config, load_model, save_model
from lm.config import ModelConfig, TrainConfig
from lm.costs import activations_per_token, active_parameters, count_parameters, memory_estimate
from lm.errors import CheckpointError
from lm.model import GPT, Experts, balance_loss
from lm.optim import make_optimizers
from lm.settings import problems
from lm.tokenizer import CharTokenizer
from tests.runs import metrics, request, write_text

MIXED = ModelConfig(vocab_size=11, block_size=12, n_layer=2, n_head=2, n_embd=16, n_experts=4, n_experts_per_token=2)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lively_experts(config: ModelConfig = MIXED) -> Experts:
    experts = Experts(config)
    with torch.no_grad():
        for parameter in experts.parameters():
            parameter.normal_(0.0, 0.5, generator=seeded(parameter.numel()))
    return experts


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "text.txt")


def test_a_token_becomes_the_gated_sum_of_the_experts_it_likes_best():
    experts, x = lively_experts(), torch.randn(2, 5, 16, generator=seeded())
    with torch.no_grad():
        y = experts(x)
        for token, result in zip(x.flatten(0, 1), y.flatten(0, 1), strict=True):
            likings = torch.softmax(experts.router.weight @ token, dim=0)
            best = sorted(range(4), key=lambda i: -likings[i])[:2]
            expected = sum(likings[i] * experts.experts[i](token) for i in best) / sum(likings[i] for i in best)
            torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


def test_an_expert_without_tokens_still_has_a_gradient():
    experts = lively_experts()
    with torch.no_grad():
        experts.router.weight[3] = 0.0
        experts.router.weight[:3] = 5.0
    experts(torch.ones(1, 3, 16)).sum().backward()
    assert experts.counts[3] == 0
    assert all(p.grad is not None and not p.grad.any() for p in experts.experts[3].parameters())


def test_the_balance_loss_is_one_when_all_are_used_alike_and_the_number_of_experts_when_one_is():
    likings = torch.full((8, 4), 0.25)
    assert balance_loss(likings, torch.tensor([4, 4, 4, 4])) == pytest.approx(1.0)
    one = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(8, 4)
    assert balance_loss(one, torch.tensor([8, 0, 0, 0])) == pytest.approx(4.0)


def test_the_balance_loss_brings_a_neglected_expert_back():
    experts, x = lively_experts(), torch.randn(64, 1, 16, generator=seeded())
    with torch.no_grad():
        x += 1.0  # a common direction, which three of the experts' rows follow
        experts.router.weight[:3] += 0.1
        experts.router.weight[3] -= 0.1
    optimizer = torch.optim.SGD([experts.router.weight], lr=0.5)
    first = None
    for _ in range(60):
        experts.counts.zero_()
        experts(x)
        first = int(experts.counts[3]) if first is None else first
        optimizer.zero_grad()
        experts.balance.backward()
        optimizer.step()
    assert first <= 10 and experts.counts[3] > 20


def test_the_shares_of_the_experts_stand_in_the_metrics(text, tmp_path):
    run = run_dir.create(tmp_path, "mixed")
    trainer.train(run, request(text, model=dict(n_experts=4)))
    for record in metrics(run):
        assert ("expert_shares" in record) == ("val_loss" in record)
        for shares in record.get("expert_shares", []):
            assert len(shares) == 4 and sum(shares) == pytest.approx(1.0, abs=1e-3)
    assert len(metrics(run)[0]["expert_shares"]) == 2
    dense = run_dir.create(tmp_path, "dense")
    trainer.train(dense, request(text))
    assert not any("expert_shares" in record for record in metrics(dense))


def test_the_balance_loss_is_in_no_reported_loss(text, tmp_path):
    first = []
    for weight in (0.0, 10.0):
        run = run_dir.create(tmp_path, f"weight-{weight}")
        trainer.train(run, request(text, steps=1, balance_weight=weight, model=dict(n_experts=4)))
        first.append(next(record["loss"] for record in metrics(run) if "loss" in record))
    assert first[0] == first[1]


@pytest.mark.parametrize("arch", ["gpt2", "modern"])
def test_active_parameters_leave_out_the_experts_that_a_token_does_not_meet(arch):
    config = dataclasses.replace(MIXED, arch=arch)
    dense = dataclasses.replace(config, n_experts=0)
    routers = config.n_layer * config.n_experts * config.n_embd
    one_expert = sum(p.numel() for p in GPT(config).blocks[0].mlp.experts[0].parameters())
    assert active_parameters(dense) == count_parameters(dense)
    assert active_parameters(config) == count_parameters(dense) + routers + config.n_layer * one_expert
    assert count_parameters(config) == GPT(config).parameter_count()
    assert count_parameters(config) == active_parameters(config) + config.n_layer * 2 * one_expert


def test_muon_leaves_routers_to_adamw():
    model = GPT(MIXED)
    muon, adamw = make_optimizers(model, TrainConfig(optimizer="muon"))
    routers = {id(block.mlp.router.weight) for block in model.blocks}
    assert not routers & {id(p) for group in muon.param_groups for p in group["params"]}
    assert routers <= {id(p) for p in adamw.param_groups[0]["params"]}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_memory_estimate_holds_the_states_of_all_experts(optimizer):
    train, ids = TrainConfig(optimizer=optimizer, batch_size=2), torch.zeros(2, 12, dtype=torch.int64)
    model = GPT(MIXED)
    optimizers = make_optimizers(model, train)
    F.cross_entropy(model(ids).flatten(0, 1), ids.flatten()).backward()
    for each in optimizers:
        each.step()
    states = sum(v.numel() for each in optimizers for state in each.state.values() for v in state.values() if v.dim())
    exact = 4 * (2 * model.parameter_count() + states)
    assert memory_estimate(MIXED, train) == exact + 4 * ids.numel() * activations_per_token(MIXED)


def test_a_mixture_that_transformers_cannot_hold_is_ours_alone(text, tmp_path):
    run = run_dir.create(tmp_path, "mixed")
    trainer.train(run, request(text, model=dict(n_experts=4)))
    best = find_checkpoint("mixed", tmp_path)
    assert load_model(best).config == load_config(best) and load_config(best).n_experts == 4
    with pytest.raises(CheckpointError, match="arch=gpt2 with n_experts=4.*arch=modern"):
        export(best, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_experts_that_were_trained_further_elsewhere_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    tokenizer = CharTokenizer("abcdefghij")
    save_model(tmp_path, GPT(dataclasses.replace(MIXED, arch="modern")), tokenizer, step=1, val_loss=None)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["model.layers.0.mlp.experts.2.gate_proj.weight"][0, 0] += 1
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"experts\.2\.gate_proj.*trained further elsewhere"):
        load_model(tmp_path)


def test_a_router_without_a_choice_is_refused():
    [fault] = problems(dataclasses.replace(MIXED, n_experts=2))
    assert "n_experts=2" in fault and "use n_experts=4" in fault
    assert not problems(dataclasses.replace(MIXED, n_experts=0, n_experts_per_token=9))
