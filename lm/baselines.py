"""What simpler things than a network score on a run's held-out text: the lines a loss curve is read against.

From the run directory alone: `train.bin` and `val.bin` are counted, the held-out text is decoded and compressed. All
five are nats per token of the run's own tokenizer, on every held-out token but the first, as `lm.evaluate` measures;
a compressor's size per byte is converted by the bytes that a token has here.

- uniform: every token equally likely, ln V;
- unigram: how often each token occurs in the training text;
- bigram: what follows what in the training text;
- gzip, xz: the held-out text compressed by itself. They have not seen the training text, so a long held-out text
  flatters them and a short one does not.

Unseen tokens and pairs get their share by Dirichlet priors (MacKay and Peto 1995, A hierarchical Dirichlet language
model): the tokens' is uniform, the pairs' is the unigram. The weight of the pairs' is the best of `PRIORS` on the
held-out text itself, which favours the baseline by a hair.
"""

from __future__ import annotations

import gzip
import lzma
import math
from dataclasses import dataclass

import numpy as np

from lm import run_dir
from lm.run_dir import RunDir
from lm.tokenizer import load_tokenizer

# What is counted and compressed at most, from the beginning of each file: a text of any size takes seconds and less
# than 200 MB. Measured on 2 cores: 1.1 MB of text 0.4 s. assumed: more would move the lines by less than their width.
MOST_TRAIN_TOKENS = 1 << 24
MOST_VAL_TOKENS = 1 << 20
TOKENS_AT_ONCE = 1 << 20
UNIFORM_PRIOR = 1.0  # counts that every vocabulary shares out before it has seen anything; Laplace's rule is V
PRIORS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)


@dataclass(frozen=True)
class Baselines:
    """Nats per token; `bytes_per_token` turns them into bits per byte: nats / ln 2 / bytes_per_token."""

    uniform: float
    unigram: float
    bigram: float
    gzip: float
    xz: float
    bytes_per_token: float


def baselines(run: RunDir) -> Baselines | None:
    """The baselines of a prepared run; None where less than two tokens are held out.

    Deterministic; memory and time are bounded. `RunError` when config.json is missing or damaged, `TokenizerError` when
    the tokenizer is, `OSError` when the tokens cannot be read.
    """
    tokenizer, vocab_size = load_tokenizer(run.tokenizer), run_dir.read_json(run.config)["model"]["vocab_size"]
    dtype = np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")  # as lm.batches writes them
    train = np.fromfile(run.train_tokens, dtype, MOST_TRAIN_TOKENS)  # (N,)
    val = np.fromfile(run.val_tokens, dtype, MOST_VAL_TOKENS)  # (M,)
    if len(val) < 2:
        return None
    unigram = unigram_probabilities(train, vocab_size)  # (V,)
    text = tokenizer.decode_bytes(val)
    return Baselines(
        uniform=math.log(vocab_size),
        unigram=float(-np.log(unigram[val[1:]]).mean()),
        bigram=bigram_nats(train, val, unigram),
        gzip=8 * len(gzip.compress(text, mtime=0)) * math.log(2) / len(val),
        xz=8 * len(lzma.compress(text)) * math.log(2) / len(val),
        bytes_per_token=len(text) / len(val),
    )


def unigram_probabilities(train: np.ndarray, vocab_size: int) -> np.ndarray:
    """ids (N,) → the probability of each token, (V,) float64; none is 0."""
    counts = np.bincount(train, minlength=vocab_size).astype(np.float64)
    return (counts + UNIFORM_PRIOR / vocab_size) / (len(train) + UNIFORM_PRIOR)


def bigram_nats(train: np.ndarray, val: np.ndarray, unigram: np.ndarray) -> float:
    """The mean of -ln p(token | the one before) over `val` (M,), counted in `train` (N,), in nats."""
    vocab_size = len(unigram)
    pairs, places = np.unique(_pairs(val, vocab_size), return_inverse=True)
    both = _occurrences(train, pairs, vocab_size)[places]  # (M - 1,)
    before = np.bincount(train[:-1], minlength=vocab_size)[val[:-1]]  # (M - 1,)
    after = unigram[val[1:]]  # (M - 1,)
    return min(float(-np.log((both + prior * after) / (before + prior)).mean()) for prior in PRIORS)


def _pairs(ids: np.ndarray, vocab_size: int) -> np.ndarray:
    """ids (N,) → one number for each two neighbours, (N - 1,) int64."""
    return ids[:-1].astype(np.int64) * vocab_size + ids[1:]


def _occurrences(train: np.ndarray, pairs: np.ndarray, vocab_size: int) -> np.ndarray:
    """How often each of `pairs` (P,), sorted, occurs in `train`: (P,) int64. Others are not counted, so P bounds it."""
    counts = np.zeros(len(pairs), dtype=np.int64)
    for start in range(0, len(train) - 1, TOKENS_AT_ONCE):
        found = _pairs(train[start : start + TOKENS_AT_ONCE + 1], vocab_size)
        at = np.searchsorted(pairs, found).clip(max=len(pairs) - 1)
        counts += np.bincount(at[pairs[at] == found], minlength=len(pairs))
    return counts
