"""The GPT, whole: token ids in, a score for every possible next token out.

One class holds three networks, chosen by `ModelConfig.arch`:
- `gpt2`: the chapters' model (Radford et al. 2019): pre-LayerNorm, learned positions, GELU, dropout;
- `modern`: nanochat's (Karpathy 2025), operation for operation what `transformers` calls `NanoChatForCausalLM`:
  a norm after the embedding, rotary positions and then QK-norm, RMSNorm without weights, ReLU², no biases, grouped
  key/value heads, an optional soft cap on the logits;
- `bigram`: a V × V table of scores, the baseline that sees one token.
With `n_experts` the MLP of each block of gpt2 or modern is a mixture of experts (see `Experts`).
Axes: B batch, T time, C channels (`n_embd`), H heads, D head size, V vocabulary, E experts.

Deviations: the tied head is no second parameter but the embedding itself; query, key and value come out of one matrix
(GPT-2's layout) in `modern` too. Not covered: nanochat's later value embeddings and windows.
"""

from __future__ import annotations

import math
from copy import copy
from functools import partial

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from lm import fast_block
from lm.attention import attend
from lm.config import ModelConfig
from lm.dropout import Dropout
from lm.settings import check

LAYER_NORM_EPS = 1e-5  # GPT-2
RMS_NORM_EPS = 1e-6  # nanochat, as transformers has it
WHOLE_ROWS = 64  # numbers of 16 bits in 128 bytes, on which NVIDIA's guide to matrix products aligns; nanoGPT's 50,304
GPT2_STD = 0.02  # GPT-2's initial standard deviation
UNTIED_EMBEDDING_STD, UNTIED_HEAD_STD = 1.0, 0.001  # nanochat
# A token's first logit for itself, in modern with a tied head (see initial_std). Measured over 250 steps of a 4/4/128
# model on Tiny Shakespeare, one seed: validation 2.08 with 2 and 2.11 with 1 under adamw, 1.83 and 1.85 under muon.
TIED_FIRST_LOGIT = 2.0

PRESETS: dict[str, ModelConfig] = {
    "tiny": ModelConfig(block_size=128, n_layer=4, n_head=4, n_embd=128),
    "small": ModelConfig(block_size=256, n_layer=4, n_head=4, n_embd=256),
    "medium": ModelConfig(block_size=256, n_layer=6, n_head=6, n_embd=384, dropout=0.2),  # nanoGPT's shakespeare_char
    "modern-small": ModelConfig(arch="modern", block_size=256, n_layer=4, n_head=4, n_embd=256),
    "modern-medium": ModelConfig(arch="modern", block_size=256, n_layer=6, n_head=6, n_embd=384, dropout=0.2),
    "gpt2-small": ModelConfig(block_size=1024, n_layer=12, n_head=12, n_embd=768, dropout=0.1),  # 124 M with V=50257
    "gpt2-medium": ModelConfig(block_size=1024, n_layer=24, n_head=16, n_embd=1024, dropout=0.1),  # 355 M
}

GELUS = {"exact": "none", "tanh": "tanh"}  # our name, and that of `F.gelu`


class Linear(nn.Linear):
    """A linear layer whose weights wait for `GPT.initialise`: building it draws no random number."""

    def reset_parameters(self) -> None:
        pass


class Embedding(nn.Embedding):
    """A table of vectors whose weights wait for `GPT.initialise`."""

    def reset_parameters(self) -> None:
        pass


