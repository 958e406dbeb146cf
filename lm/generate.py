"""A model and a prompt in, text out: sampled token by token, streamed character by character.

The model sees at most `block_size` tokens, and which of a longer text those are says `lm.reader`. Cached states never
know more than the tokens that are seen, so the ids are those of the plain computation, always. (transformers' and many
others' sliding caches write another text.)

On a CPU with FBGEMM most models write with their matrices rounded to fp16, the whole text by the same numbers, with the
cache and without (see `lm.half`). Same seed, same machine: the same text. Another processor may round otherwise, which
turns a draw or a tie now and then (measured: 3 of 19,200 likeliest tokens); `is_exact` takes the weights as they are.

Sample i of a prompt has its own generator, seeded `seed + i`, and spends exactly one number of it on every token: it
can be had again alone with that seed, and a shorter text is the start of a longer one. Only rounding stands against it:
batches of other sizes round the logits differently, in the last bits, which can turn a draw that falls on a border.
Sampling itself runs on the CPU in float64, and nothing is drawn from PyTorch's global state.

What one thread writes, of a small model or with its matrices rounded, stays on one processor (see `lm.decode`), so where
there are several texts and more processors, each takes a share of them (`lm.forked`). They know nothing of each other, and
whatever becomes of a share that is written elsewhere, it is written.

Not covered: stop words and beams.
"""

from __future__ import annotations

import codecs
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor

from lm.config import SampleConfig
from lm.decode import one_thread
from lm.errors import CheckpointError
from lm.forked import PATIENCE, Child, can_fork
from lm.model import GPT
from lm.processors import processors
from lm.reader import Reader, Window
from lm.tokenizer import Tokenizer

STARTERS = ("\n", " ")  # what an empty prompt continues: the first of these that the vocabulary has, else id 0
PROMPT_CHARACTERS = 16

# A processor of its own takes 10 to 20 ms to begin. With two texts or more each, and this many tokens to be written of all
# texts together, it pays: eight texts of 4 blocks of width 256 gain 1 ms a token, four 0.3 (two cores without AVX-512).
LEAST_TEXTS, LEAST_TOKENS = 2, 256


@dataclass(frozen=True)
class Piece:
    """Some more characters of sample number `sample`, whole ones, and the tokens that were written to complete them."""

    sample: int
    text: str
    ids: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Sample:
    """`text` is the prompt and its `completion`; `seed` with `num_samples=1` writes it again."""

    text: str
    completion: str
    seed: int


def generate(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: str,
    config: SampleConfig,
    *,
    use_cache: bool = True,
    is_exact: bool = False,
    should_stop: Callable[[], bool] | None = None,
) -> list[Sample]:
    """`config.num_samples` continuations of `prompt`; the arguments are those of `stream`."""
    completions = [""] * config.num_samples
    pieces = stream(model, tokenizer, prompt, config, use_cache=use_cache, is_exact=is_exact, should_stop=should_stop)
    for piece in pieces:
        completions[piece.sample] += piece.text
    return [Sample(prompt + text, text, config.seed + i) for i, text in enumerate(completions)]


def first_words(tokens: Sequence[int], tokenizer: Tokenizer) -> str:
    """How the text of `tokens` begins, to the border of a word: what a sample may go on from."""
    text = tokenizer.decode(tokens[: 4 * PROMPT_CHARACTERS]).strip()
    start = text[:PROMPT_CHARACTERS]
    return start.rsplit(None, 1)[0] if len(start.split()) > 1 and text != start else start or "\n"


def stream(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: str | Sequence[int],
    config: SampleConfig,
    *,
    use_cache: bool = True,
    is_exact: bool = False,
    should_stop: Callable[[], bool] | None = None,
    drawn: int = 0,
) -> Iterator[Piece]:
    """Continue `prompt` and hand out the text as soon as its characters are whole; without the prompt itself.

    A prompt of ids is taken as it is. With `drawn` each sample begins after so many of its random numbers: the tokens
    of a text so far, and their number, go on exactly as that text would have gone on.
    With `is_exact` the weights are taken as they are, not rounded as `lm.half` does where that is faster.
    `should_stop` is asked before every token. Of a prompt longer than the context its end is read, and of a text that
    becomes longer what `config.past_context` says; an empty prompt is continued as if it were a line break (`STARTERS`).
    Characters that the vocabulary lacks are read as the unknown token (`tokenizer.unknown(prompt)` names them), which
    itself is never written. `CheckpointError` if the tokenizer is larger than the model's vocabulary. The model's mode
    is restored when the stream ends or is closed.
    """
    start = prompt_ids(model, tokenizer, prompt) if isinstance(prompt, str) else torch.tensor(prompt, dtype=torch.int64)
    ids = torch.zeros(config.num_samples, len(start) + config.max_new_tokens, dtype=torch.int64)  # (B, T)
    ids[:, : len(start)] = start
    numbers = [random_numbers(config.seed + i, drawn, config.max_new_tokens) for i in range(len(ids))]
    mute = torch.zeros(model.config.vocab_size)
    mute[mute_ids(model, tokenizer)] = -math.inf
    window = Window.of(model.config, config, len(start) - drawn)
    reader = Reader(model, config.num_samples, window, use_cache, is_exact)
    texts = Texts(config, reader, ids, len(start), len(start), torch.stack(numbers, dim=1).unsqueeze(-1), mute)
    speller = Speller(tokenizer.id_bytes, config.num_samples)
    was_training = model.training
    model.eval()
    try:
        for first, tokens in written(texts, should_stop or (lambda: False)):
            yield from speller.spell(tokens, first)
        yield from speller.rest()
    finally:
        model.train(was_training)


