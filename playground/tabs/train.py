"""The Train tab: choose, press one button, watch."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm import launch, recipes, run_dir
from lm.config import check
from lm.errors import ConfigError, CorpusError
from playground import live, plots, settings_form, text, views
from playground.edge import Edge
from playground.look import Look
from playground.markup import count, escape, fault
from playground.text import say
from playground.watch import Cursor, Watcher
from playground.workspace import Workspace

FIRST_RECIPE = "quickstart"
FIELDS = settings_form.training_fields()
FOLLOWS = ("headline", "figures", "note", "sample", "log", "go", "stop", "resume")


def follow(look: Look) -> dict[str, Any]:
    """What the tab shows of the selected run, by the names of `FOLLOWS`."""
    row, curve, run, language = look.row, look.curve, look.run, look.language
    is_active = row is not None and row.is_active
    return dict(
        headline=live.headline(row, views.description(run) if run else {}, language),
        figures=live.numbers(row, curve, language),
        note=live.note(row, curve, run is not None and run.stop.exists(), language),
        sample=live.sample(views.latest_sample(run) if run else {}, language),
        log=live.log(views.log_tail(run) if run else ""),
        go=not is_active,
        stop=is_active,
        resume=row is not None and row.state in views.RESUMABLE_STATES,
    )


# ---------------------------------------------------------------------------------------------- handlers


def recipe_values(recipe_name: str) -> list[Any]:
    """Inputs: the name of a recipe. Outputs: the value of every setting, in the order of `FIELDS`."""
    recipe = recipes.find(recipe_name)
    return [getattr(config, f.name) for kind, f in FIELDS for config in _configs(recipe) if type(config) is kind]


def start(space: Workspace, corpus: str | None, recipe_name: str, name: str, language: str, *values: Any) -> str:
    """Start a training process.

    Inputs: the name of the text, the recipe, the name of the run (may be empty), every setting's value.
    Outputs: the name of the run.
    """
    if not corpus:
        raise CorpusError(say("train.no_corpus", language))
    argv = _argv(space, space.corpus(corpus).path.stem, recipe_name, language, values)
    wanted = name.strip() or f"{corpus}-{recipe_name}"
    return launch.start(space.runs_dir, run_dir.free_name(space.runs_dir, wanted), argv).name


def stop(space: Workspace, run: str) -> None:
    """Inputs: the name of a run. Outputs: none; the trainer finishes its step, saves and ends."""
    launch.stop(run_dir.find(space.runs_dir, run))


def resume(space: Workspace, run: str) -> None:
    """Inputs: the name of a run. Outputs: none; a new process goes on where the run ended."""
    launch.resume(run_dir.find(space.runs_dir, run))


def command(space: Workspace, corpus: str | None, recipe_name: str, name: str, language: str, *values: Any) -> str:
    """Inputs: those of `start`. Outputs: the command that does the same, or what is wrong, as HTML."""
    if not corpus:
        return ""
    try:
        argv = _argv(space, corpus, recipe_name, language, values)
    except ConfigError as error:
        return fault(error)
    wanted = run_dir.free_name(space.runs_dir, name.strip() or f"{corpus}-{recipe_name}")
    title = escape(say("train.command", language))
    command_line = escape(launch.command(wanted, argv))
    return f'<div class="ruled"><h4>{title}</h4><pre class="command" tabindex="0">{command_line}</pre></div>'


def about_recipe(space: Workspace, corpus: str | None, recipe_name: str, language: str) -> str:
    """Inputs: the name of the text, the recipe. Outputs: what will be trained on and how, as HTML."""
    recipe = recipes.find(recipe_name)
    about = f"<p>{escape(recipe.about)}</p>"
    if not corpus:
        return about + f'<p class="fine">{escape(say("train.no_corpus", language))}</p>'
    size = say("train.corpus_size", language, n=count(space.corpus(corpus).statistics.characters))
    label = escape(say("train.corpus", language))
    return f'{about}<p class="text-line"><span>{label}</span><b>{escape(corpus)}</b><span>{escape(size)}</span></p>'


def _argv(space: Workspace, corpus: str, recipe_name: str, language: str, values: tuple[Any, ...]) -> list[str]:
    """The flags of `lm train` for these settings; every fault of them in one `ConfigError`."""
    recipe = recipes.find(recipe_name)
    data, model, train = settings_form.gather(FIELDS, values, _configs(recipe), language)
    check(data, model, train)
    return ["--data", str(space.path(corpus)), *recipes.flags(recipe, data, model, train)]


def _configs(recipe: recipes.Recipe) -> tuple[Any, Any, Any]:
    return recipe.data, recipe.model, recipe.train


# ---------------------------------------------------------------------------------------------- layout and events


def build() -> SimpleNamespace:
    """The widgets of the tab, by name; `settings` holds one for each of `FIELDS`, in their order."""
    w = SimpleNamespace()
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="side"):
            _choices(w)
            with gr.Column(elem_classes="card settings"), gr.Accordion(text.label("train.settings"), open=False):
                recipe = recipes.find(FIRST_RECIPE)
                first = {f.name: value for (_, f), value in zip(FIELDS, recipe_values(recipe.name), strict=True)}
                w.settings = settings_form.form(FIELDS, first)
        with gr.Column(elem_classes="main"):
            _live(w)
    return w


def _choices(w: SimpleNamespace) -> None:
    with gr.Column(elem_classes="card"):
        titles = [(recipe.title, name) for name, recipe in recipes.RECIPES.items()]
        w.recipe = gr.Dropdown(
            titles, value=FIRST_RECIPE, label=text.label("train.recipe"), elem_id="recipe", filterable=False
        )
        w.about = gr.HTML(elem_id="about-recipe", apply_default_css=False)
        w.name = gr.Textbox(
            label=text.label("train.name"), info=text.label("train.name_info"), elem_id="run-name", max_lines=1,
            max_length=64,
        )  # fmt: skip
        w.go = gr.Button(text.label("train.go"), variant="primary", elem_id="train")
        w.stop = gr.Button(text.label("train.stop"), elem_id="stop", visible=False)
        w.resume = gr.Button(text.label("train.resume"), elem_id="resume", visible=False)
        w.command = gr.HTML(elem_id="command", apply_default_css=False)


def _live(w: SimpleNamespace) -> None:
    with gr.Column(elem_classes="card live"):
        w.headline = gr.HTML(elem_id="headline", apply_default_css=False)
        w.figures = gr.HTML(elem_id="figures", apply_default_css=False)
        w.chart = plots.loss_chart()
        w.note = gr.HTML(elem_id="note", apply_default_css=False)
    with gr.Column(elem_classes="card hero"):
        w.sample = gr.HTML(elem_id="latest-sample", apply_default_css=False)
    with gr.Column(elem_classes="card settings"), gr.Accordion(text.label("train.log"), open=False):
        w.log = gr.HTML(elem_id="log", apply_default_css=False)


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the tab. Starting, stopping and resuming end with a look at what came of it."""
    w, language, corpus = page.train, page.language, page.corpus.corpus
    asked = [corpus, w.recipe, w.name, language, *w.settings]
    on(w.recipe.input, recipe_values, w.recipe, w.settings)
    on([w.recipe.change, corpus.change], about_recipe, [corpus, w.recipe, language], w.about)
    changed = [one.change for one in (w.recipe, corpus, w.name, *w.settings)]
    on(changed, command, asked, w.command, trigger_mode="always_last")

    def begin(space: Workspace, *values: Any) -> tuple[Any, ...]:
        return page.watcher.choose(space, start(space, *values), values[3])

    on(w.go.click, begin, asked, page.chosen, told=w.command)
    for button, act in ((w.stop, stop), (w.resume, resume)):
        on(button.click, _then_look(act, page.watcher), [page.selected, page.cursor, language], page.watched)


def _then_look(act: Callable[[Workspace, str], None], watcher: Watcher) -> Callable[..., tuple[Any, ...]]:
    """A handler that acts on the selected run and shows at once what came of it."""

    def handler(space: Workspace, selected: str, cursor: Cursor, language: str) -> tuple[Any, ...]:
        act(space, selected)
        return watcher.watch(space, selected, cursor, language)

    return handler
