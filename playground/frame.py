"""The frame around the tabs: header and status bar as HTML, and the library of `playground.shelf` between them.

`assets/frame.js` makes their clicks events.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from playground import pace, text, workspace
from playground.look import Look
from playground.markup import bar, duration, escape, step_words
from playground.shelf import recently_deleted, shelf
from playground.text import LANGUAGES, say
from playground.theme import asset
from playground.translate import translated
from playground.views import Row, progress

GIGABYTE = 1e9
FOLLOWS = ("header", "library", "status_bar", "pace")

# Where our English is not Gradio's own.
GRADIO_SAYS = {
    "gradio.file_type": "Invalid file type: {x}. Only .txt, .text, .md, .csv, .tsv, .jsonl, .html, .htm allowed."
}
# What `assets/keys.js` listens to.
KEYS = dict(go="Ctrl + Enter", stop="Esc", tab="Alt + 1 … 6", rename="F2", delete="Delete", help="?")

_ICON_KEYS = (
    '<svg viewBox="0 0 20 20" aria-hidden="true"><rect x="2.5" y="5" width="15" height="10" rx="2"/>'
    '<path d="M5.5 8h.01M8.5 8h.01M11.5 8h.01M14.5 8h.01M7 12h6"/></svg>'
)
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
    """A part of the frame as a component; a click on a run is a `select` event that carries it."""
    scripts = ["frame.js", *(["keys.js", "reload.js", "again.js"] if name == "header" else [])]
    script = "\n".join(asset(one).read_text(encoding="utf-8") for one in scripts)
    return gr.HTML(value, js_on_load=script, elem_id=name, apply_default_css=False)


def follow(look: Look) -> dict[str, Any]:
    """What is shown on every tab, by the names of `FOLLOWS`."""
    return dict(
        header=header(look.space.device, look.language),
        library=shelf(look.rows, recently_deleted(look.space), look.row.name if look.row else "", look.language),
        status_bar=status_bar(look.rows, workspace.memory(), look.language),
        pace=pace.pace(look),
    )


def header(device: str, language: str) -> str:
    """The strip at the top: library switch, seal, name, device, sign-in on a Space, keys, light or dark."""
    # Gradio turns each element into the next text's of the same place: with one more, a button became its neighbour.
    chip = f'<span class="chip device"{"" if device else " hidden"}>{escape(translated(device, language))}</span>'
    library, keys, dark = (escape(say(f"header.{name}", language)) for name in ("library", "keys", "dark"))
    other = next(one for one in LANGUAGES if one != language)
    return (
        f'<header class="bar" lang="{language}">'
        f'<button class="icon" data-do="library" aria-label="{library}" title="{library}">{_ICON_BARS}</button>'
        f'{_SEAL}<h1>LM Playground</h1><span class="space"></span>{chip}'
        f'<button class="chip account" data-do="account" hidden></button>'
        f'<button class="icon language" data-do="{other}" lang="{other}">{escape(say("header.language", other))}</button>'
        f'<button class="icon keyboard" data-do="keys" aria-label="{keys}" title="{keys}">{_ICON_KEYS}</button>'
        f'<button class="icon" data-do="dark" aria-label="{dark}" title="{dark}">{_ICON_HALF}</button></header>'
        f"<div hidden data-keys>{_keys(language)}</div>"  # a template would keep its first language
        f'<div hidden data-again="{escape(_said_again(language))}"></div>'
    )


def _said_again(language: str) -> str:
    """What Gradio says in English only and what we say instead, for `assets/again.js`."""
    keys = [key for key in text.WORDS if key.startswith("gradio.")]
    pairs = ((GRADIO_SAYS.get(key, say(key, "en")), say(key, language)) for key in keys)
    return json.dumps([pair for pair in pairs if pair[0] != pair[1]], ensure_ascii=False)


def _keys(language: str) -> str:
    """The list of keys, which `assets/keys.js` shows."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(say(f'keys.{name}', language))}</th><td><kbd>{escape(keys)}</kbd></td></tr>"
        for name, keys in KEYS.items()
    )
    title, close = escape(say("header.keys", language)), escape(say("keys.close", language))
    return f'<h3>{title}</h3><table>{rows}</table><button class="secondary" data-close>{close}</button>'


def status_bar(rows: list[Row], memory: tuple[float, float], language: str) -> str:
    """What runs now, how far it is, how long it still takes; the memory of the machine, used and in all (bytes)."""
    active = [row for row in rows if row.is_active]
    used, total = memory
    room = say("status.memory", language, used=f"{used / GIGABYTE:.1f}", total=f"{total / GIGABYTE:.0f}")
    now = _now(active[0], language) if active else f'<span class="quiet">{escape(say("status.idle", language))}</span>'
    if len(active) > 1:
        now += f'<span class="extra">{escape(say("status.more", language, n=len(active) - 1))}</span>'
    right = f'<span class="space"></span><span class="extra">{escape(room)}</span>'
    return f'<footer class="bar">{now}{right}</footer>'


def _now(row: Row, language: str) -> str:
    left = row.status.seconds_left
    left_words = say("status.left", language, time=duration(left)) if left is not None else ""
    return (
        f'<button class="now" data-run="{escape(row.name)}"><i class="dot"></i><b>{escape(row.name)}</b></button>'
        f"{bar(progress(row.status))}<span>{escape(step_words(row.status, language))}</span>"
        f"<span>{escape(left_words)}</span>"
    )
