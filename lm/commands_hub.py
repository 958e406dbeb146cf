"""What `lm push`, `lm pull` and `lm space` do: the commands that need a network.

Like those of `lm.commands`: arguments in, a JSON-able result out, words for a person on the way. A token is never an
argument, for everyone on a machine can read those: it comes from `HF_TOKEN` or `hf auth login`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lm import card, hub, run_dir
from lm.names import slug
from lm.pull import OPENAI_NAMES, parse
from lm.pull import pull as fetch
from lm.push import PushConfig, preview
from lm.push import push as send
from lm.space import Published, publish
from lm.terminal import Result, say


def push(arguments: argparse.Namespace) -> Result:
    """Make or renew a repository of a run, and say its link."""
    run = run_dir.find(arguments.runs_dir, arguments.run)
    config = PushConfig(
        repo=arguments.repo,
        checkpoint=arguments.checkpoint,
        private=arguments.private,
        with_corpus=arguments.with_corpus,
        with_resume=arguments.resume,
        license=arguments.license,
        languages=tuple(arguments.language or card.guess_languages(run)),
        message=arguments.message,
    )
    text = card.read_card(arguments.card) if arguments.card else ""
    if arguments.preview:
        text = text or preview(run, config)
        say(arguments, text)
        return dict(card=text)
    if config.with_corpus:
        say(arguments, "the text goes along; make sure that you may publish it")
    with _Bar(run.name) as bar:
        pushed = send(run, config, card_text=text, progress=bar.show)
    what = "private" if pushed.is_private else "public"
    say(arguments, f"{pushed.url}  ({what}{'' if pushed.is_changed else ', unchanged'})")
    return _jsonable(pushed)


def pull(arguments: argparse.Namespace) -> Result:
    """Fetch a repository into the runs directory, or where one wants it."""
    source = parse(arguments.source, arguments.revision)
    to = Path(arguments.to) if arguments.to else arguments.runs_dir / slug(source.repo.split("/")[-1])
    with _Bar(source.repo or arguments.source) as bar:
        pulled = fetch(
            arguments.source,
            to,
            revision=arguments.revision,
            most_gigabytes=arguments.most_gigabytes,
            progress=bar.show,
        )
    for note in pulled.notes:
        say(arguments, note)
    is_named = pulled.is_run and pulled.path.parent == Path(arguments.runs_dir)
    name = pulled.path.name if is_named else str(pulled.path)
    going_on = f", or train it further with `lm resume {name}`" if pulled.is_resumable else ""
    say(arguments, f"{pulled.path}\nlet it write with `lm generate {name} --prompt …`{going_on}")
    return _jsonable(pulled)


def is_on_hub(name: str) -> bool:
    """Whether `name`, which nothing here is called, is to be looked for on the Hub: a link, user/repo, or gpt2."""
    is_path = "/" in name and Path(name).parent.is_dir()
    return name in OPENAI_NAMES or ("/" in name and not is_path)


def fetched(source: str) -> Path:
    """The folder in the Hub's cache that holds the model of a repository, fetched first if it is not there yet."""
    with _Bar(source) as bar:
        return fetch(source, progress=bar.show).path


def space(arguments: argparse.Namespace) -> Result:
    """Make or renew a demo Space of a pushed repository, and say its link."""
    with _Bar(arguments.repo) as bar:
        published: Published = publish(arguments.repo, arguments.name, private=arguments.private, progress=bar.show)
    for note in published.notes:
        say(arguments, note)
    say(arguments, published.url)
    return _jsonable(published)


def _jsonable(value: Any) -> Result:
    return {name: str(v) if isinstance(v, Path) else v for name, v in dataclasses.asdict(value).items()}


class _Bar:
    """A progress bar on a terminal, a line for each thing begun in a log."""

    def __init__(self, name: str) -> None:
        self.said, self.is_terminal = "", sys.stderr.isatty()
        self.bar = tqdm(total=0, unit="B", unit_scale=True, desc=name, disable=not self.is_terminal, leave=False)

    def __enter__(self) -> hub.Progress | Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()

    def show(self, words: str, done: int, total: int) -> None:
        if self.is_terminal:
            self.bar.total, self.bar.n = total, done
            self.bar.set_postfix_str(words)
        elif words != self.said:
            print(words, file=sys.stderr, flush=True)
        self.said = words
