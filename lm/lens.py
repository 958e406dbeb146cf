"""Looking inside a model: what it expects, where it was surprised, what it looks back at, how it sees its tokens.

Each function takes a model and gives numbers that can be drawn: lists and numpy arrays, never a tensor. Nothing is
changed: the model's mode comes back, and no random number of anyone's is drawn. Attention weights, which the fast
attention never holds, are computed here from the model's own matrices, and a test holds their products to the model's.

Every length is bounded where visitors share a machine. Not covered: activations of the MLPs, gradients.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lm import prepare
from lm.checkpoint import load_model
from lm.config import SampleConfig
from lm.evaluate import evaluating
from lm.generate import mute_ids, penalise, probabilities
from lm.model import GPT, RMS_NORM_EPS, Attention, rotate
from lm.reader import Window
from lm.run_dir import RunDir
from lm.stages import table
from lm.tokenizer import Tokenizer

MOST_SURPRISE_TOKENS = 4096
MOST_ATTENTION_TOKENS = 64
SHOWN_TOKENS = 400  # of the next-token distribution these are sent one by one
TAIL_BINS = 64  # and the others by how many of them have about this score
NEIGHBOURS = 5
TINY = 1e-12  # against a division by zero


@dataclass(frozen=True)
class Choice:
    """A token that could come next: its probability as the model has it, and as the settings let it be drawn."""

    id: int
    text: str
    probability: float
    drawn: float


@dataclass(frozen=True)
class NextTokens:
    """All scores of what comes next, in few numbers.

    `ids` and `logits` are of the likeliest tokens in order, the best at 0; `tail` holds (mean score, how many) of the
    others: enough to compute the whole distribution at any temperature.
    """

    ids: list[int]
    logits: list[float]
    tail: list[tuple[float, int]]


@dataclass(frozen=True)
class Surprise:
    """Some whole characters, how many tokens they are made of, and -log p of these in nats; None for the first token."""

    text: str
    n_tokens: int
    nats: float | None


@dataclass(frozen=True)
class Map:
    """Tokens as points: `points` (N, 2), and of each its `neighbours` (N, `NEIGHBOURS`), the most alike first.

    `explained` is the share of the variance that these two axes hold.
    """

    points: np.ndarray
    neighbours: np.ndarray
    explained: float


# ---------------------------------------------------------------------------------------------- what comes next


def spelled(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """For each id the characters that it completes; nothing where it ends within one. Joined, they are the text."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    texts = [decoder.decode(tokenizer.id_bytes[i]) for i in ids]
    if texts:
        texts[-1] += decoder.decode(b"", final=True)
    return texts


def named(tokenizer: Tokenizer, i: int) -> str:
    """One token for a reader: its text, or its bytes in hexadecimal where they are no whole characters."""
    spelling = tokenizer.id_bytes[i]
    try:
        return spelling.decode("utf-8")
    except UnicodeDecodeError:
        return f"⟨{spelling.hex(' ').upper()}⟩"


def alternatives(
    model: GPT,
    tokenizer: Tokenizer,
    ids: Sequence[int],
    config: SampleConfig,
    *,
    prompt: int = 0,
    most: int = 12,
    chosen: int = -1,
) -> list[Choice]:
    """The `most` likeliest tokens after `ids`, and `chosen` wherever it ranks, as `config` would draw them.

    The first `prompt` of the ids are those that a model was given (0: all of them), from which follows what it has read
    of a text longer than its context.
    """
    start = Window.of(model.config, config, prompt or len(ids)).start(len(ids))
    logits = _last_logits(model, tokenizer, ids[start:])  # (1, V)
    context = torch.tensor([list(ids[-model.config.block_size :])])
    penalised = penalise(logits, context, config.repetition_penalty)
    drawn = _one_hot(penalised) if config.temperature == 0 else probabilities(penalised, config)
    ranked = logits[0].argsort(descending=True, stable=True).tolist()
    shown = ranked[:most] + ([chosen] if chosen >= 0 and chosen not in ranked[:most] else [])
    by_model = logits.softmax(dim=-1)[0]
    return [Choice(i, named(tokenizer, i), float(by_model[i]), float(drawn[0, i])) for i in shown if by_model[i] > 0]


def next_tokens(model: GPT, tokenizer: Tokenizer, ids: Sequence[int]) -> NextTokens:
    """The scores of what comes after `ids`, of which the last `block_size` are read."""
    scores = _last_logits(model, tokenizer, ids)[0]
    scores = scores - scores.max()
    order = scores.argsort(descending=True, stable=True)[: int(scores.isfinite().sum())]
    ordered, ranked = scores[order].tolist(), order.tolist()
    groups = [group for group in np.array_split(np.array(ordered[SHOWN_TOKENS:]), TAIL_BINS) if len(group)]
    tail = [(float(group.mean()), len(group)) for group in groups]
    return NextTokens(ranked[:SHOWN_TOKENS], ordered[:SHOWN_TOKENS], tail)


def _last_logits(model: GPT, tokenizer: Tokenizer, ids: Sequence[int]) -> Tensor:
    """The logits after the last of `ids`, (1, V) float32 on the CPU; -inf for ids that are never generated."""
    window = torch.tensor([list(ids[-model.config.block_size :])], device=model.device)
    with evaluating(model):
        logits = model(window, last_only=True)[:, -1].float().cpu()
        logits[:, mute_ids(model, tokenizer)] = -math.inf
    return logits


def _one_hot(logits: Tensor) -> Tensor:
    return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).float()


# ---------------------------------------------------------------------------------------------- surprise


