"""What travels to or from the Hub, each in a thread of its own; a page only looks at it.

A browser that goes away ends nothing and halves nothing: its handler stops looking, and what is under way arrives
whole. The cancel button of a page finds its transfer by a key, the page and the place on it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import wait
from typing import Any

from lm.errors import LMError
from lm.hub import Cancelled, Progress, begun
from playground.markup import bar, escape, note
from playground.text import say
from playground.translate import translated

LOOK_SECONDS = 0.1
KILOBYTE, MEGABYTE = 1e3, 1e6

Work = Callable[[Progress, Callable[[], bool]], Any]  # (progress, should_stop) → what came of it


class Transfer:
    """`work` under way, what it says of itself, and what came of it."""

    def __init__(self, work: Work) -> None:
        self.step: tuple[str, int, int] = ("", 0, 0)  # what is going on, bytes done, bytes in all
        self.is_cancelled = False
        self._outcome = begun(lambda: work(self._say, lambda: self.is_cancelled), "transfer")

    def cancel(self) -> None:
        self.is_cancelled = True

    def watch(self) -> Iterator[Transfer]:
        """Itself at once, then whenever something moved, until the work has ended."""
        shown = None
        while True:
            if shown != (shown := (self.step, self.is_cancelled)):
                yield self
            wait([self._outcome], LOOK_SECONDS)
            if self._outcome.done():
                return

    def result(self) -> Any:
        """What came of it; raises what the work raised."""
        return self._outcome.result()

    def _say(self, words: str, done: int, total: int) -> None:
        self.step = (words, done, total)


class Transfers:
    """Every transfer that a page looks at."""

    def __init__(self) -> None:
        self._watched: dict[Hashable, Transfer] = {}

    def follow(self, key: Hashable, work: Work) -> Iterator[Transfer]:
        """Begin `work` and look at it until it has ended or nobody looks any more."""
        transfer = self._watched[key] = Transfer(work)
        try:
            yield from transfer.watch()
        finally:
            if self._watched.get(key) is transfer:
                del self._watched[key]

    def cancel(self, key: Hashable) -> None:
        """Ask the transfer to give up, if there is one: it says itself what exists by then."""
        if transfer := self._watched.get(key):
            transfer.cancel()


# ---------------------------------------------------------------------------------------------- as HTML


def under_way(transfer: Transfer, language: str) -> str:
    """What is going on, with a bar where bytes are counted."""
    words, done, total = transfer.step
    words = say("transfer.cancelling", language) if transfer.is_cancelled else translated(words, language)
    sizes = say("transfer.sizes", language, done=_size(done), total=_size(total))
    counted = f"{bar(done / total)}<span>{escape(sizes)}</span>" if total else ""
    return f'<div class="transfer" role="status"><p>{escape(words)} …</p><div>{counted}</div></div>'


def _size(n_bytes: int) -> str:
    return f"{n_bytes / MEGABYTE:.1f} MB" if n_bytes >= MEGABYTE else f"{n_bytes / KILOBYTE:.0f} kB"


def refusal(error: LMError, language: str) -> str:
    """Why it did not arrive, in its own words; giving up is no fault."""
    return note("attention" if isinstance(error, Cancelled) else "wrong", translated(error, language))
