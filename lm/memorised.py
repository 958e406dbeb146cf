"""What of a text was recited: the passages that stand word for word in the training text, and their places in it.

`Index` knows the training text by its runs of `LEAST_CHARACTERS` characters: their rolling hashes, sorted, lead to the
places where one may stand, and every place is compared character by character, so that no passage is claimed that is
not there. A passage that long cannot be missed either, since it holds such a run. A suffix array would give the same
and take ten times as long to build. Where a token is a piece of text rather than a character, `LEAST_TOKENS` in a row
count as well, found in the same way among the training tokens: in Japanese they are far fewer than 20 characters.
Beside it the distinct shorter runs are kept, as 64-bit hashes, to say how much of a text is new at each length (after
McCoy et al. 2021, "How much do language models copy from their training data?").

The training text is read back from a run's own tokens, so it need not lie anywhere else. Measured on two cores, 10 MB
of English in 4.9 million byte pairs: the index in 2.0 s, once a run; of 1,000 characters what is new in 16 ms, and the
passages in 4 ms, or in 115 ms where half of them are recited and every line stands in ten places. Not covered: passages
that differ in one character.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lm.batches import open_tokens
from lm.errors import RunError
from lm.run_dir import RunDir
from lm.tokenizer import CharTokenizer, load_tokenizer

LEAST_CHARACTERS, LEAST_TOKENS = 20, 8  # what counts as recited
NOVELTY_CHARACTERS = (5, 10, 20)
# Of a longer training text only the beginning is known. Measured: 22 bytes a character, four times that while sorting.
MOST_CHARACTERS = 1 << 24
CONTEXT_CHARACTERS = 40
COMPARED_PLACES = 64  # of a run that stands in more places, the first so many are compared
INDEXES_IN_MEMORY = 2
PLACE_BITS = np.uint64(0xFFFFFFFF)
# Odd multipliers for hashes modulo 2^64: Knuth's golden ratio, and one of Steele et al. 2014 (SplitMix64).
SPREAD, BASE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
NO_TOKENS = np.empty(0, dtype=np.int64)
Match = tuple[int, int, list[int]]  # from, to, and the places where it stands, the first one first


@dataclass(frozen=True)
class Passage:
    """Characters `start` to `end` of a text, and where they stand in the training text first.

    `line` and `column` count from 1, `position` from 0, in characters; `before` and `after` are what surrounds the
    passage there. `times` is in how many places it stands, counted up to `COMPARED_PLACES`.
    """

    start: int
    end: int
    position: int
    line: int
    column: int
    times: int
    before: str
    after: str


class Runs:
    """A sequence of codes (N,), characters or tokens, ready to be asked where another one goes on as it does."""

    def __init__(self, codes: np.ndarray, least: int) -> None:
        self.codes, self.least = codes, least
        keys = self._keys(codes)
        # A key and its place in one number: sorting these takes a third of the time of sorting places by their keys.
        self._places = np.sort(keys | np.arange(len(keys), dtype=np.uint64))

    def matches(self, codes: np.ndarray) -> Iterator[Match]:
        """(start, end, places) of every stretch of `least` or more that stands here, as long as it can be, in order."""
        keys, start, end = self._keys(codes), 0, 0
        lows, highs = (np.searchsorted(self._places, limit) for limit in (keys, keys | PLACE_BITS))
        while start < len(keys):
            places = (self._places[lows[start] : highs[start]] & PLACE_BITS)[:COMPARED_PLACES].tolist()
            length, places = self._longest(codes[start:], places)
            if start + length > end and length >= self.least:
                end = start + length
                yield start, end, places
                start = max(start, end - self.least)
            start += 1

    def _longest(self, codes: np.ndarray, places: list[int]) -> tuple[int, list[int]]:
        """How far `codes` goes on as these do, and at which of `places` it does so."""
        lengths = [_common(codes, self.codes[place : place + len(codes)]) for place in places]
        length = max(lengths, default=0)
        return length, [place for place, one in zip(places, lengths) if one == length]

    def _keys(self, codes: np.ndarray) -> np.ndarray:
        """The upper half of each hash, which is enough to find places that are compared anyway; a place fits below."""
        return run_hashes(codes, self.least) & ~PLACE_BITS


class Index:
    """A training text, ready to be asked what of another text stands in it.

    `ids` (N,) are its tokens, where they are pieces of text, and `id_characters` (V,) how many characters begin in each.
    """

    def __init__(self, text: str, ids: np.ndarray = NO_TOKENS, id_characters: np.ndarray = NO_TOKENS) -> None:
        self.is_cut = len(text) > MOST_CHARACTERS
        self._codes = _codes(text[:MOST_CHARACTERS])  # (N,)
        self._characters = Runs(self._codes, LEAST_CHARACTERS)
        self._known = {n: _distinct(run_hashes(self._codes, n)) for n in NOVELTY_CHARACTERS}
        self._tokens = Runs(np.asarray(ids[:MOST_CHARACTERS]), LEAST_TOKENS)
        # The character at which each token begins, (N,). One that ends a character begins at the next one.
        self._positions = np.cumsum(id_characters[self._tokens.codes]) - id_characters[self._tokens.codes]

    @property
    def knows_tokens(self) -> bool:
        """Whether tokens in a row count as recited too."""
        return len(self._tokens.codes) > 0

    def passages(self, text: str, pieces: Sequence[tuple[int, str]] = ()) -> list[Passage]:
        """Every passage of `text` that stands in the training text, in order: `LEAST_CHARACTERS` or more, or, where
        `pieces` are its tokens with the characters that each completes, `LEAST_TOKENS` or more.

        Two that overlap are told apart at the end of the first; together they cover exactly what was recited.
        """
        matches = [*self._characters.matches(_codes(text)), *self._token_matches(text, pieces)]
        found, end = [], 0
        for start, stop, places in sorted(matches):
            if stop > end:
                found.append(self._passage(max(start, end), start, stop, places))
                end = stop
        return found

    def _token_matches(self, text: str, pieces: Sequence[tuple[int, str]]) -> Iterator[Match]:
        """The same tokens, as the same characters. Of fewer characters than tokens (bytes of a few signs) nobody
        would say that they were recited."""
        ends = np.cumsum([0, *(len(piece) for _, piece in pieces)])
        for first, last, places in self._tokens.matches(np.array([i for i, _ in pieces], dtype=np.int64)):
            starts = self._positions[places].tolist()  # in characters
            start, end = int(ends[first]), int(ends[last])
            known = _text(self._codes[starts[0] : starts[0] + end - start + 1])
            # The first token may have ended a character that began before it, and was another one there.
            start += not known.startswith(text[start:end])
            if end - start >= LEAST_TOKENS and known.startswith(text[start:end]):
                yield start, end, starts

    def novelty(self, text: str) -> dict[int, float]:
        """For each of `NOVELTY_CHARACTERS`, the share of the runs of so many characters that the training text lacks."""
        codes, shares = _codes(text), {}
        for n, known in self._known.items():
            hashes = run_hashes(codes, n)
            if len(hashes):
                places = np.searchsorted(known, hashes)
                shares[n] = 1.0 - float((np.append(known, np.uint64(0))[places] == hashes).mean())
        return shares

    def _passage(self, shown_from: int, start: int, end: int, places: list[int]) -> Passage:
        position = places[0] + shown_from - start
        stop = places[0] + end - start
        ends_of_lines = np.flatnonzero(self._codes[:position] == ord("\n"))
        line_start = int(ends_of_lines[-1]) + 1 if len(ends_of_lines) else 0
        return Passage(
            start=shown_from, end=end, position=position, line=len(ends_of_lines) + 1, column=position - line_start + 1,
            times=len(places), before=_text(self._codes[max(0, position - CONTEXT_CHARACTERS) : position]),
            after=_text(self._codes[stop : stop + CONTEXT_CHARACTERS]),
        )  # fmt: skip


def index_of(run: RunDir) -> Index:
    """The index of a run's training text, from memory while its tokens are the same; `RunError` without tokens."""
    if not run.train_tokens.is_file():
        raise RunError(f"{run.name} came without the text it was trained on, so what it recites cannot be looked up")
    return _index(run.path, run.train_tokens.stat().st_mtime_ns)


