"""Tokens on disk are the text's, and windows of them are drawn fairly and repeatably."""

from __future__ import annotations

import errno
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lm import corpus as corpus_module
from lm.batches import EpochWindows, RandomWindows, check_enough, evaluation_windows, open_tokens, write_tokens
from lm.corpus import Corpus, read_chunks, read_corpus
from lm.errors import CorpusError, LMError
from lm.tokenizer import BPETokenizer, CharTokenizer

TEXT = "The cat waits for the train. 駅長は猫である。\n" * 50


def corpus_of(folder: Path, text: str = TEXT) -> Corpus:
    (folder / "story.txt").write_bytes(text.encode("utf-8"))
    return read_corpus([folder / "story.txt"], folder / "clean.txt")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bytes_only(name: str = "bytes") -> BPETokenizer:
    return BPETokenizer(name, r"\S+|\s+", {bytes([byte]): byte for byte in range(256)})


# ---------------------------------------------------------------------------------------------- tokens on disk


@settings(max_examples=40, deadline=None)
@given(
    text=st.text("ab猫😀\n", min_size=1), val_fraction=st.sampled_from([0.0, 0.1, 0.25, 0.5]), size=st.integers(1, 9)
)
def test_both_sides_of_the_split_are_the_text_and_share_no_character(
    tmp_path_factory: pytest.TempPathFactory, text: str, val_fraction: float, size: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    corpus = corpus_of(folder, text + "x")
    text += "x"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read_chunks, "__defaults__", (size,))
        for tokenizer in (CharTokenizer(corpus.alphabet), bytes_only()):
            counts = write_tokens(corpus, tokenizer, val_fraction, folder / "train.bin", folder / "val.bin")
            train, val = (open_tokens(folder / name, tokenizer.vocab_size) for name in ("train.bin", "val.bin"))
            middle = int(len(text) * (1 - val_fraction))
            assert (tokenizer.decode(train), tokenizer.decode(val)) == (text[:middle], text[middle:])
            assert counts == (len(train), len(val))


def test_the_smallest_integer_that_holds_every_id_is_used(tmp_path: Path) -> None:
    assert CharTokenizer("a").vocab_size == 2
    (tmp_path / "ids").write_bytes(np.array([1, 2, 3, 65_535], dtype="<u2").tobytes())
    assert open_tokens(tmp_path / "ids", 65_536).tolist() == [1, 2, 3, 65_535]
    (tmp_path / "ids").write_bytes(np.array([1, 2, 3, 65_536], dtype="<u4").tobytes())
    assert open_tokens(tmp_path / "ids", 65_537).tolist() == [1, 2, 3, 65_536]


@pytest.mark.parametrize("data", [b"\0", b"\1\0\7\0", b"\1\0\1"])
def test_tokens_of_another_vocabulary_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "ids").write_bytes(data)
    with pytest.raises(CorpusError, match="ids below 7"):
        open_tokens(tmp_path / "ids", 7)


def test_tokens_are_mapped_not_loaded(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    write_tokens(corpus, CharTokenizer(corpus.alphabet), 0.0, tmp_path / "train.bin", tmp_path / "val.bin")
    assert isinstance(open_tokens(tmp_path / "train.bin", 100), np.memmap)
    assert len(open_tokens(tmp_path / "val.bin", 100)) == 0  # held out: nothing


def test_a_full_disk_leaves_the_old_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpus_of(tmp_path)
    tokenizer = CharTokenizer(corpus.alphabet)
    write_tokens(corpus, tokenizer, 0.1, tmp_path / "train.bin", tmp_path / "val.bin")
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(corpus_module.os, "fsync", full)
    with pytest.raises(LMError, match="the disk is full"):
        write_tokens(corpus, tokenizer, 0.5, tmp_path / "train.bin", tmp_path / "val.bin")
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


def test_a_text_shorter_than_a_window_is_told_in_numbers() -> None:
    with pytest.raises(CorpusError, match=r"has 9 of the 257 tokens.*block_size=256 needs; use block_size=2 or less"):
        check_enough(9, 1, 256)
    with pytest.raises(CorpusError, match="has 256 of the 257 tokens"):
        check_enough(256, 50, 256)
    check_enough(257, 50, 256)


@pytest.mark.parametrize(("n_val", "end"), [(0, "add more text"), (1, r"or hold out less \(val_fraction\)")])
def test_only_who_holds_something_out_is_told_to_hold_out_less(n_val: int, end: str) -> None:
    with pytest.raises(CorpusError, match=f"{end}$"):
        check_enough(1, n_val, 256)


def test_one_held_out_token_is_too_few_and_none_is_a_choice() -> None:
    with pytest.raises(CorpusError, match="held-out text has 1 token and measuring needs 2"):
        check_enough(1000, 1, 8)
    check_enough(1000, 0, 8)


# ---------------------------------------------------------------------------------------------- random windows


def test_targets_are_the_inputs_one_token_later() -> None:
    tokens = np.arange(1000, dtype=np.uint16)
    for windows in (RandomWindows(tokens, 8, 4, generator()), EpochWindows(tokens, 8, 4, 3, generator())):
        x, y = next(windows)
        assert x.shape == y.shape == (4, 8)
        assert x.dtype == y.dtype == torch.int64
        assert torch.equal(x + 1, y)
        assert torch.equal(x[:, 1:], y[:, :-1])


def test_random_windows_reach_both_ends_of_the_text() -> None:
    windows = RandomWindows(np.arange(20, dtype=np.uint16), 8, 500, generator())
    x, y = next(windows)
    assert (int(x.min()), int(y.max())) == (0, 19)
    assert set(x[:, 0].tolist()) == set(range(12))


def test_random_windows_are_drawn_from_their_generator_alone() -> None:
    tokens = np.arange(1000, dtype=np.uint16)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = next(RandomWindows(tokens, 8, 4, generator(5)))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first[0], next(RandomWindows(tokens, 8, 4, generator(5)))[0])
    assert not torch.equal(first[0], next(RandomWindows(tokens, 8, 4, generator(6)))[0])


