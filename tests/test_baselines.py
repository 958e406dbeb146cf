"""The lines a loss curve is read against are what they say, on texts where they can be worked out by hand."""

from __future__ import annotations

import gzip
import lzma
import math
from pathlib import Path

import numpy as np
import pytest

from lm import baselines as module
from lm import run_dir
from lm.baselines import baselines, bigram_nats, unigram_probabilities
from lm.errors import CorpusError
from lm.run_dir import RunDir
from lm.tokenizer import CharTokenizer


def prepared(folder: Path, train: str, val: str) -> RunDir:
    """A run as far as its tokens go."""
    run, tokenizer = run_dir.create(folder, "one"), CharTokenizer(train + val)
    tokenizer.save(run.path)
    for path, text in ((run.train_tokens, train), (run.val_tokens, val)):
        tokenizer.encode(text).astype("<u2").tofile(path)
    return run


def test_uniform_is_the_logarithm_of_the_vocabulary(tmp_path: Path) -> None:
    assert baselines(prepared(tmp_path, "abc" * 50, "cab" * 9)).uniform == pytest.approx(math.log(4))  # and unknown


def test_a_fair_coin_costs_one_bit_a_token(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    train, val = ("".join(dice.choice(list("ht"), size)) for size in (50_000, 5_000))
    found = baselines(prepared(tmp_path, train, val))
    assert found.unigram == pytest.approx(math.log(2), rel=1e-3)
    assert found.bigram == pytest.approx(math.log(2), rel=2e-3)


def test_who_knows_the_token_before_knows_an_alternating_text(tmp_path: Path) -> None:
    found = baselines(prepared(tmp_path, "ab" * 5_000, "ab" * 500))
    assert found.unigram == pytest.approx(math.log(2), rel=1e-3)
    assert found.bigram < 0.001


def test_a_bigram_is_the_conditional_entropy_where_everything_was_seen() -> None:
    ids = np.random.default_rng(0).integers(0, 5, 20_000).cumsum().astype(np.uint16) % 7
    counts = np.zeros((7, 7))
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    seen = counts[counts > 0]
    entropy = -(seen * np.log((counts / counts.sum(1, keepdims=True))[counts > 0])).sum() / seen.sum()
    assert bigram_nats(ids, ids, unigram_probabilities(ids, 7)) == pytest.approx(entropy, rel=1e-3)


def test_damaged_tokens_are_refused_in_words(tmp_path: Path) -> None:
    run = prepared(tmp_path, "ab" * 500, "ab" * 20)
    run.val_tokens.write_bytes(run.val_tokens.read_bytes()[:-2] + b"\xff\xff")
    with pytest.raises(CorpusError, match="val.bin is damaged"):
        baselines(run)


def test_what_was_never_seen_costs_much_and_not_infinitely(tmp_path: Path) -> None:
    found = baselines(prepared(tmp_path, "ab" * 500, "cd" * 20))
    assert 5 < found.unigram < 50 and 1 < found.bigram < 50


def test_a_compressors_bytes_are_told_per_token(tmp_path: Path) -> None:
    val = "猫である。" * 40
    found = baselines(prepared(tmp_path, "吾輩は猫である。" * 90, val))
    raw = val.encode()
    assert found.bytes_per_token == 3
    for nats, packed in ((found.gzip, gzip.compress(raw)), (found.xz, lzma.compress(raw))):
        bits_per_byte = nats / math.log(2) / found.bytes_per_token
        assert bits_per_byte == pytest.approx(8 * len(packed) / len(raw))


def test_counting_in_parts_counts_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = prepared(tmp_path, "the cat sat on the mat. " * 40, "the mat sat on the cat. " * 4)
    whole = baselines(run)
    monkeypatch.setattr(module, "TOKENS_AT_ONCE", 17)
    assert baselines(run) == whole


def test_a_longer_text_than_is_counted_is_counted_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(tmp_path, "ab" * 500 + "ba" * 9_000, "ab" * 50)
    monkeypatch.setattr(module, "MOST_TRAIN_TOKENS", 1_000)
    assert baselines(run).bigram < 0.02


def test_nothing_held_out_has_no_baselines(tmp_path: Path) -> None:
    assert baselines(prepared(tmp_path, "ab" * 500, "")) is None


def test_a_network_begins_at_uniform_and_a_bigram_lies_below_it(fox: RunDir) -> None:
    found = baselines(fox)
    first = next(r for r in run_dir.read_metrics(fox.path)[0] if "val_loss" in r)
    assert found.uniform == pytest.approx(first["val_loss"], rel=0.05)
    assert found.bigram < found.unigram < found.uniform