class KVCache:
    """Keys and values of the tokens seen so far, so that the next token costs one step instead of all of them.

    `states` (n_layer, 2, B, H_kv, block_size, D), of which `keys` and `values` are views, each (n_layer, B, H_kv,
    block_size, D); the first `length` positions are filled.
    """

    def __init__(self, config: ModelConfig, batch_size: int, device: torch.device | str = "cpu", dtype=torch.float32):
        n_layer = 0 if config.arch == "bigram" else config.n_layer
        shape = (n_layer, 2, batch_size, config.kv_heads, config.block_size, config.head_size)
        self.states, self.length = torch.empty(shape, device=device, dtype=dtype), 0

    @property
    def keys(self) -> Tensor:
        return self.states[:, 0]

    @property
    def values(self) -> Tensor:
        return self.states[:, 1]

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store k, v (B, H_kv, T, D) after `length`; give back all of them, (B, H_kv, length + T, D)."""
        end = self.length + k.size(2)
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def repeat(self, part: KVCache) -> None:
        """All texts have read what the first has, of which `part` is the cache."""
        self.length = part.length
        self.states[:, :, 1:, :, : self.length] = part.states[..., : self.length, :]

    def part(self, rows: slice) -> KVCache:
        """Those of some texts, in the same memory, to be filled up by themselves."""
        part = copy(self)
        part.states = self.states[:, :, rows]
        return part


class Attention(nn.Module):
    """Every token looks back at the tokens before it and takes a mixture of their values."""

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        is_gpt2 = config.arch == "gpt2"
        self.layer = layer
        self.head_size = config.head_size
        self.widths = [config.n_embd, *2 * [config.kv_heads * config.head_size]]  # columns of query, key, value
        self.has_rotary = not is_gpt2
        self.dropout = config.dropout
        self.qkv = Linear(config.n_embd, sum(self.widths), bias=is_gpt2 and config.bias and config.qkv_bias)
        self.out = Linear(config.n_embd, config.n_embd, bias=is_gpt2 and config.bias)

    def forward(
        self, x: Tensor, rotary: tuple[Tensor, Tensor] | None, cache: KVCache | None, last_only: bool = False
    ) -> Tensor:
        """x (B, T, C) → (B, T, C), or (B, 1, C) of the last position, whose query alone is then asked."""
        B, T, C = x.shape
        q, k, v = (
            part.view(B, T, -1, self.head_size).transpose(1, 2) for part in self.qkv(x).split(self.widths, dim=-1)
        )  # (B, H, T, D) and twice (B, H_kv, T, D)
        if rotary is not None:
            q, k = (F.rms_norm(rotate(z, *rotary), (self.head_size,), eps=RMS_NORM_EPS).to(v.dtype) for z in (q, k))
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)  # (B, H_kv, S, D)
        if last_only:
            q = q[:, :, -1:]
        y = attend(q, k, v, dropout=self.dropout if self.training else 0.0)  # (B, H, T or 1, D)
        return self.out(y.transpose(1, 2).reshape(B, -1, C))


class MLP(nn.Module):
    """Every token by itself: widen, activate, narrow."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        is_gpt2 = config.arch == "gpt2"
        self.up = Linear(config.n_embd, config.inner, bias=is_gpt2 and config.bias)
        self.down = Linear(config.inner, config.n_embd, bias=is_gpt2 and config.bias)
        self.gelu = GELUS[config.gelu] if is_gpt2 else ""  # as `F.gelu` names it; modern has ReLU²

    def forward(self, x: Tensor) -> Tensor:
        activation = partial(F.gelu, approximate=self.gelu) if self.gelu else relu_squared
        return self.down(activation(self.up(x)))  # (B, T, C) → (B, T, inner) → (B, T, C)


