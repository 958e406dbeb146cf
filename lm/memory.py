"""Memory: how much of it a training takes, whether that is there, and which setting to change when it is not.

A batch is cut into parts before the first step (`fewest_parts`), a warning is said when even so the estimate is above
what is free, and a memory that is full all the same ends the run with the setting that helps, and its value. A process
that the system ends for lack of memory says nothing; what it noted before stands in the run directory, and `lm.run_dir`
reads it.
"""

from __future__ import annotations

import errno
from dataclasses import replace

import torch

from lm.config import ModelConfig, TrainConfig
from lm.costs import memory_estimate

SHARE = 0.6  # of what is free, for a training: the libraries, the evaluations and other programs need the rest. assumed
# What a RuntimeError says when it is the memory: PyTorch on CPU, on MPS, C++, cuBLAS and cuDNN, oneDNN, Python's threads.
WORDS = (
    "allocate memory", "out of memory", "bad_alloc", "ALLOC_FAILED", "could not create a primitive",
    "can't start new thread",
)  # fmt: skip


def needed_bytes(model: ModelConfig, train: TrainConfig, parts: int) -> int:
    """What training takes at its peak when each batch is computed in this many parts."""
    return memory_estimate(model, replace(train, grad_accum_steps=parts))


def fewest_parts(model: ModelConfig, train: TrainConfig, free: int) -> int:
    """The smallest number of equal parts to cut a batch into so that one part trains in `SHARE` of `free` bytes.

    One sequence at a time when nothing fits: the estimate is high, and trying costs nothing.
    """
    fitting = (parts for parts in _divisors(train) if needed_bytes(model, train, parts) <= SHARE * free)
    return next(fitting, train.batch_size)


def warning(model: ModelConfig, train: TrainConfig, parts: int, free: int) -> str:
    """A sentence for a training that is estimated to need more than `free` bytes, else an empty string."""
    needed = needed_bytes(model, train, parts)
    if needed <= free:
        return ""
    fits = fewest_parts(model, train, free)
    if needed_bytes(model, train, fits) <= SHARE * free:
        cure = f"--grad-accum-steps {fits} is the same training in less"
    else:
        cure = smaller(model, train, parts)
    return f"this training takes about {gigabytes(needed)} of memory and {gigabytes(free)} are free: {cure}"


def smaller(model: ModelConfig, train: TrainConfig, parts: int) -> str:
    """The next setting to try when a batch in this many parts was too large."""
    finer = next((n for n in _divisors(train) if n >= 2 * parts), 0)
    if finer:
        return f"--grad-accum-steps {finer} is the same training in less"
    if not train.recompute and model.arch != "bigram":
        return "--recompute is the same training in less"
    if model.block_size > 1:
        return f"use --block-size {model.block_size // 2}, or a smaller network, such as --n-embd {model.n_embd // 2}"
    return "use a smaller network"


def is_full(error: BaseException) -> bool:
    """Whether this error says that no memory was left."""
    is_said = isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)
    is_said = is_said or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    return is_said or isinstance(error, (MemoryError, torch.OutOfMemoryError))


def gigabytes(count: int) -> str:
    """`count` bytes for a person."""
    return f"{count / 1e9:.1f} GB"


def _divisors(train: TrainConfig) -> list[int]:
    """The numbers of equal parts that a batch can be cut into."""
    return [parts for parts in range(1, train.batch_size + 1) if train.batch_size % parts == 0]
