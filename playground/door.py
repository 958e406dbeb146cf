"""The door of the app: what of Gradio's server can be reached from outside, and who it is that knocks.

A piece of ASGI between the network and Gradio. Only the routes that the page itself uses are open; the others (Gradio's
own API, its proxy, addresses to be fetched on a stranger's behalf) do not exist. Nothing can be asked from the page of
another site. On a machine that many share, every browser carries an unguessable cookie, a page's session belongs to the
browser that opened it, and nobody can listen to it, feed it or end it by naming it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol
from urllib.parse import parse_qs

from starlette.formparsers import MultiPartException

from lm.errors import LMError
from playground.text import language_of, say
from playground.visitor import is_on_space

COOKIE, VISITOR = "lm-visitor", "lm.visitor"  # the cookie; where it stands in the scope that handlers see
TOKEN = re.compile(r"[\w-]{32,64}")
COOKIE_SECONDS = 180 * 86_400
MOST_SESSIONS = 20_000  # pages whose browser is remembered: more than can be open at once. assumed
JSON_BYTES = 1 << 20  # what an event may weigh besides the text that it brings

# What the page asks for, found by watching it; whatever else Gradio would answer is closed.
OPEN = re.compile(
    r"GET /(|look|config/?|theme\.css|favicon\.ico|robots\.txt|manifest\.json|pwa_icon(/\d+)?|(assets|static|svelte)/.+"
    r"|login(/.*)?|logout|login_check/?"
    r"|gradio_api/(info/?|theme\.css|startup-events|app_id/?|user/?|login_check/?|queue/data|upload_progress"
    r"|heartbeat/[^/]+|file=(?!\w+:/).+))"
    r"|POST /(login/?|gradio_api/(queue/join|run/predict/?|cancel|reset/?|upload))"
)
UPLOAD = "/gradio_api/upload"
EVENTS = ("/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/cancel")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Keeper(Protocol):
    """Who knows the limits: `playground.workspaces`."""

    is_shared: bool

    def may_bring(self, scope: Scope, n_bytes: int, is_file: bool, language: str) -> None:
        """Raise an `LMError` when this visitor may not send so much."""

    def check_sign_in(self, scope: Scope) -> None:
        """Take a sign-in that was ended out of the session; end it where this request is to sign out."""


class Refused(Exception):
    """The door stays closed; `status` is HTTP's."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Door:
    """`app` behind a door. Made anew for each server; it remembers which browser opened which page."""

    def __init__(self, app: Callable[..., Awaitable[None]], keeper: Keeper) -> None:
        self.app, self.keeper = app, keeper
        self._owners: OrderedDict[str, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            check_route(scope["method"], scope["path"])
            check_origin(scope["method"], headers)
            if (scope["method"], scope["path"]) == ("HEAD", "/"):  # is it there? Gradio's launch waits 3 s for that
                return await _answer(send, 200, "")
            if self.keeper.is_shared:
                self.keeper.check_sign_in(scope)
                send = self._recognise(scope, headers, send)
                receive = await self._check_visitor(scope, headers, receive)
            if scope["path"] == UPLOAD:
                receive = _whole(receive)
        except Refused as refused:
            return await _answer(send, refused.status, str(refused))
        await self.app(scope, receive, send)

    def _recognise(self, scope: Scope, headers: dict[str, str], send: Send) -> Send:
        """Write down whose browser it is; whoever opens the page without a cookie gets one."""
        token = cookie_of(headers)
        is_page = scope["path"] == "/" and scope["method"] == "GET"
        scope[VISITOR] = token or (secrets.token_urlsafe(32) if is_page else "")
        if not is_page:
            return send
        is_secure = "https" in (scope.get("scheme"), headers.get("x-forwarded-proto"))
        cookie = set_cookie(scope[VISITOR], is_secure, is_framed=is_on_space())

        async def with_cookie(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                private = [(b"set-cookie", cookie.encode("latin-1")), (b"cache-control", b"no-store")]
                message["headers"] = [*message["headers"], *private]
            await send(message)

        return with_cookie

    async def _check_visitor(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Receive:
        """Look at everything that names a session: it must be this browser's own."""
        path, token = scope["path"], scope[VISITOR]
        if path in ("/look", "/gradio_api/queue/data"):
            self._check_session(parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0], token)
        elif path.startswith("/gradio_api/heartbeat/"):
            self._check_session(path.rsplit("/", 1)[1], token)
        elif scope["method"] == "POST" and path.startswith("/gradio_api/"):
            size = self._check_size(scope, headers)
            if path.rstrip("/") in EVENTS:
                body = await _read(receive, size)
                self._check_event(body, token)
                return _again(body, receive)
        return receive

    def _check_size(self, scope: Scope, headers: dict[str, str]) -> int:
        """How much comes, in bytes; refused without having been read if it is too much."""
        said, is_file = headers.get("content-length", ""), scope["path"].endswith("/upload")
        if not said.isdecimal():
            raise Refused(411, "say in Content-Length how much is sent")
        try:
            self.keeper.may_bring(scope, int(said) - JSON_BYTES, is_file, language_of(headers))
        except LMError as error:
            raise Refused(413, str(error)) from None
        return int(said)

    def _check_event(self, body: bytes, token: str) -> None:
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            raise Refused(400, "an event is a JSON object") from None
        if not isinstance(asked, dict):
            raise Refused(400, "an event is a JSON object")
        self._check_session(asked.get("session_hash"), token)
        if any("://" in str(one.get("path")) for one in _objects(asked.get("data"))):
            raise Refused(400, "files are uploaded, not fetched from an address")

    def _check_session(self, session: Any, token: str) -> None:
        """The first browser that names a session owns it."""
        if not token:
            raise Refused(403, say("visitor.no_cookie", "en"))
        if not (isinstance(session, str) and 0 < len(session) <= 64):
            raise Refused(400, "an event belongs to a session")
        if self._owners.setdefault(session, token) != token:
            raise Refused(403, "this session is another visitor's")
        self._owners.move_to_end(session)
        if len(self._owners) > MOST_SESSIONS:
            self._owners.popitem(last=False)


def check_route(method: str, path: str) -> None:
    """Let pass what the page needs."""
    if not OPEN.fullmatch(f"{'GET' if method == 'HEAD' else method} {path}"):
        raise Refused(404, "there is nothing here")


def check_origin(method: str, headers: dict[str, str]) -> None:
    """Nothing is done for the page of another site; browsers say truly whose page asks, other programs say nothing."""
    if method == "POST" and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Refused(403, "this was asked from the page of another site")


def cookie_of(headers: dict[str, str]) -> str:
    """The visitor's token; empty when there is none, or something that is not one of ours."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found and TOKEN.fullmatch(found.value) else ""


def set_cookie(token: str, is_secure: bool, is_framed: bool) -> str:
    """The header's value. A Space is shown in a frame of huggingface.co, where only a partitioned cookie is kept."""
    manners = "; SameSite=None; Secure; Partitioned" if is_framed else "; SameSite=Lax" + "; Secure" * is_secure
    return f"{COOKIE}={token}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly{manners}"


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    """Every object in an event's values, however deep: Gradio looks for files at any depth."""
    waiting = [data]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()


async def _read(receive: Receive, size: int) -> bytes:
    body = bytearray()  # to add to bytes copies them, each time all of them: 20 s for 100 MB
    while len(body) < size:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "the visitor went away")
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return bytes(body)


def _whole(receive: Receive) -> Receive:
    """`receive` of an upload whose sender may go away before the end: Gradio then removes what has arrived.

    It would do so only after a fault in the form, which this is made to look like.
    """
    is_over = False

    async def whole() -> MutableMapping[str, Any]:
        nonlocal is_over
        message = await receive()
        if message["type"] == "http.disconnect" and not is_over:
            raise MultiPartException("the visitor went away")
        is_over = is_over or not message.get("more_body")
        return message

    return whole


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands out `body` once, then what else comes."""
    rest = [dict(type="http.request", body=body, more_body=False)]

    async def again() -> MutableMapping[str, Any]:
        return rest.pop() if rest else await receive()

    return again


async def _answer(send: Send, status: int, words: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send(dict(type="http.response.start", status=status, headers=headers))
    await send(dict(type="http.response.body", body=words.encode("utf-8")))
