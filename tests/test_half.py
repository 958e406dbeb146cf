"""Matrices in 16 bits: the same numbers packed and not, made again when the weights change, and never by force."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from models import lively
from runs import request, write_text

from lm import decode, half, run_dir, trainer
from lm.config import ModelConfig, SampleConfig
from lm.decode import Decoder
from lm.generate import generate
from lm.half import halved, has_half_products
from lm.model import GPT, KVCache
from lm.reader import READ_OFTEN
from lm.tokenizer import CharTokenizer

CONFIG = ModelConfig(vocab_size=31, block_size=24, n_layer=3, n_head=4, n_embd=32)
needs_half = pytest.mark.skipif(not has_half_products(), reason="this PyTorch or processor has no FBGEMM")
both = pytest.mark.parametrize(
    "changes", [{}, dict(arch="modern", n_kv_head=2, tie_weights=False, logit_softcap=4.0)], ids=["gpt2", "modern"]
)


def made(**changes) -> GPT:
    return lively(replace(CONFIG, **changes))


@pytest.fixture
def larger(monkeypatch) -> None:
    """No model is small, and there are two processors."""
    monkeypatch.setattr(decode, "MOST_SMALL_PARAMETERS", 0)
    monkeypatch.setattr(half, "processors", lambda: 2)


@needs_half
@both
@torch.inference_mode()
@pytest.mark.parametrize("batch_size", [1, 3])
def test_packed_and_unpacked_they_are_the_same_numbers(changes, batch_size):
    rounded = halved(made(**changes))
    ids = torch.randint(31, (batch_size, CONFIG.block_size), generator=torch.Generator().manual_seed(2))
    cache = KVCache(rounded.model.config, batch_size)
    rounded.model(ids[:, :5], cache)
    decoder = Decoder(rounded.model, cache, rounded.product)
    found = torch.stack([decoder(ids[:, i]) for i in range(5, CONFIG.block_size)], dim=1)
    torch.testing.assert_close(found, rounded.model(ids)[:, 5:], atol=2e-5, rtol=1e-4)


@needs_half
@both
def test_a_weight_is_at_most_half_of_fp16s_last_place_away_and_the_rest_is_untouched(changes):
    model = made(**changes)
    before = [weight.clone() for weight in model.parameters()]
    rounded = halved(model)
    rounded.keep()
    for ours, theirs, was in zip(rounded.model.parameters(), model.parameters(), before, strict=True):
        assert torch.equal(theirs, was)
        error = (ours - theirs).abs()
        assert (error <= theirs.abs() * 2**-11 + 2**-25).all() if theirs.dim() == 2 else not error.any()


@needs_half
@both
@torch.inference_mode()
def test_kept_or_made_when_they_are_met_they_are_the_same_numbers(changes):
    rounded = halved(made(**changes))
    ids = torch.randint(31, (2, CONFIG.block_size), generator=torch.Generator().manual_seed(2))
    first = rounded.model(ids)
    rounded.keep()
    assert torch.equal(first, rounded.model(ids))


@needs_half
def test_a_text_that_is_read_once_keeps_no_second_copy_of_the_weights_and_one_that_is_read_often_does():
    tokenizer = CharTokenizer("abcdef")
    model = made(vocab_size=tokenizer.vocab_size)

    def shared() -> list[bool]:
        blocks = halved(model).model.blocks.parameters(), model.blocks.parameters()
        return [ours.data_ptr() == theirs.data_ptr() for ours, theirs in zip(*blocks) if ours.dim() == 2]

    generate(model, tokenizer, "abc", SampleConfig(max_new_tokens=CONFIG.block_size))
    assert all(shared())
    generate(model, tokenizer, "abc", SampleConfig(max_new_tokens=CONFIG.block_size + READ_OFTEN, past_context="slide"))
    assert not any(shared())


@needs_half
def test_a_larger_model_is_rounded_where_there_are_no_more_than_two_processors(monkeypatch):
    monkeypatch.setattr(decode, "MOST_SMALL_PARAMETERS", 0)
    parameters = made().parameter_count()
    cases = (1, parameters, True), (2, parameters, True), (2, parameters - 1, False), (3, parameters, False)
    for count, most, is_rounded in cases:
        monkeypatch.setattr(half, "processors", lambda count=count: count)
        monkeypatch.setattr(half, "MOST_PARAMETERS", most)
        assert (halved(made()) is not None) is is_rounded


@needs_half
@both
@pytest.mark.parametrize("num_samples", [1, 4])
def test_a_larger_model_writes_the_same_with_and_without_cache(changes, num_samples, larger):
    tokenizer = CharTokenizer("abcdef")
    model = made(vocab_size=tokenizer.vocab_size, **changes)
    config = SampleConfig(max_new_tokens=3 * CONFIG.block_size, temperature=1.0, top_k=0, num_samples=num_samples)
    assert halved(model) is not None
    assert generate(model, tokenizer, "a", config) == generate(model, tokenizer, "a", config, use_cache=False)


@needs_half
def test_a_larger_model_keeps_no_second_copy_however_often_it_is_read(larger):
    tokenizer = CharTokenizer("abcdef")
    model = made(vocab_size=tokenizer.vocab_size)
    generate(model, tokenizer, "a", SampleConfig(max_new_tokens=CONFIG.block_size + READ_OFTEN, past_context="slide"))
    assert halved(model).model.blocks[0].mlp.up.weight.data_ptr() == model.blocks[0].mlp.up.weight.data_ptr()


@needs_half
@pytest.mark.parametrize(("most_small", "is_rounded"), [(0, False), (10**9, True)], ids=["large", "small"])
def test_the_samples_of_a_training_are_rounded_of_a_small_model_alone(most_small, is_rounded, tmp_path, monkeypatch):
    """The weights change after each of them, so a large model would be packed for one text."""
    made_of = []
    monkeypatch.setattr(decode, "MOST_SMALL_PARAMETERS", most_small)
    monkeypatch.setattr(half, "processors", lambda: 2)
    monkeypatch.setattr(half, "fits", lambda model: made_of.append(model) or True)
    run = run_dir.create(tmp_path / "runs", "fox")
    trainer.train(run, request(write_text(tmp_path / "fox.txt")))
    assert run.samples.read_text(encoding="utf-8") and bool(made_of) is is_rounded


@needs_half
def test_it_is_made_once_and_again_when_the_weights_have_changed():
    model = made()
    first = halved(model)
    assert halved(model) is first
    model(torch.zeros(1, 4, dtype=torch.int64)).sum().backward()
    torch.optim.AdamW(model.parameters(), lr=0.1, fused=True).step()
    second = halved(model)
    assert second is not first
    torch.testing.assert_close(second.model.token_embedding.weight, model.token_embedding.weight, atol=1e-3, rtol=1e-3)


@needs_half
def test_a_model_that_was_trained_further_writes_with_its_new_weights():
    tokenizer, greedy = CharTokenizer("abcdef"), SampleConfig(max_new_tokens=8, temperature=0.0)
    model = made(vocab_size=tokenizer.vocab_size)
    before = generate(model, tokenizer, "a", greedy)
    with torch.no_grad():
        model.token_embedding.weight.neg_()
    after = generate(model, tokenizer, "a", greedy)
    assert before != after == generate(model, tokenizer, "a", greedy, is_exact=True)


@pytest.mark.parametrize("value", [70_000.0, -70_000.0, math.nan])
def test_a_weight_beyond_fp16_is_left_as_it_is(value):
    model = made()
    with torch.no_grad():
        model.blocks[1].mlp.up.weight[0, 0] = value
    assert halved(model) is None and model.blocks[1].mlp.up.weight[0, 0] != 65_504


def test_without_fbgemm_the_model_writes_as_it_is(monkeypatch):
    monkeypatch.setattr(half, "has_half_products", lambda: False)
    tokenizer, config = CharTokenizer("abcdef"), SampleConfig(max_new_tokens=20, top_k=0, temperature=1.0)
    model = made(vocab_size=tokenizer.vocab_size)
    assert halved(model) is None
    assert generate(model, tokenizer, "a", config) == generate(model, tokenizer, "a", config, is_exact=True)


def test_asking_for_it_warns_nobody():
    """PyTorch warns once in a process, so a new one is asked; `-W` matches how a warning begins."""
    program = "from lm.half import has_half_products; has_half_products()"
    asked = subprocess.run([sys.executable, "-W", "error:fbgemm", "-c", program], capture_output=True, text=True)
    assert (asked.returncode, asked.stderr) == (0, "")
