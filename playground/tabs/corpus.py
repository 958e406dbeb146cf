"""The Corpus tab: bring a text, see what was read and what tokenizers make of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm import texts
from lm.config import DataConfig
from lm.corpus import Corpus
from lm.errors import CorpusError
from lm.settings import settings
from playground import equivalents, settings_form, text
from playground.edge import Edge
from playground.markup import count, escape
from playground.text import say
from playground.translate import translated
from playground.workspace import Cut, Workspace, cut, preview

COMPARED = ("char", "bpe", "gpt2", "cl100k_base", "o200k_base")
# Below this a small model mostly recites. assumed.
SHORT_CHARACTERS = 100_000
FILE_TYPES = [".txt", ".text", ".md", ".csv", ".tsv", ".jsonl", ".html", ".htm"]


# ---------------------------------------------------------------------------------------------- handlers


def read_files(space: Workspace, files: Sequence[str] | None, aozora: str, column: str, language: str) -> str:
    """Inputs: paths of the uploaded files, how to read them. Outputs: the name of the clean text."""
    if not files:
        raise CorpusError(say("corpus.no_files", language))
    space.check_room(sum(Path(file).stat().st_size for file in files), language)
    return space.add([Path(file) for file in files], aozora=aozora, column=column)


def read_pasted(space: Workspace, pasted: str, language: str) -> str:
    """Inputs: a text. Outputs: the name of the clean text."""
    if all(unicodedata.category(character)[0] in "ZC" for character in pasted):  # spaces, and what nobody sees
        raise CorpusError(say("corpus.no_paste", language))
    space.check_room(len(pasted.encode("utf-8", errors="replace")), language)
    return space.add_text(pasted)


def read_sample(space: Workspace, sample: str, progress: Any = None) -> str:
    """Inputs: the name of a sample text. Outputs: the name of the clean text.

    A classic is downloaded at first use; `progress(share)` hears how far that is.
    """

    def report(done: int, total: int) -> None:
        if progress is not None and total:
            progress(done / total)

    return space.add([texts.locate(sample, report)], name=sample)


def show(space: Workspace, name: str | None, language: str) -> str:
    """Inputs: the name of a text. Outputs: its statistics, how it was read and its beginning, as HTML."""
    return card(space.corpus(name), language) if name else ""


def equivalent(space: Workspace, name: str | None, language: str) -> str:
    """Inputs: the name of a text. Outputs: the command and the Python lines that read and cut it, as HTML."""
    if not name:
        return ""
    path = space.path(name)
    return equivalents.of_text(path.name if space.share.queue else str(path), name, language)


def compare(space: Workspace, name: str | None, vocab_size: float | None, language: str) -> str:
    """Inputs: the name of a text, the size of a bpe vocabulary. Outputs: a table of tokenizers, as HTML."""
    if not name:
        raise CorpusError(say("train.no_corpus", language))
    corpus = space.corpus(name)
    return table([cut(corpus, tokenizer, int(vocab_size or 1024)) for tokenizer in COMPARED], language)


# ---------------------------------------------------------------------------------------------- views


def card(corpus: Corpus, language: str) -> str:
    """Statistics, files with their encodings and notes, and the beginning of a text."""
    facts = corpus.statistics
    figures = (
        (count(facts.characters), "corpus.characters"),
        (count(facts.distinct_characters), "corpus.distinct"),
        (count(facts.lines), "corpus.lines"),
        (f"{100 * facts.duplicate_line_share:.1f} %", "corpus.duplicates"),
    )
    cells = "".join(f"<div><b>{value}</b>{escape(say(key, language))}</div>" for value, key in figures)
    files = "".join(_file(file, language) for file in corpus.files)
    digest = say("corpus.fingerprint", language, digest=facts.sha256[:16])
    short = f'<div class="note attention"><p>{escape(say("corpus.small", language))}</p></div>'
    return (
        f'<div class="headline"><h3>{escape(corpus.name)}</h3></div><div class="figures">{cells}</div>'
        f'<ul class="files">{files}</ul>{short if facts.characters < SHORT_CHARACTERS else ""}'
        f"<h4>{escape(say('corpus.preview', language))}</h4>"
        f'<div class="written page" tabindex="0">{escape(preview(corpus))}</div>'
        f'<p class="fine">{count(facts.bytes)} {escape(say("corpus.bytes", language))} · {escape(digest)} …</p>'
    )


def _file(file: Any, language: str) -> str:
    read_as = say("corpus.encoding", language, encoding=translated(file.encoding, language))
    notes = "".join(f"<li>{escape(translated(note, language))}</li>" for note in file.notes)
    return f"<li><b>{escape(file.name)}</b> <span>{escape(read_as)}</span>{f'<ul>{notes}</ul>' if notes else ''}</li>"


def table(cuts: Sequence[Cut], language: str) -> str:
    """One row a tokenizer: how many tokens, how long they are, and the first of them."""
    keys = ("corpus.tokens", "corpus.per_token", "corpus.vocabulary")
    head = "".join(f'<th scope="col">{escape(say(key, language))}</th>' for key in keys)
    measured = max((one.characters for one in cuts), default=0)
    return (
        f'<table class="cuts"><thead><tr><th></th>{head}</tr></thead>'
        f"{''.join(_cut(one, language) for one in cuts)}</table>"
        f'<p class="fine">{escape(say("corpus.measured", language, n=count(measured)))}</p>'
    )


def _cut(one: Cut, language: str) -> str:
    name = f'<th scope="row">{escape(one.tokenizer)}</th>'
    if one.fault:
        return f'<tbody><tr>{name}<td colspan="3" class="fault">{escape(translated(one.fault, language))}</td></tr></tbody>'
    ratio = one.tokens / max(1, one.characters)
    pieces = "".join(f"<span>{_visible(piece)}</span>" for piece in one.pieces)
    label = escape(say("corpus.cut", language))
    return (
        f"<tbody><tr>{name}<td>{count(one.tokens)}</td><td>{ratio:.3f}</td><td>{count(one.vocab_size)}</td></tr>"
        f'<tr><td colspan="4"><div class="pieces" aria-label="{label}">{pieces}</div></td></tr></tbody>'
    )


def _visible(piece: str) -> str:
    """A token with its line breaks to be seen."""
    return escape(piece).replace("\n", "↵\n")


# ---------------------------------------------------------------------------------------------- layout and events


def sample_choices(language: str) -> list[tuple[str, str]]:
    """(title, name) of every sample text, those that ship first."""
    samples = (*texts.SHIPPED.values(), *texts.CLASSICS.values())
    return [(translated(sample.title, language), sample.name) for sample in samples]


def build() -> SimpleNamespace:
    """The widgets of the tab, by name."""
    fields = {f.name: (DataConfig, f) for f in settings(DataConfig)}
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="side"):
            w = _sources(fields)
        with gr.Column(elem_classes="main"):
            with gr.Column(elem_classes="card"):
                w.shown = gr.HTML(elem_id="corpus-card", apply_default_css=False)
            with gr.Column(elem_classes="card"):
                w.title = gr.HTML(elem_id="tokenizers-title", apply_default_css=False)
                with gr.Row(elem_classes="inline"):
                    w.vocab_size = gr.Number(1024, label=text.label("corpus.bpe_size"), precision=0, elem_id="bpe-size")
                    w.compare = gr.Button(text.label("corpus.compare"), elem_id="compare")
                w.cuts = gr.HTML(elem_id="cuts", apply_default_css=False)
    return w


def _sources(fields: dict[str, Any]) -> SimpleNamespace:
    w = SimpleNamespace()
    with gr.Column(elem_classes="card"):
        w.corpus = gr.Dropdown(
            [],
            label=text.label("corpus.known"),
            info=text.label("corpus.known_info"),
            elem_id="corpus",
            filterable=False,
        )
    with gr.Column(elem_classes="card"):
        with gr.Tabs(elem_classes="ways"):
            _upload(w, fields)
            with gr.Tab(text.label("corpus.way.paste"), render_children=True):
                w.pasted = gr.Textbox(
                    label=text.label("corpus.paste"), placeholder=text.label("corpus.paste_here"), lines=8,
                    max_lines=14, elem_id="pasted",
                )  # fmt: skip
                w.read_pasted = gr.Button(text.label("corpus.read"), variant="primary", elem_id="read-pasted")
            with gr.Tab(text.label("corpus.way.sample"), render_children=True):
                w.sample = gr.Dropdown(
                    sample_choices("en"), label=text.label("corpus.sample"), info=text.label("corpus.sample_info"),
                    elem_id="sample", filterable=False,
                )  # fmt: skip
                w.read_sample = gr.Button(text.label("corpus.take"), variant="primary", elem_id="read-sample")
        w.told = gr.HTML(elem_id="read-told", apply_default_css=False)
        w.limits = gr.HTML(elem_id="text-limits", apply_default_css=False)
        w.elsewhere = equivalents.folded("text-elsewhere")
    return w


def _upload(w: SimpleNamespace, fields: dict[str, Any]) -> None:
    with gr.Tab(text.label("corpus.way.files"), render_children=True):
        w.files = gr.File(
            label=text.label("corpus.files"), file_count="multiple", file_types=FILE_TYPES,
            elem_id="files", height=132,
        )  # fmt: skip
        gr.Markdown(text.label("corpus.formats"), elem_classes="fine")
        with gr.Accordion(text.label("corpus.reading"), open=False, elem_classes="group"):
            w.aozora = settings_form.widget(*fields["aozora"])
            w.column = settings_form.widget(*fields["column"])
        w.read_files = gr.Button(text.label("corpus.read"), variant="primary", elem_id="read-files")


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the tab. A text that was read is the chosen one."""
    w, language = page.corpus, page.language
    reading = dict(show_progress="full", show_progress_on=w.shown, told=w.told)

    def chosen(space: Workspace, name: str) -> Any:
        return gr.update(choices=space.names(), value=name)

    def take_files(space: Workspace, *values: Any) -> Any:
        return chosen(space, read_files(space, *values))

    def take_pasted(space: Workspace, pasted: str, language: str) -> Any:
        return chosen(space, read_pasted(space, pasted, language))

    def take_sample(space: Workspace, sample: str, language: str, progress: gr.Progress = gr.Progress()) -> Any:
        space.check_room(0, language)
        return chosen(space, read_sample(space, sample, progress))

    on(w.read_files.click, take_files, [w.files, w.aozora, w.column, language], w.corpus, **reading)
    on(w.read_pasted.click, take_pasted, [w.pasted, language], w.corpus, **reading)
    on(w.read_sample.click, take_sample, [w.sample, language], w.corpus, **reading)
    on(w.corpus.change, show, [w.corpus, language], w.shown)
    on(w.corpus.change, equivalent, [w.corpus, language], w.elsewhere)
    on(w.compare.click, compare, [w.corpus, w.vocab_size, language], w.cuts, show_progress="full", told=w.cuts)
