"""What one visitor's model has written, as tokens: it can go on, be changed at any token, and be taken back.

A `Draft` is a value; every change makes another one that remembers the one before. Token i of sample s spends the i-th
random number of seed s, however it came about, so a text that was stopped and continued is the text that was not
stopped, and another choice at one token leaves the dice of all later ones as they were.
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lm.config import SampleConfig
from lm.settings import settings
from playground.turns import Turns

HISTORY = 20  # steps that can be taken back
SEEDS = 100_000  # a new seed is short enough to be passed on by word of mouth
DEFAULT = SampleConfig()


@dataclass(frozen=True)
class Draft:
    """`given` are the ids of the prompt (or of what an empty one continues), `samples` those written after it.

    `model` is `run/which`. `is_bent` says that a token was chosen by hand, or that the text went on with other settings,
    so that no seed alone writes it again.
    """

    model: str = ""
    prompt: str = ""
    given: tuple[int, ...] = ()
    samples: tuple[tuple[int, ...], ...] = ()
    config: SampleConfig = DEFAULT
    is_bent: bool = False
    before: Draft | None = field(default=None, repr=False)

    @property
    def n_tokens(self) -> int:
        return sum(map(len, self.samples))

    def until(self, sample: int, index: int) -> list[int]:
        """All ids before token `index` of a sample."""
        return [*self.given, *self.samples[sample][:index]]

    def remembered(self) -> Draft | None:
        """This draft as the past of the next one: the last `HISTORY` of them."""
        kept, one = [], self if self.samples else None
        while one is not None and len(kept) < HISTORY:
            kept.append(one)
            one = one.before
        past = None
        for one in reversed(kept):
            past = replace(one, before=past)
        return past


def write(turns: Turns, model: Any, tokenizer: Any, draft: Draft) -> Iterator[Draft]:
    """Write every sample of `draft` from its prompt; the drafts on the way, one a piece."""
    from lm.generate import stream

    written: list[list[int]] = [[] for _ in range(draft.config.num_samples)]
    for piece in turns.each(stream(model, tokenizer, draft.given, draft.config)):
        written[piece.sample] += piece.ids
        yield replace(draft, samples=tuple(map(tuple, written)))


def lengthen(turns: Turns, model: Any, tokenizer: Any, draft: Draft, sample: int, n_tokens: int) -> Iterator[Draft]:
    """Let one sample go on for `n_tokens` from where it stands."""
    from lm.generate import stream

    before, ids = draft.samples[sample], list(draft.samples[sample])
    config = replace(draft.config, seed=draft.config.seed + sample, num_samples=1, max_new_tokens=n_tokens)
    for piece in turns.each(stream(model, tokenizer, [*draft.given, *before], config, drawn=len(before))):
        ids += piece.ids
        yield _with_sample(draft, sample, ids)


def lengthen_all(turns: Turns, model: Any, tokenizer: Any, draft: Draft, n_tokens: int) -> Iterator[Draft]:
    """Let one sample after the other go on for `n_tokens`."""
    for sample in range(len(draft.samples)):
        longer = draft
        for longer in lengthen(turns, model, tokenizer, draft, sample, n_tokens):
            yield longer
        draft = longer


def bend(draft: Draft, sample: int, index: int, chosen: int) -> Draft:
    """Token `index` of a sample replaced by `chosen`, and nothing after it."""
    bent = replace(draft, is_bent=draft.is_bent or draft.samples[sample][index] != chosen, before=draft.remembered())
    return _with_sample(bent, sample, [*draft.samples[sample][:index], chosen])


def new_seed() -> int:
    return random.SystemRandom().randrange(SEEDS)


def _with_sample(draft: Draft, sample: int, ids: Sequence[int]) -> Draft:
    return replace(draft, samples=(*draft.samples[:sample], tuple(ids), *draft.samples[sample + 1 :]))


# ---------------------------------------------------------------------------------------------- the same elsewhere

IMPORTS = (
    "from pathlib import Path",
    "from lm.checkpoint import find_checkpoint, load_model",
    "from lm.config import SampleConfig",
    "from lm.generate import generate",
    "from lm.tokenizer import load_tokenizer",
    "",
)


def command(draft: Draft, title: str) -> str:
    """The `lm generate` that writes this text; `title` is what the model is called there."""
    flags = [f"--{name.replace('_', '-')} {value}" for name, value in _differences(draft).items()]
    which = ["--checkpoint last"] if which_of(draft.model) == "last" else []
    return " ".join(
        [
            "lm generate",
            shlex.quote(title),
            *which,
            f"--prompt{'=' if draft.prompt.startswith('-') else ' '}{shlex.quote(draft.prompt)}",
            *flags,
        ]
    )


def python(draft: Draft, title: str) -> str:
    """The lines of Python that write this text."""
    return "\n".join(
        [
            *IMPORTS,
            *opened(repr(title), repr(which_of(draft.model))),
            f"for sample in generate(model, tokenizer, {draft.prompt!r}, SampleConfig({options(draft)})):",
            "    print(sample.text)",
        ]
    )


def opened(title: str, which: str) -> tuple[str, str]:
    """The lines of Python that load the model; both arguments are Python themselves."""
    folder = f'folder = find_checkpoint({title}, Path("runs"), {which})'
    return folder, "model, tokenizer = load_model(folder), load_tokenizer(folder)"


def options(draft: Draft, *without: str) -> str:
    """What is given to `SampleConfig`, but for what is told elsewhere."""
    return ", ".join(f"{name}={value!r}" for name, value in _differences(draft).items() if name not in without)


def which_of(model: str) -> str:
    """Which checkpoint of a run `run/which` is; what was fetched has one."""
    return "last" if model.endswith("/last") else "best"


def _differences(draft: Draft) -> dict[str, Any]:
    """The settings that differ from their defaults, and always the seed; the length is the one that was written."""
    length = max(map(len, draft.samples), default=draft.config.max_new_tokens)
    asked = replace(draft.config, max_new_tokens=max(1, length))
    values = {f.name: getattr(asked, f.name) for f in settings(SampleConfig)}
    return {name: value for name, value in values.items() if value != getattr(DEFAULT, name) or name == "seed"}
