"""The next token's scores on a CPU, in as few operations as there are: what `GPT.forward` computes, laid flat.

Writing one token at a time, a small model's arithmetic is over before Python has called the next module. `Decoder` is
prepared once for a text: weights lie as their products read them, and a token is one straight line of operations over
a `KVCache`. It computes in float32 what the model computes, so the ids are the same but where rounding decides a draw.

Covers gpt2 and modern, with grouped heads; not experts and not the bigram (`can_decode`), nor other devices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from lm.fast_block import has_onednn
from lm.model import GPT, RMS_NORM_EPS, KVCache

# Up to this size weights are copied into the order of their products, and one thread does a token: waking the others
# up costs more than they do. Measured on two cores, tokens a second by one and by two threads: 1,420 and 770 at 4 layers
# of width 256, 278 and 212 at 6 of 384. Where more memory to read makes more threads worth it is assumed.
MOST_SMALL_PARAMETERS = 20_000_000


def can_decode(model: GPT) -> bool:
    """Whether `Decoder` knows this model where it is."""
    config = model.config
    is_here = model.device.type == "cpu" and next(model.parameters()).dtype == torch.float32
    return is_here and config.arch != "bigram" and not config.has_experts


class Product:
    """x (B, in) → x Wᵀ + b, (B, out), by the call that is fastest for this many rows."""

    def __init__(self, weight: Tensor, bias: Tensor | None, batch_size: int, is_copied: bool) -> None:
        self.weight, self.bias = weight.detach(), None if bias is None else bias.detach()
        self.by_onednn = batch_size > 1 and has_onednn()
        if not self.by_onednn:
            self.weight = self.weight.t().contiguous() if is_copied else self.weight.t()  # (in, out)
        elif is_copied:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight, batch_size)

    def __call__(self, x: Tensor) -> Tensor:
        if self.by_onednn:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return x @ self.weight if self.bias is None else torch.addmm(self.bias, x, self.weight)


@dataclass(frozen=True)
class Layer:
    """One block: its norms and products, and the places of the cache that are its own, (B, H_kv, block_size, D)."""

    norm1: nn.Module
    norm2: nn.Module
    qkv: Product
    out: Product
    up: Product
    down: Product
    keys: Tensor
    values: Tensor


class Decoder:
    """`model`, in evaluation mode, prepared to follow a filled `cache` token by token; its weights must not change."""

    def __init__(self, model: GPT, cache: KVCache) -> None:
        config = model.config
        batch_size = cache.keys.size(1)
        self.is_small = model.parameter_count() <= MOST_SMALL_PARAMETERS

        def product(linear: nn.Linear) -> Product:
            return Product(linear.weight, linear.bias, batch_size, self.is_small)

        self.config, self.cache, self.model = config, cache, model
        self.n_heads = (config.n_head, config.kv_heads)
        self.layers = [
            Layer(
                block.norm1, block.norm2, product(block.attention.qkv), product(block.attention.out),
                product(block.mlp.up), product(block.mlp.down), cache.keys[i], cache.values[i],
            )
            for i, block in enumerate(model.blocks)
        ]  # fmt: skip
        self.gelu = model.blocks[0].mlp.gelu
        head = model.token_embedding if model.head is None else model.head
        self.head = Product(head.weight, None, batch_size, self.is_small)
        if config.arch == "modern":  # the second table's first half turns the other way: see `_turned`
            half = config.head_size // 2
            self.sin = torch.cat((model.sin[:, :half], -model.sin[:, half:]), dim=-1)  # (block_size, D)

    def __call__(self, ids: Tensor) -> Tensor:
        """The token ids (B,) that come after those of the cache → scores (B, V) of the next."""
        threads = torch.get_num_threads()
        if not self.is_small or threads == 1:
            return self._read(ids)
        torch.set_num_threads(1)  # measured: costs less than a microsecond
        try:
            return self._read(ids)
        finally:
            torch.set_num_threads(threads)

    def _read(self, ids: Tensor) -> Tensor:
        position = self.cache.length
        x = self.model._embed(ids.unsqueeze(1), position).squeeze(1)  # (B, C)
        for layer in self.layers:
            x = x + layer.out(self._attended(layer.qkv(layer.norm1(x)), layer, position))
            wide = layer.up(layer.norm2(x))
            x = x + layer.down(F.gelu(wide, approximate=self.gelu) if self.gelu else F.relu(wide).square_())
        self.cache.length += 1
        return self._scores(x)

    def _attended(self, qkv: Tensor, layer: Layer, position: int) -> Tensor:
        """Query, key and value of one token, (B, all heads × D) → the mixture of the values so far, (B, C)."""
        heads = qkv.view(qkv.size(0), -1, self.config.head_size)  # (B, H + 2 H_kv, D)
        n_head, n_kv = self.n_heads
        asking, value = heads.split((n_head + n_kv, n_kv), dim=1)
        if self.config.arch == "modern":
            asking = F.rms_norm(self._turned(asking, position), asking.shape[-1:], eps=RMS_NORM_EPS)
        layer.keys.select(2, position).copy_(asking[:, n_head:])
        layer.values.select(2, position).copy_(value)
        end = position + 1
        y = F.scaled_dot_product_attention(
            asking[:, :n_head].unsqueeze(2), layer.keys[:, :, :end], layer.values[:, :, :end], enable_gqa=n_kv != n_head
        )  # (B, H, 1, D)
        return y.view(qkv.size(0), -1)

    def _turned(self, x: Tensor, position: int) -> Tensor:
        """`lm.model.rotate` of x (B, heads, D) at one position."""
        return torch.addcmul(x * self.model.cos[position], x.roll(x.size(-1) // 2, -1), self.sin[position])

    def _scores(self, x: Tensor) -> Tensor:
        logits = self.head(self.model.final_norm(x))
        return cap * torch.tanh(logits / cap) if (cap := self.config.logit_softcap) else logits
