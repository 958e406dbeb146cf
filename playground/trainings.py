"""Trainings of one workspace: on one's own machine they begin at once, on one that many share when their turn comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from lm import launch, run_dir
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.errors import RunError
from lm.names import free_name
from lm.recipes import flag
from lm.run_dir import RunDir
from playground import limits, queue
from playground.queue import Place
from playground.workspace import Workspace

PARTS = (("data", DataConfig), ("model", ModelConfig), ("train", TrainConfig))


def begin(
    space: Workspace,
    wanted: str,
    argv: Sequence[str],
    language: str,
    minutes: float = 0.0,
    command: Sequence[str] = ("train",),
) -> str:
    """Train in a run called `wanted` or much like it; its name.

    `argv` and `command` are as in `lm.launch.start`; `minutes` is how long was asked for, 0 if it was not said.
    """
    share = space.share
    if share.queue is None:
        name = free_name(space.runs_dir, wanted)
        return launch.start(space.runs_dir, name, argv, command).name
    with share.queue.asking:  # a hundred presses at once are as many runs as one may keep, and no more
        limits.check_line(share.limits, share.queue.n_waiting(), language)
        limits.check_runs(share.limits, len(run_dir.list_runs(space.runs_dir)), language)
        space.check_room(0, language)
        share.queue.step()  # a run that was deleted since the last look leaves its name
        name = free_name(space.runs_dir, wanted)
        share.queue.add(share.visitor, run_dir.create(space.runs_dir, name), argv, _minutes(space, minutes), command)
    return name


def fork(space: Workspace, parent: str, wanted: str, weights: str, changes: Mapping[str, Any], language: str) -> str:
    """Branch off `parent`: `lm fork PARENT` in a run called `wanted` or much like it; its name.

    `weights` are those it begins from, `changes` the settings that differ from the parent's, by their fields' names.
    What does not fit is refused before anything begins.
    """
    from lm.fork import fitting

    run = _find(space, parent)
    said = run_dir.read_json(run.config)
    data, model, train = (_changed(kind, said.get(part), changes) for part, kind in PARTS)
    limits.check_training(space.share.limits, data, model, train, model.vocab_size, language)
    fitting(run, weights, changes)
    argv = ["--checkpoint", weights, *flags_of(changes)]
    command = ("fork", str(run.path.resolve()))
    return begin(space, wanted, argv, language, train.minutes, command)


def flags_of(changes: Mapping[str, Any]) -> list[str]:
    """Settings by their fields' names, as the command line says them."""
    return [word for item in changes.items() for word in flag(*item)]


def resume(space: Workspace, name: str, language: str) -> None:
    """Go on with a run that has ended."""
    run = _find(space, name)
    space.check_room(0, language)
    if space.share.queue is None:
        launch.resume(run)
    else:
        space.share.queue.add(space.share.visitor, run, (), _minutes(space, 0.0), queue.RESUME)


def stop(space: Workspace, name: str) -> None:
    """End a run that trains or waits: it finishes its step and saves, or gives its place away."""
    run = _find(space, name)
    if space.share.queue is None or not space.share.queue.leave(run):
        launch.stop(run)


def place(space: Workspace, run: RunDir) -> Place | None:
    """Where a run stands in the line; None if it does not wait."""
    return space.share.queue.place(run) if space.share.queue else None


def _changed(kind: type, recorded: Any, changes: Mapping[str, Any]) -> Any:
    """What a run recorded of its settings, with the changes; of what it does not say, the default."""
    said = (recorded if isinstance(recorded, dict) else {}) | changes
    return kind(**{f.name: said[f.name] for f in fields(kind) if f.name in said})


def _minutes(space: Workspace, asked: float) -> float:
    most = space.share.limits.minutes if space.share.limits else asked
    return min(asked, most) if asked else most


def _find(space: Workspace, name: str) -> RunDir:
    if not space.library.has(name):
        raise RunError(f"{name!r} is not a run in this library; choose one there")
    return RunDir(space.runs_dir / name)
