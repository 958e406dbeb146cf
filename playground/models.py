"""Which models there are to write with and to look into, and the one that was chosen."""

from __future__ import annotations

from typing import Any

from lm.errors import CheckpointError
from playground.text import say
from playground.workspace import FETCHED, Workspace


def choices(space: Workspace, language: str) -> list[tuple[str, str]]:
    """(what a person reads, `run/which`) of every model there is, those of the runs first."""
    own = [(f"{run} · {say(f'generate.{which}', language)}", f"{run}/{which}") for run, which in space.checkpoints()]
    return own + [(title, f"{name}/{FETCHED}") for title, name in space.fetched()]


def load(space: Workspace, checkpoint: str | None, language: str) -> tuple[Any, Any]:
    """(model, tokenizer) of `run/which`; a `CheckpointError` that says how to get one."""
    if not checkpoint:
        raise CheckpointError(say("generate.no_model", language))
    return space.model(*checkpoint.rsplit("/", 1))
