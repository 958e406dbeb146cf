"""The Look inside tab: what a model makes of a text, in six panels, each computed when it is opened.

A panel is a function of `playground.insight` for its numbers, `assets/inside_<panel>.js` for its drawing, and two
sentences for whoever sees it for the first time.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm.errors import CheckpointError, LMError, RunError
from playground import equivalents, insight, text
from playground.edge import Edge
from playground.insight import PANELS, PASSAGE_CHARACTERS, Subject
from playground.look import Look
from playground.markup import fault, note
from playground.models import choices, load
from playground.text import say
from playground.theme import asset
from playground.workspace import FETCHED, Workspace

FOLLOWS = ("checkpoint",)
FIRST_PANEL = next(iter(PANELS))
# The words that each panel's script writes, by their names there.
WORDS = dict(
    surprise=("legend", "nats", "odds", "hardest", "first", "bits", "map", "tokens", "expected", "surprising", "hint"),
    next=(
        "after", "temperature", "top_k", "top_p", "all", "bars", "own", "used", "cut", "heat", "choices", "take", "rest",
        "as_table", "token", "settings", "model",
    ),
    attention=("text", "layer", "head", "mean", "looks", "at", "grid", "as_table", "token", "share"),
    embeddings=("map", "hint", "near", "step", "play", "pause", "explained", "stages", "as_table", "token"),
    tokens=(
        "merges", "step", "none", "size", "vocabulary", "tokens", "per_token", "parameters", "char", "bpe", "cut", "learnt",
    ),
    pairs=("x", "y", "window", "question", "answer", "odds"),
)  # fmt: skip

# The lines of Python behind each panel; `ids` are those of the text.
PYTHON = dict(
    surprise="for one in lens.surprise(model, tokenizer, text):\n    print(repr(one.text), one.nats)  # -log p",
    next=(
        "found = lens.next_tokens(model, tokenizer, ids)\n"
        "for i, score in zip(found.ids[:20], found.logits):\n    print(repr(lens.named(tokenizer, i)), score)"
    ),
    attention="print(lens.attention(model, ids))  # (n_layer, n_head, T, T), rows sum to 1",
    embeddings=(
        "[found] = lens.maps([lens.embedding(model)], sorted(set(ids)))\n"
        "print(found.points, found.neighbours)  # on two axes; the most alike first"
    ),
    tokens=(
        "made = merging.lab_vocabulary(folder)\n"
        "for merge in merging.grow(made.ranks, made.pattern, text):  # every merge this text meets\n"
        "    print(merge.left, merge.right, len(merge.joints))"
    ),
    pairs="for x, y in zip(ids, ids[1:]):  # y is x one token later\n    print(repr(lens.named(tokenizer, x)), repr(lens.named(tokenizer, y)))",
)


def follow(look: Look) -> dict[str, Any]:
    """What the tab shows of the disk, by the names of `FOLLOWS`."""
    return dict(checkpoint=choices(look.space, look.language))


# ---------------------------------------------------------------------------------------------- handlers


def show(space: Workspace, panel: str, checkpoint: str | None, passage: str, language: str) -> tuple[Any, ...]:
    """Compute one panel.

    Inputs: its name, `run/which`, the text. Outputs: the text (that of the run, where none was given), what every panel
    shows (the others as they were), the same in Python, what is wrong, as HTML.
    """
    if panel not in PANELS:
        return (gr.skip(),) * (len(PANELS) + 3)
    model, tokenizer = load(space, checkpoint, language)
    subject = _subject(space, checkpoint, model, tokenizer, passage, language)
    words = {name: say(f"insight.{panel}.{name}", language) for name in WORDS[panel]}
    try:
        value, wrong = PANELS[panel](subject, language) | dict(words=words), ""
    except LMError as error:  # the text that was chosen stays, and the panel says why it is empty
        value, wrong = dict(words=words, empty=True), fault(error, language)
    shown = [value if name == panel else gr.skip() for name in PANELS]
    return subject.text, *shown, _equivalent(space, panel, checkpoint, subject.text, language), wrong


def opened(space: Workspace, panel: str, checkpoint: str | None, passage: str, language: str) -> tuple[Any, ...]:
    """A panel is opened: as `show`, but where there is no model yet nothing is wrong, and it is said calmly."""
    if checkpoint:
        return show(space, panel, checkpoint, passage, language)
    return (gr.skip(),) * (len(PANELS) + 2) + (note("calm", say("generate.no_model", language)),)


def _subject(space: Workspace, checkpoint: str, model: Any, tokenizer: Any, passage: str, language: str) -> Subject:
    name, which = checkpoint.rsplit("/", 1)
    folder = space.checkpoint(name, which)
    stages = [] if which == FETCHED else [which for run, which in space.checkpoints() if run == name]
    subject = Subject(model, tokenizer, folder, tuple((stage, space.checkpoint(name, stage)) for stage in stages), "")
    given = passage[:PASSAGE_CHARACTERS] or insight.held_out(subject.run, tokenizer, language)
    if not given:
        raise RunError(say("inside.no_text", language))
    return Subject(model, tokenizer, folder, subject.stages, given)


def passage(space: Workspace, checkpoint: str | None, language: str, *, is_learnt: bool) -> str:
    """A passage of the run's own text. Inputs: `run/which`. Outputs: the text."""
    _, tokenizer = load(space, checkpoint, language)
    subject = space.checkpoint(*checkpoint.rsplit("/", 1))
    found = insight.held_out(insight.RunDir(subject.parent), tokenizer, language, is_learnt=is_learnt)
    if not found:
        raise CheckpointError(say("inside.no_passage", language))
    return found


