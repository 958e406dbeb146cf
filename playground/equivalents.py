"""What the Corpus, Compare and Share tabs do, as a command and as lines of Python: the same work without the page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from playground import text
from playground.elsewhere import way
from playground.overlay import FRESH
from playground.theme import asset


def copyable(elem_id: str) -> gr.HTML:
    """A component whose texts can be copied with a press."""
    return gr.HTML(elem_id=elem_id, apply_default_css=False, js_on_load=asset("copy.js").read_text(encoding="utf-8"))


def folded(elem_id: str) -> gr.HTML:
    """The same, folded away under its title."""
    with gr.Accordion(text.label("elsewhere.title"), open=False, elem_classes="group"):
        return copyable(elem_id)


def both(command: Sequence[str], lines: Sequence[str], language: str) -> str:
    """A command and its Python lines as HTML, each with a button that copies it."""
    return way("command", shlex.join(command), language) + way("python", "\n".join(lines), language)


def of_text(path: str, name: str, language: str) -> str:
    """Reading a text and cutting it into tokens; `path` is the clean text."""
    lines = (
        "from pathlib import Path",
        "from lm.config import DataConfig",
        "from lm.corpus import read_corpus",
        "from lm.tokenizer import make_tokenizer",
        "",
        f"corpus = read_corpus([Path({path!r})], Path({name + '.clean.txt'!r}))",
        "print(corpus.statistics)",
        'tokenizer = make_tokenizer(DataConfig(tokenizer="bpe", vocab_size=1024), corpus)',
        "print(len(tokenizer.encode(corpus.path.read_text(encoding='utf-8'))))",
    )
    return both(["lm", "tokenize", "--data", path, "--tokenizer", "bpe", "--vocab-size", "1024"], lines, language)


def of_fork(
    parent: str, name: str, weights: str, argv: Sequence[str], changes: Mapping[str, Any], language: str
) -> str:
    """Branching off `parent`; `argv` says `changes` as flags."""
    lines = (
        "from pathlib import Path",
        "from lm import run_dir, trainer",
        "from lm.fork import fork",
        "",
        'runs = Path("runs")',
        f"branch = run_dir.create(runs, {name!r})",
        f"fork(branch, run_dir.find(runs, {parent!r}), {weights!r}, {dict(changes)!r})",
        "trainer.train(branch)",
    )
    return both(["lm", "fork", parent, "--name", name, "--checkpoint", weights, *argv], lines, language)


def of_race(parent: str, sides: Sequence[tuple[str, Sequence[str]]], language: str) -> str:
    """Two branches of `parent` with fresh weights, side by side; `sides` are their names and settings, as flags."""
    flags = [(name, ["--checkpoint", FRESH, *argv]) for name, argv in sides]
    commands = [shlex.join(["lm", "fork", parent, "--name", name, *argv]) for name, argv in flags]
    lines = (
        "from pathlib import Path",
        "from lm import launch",
        "",
        'runs = Path("runs").resolve()',
        f"for name, flags in {flags!r}:",
        f'    launch.start(runs, name, flags, ("fork", str(runs / {parent!r})))  # does not wait for its end',
    )
    return way("command", "\n".join(commands), language) + way("python", "\n".join(lines), language)


def of_push(run: str, repo: str, options: Mapping[str, Any], language: str) -> str:
    """Pushing `run` to `repo`; `options` are the fields of `lm.push.PushConfig` that are not as they were."""
    flags = [word for name, value in options.items() for word in _flag(name, value)]
    given = "".join(f", {name}={value!r}" for name, value in options.items())
    lines = (
        "from pathlib import Path",
        "from lm import run_dir",
        "from lm.push import PushConfig, push",
        "",
        f'run = run_dir.find(Path("runs"), {run!r})',
        f"print(push(run, PushConfig({repo!r}{given})).url)",
    )
    return both(["lm", "push", run, repo, *flags], lines, language)


def _flag(name: str, value: Any) -> list[str]:
    """A setting of a push as the command line says it."""
    flag = f"--{dict(languages='language').get(name, name).replace('_', '-')}"
    if isinstance(value, bool):
        return [flag] if value else [f"--no-{name}"]
    return [flag, *value] if isinstance(value, tuple) else [flag, str(value)]
