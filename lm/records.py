"""What the lines of a run's logs and its `config.json` may hold: which values must be numbers, and which may be shown.

A run directory may come from anywhere: copied, unpacked, pulled from the Hub, written by hand. A line of a log whose
number is none is a damaged line, as one is that is no JSON; of settings that are only shown, what is of another kind
than it should be is left out. Names that are not known here are passed on as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NUMBERS = frozenset(
    ("time_seconds", "tokens", "epoch", "loss", "lr", "grad_norm", "tokens_per_second", "val_loss", "train_loss",
     "val_perplexity", "val_bits_per_byte", "val_smoothed_loss", "rollbacks")
)  # fmt: skip
GROUPS = ("data", "model", "train", "corpus", "tokens", "forked_from")  # of config.json
MOST_COUNT = 10**15  # no clock, memory or step counts further
MOST_NUMBER = 1e300  # of a loss that explodes; the sum and the mean of a few are still numbers


def fault_of_metrics(record: Mapping[str, Any]) -> str:
    """What is wrong with a line of metrics.jsonl, as `loss='x'`; nothing if it is as the trainer writes them."""
    if not is_count(record.get("step", 0)):
        return f"step={_brief(record['step'])}"
    for name, value in record.items():
        is_wrong = (name in NUMBERS and not is_number(value)) or (name == "expert_shares" and not _are_shares(value))
        if is_wrong:
            return f"{name}={_brief(value)}"
    return ""


def fault_of_sample(record: Mapping[str, Any]) -> str:
    """What is wrong with a line of samples.jsonl; nothing if it has a step, a prompt and a text."""
    if not is_count(record.get("step", 0)):
        return f"step={_brief(record['step'])}"
    texts = ((name, record.get(name, "")) for name in ("prompt", "text"))
    return next((f"{name}={_brief(value)}" for name, value in texts if not isinstance(value, str)), "")


def shown_settings(said: Any) -> dict[str, Any]:
    """`config.json` as far as a list or a table may show it: its groups are objects of words and numbers, and the
    tokenizer is what `auto` came to."""
    said = said if isinstance(said, dict) else {}
    groups = {name: said[name] for name in GROUPS if isinstance(said.get(name), dict)}
    plain = {name: {key: v for key, v in group.items() if _is_plain(v)} for name, group in groups.items()}
    if plain.get("data", {}).get("tokenizer") == "auto" and isinstance(said.get("tokenizer"), str):
        plain["data"]["tokenizer"] = said["tokenizer"]
    recipe, parameters = said.get("recipe"), said.get("parameters")
    return plain | dict(
        recipe=recipe if isinstance(recipe, str) else "", parameters=parameters if is_count(parameters) else None
    )


def is_number(value: Any) -> bool:
    """Whether it can be reckoned with: no truth value, no infinity, no integer that no float holds."""
    return type(value) in (int, float) and abs(value) < MOST_NUMBER


def is_count(value: Any) -> bool:
    """Whether it is a whole number from 0 on, below `MOST_COUNT`."""
    return type(value) is int and 0 <= value < MOST_COUNT


def is_like(value: Any, default: Any) -> bool:
    """Whether `value` may stand in a status where `default` does; None stands where a number may."""
    if default is None or type(default) is float:
        return type(value) in (int, float) and abs(value) < MOST_COUNT
    return type(value) is type(default) and (type(value) is not int or abs(value) < MOST_COUNT)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, bool)) or is_number(value)


def _are_shares(value: Any) -> bool:
    """Lists of numbers, one a block."""
    return isinstance(value, list) and all(isinstance(row, list) and all(map(is_number, row)) for row in value)


def _brief(value: Any) -> str:
    return repr(value)[:40]
