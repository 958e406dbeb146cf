"""Taking a run along: its best model as a zip or as a folder, or a report of the run as one page."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm import run_dir
from lm.errors import RunError
from lm.run_dir import RunDir
from playground import text
from playground.edge import Edge
from playground.markup import escape
from playground.text import say
from playground.visitor import is_on_space
from playground.workspace import Workspace

KILOBYTE = 1000


def choices(space: Workspace) -> list[str]:
    """The runs that have a model to share."""
    return list(dict.fromkeys(run for run, _ in space.checkpoints()))


def chosen(space: Workspace, run: str | None, language: str) -> RunDir:
    """The run that is to be shared; `RunError` where there is none."""
    there = choices(space)
    if run not in there:
        raise RunError(say("share.no_run" if there else "share.empty", language))
    return run_dir.find(space.runs_dir, run)


def zip_run(space: Workspace, run: str | None, language: str) -> str:
    """Inputs: the name of a run. Outputs: the path of a zip of its best model."""
    return str(space.zip(chosen(space, run, language).name))


def report(space: Workspace, run: str | None, language: str) -> str:
    """Inputs: the name of a run. Outputs: the path of a page that tells of it in `language` and needs no network."""
    from lm.report import write

    to = space.downloads / f"{chosen(space, run, language).name}.html"
    to.parent.mkdir(parents=True, exist_ok=True)
    write(chosen(space, run, language), to, language)
    return str(to)


def export(space: Workspace, run: str | None, folder: str, language: str) -> str:
    """Inputs: the name of a run, and of a folder (may be empty). Outputs: where it is and how to open it, as HTML."""
    path = space.export(chosen(space, run, language).name, folder.strip()).resolve()
    rows = "".join(
        f"<tr><td>{escape(file.name)}</td><td>{file.stat().st_size / KILOBYTE:,.0f} kB</td></tr>"
        for file in sorted(path.iterdir())
    )
    lines = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        f"model = AutoModelForCausalLM.from_pretrained({str(path)!r})",
        f"tokenizer = AutoTokenizer.from_pretrained({str(path)!r})",
    )
    code = escape("\n".join(lines))
    return (
        f'<div class="note calm"><p>{escape(say("share.exported", language, path=path))}</p></div>'
        f'<h4>{escape(say("share.inside", language))}</h4><table class="listing">{rows}</table>'
        f'<h4>{escape(say("share.open", language))}</h4><pre class="command" tabindex="0">{code}</pre>'
    )


# ---------------------------------------------------------------------------------------------- layout and events


def build() -> SimpleNamespace:
    """The widgets, by name."""
    w = SimpleNamespace()
    with gr.Column(elem_classes="card along"):
        gr.Markdown(text.label("share.along"), elem_classes="title")
        with gr.Row(elem_classes="halves"):
            w.zip = gr.Button(text.label("share.zip"), elem_id="zip")
            w.report = gr.Button(text.label("share.report"), elem_id="report")
        w.file = gr.File(label=text.label("share.download"), visible=False, elem_id="download", interactive=False)
        is_near = not is_on_space()  # its visitors cannot reach a folder there
        w.folder = gr.Textbox(
            label=text.label("share.folder"), info=text.label("share.folder_info"), elem_id="folder", max_lines=1,
            max_length=64, visible=is_near,
        )  # fmt: skip
        w.export = gr.Button(text.label("share.export"), elem_id="export", visible=is_near)
        w.exported = gr.HTML(elem_id="exported", apply_default_css=False)
    return w


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of these widgets, for the run that the Share tab has chosen."""
    w, run, language = page.share.along, page.share.run, page.language

    def made(file: Callable[..., str]) -> Callable[..., Any]:
        return lambda space, run, language: gr.update(value=file(space, run, language), visible=True)

    on(w.zip.click, made(zip_run), [run, language], w.file, show_progress="full")
    on(w.report.click, made(report), [run, language], w.file, show_progress="full")
    on(w.export.click, export, [run, w.folder, language], w.exported, told=w.exported)
