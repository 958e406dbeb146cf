"""What the Train tab shows of a run, as HTML: its name, its figures, what is going on, what it writes, its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from lm import run_dir
from lm.run_dir import Status
from playground import coach, markup
from playground.markup import bar, count, duration, escape, figure, step_words
from playground.text import say
from playground.theme import asset
from playground.translate import translated
from playground.views import Curve, Row, progress

GENERATE_TAB = 3  # its place among `playground.app.TABS`, from 1


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
    size = markup.large(parameters) if isinstance(parameters, (int, float)) else ""
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


def first_minute_box() -> gr.HTML:
    """Where `first_minute` stands; once it was sent away it stays away in this browser."""
    script = asset("first_minute.js").read_text(encoding="utf-8")
    return gr.HTML(elem_id="first-minute", apply_default_css=False, js_on_load=script)


def first_minute(rows: Sequence[Row], row: Row | None, language: str) -> str:
    """Three sentences about what is seen, for whoever watches a first run; nothing once there are several."""
    if row is None or len(rows) > 1 or not (row.is_active or row.state == "finished"):
        return ""
    title, seen = (escape(say(f"minute.{name}", language)) for name in ("title", "seen"))
    told = "".join(
        f'<li class="{name}"><b>{escape(say(f"minute.{name}", language))}</b>'
        f"<span>{escape(say(f'minute.{name}_say', language))}</span></li>"
        for name in ("curve", "unseen", "writing")
    )
    return f'<aside aria-label="{title}"><ol>{told}</ol><button type="button">{seen}</button></aside>'


def note_box() -> gr.HTML:
    """Where `note` stands; a press of a button in it is an event of its name, as `stop`."""
    script = asset("note.js").read_text(encoding="utf-8")
    return gr.HTML(elem_id="note", apply_default_css=False, js_on_load=script)


def note(row: Row | None, curve: Curve | None, about: dict[str, Any], is_stopping: bool, language: str) -> str:
    """What is seen and what to do next, then what the coach remarks; an error in the words of its cause."""
    if row is None or curve is None:
        return markup.note("calm", say("train.say.new", language))
    if row.state == "failed":
        cause = translated(row.status.error.strip(), language) or say("train.say.failed", language)
        return markup.note("wrong", say("train.say.failed", language), cause)
    if curve.fault:
        return markup.note("wrong", translated(curve.fault, language))
    if row.state == "running" and is_stopping:
        return markup.note("calm", say("train.say.stopping", language))
    found = coach.remarks(curve, about, progress(row.status), row.is_active)
    told = "".join(_remark(remark, curve, language) for remark in found)
    if row.state == "running":
        told = told or markup.note("calm", say("train.say.running", language))
        return told if any(remark.action for remark in found) else told + _stop(language)
    return _ended(row, curve, language) + told


def _stop(language: str) -> str:
    """The button to stop once more, where a narrow window has its own far below."""
    words = escape(say("train.stop", language))
    return f'<p class="narrow"><button type="button" class="act" data-act="stop">{words}</button></p>'


def _ended(row: Row, curve: Curve, language: str) -> str:
    if row.state == "dead":
        cause = translated(run_dir.last_words(curve.run), language)
        return markup.note("attention", say("train.say.dead", language), cause)
    if row.state != "finished":
        return markup.note("calm", say(f"train.say.{row.state}", language))
    key = "train.say.finished_bare" if row.best_step is None else "train.say.finished"
    words = say(key, language, step=count(row.best_step or 0))
    after = coach.what_next(curve)
    told = f"<p>{escape(words)}</p>" + (f"<p>{escape(say(after.key, language))}</p>" if after else "")
    go = f'<button type="button" class="act" data-tab="{GENERATE_TAB}">{escape(say("train.write", language))}</button>'
    return f'<div class="note calm" role="note"><div>{told}</div>{go}</div>'


def _remark(remark: coach.Remark, curve: Curve, language: str) -> str:
    """A remark in words, with its button at its end."""
    values = {name: _for_people(value) for name, value in remark.values.items()}
    act = ""
    if remark.action:
        best = curve.best.get("step")
        words = say("coach.stop", language, step=count(best)) if best else say("coach.stop_now", language)
        act = f'<button type="button" class="act" data-act="{remark.action}">{escape(words)}</button>'
    return f'<div class="note attention" role="note"><p>{escape(say(remark.key, language, **values))}</p>{act}</div>'


def _for_people(value: Any) -> Any:
    return value if isinstance(value, str) else f"{value:.1f}" if isinstance(value, float) else count(value)


def log(text: str) -> str:
    return f'<pre class="log" tabindex="0">{escape(text) or "–"}</pre>'
