"""The network: causal, cached = uncached, seeded, near ln V at first, and as big as it says."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from models import lively
from torch.utils.flop_counter import FlopCounterMode

from lm import fast_block
from lm.config import ModelConfig, TrainConfig
from lm.costs import activations_per_token, count_parameters, flops_per_token, matrix_parameters, memory_estimate
from lm.errors import ConfigError
from lm.model import GPT, PRESETS, KVCache, filled_up_linear
from lm.optim import make_optimizers

TINY = dict(vocab_size=23, block_size=12, n_layer=2, n_head=4, n_embd=32)
VARIANTS = {
    "gpt2": {},
    "gpt2 untied": dict(tie_weights=False, qkv_bias=False),
    "gpt2 without biases": dict(bias=False),
    "modern": dict(arch="modern"),
    "modern grouped": dict(arch="modern", n_kv_head=2, tie_weights=False),
    "modern one key head": dict(arch="modern", n_kv_head=1, logit_softcap=5.0),
    "bigram": dict(arch="bigram"),
    "gpt2 experts": dict(n_experts=4),
    "modern experts": dict(arch="modern", n_experts=3, n_experts_per_token=1),
}
every_variant = pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
ATTENTIVE = {name: changes for name, changes in VARIANTS.items() if name != "bigram"}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(**changes) -> GPT:
    return lively(ModelConfig(**TINY | changes))


def some_ids(batch: int, time: int, vocab_size: int = TINY["vocab_size"]) -> torch.Tensor:
    return torch.randint(vocab_size, (batch, time), generator=seeded(2))


@every_variant
def test_changing_a_token_changes_no_logit_before_it(changes):
    model, ids = made(**changes), some_ids(2, 12)
    changed = ids.clone()
    changed[:, 7] = (ids[:, 7] + 1) % TINY["vocab_size"]
    with torch.no_grad():
        before, after = model(ids), model(changed)
    if model.config.has_experts:  # other tokens in an expert's batch may round this one otherwise
        torch.testing.assert_close(before[:, :7], after[:, :7], atol=1e-5, rtol=1e-5)
    else:
        assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7], after[:, 7])


@pytest.mark.parametrize("changes", ATTENTIVE.values(), ids=ATTENTIVE)
def test_changing_a_token_reaches_the_last_position(changes):
    model, ids = made(**changes), some_ids(2, 12)
    changed = ids.clone()
    changed[:, 0] = (ids[:, 0] + 1) % TINY["vocab_size"]
    with torch.no_grad():
        assert not torch.allclose(model(ids)[:, -1], model(changed)[:, -1])


@every_variant
@pytest.mark.parametrize("prompt", [1, 5, 12])
def test_the_cache_changes_no_logit(changes, prompt):
    model, ids = made(**changes), some_ids(3, 12)
    cache = KVCache(model.config, 3)
    with torch.no_grad():
        parts = [model(ids[:, :prompt], cache), *(model(ids[:, t : t + 1], cache) for t in range(prompt, 12))]
        torch.testing.assert_close(torch.cat(parts, dim=1), model(ids), atol=1e-5, rtol=1e-5)
    assert cache.length == 12


@every_variant
def test_last_only_is_the_last_row_of_all(changes):
    model, ids = made(**changes), some_ids(3, 9)
    with torch.no_grad():
        torch.testing.assert_close(model(ids, last_only=True), model(ids)[:, -1:], atol=1e-6, rtol=1e-5)


@every_variant
def test_more_tokens_than_the_context_are_refused_in_words(changes):
    model = made(**changes)
    with pytest.raises(ValueError, match="13 tokens do not fit block_size=12"):
        model(some_ids(1, 13))


def test_a_full_cache_refuses_another_token():
    model = made()
    cache = KVCache(model.config, 1)
    model(some_ids(1, 12), cache)
    with pytest.raises(ValueError, match="do not fit"):
        model(some_ids(1, 1), cache)


@every_variant
def test_the_same_seed_makes_the_same_weights_and_another_seed_others(changes):
    config = ModelConfig(**{**TINY, **changes})
    one, same, other = (GPT(config, seeded(seed)).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@every_variant
def test_a_generator_leaves_the_global_random_state_alone(changes):
    before = torch.get_rng_state()
    GPT(ModelConfig(**{**TINY, **changes}), seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_generator_the_global_seed_decides():
    weights = []
    for _ in range(2):
        torch.manual_seed(3)
        weights.append(GPT(ModelConfig(**TINY)).token_embedding.weight)
    assert torch.equal(*weights)


@every_variant
@pytest.mark.parametrize("n_embd", [32, 256])
def test_the_first_loss_is_near_that_of_guessing(changes, n_embd):
    model = GPT(ModelConfig(**{**TINY, "vocab_size": 65, "n_embd": n_embd, **changes}), seeded()).eval()
    ids = some_ids(16, 13, 65)
    with torch.no_grad():
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert abs(loss - math.log(65)) < 0.15


@pytest.mark.parametrize("changes", [{}, dict(arch="modern", tie_weights=False), dict(n_experts=4)])
def test_pytorchs_first_weights_are_those_of_its_own_layers(changes):
    model = GPT(ModelConfig(**{**TINY, "n_embd": 64, "first_weights": "pytorch", **changes}), seeded())
    table = model.token_embedding.weight
    assert abs(table.std() - 1) < 0.1 and table.abs().max() > 2
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            assert 0.9 * bound < module.weight.abs().max() <= bound, name
            assert abs(module.weight.std() - bound / math.sqrt(3)) < 0.1 * bound, name
            assert module.bias is None or 0 < module.bias.abs().max() <= bound, name
        elif isinstance(module, torch.nn.LayerNorm):
            assert torch.equal(module.weight, torch.ones(64)) and not module.bias.any(), name


def test_untrained_pytorch_weights_lose_a_sixth_more_than_guessing():
    # Logits of variance 1/3 cost half of that over ln V: the books' 10.99 at V = 50,257 is ln V + 1/6.
    config = ModelConfig(**{**TINY, "vocab_size": 500, "n_embd": 96, "tie_weights": False, "first_weights": "pytorch"})
    ids = some_ids(64, 13, 500)
    with torch.no_grad():
        loss = F.cross_entropy(GPT(config, seeded()).eval()(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert abs(loss - math.log(500) - 1 / 6) < 0.06


def test_dropout_works_while_training_and_only_then():
    model = made(dropout=0.5)
    ids = some_ids(2, 12)
    with torch.no_grad():
        assert torch.equal(model(ids), model(ids))
        model.train()
        assert not torch.equal(model(ids), model(ids))


@pytest.mark.parametrize("arch", ["gpt2", "modern", "bigram"])
def test_what_is_dropped_can_be_changed_while_training(arch):
    model, ids = made(arch=arch, dropout=0.5).train(), some_ids(2, 12)
    with torch.no_grad():
        model.drop(0.0)
        still = model(ids)
        assert torch.equal(model(ids), still)
        model.drop(0.5)
        assert torch.equal(model(ids), still) is (arch == "bigram")


def test_the_soft_cap_bounds_every_logit():
    model = made(arch="modern", logit_softcap=0.5)
    with torch.no_grad():
        assert model(some_ids(2, 12)).abs().max() <= 0.5


def test_modern_sees_distances_and_not_positions():
    """Rotary attention of a window does not change when the window stands elsewhere: the cache's offset shows it."""
    model = made(arch="modern", n_layer=1)
    ids = some_ids(1, 5)
    here, there = KVCache(model.config, 1), KVCache(model.config, 1)
    with torch.no_grad():
        model(ids[:, :4], here)
        rotary = (model.cos[3:7], model.sin[3:7])  # the same tokens, three places later
        x = F.rms_norm(model.token_embedding(ids[:, :4]), (32,), eps=1e-6)
        moved = model.blocks[0](x, rotary, None)
        stayed = model.blocks[0](x, (model.cos[:4], model.sin[:4]), there)
    torch.testing.assert_close(moved, stayed, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "biases"),
    [
        ({}, {"norm1", "norm2", "final_norm", "qkv", "out", "up", "down"}),
        (dict(qkv_bias=False), {"norm1", "norm2", "final_norm", "out", "up", "down"}),
        (dict(bias=False), set()),
        (dict(arch="modern"), set()),
    ],
)
def test_biases_are_where_the_settings_want_them(changes, biases):
    names = [name for name, _ in made(**changes).named_parameters() if name.endswith("bias")]
    assert {name.split(".")[-2] for name in names} == biases


