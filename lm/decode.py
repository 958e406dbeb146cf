"""The next token's scores on a CPU, in as few operations as there are: what `GPT.forward` computes, laid flat.

Writing one token at a time, a small model's arithmetic is over before Python has called the next module. `Decoder` is
prepared once for a text: weights lie as their products read them, and a token is one straight line of operations over
a `KVCache`. It computes in float32 what the model computes, so the ids are the same but where rounding decides a draw.
Of a small model `lm.half` gives it the products.

Covers gpt2 and modern, with grouped heads; not experts and not the bigram (`can_decode`), nor other devices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from lm.attend import Bags, Products, has_embedding_bags
from lm.device import has_onednn
from lm.fast_block import onednn_linear
from lm.model import GPT, RMS_NORM_EPS, KVCache

Step = Callable[[Tensor], Tensor]  # (B, in) → (B, out)
MakeProduct = Callable[[Tensor, "Tensor | None"], Step]  # a weight (out, in) and a bias (out,) → x Wᵀ + b

# Up to this size weights are copied into the order of their products, and one thread does a token: waking the others
# up costs more than they do. Measured on two cores, tokens a second by one and by two threads: 1,420 and 770 at 4 layers
# of width 256, 278 and 212 at 6 of 384. Where more memory to read makes more threads worth it is assumed.
MOST_SMALL_PARAMETERS = 20_000_000


def can_decode(model: GPT) -> bool:
    """Whether `Decoder` knows this model where it is."""
    config = model.config
    is_here = model.device.type == "cpu" and next(model.parameters()).dtype == torch.float32
    return is_here and config.arch != "bigram" and not config.has_experts


def is_small(model: GPT) -> bool:
    return model.parameter_count() <= MOST_SMALL_PARAMETERS


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch's operations of the calling thread on that thread alone; to switch takes less than a microsecond."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def plain_product(weight: Tensor, bias: Tensor | None, batch_size: int, is_copied: bool) -> Step:
    """x Wᵀ + b in float32, by the call that is fastest for this many rows."""
    weight, bias = weight.detach(), None if bias is None else bias.detach()
    if batch_size > 1 and has_onednn():
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, batch_size) if is_copied else weight
        return lambda x: onednn_linear(x, packed, bias)
    turned = weight.t().contiguous() if is_copied else weight.t()  # (in, out)
    return (lambda x: x @ turned) if bias is None else (lambda x: torch.addmm(bias, x, turned))


def plain_norm(norm: nn.Module) -> Step:
    """The norm without the module around it, whose call takes longer than the norm."""
    shape = norm.normalized_shape
    if isinstance(norm, nn.RMSNorm):
        return rms_norm(shape[0])
    weight, bias = norm.weight.detach(), None if norm.bias is None else norm.bias.detach()
    return lambda x: torch.layer_norm(x, shape, weight, bias, norm.eps, False)


def rms_norm(width: int) -> Step:
    """`F.rms_norm` of x (…, width) in four operations instead of its seven: 7 µs instead of 13 for a few rows."""
    eps, share = torch.tensor(RMS_NORM_EPS), 1 / width

    def normalise(x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return torch.addcmul(eps, length, length, value=share).rsqrt_() * x

    return normalise


def turned_gelu(x: Tensor, approximate: str) -> Tensor:
    """`F.gelu` of x (B, inner). Rows as they lie would go to oneDNN, which takes 38 µs for eight of 1,024, not 10, and 15
    for one, not 6; a row alone lies the same way turned, so it is taken for two."""
    rows = x if len(x) > 1 or x.size(1) % 2 else x.view(2, -1)
    return F.gelu(rows.t(), approximate=approximate).t().view_as(x)


@dataclass(frozen=True)
class Layer:
    """One block: its norms and its products."""

    norm1: Step
    norm2: Step
    qkv: Step
    out: Step
    up: Step
    down: Step


class Decoder:
    """`model`, in evaluation mode, prepared to follow a filled `cache` token by token; its weights must not change.

    `make_product` says how rows are multiplied with a weight; by itself in float32.
    """

    def __init__(self, model: GPT, cache: KVCache, make_product: MakeProduct | None = None) -> None:
        self.is_small = is_small(model)
        make = make_product or partial(plain_product, batch_size=cache.keys.size(1), is_copied=self.is_small)

        def product(linear: nn.Linear) -> Step:
            return make(linear.weight, linear.bias)

        self.config, self.cache, self.model = model.config, cache, model
        self.layers = [
            Layer(
                plain_norm(block.norm1), plain_norm(block.norm2),
                product(block.attention.qkv), product(block.attention.out), product(block.mlp.up), product(block.mlp.down),
            )
            for block in model.blocks
        ]  # fmt: skip
        uses_bags = self.is_small and cache.keys.size(1) > 1 and has_embedding_bags()
        self.attention = Bags(cache, self.config.n_head) if uses_bags else Products(cache)
        self.final_norm = plain_norm(model.final_norm)
        self.head = make((model.token_embedding if model.head is None else model.head).weight, None)
        self.gelu = model.blocks[0].mlp.gelu
        self.scale = torch.tensor(self.config.head_size**-0.5)  # a number of Python's is made a tensor at every product
        if self.config.arch == "modern":  # the second table's first half turns the other way: see `_turned`
            half = self.config.head_size // 2
            self.embedding_norm, self.head_norm = rms_norm(self.config.n_embd), rms_norm(self.config.head_size)
            self.sin = torch.cat((model.sin[:, :half], -model.sin[:, half:]), dim=-1)  # (block_size, D)

    def __call__(self, ids: Tensor) -> Tensor:
        """The token ids (B,) that come after those of the cache → scores (B, V) of the next."""
        if not self.is_small:
            return self._read(ids)
        with one_thread():
            return self._read(ids)

    def _read(self, ids: Tensor) -> Tensor:
        position = self.cache.length
        x = self._embedded(ids, position)  # (B, C)
        self.attention.begin(position)
        for i, layer in enumerate(self.layers):
            x += layer.out(self.attention.mix(i, *self._heads(layer.qkv(layer.norm1(x)), position)))
            wide = layer.up(layer.norm2(x))
            x += layer.down(turned_gelu(wide, self.gelu) if self.gelu else F.relu(wide).square_())
        self.cache.length += 1
        logits = self.head(self.final_norm(x))
        return cap * torch.tanh(logits / cap) if (cap := self.config.logit_softcap) else logits

    def _embedded(self, ids: Tensor, position: int) -> Tensor:
        """`GPT._embed` of one token each, (B, C)."""
        x = torch.embedding(self.model.token_embedding.weight, ids)
        if self.config.arch == "gpt2":
            return x.add_(self.model.position_embedding.weight[position])
        return self.embedding_norm(x)

    def _heads(self, qkv: Tensor, position: int) -> tuple[Tensor, Tensor, Tensor]:
        """(B, all heads × D) → the token's scaled queries (B, H, D), its keys and its values (B, H_kv, D)."""
        n_head, n_kv, D = self.config.n_head, self.config.kv_heads, self.config.head_size
        heads = qkv.view(qkv.size(0), -1, D)
        if self.config.arch == "gpt2":
            q, k, v = heads.split((n_head, n_kv, n_kv), dim=1)
        else:
            turning, v = heads.split((n_head + n_kv, n_kv), dim=1)
            q, k = self.head_norm(self._turned(turning, position)).split((n_head, n_kv), dim=1)
        return q * self.scale, k, v

    def _turned(self, x: Tensor, position: int) -> Tensor:
        """`lm.model.rotate` of x (B, heads, D) at one position."""
        return torch.addcmul(x * self.model.cos[position], x.roll(x.size(-1) // 2, -1), self.sin[position])
