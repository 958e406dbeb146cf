"""`lm look`: what a model makes of a text, as the page's *Look inside* draws it: one table a panel, lines or JSON.

The numbers are those of `lm.lens` and `lm.merging`. Not covered: embeddings before training and on the way, which only
the page shows.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm.errors import CorpusError
from lm.terminal import Result, say

NEXT_TOKENS = 20
LOOKED_AT = 5  # tokens that a head looks at most


@dataclass(frozen=True)
class Looked:
    """The model, its tokenizer and folder, the text, and the text's ids."""

    model: Any
    tokenizer: Any
    folder: Path
    text: str
    ids: list[int]

    def named(self, i: int) -> str:
        from lm import lens

        return lens.named(self.tokenizer, i)


Row = dict[str, Any]


def look(arguments: argparse.Namespace) -> Result:
    """Look at a text through a checkpoint."""
    from lm import checkpoint
    from lm.commands import find_model
    from lm.tokenizer import load_tokenizer

    if not arguments.text:
        raise CorpusError("there is nothing to look at: give a text, in quotes")
    folder = find_model(arguments.run, arguments.runs_dir, arguments.checkpoint)
    model, tokenizer = checkpoint.load_model(folder), load_tokenizer(folder)
    subject = Looked(model, tokenizer, folder, arguments.text, tokenizer.encode(arguments.text).tolist())
    rows = list(PANELS[arguments.panel](subject))
    for row in rows:
        say(arguments, "  ".join(_shown(value) for value in row.values()))
    return dict(panel=arguments.panel, rows=rows, checkpoint=str(folder))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    if isinstance(value, str):
        return value.replace("\n", "⏎").replace(" ", "␣")
    return "     –" if value is None else f"{value:6.3f}" if isinstance(value, float) else f"{value:6}"


# ---------------------------------------------------------------------------------------------- one panel each


def surprise(subject: Looked) -> Iterator[Row]:
    """-log p of every character, in nats."""
    from lm import lens

    for one in lens.surprise(subject.model, subject.tokenizer, subject.text):
        yield dict(nats=one.nats, text=one.text)


def next_tokens(subject: Looked) -> Iterator[Row]:
    """The likeliest tokens after the text, with their probabilities at temperature 1."""
    from lm import lens

    found = lens.next_tokens(subject.model, subject.tokenizer, subject.ids)
    mass = [math.exp(score) for score in found.logits]
    whole = sum(mass) + sum(count * math.exp(score) for score, count in found.tail)
    for i, share in list(zip(found.ids, mass))[:NEXT_TOKENS]:
        yield dict(probability=share / whole, token=subject.named(i))


def attention(subject: Looked) -> Iterator[Row]:
    """What the last of the text's first tokens looks at most, by layer and head."""
    from lm import lens

    weights = lens.attention(subject.model, subject.ids)  # (n_layer, n_head, T, T)
    for layer, heads in enumerate(weights, start=1):
        for head, shares in enumerate(heads[:, -1], start=1):
            most = shares.argsort()[::-1][:LOOKED_AT].tolist()
            looked = [f"{subject.named(subject.ids[at])} {shares[at]:.2f}" for at in most]
            yield dict(layer=layer, head=head, looks_at=looked)


def embeddings(subject: Looked) -> Iterator[Row]:
    """The text's tokens as points, and of each those of the text that are most like it."""
    from lm import lens

    ids = list(dict.fromkeys(subject.ids))
    [found] = lens.maps([lens.embedding(subject.model)], ids)
    for i, point, near in zip(ids, found.points.tolist(), found.neighbours.tolist()):
        yield dict(point=point, token=subject.named(i), alike=[subject.named(ids[other]) for other in near])


def tokens(subject: Looked) -> Iterator[Row]:
    """How byte pairs grow over the text, merge by merge."""
    from lm import merging

    made = merging.lab_vocabulary(subject.folder)
    for merge in merging.grow(made.ranks, made.pattern, subject.text):
        left, right = (part.decode("utf-8", "backslashreplace") for part in (merge.left, merge.right))
        yield dict(times=len(merge.joints), left=left, right=right)


def pairs(subject: Looked) -> Iterator[Row]:
    """x, y and how likely the model found y."""
    import numpy as np

    from lm import lens

    losses = lens.token_losses(subject.model, np.array(subject.ids))
    for x, y, nats in zip(subject.ids, subject.ids[1:], losses.tolist()):
        yield dict(probability=math.exp(-nats), x=subject.named(x), y=subject.named(y))


PANELS: dict[str, Callable[[Looked], Iterator[Row]]] = dict(
    surprise=surprise, next=next_tokens, attention=attention, embeddings=embeddings, tokens=tokens, pairs=pairs
)