def surprise(model: GPT, tokenizer: Tokenizer, text: str) -> list[Surprise]:
    """How surprising `text` was, character by character; tokens that share a character are taken together.

    Windows overlap by half, so that every token is predicted from at least half a context, or from all there is.
    At most `MOST_SURPRISE_TOKENS` are read.
    """
    ids = tokenizer.encode(text)[:MOST_SURPRISE_TOKENS].astype(np.int64)
    losses = token_losses(model, ids)
    found, n_tokens, total = [], 0, 0.0
    for piece, nats in zip(spelled(tokenizer, ids), [None, *losses.tolist()]):
        n_tokens, total = n_tokens + 1, None if nats is None or total is None else total + nats
        if piece:
            found.append(Surprise(piece, n_tokens, total))
            n_tokens, total = 0, 0.0
    return found


def token_losses(model: GPT, ids: np.ndarray) -> np.ndarray:
    """-log p of each of ids (N,) but the first, given those before it: (N - 1,) float64 nats."""
    window = model.config.block_size
    stride = max(1, window // 2)
    losses = np.zeros(max(0, len(ids) - 1))
    with evaluating(model):
        for start in range(0, max(1, len(losses) - window + stride), stride):
            end = min(start + window, len(losses))
            rows = torch.from_numpy(ids[start : end + 1].astype(np.int64))[None].to(model.device)
            if end > start:
                logits = model(rows[:, :-1])[0].float()  # (T, V)
                first = 0 if start == 0 else window - stride  # those before were predicted from more, or as much
                nats = F.cross_entropy(logits[first:], rows[0, 1 + first :], reduction="none")
                losses[start + first : end] = nats.cpu().numpy()
    return losses


# ---------------------------------------------------------------------------------------------- attention


def attention(model: GPT, ids: Sequence[int]) -> np.ndarray:
    """How much each token looks at each before it and at itself: (n_layer, n_head, T, T) float32, every row sums to 1.

    At most `MOST_ATTENTION_TOKENS` and `block_size`; a bigram has no layers.
    """
    ids = list(ids[: min(MOST_ATTENTION_TOKENS, model.config.block_size)])
    if model.config.arch == "bigram":
        return np.zeros((0, 0, len(ids), len(ids)), dtype=np.float32)
    with evaluating(model):
        x = model._embed(torch.tensor([ids], device=model.device), 0)  # (1, T, C)
        rotary = None if model.config.arch == "gpt2" else (model.cos[: len(ids)], model.sin[: len(ids)])
        weights = []
        for block in model.blocks:
            weights.append(attention_weights(block.attention, block.norm1(x), rotary)[0])
            x = block(x, rotary, None)
    return torch.stack(weights).float().cpu().numpy()


def attention_weights(layer: Attention, x: Tensor, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
    """softmax(q kᵀ/√D + mask) of what the layer reads, x (B, T, C) → (B, H, T, T)."""
    B, T, _ = x.shape
    q, k, _ = (part.view(B, T, -1, layer.head_size).transpose(1, 2) for part in layer.qkv(x).split(layer.widths, -1))
    if rotary is not None:
        q, k = (F.rms_norm(rotate(z, *rotary), (layer.head_size,), eps=RMS_NORM_EPS) for z in (q, k))
    k = k.repeat_interleave(q.size(1) // k.size(1), dim=1)  # grouped heads share their keys
    scores = q @ k.mT / math.sqrt(layer.head_size)  # (B, H, T, T)
    return scores.masked_fill(scores.new_ones(T, T).triu(1).bool(), -math.inf).softmax(dim=-1)


# ---------------------------------------------------------------------------------------------- embeddings


def embedding(model: GPT) -> np.ndarray:
    """A row for each token, (V, C) float32; of a bigram its scores."""
    return table(model).float().cpu().numpy()


def first_embedding(run: RunDir) -> np.ndarray:
    """`embedding` before the first step: drawn again from the run's seed, or what `--init-from` brought."""
    if run.initial.exists():
        return embedding(load_model(run.initial))
    setup = prepare.load(run)
    return embedding(GPT(setup.model, torch.Generator().manual_seed(setup.train.seed)))


def maps(tables: Sequence[np.ndarray], ids: Sequence[int]) -> list[Map]:
    """The rows `ids` of each table (V, C) as points, all on the two axes along which the last table varies most.

    One pair of axes for all, so that what moves between two tables has moved; PCA by singular values.
    """
    chosen = [table[list(ids)] - table[list(ids)].mean(axis=0) for table in tables]
    _, _, directions = np.linalg.svd(chosen[-1], full_matrices=False)
    axes = directions[:2]  # (2, C)
    axes = axes * np.sign(axes.sum(axis=1, keepdims=True) + TINY)  # the same way round on every machine
    return [Map(rows @ axes.T, _neighbours(rows), _explained(rows, axes)) for rows in chosen]


def _neighbours(rows: np.ndarray) -> np.ndarray:
    """For each of rows (N, C) the others most like it by cosine similarity, the likest first: (N, `NEIGHBOURS`)."""
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)
    alike = unit @ unit.T
    np.fill_diagonal(alike, -np.inf)
    return np.argsort(-alike, axis=1, kind="stable")[:, : min(NEIGHBOURS, len(rows) - 1)]


def _explained(rows: np.ndarray, axes: np.ndarray) -> float:
    """The share of the variance of centred rows (N, C) that lies along axes (2, C)."""
    return float(((rows @ axes.T) ** 2).sum() / max(TINY, float((rows**2).sum())))
