"""The Generate tab: choose a model, write the first words, watch it go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm.config import SampleConfig, check
from lm.errors import CheckpointError
from playground import settings_form, text
from playground.markup import count, escape, written
from playground.text import say
from playground.workspace import Workspace

FIELDS = settings_form.sampling_fields()
# These stand open; the others fold away under "More ways to steer".
IN_SIGHT = ("temperature", "top_k", "top_p", "max_new_tokens")
# The page is redrawn at most this often while the model writes: 20 times a second look like a typewriter.
REDRAW_SECONDS = 0.05


def choices(space: Workspace, language: str) -> list[tuple[str, str]]:
    """(what a person reads, `run/which`) of every model there is."""
    return [(f"{run} · {say(f'generate.{which}', language)}", f"{run}/{which}") for run, which in space.checkpoints()]


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


def build() -> SimpleNamespace:
    """The widgets of the tab, by name; `settings` holds one for each of `FIELDS`, in their order."""
    w = SimpleNamespace()
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="side"):
            with gr.Column(elem_classes="card"):
                w.checkpoint = gr.Dropdown(
                    [], label=text.label("generate.checkpoint"), elem_id="checkpoint", filterable=False
                )
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
