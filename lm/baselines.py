"""What simpler predictors than a network score on a run's held-out text: the lines a loss curve is read against.

Computed from the run directory alone: the tokens in `train.bin` and `val.bin` are counted, the held-out text is decoded
and compressed. All five numbers are nats per token of the run's own tokenizer, on every held-out token but the first,
as in `lm.evaluate`; a compressor's total size is divided by the number of held-out tokens.

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
from pathlib import Path

import numpy as np

from lm.errors import CorpusError
from lm.run_dir import RunDir
from lm.tokenizer import id_dtype, load_tokenizer

# At most this much of each file is counted and compressed, from its beginning: a text of any size takes seconds and
# less than 200 MB. Measured on 2 cores: 1.1 MB of text 0.4 s. Assumed: more would move the lines by less than their width.
MOST_TRAIN_TOKENS = 1 << 24
MOST_VAL_TOKENS = 1 << 20
TOKENS_AT_ONCE = 1 << 20
UNIFORM_PRIOR = 1.0  # pseudo-counts, spread evenly over the whole vocabulary; Laplace's rule has V of them
PRIORS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)  # pseudo-counts after each token, spread as the unigram is


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

    Deterministic; memory and time are bounded. `TokenizerError` when the tokenizer is missing or damaged, `CorpusError`
    when the tokens are damaged, `OSError` when they cannot be read.
    """
    tokenizer = load_tokenizer(run.tokenizer)
    vocab_size = tokenizer.vocab_size
    train = _first_ids(run.train_tokens, MOST_TRAIN_TOKENS, vocab_size)  # (N,)
    val = _first_ids(run.val_tokens, MOST_VAL_TOKENS, vocab_size)  # (M,)
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


def _first_ids(path: Path, most: int, vocab_size: int) -> np.ndarray:
    """At most the first `most` ids of a file that `lm.batches` wrote (which would load torch), (N,)."""
    ids = np.fromfile(path, id_dtype(vocab_size), most)
    if len(ids) and int(ids.max()) >= vocab_size:
        raise CorpusError(
            f"{path} is damaged: it does not hold ids below {vocab_size:,} alone; make the run again from its text"
        )
    return ids


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
    """How often each of `pairs` (P,), sorted, occurs in `train`: (P,) int64. No other pair takes any memory."""
    counts = np.zeros(len(pairs), dtype=np.int64)
    for start in range(0, len(train) - 1, TOKENS_AT_ONCE):
        found = _pairs(train[start : start + TOKENS_AT_ONCE + 1], vocab_size)
        at = np.searchsorted(pairs, found).clip(max=len(pairs) - 1)
        counts += np.bincount(at[pairs[at] == found], minlength=len(pairs))
    return counts
