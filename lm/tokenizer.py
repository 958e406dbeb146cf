"""Text ↔ token ids: characters, byte pairs learnt from the corpus, or one of OpenAI's published vocabularies.

Two classes do it all. `CharTokenizer` looks characters up in a table. `BPETokenizer` is a `tiktoken.Encoding`; that a
vocabulary was learnt here, published, cut at the corpus's largest id (chapter 19) or reduced to the ids that occur is
only a difference of its ranks. Learning is done by `tokenizers`; byte pairs encode any text and give it back exactly,
a character that a character vocabulary lacks becomes the unknown token, and `unknown()` names it.

`save` writes a `tokenizer.json` that `tokenizers` and `AutoTokenizer` load with the same ids, and from which
`load_tokenizer` rebuilds the tokenizer; `lm/tokenizer_json.py` knows that file. Not covered: tokenizer.json files of
other makers, and special tokens inside a text (a prompt that says <|endoftext|> means these letters).
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tiktoken
from tiktoken_ext import openai_public

from lm import tokenizer_json
from lm.config import PUBLISHED_ENCODINGS, DataConfig
from lm.corpus import Corpus, read_chunks
from lm.errors import TokenizerError
from lm.pipeline import mapped
from lm.processors import processors
from lm.tokenizer_json import REPLACEMENT

# GPT-4's way to cut text into words, as published for cl100k_base before it was rewritten for speed.
SPLIT_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
# A pair must occur twice to become a token; else a short text is learnt by heart, word for word.
LEAST_PAIR_COUNT = 2
# Byte pairs are learnt from at most this many characters, spread evenly over the text. Assumed: more change little.
LEARN_CHARACTERS = 1 << 26
# tiktoken gets the text in pieces of this size. Measured: o200k_base fails on one million spaces, not on this many.
PIECE_CHARACTERS = 1 << 16
PROBE = "The fox's 12,345th\u3000lamp…\r\n\n  \t吾輩は🎉 <|x|>"  # what a tokenizer from elsewhere must give back
MOST_THREADS = 4  # Measured: tiktoken gains up to so many.
# After a letter or a digit and before one of these, every split pattern used here has a border.
_LAST_BORDER = re.compile(r".*[^\W_](?=[\s.,:;!?…、。，．！？「」『』（）()])", re.DOTALL)


class CharTokenizer:
    """One token a character: the corpus's distinct characters in code point order, then the unknown token."""

    name = "char"

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = "".join(sorted(set(characters)))
        self.unk_id = len(self.characters)
        self.vocab_size = self.unk_id + 1
        self._codes = _codes(self.characters + REPLACEMENT)  # (V,) the code point of each id
        self._ids = np.full(int(self._codes[:-1].max(initial=0)) + 2, self.unk_id, dtype=np.uint32)
        self._ids[self._codes[:-1]] = np.arange(self.unk_id, dtype=np.uint32)

    def encode(self, text: str) -> np.ndarray:
        """`text` → ids (T,) uint32, one for each character."""
        if text.isascii() and self.vocab_size <= 256:
            return np.frombuffer(text.encode("ascii").translate(self._byte_ids), np.uint8).astype(np.uint32)
        return np.take(self._ids, _codes(text), mode="clip")  # "clip": beyond the table stands its last row, unknown

    def encode_chunks(self, chunks: Iterable[str]) -> Iterator[np.ndarray]:
        """The ids of a text that comes in chunks, in chunks of `id_dtype`, in constant memory.

        One thread looks them up while another, the caller's, reads and writes. Measured: with two they wait for each
        other, since half of the looking up holds Python's lock.
        """
        dtype = id_dtype(self.vocab_size)
        return mapped(lambda chunk: self.encode(chunk).astype(dtype), chunks, threads=1)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """ids → text; the unknown token reads �."""
        return self._codes[np.asarray(ids, dtype=np.int64)].tobytes().decode("utf-32-le")

    def decode_bytes(self, ids: Sequence[int] | np.ndarray) -> bytes:
        return self.decode(ids).encode("utf-8")

    def unknown(self, text: str) -> list[str]:
        """The distinct characters of `text` that `encode` replaces by the unknown token, in order of appearance."""
        return [character for character in dict.fromkeys(text) if character not in self._known]

    @functools.cached_property
    def _byte_ids(self) -> bytes:
        """The id of each ASCII character, for `bytes.translate`: measured 5 times as fast as a table of numbers."""
        return np.take(self._ids, np.arange(256), mode="clip").astype(np.uint8).tobytes()

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.characters)

    @functools.cached_property
    def id_bytes(self) -> list[bytes]:
        """The UTF-8 bytes that each id stands for."""
        return [character.encode("utf-8") for character in self.characters + REPLACEMENT]

    def id_sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """UTF-8 bytes and characters of each id, both (V,) int64."""
        return _sizes(self.id_bytes)

    def save(self, directory: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json into `directory`."""
        tokenizer_json.write(directory, self.name, self._json)

    @functools.cached_property
    def _json(self) -> str:
        return tokenizer_json.of_characters(self.characters)


class BPETokenizer:
    """Byte pairs, merged in the order of their ranks; a rank is the id. Encodes any text and gives it back exactly."""

    unk_id = None

    def __init__(self, name: str, pattern: str, ranks: dict[bytes, int], special: dict[str, int] | None = None) -> None:
        assert all(bytes([byte]) in ranks for byte in range(256)), "a byte that has no id cannot be encoded"
        self.name, self.pattern, self.ranks, self.special = name, pattern, ranks, special or {}
        self._encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=self.special)
        self.vocab_size = self._encoding.n_vocab  # the largest id + 1; ids below it that nobody owns decode to nothing

    def encode(self, text: str) -> np.ndarray:
        """`text` → ids (T,) uint32; names of special tokens are ordinary text."""
        return np.concatenate([np.empty(0, np.uint32), *map(self._encode_piece, cut_at_borders([text]))])

    def encode_chunks(self, chunks: Iterable[str]) -> Iterator[np.ndarray]:
        """The ids of a text that comes in chunks, in pieces of `id_dtype`: together the same as `encode` of the whole.

        On every core (tiktoken holds no lock), in constant memory.
        """
        dtype, threads = id_dtype(self.vocab_size), min(MOST_THREADS, processors())
        pieces = cut_at_borders(chunks)
        return mapped(lambda piece: self._encode_piece(piece).astype(dtype, copy=False), pieces, threads)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """ids → text; bytes that are no UTF-8, such as half a character, read �."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Sequence[int] | np.ndarray) -> bytes:
        return b"".join([self.id_bytes[i] for i in ids])

    def unknown(self, text: str) -> list[str]:
        """Always empty: 256 of the ids are the single bytes."""
        return []

    @functools.cached_property
    def id_bytes(self) -> list[bytes]:
        """The bytes that each id stands for; nothing for the gaps that some published vocabularies have."""
        table = [b""] * self.vocab_size
        for token, i in itertools.chain(self.ranks.items(), ((s.encode("utf-8"), i) for s, i in self.special.items())):
            table[i] = token
        return table

    def id_sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Bytes and characters of each id, both (V,) int64; a character counts where its first byte is."""
        return _sizes(self.id_bytes)

    def save(self, directory: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json into `directory`."""
        tokenizer_json.write(directory, self.name, self._json, end_of_text=next(iter(self.special), ""))

    @functools.cached_property
    def _json(self) -> str:
        return tokenizer_json.of_ranks(self.pattern, self.ranks, self.special)

    def _encode_piece(self, piece: str) -> np.ndarray:
        try:
            return self._encoding.encode_to_numpy(piece, disallowed_special=())
        except UnicodeEncodeError:  # half a surrogate pair, as a browser may send it
            whole = piece.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            return self._encoding.encode_to_numpy(whole, disallowed_special=())


Tokenizer = CharTokenizer | BPETokenizer


def id_dtype(vocab_size: int) -> np.dtype:
    """How ids of such a vocabulary lie on disk: uint16, or uint32 where that is too small; little-endian."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")


# ---------------------------------------------------------------------------------------------- making and loading


def make_tokenizer(config: DataConfig, corpus: Corpus, tokens_read: float = math.inf) -> Tokenizer:
    """The tokenizer that `config` asks for, fitted to `corpus`, of which a training reads so many tokens.

    `TokenizerError` when it cannot be had.
    """
    name = config.tokenizer_of(corpus.statistics.characters, corpus.statistics.distinct_characters, tokens_read)
    if name == "char":
        return CharTokenizer(corpus.alphabet)
    if name == "bpe":
        return learn(corpus, config.vocab_size)
    whole = published(name)
    if config.keep_ids == "all":
        return whole
    ids = _occurring_ids(whole, corpus)
    return up_to(whole, ids[-1]) if config.keep_ids == "max" else only(whole, ids)


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a tokenizer.json, or of the folder that holds one; `TokenizerError` if it is not one of ours."""
    name, stored = tokenizer_json.read(path)
    if isinstance(stored, tokenizer_json.Characters):
        return CharTokenizer(stored.characters)
    if (tokenizer := _sound(name, stored)) is None:
        raise TokenizerError(
            f"the tokenizer of {path} does not give a text back: its pattern is none that tiktoken can use; take the "
            f"tokenizer.json of a run, of an exported model or of GPT-2"
        )
    return tokenizer


def _sound(name: str, stored: tokenizer_json.Ranks) -> BPETokenizer | None:
    """The tokenizer, if its pattern compiles, cuts a text into pieces that are the text, and does so in time."""
    try:
        tokenizer = BPETokenizer(name, stored.pattern, stored.ranks, stored.special)
        return tokenizer if tokenizer.decode(tokenizer.encode(PROBE)) == PROBE else None
    except ValueError:
        return None
    except BaseException as error:  # noqa: BLE001 - tiktoken panics at a pattern that matches nothing at all
        if type(error).__name__ != "PanicException":
            raise
        return None


def learn(corpus: Corpus, vocab_size: int) -> BPETokenizer:
    """Learn byte pairs from `corpus`; a short text may hold fewer than `vocab_size` asks for. Deterministic."""
    chunks = read_chunks(corpus.path)
    stride = -(-corpus.statistics.characters // LEARN_CHARACTERS)  # of every `stride` pieces one is read
    pieces = itertools.islice(cut_at_borders(chunks), 0, None, max(1, stride))
    ranks = tokenizer_json.learn_ranks(pieces, SPLIT_PATTERN, vocab_size, LEAST_PAIR_COUNT)
    return BPETokenizer("bpe", SPLIT_PATTERN, ranks)


def published(name: str) -> BPETokenizer:
    """One of OpenAI's vocabularies with its published ids, from tiktoken's cache or the network."""
    assert name in PUBLISHED_ENCODINGS, name
    try:
        parts = openai_public.ENCODING_CONSTRUCTORS[name]()
    except (OSError, ValueError) as error:  # no network, no disk, or not the file that tiktoken expects
        cache = os.environ.get("TIKTOKEN_CACHE_DIR")
        raise TokenizerError(
            f"the vocabulary {name} is not in tiktoken's cache ({cache or 'TIKTOKEN_CACHE_DIR is not set'}) and could "
            f"not be downloaded from openaipublic.blob.core.windows.net ({type(error).__name__}); go online once, or "
            f"set TIKTOKEN_CACHE_DIR to a filled cache, or use tokenizer=bpe or char, which need no download"
        ) from None
    return BPETokenizer(name, _plain(parts["pat_str"]), parts["mergeable_ranks"], parts["special_tokens"])


def up_to(whole: BPETokenizer, largest_id: int) -> BPETokenizer:
    """The ids from 0 to `largest_id` alone, as chapter 19 keeps them: the corpus's ids stay as they are."""
    kept = {token: rank for token, rank in whole.ranks.items() if rank <= max(largest_id, 255)}
    return BPETokenizer(f"{whole.name}-max", whole.pattern, kept)


def only(whole: BPETokenizer, ids: Sequence[int]) -> BPETokenizer:
    """`ids`, the 256 bytes and every merge on the way to them, renumbered in the order of their ranks.

    Merges happen in rank order and every one on the way to a token is kept, so a text made of these tokens is still cut
    in the same way; any other text falls into smaller tokens.
    """
    kept = {bytes([byte]) for byte in range(256)}
    waiting = [whole.id_bytes[i] for i in ids]
    while waiting:
        token = waiting.pop()
        if token not in kept:
            kept.add(token)
            waiting += tokenizer_json.parts(token, whole.ranks)
    in_order = sorted(kept, key=whole.ranks.__getitem__)
    return BPETokenizer(f"{whole.name}-used", whole.pattern, {token: i for i, token in enumerate(in_order)})


def cut_at_borders(chunks: Iterable[str], size: int = PIECE_CHARACTERS) -> Iterator[str]:
    """Cut a text that comes in chunks into pieces of at most `size` characters whose ids are those of the whole text.

    A cut falls where every split pattern has a border. Only a run of `size` characters without one (no space, no stop)
    is cut anywhere; a word there becomes two, always at the same place for the same text.
    """
    rest = ""
    for chunk in chunks:
        rest, start = rest + chunk, 0
        while len(rest) - start > size:
            border = _LAST_BORDER.match(rest, start, start + size)
            end = border.end() if border else start + size
            yield rest[start:end]
            start = end
        rest = rest[start:]
    if rest:
        yield rest


def _occurring_ids(tokenizer: BPETokenizer, corpus: Corpus) -> list[int]:
    occurs = np.zeros(tokenizer.vocab_size, dtype=bool)
    for ids in tokenizer.encode_chunks(read_chunks(corpus.path)):
        occurs[ids] = True
    return np.flatnonzero(occurs).tolist()


def _plain(pattern: str) -> str:
    """A published split pattern without possessive quantifiers and `$`, which mean another thing in `tokenizers`."""
    return re.sub(r"(?<=[+*?])\+|(?<=,\d\})\+", "", pattern).replace(r"\s+$", r"\s+\z")


def _codes(text: str) -> np.ndarray:
    """The code points of `text`, (T,) uint32; half a surrogate pair counts as a character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _sizes(id_bytes: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    n_bytes = np.array([len(token) for token in id_bytes], dtype=np.int64)
    n_characters = np.array([sum(byte & 0xC0 != 0x80 for byte in token) for token in id_bytes], dtype=np.int64)
    return n_bytes, n_characters
