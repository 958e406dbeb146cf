"""Values → HTML for the frame and the Train tab: pure functions, the language last.

Everything that came from a person, a file or a model passes through `escape` before it reaches a page.
"""

from __future__ import annotations

import html
from typing import Any

from lm.run_dir import Status
from playground.text import say
from playground.views import Curve, Row, progress

# Unseen text must have been this many evaluations without a gain before the page says that the curves parted. assumed.
PARTED_EVALUATIONS = 4
GIGABYTE = 1e9


def escape(text: object) -> str:
    """`text` as it may stand in HTML, between tags and inside quotes."""
    return html.escape(str(text), quote=True)


# ---------------------------------------------------------------------------------------------- numbers for people


def count(number: float) -> str:
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """`0:43`, `12:05`, `3:07:00`."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


# ---------------------------------------------------------------------------------------------- the frame

_ICON_BARS = '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3.5 5.5h13M3.5 10h13M3.5 14.5h13"/></svg>'
_ICON_HALF = (
    '<svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="10" r="6.6"/>'
    '<path d="M10 3.4a6.6 6.6 0 0 1 0 13.2z" fill="currentColor"/></svg>'
)
_SEAL = (
    '<svg class="seal" viewBox="0 0 64 64" aria-hidden="true"><rect width="64" height="64" rx="14"/>'
    '<path d="M32 11v8M13 22h38M44 22c-3 13-13 25-29 31M20 22c3 13 13 25 29 31"/></svg>'
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


def step_words(status: Status, language: str) -> str:
    if status.max_steps:
        return say("status.step_of", language, step=count(status.step), steps=count(status.max_steps))
    return say("status.step", language, step=count(status.step))


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


def bar(share: float | None) -> str:
    """A progress bar; without a share it is empty."""
    percent = round(100 * (share or 0.0), 1)
    filled = f'<u style="width:{percent}%"></u>'
    return f'<span class="progress" role="progressbar" aria-valuenow="{percent:.0f}">{filled}</span>'


# ---------------------------------------------------------------------------------------------- one run


def numbers(row: Row | None, curve: Curve | None, language: str) -> str:
    """The four figures over the chart."""
    last = curve.evaluations[-1] if curve and curve.evaluations else (0, None, None)
    speed = curve.last.get("tokens_per_second") if curve else None
    is_over = row is not None and not row.is_active
    status = row.status if row else Status()
    seconds = status.elapsed_seconds if is_over else status.seconds_left
    figures = (
        (figure(last[1]), "train.validation", "unseen"),
        (figure(last[2]), "train.bits", "unseen"),
        (count(speed) if speed else "–", "train.speed", ""),
        (duration(seconds) if seconds is not None and row else "–", "train.took" if is_over else "train.left", ""),
    )
    cells = (f'<div class="{kind}"><b>{value}</b>{escape(say(key, language))}</div>' for value, key, kind in figures)
    return f'<div class="figures">{"".join(cells)}</div>'


def headline(row: Row | None, about: dict[str, Any], language: str) -> str:
    """Name, state, what the run is made of, and how far it is."""
    if row is None:
        return f'<div class="headline"><h3>{escape(say("library.new", language))}</h3></div>'
    parameters = about.get("parameters")
    size = f"{parameters / 1e6:.1f} M" if isinstance(parameters, (int, float)) else ""
    chips = [about.get("arch"), size, about.get("tokenizer"), about.get("corpus")]
    told = "".join(f'<span class="chip">{escape(chip)}</span>' for chip in chips if chip)
    return (
        f'<div class="headline {row.state}"><i class="dot"></i><h3>{escape(row.name)}</h3>'
        f'<span class="state">{escape(say(f"state.{row.state}", language))}</span>{told}</div>{_how_far(row, language)}'
    )


def _how_far(row: Row, language: str) -> str:
    if not row.is_active:
        return ""
    words = escape(step_words(row.status, language))
    return f'<div class="how-far">{bar(progress(row.status))}<span>{words}</span></div>'


def note(row: Row | None, curve: Curve | None, is_stopping: bool, language: str) -> str:
    """One sentence about what is seen and what to do next; an error in the words of its cause."""
    if row is None or curve is None:
        return _note("calm", say("train.say.new", language))
    if row.state == "failed":
        cause = row.status.error.strip() or say("train.say.failed", language)
        return _note("wrong", say("train.say.failed", language), cause)
    if curve.fault:
        return _note("wrong", curve.fault)
    if row.state == "running":
        return _running_note(curve, is_stopping, language)
    if row.state == "finished":
        key = "train.say.finished_bare" if row.best_step is None else "train.say.finished"
        return _note("calm", say(key, language, step=count(row.best_step or 0)))
    return _note("attention" if row.state == "dead" else "calm", say(f"train.say.{row.state}", language))


def _running_note(curve: Curve, is_stopping: bool, language: str) -> str:
    if is_stopping:
        return _note("calm", say("train.say.stopping", language))
    since = [step for step, _, _ in curve.evaluations if step > curve.best.get("step", 0)]
    if len(since) >= PARTED_EVALUATIONS:
        return _note("attention", say("train.say.parted", language, step=count(curve.best["step"])))
    return _note("calm", say("train.say.running", language))


def _note(kind: str, words: str, cause: str = "") -> str:
    """`wrong` and `attention` carry a coloured edge; `cause` is shown as it stands, its lines kept."""
    role = "alert" if kind == "wrong" else "note"
    more = f"<pre>{escape(cause)}</pre>" if cause and cause != words else ""
    return f'<div class="note {kind}" role="{role}"><p>{escape(words)}</p>{more}</div>'


def sample(latest: dict[str, Any], language: str) -> str:
    """What the model wrote at its last measurement: the prompt in grey, the rest in ink."""
    if not latest:
        title, teach = say("train.sample_none", language), say("train.sample_empty", language)
        return f'<h3>{escape(title)}</h3><p class="teach">{escape(teach)}</p>'
    title = say("train.sample", language, step=count(latest.get("step", 0)))
    return f"<h3>{escape(title)}</h3>{written(str(latest.get('prompt', '')), str(latest.get('text', '')))}"


def written(prompt: str, text: str, is_writing: bool = False) -> str:
    """A text of the model. `text` goes on after `prompt`; a caret stands at its end while it is being written."""
    caret = '<i class="caret"></i>' if is_writing else ""
    return f'<div class="written"><span class="given">{escape(prompt)}</span>{escape(text)}{caret}</div>'


def log(text: str) -> str:
    return f'<pre class="log" tabindex="0">{escape(text) or "–"}</pre>'
