"""Characters → text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Choices:
    """How a user wants files to be read."""

    aozora: str = "auto"
    column: str = ""


def extracted(chunks: Iterator[str], source: Path, choices: Choices, notes: list[str]) -> Iterator[str]:
    return chunks
