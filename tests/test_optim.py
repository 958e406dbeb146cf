"""Parameter groups, Muon against PyTorch's own, and the shape of the schedule."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from lm import optim
from lm.config import ModelConfig, TrainConfig
from lm.model import GPT
from lm.optim import AdamW, Muon, lr_scale, make_optimizers, orthogonalise, set_lr

TINY = ModelConfig(vocab_size=11, block_size=8, n_layer=2, n_head=2, n_embd=16)


def model(**changes) -> GPT:
    return GPT(ModelConfig(**{**TINY.__dict__, **changes}), torch.Generator().manual_seed(0))


def names_of(network: GPT, parameters) -> set[str]:
    wanted = {id(parameter) for parameter in parameters}
    return {name for name, parameter in network.named_parameters() if id(parameter) in wanted}


@pytest.mark.parametrize("arch", ["gpt2", "modern", "bigram"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("tie_weights", [True, False])
@pytest.mark.parametrize("embedding_lr", [0.0, 0.1])
def test_every_parameter_is_stepped_by_exactly_one_group(arch, optimizer, tie_weights, embedding_lr):
    network = model(arch=arch, tie_weights=tie_weights)
    optimizers = make_optimizers(network, TrainConfig(optimizer=optimizer, embedding_lr=embedding_lr))
    stepped = [id(p) for o in optimizers for group in o.param_groups for p in group["params"]]
    assert sorted(stepped) == sorted(id(p) for p in network.parameters())


def test_biases_norms_and_embeddings_do_not_decay_and_matrices_do():
    network = model(tie_weights=False)
    (adamw,) = make_optimizers(network, TrainConfig(weight_decay=0.3))
    decaying, spared = adamw.param_groups
    assert decaying["weight_decay"] == 0.3 and spared["weight_decay"] == 0.0
    assert names_of(network, decaying["params"]) == {"head.weight"} | {
        f"blocks.{n}.{matrix}.weight"
        for n in range(2)
        for matrix in ("attention.qkv", "attention.out", "mlp.up", "mlp.down")
    }


def test_a_tied_head_is_spared_from_decay_as_an_embedding():
    network = model(tie_weights=True)
    (adamw,) = make_optimizers(network, TrainConfig())
    assert "token_embedding.weight" in names_of(network, adamw.param_groups[1]["params"])


def test_muon_gets_only_the_matrices_inside_the_blocks():
    network = model(arch="modern", tie_weights=False)
    muon, adamw = make_optimizers(network, TrainConfig(optimizer="muon", muon_lr=0.02, lr=0.001))
    hidden = names_of(network, [p for group in muon.param_groups for p in group["params"]])
    assert hidden == {name for name, p in network.named_parameters() if name.startswith("blocks") and p.dim() == 2}
    assert {group["initial_lr"] for group in muon.param_groups} == {0.02}
    assert {group["initial_lr"] for group in adamw.param_groups} == {0.001}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_an_untied_token_embedding_may_have_a_rate_of_its_own(optimizer):
    def rates(**changes) -> dict[str, float]:
        network = model(arch="modern", **changes)
        config = TrainConfig(optimizer=optimizer, lr=0.001, muon_lr=0.001, embedding_lr=0.1)
        groups = [group for o in make_optimizers(network, config) for group in o.param_groups]
        assert groups[0]["lr"] == 0.001  # the matrices' rate, which is logged
        return {name: group["initial_lr"] for group in groups for name in names_of(network, group["params"])}

    untied, tied = rates(tie_weights=False), rates(tie_weights=True)
    assert [name for name, rate in untied.items() if rate == 0.1] == ["token_embedding.weight"]
    assert set(untied.values()) == {0.1, 0.001} and set(tied.values()) == {0.001}


def test_betas_and_momentum_come_from_the_settings():
    muon, adamw = make_optimizers(model(), TrainConfig(optimizer="muon", muon_momentum=0.7, beta1=0.8, beta2=0.97))
    assert {group["betas"] for group in adamw.param_groups} == {(0.8, 0.97)}
    assert muon.momentum == 0.7


@pytest.mark.parametrize("shape", [(16, 16), (48, 16), (16, 64)])
def test_muon_steps_as_pytorchs_own_does_with_its_coefficients(shape, monkeypatch):
    monkeypatch.setattr(optim, "NEWTON_SCHULZ", [(3.4445, -4.7750, 2.0315)] * 5)  # Jordan et al. 2024
    monkeypatch.setattr(optim, "SPARE", 1.0)
    ours, theirs = (torch.nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(1))) for _ in "ab")
    other = torch.nn.Parameter(ours.detach() + 1)  # a second of the same shape, so that there is a batch
    optimizers = [
        Muon([ours, other], lr=0.02, momentum=0.9, weight_decay=0.1, dtype=torch.bfloat16),
        torch.optim.Muon([theirs], lr=0.02, momentum=0.9, weight_decay=0.1),
    ]
    start = ours.detach().clone()
    for step in range(5):
        gradient = torch.randn(shape, generator=torch.Generator().manual_seed(step))
        ours.grad, theirs.grad, other.grad = gradient.clone(), gradient.clone(), -gradient
        for optimizer in optimizers:
            optimizer.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.01 * moved  # bfloat16 rounds at 0.004; batched and single products differ by that


def test_muon_orthogonalises_query_key_and_value_apart():
    whole = torch.nn.Parameter(torch.zeros(32, 16))
    parts = [torch.nn.Parameter(torch.zeros(rows, 16)) for rows in (16, 8, 8)]
    gradient = torch.randn(32, 16, generator=torch.Generator().manual_seed(2))
    whole.grad = gradient.clone()
    for part, piece in zip(parts, gradient.split([16, 8, 8]), strict=True):
        part.grad = piece.clone()
    Muon([dict(params=[whole], rows=[16, 8, 8])], lr=0.1, dtype=torch.float32).step()
    Muon(parts, lr=0.1, dtype=torch.float32).step()
    torch.testing.assert_close(whole.detach(), torch.cat([part.detach() for part in parts]))


@pytest.mark.parametrize("shape", [(3, 16, 16), (3, 12, 40), (3, 40, 12)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.max() < 1.6 and values.median() > 0.6


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_singular_values_over_three_decades_come_near_one(dtype):
    u, _, v = torch.linalg.svd(torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(5)))
    values = torch.logspace(0, -2.6, 64)
    values /= values.norm()  # the least is 0.001
    found = torch.linalg.svdvals(orthogonalise((u * values @ v).to(dtype)).float())
    assert 0.35 < found.min() and found.max() < 1.65


@pytest.mark.parametrize("shape", [(2, 24, 96), (2, 96, 24), (2, 24, 48)])
@pytest.mark.parametrize("decades", [0, 6])
def test_long_matrices_are_orthogonalised_through_their_gram_matrix_as_closely(shape, decades, monkeypatch):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(4))
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    matrices = u * torch.logspace(0, -decades, u.size(2)) @ v
    truth = plain_orthogonalise(matrices.double(), monkeypatch)
    with FlopCounterMode(display=False) as gram:
        found = orthogonalise(matrices)
    with FlopCounterMode(display=False) as plain:
        plain_orthogonalise(matrices, monkeypatch)
    assert (found - truth).norm() < 1e-3 * truth.norm()
    assert gram.get_total_flops() < 0.9 * plain.get_total_flops()


def plain_orthogonalise(matrices, monkeypatch):
    with monkeypatch.context() as changed:
        changed.setattr(optim, "LONG", math.inf)
        return orthogonalise(matrices)


def test_in_bf16_the_gram_matrix_would_have_too_few_bits(monkeypatch):
    matrices = torch.randn(2, 24, 96, generator=torch.Generator().manual_seed(4)).bfloat16()
    assert torch.equal(orthogonalise(matrices), plain_orthogonalise(matrices, monkeypatch))


def test_our_adamw_is_pytorchs():
    ours, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 12).view(3, 4)) for _ in "ab")
    settings = dict(lr=0.1, betas=(0.8, 0.9), weight_decay=0.3, fused=True)
    optimizers = AdamW([ours], **settings), torch.optim.AdamW([theirs], **settings)
    for step in range(4):
        for parameter, optimizer in zip((ours, theirs), optimizers):
            parameter.grad = torch.randn(3, 4, generator=torch.Generator().manual_seed(step))
            optimizer.step()
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("recipe", ["quickstart", "verdict"])
def test_a_training_does_not_import_the_compiler(recipe, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("The quick brown fox jumps over the lazy dog. " * 200, encoding="utf-8")
    words = ["train", "--recipe", recipe, "--tokenizer", "char", "--data", str(text), "--runs-dir", str(tmp_path)]
    words += ["--steps", "3", "--block-size", "16", "--n-layer", "2"]
    training = f"""