# ---------------------------------------------------------------------------------------------- epochs


@settings(max_examples=60, deadline=None)
@given(n=st.integers(10, 90), block_size=st.integers(1, 9), batch_size=st.integers(1, 6), stride=st.integers(0, 12))
def test_an_epoch_has_the_windows_of_the_books(n: int, block_size: int, batch_size: int, stride: int) -> None:
    windows = EpochWindows(np.arange(n, dtype=np.uint16), block_size, batch_size, stride, generator())
    starts = list(range(0, n - block_size, stride or block_size))  # Build a Large Language Model, chapter 2
    batch_size = min(batch_size, len(starts))
    for _ in range(2):
        epoch = [next(windows)[0] for _ in range(len(starts) // batch_size)]
        drawn = [int(row[0]) for x in epoch for row in x]
        assert len(set(drawn)) == len(drawn) == len(starts) - len(starts) % batch_size
        assert set(drawn) <= set(starts)
        assert windows.tokens_per_epoch == len(drawn) * block_size


def test_each_epoch_is_shuffled_anew() -> None:
    windows = EpochWindows(np.arange(1000, dtype=np.uint16), 8, 4, 0, generator())
    first, second = ([next(windows)[0] for _ in range(windows.batches_per_epoch)] for _ in range(2))
    assert not torch.equal(torch.cat(first), torch.cat(second))


def test_a_batch_larger_than_the_text_is_all_of_it() -> None:
    windows = EpochWindows(np.arange(30, dtype=np.uint16), 8, 100, 0, generator())
    assert sorted(next(windows)[0][:, 0].tolist()) == [0, 8, 16]


# ---------------------------------------------------------------------------------------------- resuming


@pytest.mark.parametrize("drawn", [0, 1, 5, 31, 62, 70])  # 31 batches are an epoch
@pytest.mark.parametrize("kind", ["random", "epochs"])
def test_resumed_windows_are_those_that_would_have_come(kind: str, drawn: int) -> None:
    tokens = np.arange(1000, dtype=np.uint16)

    def make(seed: int) -> RandomWindows | EpochWindows:
        if kind == "random":
            return RandomWindows(tokens, 8, 4, generator(seed))
        return EpochWindows(tokens, 8, 4, 0, generator(seed))

    windows, resumed = make(3), make(99)
    for _ in range(drawn):
        next(windows)
    position, state = windows.state_dict()
    resumed.load_state_dict(json.loads(json.dumps(position)), state.clone())
    for (x, _), (again, _) in zip(itertools.islice(windows, 70), itertools.islice(resumed, 70), strict=True):
        assert torch.equal(x, again)


# ---------------------------------------------------------------------------------------------- evaluation windows


@settings(max_examples=100, deadline=None)
@given(n=st.integers(0, 200), block_size=st.integers(1, 50))
def test_every_token_but_the_first_is_predicted_once(n: int, block_size: int) -> None:
    windows = evaluation_windows(n, block_size)
    targets = [target for start, end in windows for target in range(start + 1, end + 1)]
    assert targets == list(range(1, n))
    assert all(0 < end - start <= block_size for start, end in windows)


@settings(max_examples=100, deadline=None)
@given(n=st.integers(2, 500), block_size=st.integers(1, 20), count=st.integers(1, 60))
def test_fewer_windows_are_the_same_ones_evenly_spaced(n: int, block_size: int, count: int) -> None:
    whole, some = evaluation_windows(n, block_size), evaluation_windows(n, block_size, count)
    assert len(some) == min(count, len(whole))
    places = [whole.index(window) for window in some]
    steps = set(np.diff(places).tolist())
    assert places[0] == 0
    assert all(step > 0 for step in steps)
    assert len(steps) <= 2  # as even as whole windows allow
    assert len(whole) - places[-1] <= -(-len(whole) // len(some))  # to the end of the text
