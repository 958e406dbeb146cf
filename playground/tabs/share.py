"""The Share tab: take a model along, as a zip or as a folder on this machine."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr

from lm.errors import RunError
from playground import text
from playground.markup import escape
from playground.text import say
from playground.workspace import Workspace

KILOBYTE = 1000


def choices(space: Workspace) -> list[str]:
    """The runs that have a model to share."""
    return list(dict.fromkeys(run for run, _ in space.checkpoints()))


def note(space: Workspace, language: str) -> str:
    """What can be taken along, or when there will be something."""
    words = say("share.say" if space.checkpoints() else "share.empty", language)
    return f'<p class="teach">{escape(words)}</p>'


def zip_run(space: Workspace, run: str | None, language: str) -> str:
    """Inputs: the name of a run. Outputs: the path of a zip of its best model."""
    if not run:
        raise RunError(say("share.no_run", language))
    return str(space.zip(run))


def export(space: Workspace, run: str | None, folder: str, language: str) -> str:
    """Inputs: the name of a run, and of a folder (may be empty). Outputs: where it is and how to open it, as HTML."""
    if not run:
        raise RunError(say("share.no_run", language))
    path = space.export(run, folder.strip()).resolve()
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


def build() -> SimpleNamespace:
    """The widgets of the tab, by name."""
    w = SimpleNamespace()
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="side"), gr.Column(elem_classes="card"):
            w.run = gr.Dropdown([], label=text.label("share.run"), elem_id="share-run", filterable=False)
            w.zip = gr.Button(text.label("share.zip"), variant="primary", elem_id="zip")
            w.folder = gr.Textbox(
                label=text.label("share.folder"), info=text.label("share.folder_info"), elem_id="folder", max_lines=1,
                max_length=64,
            )  # fmt: skip
            w.export = gr.Button(text.label("share.export"), elem_id="export")
        with gr.Column(elem_classes="main"), gr.Column(elem_classes="card"):
            w.note = gr.HTML(elem_id="share-note", apply_default_css=False)
            w.file = gr.File(label=text.label("share.download"), visible=False, elem_id="download", interactive=False)
            w.exported = gr.HTML(elem_id="exported", apply_default_css=False)
    return w
