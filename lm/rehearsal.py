"""A few steps of a training, timed, and what its tokenizer makes of the text: what `lm.preflight` calculates with.

The steps are the trainer's (forward, backward, clip, optimizer) in memory held as the trainer holds it, over ids drawn at
random: their speed does not depend on what they say. The shortest counts, for other programs can only make one longer.
Of a batch that would take long only some sequences are tried, and their time is scaled.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F

from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.corpus import Corpus, read_chunks, split_point
from lm.costs import count_parameters, memory_estimate
from lm.device import autocast, choose_device, choose_precision, describe, free_bytes
from lm.heap import keep_freed_memory
from lm.memory import fewest_parts
from lm.model import GPT
from lm.optim import make_optimizers
from lm.preflight import Rehearsal
from lm.tokenizer import make_tokenizer

# Of a longer text so much is cut into tokens; the rest is assumed to be like it. Measured: 1.4 s for bpe.
COUNTED_CHARACTERS, PIECE_CHARACTERS = 2_000_000, 500_000
SOON_SECONDS = 1.5  # a step that is quicker is timed whole
# Two steps are timed, and as many more as fit this time: beside a page that is opening, two of the quick start's took twice
# what a training's take.
TIMED_STEPS, TIMED_SECONDS = 2, 0.4
SHORT_SECONDS = 0.2  # where half or twice as much would say the same


def rehearse(corpus: Corpus, data: DataConfig, model: ModelConfig, train: TrainConfig) -> Rehearsal:
    """Cut the text, build the model, time its steps. Takes seconds; draws nothing from PyTorch's global state."""
    train_tokens, val_tokens, vocab_size = count_tokens(corpus, data, tokens_read(corpus, data, model, train))
    model = replace(model, vocab_size=vocab_size)
    device = choose_device(train.device)
    free = free_bytes(device)
    parts = train.grad_accum_steps or fewest_parts(model, train, free)
    rows = train.batch_size // parts
    memory = memory_estimate(model, replace(train, grad_accum_steps=parts))
    precision = choose_precision(train.precision, device, rows * model.block_size, model.n_embd)
    return Rehearsal(
        parameters=count_parameters(model),
        memory_bytes=memory,
        free_bytes=free,
        train_tokens=train_tokens,
        val_tokens=val_tokens,
        vocab_size=vocab_size,
        step_seconds=step_seconds(model, train, device, precision, rows) if memory < free else 0.0,
        device=describe(device),
        precision=precision,
    )


def clock(wanted_device: str = "auto", patience: float = TIMED_SECONDS) -> Callable[[ModelConfig, TrainConfig], float]:
    """A function that times one optimizer step of a model on this machine, in seconds; 0.0 where it does not fit."""
    device = choose_device(wanted_device)

    def timed(model: ModelConfig, train: TrainConfig) -> float:
        if memory_estimate(model, train) > free_bytes(device):
            return 0.0
        precision = choose_precision(train.precision, device, train.batch_size * model.block_size, model.n_embd)
        return step_seconds(model, train, device, precision, train.batch_size, patience)

    return timed


def tokens_read(corpus: Corpus, data: DataConfig, model: ModelConfig, train: TrainConfig) -> float:
    """About how many tokens a training reads, which `tokenizer="auto"` may turn on; infinite where it does not.

    A few steps are timed where that is for the clock to say.
    """
    found = corpus.statistics.characters, corpus.statistics.distinct_characters
    if data.tokenizer_of(*found) == data.tokenizer_of(*found, tokens_read=0):
        return math.inf
    step_tokens = train.batch_size * model.block_size
    by_epochs = train.epochs * data.training_pairs(corpus.statistics.characters)
    read = min([limit for limit in (train.steps * step_tokens, by_epochs) if limit], default=math.inf)
    if train.minutes and data.tokenizer_of(*found, read) == data.tokenizer_of(*found):
        seconds = clock(train.device, SHORT_SECONDS)(replace(model, vocab_size=data.vocab_size), train)
        read = min(read, 60 * train.minutes / seconds * step_tokens if seconds else math.inf)
    return read


def count_tokens(corpus: Corpus, data: DataConfig, tokens_read: float = math.inf) -> tuple[int, int, int]:
    """(training tokens, held-out tokens, size of the vocabulary); of a long text extrapolated from its beginning."""
    tokenizer = make_tokenizer(data, corpus, tokens_read)
    characters = corpus.statistics.characters
    counted = tokens = 0
    for chunk in read_chunks(corpus.path, PIECE_CHARACTERS):
        counted, tokens = counted + len(chunk), tokens + len(tokenizer.encode(chunk))
        if counted >= COUNTED_CHARACTERS:
            break
    whole = round(tokens * characters / max(1, counted))
    train_tokens = round(whole * split_point(corpus.statistics, data.val_fraction) / max(1, characters))
    return train_tokens, whole - train_tokens, tokenizer.vocab_size


def step_seconds(
    model_config: ModelConfig, train: TrainConfig, device: torch.device, precision: str, rows: int,
    patience: float = TIMED_SECONDS,
) -> float:  # fmt: skip
    """Seconds of one optimizer step over a whole batch, in parts of `rows` sequences; the more `patience`, the surer.

    From then on the process keeps the memory that it frees (`lm.heap`), as one that trains.
    """
    keep_freed_memory()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GPT(model_config).to(device)
    optimizers = make_optimizers(model, train, precision)
    generator = torch.Generator().manual_seed(0)

    def learn(sequences: int) -> float:
        """Seconds of forward and backward over so many sequences."""
        shape = (sequences, model_config.block_size)
        ids = torch.randint(model_config.vocab_size, shape, generator=generator).to(device)
        started = time.perf_counter()
        with autocast(device, precision):
            logits = model(ids)  # (B, T, V)
        (F.cross_entropy(logits.float().flatten(0, 1), ids.flatten()) + model.balance_loss()).backward()
        _wait(device)
        return time.perf_counter() - started

    learn(1)  # the first step allocates and compiles
    one = learn(1)
    tried = max(1, min(rows, int(SOON_SECONDS / max(one, 1e-6))))
    learning, applying, begun = [], [], time.perf_counter()
    while len(learning) < TIMED_STEPS or time.perf_counter() - begun < patience:
        learning.append(learn(tried))
        applying.append(_apply(model, optimizers, train, device))
    return min(learning) / tried * train.batch_size + min(applying)


def _apply(model: GPT, optimizers: list[torch.optim.Optimizer], train: TrainConfig, device: torch.device) -> float:
    """Seconds of clipping and of the optimizers' steps."""
    started = time.perf_counter()
    torch.nn.utils.clip_grad_norm_(model.parameters(), train.grad_clip or math.inf)
    for optimizer in optimizers:
        optimizer.step()
    model.zero_grad(set_to_none=True)
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
