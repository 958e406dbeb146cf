"""The same beginning and the same dice, several times: over a grid of settings, and by two models side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm.config import SampleConfig
from lm.errors import CheckpointError
from playground import drafts, equivalents, limits, text, writing
from playground.drafts import Draft
from playground.edge import Edge
from playground.elsewhere import way
from playground.markup import escape
from playground.models import choices, load
from playground.text import say
from playground.workspace import Workspace

TEMPERATURES = (0.2, 0.7, 1.0, 1.5)
TOP_K = (0, 40, 5)  # rows of the grid; 0 is all
GRID_TOKENS = 60
PAIR_TOKENS = 300
REDRAW_PIECES = 8


def grid(space: Workspace, checkpoint: str | None, prompt: str, language: str, *values: Any) -> Iterator[str]:
    """Write the same beginning with the same seed at every temperature and top-k.

    Inputs: `run/which`, the first words, every sampling setting's value. Outputs: again and again a table, as HTML.
    """
    model, tokenizer = load(space, checkpoint, language)
    base = replace(writing.sampling(values, language), num_samples=1)
    base = replace(base, max_new_tokens=min(base.max_new_tokens, GRID_TOKENS))
    cells = {(k, t): "" for k in TOP_K for t in TEMPERATURES}
    limits.check_writing(space.share.limits, base.max_new_tokens * len(cells), language)
    with space.share.turns.writing(space.share.visitor, space.share.limits, language):
        yield table(prompt, cells, language, is_writing=True)
        for k, t in cells:
            for piece in _pieces(space, model, tokenizer, prompt, replace(base, temperature=t, top_k=k)):
                cells[k, t] += piece
                yield table(prompt, cells, language, is_writing=True)
    written = Draft(checkpoint, prompt, config=base)
    yield table(prompt, cells, language) + grid_elsewhere(written, writing.title_of(space, checkpoint), language)


def pair(
    space: Workspace, checkpoint: str | None, other: str | None, prompt: str, language: str, *values: Any
) -> Iterator[str]:
    """Let two models continue the same beginning with the same seed.

    Inputs: `run/which` twice, the first words, every sampling setting's value. Outputs: again and again both, as HTML.
    """
    config = replace(writing.sampling(values, language), num_samples=1)
    config = replace(config, max_new_tokens=min(config.max_new_tokens, PAIR_TOKENS))
    if not other:
        raise CheckpointError(alone(choices(space, language), language) or say("trials.no_other", language))
    limits.check_writing(space.share.limits, 2 * config.max_new_tokens, language)
    models = [load(space, one, language) for one in (checkpoint, other)]
    texts = ["", ""]
    with space.share.turns.writing(space.share.visitor, space.share.limits, language):
        for i, (model, tokenizer) in enumerate(models):
            for piece in _pieces(space, model, tokenizer, prompt, config):
                texts[i] += piece
                yield beside((checkpoint, other), prompt, texts, language, is_writing=True)
    written = [(writing.title_of(space, one), Draft(one, prompt, config=config)) for one in (checkpoint, other)]
    yield beside((checkpoint, other), prompt, texts, language) + pair_elsewhere(written, language)


def second(space: Workspace, checkpoint: str | None, other: str | None, language: str) -> Any:
    """Inputs: `run/which` of both models. Outputs: the second choice, made where there was none, or the same model."""
    models = choices(space, language)
    known = [value for _, value in models]
    if other in known and other != checkpoint:
        return gr.skip()
    return gr.update(choices=models, value=companion(known, checkpoint))


def companion(known: list[str], checkpoint: str | None) -> str | None:
    """Of the `known` models the one to stand beside `checkpoint`: another run's, else its own run's other one."""
    run = str(checkpoint).split("/")[0]
    others = [one for one in known if one != checkpoint]
    return next(iter(sorted(others, key=lambda one: one.split("/")[0] == run)), None)


def alone(models: list[tuple[str, str]], language: str) -> str:
    """What to do where there are no two models to choose from; nothing where there are."""
    return "" if len(models) > 1 else say("trials.alone" if models else "generate.no_model", language)


def _pieces(space: Workspace, model: Any, tokenizer: Any, prompt: str, config: SampleConfig) -> Iterator[str]:
    """What one model writes, some characters at a time."""
    from lm.generate import stream

    waiting = ""
    for n, piece in enumerate(space.share.turns.each(stream(model, tokenizer, prompt, config)), start=1):
        waiting += piece.text
        if n % REDRAW_PIECES == 0:
            yield waiting
            waiting = ""
    yield waiting


def grid_elsewhere(written: Draft, title: str, language: str) -> str:
    """A command for each cell of the grid, and lines of Python that write them all; `written` is any of them."""
    cells = [replace(written.config, temperature=t, top_k=k) for k in TOP_K for t in TEMPERATURES]
    commands = [drafts.command(replace(written, config=cell), title) for cell in cells]
    told = drafts.options(written, "temperature", "top_k")
    lines = [
        *drafts.IMPORTS,
        *drafts.opened(repr(title), repr(drafts.which_of(written.model))),
        f"for top_k in {TOP_K}:",
        f"    for temperature in {TEMPERATURES}:",
        f"        config = SampleConfig(temperature=temperature, top_k=top_k, {told})",
        f"        print(top_k, temperature, generate(model, tokenizer, {written.prompt!r}, config)[0].text)",
    ]
    return _ways(commands, lines, language)


def pair_elsewhere(written: Sequence[tuple[str, Draft]], language: str) -> str:
    """A command for each of the models, after what they are called, and lines of Python for all."""
    commands = [drafts.command(draft, title) for title, draft in written]
    models = [(title, drafts.which_of(draft.model)) for title, draft in written]
    any_one = written[0][1]
    folder, loaded = drafts.opened("name", "which")
    lines = [
        *drafts.IMPORTS,
        f"for name, which in {models}:",
        f"    {folder}",
        f"    {loaded}",
        f"    config = SampleConfig({drafts.options(any_one)})",
        f"    print(name, generate(model, tokenizer, {any_one.prompt!r}, config)[0].text)",
    ]
    return _ways(commands, lines, language)


def _ways(commands: Sequence[str], lines: Sequence[str], language: str) -> str:
    ways = way("command", "\n".join(commands), language) + way("python", "\n".join(lines), language)
    return f'<details class="as-table"><summary>{escape(say("elsewhere.title", language))}</summary>{ways}</details>'


def table(prompt: str, cells: dict[tuple[int, float], str], language: str, is_writing: bool = False) -> str:
    """A column a temperature, a row a top-k."""
    head = "".join(f'<th scope="col">τ {t:g}</th>' for t in TEMPERATURES)
    rows = "".join(_row(prompt, k, cells, language) for k in TOP_K)
    return (
        f'<table class="grid"{_state(is_writing)}><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _row(prompt: str, k: int, cells: dict[tuple[int, float], str], language: str) -> str:
    told = "".join(_cell(prompt, cells[k, t], t) for t in TEMPERATURES)
    return f'<tr><th scope="row">{escape(_top_k(k, language))}</th>{told}</tr>'


def _cell(prompt: str, said: str, temperature: float) -> str:
    last = escape(prompt[-24:])
    return f'<td data-label="τ {temperature:g}"><span class="given">{last}</span>{escape(said)}</td>'


def _top_k(k: int, language: str) -> str:
    return f"k {k}" if k else say("trials.all", language)


def beside(
    names: tuple[str | None, ...], prompt: str, texts: list[str], language: str, is_writing: bool = False
) -> str:
    """Both texts in two columns."""
    columns = (
        f'<section><h4>{escape(_title(name, language))}</h4><div class="written"><span class="given">{escape(prompt)}'
        f"</span>{escape(one)}</div></section>"
        for name, one in zip(names, texts)
    )
    return f'<div class="beside"{_state(is_writing)}>{"".join(columns)}</div>'


def _state(is_writing: bool) -> str:
    """What the style sheet shows the button *Stop* for."""
    return ' data-state="writing"' if is_writing else ""


def _title(name: str | None, language: str) -> str:
    run, _, which = str(name).rpartition("/")
    return f"{run} · {say(f'generate.{which}', language)}" if which in ("best", "last") else run


# ---------------------------------------------------------------------------------------------- layout and events


def build() -> SimpleNamespace:
    """The widgets, by name."""
    w = SimpleNamespace()
    with gr.Column(elem_classes="card"), gr.Tabs(elem_classes="ways", overflow_behavior="wrap"):
        with gr.Tab(text.label("trials.grid"), render_children=True):
            gr.Markdown(text.label("trials.grid_say"), elem_classes="fine")
            w.grid = gr.Button(text.label("trials.grid_go"), elem_id="try-grid")
            w.table = equivalents.copyable("grid")
        with gr.Tab(text.label("trials.pair"), render_children=True) as w.pair_tab:
            gr.Markdown(text.label("trials.pair_say"), elem_classes="fine")
            with gr.Row(elem_classes="inline"):
                w.other = gr.Dropdown([], label=text.label("trials.other"), elem_id="other", filterable=False)
                w.pair = gr.Button(text.label("trials.pair_go"), elem_id="try-pair")
            w.alone = gr.HTML(elem_id="alone", apply_default_css=False)
            w.beside = equivalents.copyable("beside")
    return w


def connect(generate: SimpleNamespace, language: gr.State, on: Edge) -> None:
    """The events; beginning, model and settings are those of the tab."""
    w, g = generate.trials, generate
    alone = dict(concurrency_id="writing", trigger_mode="once")
    tried = [
        on(w.grid.click, grid, [g.checkpoint, g.prompt, language, *g.settings], w.table, told=w.table, **alone),
        on(
            w.pair.click,
            pair,
            [g.checkpoint, w.other, g.prompt, language, *g.settings],
            w.beside,
            told=w.beside,
            **alone,
        ),
    ]
    on([w.pair_tab.select, g.checkpoint.input], second, [g.checkpoint, w.other, language], w.other)
    g.stop.click(None, cancels=tried, api_visibility="private")
