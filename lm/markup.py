"""Characters of a file → the text in it: a column of a table, a field of records, what a web page shows, a bare book.

Which of these a file needs is told by its suffix (.csv .tsv, .jsonl .ndjson .json, .html .htm .xhtml; all else is plain
text) and, for Aozora Bunko's notation, by its first lines. Everything here is a generator over chunks; plain text is
handed on as it comes, tables and records line by line, a web page whole.

Rows and records are set apart by a line end, or by a blank line where one has lines of its own. Aozora cleaning keeps
title and author (they are the author's words), and takes away the legend under them, the colophon (底本：…), ruby 《…》,
｜ and notes ［＃…］; a rare character that is only described, ※［＃…第3水準1-85-54］, is put back from its number.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm.errors import CorpusError
from lm.webpage import visible_text

# Characters of one row, record or line of notation: more than any book has, and little enough for any machine. assumed.
LONGEST_PART = 1 << 24
MOST_COLUMNS = 1 << 12  # of a table; a text of many commas is no table
PEEKED_ROWS = 100
# Assumed: a column of numbers, dates or names is shorter than this on average, and a column of text is not.
LEAST_TEXT_LENGTH = 16
_SPACE, _AFTER_VALUE = re.compile(r"\s*"), re.compile(r"\s*([,\]])")
TABLES, RECORDS, PAGES = (".csv", ".tsv"), (".jsonl", ".ndjson", ".json"), (".html", ".htm", ".xhtml")


@dataclass(frozen=True)
class Choices:
    """How a user wants files to be read: `DataConfig.aozora` and `DataConfig.column`."""

    aozora: str = "auto"
    column: str = ""


def extracted(chunks: Iterator[str], source: Path, choices: Choices, notes: list[str]) -> Iterator[str]:
    """The text in `chunks`, the characters of the file `source`; says in `notes` what it chose and removed."""
    suffix = source.suffix.lower()
    if suffix in TABLES:
        return _apart(_table_texts(chunks, source, choices.column, notes))
    if suffix in RECORDS:
        return _apart(_record_texts(chunks, source, choices.column, notes))
    if suffix in PAGES:
        chunks = visible_text(chunks)
    return _aozora_if_wanted(chunks, source, choices.aozora, notes)


def _lines(chunks: Iterable[str], source: Path) -> Iterator[str]:
    """The lines of a text that comes in chunks, without their ends; `CorpusError` if one is longer than any line is."""
    parts: list[str] = []
    length = 0
    for chunk in chunks:
        first, *others = chunk.split("\n")
        parts.append(first)
        length += len(first)
        if length > LONGEST_PART:
            raise _too_long(source)
        if others:
            yield "".join(parts)
            yield from others[:-1]
            parts, length = others[-1:], len(others[-1])
    if rest := "".join(parts):
        yield rest


def _too_long(source: Path) -> CorpusError:
    return CorpusError(
        f"{source.name} has a row, record or line of more than {LONGEST_PART:,} characters, which is read whole; "
        f"save its text as .txt, which is read bit by bit, with --aozora no"
    )


def _apart(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip("\n")
        if text:
            yield text + ("\n\n" if "\n" in text else "\n")


# ---------------------------------------------------------------------------------------------- tables and records


def _table_texts(chunks: Iterator[str], source: Path, column: str, notes: list[str]) -> Iterator[str]:
    """One column of a table whose first row names the columns."""
    before = csv.field_size_limit(LONGEST_PART)
    try:
        lines = (line + "\n" for line in _lines(chunks, source))
        first = next(lines, "")
        delimiter = _delimiter(first, source)
        if first.count(delimiter) >= MOST_COLUMNS:
            raise CorpusError(f"{source.name} has more than {MOST_COLUMNS:,} columns; save its text as .txt")
        rows = csv.reader(itertools.chain([first], lines), delimiter=delimiter)
        header = next(rows, [])
        peeked = list(itertools.islice(rows, PEEKED_ROWS))
        values = {name: [row[i] for row in peeked if i < len(row)] for i, name in enumerate(header)}
        index = header.index(_choose(values, column, "column", source, notes))
        for row in itertools.chain(peeked, rows):
            yield delimiter.join(row) if len(header) == 1 else "".join(row[index : index + 1])
    except csv.Error as error:
        raise CorpusError(f"{source.name} is no readable table ({error}); save it again as .csv") from None
    finally:
        csv.field_size_limit(before)


def _delimiter(header: str, source: Path) -> str:
    return "\t" if source.suffix.lower() == ".tsv" else max(",;\t|", key=header.count)


def _record_texts(chunks: Iterator[str], source: Path, column: str, notes: list[str]) -> Iterator[str]:
    """One field of JSON records, one a line or all in a list; a record that is a string is itself the text."""
    records = _records(chunks, source)
    peeked = list(itertools.islice(records, PEEKED_ROWS))
    objects = [record for record in peeked if isinstance(record, dict)]
    values: dict[str, list[str]] = {}
    for name, value in itertools.chain.from_iterable(record.items() for record in objects):
        if isinstance(value, str):
            values.setdefault(name, []).append(value)
    field = _choose(values, column, "field", source, notes) if objects or column else ""
    n_without = 0
    for record in itertools.chain(peeked, records):
        text = record.get(field) if isinstance(record, dict) else record
        if isinstance(text, str):
            yield text
        n_without += not isinstance(text, str)
    if n_without:
        notes.append(f"{n_without:,} record{'s' * (n_without > 1)} without text skipped")


def _records(chunks: Iterator[str], source: Path) -> Iterator[Any]:
    first = next((chunk for chunk in chunks if not chunk.isspace()), "")
    chunks = itertools.chain([first], chunks)
    if source.suffix.lower() == ".json" and first.lstrip().startswith("["):
        yield from _listed(chunks, source)
        return
    for number, line in enumerate(_lines(chunks, source), 1):
        if line.strip():
            yield _parsed(line, f"line {number:,} of {source.name}")


def _listed(chunks: Iterator[str], source: Path) -> Iterator[Any]:
    """The values of one JSON list, each as soon as it is whole; an unfinished one is tried again at twice its length."""
    decoder, number, is_end = json.JSONDecoder(), 1, False
    text, place = next(chunks, "").lstrip()[1:], 0
    while number > 1 or text.strip()[:1] != "]":
        try:
            value, end = decoder.raw_decode(text, _SPACE.match(text, place).end())
            after, fault = _AFTER_VALUE.match(text, end), ValueError("a comma or ] is missing")
        except (ValueError, RecursionError) as error:
            after, fault = None, error
        if after:
            yield value
            if after[1] == "]":
                return
            place, number = after.end(), number + 1
        elif is_end or len(text) - place > LONGEST_PART:
            raise _not_json(fault, text[place:], f"value {number:,} of {source.name}") from None
        else:
            text, place, wanted = text[place:], 0, 2 * (len(text) - place)
            while len(text) <= wanted and not is_end:
                chunk = next(chunks, None)
                text, is_end = text + (chunk or ""), chunk is None


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_json(error, text, place) from None


def _not_json(error: Exception, text: str, place: str) -> CorpusError:
    why = getattr(error, "msg", error)
    return CorpusError(f"{place} is not JSON ({why}): {text.strip()[:60]!r}; mend it, or rename the file to .txt")


def _choose(values: dict[str, list[str]], wanted: str, kind: str, source: Path, notes: list[str]) -> str:
    """The column or field to read: the wanted one, or the only one that holds text."""
    listed = ", ".join(repr(name) for name in list(values)[:20])
    if wanted:
        if wanted not in values:
            raise CorpusError(f"{source.name} has no {kind} {wanted!r}; choose one of {listed or 'none: it is empty'}")
        return wanted
    texts = [name for name, rows in values.items() if rows and sum(map(len, rows)) >= LEAST_TEXT_LENGTH * len(rows)]
    texts = texts if len(values) > 1 else list(values)
    if len(texts) != 1:
        many = "several" if texts else "none"
        raise CorpusError(
            f"{source.name} has {len(values)} {kind}s, {many} of them plainly text: choose one with --column; "
            f"there are {listed or 'none'}"
        )
    notes.append(f"{kind} {texts[0]!r} chosen")
    return texts[0]


# ---------------------------------------------------------------------------------------------- Aozora Bunko

AOZORA_SEEN_CHARACTERS = 1 << 16  # in so many characters the notation shows itself
LONGEST_LEGEND_LINES = 60  # a legend that is never closed must not take the book with it; real ones have about 15
LEGEND = "【テキスト中に現れる記号について】"
_RULE = re.compile(r"-{10,}\s*$")
_RUBY = re.compile(r"《[^《》\n]*》")
_RUBY_START = re.compile(r"｜(?=[^｜《》\n]*《)")
_INNER = r"[^［］]*(?:［[^［］]*］[^［］]*)*"  # brackets inside a note; linear in the length of the line
_NOTE = re.compile(rf"［＃{_INNER}］")
_RARE = re.compile(rf"※［＃({_INNER})］")
_JIS_NUMBER = re.compile(r"([12])-(\d{1,2})-(\d{1,2})(?!\d)")
_UNICODE_NUMBER = re.compile(r"U\+([0-9A-Fa-f]{4,6})")


def _aozora_if_wanted(chunks: Iterator[str], source: Path, wanted: str, notes: list[str]) -> Iterator[str]:
    if wanted == "no":
        return chunks
    seen: list[str] = []
    for chunk in chunks:
        seen.append(chunk)
        if sum(map(len, seen)) >= AOZORA_SEEN_CHARACTERS:
            break
    start = "".join(seen)[:AOZORA_SEEN_CHARACTERS]
    chunks = itertools.chain(seen, chunks)
    is_aozora = LEGEND in start or ("［＃" in start and _RUBY.search(start) is not None)
    return _aozora_cleaned(chunks, source, notes) if wanted == "yes" or is_aozora else chunks


def _aozora_cleaned(chunks: Iterable[str], source: Path, notes: list[str]) -> Iterator[str]:
    """The book in a file of Aozora Bunko, or the books in several that were put together."""
    removed: Counter[str] = Counter()
    for line in _bare_lines(_lines(chunks, source), removed):
        text = _without_notation(line, removed)
        if text.strip() or not line.strip():  # a line that held a note alone goes with it
            yield text + "\n"
    listed = ", ".join(f"{count:,} {what}" for what, count in removed.items() if count)
    notes.append(f"Aozora Bunko notation cleaned: {listed or 'none found'}")


def _bare_lines(lines: Iterable[str], removed: Counter[str]) -> Iterator[str]:
    """All lines but the legend between two ruled lines and the colophon, which lasts to the next legend or the end."""
    rule, legend_lines_left, in_colophon = "", 0, False
    for line in lines:
        if legend_lines_left:
            legend_lines_left = 0 if _RULE.match(line) else legend_lines_left - 1
            continue
        if rule and LEGEND in line:
            rule, legend_lines_left, in_colophon = "", LONGEST_LEGEND_LINES, False
            removed["legend"] += 1
            continue
        if rule and not in_colophon:
            yield rule
        rule = line if _RULE.match(line) else ""
        if line.startswith("底本：") and not in_colophon:
            in_colophon = True
            removed["colophon"] += 1
        if not in_colophon and not rule:
            yield line
    if rule and not in_colophon:
        yield rule


def _without_notation(line: str, removed: Counter[str]) -> str:
    line, n_ruby = _RUBY.subn("", _RUBY_START.sub("", line))
    line, n_rare = _RARE.subn(_rare_character, line)
    line, n_notes = _NOTE.subn("", line)
    removed["ruby"] += n_ruby
    removed["rare characters restored"] += n_rare
    removed["notes"] += n_notes
    return line


def _rare_character(described: re.Match[str]) -> str:
    """The character that a note describes by its number in JIS X 0213 or Unicode; 〓, the printers' stopgap, if none."""
    if number := _UNICODE_NUMBER.search(described[1]):
        code = int(number[1], 16)
        return chr(code) if code < 0xD800 or 0xE000 <= code < 0x110000 else "〓"
    if number := _JIS_NUMBER.search(described[1]):
        plane, row, cell = map(int, number.groups())
        if 1 <= row <= 94 and 1 <= cell <= 94:
            data = (b"\x8f" if plane == 2 else b"") + bytes([0xA0 + row, 0xA0 + cell])
            return data.decode("euc_jis_2004", "replace").replace("\ufffd", "〓")
    return "〓"
