"""What is underlined stands in the training text, and nothing that stands there is missed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm.errors import RunError
from lm.lens import spelled
from lm.memorised import (
    COMPARED_PLACES,
    LEAST_CHARACTERS,
    LEAST_TOKENS,
    NOVELTY_CHARACTERS,
    Index,
    index_of,
    recited_share,
    run_hashes,
    training_text,
)
from lm.run_dir import RunDir
from lm.tokenizer import SPLIT_PATTERN, BPETokenizer

NOISE = "".join(random.Random(1).choices("abcdefgh むかし🎉\n", k=3000))
# Few letters, so that passages begin and end everywhere.
TWO_LETTERS = st.text("ab", max_size=90)


def recited(training: str, text: str, least: int = LEAST_CHARACTERS) -> set[int]:
    """The characters of `text` that lie in a run of `least` characters of `training`, the slow way."""
    starts = [i for i in range(len(text) - least + 1) if text[i : i + least] in training]
    return {i for start in starts for i in range(start, start + least)}


@settings(max_examples=300, deadline=None)
@given(training=TWO_LETTERS, text=TWO_LETTERS)
def test_exactly_what_was_recited_is_found(training: str, text: str) -> None:
    passages = Index(training).passages(text)
    assert {i for p in passages for i in range(p.start, p.end)} == recited(training, text)
    assert all(one.end <= other.start for one, other in zip(passages, passages[1:]))


@settings(max_examples=200, deadline=None)
@given(training=TWO_LETTERS, text=TWO_LETTERS)
def test_a_passage_stands_where_it_is_said_to_stand(training: str, text: str) -> None:
    for p in Index(training).passages(text):
        assert training[p.position : p.position + p.end - p.start] == text[p.start : p.end]
        assert training.split("\n")[p.line - 1][p.column - 1 :].startswith(text[p.start : p.end].split("\n")[0])
        assert training[: p.position].endswith(p.before)
        assert training[p.position + p.end - p.start :].startswith(p.after)


@pytest.mark.parametrize("shift", range(3))
def test_a_passage_is_found_at_every_place_of_a_long_text(shift: int) -> None:
    index = Index(NOISE)
    for start in range(shift, len(NOISE) - 40, 211):
        text = "@" * shift + NOISE[start : start + 33] + "@@"
        [passage] = index.passages(text)
        assert (passage.start, passage.end, passage.position) == (shift, shift + 33, start)
        assert passage.line == NOISE[:start].count("\n") + 1


def test_nineteen_characters_are_no_passage_and_twenty_are() -> None:
    index = Index(NOISE)
    assert index.passages(NOISE[100 : 100 + LEAST_CHARACTERS - 1] + "@") == []
    assert len(index.passages(NOISE[100 : 100 + LEAST_CHARACTERS] + "@")) == 1


def test_the_longest_place_is_named_and_how_often_it_stands() -> None:
    saying = "never look a gift horse in the mouth"
    index = Index(f"{saying[:25]}. {saying}! {saying}? {saying[:22]}")
    [passage] = index.passages(f"Remember: {saying}.")
    assert (passage.position, passage.times) == (26, 2)  # with the space before it


def test_a_text_that_repeats_itself_takes_no_longer() -> None:
    [passage] = Index("a" * 100_000).passages("a" * 2000)
    assert (passage.start, passage.end, passage.position, passage.times) == (0, 2000, 0, COMPARED_PLACES)


@settings(max_examples=200, deadline=None)
@given(training=TWO_LETTERS, text=TWO_LETTERS)
def test_the_share_of_new_runs_is_counted_at_each_length(training: str, text: str) -> None:
    shares = Index(training).novelty(text)
    for n in NOVELTY_CHARACTERS:
        runs = [text[i : i + n] for i in range(len(text) - n + 1)]
        assert shares.get(n) == (pytest.approx(sum(r not in training for r in runs) / len(runs)) if runs else None)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 20])
def test_equal_runs_have_equal_hashes_and_others_do_not(n: int) -> None:
    import numpy as np

    codes = np.array([ord(c) for c in NOISE[:600] * 2], dtype=np.uint32)
    hashes = run_hashes(codes, n).tolist()
    runs = [tuple(codes[i : i + n].tolist()) for i in range(len(codes) - n + 1)]
    assert len(hashes) == len(runs) and len(set(zip(hashes, runs))) == len(set(hashes)) == len(set(runs))


def test_an_empty_text_recites_nothing() -> None:
    assert Index("").passages(NOISE) == [] and Index(NOISE).passages("") == []
    assert Index(NOISE).novelty("") == {} and recited_share([], "") == 0.0


def test_a_runs_training_text_is_read_back_from_its_tokens(shared_fox, tmp_path) -> None:
    text = training_text(shared_fox)
    source = (shared_fox.path.parent.parent / "fox.txt").read_text(encoding="utf-8")
    assert len(text) > 1000 and source.startswith(text)
    assert recited_share(index_of(shared_fox).passages(source[50:150]), source[50:150]) == 1.0


def test_a_model_that_came_without_its_text_says_so(tmp_path) -> None:
    with pytest.raises(RunError, match="came without"):
        index_of(RunDir(tmp_path))


# ---------------------------------------------------------------------------------------------- tokens that are pieces


def pieces_of(tokenizer, text: str) -> list[tuple[int, str]]:
    ids = tokenizer.encode(text).tolist()
    return list(zip(ids, spelled(tokenizer, ids)))


@pytest.fixture(scope="module")
def pairs() -> BPETokenizer:
    """The 256 bytes alone: every sign but those of ASCII is cut within."""
    return BPETokenizer("bytes", SPLIT_PATTERN, {bytes([byte]): byte for byte in range(256)})


def token_index(tokenizer, text: str) -> Index:
    return Index(text, tokenizer.encode(text), tokenizer.id_sizes()[1])


def test_eight_tokens_are_a_passage_and_seven_are_none(pairs: BPETokenizer) -> None:
    index = token_index(pairs, "one, two, buckle my shoe; three, four, knock at the door")
    eight, seven = "XX buckle XX", "XX uckle XX"
    [passage] = index.passages(eight, pieces_of(pairs, eight))
    assert eight[passage.start : passage.end] == " buckle " and (passage.position, passage.times) == (9, 1)
    assert index.passages(seven, pieces_of(pairs, seven)) == index.passages(eight) == []


@settings(max_examples=300, deadline=None)
@given(training=st.text("aむ🎉", max_size=60), text=st.text("aむ🎉", max_size=60))
def test_what_tokens_claim_stands_there_and_nothing_that_characters_find_is_lost(training: str, text: str) -> None:
    tokenizer = BPETokenizer("bytes", SPLIT_PATTERN, {bytes([byte]): byte for byte in range(256)})
    passages = token_index(tokenizer, training).passages(text, pieces_of(tokenizer, text))
    found = {i for p in passages for i in range(p.start, p.end)}
    for p in passages:
        assert training[p.position : p.position + p.end - p.start] == text[p.start : p.end]
    assert recited(training, text) <= found <= recited(training, text, LEAST_TOKENS)
    assert recited(training, text, LEAST_TOKENS) <= found  # so many characters are at least as many bytes


def test_the_bytes_of_three_signs_are_no_passage(pairs: BPETokenizer) -> None:
    index = token_index(pairs, "春はあけぼの。やうやう白くなりゆく山ぎは")
    three, eight = "夏はあけぞ", "夏はあけぼの。やう秋"
    assert index.passages(three, pieces_of(pairs, three)) == []
    [passage] = index.passages(eight, pieces_of(pairs, eight))
    assert eight[passage.start : passage.end] == "はあけぼの。やう"
