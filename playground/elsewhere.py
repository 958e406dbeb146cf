"""The same run elsewhere: as a command, as lines of Python, as a link to a page like this, as a file."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lm import launch, recipes, settings_file
from lm.errors import ConfigError
from lm.recipes import Recipe
from lm.settings import check, settings
from playground.markup import escape
from playground.text import say

RECIPE = "recipe"  # in the address of a link; every other name there is a setting


def panel(name: str, path: str, recipe: Recipe, configs: tuple[Any, Any, Any], language: str) -> str:
    """All four ways as HTML; `assets/choosing.js` copies. `path` is where the text lies."""
    argv = ["--data", path, *recipes.flags(recipe, *configs)]
    query = link(recipe, configs)
    return (
        way("command", launch.command(name, argv), language)
        + way("python", python(name, path, recipe, configs), language)
        + way("link", query, language)
        + _file(name, recipe, configs, language)
    )


def python(name: str, path: str, recipe: Recipe, configs: tuple[Any, Any, Any]) -> str:
    """The lines that make and train the same run."""
    changed = recipes.changes(recipe, *configs)
    values = ", ".join(f"{key}={value!r}" for key, value in changed.items())
    return "\n".join(
        [
            "from pathlib import Path",
            "from lm import recipes, run_dir, trainer",
            "from lm.prepare import Request",
            "",
            f"recipe = recipes.find({recipe.name!r})",
            f"data, model, train = recipes.override(recipe, dict({values}))",
            f"request = Request((Path({path!r}),), recipe.name, data, model, train)",
            f'trainer.train(run_dir.create(Path("runs"), {name!r}), request)',
        ]
    )


def link(recipe: Recipe, configs: tuple[Any, Any, Any]) -> str:
    """The query of an address that opens the page with these settings; the text is chosen there."""
    return "?" + urllib.parse.urlencode({RECIPE: recipe.name} | recipes.changes(recipe, *configs))


def read_link(query: Mapping[str, str]) -> Recipe | None:
    """The recipe that a link makes, None where the address names none; `ConfigError` says what is wrong with it."""
    if RECIPE not in query:
        return None
    recipe = recipes.find(query[RECIPE])
    known = {f.name: f for part in (recipe.data, recipe.model, recipe.train) for f in settings(part)}
    given = {name: _typed(name, word, known[name].default) for name, word in query.items() if name in known}
    data, model, train = recipes.override(recipe, given)
    check(data, model, train)
    return replace(recipe, data=data, model=model, train=train)


def _typed(name: str, word: str, default: Any) -> Any:
    if isinstance(default, bool):
        return word == "True"
    if isinstance(default, str):
        return word
    try:
        return type(default)(word)
    except ValueError:
        raise ConfigError(f"{name}={word!r} in the link is no number; use for example {default}") from None


def way(key: str, text: str, language: str) -> str:
    """A text under its title, with a button that copies it."""
    title, copy, copied = (escape(say(f"elsewhere.{word}", language)) for word in (key, "copy", "copied"))
    return (
        f'<div class="way"><h4>{title}</h4><button class="link" data-copy data-done="{copied}" '
        f'aria-label="{copy}: {title}">{copy}</button>'
        f'<pre class="command {key}" tabindex="0" role="region" aria-label="{title}">{_whole_flags(text)}</pre></div>'
    )


def _whole_flags(text: str) -> str:
    """Escaped, and no line ends between the dashes of a flag and its name."""
    return re.sub(r"(?<=\s)--[a-z-]+", r'<span class="flag">\g<0></span>', escape(text))


def _file(name: str, recipe: Recipe, configs: tuple[Any, Any, Any], language: str) -> str:
    record = json.dumps(settings_file.record(recipe.name, *configs), ensure_ascii=False, indent=1)
    data = base64.b64encode(record.encode("utf-8")).decode("ascii")
    title, save = (escape(say(f"elsewhere.{word}", language)) for word in ("file", "save"))
    return (
        f'<div class="way"><h4>{title}</h4><a class="link" download="{escape(name)}.settings.json" '
        f'href="data:application/json;base64,{data}">{save}</a>'
        f'<pre class="command">{_whole_flags(f"lm train --settings {name}.settings.json --data FILE")}</pre></div>'
    )
