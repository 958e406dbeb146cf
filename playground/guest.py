"""What the page tells a visitor of a shared machine: the place in the line, the limits, a link for spectators.

On one's own machine nothing of this is shown.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm.run_dir import WAITING
from playground import limits, markup, text, trainings
from playground.edge import Edge
from playground.look import Look
from playground.markup import duration, escape
from playground.text import say
from playground.watch import Cursor
from playground.workspace import Workspace
from playground.workspaces import WATCH

FOLLOWS = ("about", "show", "hide")


def follow(look: Look) -> dict[str, Any]:
    """What is shown below the library, by the names of `FOLLOWS`."""
    share = look.space.share
    is_own = share.queue is not None and look.row is not None
    is_linked = look.selected in share.linked
    return dict(about=about(look.space, look.language), show=is_own and not is_linked, hide=is_own and is_linked)


def about(space: Workspace, language: str) -> str:
    """What is used of the visitor's share and how long it is kept; to a spectator, that this is all."""
    if space.share.is_shown:
        words = (
            escape(say("guest.only_look", language)).replace("&lt;a&gt;", '<a href="?">').replace("&lt;/a&gt;", "</a>")
        )
        return f'<p class="only-look">{words}</p>'
    words = limits.keeping_words(space.share.limits, space.used_bytes() if space.share.limits else 0, language)
    return markup.fine(words)


def note(look: Look) -> str:
    """A sentence about the selected run's place in the line, or about what a new one may take; empty elsewhere."""
    if look.row is None:
        words = limits.training_words(look.space.share.limits, look.language)
        return markup.fine(words)
    if look.row.state != WAITING or look.run is None:
        return ""
    place = trainings.place(look.space, look.run)
    if place is None:
        return markup.note("calm", say("guest.next", look.language))
    time = duration(place.seconds)
    return markup.note("calm", say("guest.waiting", look.language, position=place.position, time=time))


def link(origin: str, token: str, language: str) -> str:
    """The address for spectators, as HTML."""
    address = escape(f"{origin.rstrip('/')}/?{WATCH}={token}")
    said = escape(say("guest.link", language))
    return f'<div class="note calm"><p>{said}</p><pre class="command" tabindex="0">{address}</pre></div>'


# ---------------------------------------------------------------------------------------------- layout and events


def build() -> SimpleNamespace:
    """The widgets below the library, by name."""
    w = SimpleNamespace(about=gr.HTML(elem_id="guest-about", apply_default_css=False))
    w.show = gr.Button(text.label("guest.show"), elem_id="show-run", visible=False, size="sm")
    w.hide = gr.Button(text.label("guest.hide"), elem_id="hide-run", visible=False, size="sm")
    w.told = gr.HTML(elem_id="guest-told", apply_default_css=False)
    return w


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the link."""
    w, watcher = page.guest, page.watcher
    seen = [page.selected, page.cursor, page.language]

    def known(space: Workspace, request: gr.Request, run: str, language: str) -> str:
        token = space.share.linked.get(run)
        return link(request.headers.get("origin", ""), token, language) if token else ""

    def show(space: Workspace, request: gr.Request, run: str, cursor: Cursor, language: str) -> tuple[Any, ...]:
        on.workspaces.show(space, run)
        return known(space, request, run, language), *watcher.watch(space, run, cursor, language)

    def hide(space: Workspace, run: str, cursor: Cursor, language: str) -> tuple[Any, ...]:
        on.workspaces.hide(space, run)
        return markup.note("calm", say("guest.hidden", language)), *watcher.watch(space, run, cursor, language)

    for pressed, act, other in ((w.show, show, "hide-run"), (w.hide, hide, "show-run")):
        done = on(pressed.click, act, seen, [w.told, *page.watched], told=w.told)
        done.then(None, js=f"() => document.getElementById('{other}')?.focus()", api_visibility="private")
    on(page.selected.change, known, [page.selected, page.language], w.told, trigger_mode="always_last")
