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

    def __init__(self, cache: KVCache, n_head: int) -> None:
        _, _, self.B, n_kv, _, self.D = cache.states.shape
        self.cache, self.parts, self.n_keys = cache, (n_head, 2 * n_kv), self.B * n_kv
        self.scale, self.nothing = self.D**-0.5, torch.zeros(1, 1, 1)

    def begin(self, position: int) -> None:
        """The next calls of `mix`, one for each layer, are about the token at `position`."""
        self.places = self.cache.states[..., position, :].transpose(1, 2).unbind()  # of each layer (B, 2, H_kv, D)
        # of each layer, up to this token's place: (B H_kv, D, position + 1) and (B H_kv, position + 1, D)
        keys, values = self.cache.states[..., : position + 1, :].flatten(2, 3).unbind(1)
        self.keys, self.values = keys.transpose(2, 3).unbind(), values.unbind()

    def mix(self, layer: int, heads: Tensor) -> Tensor:
        """The token's queries, keys and values, (B, H + 2 H_kv, D) → the mixture, (B, C)."""
        q, kv = torch.split_with_sizes(heads, self.parts, 1)
        self.places[layer].copy_(kv.view(self.B, 2, -1, self.D))
        q = q.reshape(self.n_keys, -1, self.D)  # the heads that share a key beside each other
        scores = torch.baddbmm(self.nothing, q, self.keys[layer], beta=0, alpha=self.scale)
        return torch.bmm(scores.softmax(-1), self.values[layer]).view(self.B, -1)


class Bags:
    """Attention by two embedding bags, over the values of the cache and over the keys, which it keeps turned.

    All bags are equally long, so that their rows are counted anew only now and then: what stands after the token weighs
    nothing. Keys after those that the cache began with stand here alone.
    """

    def __init__(self, cache: KVCache, n_head: int) -> None:
        _, _, B, n_kv, self.block_size, D = cache.states.shape
        self.cache, self.parts, self.scale, self.width = cache, (n_head, n_kv, n_kv), torch.tensor(D**-0.5), 0
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
        self.hidden[position] = 0
        self.key_places = self.turned[..., position].unbind()  # of each layer (B, H_kv, D), as those of the values
        self.value_places = self.cache.values[..., position, :].unbind()

    def _widen(self, position: int) -> None:
        """Room for the keys and values up to `position` and some more; those that are not there yet are zero."""
        self.width = min(self.block_size, (position // WIDER + 1) * WIDER)
        wider = self.turned.new_empty(*self.turned.shape[:-1], self.width)
        wider[..., :position] = self.turned[..., :position]
        wider[..., position:] = 0
        self.cache.values[..., position : self.width, :] = 0
        self.turned = wider
        self.hidden = wider.new_full((self.width,), -math.inf)  # added to scores, so that places to come weigh nothing
        self.hidden[:position] = 0
        self.keys = [keys.view(-1, self.width) for keys in wider]  # of each layer (B H_kv D, width)
        self.value_rows = (self.owner.unsqueeze(1) * self.block_size + torch.arange(self.width)).flatten()
        self.value_bags = torch.arange(len(self.owner)) * self.width

    def mix(self, layer: int, heads: Tensor) -> Tensor:
        """The token's queries, keys and values, (B, H + 2 H_kv, D) → the mixture, (B, C)."""
        q, k, v = torch.split_with_sizes(heads, self.parts, 1)
        self.key_places[layer].copy_(k)
        self.value_places[layer].copy_(v)
        scores = _bags(self.keys[layer], self.key_rows, self.key_bags, q * self.scale)  # (B H, width)
        weights = scores.add_(self.hidden).softmax(-1)
        return _bags(self.values[layer], self.value_rows, self.value_bags, weights).view(len(heads), -1)


def _bags(table: Tensor, rows: Tensor, bags: Tensor, weights: Tensor) -> Tensor:
    """Of each bag the sum of its rows of `table` times their weights; `bags` says where in `rows` each begins."""
    return torch.embedding_bag(table, rows, bags, False, 0, False, weights.reshape(-1))[0]
