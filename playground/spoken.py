"""The page says which language it speaks, from its first byte on: the one that its reader chose, or their browser's.

A piece of ASGI in front of Gradio, whose page says that it is English and takes the words of widgets from the browser's
language: `<html lang>` is written as it is, and `assets/language.js` has the browser say the same before Gradio asks.
`assets/frames.js` stands beside it, for the same reason: it must come before Gradio's own scripts. So does what the
scripts of several components use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from playground.text import language_of
from playground.theme import asset

FIRST_SCRIPTS = ("language.js", "frames.js", "still.js", "over_reload.js")

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Spoken:
    """Sends the page of `app` in its reader's language; everything else as it is."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        if scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", "/"):
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            send = _in_language(send, language_of(headers))
        await self.app(scope, receive, send)


def spoken(page: bytes, language: str) -> bytes:
    """Gradio's page in `language`: as it says of itself, and as the browser will say."""
    first = b"".join(b"<script>" + asset(name).read_bytes() + b"</script>" for name in FIRST_SCRIPTS)
    return page.replace(b'lang="en"', b'lang="%s"' % language.encode(), 1).replace(b"<head>", b"<head>" + first, 1)


def _in_language(send: Send, language: str) -> Send:
    """A `send` that waits until the page is whole: only then is its length known."""
    began: Message = {}
    page = bytearray()

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            began.update(message)
            return
        page.extend(message.get("body", b""))
        if message.get("more_body"):
            return
        body = spoken(bytes(page), language)
        kept = [(name, value) for name, value in began["headers"] if name.lower() != b"content-length"]
        await send(began | dict(headers=[*kept, (b"content-length", str(len(body)).encode())]))
        await send(message | dict(body=body))

    return sending
