"""What a model says next of a text that grows by a token each time, by the shortest way that the text allows.

A model sees `block_size` tokens. Which those are of a longer text says `Window`. nanoGPT, and `slide` here, read the last
`block_size` anew for every token, because what was computed for them still knows the token that has left. With `shift`
the older half is let go each time the context is full, and the newer half is read once; from there on a token costs one
step, as at the start of a text. (llama.cpp calls this a context shift, and keeps the states of the newer half, which
know the older. Here they are computed anew: what is written depends on the tokens of the window and on nothing else.)

So each token is chosen from half a context at least, three quarters on average, where the held-out loss is measured with
half on average. What is lost against the whole is less than three thousandths of a nat (`benchmarks/README.md`).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

from torch import Tensor

from lm.config import ModelConfig, SampleConfig
from lm.decode import Decoder, can_decode, is_small
from lm.graph import TokenStep, can_record
from lm.half import halved
from lm.model import GPT, KVCache

# From so many readings of a window on a small model's rounded matrices are kept for the next: to make room for them takes 3
# to 90 ms, to do without one to five at each reading (three sizes on two cores).
READ_OFTEN = 12


@dataclass(frozen=True)
class Window:
    """Which tokens of a text are read for its next one: its last, at most `size`, of which `step` are let go at once.

    It follows from the lengths of text and prompt alone, so a text that is taken up again goes on as it would have.
    """

    size: int
    step: int
    prompt: int  # tokens, of which the last `size` are read

    @classmethod
    def of(cls, model: ModelConfig, config: SampleConfig, prompt: int) -> Window:
        size = model.block_size
        return cls(size, 1 if config.past_context == "slide" else max(1, size // 2), prompt)

    def start(self, length: int) -> int:
        """The first token that is read of a text of so many; `size - step` or more follow it, or all there are."""
        first = max(0, self.prompt - self.size)
        beyond = max(0, length - first - self.size)
        return first + -(-beyond // self.step) * self.step


class Reader:
    """A model, and what it has read of `batch_size` texts that are equally long."""

    def __init__(self, model: GPT, batch_size: int, window: Window, use_cache: bool, is_exact: bool) -> None:
        self.half = None if is_exact else halved(model)
        self.model = self.half.model if self.half else model
        self.cache = KVCache(model.config, batch_size, model.device) if use_cache else None
        self.window, self.start = window, 0  # the text's token that the cache begins with
        self.is_small = is_small(model)
        self.is_on_one_thread = bool(self.half) or (self.is_small and can_decode(model))
        self._readings = 0
        self._follow: Callable[[Tensor], Tensor] | None = None

    def read(self, ids: Tensor) -> Tensor:
        """All ids of the texts so far, (B, T) → the scores of what comes next, (B, V) float32 on the CPU."""
        length = ids.size(1)
        start = self.window.start(length)
        if self.cached and self.start == start and length - start == self.cached + 1:
            self._follow = self._follow or self._fastest()
            logits = self._follow(ids[:, -1])
        else:
            logits = self._read_anew(ids[:, start:])
        self.start = start
        return logits.float().cpu()

    @property
    def cached(self) -> int:
        """How many tokens of the window the next one can follow."""
        return self.cache.length if self.cache else 0

    def _read_anew(self, ids: Tensor) -> Tensor:
        """A prompt, a window that has moved on, or a text that others have gone on with; equal texts are read once."""
        self._readings += 1
        if self.half and self.is_small and self._readings >= READ_OFTEN:
            self.half.keep()
        if self.cache:
            self.cache.length = 0
        if isinstance(self._follow, Decoder):
            self._follow = None  # it has turned the keys that were there; a recording serves again
        if len(ids) == 1 or not (ids == ids[:1]).all():
            return self._through(ids, self.cache)
        one = self.cache.part(slice(1)) if self.cache else None
        logits = self._through(ids[:1], one).repeat(len(ids), 1)
        if one:
            self.cache.repeat(one)
        return logits

    def _through(self, ids: Tensor, cache: KVCache | None) -> Tensor:
        """ids (B, T) after those of the cache → scores (B, V) of the next."""
        return self.model(ids.to(self.model.device), cache, last_only=True)[:, -1]

    def share(self, rows: slice) -> Reader:
        """A reader of some of the texts, to go on by itself from where this one is. They share the memory of the cache.

        It is prepared here, before a process may be forked for it, so that matrices are packed once.
        """
        share = copy(self)
        if self.cache:
            share.cache = self.cache.part(rows)
            share._follow = share._fastest() if self.cached else None
        return share

    def _fastest(self) -> Callable[[Tensor], Tensor]:
        """What reads one token (B,) after those of the cache, where this model is."""
        if can_decode(self.model):
            return Decoder(self.model, self.cache, self.half and self.half.product)
        if can_record(self.model) and (step := TokenStep(self.model, self.cache)).record():
            return step
        return lambda ids: self._through(ids.unsqueeze(1), self.cache)
