"""The frame around the tabs: header, library and status bar, as HTML. `assets/frame.js` makes its clicks events."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground import workspace
from playground.look import Look
from playground.markup import bar, count, duration, escape, figure, step_words
from playground.text import say
from playground.theme import asset
from playground.views import Row, progress

GIGABYTE = 1e9
FOLLOWS = ("header", "library", "status_bar")

_ICON_BARS = '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3.5 5.5h13M3.5 10h13M3.5 14.5h13"/></svg>'
_ICON_HALF = (
    '<svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="10" r="6.6"/>'
    '<path d="M10 3.4a6.6 6.6 0 0 1 0 13.2z" fill="currentColor"/></svg>'
)
_SEAL = (
    '<svg class="seal" viewBox="0 0 64 64" aria-hidden="true"><rect width="64" height="64" rx="14"/>'
    '<path d="M32 11v8M13 22h38M44 22c-3 13-13 25-29 31M20 22c3 13 13 25 29 31"/></svg>'
)


def component(name: str, value: str = "") -> gr.HTML:
    """A part of the frame as a component; its clicks are `select` events that carry a run."""
    script = asset("frame.js").read_text(encoding="utf-8")
    return gr.HTML(value, js_on_load=script, elem_id=name, apply_default_css=False)


def follow(look: Look) -> dict[str, Any]:
    """What is shown on every tab, by the names of `FOLLOWS`."""
    return dict(
        header=header(look.space.device, look.language),
        library=library(look.rows, look.row.name if look.row else "", look.language),
        status_bar=status_bar(look.rows, workspace.memory(), look.language),
    )


def header(device: str, language: str) -> str:
    """The strip at the top: library switch, seal, name, device, light or dark."""
    chip = f'<span class="chip">{escape(device)}</span>' if device else ""
    library, dark = escape(say("header.library", language)), escape(say("header.dark", language))
    return (
        f'<header class="bar" lang="{language}">'
        f'<button class="icon" data-do="library" aria-label="{library}" title="{library}">{_ICON_BARS}</button>'
        f'{_SEAL}<h1>LM Playground</h1><span class="space"></span>{chip}'
        f'<button class="icon" data-do="dark" aria-label="{dark}" title="{dark}">{_ICON_HALF}</button></header>'
    )


def library(rows: list[Row], selected: str, language: str) -> str:
    """The list of runs; `assets/frame.js` makes a click on one an event."""
    title, new = escape(say("library.title", language)), escape(say("library.new", language))
    items = "".join(_library_item(row, row.name == selected, language) for row in rows)
    body = items or f'<p class="teach">{escape(say("library.empty", language))}</p>'
    chosen = "" if selected else ' aria-current="true"'
    start = f'<button class="new" data-run=""{chosen}>+ {new}</button>'
    return f'{start}<h2>{title}</h2><nav aria-label="{title}">{body}</nav>'


def _library_item(row: Row, is_selected: bool, language: str) -> str:
    step = say("library.best_at", language, step=count(row.best_step)) if row.best_step is not None else ""
    if row.is_active:
        step = step_words(row.status, language)
    about = " · ".join(filter(None, (say(f"state.{row.state}", language), step)))
    bits = escape(say("library.bits", language))
    current = ' aria-current="true"' if is_selected else ""
    return (
        f'<button class="run {row.state}" data-run="{escape(row.name)}"{current}><i class="dot"></i>'
        f'<span class="name" title="{escape(row.name)}">{escape(row.name)}</span>'
        f'<em title="{bits}">{figure(row.best_bits_per_byte, 2)}</em><small>{escape(about)}</small></button>'
    )


def status_bar(rows: list[Row], memory: tuple[float, float], language: str) -> str:
    """What runs now, how far it is, how long it still takes; the memory of the machine, used and in all (bytes)."""
    active = [row for row in rows if row.is_active]
    used, total = memory
    room = say("status.memory", language, used=f"{used / GIGABYTE:.1f}", total=f"{total / GIGABYTE:.0f}")
    now = _now(active[0], language) if active else f'<span class="quiet">{escape(say("status.idle", language))}</span>'
    if len(active) > 1:
        now += f'<span class="extra">{escape(say("status.more", language, n=len(active) - 1))}</span>'
    right = f'<span class="space"></span><span class="extra">{escape(room)}</span>'
    return f'<footer class="bar" role="status">{now}{right}</footer>'


def _now(row: Row, language: str) -> str:
    left = row.status.seconds_left
    left_words = say("status.left", language, time=duration(left)) if left is not None else ""
    return (
        f'<button class="now" data-run="{escape(row.name)}"><i class="dot"></i><b>{escape(row.name)}</b></button>'
        f"{bar(progress(row.status))}<span>{escape(step_words(row.status, language))}</span>"
        f"<span>{escape(left_words)}</span>"
    )
