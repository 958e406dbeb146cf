"""The merges shown are those that the tokenizer makes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm.errors import RunError
from lm.merging import LAB_VOCABULARY, grow, lab_vocabulary, n_tokens
from lm.tokenizer import LEAST_PAIR_COUNT, SPLIT_PATTERN, BPETokenizer, CharTokenizer
from lm.tokenizer_json import learn_ranks

LEARNT = "the fox sees the lamp on the hill; 狐は丘の上の灯を見て、狐は歌う。 she sells shells! " * 8
RANKS = learn_ranks([LEARNT], SPLIT_PATTERN, 400, LEAST_PAIR_COUNT)


def pieces(text: str, vocab_size: int) -> list[bytes]:
    """`text`, cut at the joints that stay open."""
    closed = {joint for merge in grow(RANKS, SPLIT_PATTERN, text) if merge.rank < vocab_size for joint in merge.joints}
    spelling = text.encode()
    cuts = [i for i in range(len(spelling) + 1) if i not in closed]
    return [spelling[a:b] for a, b in zip(cuts, cuts[1:])]


@pytest.mark.parametrize("vocab_size", [256, 270, 300, 400])
@settings(max_examples=60, deadline=None)
@given(text=st.one_of(st.text(max_size=60), st.text("thefoxsl 狐は\n!", max_size=60)))
def test_a_smaller_vocabulary_is_the_list_of_merges_cut_earlier(text: str, vocab_size: int) -> None:
    text = text.encode("utf-8", "replace").decode()
    smaller = BPETokenizer("bpe", SPLIT_PATTERN, {token: i for token, i in RANKS.items() if i < vocab_size})
    assert pieces(text, vocab_size) == [smaller.id_bytes[i] for i in smaller.encode(text)]
    assert n_tokens(text, grow(RANKS, SPLIT_PATTERN, text), vocab_size) == len(smaller.encode(text))


def test_merges_come_in_the_order_they_were_learnt_and_name_their_parts() -> None:
    merges = grow(RANKS, SPLIT_PATTERN, "the fox, the hill")
    assert [merge.rank for merge in merges] == sorted(merge.rank for merge in merges)
    assert all(RANKS[merge.left + merge.right] == merge.rank for merge in merges)
    assert len(next(merge for merge in merges if merge.left + merge.right == b"he").joints) == 2


def test_byte_pairs_are_learnt_from_a_runs_own_text(shared_fox) -> None:
    learnt = lab_vocabulary(shared_fox.best)
    assert 256 < learnt.vocab_size <= LAB_VOCABULARY and b" fox" in learnt.ranks


def test_without_a_text_byte_pairs_of_its_own_serve_and_characters_do_not(tmp_path) -> None:
    BPETokenizer("bpe", SPLIT_PATTERN, RANKS).save(tmp_path)
    assert lab_vocabulary(tmp_path).vocab_size == len(RANKS)
    (tmp_path / "bare").mkdir()
    CharTokenizer("abc").save(tmp_path / "bare")
    with pytest.raises(RunError, match="came without the text"):
        lab_vocabulary(tmp_path / "bare")
