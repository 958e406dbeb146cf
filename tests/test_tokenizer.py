"""Every tokenizer gives any text back, and `tokenizers`, `tiktoken` and `AutoTokenizer` the same ids."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from lm import tokenizer as tokenizer_module
from lm import tokenizer_json
from lm.config import DataConfig
from lm.corpus import Corpus, read_corpus
from lm.errors import TokenizerError
from lm.tokenizer import (
    SPLIT_PATTERN,
    BPETokenizer,
    CharTokenizer,
    Tokenizer,
    cut_at_borders,
    load_tokenizer,
    make_tokenizer,
    published,
)

TEXT = (
    "The little station sat above the river; its clock was always late. “It's fine,” said the cat, “we'll wait.”\n"
    "　山の上に小さな駅がある。駅長は猫である。「今日も列車は来ませんね」と、猫は帽子をなおした。\n"
    "def wait(minutes=10):\n\treturn minutes * 60  # seconds 12345 \U0001f638\n\n"
)
HARD = ["", " ", "\r\n", "\t\t x", "a\n\n\nb  c", "👩‍👩‍👧 é e\u0301", "吾輩は猫である。", "it's WE'LL ſ"]
HARD += ["\x00\x85\u2028 \u3000", "<|endoftext|>", "<unk>"]
WORDS = ["the", " cat", "猫", "である", "。", "」", "'s", "'LL", "'", " ", "  ", "\n", "\n\n", "\r\n", "\t", "12345"]
WORDS += ["_", "…", ".", ",", "é", "e\u0301", "😀", "A", "/"]
KINDS = [
    DataConfig(tokenizer="char"),
    DataConfig(tokenizer="bpe", vocab_size=400),
    DataConfig(tokenizer="gpt2"),
    DataConfig(tokenizer="gpt2", keep_ids="max"),
    DataConfig(tokenizer="gpt2", keep_ids="used"),
    DataConfig(tokenizer="cl100k_base"),
    DataConfig(tokenizer="cl100k_base", keep_ids="max"),
    DataConfig(tokenizer="cl100k_base", keep_ids="used"),
]
sentences = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)
texts = st.text(st.characters(exclude_categories=["Cs"])) | sentences


def describe(config: DataConfig) -> str:
    return config.tokenizer if config.keep_ids == "all" else f"{config.tokenizer}-{config.keep_ids}"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Some lines of a small world, the same each time."""
    draw = random.Random(7)
    words = TEXT.split(" ")
    lines = [" ".join(draw.choices(words, k=12)) for _ in range(200)]
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "story.txt").write_bytes((TEXT + "\n".join(lines)).encode("utf-8"))
    return read_corpus([folder / "story.txt"], folder / "clean.txt")


@pytest.fixture(scope="module")
def text(corpus: Corpus) -> str:
    return corpus.path.read_bytes().decode("utf-8")


@pytest.fixture(scope="module", params=KINDS, ids=describe)
def made(request: pytest.FixtureRequest, corpus: Corpus, published_encodings: Path) -> Tokenizer:
    return make_tokenizer(request.param, corpus)


