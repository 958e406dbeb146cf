"""What one new token takes from the tokens before it, on a CPU: the attention of `lm.decode`, in two ways.

Of one text, two batched products and a softmax. Of several texts at once the keys and values are most of the memory
that a token waits for, and products of single rows ask for it too late. An *embedding bag* is the same sum, some rows of
a table times a number each, and FBGEMM's fetches rows ahead of their use: the values of a head are a table whose rows
the probabilities weigh, and its keys, turned, one whose rows the numbers of a query weigh. Measured at 32 heads and 140
places with the products of a token in between: 86 and 66 µs instead of 185 and 142. PyTorch without FBGEMM, as on ARM,
takes the products.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lm.model import KVCache

WIDER = 32  # places by which the tables grow: each time their rows are counted again, and more of them weigh nothing


def has_embedding_bags() -> bool:
    """Whether this PyTorch has FBGEMM, whose embedding bags fetch ahead."""
    return "fbgemm" in torch.backends.quantized.supported_engines


class Products:
    """Attention by two batched products over the cache as it lies."""

    def __init__(self, cache: KVCache) -> None:
        self.cache = cache

    def begin(self, position: int) -> None:
        """The next calls of `mix`, one for each layer, are about the token at `position`."""
        tables = self.cache.keys, self.cache.values  # (n_layer, B, H_kv, block_size, D)
        self.places = list(zip(*(table[..., position, :].unbind() for table in tables)))
        # of each layer (B H_kv, position + 1, D): the last place is this token's
        self.keys, self.values = (table.flatten(1, 2)[:, :, : position + 1].unbind() for table in tables)

    def mix(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Scaled queries q (B, H, D), keys and values k, v (B, H_kv, D) of the token → the mixture, (B, C)."""
        B, n_kv, D = k.shape
        key_place, value_place = self.places[layer]
        key_place.copy_(k)
        value_place.copy_(v)
        q = q.reshape(B * n_kv, -1, D)  # (B H_kv, the heads that share a key, D)
        weights = torch.bmm(q, self.keys[layer].transpose(1, 2)).softmax(dim=-1)  # (B H_kv, …, position + 1)
        return torch.bmm(weights, self.values[layer]).view(B, -1)


class Bags:
    """Attention by two embedding bags, over the values of the cache and over the keys, which it keeps turned.

    All bags are equally long, so that their rows are counted anew only now and then: what stands after the token weighs
    nothing. Keys after those that the cache began with stand here alone.
    """

    def __init__(self, cache: KVCache, n_head: int) -> None:
        _, B, n_kv, self.block_size, D = cache.keys.shape
        self.cache, self.width = cache, 0
        self.turned = cache.keys[..., : cache.length, :].transpose(-2, -1)  # (n_layer, B, H_kv, D, width)
        # whose keys and values each head reads, (B H)
        self.owner = torch.arange(B * n_kv).repeat_interleave(n_head // n_kv)
        self.key_rows = (self.owner.unsqueeze(1) * D + torch.arange(D)).flatten()  # (B H D)
        self.key_bags = torch.arange(len(self.owner)) * D
        self.values = [values.view(-1, D) for values in cache.values]  # of each layer (B H_kv block_size, D)

    def begin(self, position: int) -> None:
        """The next calls of `mix`, one for each layer, are about the token at `position`."""
        if position >= self.width:
            self._widen(position)
        self.position = position

    def _widen(self, position: int) -> None:
        """Room for the keys and values up to `position` and some more; those that are not there yet are zero."""
        self.width = min(self.block_size, (position // WIDER + 1) * WIDER)
        wider = self.turned.new_empty(*self.turned.shape[:-1], self.width)
        wider[..., :position] = self.turned[..., :position]
        wider[..., position:] = 0
        self.cache.values[..., position : self.width, :] = 0
        self.turned = wider
        self.keys = [keys.view(-1, self.width) for keys in wider]  # of each layer (B H_kv D, width)
        self.value_rows = (self.owner.unsqueeze(1) * self.block_size + torch.arange(self.width)).flatten()
        self.value_bags = torch.arange(len(self.owner)) * self.width

    def mix(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Scaled queries q (B, H, D), keys and values k, v (B, H_kv, D) of the token → the mixture, (B, C)."""
        self.turned[layer].select(-1, self.position).copy_(k)
        self.cache.values[layer].select(-2, self.position).copy_(v)
        scores = _bags(self.keys[layer], self.key_rows, self.key_bags, q)  # (B H, width)
        scores[:, self.position + 1 :].fill_(-math.inf)
        return _bags(self.values[layer], self.value_rows, self.value_bags, scores.softmax(dim=-1)).view(len(q), -1)


def _bags(table: Tensor, rows: Tensor, bags: Tensor, weights: Tensor) -> Tensor:
    """Of each bag the sum of its rows of `table` times their weights; `bags` says where in `rows` each begins."""
    return torch.embedding_bag(table, rows, bags, False, 0, False, weights.reshape(-1))[0]
