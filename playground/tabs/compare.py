"""The Compare tab: runs over one another, what differs between them, and branches of a run with other settings."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm import run_dir
from lm.config import ModelConfig, TrainConfig
from lm.errors import ConfigError, RunError
from lm.processors import processors
from lm.recipes import flag
from lm.settings import fault, settings
from playground import equivalents, overlay, text, trainings
from playground.edge import Edge
from playground.look import Look
from playground.markup import escape, fine
from playground.overlay import FRESH, Compared
from playground.text import say, setting_key
from playground.theme import asset
from playground.workspace import Workspace

LOOK_SECONDS = 2.0
FIRST_RUNS = 3  # a page that opens compares the selected run with the newest others
FOLLOWS = ("parent",)
WEIGHTS = ("best", "last", FRESH)
KINDS = dict(ModelConfig=ModelConfig, TrainConfig=TrainConfig)
SWITCH = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
EMPTY = dict(runs=[], words={})
OVERLAY = (
    '<div class="switches"></div><div class="stage"><div class="plot" role="figure"></div><p class="hint"></p></div>'
    '<details class="as-table" hidden><summary></summary>'
    '<div class="scroll" tabindex="0"><table class="lab"></table></div></details>'
)

Changes = dict[str, Any]


def follow(look: Look) -> dict[str, Any]:
    """What the tab shows of the selected run, by the names of `FOLLOWS`."""
    words = (
        say("compare.fork_say", look.language, run=look.row.name)
        if look.row
        else say("compare.fork_none", look.language)
    )
    return dict(parent=f'<p class="teach">{escape(words)}</p>')


# ---------------------------------------------------------------------------------------------- comparing


def first_choice(space: Workspace, selected: str) -> list[str]:
    """The selected run and the newest others."""
    names = [row.name for row in space.library.rows()]
    return sorted(names, key=lambda name: name != selected)[:FIRST_RUNS]


def toggled(chosen: Sequence[str], run: str) -> list[str]:
    """`chosen` with the run, or without it where it was in."""
    if run in chosen:
        return [name for name in chosen if name != run]
    return [*chosen, run][: overlay.MOST_RUNS]


def show(space: Workspace, chosen: list[str], told: Changes, language: str) -> tuple[Any, ...]:
    """Look at the chosen runs.

    Inputs: their names, what this browser was told before, its language.
    Outputs: the choice, the chart, the table, the branches, what it has been told; `gr.skip()` for what is as it was.
    """
    rows = {row.name: row for row in space.library.rows()}
    configs = {name: run_dir.shown_settings(run_dir.RunDir(space.runs_dir / name)) for name in rows}
    chosen = [name for name in chosen if name in rows]
    origins = {name: config.get("forked_from") or {} for name, config in configs.items()}
    runs = [Compared(rows[name], space.library.curve(name), configs[name]) for name in chosen]
    shown = dict(
        picker=overlay.picker(list(rows.values()), chosen, language),
        chart=dict(runs=overlay.series(runs, origins), words=_words(language)),
        table=overlay.table(runs, language) if rows else "",
        tree=overlay.tree(origins, language),
    )
    return (*(gr.skip() if told.get(name) == value else value for name, value in shown.items()), shown)


def _words(language: str) -> dict[str, str]:
    names = ("label", "over", "empty", "as_table", "run", *overlay.AXES, *overlay.MEASURES)
    return {name: say(f"overlay.{name}", language) for name in names}


# ---------------------------------------------------------------------------------------------- branching off


def setting_choices(language: str) -> list[tuple[str, str]]:
    """(label, `Config.name`) of every setting that a branch may change."""
    fields = ((kind, f) for kind in KINDS.values() for f in settings(kind))
    return [
        (f"{say(setting_key(c, f.name, 'label'), language)} · {f.name}", f"{c.__name__}.{f.name}") for c, f in fields
    ]


def offered(language: str) -> tuple[Any, ...]:
    """What there is to choose from, in words: settings, and weights to begin from."""
    weights = [(say(f"compare.weights.{which}", language), which) for which in WEIGHTS]
    return gr.update(choices=setting_choices(language)), gr.update(choices=weights)


def change(changes: Changes, setting: str | None, value: str, language: str) -> tuple[Any, ...]:
    """Inputs: the changes so far, a setting, its value as typed. Outputs: the changes, the same as HTML, an empty box."""
    if not setting:
        raise ConfigError(say("compare.no_setting", language))
    changes = changes | {setting.split(".")[1]: _typed(setting, value, language)}
    return changes, changes_shown(changes, language), ""


def changes_shown(changes: Changes, language: str) -> str:
    """The changes as they stand on the command line."""
    title = escape(say("compare.changes", language))
    if not changes:
        return f'<p class="fine">{title}: {escape(say("compare.no_changes", language))}</p>'
    chips = "".join(f'<span class="chip">{escape(" ".join(flag(*item)))}</span>' for item in changes.items())
    return f'<p class="fine">{title}</p><p class="chips">{chips}</p>'


def fork(space: Workspace, parent: str, weights: str, name: str | None, changes: Changes, language: str) -> str:
    """Start a branch. Inputs: the run, the weights to begin from, a name, the changes. Outputs: the new run's name."""
    _known(space, parent, language)
    return trainings.fork(space, parent, _name(name, parent), weights, changes, language)


