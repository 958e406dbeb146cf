"""Files of a user → one clean text: UTF-8, LF, no NUL, the several files joined by a blank line.

`read_corpus` streams: `lm.encodings` turns bytes into characters, `lm.markup` takes the text out of tables, records,
web pages and Aozora Bunko's notation, and `_CleanText` writes it while it counts. Plain text passes in constant memory,
whatever its size; so does everything after it (`read_chunks`). Train and validation text are the two sides of one
character position, `split_point`.

Not covered: archives, PDF and word processor files (they are named and refused), mixed encodings in one file.
"""

from __future__ import annotations

import array
import codecs
import errno
import hashlib
import itertools
import operator
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lm import encodings, markup
from lm.errors import CorpusError, LMError
from lm.files import replace_file, temporary_beside

# Measured: what is made of so much text stays in the cache. With 2^22 every step took fresh memory, which the system
# fills with zeros first: two thirds of the time of encoding.
CHUNK_CHARACTERS = 1 << 17
# Duplicate lines are counted among this many lines, 8 bytes of memory each, and by this many characters of each.
COMPARED_LINES, COMPARED_CHARACTERS = 4_000_000, 1 << 16
HIGHEST_CODE_POINT = 0x10FFFF
_HALF_PAIR = re.compile("[\ud800-\udfff]")

Report = Callable[[str], None]


@dataclass(frozen=True)
class FileReport:
    """What one file was read as; `notes` say, in words, what was changed or chosen."""

    name: str
    encoding: str
    bytes: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """One line for a person: `story.txt: Shift_JIS, 12,345 bytes; CRLF line ends became LF`."""
        return "; ".join([f"{self.name}: {self.encoding}, {self.bytes:,} bytes", *self.notes])


@dataclass(frozen=True)
class Statistics:
    """Of the clean text. `duplicate_line_share` is the share of non-empty lines that repeat an earlier one; in a text
    of more than `COMPARED_LINES` of them, among the first so many."""

    characters: int
    distinct_characters: int
    bytes: int
    lines: int
    duplicate_line_share: float
    sha256: str


@dataclass(frozen=True)
class Corpus:
    """The clean text on disk, where it came from, and its distinct characters in code point order."""

    path: Path
    name: str
    files: tuple[FileReport, ...]
    statistics: Statistics
    alphabet: str


def read_corpus(
    sources: Sequence[Path], to: Path, *, aozora: str = "auto", column: str = "", report: Report | None = None
) -> Corpus:
    """Read `sources` into the one clean text file `to`, whole or not at all; `CorpusError` says what cannot be read.

    `aozora` is auto, yes or no; `column` names the column or field that holds the text of a table or of records.
    `report` is told in words what each file was read as.
    """
    sources = [Path(source) for source in sources]
    if not sources:
        raise CorpusError("no file was given; name one or more text files, for example --data story.txt")
    with replacing(Path(to)) as file, ThreadPoolExecutor(1) as beside:
        text, reports = _CleanText(file, beside), []
        for source in sources:
            reports.append(_read_file(source, text, markup.Choices(aozora, column)))
            if report:
                report(str(reports[-1]))
        if not text.has_words:
            raise CorpusError(f"{_name(sources)} holds nothing but white space; choose a file with text in it")
        statistics, alphabet = text.statistics(), text.alphabet()
    return Corpus(Path(to), _name(sources), tuple(reports), statistics, alphabet)


def read_chunks(path: Path, characters: int = CHUNK_CHARACTERS) -> Iterator[str]:
    """The clean text at `path` in chunks of `characters`, the last one shorter."""
    decoder, text = codecs.getincrementaldecoder("utf-8")(), ""
    with open(path, "rb") as file:
        while block := file.read(characters):
            text += decoder.decode(block)
            if len(text) >= characters:  # at most one chunk is full, for a character has one byte or more
                yield text[:characters]
                text = text[characters:]
    if text:
        yield text