def test_settings_that_do_not_fit_are_refused_with_the_cure():
    with pytest.raises(ConfigError, match="n_embd=30 is not divisible by n_head=4"):
        GPT(ModelConfig(**{**TINY, "n_embd": 30}))


# ---------------------------------------------------------------------------------------------- what it costs


@every_variant
def test_parameters_are_counted_without_building_the_model(changes):
    config = ModelConfig(**{**TINY, **changes})
    model = GPT(config)
    assert count_parameters(config) == model.parameter_count() == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("vocab_size", [1, 63, 64, 100])
def test_rows_of_zeros_change_no_score_and_no_gradient(vocab_size):
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, 16, generator=generator, requires_grad=True) for n in (6, vocab_size))
    plain, filled = torch.nn.functional.linear(x, weight), filled_up_linear(x, weight)
    torch.testing.assert_close(filled, plain)
    gradients = (torch.autograd.grad(scores.square().sum(), (x, weight)) for scores in (filled, plain))
    torch.testing.assert_close(*gradients)


def test_gpt2_small_has_its_published_size():
    assert count_parameters(dataclasses.replace(PRESETS["gpt2-small"], vocab_size=50257)) == 124_439_808


def test_parameters_without_embeddings_leave_tables_out():
    model = made(tie_weights=False)
    tables = model.token_embedding.weight.numel() + model.position_embedding.weight.numel()
    assert model.parameter_count(with_embeddings=False) == model.parameter_count() - tables


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_preset_can_be_built(preset):
    assert count_parameters(dataclasses.replace(preset, vocab_size=65)) > 0


