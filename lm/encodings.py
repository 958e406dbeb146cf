"""Bytes → characters: which encoding a file is in, and its text as a stream with LF line ends.

In this order: a byte order mark, the zero bytes of UTF-16, strict UTF-8 over the whole file, UTF-8 with a few damaged
bytes, the encoding that a web page declares, and last a guess by `charset-normalizer` among the encodings that texts
are found in. What was found is said in words. Files of a known binary kind, and bytes that no encoding turns into text,
are a `CorpusError`.
"""

from __future__ import annotations

import codecs
import io
import itertools
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from lm.errors import CorpusError

BLOCK_BYTES = 1 << 18  # what is made of so much stays in the processor's cache
SAMPLE_BYTES = 1 << 16  # what a guess is made from
# Assumed: text has fewer control characters and unreadable bytes than this; random bytes have 11 % of the first.
MOST_CONTROLS, MOST_UNREADABLE = 0.05, 0.1
# A UTF-8 text that was cut or edited badly has at least so many good characters to each bad byte; others have none.
GOOD_PER_BAD = 4
# The share of a file's 16-bit units whose high byte is that of ASCII (0x00) or of kana (0x30) when it is UTF-16.
LEAST_UTF16 = 0.2
MOST_KANJI_ALONE = 16  # Assumed: no Japanese text goes on for longer without kana.

BYTE_ORDER_MARKS = (  # UTF-32 first: its mark begins with the one of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with byte order mark"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
LEGACY_NAMES = {
    "cp932": "Shift_JIS",
    "euc_jp": "EUC-JP",
    "cp1252": "Latin-1 (Windows-1252)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "koi8_r": "KOI8-R (Cyrillic)",
    "gb18030": "GB18030 (Chinese)",
    "big5": "Big5 (Chinese)",
    "euc_kr": "EUC-KR (Korean)",
}
LIKELY = ("cp932", "euc_jp", "cp1252")  # asked first: a short text looks like too many of the others
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG image", "a text file"),
    (b"\xff\xd8\xff", "JPEG image", "a text file"),
    (b"GIF87a", "GIF image", "a text file"),
    (b"GIF89a", "GIF image", "a text file"),
    (b"%PDF-", "PDF document", "the text that a PDF reader saves or copies from it"),
    (b"PK\x03\x04", "ZIP archive, or Office or EPUB document", "its text, unpacked or saved as plain text"),
    (b"\xd0\xcf\x11\xe0", "old Office document", "its text, saved as plain text"),
    (b"{\\rtf", "RTF document", "its text, saved as plain text"),
    (b"\x1f\x8b", "gzip archive", "the file unpacked from it"),
    (b"BZh91AY&SY", "bzip2 archive", "the file unpacked from it"),
    (b"\xfd7zXZ", "xz archive", "the file unpacked from it"),
    (b"7z\xbc\xaf\x27\x1c", "7z archive", "the file unpacked from it"),
    (b"ID3\x03", "MP3 file", "a text file"),
    (b"ID3\x04", "MP3 file", "a text file"),
    (b"\x7fELF", "program", "a text file"),
    (b"SQLite format 3\0", "SQLite database", "a table saved as .csv"),
    (b"PAR1\x15", "Parquet table", "the table saved as .csv or .jsonl"),
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_KANA = re.compile("[\u3041-\u30ff\uff66-\uff9f]")
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)""")


@dataclass(frozen=True)
class Found:
    """What a file was found to be: `codec` for Python, `name` for people. `is_exact`: every byte is known to fit."""

    codec: str
    name: str
    bytes: int
    is_exact: bool = False


def detect(path: Path) -> Found:
    """Find out how `path` is encoded, reading it once if it is UTF-8 and up to the first other byte if not."""
    head, size = _head(path)
    if not size:
        raise CorpusError(f"{path.name} is empty; choose a file with text in it")
    for mark, codec, name in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return Found(codec, name, size)
    for signature, kind, cure in SIGNATURES:
        if head.startswith(signature):
            raise CorpusError(f"{path.name} is not text ({kind}); use {cure} instead")
    codec, name, is_exact = _without_mark(path, head)
    _check_text(path, head[:SAMPLE_BYTES], codec)
    return Found(codec, name, size, is_exact)


def decoded(path: Path, found: Found, notes: list[str]) -> Iterator[str]:
    """The text of `path` in chunks, without NUL and with LF line ends; says in `notes` what that changed."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(found.codec)("replace"), translate=True)
    unreadable = n_nul = 0
    for block in itertools.chain(_blocks(path), [b""]):
        text = decoder.decode(block, final=not block)
        unreadable += 0 if found.is_exact else text.count("\ufffd")
        if "\0" in text:
            n_nul += text.count("\0")
            text = text.replace("\0", "")
        yield text
    if found.codec in LEGACY_NAMES:
        notes.append("encoding guessed from the bytes; if the text looks wrong, save the file as UTF-8")
    if decoder.newlines not in (None, "\n"):
        notes.append("CRLF line ends became LF" if "\r\n" in decoder.newlines else "CR line ends became LF")
    if unreadable:
        notes.append(f"{unreadable:,} unreadable character{'s' * (unreadable > 1)} became \ufffd")
    if n_nul:
        notes.append(f"{n_nul:,} NUL character{'s' * (n_nul > 1)} removed")


# ---------------------------------------------------------------------------------------------- reading bytes


