"""Bytes → characters: what encoding a file is in, and its text as a stream."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lm.errors import CorpusError

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Found:
    """What a file was found to be: `codec` for Python, `name` and `notes` for people."""

    codec: str
    name: str
    bytes: int
    notes: tuple[str, ...] = ()


def detect(path: Path) -> Found:
    size = path.stat().st_size
    if not size:
        raise CorpusError(f"{path} is empty; choose a file with text in it")
    return Found("utf-8-sig", "UTF-8", size)


def decoded(path: Path, found: Found, notes: list[str]) -> Iterator[str]:
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(found.codec)("replace"), translate=True)
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield decoder.decode(block)
    yield decoder.decode(b"", final=True)
