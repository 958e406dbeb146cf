"""What a model makes of a text, as the values that the panels of *Look inside* draw: one function a panel.

Each takes a `Subject` and gives a dictionary of numbers and strings for `assets/inside_<panel>.js`. Texts are bounded
here, so that every panel answers within about a second for a small model on two cores, whoever asks.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lm.errors import CheckpointError, LMError
from lm.run_dir import RunDir
from playground.text import say

PASSAGE_CHARACTERS = 2000  # of the text that is looked at
HARD_CHARACTERS, HARD_PASSAGES = 24, 5
MAP_PARAMETERS = 30_000_000  # of a larger model the first weights are not drawn again
PAIR_TOKENS = 24
LAB_SIZES = (300, 512, 1024, 2048, 4096)
Shown = tuple[str, int | None, np.ndarray]  # a stage's name (if it has one), step and rows


@dataclass(frozen=True)
class Subject:
    """A model, its tokenizer and folder, the folders of its run's other checkpoints, and the text to look at."""

    model: Any
    tokenizer: Any
    folder: Path
    stages: tuple[tuple[str, Path], ...]  # (best or last, folder)
    text: str

    @property
    def run(self) -> RunDir:
        return RunDir(self.folder.parent)

    @property
    def ids(self) -> list[int]:
        return self.tokenizer.encode(self.text).tolist()


def surprise(subject: Subject, language: str) -> dict[str, Any]:
    """Every character's loss, and the passages that were hardest."""
    from lm import lens

    found = lens.surprise(subject.model, subject.tokenizer, subject.text)
    pieces = [(one.text, None if one.nats is None else round(one.nats, 3), one.n_tokens) for one in found]
    nats = sum(one.nats for one in found if one.nats is not None)
    n_bytes = len("".join(one.text for one in found if one.nats is not None).encode("utf-8"))
    return dict(pieces=pieces, hardest=_hardest(pieces), bits=nats / math.log(2) / n_bytes if n_bytes else None)


def _hardest(pieces: Sequence[tuple[str, float | None, int]]) -> list[tuple[int, int, float]]:
    """(first piece, piece after the last, nats per character) of the hardest stretches, which do not overlap."""
    losses = np.array([nats or 0.0 for _, nats, _ in pieces])
    lengths = np.array([len(text) for text, _, _ in pieces])
    starts, found = np.cumsum(lengths) - lengths, []
    ends = np.searchsorted(starts, starts + HARD_CHARACTERS)
    sums = np.append(0.0, np.cumsum(losses))
    means = (sums[ends] - sums[:-1]) / HARD_CHARACTERS if len(pieces) else np.empty(0)
    for first in np.argsort(-means, kind="stable").tolist():
        last = int(ends[first])
        if len(found) < HARD_PASSAGES and all(last <= a or first >= b for a, b, _ in found):
            found.append((first, last, round(float(means[first]), 2)))
    return found


def next_tokens(subject: Subject, language: str) -> dict[str, Any]:
    """The scores of what comes after the text, from which the page computes every setting."""
    from lm import lens
    from lm.generate import prompt_ids

    ids = prompt_ids(subject.model, subject.tokenizer, subject.text).tolist()
    found = lens.next_tokens(subject.model, subject.tokenizer, ids)
    names = [lens.named(subject.tokenizer, i) for i in found.ids]
    tail = [(round(score, 3), n) for score, n in found.tail]
    return dict(tokens=names, logits=[round(score, 4) for score in found.logits], tail=tail, end=subject.text[-60:])


def attention(subject: Subject, language: str) -> dict[str, Any]:
    """The weights of every layer and head over the first tokens, in steps of 1/255; `cut` says that there are more."""
    from lm import lens

    whole = subject.ids
    ids = whole[: min(lens.MOST_ATTENTION_TOKENS, subject.model.config.block_size)]
    weights = lens.attention(subject.model, ids)
    if not weights.size:
        raise CheckpointError(say("inside.no_attention", language))
    n_layer, n_head, length, _ = weights.shape
    lower = (slice(None), slice(None), *np.tril_indices(length))
    packed = np.rint(weights[lower] * 255).astype(np.uint8)
    tokens = [lens.named(subject.tokenizer, i) for i in ids]
    n_characters = len("".join(lens.spelled(subject.tokenizer, ids)))
    told = say("insight.attention.beginning", language, n=n_characters, tokens=length)
    packed = base64.b64encode(packed.tobytes()).decode("ascii")
    return dict(tokens=tokens, layers=n_layer, heads=n_head, weights=packed, cut=told if len(whole) > length else "")


def embeddings(subject: Subject, language: str) -> dict[str, Any]:
    """The tokens as points: before training, at the evaluations since, and at every checkpoint there is."""
    from lm import lens

    ids, found = _stages(subject)
    stages = [dict(name=name and say(f"inside.stage.{name}", language), step=step) for name, step, _ in found]
    for stage, one in zip(stages, lens.maps([rows for *_, rows in found], range(len(ids)))):
        stage |= dict(
            points=one.points.round(4).tolist(), near=one.neighbours.tolist(), explained=round(one.explained, 4)
        )
    return dict(tokens=[lens.named(subject.tokenizer, i) for i in ids], stages=stages)


