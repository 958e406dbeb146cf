"""What makes the page installable as an app: a manifest, icons, and a worker that says when nobody answers.

A piece of ASGI in front of Gradio, which has a manifest but no worker. The worker stores one page, `offline.html`, and
shows it when the app does not answer; it never touches any other request.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from playground.theme import PALETTE, asset

ICONS = {"icon-192.png": "192x192", "icon-512.png": "512x512"}
FILES = {
    "/sw.js": ("sw.js", "text/javascript"),
    "/offline.html": ("offline.html", "text/html; charset=utf-8"),
    "/apple-touch-icon.png": ("icon-192.png", "image/png"),
    **{f"/{name}": (name, "image/png") for name in ICONS},
}
HEAD = '<link rel="apple-touch-icon" href="apple-touch-icon.png"><meta name="theme-color" content="{paper}">'

Message = MutableMapping[str, Any]


class Installable:
    """Answers for the manifest, the icons and the worker; everything else goes on to `app`."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable) -> None:
        answer = self.answer(scope.get("path", "")) if scope["type"] == "http" and scope["method"] == "GET" else None
        if answer is None:
            await self.app(scope, receive, send)
            return
        body, kind = answer
        headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    @staticmethod
    def answer(path: str) -> tuple[bytes, str] | None:
        """The body and its type of what stands at `path`, None for what is Gradio's."""
        if path == "/manifest.json":
            return json.dumps(manifest(), ensure_ascii=False).encode("utf-8"), "application/manifest+json"
        if path not in FILES:
            return None
        name, kind = FILES[path]
        return asset(name).read_bytes(), kind


def manifest() -> dict[str, Any]:
    """https://www.w3.org/TR/appmanifest/: what an installed app is called and looks like."""
    paper, _ = PALETTE["paper"]
    icons = [dict(src=name, sizes=size, type="image/png", purpose="any") for name, size in ICONS.items()]
    return dict(
        name="LM Playground",
        short_name="LM",
        description="Train a GPT on your own text and watch it learn.",
        start_url="./",
        scope="./",
        display="standalone",
        background_color=paper,
        theme_color=paper,
        icons=[*icons, dict(src="icon-512.png", sizes="512x512", type="image/png", purpose="maskable")],
    )


def head() -> str:
    """What the page's head says of it."""
    return HEAD.format(paper=PALETTE["paper"][0])
