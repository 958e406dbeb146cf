"""Scripts, style sheets and fonts of the page: compressed once, and kept by the browser for good.

A piece of ASGI in front of Gradio, which reads and compresses each of these files again for every browser that asks, and
lets the browser ask again at the next visit. The names of Gradio's files carry a hash of what they hold, that of Plotly
its version: what a browser has under such a name it never needs to ask for again.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gradio

from playground.plots import plotly_bundle

# Their types stand here, not in `mimetypes`: on Windows that asks the registry, where a script may be plain text.
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json",
         ".woff2": "font/woff2", ".woff": "font/woff", ".ttf": "font/ttf", ".png": "image/png", ".wasm": "application/wasm"}  # fmt: skip
PACKED = {".js", ".css", ".svg", ".json", ".ttf", ".wasm"}  # the others are compressed already
FOR_GOOD = b"public, max-age=31536000, immutable"

Message = MutableMapping[str, Any]


class Statics:
    """Answers for what `files` names; everything else goes on to `app`."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self._bodies: dict[tuple[Path, bool], bytes] = {}  # as many as `files`

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable) -> None:
        is_asked = scope["type"] == "http" and scope["method"] == "GET"
        path = files().get(scope["path"]) if is_asked else None
        if path is None:
            await self.app(scope, receive, send)
            return
        said = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        is_packed = path.suffix in PACKED and b"gzip" in said
        body = await self._body(path, is_packed)
        headers = [(b"content-type", TYPES[path.suffix].encode()), (b"cache-control", FOR_GOOD)]
        headers += [(b"content-length", str(len(body)).encode()), (b"vary", b"accept-encoding")]
        headers += [(b"content-encoding", b"gzip")] if is_packed else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _body(self, path: Path, is_packed: bool) -> bytes:
        """The file as it travels; the first time it is read, and compressed, in a thread."""
        if (path, is_packed) not in self._bodies:
            self._bodies[path, is_packed] = await asyncio.to_thread(_read, path, is_packed)
        return self._bodies[path, is_packed]


def plotly_address() -> str:
    """Where the page finds Plotly's script, below its own address."""
    return f"assets/plotly-{version('plotly')}.js"


@functools.cache
def files() -> dict[str, Path]:
    """Every file that is served here, by its path on the server: no name that a visitor sends reaches the disk."""
    folder = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
    found = {
        f"/assets/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if path.suffix in TYPES
    }
    return found | {f"/{plotly_address()}": plotly_bundle()}


def _read(path: Path, is_packed: bool) -> bytes:
    body = path.read_bytes()
    return gzip.compress(body, mtime=0) if is_packed else body
