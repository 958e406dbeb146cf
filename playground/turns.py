"""Generations side by side: each computes one piece when it is its turn, first come, first served.

Without turns, texts that are written at the same time fight for the interpreter's lock, and who wins is chance. Nothing
is held between two pieces: a visitor who goes away, or reads slowly, keeps nobody waiting.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from playground.limits import LimitError, Limits
from playground.text import say

Piece = TypeVar("Piece")


class Turns:
    """One place to compute, which all generations of this app share."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._drawn = self._served = 0  # tickets
        self._writings: Counter[str] = Counter()

    def each(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """`pieces`, each computed when it is its turn."""
        source = iter(pieces)
        while True:
            with self._turn():
                try:
                    piece = next(source)
                except StopIteration:
                    return
            yield piece

    @contextmanager
    def writing(self, visitor: str, limits: Limits | None, language: str) -> Iterator[None]:
        """One generation of a visitor; a `LimitError` if too many of theirs are under way."""
        with self._changed:
            if limits is not None and self._writings[visitor] >= limits.writings:
                raise LimitError(say("limit.writings", language, most=limits.writings))
            self._writings[visitor] += 1
        try:
            yield
        finally:
            with self._changed:
                self._writings[visitor] -= 1
                self._writings += Counter()  # forgets whoever has none left

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._changed:
            ticket, self._drawn = self._drawn, self._drawn + 1
            self._changed.wait_for(lambda: self._served == ticket)
        try:
            yield
        finally:
            with self._changed:
                self._served += 1
                self._changed.notify_all()
