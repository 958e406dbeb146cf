"""`tokenizer.json`: the file that `tokenizers` and `AutoTokenizer` load, from and to what our tokenizers are made of.

A character vocabulary is a BPE model without merges; ranks are a byte-level BPE model whose merges are derived again
from the ranks (a token's last merge is the one that byte pairs of lower rank leave to do). Both forms give `tokenizers`
the ids that `lm.tokenizer` gives; a test compares them on hard texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from lm.errors import RunError, TokenizerError
from lm.files import read_json, write_whole

FILE, CONFIG_FILE = "tokenizer.json", "tokenizer_config.json"
UNKNOWN = "<unk>"
REPLACEMENT = "\ufffd"
MOST_IDS, LONGEST_PATTERN = 1_000_000, 4096  # assumed: five times the largest published vocabulary and pattern
# How the byte-level pre-tokenizer cuts text into words when its file spells out no pattern (Radford et al. 2019).
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@dataclass(frozen=True)
class Characters:
    """What a character tokenizer is made of."""

    characters: str


@dataclass(frozen=True)
class Ranks:
    """What a byte pair tokenizer is made of."""

    pattern: str
    ranks: dict[bytes, int]
    special: dict[str, int]


# ---------------------------------------------------------------------------------------------- writing


def of_characters(characters: str) -> str:
    """The JSON of a character vocabulary; `<unk>` is its last id."""
    vocab = {character: i for i, character in enumerate([*characters, UNKNOWN])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token=UNKNOWN, fuse_unk=False))
    tokenizer.decoder = decoders.Fuse()  # the default decoder puts a space between tokens
    return tokenizer.to_str(pretty=False)


def of_ranks(pattern: str, ranks: dict[bytes, int], special: dict[str, int]) -> str:
    """The JSON of a byte-level BPE: the ids are the ranks, the merges are derived from them."""
    vocab = {_spell(token): rank for token, rank in ranks.items()}
    pairs = (parts(token, ranks) for token in sorted(ranks, key=ranks.__getitem__) if len(token) > 1)
    merges = [(_spell(pair[0]), _spell(pair[1])) for pair in pairs if len(pair) == 2]
    # ignore_merges: a word that is a token is that token, as in tiktoken
    tokenizer = Tokenizer(models.BPE(vocab=vocab | special, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = _pre_tokenizer(pattern)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in special])
    return tokenizer.to_str(pretty=False)


def write(directory: Path, name: str, tokenizer: str, end_of_text: str = "") -> None:
    """Write `tokenizer` (JSON) and what `AutoTokenizer` wants to know beside it."""
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "tokenizer_name": name,
        "clean_up_tokenization_spaces": False,
    }
    if end_of_text:
        config |= {"bos_token": end_of_text, "eos_token": end_of_text}
    write_whole(Path(directory) / FILE, tokenizer.encode("utf-8"))
    write_whole(Path(directory) / CONFIG_FILE, json.dumps(config, indent=1).encode("utf-8"))


# ---------------------------------------------------------------------------------------------- reading


def read(path: Path) -> tuple[str, Characters | Ranks]:
    """The name and the making of the tokenizer at `path`, a tokenizer.json or its folder."""
    path = Path(path) / FILE if Path(path).is_dir() else Path(path)
    stored = _read_json(path)
    try:
        made_of = _made_of(stored)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        made_of = None
    if made_of is None:
        raise TokenizerError(
            f"{path} is a tokenizer of another kind than LM Playground knows (characters, or byte-level BPE as GPT-2 has "
            f"it); use the tokenizer.json of a run, of an exported model or of GPT-2"
        )
    config = path.with_name(CONFIG_FILE)
    name = _read_json(config).get("tokenizer_name", "bpe") if config.is_file() else "bpe"
    return name if isinstance(name, str) else "bpe", made_of


def _made_of(stored: dict[str, Any]) -> Characters | Ranks | None:
    model = stored["model"]
    if model["type"] != "BPE":
        return None
    vocab: dict[str, int] = model["vocab"]
    if not model["merges"] and model["unk_token"] == UNKNOWN:
        characters = sorted(vocab, key=vocab.__getitem__)
        is_ours = characters.pop() == UNKNOWN and characters == sorted(characters)
        return Characters("".join(characters)) if is_ours and all(len(c) == 1 for c in characters) else None
    is_ours = stored["pre_tokenizer"]["type"] == "Sequence"
    pattern = stored["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] if is_ours else GPT2_PATTERN
    special = {token["content"]: token["id"] for token in stored["added_tokens"] if token["special"]}
    ranks = {_unspell(token): i for token, i in vocab.items() if token not in special}
    ids = [*ranks.values(), *special.values()]
    is_known = all(type(i) is int and 0 <= i < MOST_IDS for i in ids) and len(set(ids)) == len(ids)
    is_known = is_known and all(bytes([byte]) in ranks for byte in range(256))
    is_known = is_known and len(pattern) <= LONGEST_PATTERN and (is_ours or _is_like_gpt2(stored, ranks))
    return Ranks(pattern, ranks, special) if is_known else None


def _is_like_gpt2(stored: dict[str, Any], ranks: dict[bytes, int]) -> bool:
    """Whether a foreign file means what its ranks mean to tiktoken: byte pairs, merged in the order of their ids."""
    words = stored["pre_tokenizer"]
    is_plain = words["type"] == "ByteLevel" and words.get("use_regex", True) and not words["add_prefix_space"]
    if not is_plain or stored["normalizer"] is not None or stored["model"].get("dropout"):
        return False
    merges = (merge.split(" ") if isinstance(merge, str) else merge for merge in stored["model"]["merges"])
    pairs = [[_unspell(left), _unspell(right)] for left, right in merges]
    tokens = sorted((token for token in ranks if len(token) > 1), key=ranks.__getitem__)
    return [left + right for left, right in pairs] == tokens and all(parts(b"".join(p), ranks) == p for p in pairs)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        stored = read_json(path)
    except RunError as error:
        raise TokenizerError(f"{error}; every run and exported model has one") from None
    if not isinstance(stored, dict):
        raise TokenizerError(f"{path} holds no tokenizer; use the tokenizer.json of a run or of an exported model")
    return stored


# ---------------------------------------------------------------------------------------------- ranks


def learn_ranks(texts: Iterable[str], pattern: str, vocab_size: int, least_count: int) -> dict[bytes, int]:
    """Learn byte pairs with `tokenizers`: the 256 bytes first, then the merges in the order they were found."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _pre_tokenizer(pattern)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=least_count, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    vocab = tokenizer.get_vocab()
    in_order = sorted(vocab, key=vocab.__getitem__)
    return {_unspell(token): i for i, token in enumerate(in_order)}


def parts(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """The pieces that byte pairs of lower rank than `token` leave of it: two, joined by the token's own merge."""
    pieces = [token[i : i + 1] for i in range(len(token))]
    while len(pieces) > 2:
        candidates = [ranks.get(left + right, len(ranks) * 2) for left, right in pairwise(pieces)]
        lowest = min(candidates)
        if lowest >= ranks[token]:
            break
        i = candidates.index(lowest)
        pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]
    return pieces


def _pre_tokenizer(pattern: str) -> pre_tokenizers.PreTokenizer:
    words = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _alphabet() -> list[str]:
    """GPT-2's printable stand-in for each byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


_CHARACTER_OF = _alphabet()
_BYTE_OF = {character: byte for byte, character in enumerate(_CHARACTER_OF)}


def _spell(token: bytes) -> str:
    return "".join([_CHARACTER_OF[byte] for byte in token])


def _unspell(token: str) -> bytes:
    return bytes([_BYTE_OF[character] for character in token])