def _head(path: Path) -> tuple[bytes, int]:
    """The first block of `path` and its size; `CorpusError` when there is nothing to read."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise CorpusError(f"there is no file {path}; check the name, or give the whole path") from None
    except (OSError, ValueError) as error:  # a name that is too long, a folder that may not be entered, a NUL
        raise _cannot_read(path, error) from None
    if stat.S_ISDIR(status.st_mode):
        raise CorpusError(f"{path} is a folder; name the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise CorpusError(f"{path} is a device, not a file; save its text to a file first")
    return next(_blocks(path), b""), status.st_size


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block
    except OSError as error:
        raise _cannot_read(path, error) from None


def _cannot_read(path: Path, error: Exception) -> CorpusError:
    why = getattr(error, "strerror", None) or error
    return CorpusError(f"cannot read {str(path)[:200]}: {why}; check its name and who may read it")


# ---------------------------------------------------------------------------------------------- finding out


def _without_mark(path: Path, head: bytes) -> tuple[str, str, bool]:
    """(codec, name, is_exact) of a file without a byte order mark."""
    if order := _utf16_order(head, high_byte=0):
        return order, "UTF-16 without byte order mark", False
    wrong = _around_first_wrong_byte(path)
    if wrong is None:
        is_jis = b"\x1b$" in head and head.isascii()
        return ("iso2022_jp", "JIS (ISO-2022-JP)", False) if is_jis else ("utf-8", "UTF-8", True)
    if _is_damaged_utf8(wrong):
        return "utf-8", "UTF-8, damaged", False
    if order := _utf16_order(head, high_byte=0x30):
        return order, "UTF-16 without byte order mark", False
    codec = _declared(head) if path.suffix.lower() in (".html", ".htm", ".xhtml") else None
    codec = codec or _guess(_sample(wrong))
    return codec, LEGACY_NAMES.get(codec, codec), False


def _utf16_order(head: bytes, high_byte: int) -> str | None:
    """The UTF-16 codec in which `high_byte` is the high byte of many units of `head`, and hardly ever the low one."""
    units = max(1, len(head) // 2)
    first, second = head[0::2].count(high_byte) / units, head[1::2].count(high_byte) / units
    if max(first, second) < LEAST_UTF16 or max(first, second) < 4 * min(first, second):
        return None
    codec = "utf-16-be" if first > second else "utf-16-le"
    return codec if _accepts(codec, head) else None


def _around_first_wrong_byte(path: Path) -> bytes | None:
    """A stretch of the file around its first byte that is not UTF-8, or None."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    blocks, before = _blocks(path), b""
    for block in itertools.chain(blocks, [b""]):
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            return before + block + next(blocks, b"")
        before = (before + block[-SAMPLE_BYTES:])[-SAMPLE_BYTES:]
    return None


def _is_damaged_utf8(block: bytes) -> bool:
    text = block.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    return len(text) - bad - sum(map(text.count, map(chr, range(128)))) >= GOOD_PER_BAD * bad


def _sample(block: bytes) -> bytes:
    """Lines of `block` from the first byte that is not ASCII on, where every encoding begins a character."""
    start = next(i for i, byte in enumerate(block) if byte > 127)
    start = max(block.rfind(b"\n", 0, start) + 1, start - SAMPLE_BYTES // 4)
    sample = block[start : start + SAMPLE_BYTES]
    return sample[: max(sample.rfind(b"\n"), sample.rfind(b"\r")) + 1] or sample


def _declared(head: bytes) -> str | None:
    """The codec that a web page says it is in, if it is one and accepts the page."""
    if match := _DECLARED.search(head[:4096]):
        try:
            codec = codecs.lookup(match[1].decode("ascii")).name
        except LookupError:
            return None
        codec = {"shift_jis": "cp932", "iso8859-1": "cp1252"}.get(codec, codec)  # as browsers read them
        return codec if _accepts(codec, head) else None
    return None


def _guess(sample: bytes) -> str:
    """The likeliest legacy encoding of `sample`; Latin-1, which takes any byte, when none is likely."""
    for candidates in (LIKELY, tuple(LEGACY_NAMES)):
        possible = [codec for codec in candidates if _accepts(codec, sample)]
        for cut in range(3 if possible else 0):  # a sample without line ends may end inside a character
            best = charset_normalizer.from_bytes(sample[: len(sample) - cut], cp_isolation=possible).best()
            if best is not None and not _is_kanji_alone(best.encoding, str(best)):
                return best.encoding
    return "cp1252"


def _is_kanji_alone(codec: str, text: str) -> bool:
    """Whether `text` is a long stretch of Japanese without one kana: another language in the wrong encoding."""
    return codec in ("cp932", "euc_jp") and len(text) > MOST_KANJI_ALONE and not _KANA.search(text)


def _accepts(codec: str, data: bytes) -> bool:
    """Whether `data`, which may end inside a character, is valid in `codec`."""
    try:
        codecs.getincrementaldecoder(codec)("strict").decode(data)
    except UnicodeError:
        return False
    return True


def _check_text(path: Path, head: bytes, codec: str) -> None:
    text = codecs.getincrementaldecoder(codec)("replace").decode(head)
    controls, unreadable = len(_CONTROLS.findall(text)), text.count("\ufffd")
    if controls > MOST_CONTROLS * len(text) or unreadable > MOST_UNREADABLE * len(text):
        raise CorpusError(f"{path.name} is not text (binary data); use a text file, or one saved as UTF-8 text")
