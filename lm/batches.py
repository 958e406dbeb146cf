"""Text on disk → token ids on disk → windows of them: what the model trains and is measured on.

`write_tokens` encodes the two sides of the split apart, so that no token straddles it, and streams: memory stays the
same for a text of any size, and the files are memory-mapped afterwards. Windows are drawn anywhere (`RandomWindows`:
nanoGPT, chapter 19), or each once per epoch in a shuffled order (`EpochWindows`: the DataLoader of the books). Both
draw from the generator they are given and nothing else, and go on exactly where their `state_dict` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from lm.config import TrainConfig
from lm.corpus import Corpus, read_chunks, replacing, split_point
from lm.errors import CorpusError
from lm.tokenizer import Tokenizer, id_dtype

Batch = tuple[torch.Tensor, torch.Tensor]  # x and y, both (B, T) int64; y is x one token later


# ---------------------------------------------------------------------------------------------- tokens on disk


def write_tokens(
    corpus: Corpus, tokenizer: Tokenizer, val_fraction: float, train_path: Path, val_path: Path
) -> tuple[int, int]:
    """Encode the text before the split into `train_path` and the text after it into `val_path`.

    Each file is written whole or not at all. Returns (training tokens, held-out tokens).
    """
    middle = split_point(corpus.statistics, val_fraction)
    train, val = _before(read_chunks(corpus.path), middle), _after(read_chunks(corpus.path), middle)
    return _write(train, tokenizer, Path(train_path)), _write(val, tokenizer, Path(val_path))


def open_tokens(path: Path, vocab_size: int) -> np.ndarray:
    """The ids at `path`, (N,) and memory-mapped: uint16, or uint32 for a vocabulary that needs it.

    `CorpusError` if one of them is not below `vocab_size`: the embedding has no row for it.
    """
    size, dtype = Path(path).stat().st_size, id_dtype(vocab_size)
    if not size:
        return np.empty(0, dtype)  # an empty file cannot be mapped
    is_whole = size % dtype.itemsize == 0
    ids = np.memmap(path, dtype, mode="r") if is_whole else None
    if ids is None or int(ids.max()) >= vocab_size:
        raise CorpusError(
            f"{path} is damaged: it does not hold ids below {vocab_size:,} alone; make the run again from its text"
        )
    return ids


def check_enough(n_train: int, n_val: int, block_size: int) -> None:
    """`CorpusError` when the training tokens do not fill one window, or when exactly one token is held out.

    No held-out token means that nothing is to be measured; fewer than a window are measured in a shorter window.
    """
    if n_train <= block_size:
        shorter = f"use block_size={max(1, n_train // 4)} or less, " if n_train > 1 else ""
        less = ", or hold out less (val_fraction)" if n_val else ""
        raise CorpusError(
            f"the training text has {n_train:,} of the {block_size + 1:,} tokens that one window of "
            f"block_size={block_size:,} needs; {shorter}add more text{less}"
        )
    if n_val == 1:
        raise CorpusError(
            "the held-out text has 1 token and measuring needs 2; add more text, raise val_fraction, "
            "or set val_fraction=0 to train without measuring"
        )


def _write(chunks: Iterator[str], tokenizer: Tokenizer, path: Path) -> int:
    count = 0
    with replacing(path) as file:
        for ids in tokenizer.encode_chunks(chunks):  # as they lie on disk
            file.write(ids)
            count += len(ids)
    return count


def _before(chunks: Iterator[str], position: int) -> Iterator[str]:
    """The text before character `position`."""
    for chunk in chunks:
        if position <= 0:
            return
        yield chunk[:position]
        position -= len(chunk)


def _after(chunks: Iterator[str], position: int) -> Iterator[str]:
    """The text from character `position` on."""
    for chunk in chunks:
        if position < len(chunk):
            yield chunk[max(0, position) :]
        position -= len(chunk)


# ---------------------------------------------------------------------------------------------- windows to train on


def make_windows(tokens: np.ndarray, block_size: int, config: TrainConfig) -> RandomWindows | EpochWindows:
    """The batches that `config` asks for, drawn from a generator of their own, seeded with the run's seed."""
    generator = torch.Generator().manual_seed(config.seed)
    if config.sampling == "random":
        return RandomWindows(tokens, block_size, config.batch_size, generator)
    return EpochWindows(tokens, block_size, config.batch_size, config.stride or block_size, generator)


