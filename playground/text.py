"""Every word of the interface, in English and Japanese.

`label(key)` is for widgets: Gradio sends both languages and the browser picks its own. `say(key, language, …)` is for
what the server renders, in the language that `language_of` reads from the browser's request; `playground.spoken`
has the browser choose the same one. The settings' words come from `lm.config` in English and from `playground.text_settings`
in Japanese. What `lm` itself says (errors, the notes of a file) is the business of `playground.translate`.
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Mapping

import gradio as gr
from gradio.i18n import I18nData

from lm.config import DataConfig, ModelConfig, SampleConfig, TrainConfig
from lm.settings import settings
from playground.text_settings import GROUPS, SETTINGS
from playground.words import choosing, compare, corpus, frame, generate, inside, limits, live, share, train

LANGUAGES = ("en", "ja")
NO_BREAK = "\u00a0"  # a space at which no line ends
COOKIE = "lm-language"  # of who chose by hand; `assets/language.js` writes it
CONFIGS = (DataConfig, ModelConfig, TrainConfig, SampleConfig)

PLACES = (frame, limits, corpus, choosing, train, live, generate, compare, inside, share)
# key: (English, Japanese)
WORDS: dict[str, tuple[str, str]] = {key: pair for place in PLACES for key, pair in place.WORDS.items()}


def label(key: str) -> I18nData:
    """A text that the browser shows in its own language."""
    return I18nData(key)


class _Filler(string.Formatter):
    """`str.format` where `{n:place|places}` is the word for one or for any other number, as `markup.count` writes it."""

    def format_field(self, value: object, spec: str) -> str:
        if "|" not in spec:
            return super().format_field(value, spec)
        one, many = spec.split("|")
        return one if str(value) == "1" else many


def say(key: str, language: str, **values: object) -> str:
    """A text in `language`, its braces filled."""
    return _Filler().vformat(_all()[language][key], (), values)


def translations() -> gr.I18n:
    """Both dictionaries for `launch(i18n=…)`."""
    return gr.I18n(**_all())


def language_of(headers: Mapping[str, str]) -> str:
    """What a visitor reads: the language chosen by hand, else the first of the browser's that we speak, else English."""
    if chosen := re.search(rf"(?:^|;)\s*{COOKIE}=({'|'.join(LANGUAGES)})(?:;|$)", headers.get("cookie", "")):
        return chosen[1]
    for choice in headers.get("accept-language", "").split(","):
        spoken = choice.split(";")[0].strip().lower()[:2]
        if spoken in LANGUAGES:
            return spoken
    return "en"


def words(part: str, language: str) -> dict[str, str]:
    """The words of a part that a script of its own draws: `chart.step` is `step` there."""
    start = f"{part}."
    return {key.removeprefix(start): said for key, said in _all()[language].items() if key.startswith(start)}


def setting_key(config: type, name: str, part: str) -> str:
    """The key of a setting's `label` or `help`."""
    return f"{config.__name__}.{name}.{part}"


def group_key(group: str) -> str:
    return f"group.{group}"


@functools.cache
def _all() -> dict[str, dict[str, str]]:
    return {
        language: {key: pair[side] for key, pair in WORDS.items()} | _setting_words(language)
        for side, language in enumerate(LANGUAGES)
    }


def default_words(default: object, language: str) -> str:
    """What a setting is when nobody sets it, as the end of its help; nothing for an empty text."""
    side = LANGUAGES.index(language)
    if isinstance(default, bool):
        default = (("off", "オフ"), ("on", "オン"))[default][side]
    return (f" Default: {default}.", f"既定値: {default}。")[side] if default != "" else ""


def unbroken(words: str, language: str) -> str:
    """A line may end at any space: in Japanese help not at the one between a number and what belongs to it."""
    return re.sub(r"(?<=\d) (?=[ぁ-ん])|(?<=[:±]) (?=\S)", NO_BREAK, words) if language == "ja" else words


def _setting_words(language: str) -> dict[str, str]:
    """Labels and help of every setting, and the names of their groups."""
    words = {group_key(name): pair[LANGUAGES.index(language)] for name, pair in GROUPS.items()}
    for config in CONFIGS:
        for f in settings(config):
            english = (f.metadata["label"], f.metadata["help"])
            label, about = english if language == "en" else SETTINGS[config.__name__][f.name]
            pair = (label, unbroken(about + default_words(f.default, language), language))
            words |= {setting_key(config, f.name, part): word for part, word in zip(("label", "help"), pair)}
    return words
