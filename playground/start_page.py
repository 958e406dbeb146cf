"""The page as Gradio renders it, once for all visitors: it is the same for everybody who asks for it in the same way.

A piece of ASGI next to Gradio, which describes every component anew for each visitor. Measured: 25 ms of the 90 ms that
the app computes for a page that is opened. Kept is what Gradio answers to one address of the app (a proxy may give it
several) in one language; whoever has signed in with a password gets a page of their own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from playground.text import language_of

# What Gradio makes the page's own address of, and in which form it is to be sent.
TOLD_BY = (b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-gradio-server", b"accept-encoding")
SIGNED_IN, DEEP_LINK = b"access-token", b"deep_link"  # in a cookie, in the query: pages that are not everybody's
MOST_PAGES = 8  # whoever invents addresses only makes Gradio render again. assumed

Message = MutableMapping[str, Any]
Key = tuple[Any, ...]


class StartPage:
    """Answers for `/` with what `app` answered before."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self._pages: OrderedDict[Key, list[Message]] = OrderedDict()

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable) -> None:
        key = _key(scope)
        if key is None:
            return await self.app(scope, receive, send)
        page = self._pages.get(key) or await self._rendered(scope, receive)
        if page[0]["status"] == 200:
            self._pages[key] = page
            self._pages.move_to_end(key)
        if len(self._pages) > MOST_PAGES:
            self._pages.popitem(last=False)
        for message in page:
            await send(dict(message))

    async def _rendered(self, scope: Message, receive: Callable[[], Awaitable[Message]]) -> list[Message]:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(dict(message))

        await self.app(scope, receive, keep)
        return messages


def _key(scope: Message) -> Key | None:
    """By what one page differs from another; None for what is not everybody's, or not the page."""
    if (scope["type"], scope.get("method"), scope.get("path")) != ("http", "GET", "/"):
        return None
    headers = dict(scope["headers"])
    language = language_of({name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()})
    if SIGNED_IN in headers.get(b"cookie", b"") or DEEP_LINK in scope["query_string"]:
        return None
    return language, scope.get("scheme"), scope.get("root_path"), *(headers.get(name) for name in TOLD_BY)
