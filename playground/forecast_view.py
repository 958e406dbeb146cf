"""What a run will come to, as HTML: four figures, a sentence, and what is unwise about its settings."""

from __future__ import annotations

import math
from typing import Any

from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.preflight import RULES, Advice, Forecast, Rehearsal
from lm.settings import settings
from playground.markup import escape
from playground.settings_form import element_id
from playground.text import group_key, say, setting_key
from playground.words.choosing import ADVICE

OWNERS = {f.name: kind for kind in (DataConfig, ModelConfig, TrainConfig) for f in settings(kind)}


def told(plan: dict[str, Any]) -> Forecast:
    """The forecast in an answer of `lm plan --json`."""
    said = dict(plan["forecast"])
    return Forecast(**said | dict(rehearsal=Rehearsal(**said["rehearsal"])))


def panel(forecast: Forecast | None, unwise: list[Advice], waiting: str, language: str) -> str:
    """The panel before Start; without a forecast it says `waiting`, a key of `say`."""
    body = _figures(forecast, language) + f"<p>{escape(sentence(forecast, waiting, language))}</p>"
    notes = "".join(_note(one, language) for one in unwise)
    return f'<div class="plan" aria-live="polite">{body}{notes}</div>'


def sentence(forecast: Forecast | None, waiting: str, language: str) -> str:
    """How long, how often it reads the text, and what comes of that."""
    if forecast is None:
        return say(waiting, language)
    measured = forecast.rehearsal
    if forecast.seconds is None:
        need, free = (f"{size / 1e9:.1f}" for size in (measured.memory_bytes, measured.free_bytes))
        return say("plan.no_room", language, need=need, free=free)
    about = say("plan.about", language, time=time_words(forecast.seconds, language))
    n = forecast.recites_at if forecast.will_recite else forecast.epochs
    reading = say(f"plan.{forecast.reading}", language, n=number(n), percent=f"{100 * forecast.epochs:.0f}")
    return f"{about} {reading}" if language == "en" else about + reading


def time_words(seconds: float, language: str) -> str:
    """A time as one says it: 40 seconds, 4 minutes, 3 hours."""
    if seconds < 55:
        return say("plan.seconds", language, n=max(2, round(seconds)))
    if seconds < 90:
        return say("plan.minute", language)
    for unit, size, most in (("minutes", 60, 90), ("hours", 3600, 36)):
        if seconds < most * size:
            return say(f"plan.{unit}", language, n=number(seconds / size))
    return say("plan.days", language, n=number(seconds / 86_400))


def number(value: float) -> str:
    """Two figures are enough for an estimate: 0.42, 3.1, 17, 1,200."""
    if value <= 0:
        return "0"
    rounded = round(value, 1 - math.floor(math.log10(value)))
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def _figures(forecast: Forecast | None, language: str) -> str:
    values = ["–"] * 4
    title = ""
    if forecast is not None:
        measured = forecast.rehearsal
        time = "–" if forecast.seconds is None else time_words(forecast.seconds, language)
        memory = _memory(measured.memory_bytes)
        values = [_large(measured.parameters), memory, f"{number(forecast.epochs)}×", time]
        title = say("plan.per", language, n=number(forecast.tokens_per_parameter))
    names = ("parameters", "memory", "readings", "time")
    cells = (
        f"<div><b>{escape(value)}</b>{escape(say(f'plan.{name}', language))}</div>"
        for value, name in zip(values, names)
    )
    return f'<div class="plan-figures" title="{escape(title)}">{"".join(cells)}</div>'


def _memory(size: float) -> str:
    return f"{number(size / 1e9)} GB" if size >= 1e9 else f"{number(size / 1e6)} MB"


def _large(parameters: int) -> str:
    return f"{number(parameters / 1e6)} M" if parameters >= 100_000 else f"{parameters:,}"


def _note(one: Advice, language: str) -> str:
    """Advice beside a button that leads to its setting."""
    words = ADVICE[one.rule] if language == "ja" else RULES[one.rule]
    said = words.format(**one.values)
    kind = OWNERS[one.setting]
    label = say(setting_key(kind, one.setting, "label"), language)
    show = escape(say("plan.show", language, label=label))
    place = escape(element_id(kind, one.setting))
    field = next(f for f in settings(kind) if f.name == one.setting)
    group = escape(say(group_key(field.metadata["group"]), language))
    return (
        f'<div class="note attention" role="note"><p>{escape(said)}</p>'
        f'<button class="link" data-show="{place}" data-group="{group}">{show}</button></div>'
    )
