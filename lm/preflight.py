"""Before a run starts: how long it takes, how often it reads the text, and what is unwise about its settings.

Arithmetic over settings and a few measured numbers; `lm.rehearsal` measures them with a few steps on this machine.
Nothing here stops a run: what cannot work is an error of `lm.config`; what is merely unwise is an `Advice`.

Not covered: the time for the samples while training, and for cutting the text into tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from lm.classes import cures
from lm.config import PUBLISHED_ENCODINGS, DataConfig, ModelConfig, TrainConfig
from lm.progress import MILESTONES, TRAINING_PER_EVALUATION

EVALUATIONS = len(MILESTONES)  # of a run that leaves `eval_interval` open
FORWARD_SHARE = 1 / 3  # of a step's operations: 2 of 6 N (PaLM, Chowdhery et al. 2022, appendix B)
EVALUATION_SHARE = 1 / (1 + TRAINING_PER_EVALUATION)  # of a run against the clock, at the most
# A model begins to recite after RECITES_AT · (tokens per parameter) ^ RECITES_POWER readings of its text. A curve
# through the best steps of two published runs: The Verdict on GPT-2 124M (2.8e-5 tokens a parameter, 5.5 readings) and
# nanoGPT's characters on 10.7 million parameters (0.094, about 33). Assumed in between and beyond.
RECITES_AT, RECITES_POWER = 55.0, 0.22
# Both had dropout and AdamW's rates. With Muon and without dropout fewer readings do: 0.8 million weights that read the
# shipped tales (0.24 tokens a parameter) 12 and 16 times were best after 6.6 and 7.2 and clearly worse from the tenth on.
# (Those that read them four and eight times were best at their end, where the rate had fallen. With 0.1 dropped after the
# third reading they were best at the end of fifteen.)
MUON_SOONER = 0.17
# Kaplan et al. 2020, equation D.1, for Adam and N weights without embeddings: 0.003239 − 0.0001395 ln N.
KAPLAN_LR = (0.003239, 0.0001395)
HIGH_LR, LOW_LR = 5.0, 1 / 40  # times that rate. assumed: the recipes lie between
HIGH_MUON_LR = 0.1  # assumed: five times Jordan's 0.02
SEEN_OFTEN = 50  # a token needs so many occurrences to be learnt. assumed
SMALL_VOCABULARY = 512  # byte pairs; no text is too short for so many. assumed
LARGE_VOCABULARY_CHARACTERS = 20_000_000  # a text that uses most of a published vocabulary. assumed
PUBLISHED_SIZES = dict.fromkeys(PUBLISHED_ENCODINGS, "50,000") | dict(cl100k_base="100,000", o200k_base="200,000")
USUAL_HEADS = (8, 256)  # numbers per head. assumed: published models have 32 to 256
FEW_WINDOWS = 4  # of held-out text; a measure over fewer says little. assumed
UNREAD_SHARE = 0.5  # of the text: dropout spares memorising what is not even read once

# What is said of each rule; the page says it in Japanese too.
RULES = {
    "lr_high": "lr={lr:g} is high for a model of this size; {wise:.2g} is usual, and a curve that jumps means too high",
    "lr_low": "lr={lr:g} is low for a model of this size; it learns slowly, and {wise:.2g} is usual",
    "muon_lr_high": "muon_lr={muon_lr:g} is high; 0.02 is usual",
    "dropout_half": "dropout={dropout:g} drops half of the model or more at every step; 0.1 to 0.3 is usual",
    "dropout_unread": "dropout={dropout:g} keeps a model from memorising, but this run reads only {percent:.0f} % of the "
    "text; 0 learns faster",
    "block_size_long": "block_size={block_size} leaves too few windows of held-out text to measure on ({windows}); a shorter one, "
    "for example {wise}, measures better",
    "vocab_size_large": "vocab_size={vocab_size} is large for {characters:,} characters: most tokens occur too rarely to "
    "be learnt; use {wise} or fewer",
    "vocabulary_published": "tokenizer={tokenizer} has {vocabulary} tokens, and this text uses few of them; "
    "keep_ids=used keeps those, bpe learns its own",
    "text_short": "a text of {characters:,} characters hardly fills one window of block_size={block_size}: the run may not be "
    "able to begin; use a longer text",
    "nothing_held_out": "val_fraction=0 measures nothing on unseen text: nobody will see when it begins to recite",
    "head_size": "n_embd/n_head={head_size} numbers per head is unusual; 16 to 128 is usual",
    "warmup_long": "warmup={warmup:g} steps of {steps}: the learning rate never gets to where it is meant to be",
    "eval_rare": "eval_interval={eval_interval} is more than the {steps} steps: it is measured at its end only",
    "no_class": "no class of transformers holds arch={arch} with n_experts={n_experts}: this model will write here, but can "
    "be neither exported nor shared; for that use {cures}",
    "batch_whole": "each step reads {tokens:,} tokens of a text of {characters:,} characters: the whole text at once",
}


@dataclass(frozen=True)
class Advice:
    """Something unwise: the setting it is about, the rule, and the numbers in it. `str` says it in English."""

    setting: str
    rule: str
    values: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return RULES[self.rule].format(**self.values)


@dataclass(frozen=True)
class Rehearsal:
    """What was measured of these settings on this machine; `step_seconds` is 0 where a step does not fit its memory."""

    parameters: int
    memory_bytes: int
    free_bytes: int
    train_tokens: int
    val_tokens: int
    vocab_size: int
    step_seconds: float
    device: str = ""
    precision: str = ""

    @property
    def fits(self) -> bool:
        return self.step_seconds > 0


@dataclass(frozen=True)
class Forecast:
    """What a run will come to. `seconds` is None where no step could be timed, `recites_at` is in readings."""

    rehearsal: Rehearsal
    steps: int
    seconds: float | None
    epochs: float
    tokens_per_parameter: float
    recites_at: float

    @property
    def will_recite(self) -> bool:
        return self.epochs > self.recites_at

    @property
    def reading(self) -> str:
        """In one word: the text is read in `part`, `well`, or so often that the model will `recite` it."""
        return "recite" if self.will_recite else "part" if self.epochs < 0.9 else "well"


def forecast(model: ModelConfig, train: TrainConfig, measured: Rehearsal) -> Forecast:
    """The length of a run of these settings, by its steps, its epochs and its clock: whichever ends it first."""
    step_tokens = train.batch_size * model.block_size
    by_epochs = math.ceil(train.epochs * measured.train_tokens / step_tokens)
    limits = [limit for limit in (train.steps, by_epochs) if limit]
    seconds_by_clock = 60 * train.minutes or math.inf
    if not measured.fits:
        steps, seconds = min(limits, default=0), None
    else:
        learning = seconds_by_clock - min(_evaluating(model, train, measured), EVALUATION_SHARE * seconds_by_clock)
        by_clock = [max(1, int(learning / measured.step_seconds))] if train.minutes else []
        steps = min([*limits, *by_clock])
        seconds = min(seconds_by_clock, steps * measured.step_seconds + _evaluating(model, train, measured, steps))
    per_parameter = measured.train_tokens / max(1, measured.parameters)
    return Forecast(
        rehearsal=measured,
        steps=steps,
        seconds=seconds,
        epochs=steps * step_tokens / max(1, measured.train_tokens),
        tokens_per_parameter=per_parameter,
        recites_at=recites_after(per_parameter, model, train),
    )


def recites_after(tokens_per_parameter: float, model: ModelConfig, train: TrainConfig) -> float:
    """The readings of its text after which such a model begins to recite it. An estimate, from a handful of trainings."""
    is_soon = train.optimizer == "muon" and not model.dropout
    return RECITES_AT * tokens_per_parameter**RECITES_POWER * (MUON_SOONER if is_soon else 1.0)


def _evaluating(model: ModelConfig, train: TrainConfig, measured: Rehearsal, steps: int = 0) -> float:
    """Seconds that all evaluations of a run take: held-out windows, and as many of the training text."""
    times = steps // train.eval_interval + 1 if steps and train.eval_interval else EVALUATIONS
    tokens = min(train.eval_windows * model.block_size or measured.val_tokens, measured.val_tokens)
    token_seconds = FORWARD_SHARE * measured.step_seconds / (train.batch_size * model.block_size)
    return times * 2 * tokens * token_seconds


def advice(data: DataConfig, model: ModelConfig, train: TrainConfig, characters: int) -> list[Advice]:
    """What is unwise about these settings for a text of so many characters; empty when nothing is."""
    return [*_of_the_text(data, model, train, characters), *_of_the_model(model, train), *_of_the_length(train)]


def _of_the_text(data: DataConfig, model: ModelConfig, train: TrainConfig, characters: int) -> list[Advice]:
    found = []
    held_out = int(characters * data.val_fraction)  # characters: an upper bound of its tokens
    windows, step_tokens = held_out // model.block_size, train.batch_size * model.block_size
    if characters - held_out <= model.block_size:
        found.append(Advice("block_size", "text_short", _values(model, "block_size", characters=characters)))
    elif not held_out:
        found.append(Advice("val_fraction", "nothing_held_out"))
    elif windows < FEW_WINDOWS:
        wise = max(1, 2 ** int(math.log2(max(1, held_out / (2 * FEW_WINDOWS)))))
        found.append(Advice("block_size", "block_size_long", _values(model, "block_size", windows=windows, wise=wise)))
    if data.tokenizer == "bpe" and data.vocab_size > SMALL_VOCABULARY and data.vocab_size * SEEN_OFTEN > characters:
        wise = max(SMALL_VOCABULARY, characters // SEEN_OFTEN)
        found.append(
            Advice("vocab_size", "vocab_size_large", _values(data, "vocab_size", characters=characters, wise=wise))
        )
    if data.tokenizer in PUBLISHED_ENCODINGS and data.keep_ids == "all" and characters < LARGE_VOCABULARY_CHARACTERS:
        vocabulary = PUBLISHED_SIZES[data.tokenizer]
        found.append(Advice("keep_ids", "vocabulary_published", _values(data, "tokenizer", vocabulary=vocabulary)))
    if step_tokens >= characters > 0:
        found.append(Advice("batch_size", "batch_whole", dict(tokens=step_tokens, characters=characters)))
    read = train.steps * step_tokens / max(1, characters)
    if 0 < train.steps and 0 < model.dropout < 0.5 and not train.dropout_after and read < UNREAD_SHARE:
        found.append(Advice("dropout", "dropout_unread", _values(model, "dropout", percent=100 * read)))
    return found


def _of_the_model(model: ModelConfig, train: TrainConfig) -> list[Advice]:
    found = []
    if model.arch != "bigram" and train.optimizer == "adamw":
        weights = 12 * model.n_layer * model.n_embd**2  # of the blocks, roughly: the rate follows its logarithm
        wise = max(1e-4, KAPLAN_LR[0] - KAPLAN_LR[1] * math.log(max(1, weights)))
        if train.lr > HIGH_LR * wise:
            found.append(Advice("lr", "lr_high", _values(train, "lr", wise=wise)))
        elif train.lr < LOW_LR * wise:
            found.append(Advice("lr", "lr_low", _values(train, "lr", wise=wise)))
    if train.optimizer == "muon" and train.muon_lr > HIGH_MUON_LR:
        found.append(Advice("muon_lr", "muon_lr_high", _values(train, "muon_lr")))
    if model.arch != "bigram" and model.dropout >= 0.5:
        found.append(Advice("dropout", "dropout_half", _values(model, "dropout")))
    if ways := cures(model):
        values = dict(arch=model.arch, n_experts=model.n_experts, cures=" / ".join(ways))
        found.append(Advice("n_experts", "no_class", values))
    if model.arch != "bigram" and not USUAL_HEADS[0] <= model.head_size <= USUAL_HEADS[1]:
        found.append(Advice("n_head", "head_size", dict(head_size=model.head_size)))
    return found


def _of_the_length(train: TrainConfig) -> list[Advice]:
    found = []
    if 1 <= train.steps <= train.warmup:
        found.append(Advice("warmup", "warmup_long", _values(train, "warmup", steps=train.steps)))
    if 0 < train.steps < train.eval_interval:
        found.append(Advice("eval_interval", "eval_rare", _values(train, "eval_interval", steps=train.steps)))
    return found


def _values(config: Any, name: str, **others: Any) -> dict[str, Any]:
    return {name: getattr(config, name)} | others
