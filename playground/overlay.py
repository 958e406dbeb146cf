"""Several runs beside one another, as values and HTML: their curves, what differs between them, who branched off whom.

Pure functions of what the run directories say. Bits per byte compare across tokenizers, nats per token only where the
tokenizer is the same; the page says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.records import is_count
from lm.settings import settings
from playground.markup import count, duration, escape, figure
from playground.text import say, setting_key
from playground.views import Curve, Row

FRESH = "none"  # the checkpoint of a branch with weights of its own, as in lm.fork
MOST_RUNS = 6  # as many as can be told apart by dash and colour
AXES = ("step", "time_seconds", "tokens", "epoch")
MEASURES = ("val_bits_per_byte", "val_loss")
CONFIGS = dict(data=DataConfig, model=ModelConfig, train=TrainConfig)


@dataclass(frozen=True)
class Compared:
    """One run that is compared: its row in the library, its metrics, its `config.json`."""

    row: Row
    curve: Curve
    config: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.row.name


def series(runs: Sequence[Compared], origins: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the chart draws: of each run the lines of `AXES` and `MEASURES`, and the step at which it begins.

    `origins` holds the `forked_from` of every run there is: a branch of a branch goes on from both.
    """
    return [
        dict(
            name=one.name,
            is_active=one.row.is_active,
            points=[[record.get(key) for key in (*AXES, *MEASURES)] for record in one.curve.measured],
            begins=begins(one.name, origins),
        )
        for one in runs
    ]


def begins(name: str, origins: Mapping[str, Mapping[str, Any]]) -> int:
    """How many steps its weights had been trained for when the run began, by itself and by those before it."""
    steps, known = 0, set()
    while (origin := origins.get(name) or {}) and name not in known and origin.get("checkpoint") != FRESH:
        known.add(name)
        steps += step if is_count(step := origin.get("step")) else 0  # a damaged one says anything
        name = str(origin.get("run"))
    return steps


def differing(runs: Sequence[Compared]) -> list[tuple[str, type, list[Any]]]:
    """(setting, its configuration, its value in each run) of every setting that is not the same in all runs."""
    found = []
    for part, config in CONFIGS.items():
        said = [one.config.get(part) or {} for one in runs]
        for f in settings(config):
            values = [one.get(f.name, f.default) for one in said]
            if any(value != values[0] for value in values):
                found.append((f.name, config, values))
    return found


# ---------------------------------------------------------------------------------------------- as HTML


def picker(rows: Sequence[Row], chosen: Sequence[str], language: str) -> str:
    """Every run as a button that is pressed or not; `assets/compare.js` makes a click an event."""
    if not rows:
        return f'<p class="teach">{escape(say("compare.empty", language))}</p>'
    title = escape(say("compare.pick", language))
    return f'<h3>{title}</h3><div class="picker" role="group" aria-label="{title}">{_buttons(rows, chosen)}</div>'


def _buttons(rows: Sequence[Row], chosen: Sequence[str]) -> str:
    is_full = len(chosen) >= MOST_RUNS
    return "".join(
        f'<button data-run="{escape(row.name)}" aria-pressed="{"true" if row.name in chosen else "false"}"'
        f"{' disabled' if is_full and row.name not in chosen else ''}>{_mark(row.name, chosen)}"
        f"<span>{escape(row.name)}</span><em>{figure(row.best_bits_per_byte, 2)}</em></button>"
        for row in rows
    )


def _mark(name: str, chosen: Sequence[str]) -> str:
    """The line by which the chart draws this run."""
    number = chosen.index(name) + 1 if name in chosen else 0
    return f'<svg class="line line-{number}" viewBox="0 0 28 6" aria-hidden="true"><path d="M1 3h26"/></svg>'


def table(runs: Sequence[Compared], language: str) -> str:
    """Results first, then every setting that differs; the best result of a row is marked."""
    if not runs:
        return f'<p class="teach">{escape(say("compare.none", language))}</p>'
    heads = "".join(f'<th scope="col">{_mark(one.name, [r.name for r in runs])}{escape(one.name)}</th>' for one in runs)
    rows = [*_results(runs, language), *_settings(runs, language)]
    same = "" if differing(runs) or len(runs) < 2 else f'<p class="fine">{escape(say("compare.same", language))}</p>'
    body = "".join(rows)
    return f'<div class="scroll"><table class="compared"><thead><tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table></div>{same}'


def _results(runs: Sequence[Compared], language: str) -> list[str]:
    bits = [one.curve.best.get("val_bits_per_byte") for one in runs]
    known = [value for value in bits if value is not None]
    best = min(known, default=None)
    cells = [figure(value, 3) + (" ★" if value == best and len(known) > 1 else "") for value in bits]
    return [
        _row(say("compare.best_bits", language), cells, "result"),
        _row(say("compare.best_nats", language), [figure(one.curve.best.get("val_loss")) for one in runs], "result"),
        _row(say("compare.at_step", language), [_step(one) for one in runs], "result"),
        _row(say("train.took", language), [duration(one.row.status.elapsed_seconds) for one in runs], "result"),
        _row(say("compare.parameters", language), [_whole(one.config.get("parameters")) for one in runs], "result"),
        _row(say("train.corpus", language), [(one.config.get("corpus") or {}).get("name") or "–" for one in runs], ""),
    ]


def _settings(runs: Sequence[Compared], language: str) -> list[str]:
    return [
        _row(say(setting_key(config, name, "label"), language), [_value(value) for value in values], "setting")
        for name, config, values in differing(runs)
    ]


def _row(title: str, cells: Sequence[str], kind: str) -> str:
    shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr class="{kind}"><th scope="row">{escape(title)}</th>{shown}</tr>'


def _step(one: Compared) -> str:
    step = one.curve.best.get("step")
    return "–" if step is None else count(step)


def _whole(number: Any) -> str:
    return count(number) if isinstance(number, (int, float)) else "–"


def _value(value: Any) -> str:
    return "–" if value is None or value == "" else f"{value:g}" if isinstance(value, float) else str(value)


def tree(origins: Mapping[str, Mapping[str, Any]], language: str) -> str:
    """Who branched off whom, of all runs: name → its `forked_from`, empty for those of their own."""
    children: dict[str, list[str]] = {}
    for name, origin in origins.items():
        if origin:
            children.setdefault(str(origin.get("run")), []).append(name)
    if not children:
        return ""
    shown: set[str] = set()
    roots = sorted(name for name in children if not origins.get(name))
    # The others stand below a root, but for a circle: a run may be called as one that it descends from was before.
    every = (root for root in [*roots, *sorted(children)] if root not in shown)
    branches = "".join(_branch(root, children, origins, shown, language) for root in every)
    return f'<h4>{escape(say("compare.branches", language))}</h4><ul class="branches">{branches}</ul>'


def _branch(
    name: str,
    children: Mapping[str, list[str]],
    origins: Mapping[str, Mapping[str, Any]],
    shown: set[str],
    language: str,
) -> str:
    shown.add(name)
    origin = origins.get(name) or {}
    where = ""
    if origin.get("checkpoint") == FRESH:
        where = say("compare.from_fresh", language)
    elif origin:
        where = say("compare.from_step", language, step=_whole(origin.get("step") or 0))
    others = (child for child in sorted(children.get(name, ())) if child not in shown)
    below = "".join(_branch(child, children, origins, shown, language) for child in others)
    told = f" <small>{escape(where)}</small>" if where else ""
    return f"<li><b>{escape(name)}</b>{told}{f'<ul>{below}</ul>' if below else ''}</li>"
