"""The Generate tab: choose a model or fetch one, write the first words, watch it go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm.config import SampleConfig, check
from lm.errors import CheckpointError, HubError, LMError
from playground import settings_form, text, transfer
from playground.edge import Edge
from playground.look import Look
from playground.markup import count, escape, note, written
from playground.text import say
from playground.visitor import is_on_space
from playground.workspace import FETCHED, Workspace

FIELDS = settings_form.sampling_fields()
# These stand open; the others fold away under "More ways to steer".
IN_SIGHT = ("temperature", "top_k", "top_p", "max_new_tokens")
# The page is redrawn at most this often while the model writes: 20 times a second look like a typewriter.
REDRAW_SECONDS = 0.05
FOLLOWS = ("checkpoint",)


def follow(look: Look) -> dict[str, Any]:
    """What the tab shows of the disk, by the names of `FOLLOWS`."""
    return dict(checkpoint=choices(look.space, look.language))


def choices(space: Workspace, language: str) -> list[tuple[str, str]]:
    """(what a person reads, `run/which`) of every model there is, those of the runs first."""
    own = [(f"{run} · {say(f'generate.{which}', language)}", f"{run}/{which}") for run, which in space.checkpoints()]
    return own + [(title, f"{name}/{FETCHED}") for title, name in space.fetched()]


def write(
    space: Workspace, checkpoint: str | None, prompt: str, language: str, *values: Any
) -> Iterator[tuple[str, str]]:
    """Continue a prompt.

    Inputs: `run/which`, the first words, every sampling setting's value.
    Outputs: again and again, the texts so far and a line about them, as HTML.
    """
    from lm.generate import stream

    if not checkpoint:
        raise CheckpointError(say("generate.no_model", language))
    [config] = settings_form.gather(FIELDS, values, [SampleConfig()], language)
    check(config)
    model, tokenizer = space.model(*checkpoint.rsplit("/", 1))
    told = _unknown(tokenizer.unknown(prompt), language)
    texts, drawn, started = [""] * config.num_samples, 0.0, time.perf_counter()
    yield page(prompt, texts, True, language), told
    for piece in stream(model, tokenizer, prompt, config):
        texts[piece.sample] += piece.text
        if time.perf_counter() - drawn >= REDRAW_SECONDS:
            drawn = time.perf_counter()
            yield page(prompt, texts, True, language), told
    seconds = time.perf_counter() - started
    tokens = sum(len(tokenizer.encode(one)) for one in texts)
    rate = say("generate.rate", language, n=count(tokens), rate=count(tokens / seconds), seed=config.seed)
    yield page(prompt, texts, False, language), f'{told}<p class="fine">{escape(rate)}</p>'


def fetch(space: Workspace, request: gr.Request, source: str, language: str) -> Iterator[tuple[Any, ...]]:
    """Fetch a model and choose it.

    Inputs: who asks, a repository, a link or a folder. Outputs, again and again: the models, how far it is or what went
    wrong, as HTML, whether the buttons for fetching and cancelling can be used.
    """
    busy, idle = ((gr.update(interactive=not on), gr.update(visible=on)) for on in (True, False))

    def work(progress: Any, should_stop: Any) -> str:
        from lm.pull import parse, pull

        if is_on_space() and parse(source).folder is not None:
            raise HubError(say("fetch.no_folder", language))
        pulled = pull(source, progress=progress, should_stop=should_stop)
        return space.adopt(pulled.path, pulled.repo or source.strip())

    try:
        if not source.strip():
            raise HubError(say("fetch.no_source", language))
        for moving in space.transfers.follow((request.session_hash, "fetch"), work):
            yield gr.skip(), transfer.under_way(moving, language), *busy
        name = moving.result()
    except LMError as error:
        yield gr.skip(), transfer.refusal(error), *idle
        return
    chosen = gr.update(choices=choices(space, language), value=f"{name}/{FETCHED}")
    yield chosen, note("calm", say("fetch.arrived", language)), *idle


def cancel(space: Workspace, request: gr.Request) -> None:
    """Inputs: who asks. Outputs: none; what has arrived is kept."""
    space.transfers.cancel((request.session_hash, "fetch"))


def page(prompt: str, texts: list[str], is_writing: bool, language: str) -> str:
    """Every sample under the next, each with the prompt before it."""
    if len(texts) == 1:
        return written(prompt, texts[0], is_writing)
    return "".join(
        f"<h4>{escape(say('generate.sample', language, n=n))}</h4>{written(prompt, one, is_writing)}"
        for n, one in enumerate(texts, start=1)
    )


def empty(language: str) -> str:
    return f'<p class="teach">{escape(say("generate.empty", language))}</p>'


def _unknown(characters: list[str], language: str) -> str:
    if not characters:
        return ""
    shown = " ".join(f"“{character}”" for character in characters[:20])
    words = say("generate.unknown", language, characters=shown)
    return f'<div class="note attention" role="note"><p>{escape(words)}</p></div>'


# ---------------------------------------------------------------------------------------------- layout and events


def build() -> SimpleNamespace:
    """The widgets of the tab, by name; `settings` holds one for each of `FIELDS`, in their order."""
    w = SimpleNamespace()
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="side"):
            with gr.Column(elem_classes="card"):
                w.checkpoint = gr.Dropdown(
                    [], label=text.label("generate.checkpoint"), elem_id="checkpoint", filterable=False
                )
                _from_elsewhere(w)
                by_name = {f.name: settings_form.widget(c, f) for c, f in FIELDS if f.name in IN_SIGHT}
                with gr.Accordion(text.label("generate.more"), open=False, elem_classes="group"):
                    by_name |= {f.name: settings_form.widget(c, f) for c, f in FIELDS if f.name not in IN_SIGHT}
                w.settings = [by_name[f.name] for _, f in FIELDS]
        with gr.Column(elem_classes="main"):
            with gr.Column(elem_classes="card"):
                w.prompt = gr.Textbox(
                    label=text.label("generate.prompt"), placeholder=text.label("generate.prompt_here"), lines=2,
                    max_lines=8, elem_id="prompt",
                )  # fmt: skip
                with gr.Row(elem_classes="pair"):
                    w.go = gr.Button(text.label("generate.go"), variant="primary", elem_id="write")
                    w.stop = gr.Button(text.label("generate.stop"), elem_id="stop-writing")
            with gr.Column(elem_classes="card hero"):
                w.page = gr.HTML(elem_id="written", apply_default_css=False)
                w.told = gr.HTML(elem_id="told", apply_default_css=False)
    return w


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
        with gr.Row(elem_classes="pair"):
            w.fetch = gr.Button(text.label("fetch.go"), elem_id="fetch")
            w.cancel = gr.Button(text.label("share.cancel"), elem_id="cancel-fetch", visible=False)
        w.fetched = gr.HTML(elem_id="fetched", apply_default_css=False)


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the tab."""
    w = page.generate
    asked = [w.checkpoint, w.prompt, page.language, *w.settings]
    writing = on([w.go.click, w.prompt.submit], write, asked, [w.page, w.told], told=w.told)
    w.stop.click(None, cancels=writing, api_visibility="private")
    fetched = [w.checkpoint, w.fetched, w.fetch, w.cancel]
    on([w.fetch.click, w.source.submit], fetch, [w.source, page.language], fetched, told=w.fetched)
    on(w.cancel.click, cancel)