@pytest.fixture(scope="module")
def saved(made: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    made.save(folder)
    return folder


@pytest.fixture(scope="module")
def of_tokenizers(saved: Path) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_file(str(saved / "tokenizer.json"))


@pytest.fixture(scope="module")
def four(corpus: Corpus, text: str, published_encodings: Path) -> dict[str, BPETokenizer]:
    """One tokenizer of each way to split a text; for o200k_base its pattern alone, as its ranks need a network."""
    configs = {config.tokenizer: config for config in KINDS if config.tokenizer != "char" and config.keep_ids == "all"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: {bytes([byte]): byte for byte in range(256)})
        pattern = published("o200k_base").pattern
    ranks = tokenizer_json.learn_ranks([text, "it's the'LL"], pattern, 400, 1)
    made = {kind: make_tokenizer(config, corpus) for kind, config in configs.items()}
    return made | {"o200k_base": BPETokenizer("o200k_base", pattern, ranks)}


# ---------------------------------------------------------------------------------------------- round trips


def test_the_corpus_comes_back_exactly(made: Tokenizer, text: str) -> None:
    ids = made.encode(text)
    assert ids.dtype == np.uint32
    assert int(ids.max()) < made.vocab_size
    assert made.decode(ids) == text
    assert made.decode_bytes(ids) == text.encode("utf-8")


@settings(max_examples=60, deadline=None)
@given(texts)
def test_any_text_of_known_characters_comes_back(made: Tokenizer, some: str) -> None:
    for part in (some, *HARD):
        if isinstance(made, CharTokenizer):
            part = "".join(character for character in part if character in made.characters)
        assert made.decode(made.encode(part)) == part
        assert made.unknown(part) == []


@pytest.mark.parametrize("some", ["a\ud800b", "\udc00"])
def test_half_a_surrogate_pair_in_a_prompt_does_not_crash(made: Tokenizer, some: str) -> None:
    assert "\ufffd" in made.decode(made.encode(some))


def test_every_id_decodes(made: Tokenizer) -> None:
    assert len(made.id_bytes) == made.vocab_size
    assert isinstance(made.decode(range(made.vocab_size)), str)


def test_sizes_of_ids_add_up_to_the_text(made: Tokenizer, text: str) -> None:
    ids = made.encode(text)
    n_bytes, n_characters = made.id_sizes()
    assert n_bytes.shape == n_characters.shape == (made.vocab_size,)
    assert (n_bytes[ids].sum(), n_characters[ids].sum()) == (len(text.encode("utf-8")), len(text))


# ---------------------------------------------------------------------------------------------- characters


def test_ids_of_characters_follow_their_order(corpus: Corpus, text: str) -> None:
    tokenizer = CharTokenizer(corpus.alphabet)
    table = {character: i for i, character in enumerate(sorted(set(text)))}
    assert tokenizer.encode(text).tolist() == [table[character] for character in text]
    assert tokenizer.vocab_size == len(table) + 1
    assert tokenizer.unk_id == len(table)


def test_a_foreign_character_becomes_the_unknown_token_and_is_named() -> None:
    tokenizer = CharTokenizer("abc")
    assert tokenizer.encode("a猫b\U0010ffffd猫").tolist() == [0, 3, 1, 3, 3, 3]
    assert tokenizer.decode([0, 3, 1]) == "a\ufffdb"
    assert tokenizer.unknown("a猫b\U0010ffffd猫") == ["猫", "\U0010ffff", "d"]
    assert tokenizer.unknown("cab") == []


# ---------------------------------------------------------------------------------------------- learnt byte pairs


def test_learning_gives_the_size_that_was_asked_for(corpus: Corpus) -> None:
    assert make_tokenizer(DataConfig(tokenizer="bpe", vocab_size=300), corpus).vocab_size == 300


@pytest.mark.parametrize(
    ("characters", "distinct", "expected"),
    [(499_999, 65, "char"), (500_000, 65, "bpe"), (500_000, 999, "bpe"), (500_000, 1000, "char"), (0, 0, "char")],
)
def test_auto_cuts_a_long_text_of_few_characters_into_byte_pairs(characters, distinct, expected):
    assert DataConfig(tokenizer="auto").tokenizer_of(characters, distinct) == expected
    for asked in ("char", "bpe", "gpt2"):
        assert DataConfig(tokenizer=asked).tokenizer_of(characters, distinct) == asked


@pytest.mark.parametrize(
    ("characters", "distinct", "readings", "expected"),
    [
        (300_000, 65, 15.0, "bpe"), (300_000, 65, 15.1, "char"), (300_000, 1000, 1.0, "char"), (249_999, 65, 1.0, "char"),
        (250_000, 65, 1.0, "bpe"), (500_000, 65, 600.0, "bpe"),
    ],
)  # fmt: skip
def test_auto_cuts_a_shorter_text_into_pairs_if_it_is_read_a_few_times(characters, distinct, readings, expected):
    """Of which 512 stand for two characters each, and nine tenths of the text are trained on."""
    auto = DataConfig(tokenizer="auto", val_fraction=0.1)
    assert auto.tokenizer_of(characters, distinct, readings * 0.9 * characters / 2) == expected


def test_auto_is_what_the_text_comes_to(tmp_path):
    auto = DataConfig(tokenizer="auto", vocab_size=300)
    alphabet = "".join(chr(0x4E00 + i) for i in range(1200))
    texts = {"short": "the fox sings. " * 100, "long": "the fox sings. " * 40_000, "Japanese": alphabet * 500}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
        read = read_corpus([tmp_path / f"{name}.txt"], tmp_path / "clean")
        plain = replace(auto, tokenizer="bpe" if name == "long" else "char")
        made, expected = make_tokenizer(auto, read), make_tokenizer(plain, read)
        assert made.name == plain.tokenizer
        assert made.encode(text[:90]).tolist() == expected.encode(text[:90]).tolist()


def test_a_short_text_gives_a_smaller_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"once upon a time\n" * 3)
    tiny = read_corpus([tmp_path / "a.txt"], tmp_path / "clean")
    assert 256 < make_tokenizer(DataConfig(tokenizer="bpe", vocab_size=5000), tiny).vocab_size < 300


