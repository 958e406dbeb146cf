"""What a setting is: one declaration from which its flag, its widget and its check are made.

A configuration is a frozen dataclass whose fields are made by `setting(...)`; those of the project stand in `lm.config`.
`problems()` names *every* fault of a configuration at once (as litgpt does), each with value, rule and cure: those of
single values are found by their declarations, those of values that do not fit each other by its own `rules()`.
Configurations survive a round trip through JSON, of older versions too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from lm.errors import ConfigError

Config = TypeVar("Config")  # any configuration
_NAMED = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def setting(
    default: Any,
    help: str,
    *,
    label: str,
    group: str,
    symbol: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    scale: str = "linear",
) -> Any:
    """Declare one setting: a dataclass field whose metadata makes its flag, its widget and its check.

    `low` and `high` are inclusive bounds; `symbol` is the name or letter the chapters use; `scale="log"` asks for a
    widget that moves in ratios.
    """
    return dataclasses.field(
        default=default,
        metadata=dict(
            help=help, label=label, group=group, symbol=symbol, low=low, high=high, choices=choices, scale=scale
        ),
    )


def settings(config: type | Any) -> list[dataclasses.Field]:
    """The fields of a configuration that a user may set, in the order of their declaration."""
    return [f for f in dataclasses.fields(config) if f.metadata]


def picked(config: type | Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `values` that are settings of this configuration, by name."""
    return {f.name: values[f.name] for f in settings(config) if f.name in values}


def problems(*configs: Any) -> list[str]:
    """Every fault of these configurations: wrong type, out of bounds, unknown choice, fields that do not fit."""
    found = []
    for config in configs:
        single = [said for f in settings(config) if (said := fault(f, getattr(config, f.name)))]
        found += single or (config.rules() if hasattr(config, "rules") else [])
    return found


def check(*configs: Any) -> None:
    """Raise one `ConfigError` that names every fault of these configurations; return silently if there is none."""
    if found := problems(*configs):
        raise ConfigError(found[0] if len(found) == 1 else "\n".join(f"- {said}" for said in found))


def to_dict(config: Any) -> dict[str, Any]:
    """Every field by its name, as JSON can hold it."""
    return dataclasses.asdict(config)


def from_dict(kind: type[Config], values: dict[str, Any]) -> Config:
    """Rebuild a configuration. Unknown keys are ignored and missing ones defaulted, so that old runs load forever."""
    names = {f.name for f in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names})


def fault(f: dataclasses.Field, value: Any) -> str:
    """What is wrong with a setting's value by itself, or an empty string."""
    wanted = type(f.default)
    if wanted is float and type(value) is int:
        value = float(value)
    has_lone_surrogate = wanted is str and any("\ud800" <= character <= "\udfff" for character in str(value))
    if type(value) is not wanted or has_lone_surrogate:  # half a character can be neither saved nor read
        return f"{f.name}={value!r} is not {_NAMED[wanted]}; use for example {f.default!r}"
    choices, low, high = f.metadata["choices"], f.metadata["low"], f.metadata["high"]
    if choices and value not in choices:
        return f"{f.name}={value!r} is unknown; use one of {', '.join(filter(None, choices))}"
    if wanted is float and not math.isfinite(value):
        return f"{f.name}={value} is not finite; use for example {f.default!r}"
    if low is not None and value < low:
        return f"{f.name}={value} is below the least allowed value; use {_plain(low)} or more"
    if high is not None and value > high:
        return f"{f.name}={value} is above the greatest allowed value; use {_plain(high)} or less"
    return ""


def _plain(bound: float) -> str:
    """A bound as one types it: 2147483647, not 2.14748e+09."""
    return str(int(bound)) if float(bound).is_integer() else f"{bound:g}"
