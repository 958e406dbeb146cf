"""Fetched files → the folder they become: a checkpoint that generates, or the run that was pushed.

Whole or not at all: a folder is made aside, tried out, and then named. What a run from elsewhere says is checked, and it
is let train on what this machine has; with its `resume/` it goes on where it was. `lm.pull` fetches what comes here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm import batches, bundle, checkpoint, prepare, run_dir
from lm.errors import HubError, LMError
from lm.run_dir import RunDir, Status
from lm.scratch import scratch
from lm.tokenizer import load_tokenizer

MOST_THREADS = 1024
RUN_FILES = ("training/config.json", "training/metrics.jsonl", "training/samples.jsonl")
RESUME_FILES = (f"resume/{checkpoint.STATE}", "resume/train.bin", "resume/val.bin", "resume/status.json",
                "resume/last/model.safetensors", "resume/best/model.safetensors")  # fmt: skip


def settle(snapshot: Path, to: Path) -> tuple[bool, bool, tuple[str, ...]]:
    """Make `to` out of fetched files, whole or not at all; whether it is a run, whether it can go on, what to tell."""
    is_run, has_state = ((snapshot / name).is_file() for name in (RUN_FILES[0], RESUME_FILES[0]))
    to.parent.mkdir(parents=True, exist_ok=True)
    with scratch(to.parent) as folder:
        place = folder / to.name
        place.mkdir()
        if is_run:
            notes = _as_run(snapshot, RunDir(place), has_state)
        else:
            _copy(snapshot, place, checkpoint.FILES)
            try_out(place)
            notes = ()
        os.rename(place, to)
    return is_run, is_run and has_state, notes


def try_out(folder: Path) -> None:
    """Load the model and its tokenizer once: whoever pulls learns at once whether they work here."""
    checkpoint.load_model(folder)
    load_tokenizer(folder)


def _as_run(snapshot: Path, run: RunDir, has_state: bool) -> tuple[str, ...]:
    """The run directory that was pushed, as far as it was."""
    said = run_dir.read_json(snapshot / RUN_FILES[0])
    if not isinstance(said, dict):
        raise HubError("its training/config.json holds no settings; choose another model")
    top = run.last if said.get("checkpoint") == "last" else run.best
    _copy(snapshot, top, checkpoint.FILES)
    try_out(top)
    for name in RUN_FILES:
        _copy_file(snapshot / name, run.path / Path(name).name)
    _copy(snapshot, run.path, ("tokenizer.json", "tokenizer_config.json"))
    notes = _adapt(run, said)
    run_dir.write_status(run, _status(run, snapshot / "resume" / "status.json"))
    if has_state:
        _add_state(snapshot, run, top)
    return notes


def _adapt(run: RunDir, said: dict[str, Any]) -> tuple[str, ...]:
    """Check the settings of a run from elsewhere, and let it train on what this machine has."""
    from lm.device import choose_device

    setup = prepare.load(run)
    if not 1 <= setup.threads <= MOST_THREADS:
        raise HubError(
            f"its training/config.json says threads={setup.threads}, which no machine has; choose another model"
        )
    try:
        choose_device(setup.device.type)
    except LMError:
        here = choose_device("auto").type
        run_dir.write_json(run.config, said | dict(device=here, precision="float32"))
        return (
            f"it was trained on {setup.device.type}, which is not here: training goes on on {here}, and not bit for "
            "bit",
        )
    return ()


def _status(run: RunDir, told: Path) -> Status:
    """Where the run stands: as it was told, or as its last line says."""
    records, _ = run_dir.read_metrics(run.path)
    last = records[-1] if records else {}
    status = Status("finished", last.get("step", 0), last.get("step", 0), last.get("time_seconds", 0.0), 0.0)
    if not told.is_file():
        return status
    said = run_dir.read_json(told)
    if not isinstance(said, dict):
        raise HubError("its resume/status.json holds no status; choose another model")
    known = {name: said[name] for name in bundle.SHARED_STATUS if type(said.get(name)) is type(getattr(status, name))}
    return replace(status, **known | dict(state="finished" if known.get("state") == "finished" else "stopped"))


def _add_state(snapshot: Path, run: RunDir, top: Path) -> None:
    """What training goes on from; `CorpusError` if its tokens are not of this vocabulary."""
    _copy_file(snapshot / RESUME_FILES[0], run.resume / checkpoint.STATE)
    for tokens in (run.train_tokens, run.val_tokens):
        _copy_file(snapshot / "resume" / tokens.name, tokens)
        batches.open_tokens(tokens, prepare.load(run).model.vocab_size)
    other = run.best if top == run.last else run.last
    if (weights := snapshot / "resume" / other.name / checkpoint.WEIGHTS).is_file():
        _copy(snapshot, other, (name for name in checkpoint.FILES if name != checkpoint.WEIGHTS))
        _copy_file(weights, other / checkpoint.WEIGHTS)


def _copy(source: Path, to: Path, names: Iterable[str]) -> None:
    for name in names:
        if (source / name).is_file():
            _copy_file(source / name, to / name)


def _copy_file(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)
