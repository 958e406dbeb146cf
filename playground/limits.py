"""What one visitor may use of a machine that belongs to many: every limit in one table, and the words that state it.

On one's own machine there is no limit (`None`). On a Space, or with `--multi-user`, a visitor who signed in gets more
than one whom only a cookie tells apart. A limit is stated where it will bite (`training_words`, `upload_words`,
`fetching_words`, `writing_words`, `keeping_words`) before it does, and enforced on the server, whatever the page sends.

The figures are assumed: so that on two cores a stranger's training ends while the next one still waits, and fifty
visitors fit on the 50 GB of a free Space.
"""

from __future__ import annotations

from dataclasses import dataclass

from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.errors import LMError
from lm.files import MOST_FETCHED_GIGABYTES, MOST_JSON_BYTES, SPARED_GIGABYTES
from playground.markup import count
from playground.text import say

MEGABYTE = 1_000_000
MOST_IN_LINE = 100  # trainings that wait, whose ever they are: on two cores the last of them begins tomorrow. assumed
LEAST_FREE_BYTES = 1_000 * MEGABYTE  # of the machine's disk, which no visitor may fill up. assumed
PUBLISHED_SIZES = dict(gpt2=50_257, r50k_base=50_257, p50k_base=50_281, cl100k_base=100_277, o200k_base=200_019)


class LimitError(LMError):
    """A visitor asked for more than one visitor's share."""

    kind = "limit"


@dataclass(frozen=True)
class Limits:
    """One visitor's share."""

    runs: int  # kept at the same time, those that wait included
    minutes: float  # of one training
    parameters: int  # of one model
    batch_tokens: int  # batch size × context length: what a step's memory grows with
    upload_bytes: int  # of one upload or pasted text
    disk_bytes: int  # texts, runs, exports, fetched models; and what is uploaded in a day
    new_tokens: int  # of one generation, all its samples together
    writings: int  # generations under way at the same time
    idle_days: float  # without a visit until the workspace is removed


ANONYMOUS = Limits(
    runs=5, minutes=10, parameters=24_000_000, batch_tokens=16_384, upload_bytes=20 * MEGABYTE,
    disk_bytes=500 * MEGABYTE, new_tokens=2_000, writings=1, idle_days=2,
)  # fmt: skip
SIGNED_IN = Limits(
    runs=20, minutes=60, parameters=60_000_000, batch_tokens=65_536, upload_bytes=100 * MEGABYTE,
    disk_bytes=4_000 * MEGABYTE, new_tokens=10_000, writings=2, idle_days=30,
)  # fmt: skip


# ---------------------------------------------------------------------------------------------- enforced


def check_training(
    limits: Limits | None, data: DataConfig, model: ModelConfig, train: TrainConfig, characters: int, language: str
) -> None:
    """Refuse a training that is too much for one visitor; `characters` are the distinct ones of its text.

    A run that only steps or epochs bound is taken: the queue stops it at `Limits.minutes`.
    """
    if limits is None:
        return
    _bound("minutes", train.minutes, limits.minutes, language)
    _bound("batch_tokens", train.batch_size * model.block_size, limits.batch_tokens, language)
    _bound("parameters", _parameters(data, model, characters), limits.parameters, language)


def check_writing(limits: Limits | None, n_tokens: int, language: str) -> None:
    """Refuse a generation that would keep the others waiting."""
    if limits is not None:
        _bound("new_tokens", n_tokens, limits.new_tokens, language)


def check_runs(limits: Limits | None, n_runs: int, language: str) -> None:
    """Refuse one more run than may be kept."""
    if limits is not None and n_runs >= limits.runs:
        raise LimitError(say("limit.runs", language, most=limits.runs))


def check_line(limits: Limits | None, n_waiting: int, language: str) -> None:
    """Refuse to let one more wait behind so many."""
    if limits is not None and n_waiting >= MOST_IN_LINE:
        raise LimitError(say("limit.line", language, most=MOST_IN_LINE))


def check_machine(limits: Limits | None, free_bytes: int, more_bytes: int, language: str) -> None:
    """Refuse what would fill the disk that all visitors share, whoever they are and however many."""
    if limits is not None and free_bytes - more_bytes < LEAST_FREE_BYTES:
        raise LimitError(say("limit.machine", language))


