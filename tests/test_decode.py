"""A token at a time, laid flat: the scores of the whole model, whatever its shape."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from models import lively

from lm import decode
from lm.config import ModelConfig
from lm.decode import Decoder, can_decode
from lm.model import GPT, KVCache

CONFIG = ModelConfig(vocab_size=31, block_size=24, n_layer=3, n_head=4, n_embd=32)
VARIANTS = {
    "gpt2": {},
    "gpt2 tanh": dict(gelu="tanh"),
    "gpt2 without biases": dict(bias=False),
    "gpt2 untied": dict(tie_weights=False),
    "modern": dict(arch="modern"),
    "modern grouped": dict(arch="modern", n_kv_head=2, logit_softcap=4.0, tie_weights=False),
}


def made(**changes) -> GPT:
    return lively(replace(CONFIG, **changes))


@torch.inference_mode()
@pytest.mark.parametrize("has_onednn", [True, False])
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("most_small", [0, 10**9], ids=["large", "small"])
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_token_by_token_the_scores_are_those_of_the_whole_text(
    changes, most_small, batch_size, has_onednn, monkeypatch
):
    monkeypatch.setattr(decode, "MOST_SMALL_PARAMETERS", most_small)
    if not has_onednn:
        monkeypatch.setattr(decode, "has_onednn", lambda: False)
    model, prompt_length = made(**changes), 5
    ids = torch.randint(31, (batch_size, CONFIG.block_size), generator=torch.Generator().manual_seed(2))
    cache = KVCache(model.config, batch_size)
    model(ids[:, :prompt_length], cache)
    decoder = Decoder(model, cache)
    found = torch.stack([decoder(ids[:, i]) for i in range(prompt_length, CONFIG.block_size)], dim=1)
    torch.testing.assert_close(found, model(ids)[:, prompt_length:], atol=2e-5, rtol=1e-4)
    assert cache.length == CONFIG.block_size


@pytest.mark.parametrize(
    ("changes", "dtype"),
    [(dict(arch="bigram"), torch.float32), (dict(n_experts=4), torch.float32), ({}, torch.float64)],
    ids=["bigram", "experts", "float64"],
)
def test_what_it_does_not_know_it_leaves_to_the_model(changes, dtype):
    assert can_decode(made()) and not can_decode(made(**changes).to(dtype))


@torch.inference_mode()
def test_the_number_of_threads_is_the_callers_again():
    model = made()
    cache = KVCache(model.config, 1)
    model(torch.zeros(1, 1, dtype=torch.int64), cache)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        Decoder(model, cache)(torch.zeros(1, dtype=torch.int64))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
