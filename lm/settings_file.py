"""The settings of a run as one JSON file, which makes the same run elsewhere: `lm train --settings FILE`.

It says what `config.json` of a run says under the same names, so a run's own file will do too. What a file does not
name keeps the recipe's value, so that files of older versions are read forever.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lm import recipes
from lm.errors import ConfigError
from lm.recipes import Recipe
from lm.settings import check, picked

SCHEMA = 1
SECTIONS = ("data", "model", "train")
MOST_BYTES = 1_000_000  # a larger file holds something else


def record(recipe: str, data: Any, model: Any, train: Any) -> dict[str, Any]:
    """What the file says of these settings; the size of the vocabulary is left to the text."""
    configs = zip(SECTIONS, (data, model, train), strict=True)
    parts = {name: picked(config, asdict(config)) for name, config in configs}
    return dict(schema=SCHEMA, recipe=recipe) | parts


def read(path: Path) -> Recipe:
    """The recipe that a file of settings makes; `ConfigError` says what is wrong with the file."""
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)  # what a device or a pipe holds is known only when it was read
        if len(data) > MOST_BYTES:
            raise ConfigError(f"{path.name} is too large for settings; use a file that the page or `lm` wrote")
        said = json.loads(data.decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; name a file of settings") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path.name} is not JSON; use a file that the page or `lm` wrote") from None
    return recipe_of(said, path.name)


def recipe_of(said: Any, name: str) -> Recipe:
    """The recipe that a record makes, all of it checked."""
    parts = {part: said.get(part) for part in SECTIONS} if isinstance(said, dict) else {}
    if not any(isinstance(part, dict) for part in parts.values()):
        raise ConfigError(f"{name} holds no settings: it has none of {', '.join(SECTIONS)}; use one that `lm` wrote")
    for part, given in parts.items():
        if given is not None and not isinstance(given, dict):
            raise ConfigError(f"{name}: {part}={given!r} is not a group of settings; use a file that `lm` wrote")
    known = said.get("recipe")
    base = recipes.find(known if isinstance(known, str) and known else "quickstart")
    configs = {part: getattr(base, part) for part in SECTIONS}
    made = replace(base, **{part: replace(c, **picked(c, parts[part] or {})) for part, c in configs.items()})
    check(made.data, made.model, made.train)
    return made