def written(texts: Texts, should_stop: Callable[[], bool]) -> Iterator[tuple[int, list[int]]]:
    """The number of a text, and the next token of it and of those that follow it, until all are whole.

    The prompt is read for all of them at once. What follows, each processor writes for a share of the texts, where that pays.
    """

    def goes_on(share: Texts) -> bool:
        return share.is_growing and not should_stop()

    if goes_on(texts):
        yield texts.first, texts.grow()
    own, *others = texts.shares()
    with ExitStack() as stack:
        children = {}
        for share in others:
            with suppress(OSError):  # no place for a child: its share is written here, when this one's is
                children[share] = stack.enter_context(Child(share.alone(), len(share.ids)))
        if not children:
            own, others = texts, []
        while goes_on(own):
            yield own.first, own.grow()
            for share, child in children.items():
                for ids in child.waiting():
                    yield share.first, share.take(torch.tensor(ids))
        for share, child in children.items():
            while goes_on(share) and (rows := child.waiting(PATIENCE)):
                for ids in rows:
                    yield share.first, share.take(torch.tensor(ids))
        for share in others:
            while goes_on(share):
                yield share.first, share.grow()


@dataclass(eq=False)
class Texts:
    """Texts that grow from one prompt, token by token, all of them by one each time."""

    config: SampleConfig
    reader: Reader
    ids: Tensor  # (B, T) int64, of which the first `end` of each row are there
    start: int  # where the prompt ends
    end: int
    numbers: Tensor  # (T - start, B, 1) in [0, 1), one to be spent on each token
    mute: Tensor  # (V,), what is added to the scores: -∞ of ids that are never written
    first: int = 0  # the number of the first row's text

    @property
    def is_growing(self) -> bool:
        return self.end < self.ids.size(1)

    @torch.inference_mode()  # not around a generator, where it would be left and entered again at every yield
    def grow(self) -> list[int]:
        """Write the next token of each; these, (B,)."""
        written, size = self.ids[:, : self.end], self.reader.window.size
        logits = self.reader.read(written).add_(self.mute)  # (B, V)
        context = written[:, -size:] if self.end > size else written
        with one_thread() if self.reader.is_small else nullcontext():  # a second one wakes up when all is done
            chosen = choose(logits, context, self.config, self.numbers[self.end - self.start])
        return self.take(chosen)

    def take(self, ids: Tensor) -> list[int]:
        """Go on with these tokens, (B,), whoever chose them; they themselves."""
        self.ids[:, self.end] = ids
        self.end += 1
        return ids.tolist()

    def alone(self) -> Iterator[list[int]]:
        """All tokens that are missing, computed by a forked process: its parent's other threads are not there."""
        torch.set_num_threads(1)
        while self.is_growing:
            yield self.grow()

    @torch.inference_mode()
    def shares(self) -> list[Texts]:
        """These texts in as many shares as there are processors that pay for themselves, ready to go on."""
        missing = len(self.ids) * (self.ids.size(1) - self.end)  # tokens
        count = min(processors(), len(self.ids) // LEAST_TEXTS)
        if count < 2 or missing < LEAST_TOKENS or not (self.reader.is_on_one_thread and can_fork()):
            return [self]
        borders = [len(self.ids) * i // count for i in range(count + 1)]
        return [self._share(slice(*border)) for border in pairwise(borders)]

    def _share(self, rows: slice) -> Texts:
        reader = self.reader.share(rows)
        return replace(
            self, reader=reader, ids=self.ids[rows], numbers=self.numbers[:, rows], first=self.first + rows.start
        )


class Speller:
    """Tokens of several samples in, pieces of text out, each as soon as its characters are whole."""

    def __init__(self, id_bytes: Sequence[bytes], num_samples: int) -> None:
        self.id_bytes = id_bytes
        self.decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in range(num_samples)]
        self.waiting: list[list[int]] = [[] for _ in range(num_samples)]  # tokens of a character that is not whole yet

    def spell(self, ids: Sequence[int], first: int = 0) -> Iterator[Piece]:
        """The next token of sample `first` and of each of those that follow it."""
        for sample, i in enumerate(ids, start=first):
            waiting = self.waiting[sample]
            waiting.append(i)
            if text := self.decoders[sample].decode(self.id_bytes[i]):
                self.waiting[sample] = []
                yield Piece(sample, text, tuple(waiting))

    def rest(self) -> Iterator[Piece]:
        """What stands for a character that the text ends within."""
        for sample, decoder in enumerate(self.decoders):
            if text := decoder.decode(b"", final=True):
                yield Piece(sample, text, tuple(self.waiting[sample]))


def prompt_ids(model: GPT, tokenizer: Tokenizer, prompt: str) -> Tensor:
    """The ids of the prompt, or of what an empty one continues, (T,) int64."""
    if tokenizer.vocab_size > model.config.vocab_size:
        raise CheckpointError(
            f"the tokenizer has {tokenizer.vocab_size} tokens but the model only {model.config.vocab_size}; "
            f"use the tokenizer.json that was saved with the model"
        )
    text = prompt or next((starter for starter in STARTERS if not tokenizer.unknown(starter)), "")
    return torch.tensor(tokenizer.encode(text).tolist() or [0], dtype=torch.int64)


def mute_ids(model: GPT, tokenizer: Tokenizer) -> list[int]:
    """Ids that are never written: the unknown token and those that stand for no text."""
    nameless = [i for i, spelling in enumerate(tokenizer.id_bytes) if not spelling or i == tokenizer.unk_id]
    return nameless + list(range(tokenizer.vocab_size, model.config.vocab_size))


# ---------------------------------------------------------------------------------------------- choosing


def random_numbers(seed: int, drawn: int, count: int) -> Tensor:
    """The numbers that `count` tokens of a sample spend after `drawn` others, (count,) float64 in [0, 1)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(drawn + count, generator=generator, dtype=torch.float64)[drawn:]


def choose(logits: Tensor, context: Tensor, config: SampleConfig, numbers: Tensor) -> Tensor:
    """One id per row of logits (B, V) → (B,) int64; `context` (B, T) is what the repetition penalty looks at.

    Every row spends its own one of numbers (B, 1), in [0, 1), and looks at no other row's scores, whatever the batch.
    """
    logits = penalise(logits, context, config.repetition_penalty)
    if config.temperature == 0:
        return logits.argmax(dim=-1)
    return pick(probabilities(logits, config), numbers)


def pick(found: Tensor, numbers: Tensor) -> Tensor:
    """Where the running sum of each row of found (B, V) passes numbers (B, 1), shares of the whole in [0, 1) → (B,)."""
    mass = found.cumsum(dim=-1, dtype=torch.float64)  # (B, V)
    return torch.searchsorted(mass, numbers * mass[:, -1:], right=True).squeeze(-1)  # right: not where nothing is added


def probabilities(logits: Tensor, config: SampleConfig) -> Tensor:
    """logits (B, V) → the probabilities that are drawn from: temperature, then top-k, min-p and top-p in this order."""
    logits = logits - logits.amax(dim=-1, keepdim=True)  # the likeliest is 0: nothing overflows
    logits.div_(scalar(config.temperature))
    if 0 < config.top_k < logits.size(-1):
        least = logits.topk(config.top_k, dim=-1).values[:, -1:]
        logits = torch.where(logits < least, scalar(-math.inf), logits)  # what ties with the last one stays
    if config.min_p > 0:
        logits = logits.masked_fill(logits < math.log(config.min_p), -math.inf)
    found = logits.softmax(dim=-1)
    return nucleus(found, config.top_p) if config.top_p < 1 else found


@functools.lru_cache(maxsize=64)
def scalar(number: float) -> Tensor:
    """A number of Python's is made a tensor by every operation that it is given to, which takes longer than this."""
    with torch.inference_mode(False):
        return torch.tensor(number)


def nucleus(found: Tensor, top_p: float) -> Tensor:
    """Keep of found (B, V) the fewest tokens that hold `top_p`, at least one (Holtzman et al. 2019); rows sum to 1."""
    ordered, order = found.sort(dim=-1, descending=True, stable=True)
    is_beyond = ordered.cumsum(dim=-1) - ordered >= top_p  # enough mass stands before this token
    is_beyond[:, 0] = False
    kept = torch.zeros_like(found).scatter(-1, order, ordered.masked_fill(is_beyond, 0.0))
    return kept / kept.sum(dim=-1, keepdim=True)


def penalise(logits: Tensor, context: Tensor, penalty: float) -> Tensor:
    """Divide positive and multiply negative scores of the tokens that stand in `context` (Keskar et al. 2019, CTRL)."""
    if penalty == 1.0:
        return logits
    seen = logits.gather(-1, context)  # (B, T)
    return logits.scatter(-1, context, torch.where(seen > 0, seen / penalty, seen * penalty))
