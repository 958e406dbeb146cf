"""The Generate tab: choose a model or fetch one, write the first words, watch it go on; change any token and see.

What stands on the page is a `Draft` of its visitor. Every button makes the next one (`playground.writing`), and *Undo*
goes back.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm.errors import HubError, LMError
from playground import equivalents, limits, settings_form, text, transfer, trials, writing, written
from playground.drafts import Draft
from playground.edge import Edge
from playground.look import Look
from playground.markup import fine, note
from playground.models import choices
from playground.text import say
from playground.visitor import is_on_space
from playground.workspace import FETCHED, Workspace
from playground.writing import FIELDS, NAMES, empty

__all__ = ["FIELDS", "FOLLOWS", "build", "choices", "connect", "empty", "fetch", "follow"]

# These stand open; the others fold away under "More ways to steer".
IN_SIGHT = ("temperature", "top_k", "top_p", "max_new_tokens", "seed")
PRESETS = {
    "careful": dict(temperature=0.5, top_k=20, top_p=0.9),
    "balanced": dict(temperature=0.8, top_k=40, top_p=1.0),
    "wild": dict(temperature=1.3, top_k=0, top_p=1.0),
    "greedy": dict(temperature=0.0, top_k=0, top_p=1.0),
}
FOLLOWS = ("checkpoint", "other", "alone", "limits", "bounds")


def follow(look: Look) -> dict[str, Any]:
    """What the tab shows of the disk, by the names of `FOLLOWS`."""
    models = choices(look.space, look.language)
    share = look.space.share
    told = dict(
        alone=trials.alone(models, look.language),
        limits="" if share.is_shown else limits.writing_words(share.limits, look.language),
        bounds="" if share.is_shown else limits.fetching_words(share.limits, look.language),
    )
    return dict(checkpoint=models, other=models) | {name: fine(words) for name, words in told.items()}


def preset(name: str | None) -> list[Any]:
    """Inputs: the name of a preset. Outputs: every sampling setting's value, as it is where the preset is silent."""
    return [PRESETS.get(name, {}).get(field, gr.skip()) for field in NAMES]


def preset_of(*values: Any) -> str | None:
    """Inputs: every sampling setting's value. Outputs: the preset that they are, if any."""
    now = dict(zip(NAMES, values, strict=True))
    return next((name for name, its in PRESETS.items() if all(now[key] == value for key, value in its.items())), None)


# ---------------------------------------------------------------------------------------------- fetching


def fetch(space: Workspace, request: gr.Request, source: str, language: str) -> Iterator[tuple[Any, ...]]:
    """Fetch a model and choose it.

    Inputs: who asks, a repository, a link or a folder. Outputs, again and again: the models, how far it is or what went
    wrong, as HTML, whether the buttons for fetching and cancelling can be used.
    """
    busy, idle = ((gr.update(interactive=not on), gr.update(visible=on)) for on in (True, False))

    def work(progress: Any, should_stop: Any) -> str:
        from lm.pull import parse, pull

        if (is_on_space() or space.share.limits) and parse(source).folder is not None:
            raise HubError(say("fetch.no_folder", language))
        check_room = functools.partial(space.check_room, language=language)
        pulled = pull(source, progress=progress, should_stop=should_stop, check_room=check_room)
        return space.adopt(pulled.path, pulled.repo or source.strip())

    try:
        if not source.strip():
            raise HubError(say("fetch.no_source", language))
        for moving in space.transfers.follow((request.session_hash, "fetch"), work):
            yield gr.skip(), transfer.under_way(moving, language), *busy
        name = moving.result()
    except LMError as error:
        yield gr.skip(), transfer.refusal(error, language), *idle
        return
    chosen = gr.update(choices=choices(space, language), value=f"{name}/{FETCHED}")
    yield chosen, note("calm", say("fetch.arrived", language)), *idle


def cancel(space: Workspace, request: gr.Request) -> None:
    """Inputs: who asks. Outputs: none; what has arrived is kept."""
    space.transfers.cancel((request.session_hash, "fetch"))


# ---------------------------------------------------------------------------------------------- layout and events