def longer(
    space: Workspace, panel: str, checkpoint: str | None, passage: str, language: str, event: gr.EventData
) -> tuple[Any, ...]:
    """One more token. Inputs: as `show`; the event says which `text` follows. Outputs: those of `show`."""
    return show(space, panel, checkpoint, (passage + str(event.text))[-PASSAGE_CHARACTERS:], language)


def _equivalent(space: Workspace, panel: str, checkpoint: str, passage: str, language: str) -> str:
    """The command and the lines of Python that show the same of the same text."""
    name, which = checkpoint.rsplit("/", 1)
    name = next((title for title, key in space.fetched() if key == name), name)
    last = ', "last"' if which == "last" else ""
    lines = (
        "from pathlib import Path",
        f"from lm import lens{', merging' if panel == 'tokens' else ''}",
        "from lm.checkpoint import find_checkpoint, load_model",
        "from lm.tokenizer import load_tokenizer",
        "",
        f'folder = find_checkpoint({name!r}, Path("runs"){last})',
        "model, tokenizer = load_model(folder), load_tokenizer(folder)",
        f"text = {passage!r}",
        "ids = tokenizer.encode(text).tolist()",
        PYTHON[panel],
    )
    options = [*(["--panel", panel] if panel != FIRST_PANEL else []), *(["--checkpoint", "last"] if last else [])]
    return equivalents.both(["lm", "look", name, *options, "--", passage], lines, language)


# ---------------------------------------------------------------------------------------------- layout and events


def build() -> SimpleNamespace:
    """The widgets of the tab, by name; `panels` holds one component for each of `PANELS`."""
    w = SimpleNamespace(panel=gr.State(""))
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="side"):
            with gr.Column(elem_classes="card"):
                _subject_widgets(w)
        with gr.Column(elem_classes="main"):
            with gr.Column(elem_classes="card insight"):
                with gr.Tabs(elem_classes="ways", elem_id="insights", overflow_behavior="wrap"):
                    w.tabs, w.panels = {}, []
                    for name in PANELS:
                        with gr.Tab(text.label(f"inside.{name}"), id=name, render_children=True) as w.tabs[name]:
                            gr.Markdown(text.label(f"inside.{name}.teach"), elem_classes="lesson")
                            w.panels.append(_component(name))
                w.told = gr.HTML(elem_id="inside-told", apply_default_css=False)
    return w


def _subject_widgets(w: SimpleNamespace) -> None:
    w.checkpoint = gr.Dropdown([], label=text.label("generate.checkpoint"), elem_id="inside-model", filterable=False)
    w.text = gr.Textbox(
        label=text.label("inside.text"), placeholder=text.label("inside.text_here"), lines=6, max_lines=14,
        max_length=PASSAGE_CHARACTERS, elem_id="inside-text",
    )  # fmt: skip
    w.go = gr.Button(text.label("inside.go"), variant="primary", elem_id="look")
    w.unseen = gr.Button(text.label("inside.unseen"), elem_id="take-unseen", size="sm")
    w.learnt = gr.Button(text.label("inside.learnt"), elem_id="take-learnt", size="sm")
    with gr.Accordion(text.label("elsewhere.title"), open=False, elem_classes="group"):
        w.elsewhere = equivalents.copyable("inside-elsewhere")


def _component(panel: str) -> gr.HTML:
    """One panel; its script stands on the helpers that all share."""
    scripts = (asset(name).read_text(encoding="utf-8") for name in ("inside.js", f"inside_{panel}.js"))
    return gr.HTML(
        None, elem_id=f"panel-{panel}", elem_classes="panel", apply_default_css=False,
        html_template='<div class="drawn"></div>', js_on_load="\n".join(scripts),
    )  # fmt: skip


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the tab. Nothing is computed before it was opened once."""
    w, language = page.inside, page.language
    asked = [w.panel, w.checkpoint, w.text, language]
    shown = [w.text, *w.panels, w.elsewhere, w.told]

    def entered(space: Workspace, panel: str, *rest: Any) -> tuple[Any, ...]:
        return panel or FIRST_PANEL, *opened(space, panel or FIRST_PANEL, *rest)

    for name, tab in w.tabs.items():

        def chosen(space: Workspace, *rest: Any, name: str = name) -> tuple[Any, ...]:
            return name, *opened(space, name, *rest)

        on(tab.select, chosen, asked[1:], [w.panel, *shown], told=w.told)
    on(w.tab.select, entered, asked, [w.panel, *shown], told=w.told)
    on([w.go.click, w.text.submit, w.checkpoint.change], show, asked, shown, told=w.told, trigger_mode="always_last")
    next_panel = w.panels[list(PANELS).index("next")]
    on(next_panel.select, longer, asked, shown, told=w.told)
    for button, is_learnt in ((w.unseen, False), (w.learnt, True)):
        _connect_passage(w, button, is_learnt, language, on, asked, shown)


def _connect_passage(
    w: SimpleNamespace, button: gr.Button, is_learnt: bool, language: gr.State, on: Edge, asked: list, shown: list
) -> None:
    def take(space: Workspace, panel: str, checkpoint: str | None, language: str) -> tuple[Any, ...]:
        return show(space, panel, checkpoint, passage(space, checkpoint, language, is_learnt=is_learnt), language)

    on(button.click, take, [w.panel, w.checkpoint, language], shown, told=w.told)
