"""Pieces worked on ahead, in threads: in order, a few at a time, and no further than the reader wants."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm.pipeline import PIECES_AHEAD, mapped
from lm.tokenizer import CharTokenizer, id_dtype

SECONDS = 30  # until a test that waits for another thread has failed


@settings(max_examples=30, deadline=None)
@given(n_pieces=st.integers(0, 40), threads=st.integers(1, 4))
def test_results_come_in_the_order_of_the_pieces(n_pieces: int, threads: int) -> None:
    assert list(mapped(lambda i: i * i, range(n_pieces), threads)) == [i * i for i in range(n_pieces)]


def test_as_many_pieces_are_worked_on_at_once_as_there_are_threads() -> None:
    together = threading.Barrier(3, timeout=SECONDS)  # breaks, and the test fails, where fewer than three arrive
    assert len(list(mapped(lambda i: together.wait(), range(6), threads=3))) == 6


def test_an_endless_stream_is_read_a_few_pieces_ahead() -> None:
    taken = itertools.count()
    stream = mapped(str, taken, threads=2)
    assert [next(stream) for _ in range(5)] == list("01234")
    assert next(taken) <= 5 + 2 * PIECES_AHEAD


@pytest.mark.parametrize("end", [KeyboardInterrupt, GeneratorExit, ValueError])
def test_where_the_reader_stops_nothing_else_is_begun(end: type[BaseException]) -> None:
    begun, may_end = [], threading.Event()

    def work(piece: int) -> int:
        begun.append(piece)
        if piece:  # the pieces after the first wait until the reader has stopped
            may_end.wait(SECONDS)
        return piece

    before = threading.active_count()
    stream = mapped(work, itertools.count(), threads=1)
    assert next(stream) == 0
    threading.Timer(0.1, may_end.set).start()
    with pytest.raises(end):
        stream.throw(end)
    assert begun in ([0], [0, 1])
    assert threading.active_count() <= before + 1  # the timer's


def test_what_goes_wrong_with_a_piece_reaches_the_reader() -> None:
    stream = mapped(lambda i: 1 // (2 - i), itertools.count(), threads=2)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(stream)


@pytest.mark.parametrize("text", ["To be, or not to be.\n" * 9000, "吾輩は猫である。🎉 cat\n" * 9000])
def test_the_characters_of_a_stream_become_the_ids_of_the_whole_as_they_lie_on_disk(text: str) -> None:
    tokenizer = CharTokenizer(text)
    pieces = list(tokenizer.encode_chunks(text[i : i + 1000] for i in range(0, len(text), 1000)))
    assert {piece.dtype for piece in pieces} == {id_dtype(tokenizer.vocab_size)}
    assert np.array_equal(np.concatenate(pieces), tokenizer.encode(text))
