"""The library at the left: every run as HTML, and what a click there does. `assets/frame.js` makes clicks events."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm import library
from lm.library import Deleted
from lm.names import check_name
from lm.run_dir import WAITING, Status
from playground import trainings
from playground.edge import Edge
from playground.markup import count, escape, figure, step_words
from playground.text import say
from playground.views import Row
from playground.watch import Cursor
from playground.workspace import Workspace

# A deletion can be undone on the page for so long; the run itself stays in the trash for `library.KEPT_SECONDS`.
UNDO_SECONDS = 600.0
MENU = ("pin", "unpin", "rename", "stop", "delete", "save", "more")
SPARK = (44.0, 14.0)  # width and height of a sparkline in pixels
SPARK_POINTS = 32


def shelf(rows: list[Row], deleted: list[Deleted], selected: str, language: str) -> str:
    """The list of runs, and the runs that were deleted a moment ago."""
    title, new = escape(say("library.title", language)), escape(say("library.new", language))
    items = "".join(_item(row, row.name == selected, language) for row in rows)
    body = items or f'<p class="teach">{escape(say("library.empty", language))}</p>'
    chosen = "" if selected else ' aria-current="true"'
    words = escape(json.dumps({name: say(f"library.{name}", language) for name in MENU}, ensure_ascii=False))
    start = f'<button class="new" data-run=""{chosen}>+ {new}</button>'
    undo = "".join(_undo(one, language) for one in deleted)
    return f'{start}<h2>{title}</h2><nav aria-label="{title}" data-words="{words}">{body}</nav>{undo}'


def recently_deleted(space: Workspace) -> list[Deleted]:
    """What was deleted so lately that the page offers it back, the latest first."""
    ages = ((library.seconds_since(space.runs_dir, one), one) for one in library.trash(space.runs_dir))
    return [one for seconds, one in ages if 0 <= seconds < UNDO_SECONDS][:3]


def sparkline(losses: tuple[float, ...], language: str = "en") -> str:
    """The validation losses as a line, from the first evaluation to the last, both said in words; of one loss nothing."""
    every = max(1, -(-len(losses) // SPARK_POINTS))
    shown = [*losses[:-1:every], *losses[-1:]]
    if len(shown) < 2:
        return ""
    width, height = SPARK
    low, span = min(shown), (max(shown) - min(shown)) or 1.0
    places = (
        f"{1 + i * (width - 2) / (len(shown) - 1):.1f},{1 + (1 - (loss - low) / span) * (height - 2):.1f}"
        for i, loss in enumerate(shown)
    )
    words = escape(say("library.fell", language, first=figure(losses[0], 2), last=figure(losses[-1], 2)))
    drawn = f'<title>{words}</title><path d="M{" L".join(places)}"/>'
    return f'<svg class="spark" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{words}">{drawn}</svg>'


def _item(row: Row, is_selected: bool, language: str) -> str:
    step = say("library.best_at", language, step=count(row.best_step)) if row.best_step is not None else ""
    if row.is_active:
        step = _how_far(row.status, language)
    about = " · ".join(filter(None, (say(f"state.{row.state}", language), step)))
    name, bits = escape(row.name), escape(say("library.bits", language))
    current = ' aria-current="true"' if is_selected else ""
    pin = f'<i class="pin" title="{escape(say("library.pinned", language))}"></i>' if row.is_pinned else ""
    more = escape(say("library.more_of", language, name=row.name))
    return (
        f'<div class="entry {row.state}"><button class="run" data-run="{name}"{current}><i class="dot"></i>'
        f'<span class="name" title="{name}">{name}</span>{pin}'
        f'<em title="{bits}">{figure(row.best_bits_per_byte, 2)}</em>'
        f"<small>{escape(about)}</small>{sparkline(row.losses, language)}</button>"
        f'<button class="icon more" data-more="{name}" data-pinned="{int(row.is_pinned)}" '
        f'data-active="{int(row.is_active or row.state == WAITING)}" aria-haspopup="menu" aria-label="{more}" title="{more}">'
        f"<span></span></button></div>"
    )


def _how_far(status: Status, language: str) -> str:
    """Step and last step, shorter than elsewhere: the sparkline stands beside them."""
    return f"{count(status.step)} / {count(status.max_steps)}" if status.max_steps else step_words(status, language)


def _undo(gone: Deleted, language: str) -> str:
    words = escape(say("library.deleted", language, name=gone.name))
    undo = escape(say("library.undo", language))
    return f'<p class="undo" role="status"><span>{words}</span><button data-undo="{escape(gone.entry)}">{undo}</button></p>'


# ---------------------------------------------------------------------------------------------- what a click does


def edit(space: Workspace, run: str, deed: str, to: str) -> str:
    """Inputs: a run, what to do with it, its name from now on. Outputs: the name it has now."""
    if deed == "rename":
        return library.rename(space.runs_dir, run, to.strip()).name
    if deed == "stop":
        trainings.stop(space, check_name(run))
    else:
        library.pin(space.runs_dir, run, deed == "pin")
    return run


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the library. Each ends with a look at what came of it."""
    widget, watcher = page.frame.library, page.watcher
    seen = [page.selected, page.cursor, page.language]

    def edited(space: Workspace, selected: str, cursor: Cursor, language: str, event: gr.EventData) -> tuple[Any, ...]:
        name = edit(space, str(event.run), str(event.deed), str(event.to))
        if name != str(event.run) and selected == str(event.run):
            return watcher.choose(space, name, language)
        return gr.skip(), *watcher.watch(space, selected, cursor, language)

    def delete(space: Workspace, selected: str, cursor: Cursor, language: str, event: gr.EventData) -> tuple[Any, ...]:
        name = library.delete(space.runs_dir, str(event.run)).name
        if name == selected:
            return watcher.choose(space, "", language)
        return gr.skip(), *watcher.watch(space, selected, cursor, language)

    def undo(space: Workspace, language: str, event: gr.EventData) -> tuple[Any, ...]:
        return watcher.choose(space, library.restore(space.runs_dir, str(event.entry)).name, language)

    on(widget.edit, edited, seen, page.chosen, told=page.frame.told)
    on(widget.delete, delete, seen, page.chosen, told=page.frame.told)
    on(widget.undo, undo, page.language, page.chosen, told=page.frame.told)