import sys
from lm.__main__ import main
code = main({words!r})
sys.exit(code or ("torch._dynamo" in sys.modules and 9))
"""
    ended = subprocess.run([sys.executable, "-c", training], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("arch", ["gpt2", "modern", "bigram"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_model_learns_a_repeated_sentence(arch, optimizer):
    network = model(arch=arch)
    optimizers = make_optimizers(network, TrainConfig(optimizer=optimizer, lr=0.02))
    ids = torch.arange(9).unsqueeze(0)
    losses = []
    for _ in range(30):
        loss = F.cross_entropy(network(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        for each in optimizers:
            each.step()
            each.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_the_rate_rises_in_a_line_to_the_peak_where_warmup_ends():
    rates = [lr_scale(progress, 0.2, TrainConfig()) for progress in (0.05, 0.1, 0.2)]
    assert rates == pytest.approx([0.25, 0.5, 1.0])


@pytest.mark.parametrize(
    ("schedule", "halfway", "end"), [("cosine", 0.55, 0.1), ("linear", 0.55, 0.1), ("constant", 1.0, 1.0)]
)
def test_the_rate_falls_as_the_schedule_says(schedule, halfway, end):
    config = TrainConfig(schedule=schedule, min_lr_ratio=0.1)
    assert lr_scale(0.6, 0.2, config) == pytest.approx(halfway)
    assert lr_scale(1.0, 0.2, config) == pytest.approx(end)


def test_cosine_falls_slowly_at_first_and_linear_evenly():
    cosine, linear = (lr_scale(0.25, 0.0, TrainConfig(schedule=s, min_lr_ratio=0.0)) for s in ("cosine", "linear"))
    assert cosine == pytest.approx(0.5 * (1 + math.cos(math.pi / 4))) and linear == pytest.approx(0.75)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0])
def test_the_rate_stays_between_nought_and_the_peak(schedule, warmup):
    config = TrainConfig(schedule=schedule)
    assert all(0.0 <= lr_scale(n / 50, warmup, config) <= 1.0 for n in range(56))


def test_one_scale_moves_every_group_from_its_own_peak():
    optimizers = make_optimizers(model(), TrainConfig(optimizer="muon", lr=0.001, muon_lr=0.02))
    set_lr(optimizers, 0.5)
    assert {group["lr"] for o in optimizers for group in o.param_groups} == {0.0005, 0.01}
