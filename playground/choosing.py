"""The left side of the Train tab: the recipe, the time dial, what the run will come to, every setting.

`argv` is the one way from the widgets to a run: the command that is shown, the rehearsal and the start all take it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm import dial, recipes, settings_file
from lm.errors import ConfigError, CorpusError
from lm.names import free_name
from lm.preflight import advice
from lm.recipes import Recipe
from lm.settings import check
from playground import elsewhere, forecast_view, recipe_cards, settings_form, text
from playground.edge import QUIET, Edge
from playground.markup import count, escape, fault
from playground.text import say
from playground.theme import asset
from playground.workspace import Workspace

FIRST_RECIPE = "quickstart"
FIELDS = settings_form.training_fields()
# A recipe changes thirty settings at once, and each says so. Each is answered by how many there were a moment later, which
# is one number for all of them: what follows is asked for once. Measured: 3 requests instead of 20 to 34.
SETTLED = """async () => {
  globalThis.settingChanges = (globalThis.settingChanges ?? 0) + 1;
  await new Promise((resolve) => { setTimeout(resolve, 50); });
  return globalThis.settingChanges;
}"""


# ---------------------------------------------------------------------------------------------- handlers


def recipe_values(recipe_name: str) -> list[Any]:
    """Inputs: the name of a recipe. Outputs: the value of every setting, in the order of `FIELDS`."""
    return values_of(recipes.find(recipe_name))


def values_of(recipe: Recipe) -> list[Any]:
    """The value of every setting, in the order of `FIELDS`."""
    return [getattr(config, f.name) for kind, f in FIELDS for config in configs_of(recipe) if type(config) is kind]


def choose_recipe(recipe_name: str, language: str) -> tuple[Any, ...]:
    """Inputs: a recipe. Outputs: its name, the cards, the value of every setting."""
    return recipe_name, recipe_cards.cards(recipe_name, language), *recipe_values(recipe_name)


def argv(space: Workspace, corpus: str, recipe_name: str, language: str, values: tuple[Any, ...]) -> list[str]:
    """The flags of `lm train` for these settings; every fault of them in one `ConfigError`."""
    recipe = recipes.find(recipe_name)
    configs = gathered(recipe, values, language)
    return ["--data", str(space.path(corpus)), *recipes.flags(recipe, *configs)]


def gathered(recipe: Recipe, values: tuple[Any, ...], language: str) -> list[Any]:
    """The recipe's configurations with the widgets' values, checked."""
    configs = settings_form.gather(FIELDS, values, configs_of(recipe), language)
    check(*configs)
    return configs


def configs_of(recipe: Recipe) -> tuple[Any, Any, Any]:
    return recipe.data, recipe.model, recipe.train


def run_name(space: Workspace, corpus: str, recipe_name: str, name: str) -> str:
    """What the run will be called: as wished, or after text and recipe; always a name that is free."""
    return free_name(space.runs_dir, name.strip() or f"{corpus}-{recipe_name}")


def command(space: Workspace, corpus: str | None, recipe_name: str, name: str, language: str, *values: Any) -> str:
    """Inputs: those of `train.start`. Outputs: the ways to the same run elsewhere, or what is wrong, as HTML."""
    if not corpus:
        return ""
    recipe = recipes.find(recipe_name)
    try:
        configs = gathered(recipe, values, language)
        space.planner.end(unless=argv(space, corpus, recipe_name, language, values))
    except ConfigError as error:
        return fault(error, language) + settings_form.marks(FIELDS, error, language)
    name, path = run_name(space, corpus, recipe_name, name), space.path(corpus)
    shown = (
        path.name if space.share.queue else str(path)
    )  # a visitor's folder on a shared machine means nothing to them
    return elsewhere.panel(name, shown, recipe, tuple(configs), language)


def forecast(space: Workspace, corpus: str | None, recipe_name: str, language: str, *values: Any) -> Iterator[str]:
    """Inputs: the text, the recipe, every setting's value. Outputs: what the run comes to, as HTML, once measured."""
    if not corpus:
        yield f'<p class="fine">{escape(say("train.no_corpus", language))}</p>'
        return
    try:
        configs = gathered(recipes.find(recipe_name), values, language)
    except ConfigError:  # `command` says what is wrong
        yield forecast_view.panel(None, [], "plan.unfit", language)
        return
    unwise = advice(*configs, space.corpus(corpus).statistics.characters)
    asked = argv(space, corpus, recipe_name, language, values)
    known = space.planner.known(asked)
    if known is None and (is_training(space) or space.share.queue is not None):  # not for each of many visitors
        yield forecast_view.panel(None, unwise, "plan.shared" if space.share.queue else "plan.later", language)
        return
    if known is None:
        yield forecast_view.panel(None, unwise, "plan.measuring", language)
        known = space.planner.plan(asked)
    if known is None:  # ended by a training that began meanwhile
        yield forecast_view.panel(None, unwise, "plan.later", language)
    else:
        yield forecast_view.panel(forecast_view.told(known), unwise, "", language)