def build() -> SimpleNamespace:
    """The widgets of the tab, by name; `settings` holds one for each of `FIELDS`, in their order."""
    w = SimpleNamespace(draft=gr.State(Draft()))
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="side"):
            with gr.Column(elem_classes="card"):
                w.checkpoint = gr.Dropdown(
                    [], label=text.label("generate.checkpoint"), elem_id="checkpoint", filterable=False
                )
                _from_elsewhere(w)
                _settings(w)
        with gr.Column(elem_classes="main"):
            with gr.Column(elem_classes="card"):
                w.prompt = gr.Textbox(
                    label=text.label("generate.prompt"), placeholder=text.label("generate.prompt_here"), lines=2,
                    max_lines=8, elem_id="prompt",
                )  # fmt: skip
                with gr.Row(elem_classes="pair"):
                    w.go = gr.Button(text.label("generate.go"), variant="primary", elem_id="write")
                    w.stop = gr.Button(text.label("generate.stop"), elem_id="stop-writing")
                w.limits = gr.HTML(elem_id="writing-limits", apply_default_css=False)
            with gr.Column(elem_classes="card hero"):
                w.page = written.component()
                w.lost = gr.HTML(elem_id="lost", apply_default_css=False)
                w.told = gr.HTML(elem_id="told", apply_default_css=False)
                with gr.Row(elem_classes="pair"):
                    w.go_on = gr.Button(text.label("generate.go_on"), elem_id="go-on")
                    w.again = gr.Button(text.label("generate.again"), elem_id="again")
                    w.undo = gr.Button(text.label("generate.undo"), elem_id="undo")
                w.meter = gr.HTML(elem_id="meter", apply_default_css=False)
                with gr.Accordion(text.label("elsewhere.title"), open=False, elem_classes="group"):
                    w.elsewhere = equivalents.copyable("written-elsewhere")
            w.trials = trials.build()
            w.other, w.alone = w.trials.other, w.trials.alone
    return w


def _settings(w: SimpleNamespace) -> None:
    names = [(text.label(f"generate.preset.{name}"), name) for name in PRESETS]
    w.preset = gr.Radio(
        names, value="balanced", label=text.label("generate.preset"), elem_id="preset", elem_classes="segments"
    )
    by_name = {f.name: settings_form.widget(c, f) for c, f in FIELDS if f.name in IN_SIGHT}
    with gr.Accordion(text.label("generate.more"), open=False, elem_classes="group"):
        by_name |= {f.name: settings_form.widget(c, f) for c, f in FIELDS if f.name not in IN_SIGHT}
    w.settings = [by_name[name] for name in NAMES]
    w.seed = by_name["seed"]


def _from_elsewhere(w: SimpleNamespace) -> None:
    with gr.Accordion(text.label("fetch.title"), open=False, elem_classes="group", elem_id="elsewhere"):
        w.source = gr.Textbox(
            label=text.label("fetch.source_space" if is_on_space() else "fetch.source"),
            info=text.label("fetch.info"),
            placeholder="user/name",
            max_lines=1,
            elem_id="source",
            html_attributes=gr.InputHTMLAttributes(spellcheck=False, autocomplete="off"),
        )
        w.bounds = gr.HTML(elem_id="fetch-limits", apply_default_css=False)
        with gr.Row(elem_classes="pair"):
            w.fetch = gr.Button(text.label("fetch.go"), elem_id="fetch")
            w.cancel = gr.Button(text.label("share.cancel"), elem_id="cancel-fetch", visible=False)
        w.fetched = gr.HTML(elem_id="fetched", apply_default_css=False)


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the tab. Whatever writes can be stopped, and only one thing writes at a time."""
    w, language = page.generate, page.language
    shown = [w.page, w.draft, w.meter, w.elsewhere, w.told]
    asked = [w.checkpoint, w.prompt, w.draft, language, *w.settings]
    alone = dict(told=w.told, concurrency_id="writing", concurrency_limit=4, trigger_mode="once")
    underway = [
        on([w.go.click, w.prompt.submit], writing.write, asked, shown, **alone),
        on(w.again.click, writing.again, asked, [w.seed, *shown], **alone),
        on(w.go_on.click, writing.go_on, [w.draft, language, *w.settings], shown, **alone),
        on(w.page.edit, writing.regrow, [w.draft, language], shown, **alone),
    ]
    on(w.stop.click, writing.halt, [w.draft, language], shown, told=w.told, cancels=underway)
    on(w.undo.click, writing.undo, [w.draft, language], shown, told=w.told)
    on(w.page.select, writing.unfold, [w.draft, language], w.page, told=w.lost)
    on(w.preset.input, preset, w.preset, w.settings)
    on([widget.input for widget in w.settings[1:4]], preset_of, w.settings, w.preset)
    fetched = [w.checkpoint, w.fetched, w.fetch, w.cancel]
    on([w.fetch.click, w.source.submit], fetch, [w.source, language], fetched, told=w.fetched)
    on(w.cancel.click, cancel)
    trials.connect(w, language, on)