def split_point(statistics: Statistics, val_fraction: float) -> int:
    """The character where validation begins: text[:i] is trained on, text[i:] measures, and no character does both."""
    return int(statistics.characters * (1 - val_fraction))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that becomes `path` if the block ends well and vanishes if not; a full disk is an `LMError`."""
    written = 0
    with temporary_beside(path) as temporary:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                yield file
                written = file.tell()
                file.flush()
                os.fsync(file.fileno())
            replace_file(temporary, path)
        except OSError as error:
            raise _cannot_write(path, temporary, written, error) from None


def _cannot_write(path: Path, temporary: Path, written: int, error: OSError) -> LMError:
    """The words for a file that could not be written, with the numbers of a full disk."""
    if error.errno not in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):  # Windows has no quota error
        return LMError(f"cannot write {path}: {error.strerror or error}; choose another place")
    written = max(written, temporary.stat().st_size if temporary.exists() else 0)
    free = shutil.disk_usage(path.parent).free
    return LMError(
        f"the disk is full: {written / 1e6:.1f} MB of {path} were written and {free / 1e6:.1f} MB are free; "
        f"free some space or choose another place, then try again"
    )


# ---------------------------------------------------------------------------------------------- one file


def _read_file(source: Path, text: _CleanText, choices: markup.Choices) -> FileReport:
    found = encodings.detect(source)
    notes: list[str] = []
    text.begin_file()
    chunks = encodings.decoded(source, found, notes)
    for piece in _gathered(markup.extracted(chunks, source, choices, notes)):
        text.write(piece)
    return FileReport(source.name, found.name, found.bytes, tuple(notes))


def _gathered(pieces: Iterator[str]) -> Iterator[str]:
    """`pieces` put together until they are a chunk or more: every row of a table is a piece."""
    waiting, characters = [], 0
    for piece in pieces:
        waiting.append(piece)
        characters += len(piece)
        if characters >= CHUNK_CHARACTERS:
            yield "".join(waiting)
            waiting, characters = [], 0
    yield "".join(waiting)


def _name(sources: Sequence[Path]) -> str:
    return sources[0].name + (f" +{len(sources) - 1}" if len(sources) > 1 else "")


# ---------------------------------------------------------------------------------------------- writing and counting


class _CleanText:
    """Writes pieces of text as UTF-8 and keeps the statistics of what it wrote, in bounded memory.

    The bytes of a piece are written, hashed and searched for line ends and new characters by `beside`, a single thread,
    while its lines are compared and the next piece is read.
    """

    def __init__(self, file: BinaryIO, beside: Executor) -> None:
        self._file, self._beside = file, beside
        self._kept: Future[None] | None = None  # the piece before this one
        self._sha256 = hashlib.sha256()
        self._seen = np.zeros(HIGHEST_CODE_POINT + 1, dtype=bool)
        self._seen_ascii = b""
        self._hashes = array.array("q")  # of the first COMPARED_LINES non-empty lines
        self._line = ""  # the unfinished last line, as far as it is compared
        self._end = ""  # the last two characters written
        self._owes_blank_line = False
        self._characters = self._bytes = self._newlines = 0
        self.has_words = False

    def begin_file(self) -> None:
        """What is written next comes from another file and stands after a blank line."""
        self._owes_blank_line = self._characters > 0

    def write(self, text: str) -> None:
        if text and self._owes_blank_line:
            self._owes_blank_line = False
            self._write("\n" * (2 - len(self._end) + len(self._end.rstrip("\n"))))
        for start in range(0, len(text), CHUNK_CHARACTERS):
            self._write(text[start : start + CHUNK_CHARACTERS])

    def _write(self, text: str) -> None:
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError:
            text = _HALF_PAIR.sub("\ufffd", text)
            data = text.encode("utf-8")
        self._wait()
        self._kept = self._beside.submit(self._keep, data)
        self._characters += len(text)
        self._bytes += len(data)
        self._end = (self._end + text[-2:])[-2:]
        self.has_words = self.has_words or not text.isspace()
        self._note_lines(text)

    def _wait(self) -> None:
        """Until the piece before is kept; what went wrong with it is raised here."""
        if self._kept:
            self._kept.result()

    def _keep(self, data: bytes) -> None:
        self._file.write(data)
        self._sha256.update(data)
        self._newlines += int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))
        if rest := data.translate(None, delete=self._seen_ascii):  # most texts: nothing; no other is as fast
            self._seen[np.frombuffer(rest.decode("utf-8").encode("utf-32-le"), dtype="<u4")] = True
            self._seen_ascii = np.flatnonzero(self._seen[:128]).astype(np.uint8).tobytes()

    def _note_lines(self, text: str) -> None:
        if len(self._hashes) == COMPARED_LINES:
            return
        first, *others = text.split("\n")
        self._line += first[: COMPARED_CHARACTERS - len(self._line)]
        if others:
            self._compare([self._line, *others[:-1]])
            self._line = others[-1][:COMPARED_CHARACTERS]

    def _compare(self, lines: Iterable[str]) -> None:
        room = COMPARED_LINES - len(self._hashes)
        beginnings = map(operator.itemgetter(slice(COMPARED_CHARACTERS)), filter(None, lines))
        self._hashes.extend(map(hash, itertools.islice(beginnings, room)))

    def statistics(self) -> Statistics:
        self._wait()
        self._compare([self._line])
        hashes = np.array(self._hashes, dtype=np.int64)
        return Statistics(
            characters=self._characters,
            distinct_characters=int(self._seen.sum()),
            bytes=self._bytes,
            lines=self._newlines + (not self._end.endswith("\n")),
            duplicate_line_share=1 - len(np.unique(hashes)) / len(hashes) if len(hashes) else 0.0,
            sha256=self._sha256.hexdigest(),
        )

    def alphabet(self) -> str:
        return "".join(map(chr, np.flatnonzero(self._seen)))
