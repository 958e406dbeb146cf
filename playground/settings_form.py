"""Settings → widgets → configurations. A widget is made from its field's declaration in `lm.config`, nothing else.

Label and help come in both languages, the chapters' symbol stands at the label's right edge (`symbols_css`), choices
are the field's own. What is out of bounds is told as soon as it is typed, by `lm.settings` in its words: value, rule,
cure.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any

import gradio as gr

from lm.config import DataConfig, ModelConfig, SampleConfig, TrainConfig
from lm.errors import ConfigError
from lm.settings import Config, settings
from playground import text
from playground.markup import escape
from playground.translate import translated

RECIPE_CONFIGS = (DataConfig, ModelConfig, TrainConfig)
# These are decided when a text is read, on the Corpus tab; the text that is trained on is clean already.
READING = ("aozora", "column")
# What a slider spans, where the whole range allowed would make it useless: (least, most, step).
SPANS = {"max_new_tokens": (10, 2000, 10), "temperature": (0, 2, 0.05), "top_k": (0, 200, 1), "top_p": (0, 1, 0.01),
         "min_p": (0, 1, 0.01), "repetition_penalty": (1, 2, 0.05), "num_samples": (1, 8, 1)}  # fmt: skip

Field = tuple[type, dataclasses.Field]


def training_fields() -> list[Field]:
    """The settings on the Train tab, in the order in which its handlers take their values."""
    return [(c, f) for c in RECIPE_CONFIGS for f in settings(c) if f.name not in READING]


def sampling_fields() -> list[Field]:
    """The settings on the Generate tab, in the same sense."""
    return [(SampleConfig, f) for f in settings(SampleConfig)]


def element_id(config: type, name: str) -> str:
    return f"set-{config.__name__}-{name}"


def widget(config: type, f: dataclasses.Field, value: Any = None) -> gr.components.Component:
    """The widget of one setting, showing `value` or the default."""
    value = f.default if value is None else value
    common = dict(
        value=value,
        label=text.label(text.setting_key(config, f.name, "label")),
        info=text.label(text.setting_key(config, f.name, "help")),
        elem_id=element_id(config, f.name),
    )
    if f.metadata["choices"]:
        return gr.Dropdown(choices=list(f.metadata["choices"]), **common)
    if isinstance(f.default, bool):
        return gr.Checkbox(**common)
    if isinstance(f.default, str):
        return gr.Textbox(max_lines=3, **common)
    if config is SampleConfig and f.name in SPANS:
        low, high, step = SPANS[f.name]
        return gr.Slider(low, high, step=step, buttons=[], **common)
    # No minimum or maximum: Gradio would refuse such a value without saying whose it is.
    return gr.Number(**(dict(precision=0) if isinstance(f.default, int) else dict(step=0.001)), **common)


def form(fields: Iterable[Field], values: dict[str, Any]) -> list[gr.components.Component]:
    """The widgets of these settings, in groups that fold, in the order of the fields."""
    by_group: dict[str, list[Field]] = {}
    for config, f in fields:
        by_group.setdefault(f.metadata["group"], []).append((config, f))
    widgets = []
    for group, members in by_group.items():
        with gr.Accordion(text.label(text.group_key(group)), open=False, elem_classes="group"):
            widgets += [widget(config, f, values.get(f.name)) for config, f in members]
    return widgets


def gather(fields: Sequence[Field], values: Sequence[Any], bases: Sequence[Config], language: str) -> list[Config]:
    """The configurations `bases` with the widgets' values; `ConfigError` names a setting that was left empty.

    Bounds are not checked here: `lm.settings.check` names every fault at once.
    """
    changes: dict[type, dict[str, Any]] = {type(base): {} for base in bases}
    for (config, f), value in zip(fields, values, strict=True):
        if value is None:
            label = text.say(text.setting_key(config, f.name, "label"), language)
            raise ConfigError(text.say("error.empty_setting", language, label=label, default=f.default))
        changes[config][f.name] = _typed(value, f.default)
    return [dataclasses.replace(base, **changes[type(base)]) for base in bases]


def marks(fields: Sequence[Field], error: ConfigError, language: str) -> str:
    """What is wrong with which widget, unseen, for `assets/choosing.js`: each fault stands at the setting it begins with."""
    wrong: dict[str, list[str]] = {}
    for line in str(error).splitlines():
        if place := _meant(fields, line, language):
            wrong.setdefault(place, []).append(translated(line.removeprefix("- "), language))
    return "".join(f'<i hidden data-wrong="{place}">{escape("; ".join(said))}</i>' for place, said in wrong.items())


def _meant(fields: Sequence[Field], line: str, language: str) -> str:
    """The element of the first setting that is named in `line`, by its name or its label; empty where none is."""
    found = []
    for config, f in fields:
        label = re.escape(text.say(text.setting_key(config, f.name, "label"), language))
        if at := re.search(rf"\b{f.name}\b|{label}", line):
            found.append((at.start(), -len(at[0]), element_id(config, f.name)))
    return min(found, default=(0, 0, ""))[2]


def symbols_css(fields: Iterable[Field]) -> str:
    """The chapters' symbol of each setting, at the right edge of its label."""
    rules = []
    for config, f in fields:
        if symbol := f.metadata["symbol"]:
            place = f"#{element_id(config, f.name)}"
            rules.append(f'{place} [data-testid="block-info"]::after {{ content: "{symbol}"; }}')
    return "\n".join(rules) + "\n"


def _typed(value: Any, default: Any) -> Any:
    """JSON has one kind of number: give a whole setting an int where it is one, and a share a float."""
    if isinstance(default, bool) or not isinstance(value, (int, float)):
        return value
    if isinstance(default, float):
        return float(value)
    return int(value) if value == int(value) else value
