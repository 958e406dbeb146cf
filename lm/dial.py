"""The time dial: the best model in so many minutes, of this text, on this machine.

Sizes are tried from the smallest up. Each is timed; the largest is taken that still learns from enough tokens in the
time given, and that the text can feed. The rest follows from the size: context, batch, rates, dropout. The numbers are
those of the quick start, which was tuned by measuring, carried on by rules that are marked as assumed where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from lm import recipes
from lm.config import CHARACTERS_PER_PAIR, DataConfig, ModelConfig, TrainConfig
from lm.errors import ConfigError
from lm.preflight import recites_after

MINUTES = (1, 2, 5, 10, 30, 60)  # what the page offers
LEAST_MINUTES, MOST_MINUTES = 0.1, 10_000.0
# (width, layers, heads). The second is the quick start's; the others keep its heads of 64 numbers, about.
SIZES = (
    (96, 3, 2), (128, 4, 2), (160, 5, 2), (192, 6, 3), (256, 6, 4), (384, 6, 6), (512, 8, 8), (768, 12, 12),
)  # fmt: skip
# Tokens that are learnt from, for each weight. The quick start, tuned for one minute on two cores, reads 1.3 there;
# compute-optimal training of large models reads 20 (Hoffmann et al. 2022). Assumed to hold for longer times:
# `benchmarks/dial.py --sizes` tries it.
TOKENS_PER_WEIGHT = 1.2
# The fewest tokens of text for each weight: as many as nanoGPT's model of characters has, which over-fits with fewer.
TEXT_PER_WEIGHT = 0.09
# From this width on windows are `LONG_CONTEXT` tokens long, and batches twice the quick start's; beyond `WIDE`, four
# times. assumed
LONG_CONTEXT_WIDTH, LONG_CONTEXT, WIDE = 192, 256, 256
# A context is halved, down to the first, until the held-out text has so many windows.
LEAST_CONTEXT, LEAST_WINDOWS = 16, 8
# Byte pairs by the characters of a text from which on so many are learnt: the quick start's, and more. assumed
VOCABULARIES = ((0, 512), (2_000_000, 1024), (20_000_000, 4096))
PAIR_CHARACTERS = {512: CHARACTERS_PER_PAIR, 1024: 2.6, 4096: 3.6}  # measured on Tiny Shakespeare
# Times the readings after which such a model without dropout recites (lm.preflight): beyond it a text is too short for
# byte pairs, and more is dropped.
OFTEN = 1.5
DROPOUT = 0.2  # nanoGPT's

Settings = tuple[DataConfig, ModelConfig, TrainConfig]
Clock = Callable[[ModelConfig, TrainConfig], float]


@dataclass(frozen=True)
class Text:
    """What the dial knows of a text."""

    characters: int
    distinct_characters: int
    val_fraction: float = 0.1


@dataclass(frozen=True)
class Choice:
    """Settings, the tokens that a training of them reads, and how often that is: 1 is as often as makes it recite without
    dropout."""

    settings: Settings
    tokens_read: float
    often: float


def best_in(minutes: float, text: Text, step_seconds: Clock) -> Settings:
    """The settings of the best model in `minutes`; `step_seconds` times one step of a model on this machine.

    A size whose step does not fit the memory is timed as 0 seconds and is not taken. `ConfigError` for no time at all.
    """
    if not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        raise ConfigError(
            f"best_in={minutes:g} minutes cannot be aimed at; use {LEAST_MINUTES:g} to {MOST_MINUTES:,.0f}, for example 5"
        )
    chosen = _of_pairs(minutes, text, step_seconds) or _largest(minutes, text, "char", step_seconds)
    data, model, train = chosen.settings
    dropout = DROPOUT if chosen.often > OFTEN else model.dropout
    return data, replace(model, vocab_size=0, dropout=dropout), train


def _of_pairs(minutes: float, text: Text, step_seconds: Clock) -> Choice | None:
    """The largest model of byte pairs, if the quick start would take them for as many tokens and the text is long enough."""
    tokenizer_of = partial(recipes.find("quickstart").data.tokenizer_of, text.characters, text.distinct_characters)
    if tokenizer_of(tokens_read=0) != "bpe":
        return None
    found = _largest(minutes, text, "bpe", step_seconds)
    return found if tokenizer_of(tokens_read=found.tokens_read) == "bpe" and found.often <= OFTEN else None


def _largest(minutes: float, text: Text, tokenizer: str, step_seconds: Clock) -> Choice:
    """The largest size that learns enough in the time."""
    best: Choice | None = None
    for size in SIZES:
        data, model, train = _settings(size, minutes, text, tokenizer)
        seconds = step_seconds(model, train)
        read = 60 * minutes / seconds * train.batch_size * model.block_size if seconds else 0.0
        tokens, weights = _tokens(data, text), _weights(model)
        if best and not (tokens >= TEXT_PER_WEIGHT * weights and read >= TOKENS_PER_WEIGHT * weights):
            break
        soon = recites_after(tokens / weights, replace(model, dropout=0.0), train)
        best = Choice((data, model, train), read, read / max(1, tokens) / soon)
    assert best
    return best


def _settings(size: tuple[int, int, int], minutes: float, text: Text, tokenizer: str) -> Settings:
    """The quick start's settings, carried over to a model of another size."""
    quick = recipes.find("quickstart")
    width, layers, heads = size
    is_large = width >= LONG_CONTEXT_WIDTH
    vocab_size = max(size for least, size in VOCABULARIES if text.characters >= least)
    data = replace(quick.data, tokenizer=tokenizer, vocab_size=vocab_size)
    model = replace(
        quick.model,
        vocab_size=vocab_size if tokenizer == "bpe" else text.distinct_characters,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        block_size=_context(LONG_CONTEXT if is_large else quick.model.block_size, text),
    )
    batch_size = quick.train.batch_size * (1 if not is_large else 2 if width <= WIDE else 4)
    lr = quick.train.lr * min(1.0, (quick.model.n_embd / width) ** 0.5)  # assumed
    train = replace(quick.train, steps=0, epochs=0.0, minutes=float(minutes), batch_size=batch_size, lr=round(lr, 5))
    return data, model, train


def _context(wanted: int, text: Text) -> int:
    """At most `wanted`, and so that the held-out text holds several windows."""
    while wanted > LEAST_CONTEXT and text.characters * text.val_fraction < LEAST_WINDOWS * wanted:
        wanted //= 2
    return wanted


def _tokens(data: DataConfig, text: Text) -> float:
    """Tokens to train on."""
    each = PAIR_CHARACTERS[data.vocab_size] if data.tokenizer == "bpe" else 1.0
    return text.characters * (1 - text.val_fraction) / each


def _weights(model: ModelConfig) -> float:
    """The weights of the blocks, about 12 C² each. The embedding is left out: its rows need few tokens."""
    return 12.0 * model.n_layer * model.n_embd**2
