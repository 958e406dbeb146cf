"""The embeddings as they grow: of the most frequent tokens their rows at each evaluation, kept beside the run.

`embeddings/<evaluation>-<step>.safetensors` holds `ids` (N,) int64 and `rows` (N, C) float16, whole or not at all. At
most `MOST_STAGES` are kept: once there are more, every second evaluation goes, then every second of those. Which ones
that leaves follows from how many evaluations there were and from nothing else, so a run that was interrupted ends with
the files of one that never was. The rows are kept rather than places on a map, for the two axes that show most are only
known at the end, and must be the same for every stage (`lm.lens.maps`).

On disk a stage takes 2·`MOST_TOKENS`·C bytes: 80 kB at C = 256, so 3 MB for a whole run, however long. Not covered:
tables wider than `MOST_WIDTH` (a bigram over a published vocabulary), which would take more than the run itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from lm import tensors
from lm.errors import CheckpointError
from lm.model import GPT
from lm.run_dir import RunDir

MOST_STAGES = 40
MOST_TOKENS = 160  # a map of more could not be read
MOST_WIDTH = 4096
COUNTED_TOKENS = 1 << 20
NAME = re.compile(r"(\d+)-(\d+)\.safetensors")


class Stage(NamedTuple):
    """The rows (N, C) float32 of the tokens `ids` (N,) after `step` steps."""

    step: int
    ids: np.ndarray
    rows: np.ndarray


def table(model: GPT) -> torch.Tensor:
    """A row for each token, (V, C); of a bigram its scores."""
    return (model.table if model.config.arch == "bigram" else model.token_embedding).weight.detach()


def frequent(train_tokens: np.ndarray, vocab_size: int) -> np.ndarray:
    """The ids that occur most at the beginning of a text, at most `MOST_TOKENS` (N,), the most frequent first."""
    counts = np.bincount(train_tokens[:COUNTED_TOKENS], minlength=vocab_size)
    ranked = np.argsort(-counts, kind="stable")[:MOST_TOKENS]
    return ranked[counts[ranked] > 0]


class Keeper:
    """Writes the stages of one training, and counts its evaluations."""

    def __init__(self, run: RunDir, train_tokens: np.ndarray, vocab_size: int) -> None:
        self.folder, self.ids = run.embeddings, torch.from_numpy(frequent(train_tokens, vocab_size))
        self.evaluations = 0

    def keep(self, model: GPT, step: int) -> None:
        """Write the stage of this evaluation if it is one to keep, and remove those that are so no longer."""
        rows, number = table(model), self.evaluations
        self.evaluations += 1
        apart = _apart(self.evaluations)
        if rows.shape[1] <= MOST_WIDTH and number % apart == 0:
            held = dict(ids=self.ids, rows=rows[self.ids.to(rows.device)].half())
            with tensors.explaining_failure("write", self.folder):
                self.folder.mkdir(exist_ok=True)
                tensors.write(self.folder / f"{number:06}-{step}.safetensors", held, {})
        for known, _, path in _files(self.folder):
            if known % apart:
                path.unlink(missing_ok=True)

    def forget_after(self, step: int) -> None:
        """Drop the stages after `step`, as a resumed run will write them again."""
        for _, known, path in _files(self.folder):
            if known > step:
                path.unlink(missing_ok=True)

    def state_dict(self) -> dict[str, Any]:
        return dict(evaluations=self.evaluations)

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        self.evaluations = saved.get("evaluations", 0)  # a state of before there were stages


def read(run: RunDir) -> list[Stage]:
    """The stages of a run, the earliest first; none of a run that kept none. `CheckpointError` for a damaged one."""
    found = []
    for _, step, path in _files(run.embeddings):
        try:
            held, _ = tensors.read(path)
        except CheckpointError:
            if path.exists():
                raise
            continue  # its trainer thinned them out meanwhile
        found.append(Stage(step, held["ids"].numpy(), held["rows"].float().numpy()))
    return found


def _apart(evaluations: int) -> int:
    """Every how many of so many evaluations one is kept: a power of two, so that what was dropped stays dropped."""
    apart = 1
    while -(-evaluations // apart) > MOST_STAGES:
        apart *= 2
    return apart


def _files(folder: Path) -> list[tuple[int, int, Path]]:
    """(number of the evaluation, step, file) of every stage there, in order."""
    entries = folder.iterdir() if folder.is_dir() else ()
    named = [(NAME.fullmatch(path.name), path) for path in entries]
    return sorted((int(name[1]), int(name[2]), path) for name, path in named if name)