def aim(space: Workspace, corpus: str | None, minutes: float, language: str) -> Iterator[tuple[Any, ...]]:
    """Inputs: the text, how many minutes there are. Outputs: the dial, then what `choose_recipe` gives."""
    if not corpus:
        raise CorpusError(say("train.no_corpus", language))
    if is_training(space):
        raise ConfigError(say("dial.busy", language))
    rest = [gr.skip()] * (2 + len(FIELDS))
    yield dial_html(minutes, language, is_trying=True), *rest
    path = str(space.path(corpus))
    plan = space.planner.plan(["--data", path, "--best-in", f"{minutes:g}"])
    if plan is None:
        yield dial_html(0, language), *rest
        return
    made = settings_file.recipe_of(plan["settings"], "the dial")
    space.planner.remember(["--data", path, *recipes.flags(recipes.find(FIRST_RECIPE), *configs_of(made))], plan)
    yield dial_html(minutes, language), FIRST_RECIPE, recipe_cards.cards(FIRST_RECIPE, language), *values_of(made)


def open_settings(path: str, language: str) -> tuple[Any, ...]:
    """Inputs: a file of settings. Outputs: those of `choose_recipe`."""
    return _shown(settings_file.read(Path(path)), language)


def open_link(query: dict[str, str], language: str) -> tuple[Any, ...]:
    """Inputs: the query of the page's address. Outputs: those of `choose_recipe`; without a recipe, only the cards."""
    if recipe := elsewhere.read_link(query):
        return _shown(recipe, language)
    return gr.skip(), recipe_cards.cards(FIRST_RECIPE, language), *([gr.skip()] * len(FIELDS))


def first_words(language: str) -> tuple[str, str]:
    """The time dial and the plan of a page that opens, in the language of who opened it."""
    return dial_html(0, language), forecast_view.panel(None, [], "plan.measuring", language)


def about_text(space: Workspace, corpus: str | None, language: str) -> str:
    """Inputs: the name of the text. Outputs: what will be trained on, as HTML."""
    if not corpus:
        return f'<p class="fine">{escape(say("train.no_corpus", language))}</p>'
    size = say("train.corpus_size", language, n=count(space.corpus(corpus).statistics.characters))
    label = escape(say("train.corpus", language))
    return f'<p class="text-line"><span>{label}</span><b>{escape(corpus)}</b><span>{escape(size)}</span></p>'


def dial_html(chosen: float, language: str, is_trying: bool = False) -> str:
    """The time dial: one button for each length of time."""
    title = escape(say("dial.title", language))
    buttons = "".join(_minutes_button(minutes, minutes == chosen, is_trying, language) for minutes in dial.MINUTES)
    trying = f'<p class="fine" role="status">{escape(say("dial.trying", language))}</p>' if is_trying else ""
    return f'<h4>{title}</h4><div class="dial" role="group" aria-label="{title}">{buttons}</div>{trying}'


def _minutes_button(minutes: int, is_chosen: bool, is_trying: bool, language: str) -> str:
    words = say("dial.hour", language) if minutes == 60 else say("dial.minutes", language, n=minutes)
    aim_words = escape(say("dial.aim", language, n=minutes))
    pressed = f' aria-pressed="{str(is_chosen).lower()}"'
    disabled = " disabled" if is_trying else ""
    return f'<button data-minutes="{minutes}" title="{aim_words}"{pressed}{disabled}>{escape(words)}</button>'


def is_training(space: Workspace) -> bool:
    """Whether something is being trained here: a speed measured beside it would be wrong, and a nuisance."""
    line = space.share.queue
    return any(row.is_active for row in space.library.rows()) or (line is not None and line.n_running() > 0)