def check_disk(limits: Limits | None, used_bytes: int, more_bytes: int, language: str) -> None:
    """Refuse what does not fit into the visitor's share of the disk any more."""
    if limits is not None and used_bytes + more_bytes > limits.disk_bytes:
        used, most = (f"{n / MEGABYTE:,.0f}" for n in (used_bytes, limits.disk_bytes))
        raise LimitError(say("limit.disk", language, used=used, most=most))


def check_upload(limits: Limits | None, n_bytes: int, language: str) -> None:
    """Refuse one file, or one pasted text, that is too large."""
    if limits is not None and n_bytes > limits.upload_bytes:
        asked, most = (f"{n / MEGABYTE:,.0f}" for n in (n_bytes, limits.upload_bytes))
        raise LimitError(say("limit.upload", language, asked=asked, most=most))


def _bound(what: str, asked: float, most: float, language: str) -> None:
    if asked > most:
        raise LimitError(say(f"limit.{what}", language, asked=_number(asked), most=_number(most)))


def _number(value: float) -> str:
    return count(value) if value == int(value) else f"{value:,.1f}"


def _parameters(data: DataConfig, model: ModelConfig, characters: int) -> int:
    """At most so many parameters, whatever the text turns out to hold; counted without making them.

    The numbers are those of `lm.costs.count_parameters` from above: no torch, and no time, for a hostile size.
    """
    fitted = dict(char=characters + 1, bpe=data.vocab_size, auto=max(characters + 1, data.vocab_size))
    vocab = fitted.get(data.tokenizer) or PUBLISHED_SIZES[data.tokenizer]
    if model.arch == "bigram":
        return vocab * vocab
    tables = (1 if model.tie_weights else 2) * vocab * model.n_embd
    positions = (model.block_size + 2) * model.n_embd  # and the last norm
    attention = model.n_embd * (2 * model.n_embd + 2 * model.kv_heads * model.head_size) + 4 * model.n_embd
    mlps = max(1, model.n_experts) * (2 * model.n_embd * model.inner + model.inner + model.n_embd)
    return tables + positions + model.n_layer * (attention + mlps + (4 + model.n_experts) * model.n_embd)


# ---------------------------------------------------------------------------------------------- stated


def training_words(limits: Limits | None, language: str) -> str:
    """What one training may take, to stand beside its button; empty without limits."""
    if limits is None:
        return ""
    asked = dict(minutes=_number(limits.minutes), parameters=f"{limits.parameters / 1e6:g}", runs=limits.runs)
    return say("limit.training", language, tokens=count(limits.batch_tokens), line=MOST_IN_LINE, **asked)


def upload_words(limits: Limits | None, language: str) -> str:
    """How large a text may be, to stand where it is brought; empty without limits."""
    if limits is None:
        return ""
    size, disk, free = (f"{n / MEGABYTE:,.0f}" for n in (limits.upload_bytes, limits.disk_bytes, LEAST_FREE_BYTES))
    return say("limit.texts", language, size=size, disk=disk, free=free)


def fetching_words(limits: Limits | None, language: str) -> str:
    """How large a model from the Hub may be, to stand where it is named: one's own machine has a limit for that too."""
    small = f"{MOST_JSON_BYTES / MEGABYTE:,.0f}"
    if limits is None:
        most, free = (f"{gigabytes:g}" for gigabytes in (MOST_FETCHED_GIGABYTES, SPARED_GIGABYTES))
        return say("limit.fetching", language, most=most, free=free, small=small)
    own = min(limits.disk_bytes, MOST_FETCHED_GIGABYTES * 1e9)
    most, free = (f"{n / MEGABYTE:,.0f}" for n in (own, LEAST_FREE_BYTES))
    return say("limit.fetching_shared", language, most=most, free=free, small=small)


def writing_words(limits: Limits | None, language: str) -> str:
    """How much may be written, to stand beside its button; empty without limits."""
    if limits is None:
        return ""
    return say("limit.writing", language, tokens=count(limits.new_tokens), writings=limits.writings)


def keeping_words(limits: Limits | None, used_bytes: int, language: str) -> str:
    """What is used of the share, and when all of it is removed; empty without limits."""
    if limits is None:
        return ""
    used, most = (f"{n / MEGABYTE:,.0f}" for n in (used_bytes, limits.disk_bytes))
    return say("limit.keeping", language, used=used, most=most, days=_number(limits.idle_days))