def training_text(run: RunDir) -> str:
    """The text that a run was trained on, read back from its tokens."""
    tokenizer = load_tokenizer(run.path)
    return tokenizer.decode(open_tokens(run.train_tokens, tokenizer.vocab_size))


def recited_share(passages: list[Passage], text: str) -> float:
    """The share of the characters of `text` that `passages` cover."""
    return sum(passage.end - passage.start for passage in passages) / max(1, len(text))


def run_hashes(codes: np.ndarray, n: int) -> np.ndarray:
    """A 64-bit hash of every `n` neighbours of codes (N,) → (N - n + 1,) uint64, by doubling: log n passes."""
    if len(codes) < n:
        return np.empty(0, dtype=np.uint64)
    power, doubled = 1, (codes.astype(np.uint64) + np.uint64(1)) * SPREAD  # hashes of `power` neighbours
    made, size = None, 0
    while True:
        if n & power:
            made = doubled if made is None else _joined(made, doubled, size, power)
            size += power
        if size == n:
            return made
        doubled = _joined(doubled, doubled, power, power)
        power *= 2


def _joined(first: np.ndarray, second: np.ndarray, size: int, more: int) -> np.ndarray:
    """Hashes of `size` neighbours and of the `more` after them, as those of all: first · BASE^more + second."""
    n = len(second) - size
    factor = np.uint64(pow(int(BASE), more, 1 << 64))
    return first[:n] * factor + second[size : size + n]


@functools.lru_cache(maxsize=INDEXES_IN_MEMORY)
def _index(folder: Path, mtime_ns: int) -> Index:
    run, tokenizer = RunDir(folder), load_tokenizer(folder)
    if isinstance(tokenizer, CharTokenizer):
        return Index(training_text(run))
    _, id_characters = tokenizer.id_sizes()
    return Index(training_text(run), open_tokens(run.train_tokens, tokenizer.vocab_size), id_characters)


def _distinct(hashes: np.ndarray) -> np.ndarray:
    """`hashes` in order, each once; sorting them is far faster than `np.unique`, which builds a hash table."""
    ordered = np.sort(hashes)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def _codes(text: str) -> np.ndarray:
    """The code points of `text` in the fewest bytes."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return codes.astype(np.min_scalar_type(int(codes.max(initial=0))))


def _text(codes: np.ndarray) -> str:
    return codes.astype("<u4").tobytes().decode("utf-32-le", "replace")


def _common(one: np.ndarray, other: np.ndarray) -> int:
    """How many of their first elements are the same."""
    differs = one[: len(other)] != other
    return int(differs.argmax()) if differs.any() else len(other)
