"""The next token's scores on a CPU, in as few operations as there are: what `GPT.forward` computes, laid flat.

Writing one token at a time, a small model's arithmetic is over before Python has called the next module. `Decoder` is
prepared once for a text: weights lie as their products read them, and a token is one straight line of operations over
a `KVCache`. Beside the products, each takes some two microseconds whatever it does, a view as well, and twice that in
the midst of a token: so there are few, and what nobody reads again is changed where it is. It computes in float32 what
the model computes, so the ids are the same but where rounding decides a draw. Of most models `lm.half` gives it the
products.

Covers gpt2 and modern, with grouped heads; not experts and not the bigram (`can_decode`), nor other devices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn as nn
from torch import Tensor

from lm.attend import Bags, Products, has_embedding_bags
from lm.device import has_onednn
from lm.fast_block import onednn_linear
from lm.model import GPT, RMS_NORM_EPS, KVCache

Step = Callable[[Tensor], Tensor]  # (B, in) → (B, out)
MakeProduct = Callable[[Tensor, "Tensor | None"], Step]  # a weight (out, in) and a bias (out,) → x Wᵀ + b

# Up to this size float32 weights are copied into the order of their products, and one thread does a token: waking the others
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
    return partial(torch.layer_norm, normalized_shape=shape, weight=weight, bias=bias, eps=norm.eps, cudnn_enable=False)


def rms_norm(width: int) -> Step:
    """`F.rms_norm` of x (…, width) in four operations instead of its seven: 7 µs instead of 13 for a few rows."""
    inverse = inverse_length(width)
    return lambda x: inverse(x) * x


def inverse_length(width: int) -> Step:
    """What `F.rms_norm` multiplies x (…, width) with, (…, 1)."""
    eps, share = torch.tensor(RMS_NORM_EPS), 1 / width

    def measure(x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return torch.addcmul(eps, length, length, value=share).rsqrt_()

    return measure


def gelu_in_place(x: Tensor, approximate: str) -> Tensor:
    """`F.gelu` of x (B, inner). Rows as they lie would go to oneDNN, which takes 38 µs for eight of 1,024, not 10, and 15
    for one, not 6; a row alone lies the same way turned, so it is taken for two."""
    rows = x if len(x) > 1 or x.size(1) % 2 else x.view(2, -1)
    torch._C._nn.gelu_(rows.t(), approximate=approximate)  # as `F.gelu` is found there, which has no such form
    return x


def relu_squared_in_place(x: Tensor) -> Tensor:
    """`lm.model.relu_squared`."""
    return x.relu_().square_()


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

    `make_product` says how rows are multiplied with a weight, on one thread; by itself in float32.
    """

    def __init__(self, model: GPT, cache: KVCache, make_product: MakeProduct | None = None) -> None:
        self.is_on_one_thread = make_product is not None or is_small(model)
        make = make_product or partial(plain_product, batch_size=cache.states.size(2), is_copied=is_small(model))

        def product(linear: nn.Linear) -> Step:
            return make(linear.weight, linear.bias)

        self.config, self.cache = model.config, cache
        self.layers = [
            Layer(
                plain_norm(block.norm1), plain_norm(block.norm2),
                product(block.attention.qkv), product(block.attention.out), product(block.mlp.up), product(block.mlp.down),
            )
            for block in model.blocks
        ]  # fmt: skip
        uses_bags = self.is_on_one_thread and cache.states.size(2) > 1 and has_embedding_bags()
        self.attention = (Bags if uses_bags else Products)(cache, self.config.n_head)
        self.final_norm = plain_norm(model.final_norm)
        self.head = make((model.token_embedding if model.head is None else model.head).weight, None)
        self.embedding, self.has_rotary = model.token_embedding.weight.detach(), self.config.arch == "modern"
        if self.has_rotary:
            self.activate = relu_squared_in_place
            self.n_turned = self.config.n_head + self.config.kv_heads
            self.embedding_norm, self.inverse = rms_norm(self.config.n_embd), inverse_length(self.config.head_size)
            half = self.config.head_size // 2  # the second table's first half turns the other way: see `_turn`
            self.cos, self.sin = model.cos, torch.cat((model.sin[:, :half], -model.sin[:, half:]), dim=-1)
        else:
            self.activate = partial(gelu_in_place, approximate=model.blocks[0].mlp.gelu)
            self.positions = model.position_embedding.weight.detach()

    def __call__(self, ids: Tensor) -> Tensor:
        """The token ids (B,) that come after those of the cache → scores (B, V) of the next."""
        if not self.is_on_one_thread:
            return self._read(ids)
        with one_thread():
            return self._read(ids)

    def _read(self, ids: Tensor) -> Tensor:
        position, rows, D = self.cache.length, len(ids), self.config.head_size
        x = torch.embedding(self.embedding, ids)  # (B, C)
        if self.has_rotary:
            x, cos, sin = self.embedding_norm(x), self.cos[position], self.sin[position]
        else:
            x.add_(self.positions[position])
        self.attention.begin(position)
        for i, layer in enumerate(self.layers):
            heads = layer.qkv(layer.norm1(x)).view(rows, -1, D)  # queries, keys and values, (B, H + 2 H_kv, D)
            if self.has_rotary:
                self._turn(heads[:, : self.n_turned], cos, sin)
            x.add_(layer.out(self.attention.mix(i, heads)))
            x.add_(layer.down(self.activate(layer.up(layer.norm2(x)))))
        self.cache.length += 1
        logits = self.head(self.final_norm(x))
        return cap * torch.tanh(logits / cap) if (cap := self.config.logit_softcap) else logits

    def _turn(self, x: Tensor, cos: Tensor, sin: Tensor) -> None:
        """Turn queries and keys x (B, heads, D) where they are, as `lm.model.rotate` does, and normalise each; cos and sin
        (D,) are the rows of the tables at their place."""
        turned = torch.addcmul(x * cos, x.roll(x.size(-1) // 2, -1), sin)
        torch.mul(self.inverse(turned), turned, out=x)
