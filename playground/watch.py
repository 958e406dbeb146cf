"""One tick of the page: what changed on disk since this browser looked last, and nothing else.

A browser is told only what differs from what it was told before; `Cursor` holds that, on the server. Ticks read the run
directories, so it does not matter who started a run, how often the page was reloaded, or how many browsers look.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground import markup, plots, views, workspace
from playground.tabs import generate, share
from playground.text import chart_words
from playground.workspace import Workspace

Cursor = dict[str, Any]
# What a tick may update, in the order of its outputs; `cursor` comes last.
OUTPUTS = (
    "header", "chart", "headline", "figures", "note", "sample", "log", "go", "stop", "resume", "library", "status_bar",
    "checkpoint", "share_run", "share_note", "cursor",
)  # fmt: skip


def watch(space: Workspace, selected: str, cursor: Cursor, language: str) -> tuple[Any, ...]:
    """Look at the disk once.

    Inputs: the run that this browser shows (empty: none), what it was told before, its language.
    Outputs: `OUTPUTS`; `gr.skip()` for what is as it was.
    """
    rows = space.library.rows()
    row = next((row for row in rows if row.name == selected), None)
    curve = space.library.curve(selected) if row else None
    chart, place = plots.payload(curve, cursor.get("chart", {}), row.status.max_steps if row else 0)
    if chart and chart["reset"]:
        chart = chart | dict(words=chart_words(language))
    shown = _run_views(space, row, curve, language) | _frame_views(space, rows, selected, language)
    fresh = {name: value for name, value in shown.items() if cursor.get("shown", {}).get(name) != value}
    updates = {name: _update(name, value) for name, value in fresh.items()} | (dict(chart=chart) if chart else {})
    updates |= _newly_usable(selected, shown, cursor.get("shown", {}))
    updates["cursor"] = dict(chart=place, shown=shown)
    return tuple(updates.get(name, gr.skip()) for name in OUTPUTS)


def _run_views(space: Workspace, row: views.Row | None, curve: views.Curve | None, language: str) -> dict[str, Any]:
    """What is shown of the selected run."""
    run = curve.run if curve else None
    is_active = row is not None and row.is_active
    return dict(
        headline=markup.headline(row, views.description(run) if run else {}, language),
        figures=markup.numbers(row, curve, language),
        note=markup.note(row, curve, run is not None and run.stop.exists(), language),
        sample=markup.sample(views.latest_sample(run) if run else {}, language),
        log=markup.log(views.log_tail(run) if run else ""),
        go=not is_active,
        stop=is_active,
        resume=row is not None and row.state in views.RESUMABLE_STATES,
    )


def _frame_views(space: Workspace, rows: list[views.Row], selected: str, language: str) -> dict[str, Any]:
    """What is shown everywhere: the library, what runs now, which models there are."""
    return dict(
        header=markup.header(space.device, language),
        library=markup.library(rows, selected, language),
        status_bar=markup.status_bar(rows, workspace.memory(), language),
        checkpoint=generate.choices(space, language),
        share_run=share.choices(space),
        share_note=share.note(space, language),
    )


def _newly_usable(selected: str, shown: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """When the selected run gets its first model, it is the one to generate with and to share."""
    models, runs = shown["checkpoint"], shown["share_run"]
    if selected not in runs or selected in before.get("share_run", []):
        return {}
    own = next(value for _, value in models if value.startswith(f"{selected}/"))
    return dict(checkpoint=gr.update(choices=models, value=own), share_run=gr.update(choices=runs, value=selected))


def _update(name: str, value: Any) -> Any:
    if name in ("go", "stop", "resume"):
        return gr.update(visible=value)
    if name in ("checkpoint", "share_run"):
        return gr.update(choices=value)
    return value


def choose(space: Workspace, run: str, language: str) -> tuple[Any, ...]:
    """Show another run, everywhere.

    Inputs: its name, or an empty text for a new one.
    Outputs: the name, the model to generate with, the run to share, then `OUTPUTS` from the beginning.
    """
    run = run if space.library.has(run) else ""
    models = [value for _, value in generate.choices(space, language)]
    own = next((value for value in models if value.startswith(f"{run}/")), None) if run else None
    # A run without a model leaves the choice as it is; the first choice is the newest.
    checkpoint = gr.update(choices=generate.choices(space, language), **(dict(value=own) if own else {}))
    share_run = gr.update(choices=share.choices(space), **(dict(value=run) if own else {}))
    told = dict(zip(OUTPUTS, watch(space, run, {}, language), strict=True))
    told |= dict(checkpoint=checkpoint, share_run=share_run)
    return (run, *told.values())
