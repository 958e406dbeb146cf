"""The same work for every token, as a GPU can replay it: the scores of the whole model, whatever its shape."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from models import lively

from lm.config import ModelConfig, SampleConfig
from lm.generate import generate
from lm.graph import TokenStep, can_record
from lm.model import GPT, KVCache
from lm.tokenizer import CharTokenizer

CONFIG = ModelConfig(vocab_size=31, block_size=24, n_layer=3, n_head=4, n_embd=32)
VARIANTS = {
    "gpt2": {},
    "gpt2 untied": dict(tie_weights=False),
    "modern": dict(arch="modern"),
    "modern grouped": dict(arch="modern", n_kv_head=2, logit_softcap=4.0),
}
PROMPT_LENGTH = 5
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
every_variant = pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)


def made(**changes) -> GPT:
    return lively(replace(CONFIG, **changes))


def prompted(model: GPT, batch_size: int) -> tuple[TokenStep, torch.Tensor]:
    """A step after a prompt, in a cache whose other places hold what memory may hold, and the ids (B, block_size)."""
    ids = torch.randint(31, (batch_size, CONFIG.block_size), generator=torch.Generator().manual_seed(2)).to(
        model.device
    )
    cache = KVCache(model.config, batch_size, model.device)
    cache.keys.fill_(math.nan)
    cache.values.fill_(math.nan)
    model(ids[:, :PROMPT_LENGTH], cache)
    return TokenStep(model, cache), ids


def followed(step: TokenStep, ids: torch.Tensor) -> torch.Tensor:
    scores = [step(ids[:, i]).clone() for i in range(PROMPT_LENGTH, CONFIG.block_size)]
    return torch.stack(scores, dim=1)  # (B, T - PROMPT_LENGTH, V)


@torch.inference_mode()
@every_variant
@pytest.mark.parametrize("batch_size", [1, 3])
def test_over_a_masked_cache_the_scores_are_those_of_the_whole_text(changes, batch_size):
    model = made(**changes)
    step, ids = prompted(model, batch_size)
    torch.testing.assert_close(followed(step, ids), model(ids)[:, PROMPT_LENGTH:], atol=2e-5, rtol=1e-4)
    assert step.cache.length == CONFIG.block_size


@torch.inference_mode()
@every_variant
def test_it_follows_a_cache_that_was_filled_anew(changes):
    """As when the context was full and its older half was let go: what stands behind the new tokens is not looked at."""
    model = made(**changes)
    step, ids = prompted(model, 2)
    followed(step, ids)
    newer = ids.flip(1)
    step.cache.length = 0
    model(newer[:, :PROMPT_LENGTH], step.cache)
    torch.testing.assert_close(followed(step, newer), model(newer)[:, PROMPT_LENGTH:], atol=2e-5, rtol=1e-4)


@needs_gpu
@torch.inference_mode()
@every_variant
def test_replayed_the_scores_are_those_of_the_whole_text(changes):
    model = made(**changes).cuda()
    step, ids = prompted(model, 2)
    assert can_record(model) and step.record()
    torch.testing.assert_close(followed(step, ids), model(ids)[:, PROMPT_LENGTH:], atol=1e-3, rtol=1e-3)


@needs_gpu
def test_a_gpu_writes_the_same_with_and_without_cache():
    tokenizer = CharTokenizer("abcdef")
    model = made(vocab_size=tokenizer.vocab_size).cuda()
    config = SampleConfig(max_new_tokens=2 * CONFIG.block_size, temperature=1.0, top_k=0, num_samples=2)
    assert generate(model, tokenizer, "a", config) == generate(model, tokenizer, "a", config, use_cache=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="an NVIDIA GPU is here")
@torch.inference_mode()
def test_where_nothing_can_be_recorded_each_token_is_computed():
    model = made()
    step, ids = prompted(model, 1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.cuda, "device", lambda _: torch.inference_mode())  # the first call that needs a GPU
        assert not step.record()
    torch.testing.assert_close(followed(step, ids), model(ids)[:, PROMPT_LENGTH:], atol=2e-5, rtol=1e-4)


def test_a_model_on_a_cpu_is_not_recorded():
    assert not can_record(made())