@pytest.mark.parametrize("changes", ATTENTIVE.values(), ids=ATTENTIVE)
def test_the_flops_of_matrices_are_those_that_pytorch_counts(changes, monkeypatch):
    monkeypatch.setattr(fast_block, "is_ready", lambda x: False)  # its attention is products of matrices as well
    model, ids = made(**changes), some_ids(2, 12)
    with FlopCounterMode(display=False) as counter:
        model(ids).sum().backward()
    counts = counter.get_flop_counts()["Global"]
    matrices = sum(n for operation, n in counts.items() if "mm" in str(operation))
    attention = 12 * model.config.n_layer * model.config.n_embd * model.config.block_size
    assert matrices == 6 * matrix_parameters(model.config) * ids.numel()
    assert flops_per_token(model.config) == 6 * matrix_parameters(model.config) + attention


def kept_numbers(model: GPT, ids: torch.Tensor) -> int:
    """How many float32 numbers PyTorch keeps for backward, the weights aside."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        F.cross_entropy(model(ids).flatten(0, 1), ids.flatten())
    return sum(storage.nbytes() for pointer, storage in kept.items() if pointer not in own) // 4


@pytest.mark.parametrize("arch", ["gpt2", "modern"])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("sizes", [dict(n_embd=64), dict(n_layer=6, n_embd=128), dict(n_embd=32, n_inner=512)])
@pytest.mark.parametrize("block_size", [64, 256, 300])  # in one block, in two, by PyTorch's attention
def test_the_estimate_of_activations_is_near_what_backward_keeps(arch, dropout, sizes, block_size):
    config = ModelConfig(**{**TINY, "block_size": block_size, "arch": arch, "dropout": dropout, **sizes})
    model, ids = GPT(config, seeded()), torch.zeros(2, block_size, dtype=torch.int64)
    kept = kept_numbers(model, ids) / ids.numel() + 2 * config.vocab_size  # logits and their gradient
    assert 0.67 < activations_per_token(config) / kept < 1.5


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_memory_estimate_holds_weights_gradients_and_states_exactly(optimizer):
    config, train = ModelConfig(**TINY), TrainConfig(optimizer=optimizer, batch_size=2)
    model, ids = GPT(config, seeded()), some_ids(2, 12)
    optimizers = make_optimizers(model, train)
    F.cross_entropy(model(ids).flatten(0, 1), ids.flatten()).backward()
    for each in optimizers:
        each.step()
    states = sum(
        value.numel() for each in optimizers for state in each.state.values() for value in state.values() if value.dim()
    )
    exact = 4 * (2 * model.parameter_count() + states)
    assert memory_estimate(config, train) == exact + 4 * ids.numel() * activations_per_token(config)