def _stages(subject: Subject) -> tuple[list[int], list[Shown]]:
    """The ids that the map shows, and the stages of its training, the earliest first; at one step there is one."""
    from lm import checkpoint, lens

    kept = _kept(subject)
    ids = kept[0].ids.tolist() if kept else _frequent(subject)
    known = [
        (name, checkpoint.facts(folder).step, lens.embedding(checkpoint.load_model(folder))[ids])
        for name, folder in subject.stages
    ]
    if not known:
        return ids, [("fetched", None, lens.embedding(subject.model)[ids])]
    between = [("", stage.step, stage.rows) for stage in kept if stage.step]
    by_step = {one[1]: one for one in [*between, *reversed(known), *_first(subject, kept, ids)]}
    return ids, [by_step[step] for step in sorted(by_step, key=lambda step: step or 0)]


def _kept(subject: Subject) -> list[Any]:
    """What the training kept of its embeddings, if it fits the model; of a damaged file's run nothing."""
    from lm import lens, stages

    try:
        found = stages.read(subject.run)
    except LMError:
        return []
    n_rows, width = lens.embedding(subject.model).shape
    is_like = [np.array_equal(stage.ids, found[0].ids) and stage.rows.shape[1] == width for stage in found]
    return found if all(is_like) and (not found or found[0].ids.max(initial=0) < n_rows) else []


def _first(subject: Subject, kept: list[Any], ids: list[int]) -> list[Shown]:
    """The stage before training: kept, or drawn again; of a folder that is no run's, or an older one, it is not known."""
    from lm import lens

    if kept and kept[0].step == 0:
        return [("first", 0, kept[0].rows)]
    if subject.model.parameter_count() > MAP_PARAMETERS or not subject.run.config.is_file():
        return []
    try:
        return [("first", 0, lens.first_embedding(subject.run)[ids])]
    except LMError:
        return []


def _frequent(subject: Subject) -> list[int]:
    """The ids that the map shows: the most frequent of the training text, or the first merges of a model without."""
    from lm.batches import open_tokens
    from lm.stages import MOST_TOKENS, frequent

    size, nameless = subject.tokenizer.vocab_size, {subject.tokenizer.unk_id}
    if not subject.run.train_tokens.is_file():
        first = 256 if size > 256 + MOST_TOKENS else 0
        return [i for i in range(first, size) if i not in nameless][:MOST_TOKENS]
    return [i for i in frequent(open_tokens(subject.run.train_tokens, size), size).tolist() if i not in nameless]


def tokens(subject: Subject, language: str) -> dict[str, Any]:
    """How byte pairs grow over the text, and what a vocabulary of each size costs."""
    from lm import merging

    text = subject.text[: merging.MOST_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    made = merging.lab_vocabulary(subject.folder)
    merges = merging.grow(made.ranks, made.pattern, text)
    config = subject.model.config
    width = 1 if config.arch == "bigram" else config.n_embd * (1 if config.tie_weights else 2)
    n_characters = subject.tokenizer.vocab_size if subject.tokenizer.unk_id is not None else len(set(text)) + 1
    sizes = [dict(name="char", vocab=n_characters, tokens=len(text))]
    sizes += [
        dict(name="bpe", vocab=size, tokens=merging.n_tokens(text, merges, size))
        for size in (256, *(size for size in LAB_SIZES if size <= made.vocab_size))
    ]
    steps = [(m.rank, _bytes(m.left), _bytes(m.right), m.joints) for m in merges]
    return dict(text=text, bytes=len(text.encode("utf-8")), steps=steps, sizes=sizes, width=width, square=width == 1)


def _bytes(spelling: bytes) -> str:
    try:
        return spelling.decode("utf-8")
    except UnicodeDecodeError:
        return f"⟨{spelling.hex(' ').upper()}⟩"


def pairs(subject: Subject, language: str) -> dict[str, Any]:
    """x and y of the first tokens: the same text, shifted by one; and how likely the model found each answer."""
    from lm import lens

    ids = subject.ids[: PAIR_TOKENS + 1]
    losses = lens.token_losses(subject.model, np.array(ids))
    names = [lens.named(subject.tokenizer, i) for i in ids]
    odds = [round(math.exp(-loss), 4) for loss in losses]
    return dict(tokens=names, ids=ids, odds=odds, context=subject.model.config.block_size)


PANELS = dict(
    surprise=surprise, next=next_tokens, attention=attention, embeddings=embeddings, tokens=tokens, pairs=pairs
)


def held_out(run: RunDir, tokenizer: Any, language: str, *, is_learnt: bool = False) -> str:
    """A passage of the text that a run has never seen, or (`is_learnt`) of the one that it learnt from.

    It begins at a line's beginning in the middle of that text; empty where the text did not come along.
    """
    from lm.batches import open_tokens

    path = run.train_tokens if is_learnt else run.val_tokens
    if not path.is_file():
        return ""
    ids = open_tokens(path, tokenizer.vocab_size)
    start = len(ids) // 2
    passage = tokenizer.decode(ids[start : start + PASSAGE_CHARACTERS])
    _, _, rest = passage.partition("\n")
    return (rest or passage).lstrip()[:600].strip("\ufffd")