class Experts(nn.Module):
    """Several MLPs of which every token meets the few that its router finds likeliest (Shazeer et al. 2017).

    Gates as in Mixtral (Jiang et al. 2024): a softmax over all experts, the largest k of it, made to sum to one. No
    expert has a limit, so no token is dropped. `balance` is the balance loss of the last forward pass, `counts` (E,)
    says how often each expert was chosen since it was last set to zero.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.n_chosen = config.n_experts_per_token
        self.router = Linear(config.n_embd, config.n_experts, bias=False)
        self.experts = nn.ModuleList(MLP(config) for _ in range(config.n_experts))
        self.register_buffer("counts", torch.zeros(config.n_experts, dtype=torch.int64), persistent=False)
        self.balance = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(0, 1)  # (B T, C)
        probabilities = F.softmax(self.router(tokens).float(), dim=-1)  # (B T, E)
        gates, chosen = probabilities.topk(self.n_chosen)  # (B T, k) each
        gates = gates / gates.sum(dim=-1, keepdim=True)
        y = torch.zeros_like(tokens)
        for i, expert in enumerate(self.experts):
            rows, slots = (chosen == i).nonzero(as_tuple=True)  # (its tokens,) each
            y = y.index_add(0, rows, (expert(tokens[rows]) * gates[rows, slots, None]).to(y.dtype))
        counts = torch.bincount(chosen.flatten(), minlength=len(self.experts))
        self.counts += counts
        self.balance = balance_loss(probabilities, counts)
        return y.view_as(x)  # (B, T, C)


def balance_loss(probabilities: Tensor, counts: Tensor) -> Tensor:
    """E Σ fᵢ Pᵢ (Fedus et al. 2021, Switch Transformers, eq. 4): 1 when all are used alike, E when one does all.

    `counts` (E,) of choices make the shares f, which have no gradient; the mean of `probabilities` (N, E) makes P.
    """
    return counts.numel() * (counts / counts.sum() * probabilities.mean(dim=0)).sum()


class Block(nn.Module):
    """Attention, then MLP; each reads a normalised copy of the stream and adds its result to it."""

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        self.norm1 = make_norm(config)
        self.attention = Attention(config, layer)
        self.norm2 = make_norm(config)
        self.mlp = Experts(config) if config.n_experts else MLP(config)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, x: Tensor, rotary: tuple[Tensor, Tensor] | None, cache: KVCache | None, last_only: bool = False
    ) -> Tensor:
        """x (B, T, C) → (B, T, C), or (B, 1, C) of the last position."""
        if last_only:
            x = x[:, -1:] + self.dropout(self.attention(self.norm1(x), rotary, cache, last_only))
            return x + self.dropout(self.mlp(self.norm2(x)))
        is_fast, dropout = cache is None and fast_block.is_ready(x), self.dropout.p if self.training else 0.0
        if is_fast and fast_block.can_attend(x, self.attention, dropout):
            x = fast_block.attention_branch(x, self.norm1, self.attention, rotary, dropout)
        else:
            x = x + self.dropout(self.attention(self.norm1(x), rotary, cache))
        if is_fast and isinstance(self.mlp, MLP):
            return fast_block.mlp_branch(x, self.norm2, self.mlp, dropout)
        return x + self.dropout(self.mlp(self.norm2(x)))


class GPT(nn.Module):
    """The network of one `ModelConfig`.

    Its first weights are drawn from `generator`, or from PyTorch's global state when there is none: the same seed makes
    the same weights, and with a generator the global state stays untouched. `is_blank` leaves the weights undrawn, for
    a checkpoint to fill. `ConfigError` if the settings do not fit.
    """

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None, *, is_blank: bool = False):
        check(config)
        assert config.vocab_size > 0, "vocab_size comes from the tokenizer and must be set"
        super().__init__()
        self.config = config
        if config.arch == "bigram":
            self.table = Embedding(config.vocab_size, config.vocab_size)
        else:
            self._build(config)
        if not is_blank:
            self.initialise(generator)

    def _build(self, config: ModelConfig) -> None:
        self.token_embedding = Embedding(config.vocab_size, config.n_embd)
        if config.arch == "gpt2":
            self.position_embedding = Embedding(config.block_size, config.n_embd)
        else:
            cos, sin = rotary_tables(config)
            self.register_buffer("cos", cos, persistent=False)  # (block_size, D)
            self.register_buffer("sin", sin, persistent=False)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.final_norm = make_norm(config)
        self.head = None if config.tie_weights else Linear(config.n_embd, config.vocab_size, bias=False)

    def forward(self, ids: Tensor, cache: KVCache | None = None, last_only: bool = False) -> Tensor:
        """ids (B, T) int64 → logits (B, T, V), or (B, 1, V) of the last position; float32, or what autocast makes.

        With a `cache`, `ids` are the tokens after those it holds: a whole prompt into an empty one, then one at a time.
        `ValueError` if that is more than `block_size` tokens.
        """
        T, start = ids.size(1), cache.length if cache else 0
        if start + T > self.config.block_size:
            raise ValueError(f"{start + T} tokens do not fit block_size={self.config.block_size}; pass the last ones")
        assert not start or T == 1, "a filled cache takes one token at a time"
        if self.config.arch == "bigram":
            x = ids
        else:
            x = self._embed(ids, start)  # (B, T, C)
            rotary = None if self.config.arch == "gpt2" else (self.cos[start : start + T], self.sin[start : start + T])
            for block in self.blocks:  # what the last one makes of earlier positions nobody reads
                x = block(x, rotary, cache, last_only and block is self.blocks[-1])  # (B, T or 1, C)
        if cache:
            cache.length += T
        return self._score(x[:, -1:] if last_only else x)

    def _embed(self, ids: Tensor, start: int) -> Tensor:
        """ids (B, T) → (B, T, C): what each token is, and in gpt2 where it stands."""
        x = self.token_embedding(ids)
        if self.config.arch == "gpt2":
            return self.dropout(x + self.position_embedding.weight[start : start + ids.size(1)])
        return self.dropout(F.rms_norm(x, x.shape[-1:], eps=RMS_NORM_EPS))

    def _score(self, x: Tensor) -> Tensor:
        """The stream (B, T, C), or a bigram's ids (B, T) → logits (B, T, V)."""
        if self.config.arch == "bigram":
            return self.table(x)
        head = self.token_embedding if self.head is None else self.head
        logits = score_tokens(self.final_norm(x), head.weight)
        if cap := self.config.logit_softcap:
            logits = cap * torch.tanh(logits / cap)
        return logits

    @torch.no_grad()
    def initialise(self, generator: torch.Generator | None = None) -> None:
        """Draw all weights anew, in the order of `named_parameters`. Norms start at one, biases at zero.

        `first_weights="pytorch"` draws as `nn.Linear` and `nn.Embedding` do themselves: see `draw_as_pytorch`.
        """
        if self.config.first_weights == "pytorch":
            return draw_as_pytorch(self, generator)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                parameter.normal_(0.0, initial_std(self.config, name), generator=generator)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)

    def parameter_count(self, *, with_embeddings: bool = True) -> int:
        """Trainable numbers; a tied head counts once. Embeddings are those of tokens and positions, and the table."""
        return sum(
            parameter.numel()
            for name, parameter in self.named_parameters()
            if with_embeddings or not name.startswith(("token_embedding", "position_embedding", "table"))
        )

    def drop(self, rate: float) -> None:
        """From now on so much is dropped at each training step, whatever `config.dropout` says."""
        for block in self.blocks if self.config.arch != "bigram" else ():
            block.dropout.p = block.attention.dropout = self.dropout.p = rate

    def balance_loss(self) -> Tensor | float:
        """The mean over the blocks of the last forward pass's balance loss; 0 without experts."""
        return torch.stack([block.mlp.balance for block in self.blocks]).mean() if self.config.has_experts else 0.0

    def expert_shares(self) -> list[list[float]]:
        """For each block, the share of the choices since `reset_expert_shares` that fell on each expert."""
        counts = [block.mlp.counts.cpu().double() for block in self.blocks] if self.config.has_experts else []
        return [[round(share, 4) for share in (each / each.sum().clamp(min=1)).tolist()] for each in counts]

    def reset_expert_shares(self) -> None:
        for block in self.blocks if self.config.has_experts else ():
            block.mlp.counts.zero_()

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