def race(space: Workspace, parent: str, changes: Changes, language: str) -> list[str]:
    """Train two side by side, one with the changes. Inputs: the run, the changes. Outputs: the names of both."""
    _known(space, parent, language)
    if not changes:
        raise ConfigError(say("compare.race_needs", language))
    return [trainings.fork(space, parent, name, FRESH, given, language) for name, given in _sides(parent, changes)]


def _sides(parent: str, changes: Changes) -> list[tuple[str, Changes]]:
    """The names and settings of both runs of a race; each has its own half of the machine."""
    threads = dict(threads=max(1, processors() // 2))
    return [(f"{parent}-as-it-was", threads), (f"{parent}-{'-'.join(changes)}", threads | changes)]


def equivalent(parent: str, weights: str, name: str | None, changes: Changes, language: str) -> str:
    """Inputs: those of `fork`. Outputs: the command and the Python lines that do the same, and a race's, as HTML."""
    if not parent:
        return ""
    branch = equivalents.of_fork(
        parent, _name(name, parent), weights, trainings.flags_of(changes), changes, language
    )
    if not changes:
        return branch
    sides = [(name, trainings.flags_of(given)) for name, given in _sides(parent, changes)]
    return branch + fine(say("compare.race_elsewhere", language)) + equivalents.of_race(parent, sides, language)


def _name(typed: str | None, parent: str) -> str:
    """What the branch is to be called; Gradio has no value for a field that was not drawn yet."""
    return (typed or "").strip() or f"{parent}-fork"


def _known(space: Workspace, parent: str, language: str) -> None:
    if not space.library.has(parent):
        raise RunError(say("compare.fork_none", language))


def _typed(setting: str, value: str, language: str) -> Any:
    """What was typed, as the setting's type; whether it fits the parent's other settings is found when it begins."""
    kind, name = setting.split(".")
    [f] = [f for f in settings(KINDS[kind]) if f.name == name]
    told = dict(label=say(setting_key(KINDS[kind], name, "label"), language), value=value)
    if isinstance(f.default, bool):
        if value.strip().lower() not in SWITCH:
            raise ConfigError(say("compare.not_a_switch", language, **told))
        return SWITCH[value.strip().lower()]
    try:
        typed = value.strip() if isinstance(f.default, str) else _number(value, type(f.default))
    except (ValueError, OverflowError):
        raise ConfigError(say("compare.not_a_number", language, default=f.default, **told)) from None
    if wrong := fault(f, typed):
        raise ConfigError(wrong)
    return typed


def _number(value: str, kind: type) -> Any:
    number = float(unicodedata.normalize("NFKC", value))  # ０．５ as it comes from a Japanese keyboard
    return kind(number) if number.is_integer() else number


# ---------------------------------------------------------------------------------------------- layout and events


def build() -> SimpleNamespace:
    """The widgets of the tab, by name."""
    w = SimpleNamespace(chosen=gr.State([]), told=gr.State({}), changes=gr.State({}))
    script = asset("compare.js").read_text(encoding="utf-8")
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="side"):
            with gr.Column(elem_classes="card"):
                w.picker = gr.HTML(js_on_load=script, elem_id="picker", apply_default_css=False)
                w.tree = gr.HTML(elem_id="branches", apply_default_css=False)
            with gr.Column(elem_classes="card"):
                _branching(w)
        with gr.Column(elem_classes="main"):
            with gr.Column(elem_classes="card"):
                w.chart = gr.HTML(
                    EMPTY, html_template=OVERLAY,
                    js_on_load=script, elem_id="overlay", apply_default_css=False,
                )  # fmt: skip
                gr.Markdown(text.label("compare.say"), elem_classes="fine")
            with gr.Column(elem_classes="card"):
                w.table = gr.HTML(elem_id="compared", apply_default_css=False)
    w.timer = gr.Timer(LOOK_SECONDS, active=False)  # looks while the tab is open
    return w


def _branching(w: SimpleNamespace) -> None:
    gr.Markdown(text.label("compare.fork"), elem_classes="title")
    w.parent = gr.HTML(elem_id="fork-parent", apply_default_css=False)
    with gr.Row(elem_classes="fields"):
        w.setting = gr.Dropdown([], label=text.label("compare.setting"), elem_id="fork-setting")
        w.value = gr.Textbox(label=text.label("compare.value"), elem_id="fork-value", max_lines=1, max_length=64)
    with gr.Row(elem_classes="halves"):
        w.change = gr.Button(text.label("compare.change"), elem_id="fork-change")
        w.clear = gr.Button(text.label("compare.clear"), elem_id="fork-clear")
    w.changed = gr.HTML(elem_id="fork-changes", apply_default_css=False)
    w.unchanged = gr.HTML(elem_id="change-told", apply_default_css=False)
    w.weights = gr.Radio(
        [(which, which) for which in WEIGHTS], value=WEIGHTS[0],
        label=text.label("compare.weights"), elem_id="fork-weights",
    )  # fmt: skip
    w.name = gr.Textbox(
        label=text.label("compare.name"), info=text.label("compare.name_info"), elem_id="fork-name", max_lines=1,
        max_length=64,
    )  # fmt: skip
    w.go = gr.Button(text.label("compare.go"), variant="primary", elem_id="fork")
    w.race = gr.Button(text.label("compare.race"), elem_id="race")
    gr.Markdown(text.label("compare.race_say"), elem_classes="fine")
    w.refused = gr.HTML(elem_id="fork-told", apply_default_css=False)
    w.elsewhere = equivalents.folded("fork-elsewhere")


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the tab."""
    w, language = page.compare, page.language
    shown = [w.picker, w.chart, w.table, w.tree, w.told]

    def open_tab(space: Workspace, chosen: list[str], selected: str, language: str) -> tuple[Any, ...]:
        chosen = chosen or first_choice(space, selected)
        return gr.Timer(active=True), *offered(language), chosen, *show(space, chosen, {}, language)

    def pick(space: Workspace, chosen: list[str], language: str, event: gr.EventData) -> tuple[Any, ...]:
        chosen = toggled(chosen, str(event.run))
        return chosen, *show(space, chosen, {}, language)

    on(w.tab.select, open_tab, [w.chosen, page.selected, language], [w.timer, w.setting, w.weights, w.chosen, *shown])
    others = [tab.tab.select for tab in vars(page).values() if hasattr(tab, "tab") and tab is not w]
    on(others, lambda: gr.Timer(active=False), None, w.timer)
    on(w.picker.select, pick, [w.chosen, language], [w.chosen, *shown], trigger_mode="multiple")
    on(w.timer.tick, show, [w.chosen, w.told, language], shown, trigger_mode="once")
    _connect_branching(page, on)


def _connect_branching(page: SimpleNamespace, on: Edge) -> None:
    w, language = page.compare, page.language

    def start(
        space: Workspace, parent: str, weights: str, name: str, changes: Changes, chosen: list[str], language: str
    ) -> Any:
        new = fork(space, parent, weights, name, changes, language)
        return {}, changes_shown({}, language), toggled(chosen, new), *page.watcher.choose(space, new, language)

    def start_race(space: Workspace, parent: str, changes: Changes, language: str) -> Any:
        return race(space, parent, changes, language)

    changed = [w.changes, w.changed, w.value]
    told_elsewhere = [page.selected, w.weights, w.name, w.changes, language]
    on([one.change for one in told_elsewhere[:-1]], equivalent, told_elsewhere, w.elsewhere, trigger_mode="always_last")
    on([w.change.click, w.value.submit], change, [w.changes, w.setting, w.value, language], changed, told=w.unchanged)
    on(w.clear.click, lambda language: ({}, changes_shown({}, language), ""), language, changed, told=w.unchanged)
    asked = [page.selected, w.weights, w.name, w.changes, w.chosen, language]
    on(w.go.click, start, asked, [w.changes, w.changed, w.chosen, *page.chosen], told=w.refused)
    on(w.race.click, start_race, [page.selected, w.changes, language], w.chosen, told=w.refused)
