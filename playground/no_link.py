"""The page behind a link for spectators that shows nothing any more: one sentence, and the way to a training of one's own.

A piece of ASGI in front of the start page. Without it whoever follows such a link would see the playground's frame, empty
for good, and a message that goes away.
"""

from __future__ import annotations

import string
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import parse_qs

from playground.markup import escape
from playground.text import language_of, say
from playground.theme import PALETTE, asset
from playground.workspaces import WATCH

Message = MutableMapping[str, Any]


class Keeper(Protocol):
    """Who knows the links: `playground.workspaces`."""

    def shows(self, token: str) -> bool:
        """Whether a link with this token shows a run."""


class NoLink:
    """Answers for `/?watch=…` where the link shows nothing; everything else goes on to `app`."""

    def __init__(self, app: Callable[..., Awaitable[None]], keeper: Keeper) -> None:
        self.app, self.keeper = app, keeper

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable) -> None:
        token = _token(scope)
        if not token or self.keeper.shows(token):
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        kinds = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 404, "headers": kinds})
        await send({"type": "http.response.body", "body": page(language_of(headers)).encode("utf-8")})


def page(language: str) -> str:
    """The whole page in one language, in the colours of the light and of the dark."""
    colours = {
        name: f"light-dark({', '.join(PALETTE[name])})" for name in ("paper", "ink", "soft", "blue", "red", "panel")
    }
    words = dict(
        title=say("guest.gone", language), about=say("guest.gone_about", language), own=say("guest.gone_own", language)
    )  # fmt: skip
    template = string.Template(asset("no_link.html").read_text(encoding="utf-8"))
    return template.substitute(colours | {name: escape(said) for name, said in words.items()}, language=language)


def _token(scope: Message) -> str:
    """What stands behind `watch=` in the address of the page; empty for any other request."""
    if (scope["type"], scope.get("method"), scope.get("path")) != ("http", "GET", "/"):
        return ""
    return parse_qs(scope["query_string"].decode("latin-1")).get(WATCH, [""])[0]
