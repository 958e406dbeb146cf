"""A look at the disk as one small request, past Gradio's events, as often as a page follows a training.

As an event of Gradio a look costs the browser half as much again: every output is marked as pending and as ready. But most
looks only bring words and points to components of our own. `GET /look` answers with those, by the ids of the components,
and `assets/told.js` hands them over. Where something else has changed, a button or a choice, or something is wrong, it
answers with nothing (204), and the page causes the event.

What a page was told is the event's own state, wherever it came from: the event's inputs and outputs are looked up, and
its cursor is read and moved on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

import gradio as gr
from gradio.routes import ORJSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from lm.errors import LMError
from playground.theme import asset
from playground.watch import SIGHT_SECONDS, Watcher
from playground.workspace import Workspace

PATH = "/look"
PACE = "pace"  # the id of the component that causes the event, and whose value says when
COOKIES = ("access-token-{}", "access-token-unsecure-{}")  # of whoever signed in with a password, as Gradio names them
NOTHING_ELSE = {"cache-control": "no-store"}

Message = MutableMapping[str, Any]


class Keeper(Protocol):
    """Who knows the visitors: `playground.workspaces`."""

    def of(self, request: gr.Request | None) -> Workspace: ...

    def is_gone(self, request: gr.Request) -> bool: ...


def hear(widgets: Sequence[gr.components.Component]) -> None:
    """Have those of `widgets` that are HTML hear of a look past Gradio; `assets/told.js` comes before their own script."""
    told = asset("told.js").read_text(encoding="utf-8")
    for widget in widgets:
        if isinstance(widget, gr.HTML):
            widget.js_on_load = f"{told}\n{widget.js_on_load or ''}"


class QuickLook:
    """Answers for `GET /look?session_hash=…`; everything else goes on to `app`."""

    def __init__(self, app: Callable[..., Awaitable[None]], keeper: Keeper, watcher: Watcher) -> None:
        self.app, self.keeper, self.watcher = app, keeper, watcher

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable) -> None:
        if (scope["type"], scope.get("method"), scope.get("path")) != ("http", "GET", PATH):
            return await self.app(scope, receive, send)
        told = await run_in_threadpool(self._told, Request(scope))
        answer = Response(status_code=204) if told is None else ORJSONResponse(told)
        answer.headers.update(NOTHING_ELSE)
        await answer(scope, receive, send)

    def _told(self, request: Request) -> dict[str, Any] | None:
        """By the ids of components what they show now; None where it takes the event, or is not this page's to see."""
        server, session = request.app, request.query_params.get("session_hash", "")
        user = next(filter(None, (server.tokens.get(request.cookies.get(name)) for name in _cookies(server))), None)
        if session not in server.state_holder or (server.auth is not None and user is None):
            return None
        asked = gr.Request(request, username=user, session_hash=session)
        if self.keeper.is_gone(asked):
            return None
        heard = request.query_params.get("heard", "").split(",")
        try:
            space = self.keeper.of(asked)
            return self._looked(space, _event(server.get_blocks()), server.state_holder[session], heard)
        except (LMError, OSError):  # the event says so, in words
            return None

    def _looked(self, space: Workspace, event: Any, state: Any, heard: Sequence[str]) -> dict[str, Any] | None:
        """`heard` are the ids of the components that can be told; the others exist later, and ask then."""
        selected, cursor, language = (state[one._id] for one in event.inputs)
        named = zip(self.watcher.outputs, event.outputs, strict=True)
        deaf = {name for name, one in named if isinstance(one, gr.HTML) and one.elem_id not in heard}
        made = self.watcher.watch(space, selected, cursor, language, SIGHT_SECONDS, deaf)
        news = {one: value for one, value in zip(event.outputs, made, strict=True) if value != gr.skip()}
        if any(not isinstance(one, (gr.HTML, gr.State)) for one in news):
            return None
        place = event.outputs[-1]  # of the cursor
        if state[place._id] is not cursor:  # an event told this page something meanwhile: the next look goes on from there
            return {}
        if place in news:
            state[place._id] = news.pop(place)
        return {one.elem_id: value for one, value in news.items()}


def _cookies(server: Any) -> list[str]:
    return [name.format(server.cookie_id) for name in COOKIES]


def _event(blocks: gr.Blocks) -> Any:
    """The event that a look is otherwise."""
    [pace] = [one for one in blocks.blocks.values() if getattr(one, "elem_id", None) == PACE]
    return next(event for event in blocks.fns.values() if (pace._id, "look") in event.targets)