def test_learning_twice_gives_the_same_ids(corpus: Corpus) -> None:
    config = DataConfig(tokenizer="bpe", vocab_size=500)
    assert make_tokenizer(config, corpus).ranks == make_tokenizer(config, corpus).ranks


def test_a_large_text_is_learnt_from_an_even_part(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_module, "LEARN_CHARACTERS", corpus.statistics.characters // 4)
    monkeypatch.setattr(tokenizer_module, "cut_at_borders", lambda chunks: cut_at_borders(chunks, 500))
    read = []
    monkeypatch.setattr(
        tokenizer_json,
        "learn_ranks",
        lambda pieces, *_: read.extend(pieces) or {bytes([byte]): byte for byte in range(256)},
    )
    tokenizer_module.learn(corpus, 300)
    assert 0.15 < sum(map(len, read)) / corpus.statistics.characters < 0.3


# ---------------------------------------------------------------------------------------------- published vocabularies


@pytest.mark.parametrize("kind", ["gpt2", "cl100k_base"])
@settings(max_examples=150, deadline=None)
@given(texts)
def test_published_ids_are_tiktokens(four: dict[str, BPETokenizer], kind: str, some: str) -> None:
    ours, theirs = four[kind], tiktoken.get_encoding(kind)
    for part in (some, *HARD):
        assert ours.encode(part).tolist() == theirs.encode_ordinary(part)
    assert ours.vocab_size == theirs.n_vocab


def test_the_name_of_a_special_token_is_ordinary_text(published_encodings: Path) -> None:
    gpt2 = published("gpt2")
    assert 50256 not in gpt2.encode("<|endoftext|>")
    assert (gpt2.vocab_size, gpt2.decode([50256])) == (50257, "<|endoftext|>")


def test_keeping_up_to_the_largest_id_is_chapter_19(corpus: Corpus, text: str, published_encodings: Path) -> None:
    whole = tiktoken.get_encoding("cl100k_base").encode_ordinary(text)
    cropped = make_tokenizer(DataConfig(tokenizer="cl100k_base", keep_ids="max"), corpus)
    assert cropped.encode(text).tolist() == whole
    assert cropped.vocab_size == max(whole) + 1


@pytest.mark.parametrize("name", ["gpt2", "cl100k_base"])
def test_keeping_the_used_ids_cuts_the_corpus_alike(
    corpus: Corpus, text: str, published_encodings: Path, name: str
) -> None:
    whole = published(name)
    small = make_tokenizer(DataConfig(tokenizer=name, keep_ids="used"), corpus)
    cut = [small.id_bytes[i] for i in small.encode(text)]
    assert cut == [whole.id_bytes[i] for i in whole.encode(text)]
    assert small.vocab_size < 256 + 4 * len(set(cut))
    in_order = sorted(small.ranks, key=small.ranks.__getitem__)
    assert in_order == sorted(in_order, key=whole.ranks.__getitem__)


def test_an_absent_vocabulary_is_told_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # a machine without a way out
    with pytest.raises(TokenizerError, match=r"o200k_base is not in tiktoken's cache.*CACHE_DIR.*tokenizer=bpe"):
        published("o200k_base")


# ---------------------------------------------------------------------------------------------- pieces of a long text


@pytest.mark.parametrize("kind", ["bpe", "gpt2", "cl100k_base", "o200k_base"])
@settings(max_examples=200, deadline=None)
@given(sentences)
def test_where_a_text_may_be_cut_no_token_is_cut(four: dict[str, BPETokenizer], kind: str, some: str) -> None:
    whole = four[kind].encode(some).tolist()
    found = (tokenizer_module._LAST_BORDER.match(some, 0, end) for end in range(len(some)))
    for border in {match.end() for match in found if match}:
        assert four[kind].encode(some[:border]).tolist() + four[kind].encode(some[border:]).tolist() == whole


@settings(max_examples=200, deadline=None)
@given(chunks=st.lists(st.text("ab .猫。", max_size=30)), size=st.integers(1, 12))
def test_pieces_put_together_are_the_text(chunks: list[str], size: int) -> None:
    pieces = list(cut_at_borders(chunks, size))
    assert "".join(pieces) == "".join(chunks)
    assert all(0 < len(piece) <= size for piece in pieces)


def test_chunks_have_the_ids_of_the_whole(made: Tokenizer, text: str) -> None:
    long = text * 3 * (tokenizer_module.PIECE_CHARACTERS // len(text) + 1)
    whole = made.encode(long).tolist()
    in_chunks = (long[i : i + 10_007] for i in range(0, len(long), 10_007))
    assert np.concatenate(list(made.encode_chunks(in_chunks))).tolist() == whole


def test_a_text_without_any_border_is_encoded_in_linear_time(corpus: Corpus) -> None:
    tokenizer = make_tokenizer(DataConfig(tokenizer="bpe", vocab_size=400), corpus)
    for endless in ("a" * 1_000_000, " " * 1_000_000, "猫" * 500_000):
        assert tokenizer.decode(tokenizer.encode(endless)) == endless


# ---------------------------------------------------------------------------------------------- tokenizer.json


@settings(max_examples=100, deadline=None)
@given(texts)
@example("".join(HARD))
def test_tokenizers_gives_the_same_ids(made: Tokenizer, of_tokenizers: tokenizers.Tokenizer, some: str) -> None:
    if getattr(made, "special", None):
        some = some.replace("<|endoftext|>", "")  # there it is the special token, as everybody expects
    ids = of_tokenizers.encode(some, add_special_tokens=False).ids
    assert ids == made.encode(some).tolist()
    if not made.unknown(some):
        assert of_tokenizers.decode(ids, skip_special_tokens=False) == some


def test_a_token_that_no_merge_makes_is_found_as_a_word(tmp_path: Path) -> None:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"abc": 256}  # neither ab nor bc is a token
    ours = BPETokenizer("odd", r"\w+|\W", ranks)
    ours.save(tmp_path)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert ours.encode("abc abcd").tolist() == [256, 32, 97, 98, 99, 100] == theirs.encode("abc abcd").ids


def test_a_saved_tokenizer_loads_from_its_file_or_folder(made: Tokenizer, saved: Path, text: str) -> None:
    for path in (saved, saved / "tokenizer.json"):
        again = load_tokenizer(path)
        assert (again.name, again.vocab_size, again.unk_id) == (made.name, made.vocab_size, made.unk_id)
        assert again.encode(text).tolist() == made.encode(text).tolist()
        assert again.id_bytes == made.id_bytes


def test_tokenizer_json_alone_is_enough(made: Tokenizer, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((saved / "tokenizer.json").read_bytes())
    assert load_tokenizer(tmp_path).id_bytes == made.id_bytes


def test_autotokenizer_gives_the_same_ids_and_text(made: Tokenizer, saved: Path, text: str) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(str(saved))
    ids = theirs(text)["input_ids"]
    assert ids == made.encode(text).tolist()
    assert theirs.decode(ids) == text


@pytest.mark.parametrize("pattern", ["", "b", "[", "(" * 1000, r"(a*)*\1b", "x" * 5000, "a*"])
def test_a_pattern_that_loses_text_or_breaks_tiktoken_is_refused(corpus: Corpus, tmp_path: Path, pattern: str) -> None:
    tokenizer_module.learn(corpus, 300).save(tmp_path)
    path = tmp_path / "tokenizer.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = pattern
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(TokenizerError, match="tokenizer.json of a run"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("number", [-1, 2**31, 10**30, "7", None, 1.5])
def test_an_id_that_no_vocabulary_has_is_refused(corpus: Corpus, tmp_path: Path, number: object) -> None:
    tokenizer_module.learn(corpus, 300).save(tmp_path)
    path = tmp_path / "tokenizer.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["model"]["vocab"]["!"] = number
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(TokenizerError):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        '{"model": {"type": "WordPiece", "vocab": {}}}',
        '{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "unk_token": null}, "pre_tokenizer": null}',
        "not json",
    ],
)
def test_a_foreign_or_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(TokenizerError):
        load_tokenizer(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="cannot read"):
        load_tokenizer(tmp_path)


def test_the_file_says_how_it_splits(saved: Path, made: Tokenizer) -> None:
    stored = json.loads((saved / "tokenizer.json").read_text(encoding="utf-8"))
    if made.name == "bpe":
        assert stored["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] == SPLIT_PATTERN
    assert "++" not in json.dumps(stored["pre_tokenizer"])  # a possessive quantifier means another thing there
