"""Work on the pieces of a stream in threads, a few pieces ahead of the reader; the results come in order.

Threads, not processes: what is done to a piece of text (numpy, tiktoken, files) mostly runs without Python's lock, and
nothing needs to be copied between them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

PIECES_AHEAD = 4  # of each thread, so that none waits while the reader is busy. assumed

Piece, Result = TypeVar("Piece"), TypeVar("Result")


def mapped(work: Callable[[Piece], Result], pieces: Iterable[Piece], threads: int) -> Iterator[Result]:
    """`map(work, pieces)` in so many threads beside the reader's own, in bounded memory.

    Where the reader stops, by an error or Ctrl-C, what is being worked on is waited for and nothing else is begun.
    """
    pool, ahead = ThreadPoolExecutor(threads), deque[Future[Result]]()
    try:
        for piece in pieces:
            ahead.append(pool.submit(work, piece))
            if len(ahead) > PIECES_AHEAD * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
