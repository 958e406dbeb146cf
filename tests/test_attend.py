"""Attention by embedding bags is attention: what it mixes is what the products mix."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from lm import attend
from lm.attend import Bags, Products, has_embedding_bags
from lm.config import ModelConfig
from lm.model import KVCache

N_HEAD, D, CONTEXT, PROMPT, TEXTS = 4, 8, 12, 3, 3


def begun(n_kv_head: int) -> KVCache:
    """A cache after a prompt; what stands behind it is whatever the memory held."""
    config = ModelConfig(n_layer=2, n_head=N_HEAD, n_embd=N_HEAD * D, n_kv_head=n_kv_head, block_size=CONTEXT)
    cache, draw = KVCache(config, TEXTS), torch.Generator().manual_seed(0)
    for filled in (cache.keys, cache.values):
        filled[:] = torch.randn(filled.shape, generator=draw)
        filled[..., PROMPT:, :] = math.nan
    cache.length = PROMPT
    return cache


def mixtures(attention: Bags | Products, n_kv_head: int) -> Iterator[Tensor]:
    """What each layer takes at each place after the prompt."""
    draw = torch.Generator().manual_seed(1)
    for position in range(PROMPT, CONTEXT):
        attention.begin(position)
        for layer in range(2):
            yield attention.mix(layer, torch.randn(TEXTS, N_HEAD + 2 * n_kv_head, D, generator=draw))


@torch.inference_mode()
@pytest.mark.skipif(not has_embedding_bags(), reason="PyTorch has no FBGEMM here")
@pytest.mark.parametrize("wider", [1, 5, 100], ids=["each token", "now and then", "never again"])
@pytest.mark.parametrize("n_kv_head", [N_HEAD, 2, 1])
def test_bags_mix_what_products_mix(n_kv_head: int, wider: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attend, "WIDER", wider)
    found = list(mixtures(Bags(begun(n_kv_head), N_HEAD), n_kv_head))
    wanted = list(mixtures(Products(begun(n_kv_head), N_HEAD), n_kv_head))
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)
