"""The deterministic fixed-window evaluator: how good is the model on text it has never seen?

The tokens are cut into the same windows every time, each target token belongs to one window, and the loss is the
token-weighted mean negative log-likelihood in nats, summed in float64. No random number is drawn, dropout is off, labels
are not smoothed in it, and the batch size changes nothing but the rounding. (nanoGPT's `estimate_loss` draws random
windows from the training generator instead: its validation loss is noisy, and evaluating more often trains another
model.)

Nats per token and perplexity depend on the tokenizer; bits per byte and bits per character do not.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
import torch.nn.functional as F

from lm.device import onto

LN2 = math.log(2.0)
LARGEST_EXPONENT = 700.0  # e^710 is more than float64 holds
PAIRS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Evaluation:
    """`loss` in nats per token; `tokens` is the number of predicted tokens.

    `smoothed_loss` is the training objective on the same tokens: `loss`, unless labels are smoothed while training.
    """

    loss: float
    perplexity: float
    bits_per_byte: float
    bits_per_character: float
    tokens: int
    smoothed_loss: float


@contextlib.contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; the model's own mode comes back whatever happens."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def evaluate(
    model: torch.nn.Module,
    tokens: np.ndarray,
    windows: Sequence[tuple[int, int]],
    id_sizes: tuple[np.ndarray, np.ndarray],
    *,
    batch_size: int,
    autocast: contextlib.AbstractContextManager | None = None,
    label_smoothing: float = 0.0,
) -> Evaluation:
    """Measure `model` on windows (start, end) of `tokens` (N,): tokens[start:end] predict tokens[start + 1:end + 1].

    `id_sizes` holds the bytes and the characters of every token id, each (V,) int64; `autocast` is the precision of the
    forward passes. Bits per byte are not a number where no predicted token has a byte. A GPU is waited for once, at the
    end, so that the next windows are laid ready while it computes.
    """
    device = next(model.parameters()).device
    nats = smoothed_nats = 0.0
    n_tokens = n_bytes = n_characters = 0
    with evaluating(model):
        for ids in _batches(tokens, windows, batch_size):  # (B, T + 1)
            x, y = onto(device, ids[:, :-1]), onto(device, ids[:, 1:])
            with autocast or contextlib.nullcontext():
                logits = model(x)  # (B, T, V)
            losses = F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), reduction="none")  # (B T,)
            nats += _total(losses)
            if label_smoothing:
                smoothed_nats += smoothing_nats(logits)
            targets = ids[:, 1:].numpy()
            n_tokens += targets.size
            n_bytes += int(id_sizes[0][targets].sum())
            n_characters += int(id_sizes[1][targets].sum())
    nats, smoothed_nats = float(nats), float(smoothed_nats)
    loss = nats / n_tokens
    return Evaluation(
        loss=loss,
        perplexity=math.exp(min(loss, LARGEST_EXPONENT)),
        bits_per_byte=nats / LN2 / n_bytes if n_bytes else math.nan,
        bits_per_character=nats / LN2 / n_characters if n_characters else math.nan,
        tokens=n_tokens,
        smoothed_loss=(1 - label_smoothing) * loss + label_smoothing * smoothed_nats / n_tokens,
    )


def smoothing_nats(logits: torch.Tensor) -> torch.Tensor:
    """What label smoothing adds over logits (B, T, V): -log p, the mean over the vocabulary, summed over B and T."""
    return -_total(F.log_softmax(logits.float(), dim=-1).mean(dim=-1))


def pair_entropy(tokens: np.ndarray, vocab_size: int) -> float:
    """The conditional entropy, in nats, of a token given the one before: the floor of any bigram's loss on `tokens`."""
    counts = np.zeros(vocab_size * vocab_size, dtype=np.int64)
    for start in range(0, len(tokens) - 1, PAIRS_AT_ONCE):
        ids = tokens[start : start + PAIRS_AT_ONCE + 1].astype(np.int64)
        counts += np.bincount(ids[:-1] * vocab_size + ids[1:], minlength=len(counts))
    table = counts.reshape(vocab_size, vocab_size)
    before, after = np.nonzero(table)
    pairs = table[before, after]
    return float((pairs * np.log(table.sum(axis=1)[before] / pairs)).sum() / pairs.sum())


def _total(nats: torch.Tensor) -> torch.Tensor:
    """The sum in float64: on an NVIDIA GPU where the numbers are, else on the processor, for Apple's have no float64."""
    return (nats if nats.is_cuda else nats.cpu()).double().sum()


def _batches(tokens: np.ndarray, windows: Sequence[tuple[int, int]], batch_size: int) -> Iterator[torch.Tensor]:
    """Windows of one length together, at most `batch_size` of them: (B, T + 1) int64. Only the last may be shorter."""
    for _, same_length in groupby(windows, key=lambda window: window[1] - window[0]):
        group = list(same_length)
        for first in range(0, len(group), batch_size):
            rows = [tokens[start : end + 1] for start, end in group[first : first + batch_size]]
            yield torch.from_numpy(np.stack(rows).astype(np.int64))