def make_norm(config: ModelConfig) -> nn.Module:
    if config.arch == "gpt2":
        return nn.LayerNorm(config.n_embd, eps=LAYER_NORM_EPS, bias=config.bias)
    return nn.RMSNorm(config.n_embd, eps=RMS_NORM_EPS, elementwise_affine=False)


def relu_squared(x: Tensor) -> Tensor:
    """So et al. 2021, "Primer"."""
    return F.relu(x).square()


def score_tokens(x: Tensor, weight: Tensor) -> Tensor:
    """The dot products of x (B, T, C) with the row of each token in weight (V, C) → (B, T, V).

    Under autocast on an NVIDIA GPU rows of zeros fill V up, whose scores are cut off again: with V = 50,257 every row of
    the scores would begin off the grid that tensor cores read and write by.
    """
    if not (x.is_cuda and torch.is_autocast_enabled("cuda")):
        return F.linear(x, weight)
    return filled_up_linear(x, weight)


def filled_up_linear(x: Tensor, weight: Tensor) -> Tensor:
    """`F.linear` with rows of zeros below weight, up to a multiple of `WHOLE_ROWS`."""
    V = weight.size(0)
    return F.linear(x, F.pad(weight, (0, 0, 0, -V % WHOLE_ROWS)))[..., :V]


