"""The Train tab: choose, press one button, watch."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm import recipes
from lm.errors import CorpusError
from lm.run_dir import WAITING
from playground import choosing, guest, keepsake, limits, live, plots, text, timeline, trainings, views
from playground.edge import Edge
from playground.look import Look
from playground.text import say
from playground.watch import Cursor, Watcher
from playground.workspace import Workspace

FIELDS = choosing.FIELDS
FOLLOWS = ("headline", "figures", "first_minute", "note", "log", "go", "stop", "resume")


def follow(look: Look) -> dict[str, Any]:
    """What the tab shows of the selected run, by the names of `FOLLOWS`."""
    row, curve, run, language = look.row, look.curve, look.run, look.language
    is_active = row is not None and (row.is_active or row.state == WAITING)
    is_shown = look.space.share.is_shown
    about = views.description(run) if run else {}
    return dict(
        headline=live.headline(row, about, language),
        figures=live.numbers(row, curve, language),
        first_minute=live.first_minute(look.rows, row, language),
        note=_note(look, about),
        log=live.log(views.log_tail(run) if run and not is_shown else ""),
        go=not (is_active or is_shown),
        stop=is_active and not is_shown,
        resume=row is not None and row.state in views.RESUMABLE_STATES and not is_shown,
    )


def _note(look: Look, about: dict[str, Any]) -> str:
    """What is seen and what to do next; of a run that waits, its place in the line.

    What comes after a training is for its owner: the tabs and buttons that it takes are not on a spectator's page.
    """
    if look.row is not None and look.row.state == WAITING:
        return guest.note(look)
    if look.space.share.is_shown and (look.row is None or not look.row.is_active):
        return ""
    is_stopping = look.run is not None and look.run.stop.exists()
    return live.note(look.row, look.curve, about, is_stopping, look.language) + guest.note(look)


# ---------------------------------------------------------------------------------------------- handlers


def start(space: Workspace, corpus: str | None, recipe_name: str, name: str, language: str, *values: Any) -> str:
    """Start a training process.

    Inputs: the name of the text, the recipe, the name of the run (may be empty), every setting's value.
    Outputs: the name of the run.
    """
    if not corpus:
        raise CorpusError(say("train.no_corpus", language))
    corpus = space.corpus(corpus).path.stem
    argv = choosing.argv(space, corpus, recipe_name, language, values)
    configs = choosing.gathered(recipes.find(recipe_name), values, language)
    limits.check_training(space.share.limits, *configs, len(space.corpus(corpus).alphabet), language)
    space.planner.end()
    wanted = choosing.run_name(space, corpus, recipe_name, name)
    return trainings.begin(space, wanted, argv, language, minutes=configs[-1].minutes)


def stop(space: Workspace, run: str) -> None:
    """Inputs: the name of a run. Outputs: none; the trainer finishes its step, saves and ends."""
    trainings.stop(space, run)


def resume(space: Workspace, run: str, language: str) -> None:
    """Inputs: the name of a run, the language. Outputs: none; a new process goes on where the run ended."""
    trainings.resume(space, run, language)


def keep(space: Workspace, run: str, language: str, event: gr.EventData) -> dict[str, str]:
    """Inputs: the name of a run; the event says html or gif. Outputs: its timeline as a file for the browser."""
    return keepsake.kept(run, space.library.samples(run).written, str(event.kind), language)


# ---------------------------------------------------------------------------------------------- layout and events


def build() -> SimpleNamespace:
    """The widgets of the tab, by name; `settings` holds one for each of `FIELDS`, in their order."""
    w = SimpleNamespace()
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="side"):
            choosing.build(w)
        with gr.Column(elem_classes="main"):
            _live(w)
    return w


def _live(w: SimpleNamespace) -> None:
    with gr.Column(elem_classes="card live"):
        w.headline = gr.HTML(elem_id="headline", apply_default_css=False)
        w.figures = gr.HTML(elem_id="figures", apply_default_css=False)
        w.chart = plots.loss_chart()
        w.note = live.note_box()
    w.first_minute = live.first_minute_box()
    with gr.Column(elem_classes="card hero"):
        w.timeline = timeline.timeline()
        w.kept = timeline.kept()
        w.kept_told = gr.HTML(elem_id="kept-told", apply_default_css=False)
    with gr.Column(elem_classes="card", elem_id="meters"):
        w.panels = plots.panels()
    with gr.Column(elem_classes="card settings"), gr.Accordion(text.label("train.log"), open=False):
        w.log = gr.HTML(elem_id="log", apply_default_css=False)


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the tab. Starting, stopping and resuming end with a look at what came of it."""
    w, language, corpus = page.train, page.language, page.corpus.corpus
    asked = [corpus, w.recipe, w.name, language, *w.settings]
    choosing.connect(page, on)

    def begin(space: Workspace, *values: Any) -> tuple[Any, ...]:
        return page.watcher.choose(space, start(space, *values), values[3])

    on(w.go.click, begin, asked, page.chosen, told=w.choice_told)
    seen = [page.selected, page.cursor, language]
    on(w.timeline.keep, keep, [page.selected, language], w.kept, told=w.kept_told, is_look=True)
    def end(space: Workspace, run: str, _: str) -> None:
        stop(space, run)

    for pressed, act in (([w.stop.click, w.note.stop], end), (w.resume.click, resume)):
        on(pressed, _then_look(act, page.watcher), seen, page.watched)


def _then_look(act: Callable[[Workspace, str, str], None], watcher: Watcher) -> Callable[..., tuple[Any, ...]]:
    """A handler that acts on the selected run and shows at once what came of it."""

    def handler(space: Workspace, selected: str, cursor: Cursor, language: str) -> tuple[Any, ...]:
        act(space, selected, language)
        return watcher.watch(space, selected, cursor, language)

    return handler