class RandomWindows:
    """Endless batches of windows that begin anywhere, drawn from `generator` alone."""

    def __init__(self, tokens: np.ndarray, block_size: int, batch_size: int, generator: torch.Generator) -> None:
        assert len(tokens) > block_size, "check_enough() first"
        self.tokens, self.block_size, self.batch_size, self.generator = tokens, block_size, batch_size, generator
        self.tokens_per_epoch = len(tokens)  # a pass over the text is counted in tokens seen

    def __iter__(self) -> RandomWindows:
        return self

    def __next__(self) -> Batch:
        last = len(self.tokens) - self.block_size  # exclusive
        starts = torch.randint(last, (self.batch_size,), generator=self.generator)  # (B,)
        return _windows(self.tokens, starts.numpy(), self.block_size)

    def state_dict(self) -> tuple[dict[str, int], torch.Tensor]:
        """What `load_state_dict` needs to draw the batches that follow: a position (JSON) and the generator's state."""
        return {}, self.generator.get_state()

    def load_state_dict(self, position: dict[str, int], generator_state: torch.Tensor) -> None:
        self.generator.set_state(generator_state)


class EpochWindows:
    """Endless epochs of windows `stride` apart (0: block_size), each once per epoch, in an order from `generator`.

    The last batch of an epoch is dropped when it is not full. Where the whole text has fewer windows than a batch, the
    batch is all of them.
    """

    def __init__(
        self, tokens: np.ndarray, block_size: int, batch_size: int, stride: int, generator: torch.Generator
    ) -> None:
        assert len(tokens) > block_size, "check_enough() first"
        self.tokens, self.block_size, self.generator = tokens, block_size, generator
        self.starts = np.arange(0, len(tokens) - block_size, stride or block_size)
        self.batch_size = min(batch_size, len(self.starts))
        self.batches_per_epoch = len(self.starts) // self.batch_size
        self.tokens_per_epoch = self.batches_per_epoch * self.batch_size * block_size
        self._begin_epoch()

    def __iter__(self) -> EpochWindows:
        return self

    def __next__(self) -> Batch:
        if self._next_batch == self.batches_per_epoch:
            self._begin_epoch()
        first = self._next_batch * self.batch_size
        self._next_batch += 1
        starts = self.starts[self._order[first : first + self.batch_size]]  # (B,)
        return _windows(self.tokens, starts, self.block_size)

    def state_dict(self) -> tuple[dict[str, int], torch.Tensor]:
        """How many batches of this epoch were drawn, and the generator's state from before the epoch was shuffled."""
        return {"next_batch": self._next_batch}, self._before_shuffle

    def load_state_dict(self, position: dict[str, int], generator_state: torch.Tensor) -> None:
        self.generator.set_state(generator_state)
        self._begin_epoch()
        self._next_batch = position["next_batch"]

    def _begin_epoch(self) -> None:
        self._before_shuffle = self.generator.get_state()
        self._order = torch.randperm(len(self.starts), generator=self.generator).numpy()
        self._next_batch = 0


def _windows(tokens: np.ndarray, starts: np.ndarray, block_size: int) -> Batch:
    """Windows of `tokens` that begin at `starts` (B,) → x and y, (B, T) int64."""
    rows = tokens[starts[:, None] + np.arange(block_size + 1)].astype(np.int64)  # (B, T + 1)
    windows = torch.from_numpy(rows)
    return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()


def in_halves(batch: Batch) -> Batch:
    """The same tokens in windows of half the length, (B, T) → (2 B, T/2) each; as they are where T is odd."""
    x, y = batch
    rows = 2 * x.size(0)
    return batch if x.size(1) % 2 else (x.view(rows, -1), y.view(rows, -1))


# ---------------------------------------------------------------------------------------------- windows to measure on


def evaluation_windows(n_tokens: int, block_size: int, count: int = 0) -> list[tuple[int, int]]:
    """(start, end) of windows that predict tokens start+1 … end from tokens start … end-1.

    The windows follow one another, so every token but the first is predicted exactly once; the last window may be
    shorter. With `count` > 0, only that many of them, evenly spaced and the same each time.
    """
    last = max(0, n_tokens - 1)
    n_windows = -(-last // block_size)
    chosen = range(n_windows) if not 0 < count < n_windows else (i * n_windows // count for i in range(count))
    return [(i * block_size, min((i + 1) * block_size, last)) for i in chosen]