def rotary_tables(config: ModelConfig) -> tuple[Tensor, Tensor]:
    """cos and sin, each (block_size, D): how far position t turns each pair of channels (Su et al. 2021, RoPE).

    They are computed on the CPU wherever the weights are: on PyTorch's `meta` device, which holds no numbers, that
    would import PyTorch's compiler, which takes a second.
    """
    pairs = torch.arange(0, config.head_size, 2, dtype=torch.float32, device="cpu") / config.head_size  # (D/2,)
    places = torch.arange(config.block_size, dtype=torch.float32, device="cpu")
    angles = torch.outer(places, 1.0 / config.rope_theta**pairs)
    angles = torch.cat((angles, angles), dim=-1)  # (block_size, D)
    wanted = torch.get_default_device()
    return angles.cos().to(wanted), angles.sin().to(wanted)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn channel i with channel i + D/2 of x (B, H, T, D), clockwise as nanochat does, by the tables' rows (T, D)."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((second, -first), dim=-1) * sin


def initial_std(config: ModelConfig, name: str) -> float:
    """The standard deviation that a matrix starts with, so that the first loss is near ln V.

    gpt2: 0.02, and 0.02/√(2 n_layer) where a branch joins the stream (Radford et al. 2019). modern: 1/√C inside a
    branch and 0 where it joins, so that every block starts as the identity (nanochat, which draws uniformly at the same
    deviation). A tied embedding cannot have both of nanochat's scales: a token's first logit for itself is C times the
    deviation, so it starts at `TIED_FIRST_LOGIT`/C. A router starts at 0.02 in both, nearly undecided (Mixtral's in
    `transformers`).
    """
    if name.endswith("router.weight"):
        return GPT2_STD
    joins_stream = name.endswith(("out.weight", "down.weight"))
    if config.arch != "modern":
        return GPT2_STD / math.sqrt(2 * config.n_layer) if joins_stream else GPT2_STD
    if name == "token_embedding.weight":
        return TIED_FIRST_LOGIT / config.n_embd if config.tie_weights else UNTIED_EMBEDDING_STD
    if name == "head.weight":
        return UNTIED_HEAD_STD
    return 0.0 if joins_stream else config.n_embd**-0.5


def draw_as_pytorch(model: GPT, generator: torch.Generator | None) -> None:
    """What layers start with when nobody asks: U(±1/√inputs) for a linear one and its bias, N(0, 1) for an embedding.

    Raschka's book and chapter 19 leave it at that. With embeddings fifty times GPT-2's the stream says which token
    stands where long after the blocks have added to it, so a small text is soon learnt by heart.
    """
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.weight.normal_(generator=generator)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            for parameter in module.parameters():
                parameter.uniform_(-bound, bound, generator=generator)
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()
