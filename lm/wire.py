"""What every request to the Hub holds to: it ends in time, can be given up, and shows a token to the Hub alone.

The Hub's client (huggingface_hub 2.4) waits without end for most answers, follows wherever it is sent, and cannot be
stopped. `guard` adds three checks to its requests, each also after a redirect. No answer may be awaited for longer than
`ANSWER_SECONDS`; one that drips in slower than `LEAST_BYTES_PER_SECOND` is given up; and the authorization header is
taken off whatever does not go to the Hub itself, by scheme, host and port. Inside `heeding` a request also ends as soon
as its check raises: before it is sent, and at every piece of an answer.

Not covered: headers that drip in byte by byte. `lm.hub.attended` leaves the thread that waits for them behind.
"""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from huggingface_hub import set_client_factory
from huggingface_hub.errors import HTTPError
from huggingface_hub.utils._http import default_client_factory  # its hooks are needed, and it has no public name

from lm.errors import HubError

ANSWER_SECONDS = 30.0  # assumed: the Hub's own gateway gives up after 60
SLOW_SECONDS, LEAST_BYTES_PER_SECOND = 30.0, 1000  # curl's --speed-time; a modem of 1990 was faster. assumed

http: Any = importlib.import_module(HTTPError.__module__.partition(".")[0])  # httpx2; huggingface_hub 1 has httpx
PARTS = ("connect", "read", "write", "pool")  # of a request, each of which may wait
LATE = (http.ReadTimeout, http.WriteTimeout)  # the other side took the connection, and does not go on
ASTRAY = (http.TooManyRedirects, http.UnsupportedProtocol)  # round in circles; to file:, ftp: and the like

_check: ContextVar[Callable[[], None]] = ContextVar("check", default=lambda: None)


@functools.cache
def guard(homes: Callable[[], tuple[str, ...]]) -> None:
    """From now on every request is checked; `homes()` are the addresses that may see a token."""

    def prepare(request: Any) -> None:
        _check.get()()
        waits = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {part: min(waits.get(part) or ANSWER_SECONDS, ANSWER_SECONDS) for part in PARTS}
        if _origin(request.url) not in {_origin(http.URL(home)) for home in homes()}:
            request.headers.pop("authorization", None)

    def watch(response: Any) -> None:
        response.stream = _Watched(response.stream, response.request.url.host)

    def client() -> Any:
        made = default_client_factory()
        hooks = made.event_hooks
        made.event_hooks = dict(request=[*hooks["request"], prepare], response=[*hooks["response"], watch])
        return made

    set_client_factory(client)


@contextmanager
def heeding(check: Callable[[], None]) -> Iterator[None]:
    """Whatever this thread asks the Hub inside ends with what `check` raises."""
    before = _check.set(check)
    try:
        yield
    finally:
        _check.reset(before)


class _Watched(http.SyncByteStream):
    """The body of an answer, as long as it comes fast enough and somebody wants it."""

    def __init__(self, stream: Any, host: str) -> None:
        self.stream, self.host = stream, host

    def __iter__(self) -> Iterator[bytes]:
        waited, came, asked = 0.0, 0, time.monotonic()
        for piece in self.stream:
            _check.get()()
            waited, came = waited + time.monotonic() - asked, came + len(piece)
            if waited >= SLOW_SECONDS:
                if came < waited * LEAST_BYTES_PER_SECOND:
                    raise HubError(
                        f"{self.host} sends too slowly, {came} bytes in {waited:.0f} seconds; check the network and try "
                        "again later"
                    )
                waited, came = 0.0, 0
            yield piece
            asked = time.monotonic()  # what the reader did meanwhile was no waiting

    def close(self) -> None:
        self.stream.close()


def _origin(url: Any) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or dict(http=80, https=443).get(url.scheme)
