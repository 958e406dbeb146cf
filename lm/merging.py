"""How byte pairs grow over a text, merge by merge: what a vocabulary of any size would make of it.

A byte pair vocabulary is a list of merges in the order in which they were learnt, so one large vocabulary holds every
smaller one: cut the list earlier and more of the joints between the bytes stay. `grow` says of every joint of a text
when it closes. The result is `lm.tokenizer`'s own (a test compares them); this way is slow and for short texts.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tokenizers import Regex, pre_tokenizers

from lm.batches import open_tokens
from lm.errors import RunError
from lm.run_dir import RunDir
from lm.tokenizer import LEAST_PAIR_COUNT, SPLIT_PATTERN, BPETokenizer, Tokenizer, load_tokenizer
from lm.tokenizer_json import learn_ranks

MOST_CHARACTERS = 400
LAB_VOCABULARY = 4096
# Learnt from the beginning of a run's text, so that a visitor waits about a second: 1 MB takes 0.7 s. measured.
LEARN_TOKENS = 1 << 20
LAB_IN_MEMORY = 4


@dataclass(frozen=True)
class Merge:
    """One merge that this text meets: `left` and `right` become token `rank`, at the byte positions `joints`."""

    rank: int
    left: bytes
    right: bytes
    joints: tuple[int, ...]


def grow(ranks: Mapping[bytes, int], pattern: str, text: str) -> list[Merge]:
    """Every merge on the way from the bytes of `text` to its tokens, in the order of their ranks."""
    merges: dict[int, tuple[bytes, bytes, list[int]]] = {}
    start = 0
    for word, _ in pre_tokenizers.Split(Regex(pattern), "isolated").pre_tokenize_str(text):
        spelling = word.encode("utf-8")
        pieces = [bytes([byte]) for byte in spelling]
        while (found := _lowest(pieces, ranks)) is not None:
            rank, i = found
            left, right = pieces[i : i + 2]
            joint = start + sum(map(len, pieces[: i + 1]))
            merges.setdefault(rank, (left, right, []))[2].append(joint)
            pieces[i : i + 2] = [left + right]
        start += len(spelling)
    return [Merge(rank, left, right, tuple(joints)) for rank, (left, right, joints) in sorted(merges.items())]


def n_tokens(text: str, merges: list[Merge], vocab_size: int) -> int:
    """Into how many tokens a vocabulary of the first `vocab_size` ranks cuts `text`."""
    return len(text.encode("utf-8")) - sum(len(merge.joints) for merge in merges if merge.rank < vocab_size)


def lab_vocabulary(folder: Path) -> BPETokenizer:
    """Byte pairs for the text of a run: its own, where it has learnt enough of them, else learnt from its tokens.

    `folder` is a checkpoint's or a run's. `RunError` when it has neither byte pairs nor a training text.
    """
    return _lab_vocabulary(folder, (folder / "tokenizer.json").stat().st_mtime_ns)


@functools.lru_cache(maxsize=LAB_IN_MEMORY)
def _lab_vocabulary(folder: Path, mtime_ns: int) -> BPETokenizer:
    own = load_tokenizer(folder)
    tokens = next((f.train_tokens for f in (RunDir(folder), RunDir(folder.parent)) if f.train_tokens.is_file()), None)
    if isinstance(own, BPETokenizer) and (tokens is None or own.vocab_size >= LAB_VOCABULARY):
        return own
    if tokens is None:
        raise RunError("this model came without the text it was trained on, so no byte pairs can be learnt from it")
    return BPETokenizer("bpe", SPLIT_PATTERN, _learnt(own, tokens))


def _learnt(own: Tokenizer, tokens: Path) -> dict[bytes, int]:
    text = own.decode(open_tokens(tokens, own.vocab_size)[:LEARN_TOKENS])
    return learn_ranks([text], SPLIT_PATTERN, LAB_VOCABULARY, LEAST_PAIR_COUNT)


def _lowest(pieces: list[bytes], ranks: Mapping[bytes, int]) -> tuple[int, int] | None:
    """(rank, index) of the pair to merge next: the one of lowest rank, the first of several; None if there is none."""
    known = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(pieces)) if a + b in ranks]
    return min(known, default=None)