def _shown(recipe: Recipe, language: str) -> tuple[Any, ...]:
    """The settings of a recipe that may be changed; the card is that of the recipe it began from."""
    name = recipe.name if recipe.name in recipes.RECIPES else FIRST_RECIPE
    return name, recipe_cards.cards(name, language), *values_of(dataclasses.replace(recipe, name=name))


# ---------------------------------------------------------------------------------------------- layout and events


def build(w: SimpleNamespace) -> None:
    """The cards of the left side; `w.settings` holds one widget for each of `FIELDS`, in their order."""
    script = asset("choosing.js").read_text(encoding="utf-8")
    html = dict(apply_default_css=False, js_on_load=script)
    with gr.Column(elem_classes="card choices"):
        w.recipe = gr.State(FIRST_RECIPE)
        w.settled = gr.Number(visible="hidden")  # of how many changes the panels tell
        w.about = gr.HTML(elem_id="about-text", apply_default_css=False)
        w.cards = gr.HTML(recipe_cards.cards(FIRST_RECIPE, "en"), elem_id="recipe", **html)
        dial_first, plan_first = first_words("en")
        w.dial = gr.HTML(dial_first, elem_id="dial", **html)
        w.plan = gr.HTML(plan_first, elem_id="plan", **html)
        w.choice_told = gr.HTML(elem_id="choice-told", apply_default_css=False)
        w.go = gr.Button(text.label("train.go"), variant="primary", elem_id="train")
        w.stop = gr.Button(text.label("train.stop"), elem_id="stop", visible=False)
        w.resume = gr.Button(text.label("train.resume"), elem_id="resume", visible=False)
        w.name = gr.Textbox(
            label=text.label("train.name"), info=text.label("train.name_info"), elem_id="run-name", max_lines=1,
            max_length=64,
        )  # fmt: skip
    with gr.Column(elem_classes="card settings"), gr.Accordion(text.label("train.settings"), open=False):
        first = {f.name: value for (_, f), value in zip(FIELDS, recipe_values(FIRST_RECIPE), strict=True)}
        w.settings = settings_form.form(FIELDS, first)
    with gr.Column(elem_classes="card"):
        w.command = gr.HTML(elem_id="command", **html)
        w.open_told = gr.HTML(elem_id="open-told", apply_default_css=False)
        w.open = gr.UploadButton(text.label("elsewhere.load"), file_types=[".json"], elem_id="open-settings", size="sm")


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the left side, but for the buttons that start and end a training."""
    w, language, corpus = page.train, page.language, page.corpus.corpus
    chosen = [w.recipe, w.cards, *w.settings]

    def select(language: str, event: gr.EventData) -> tuple[Any, ...]:
        return dial_html(0, language), *choose_recipe(str(event.recipe), language)

    def turn(space: Workspace, corpus: str, language: str, event: gr.EventData) -> Iterator[tuple[Any, ...]]:
        yield from aim(space, corpus, float(event.minutes), language)

    def arrive(request: gr.Request) -> tuple[Any, ...]:
        return open_link(dict(request.query_params), text.language_of(request.headers))

    on(w.cards.select, select, language, [w.dial, *chosen])
    on(w.dial.select, turn, [corpus, language], [w.dial, *chosen], told=w.choice_told)
    on(w.open.upload, open_settings, [w.open, language], chosen, told=w.open_told)
    on(page.app.load, arrive, None, chosen, told=w.choice_told)
    on([corpus.change, language.change], about_text, [corpus, language], w.about, is_look=True)
    asked = [corpus, w.recipe, w.name, language, *w.settings]
    # What was refused holds no longer once something was set otherwise.
    gr.on([one.input for one in (w.name, *w.settings)], None, js="() => ''", outputs=w.choice_told, **QUIET)
    gr.on([one.change for one in (w.recipe, corpus, *w.settings)], None, js=SETTLED, outputs=w.settled, **QUIET)
    on([w.settled.change, w.name.change], command, asked, w.command, trigger_mode="always_last")
    measured = [corpus, w.recipe, language, *w.settings]
    on(w.settled.change, forecast, measured, w.plan, told=w.plan, trigger_mode="always_last", concurrency_limit=4)
