"""Writing with a model: what every button of the Generate tab does to the visitor's draft.

Each of them gives the texts for the component, the draft, the meter, the same elsewhere, and a line about it: while the
model writes again and again, and once more when it is done, with what was recited underlined.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from lm.config import SampleConfig
from lm.errors import RunError
from lm.run_dir import RunDir
from lm.settings import check
from playground import drafts, elsewhere, limits, settings_form, written
from playground.drafts import Draft
from playground.markup import count, escape, note
from playground.models import load
from playground.text import say
from playground.workspace import Workspace

FIELDS = settings_form.sampling_fields()
NAMES = [f.name for _, f in FIELDS]
# The page is redrawn at most this often while the model writes: 20 times a second look like a typewriter.
REDRAW_SECONDS = 0.05
PROMPT_CHARACTERS = 20_000

Shown = tuple[Any, ...]  # the page, the draft, the meter, the same elsewhere, what is told


def sampling(values: tuple[Any, ...], language: str) -> SampleConfig:
    """The widgets' values as one checked configuration."""
    [config] = settings_form.gather(FIELDS, values, [SampleConfig()], language)
    check(config)
    return config


def write(
    space: Workspace, checkpoint: str | None, prompt: str, draft: Draft, language: str, *values: Any
) -> Iterator[Shown]:
    """Continue a prompt.

    Inputs: `run/which`, the first words, what stands there, every sampling setting's value.
    Outputs: again and again, the texts so far for the component, the draft, the meter, the same elsewhere, a line
    about them, as HTML.
    """
    from lm.generate import prompt_ids

    prompt = prompt[-PROMPT_CHARACTERS:]
    model, tokenizer = load(space, checkpoint, language)
    config = sampling(values, language)
    given = tuple(prompt_ids(model, tokenizer, prompt).tolist())
    empty = ((),) * config.num_samples
    begun = Draft(checkpoint, prompt, given, empty, config, before=draft.remembered())
    told = _unknown(tokenizer.unknown(prompt), language)
    limits.check_writing(space.share.limits, config.max_new_tokens * config.num_samples, language)
    yield from _show(space, begun, drafts.write(space.share.turns, model, tokenizer, begun), language, told)


def again(
    space: Workspace, checkpoint: str | None, prompt: str, draft: Draft, language: str, *values: Any
) -> Iterator[Shown]:
    """Write anew with another seed. Inputs: as `write`. Outputs: the seed, then those of `write`."""
    seed = drafts.new_seed()
    seeded = [seed if name == "seed" else value for name, value in zip(NAMES, values, strict=True)]
    for shown in write(space, checkpoint, prompt, draft, language, *seeded):
        yield seed, *shown


def go_on(space: Workspace, draft: Draft, language: str, *values: Any) -> Iterator[Shown]:
    """Let every text go on from where it stands, with the present settings but its own seed.

    Inputs: what stands there, every sampling setting's value. Outputs: those of `write`.
    """
    _something(draft, language)
    model, tokenizer = load(space, draft.model, language)
    config = replace(sampling(values, language), seed=draft.config.seed, num_samples=len(draft.samples))
    limits.check_writing(space.share.limits, config.max_new_tokens * config.num_samples, language)
    is_other = replace(config, max_new_tokens=draft.config.max_new_tokens) != draft.config
    begun = replace(draft, config=config, is_bent=draft.is_bent or is_other, before=draft.remembered())
    growing = drafts.lengthen_all(space.share.turns, model, tokenizer, begun, config.max_new_tokens)
    yield from _show(space, begun, growing, language)


def regrow(space: Workspace, draft: Draft, language: str, event: gr.EventData) -> Iterator[Shown]:
    """Take another token at one place and let the text grow anew from there, with the settings it was written with.

    Inputs: what stands there; the event says which `sample`, `index` and `id`. Outputs: those of `write`.
    """
    sample, index = _position(draft, event, language)
    model, tokenizer = load(space, draft.model, language)
    if not 0 <= int(event.id) < tokenizer.vocab_size:
        raise RunError(say("generate.gone", language))
    begun = drafts.bend(draft, sample, index, int(event.id))
    n_tokens = max(len(draft.samples[sample]), draft.config.max_new_tokens) - index - 1
    limits.check_writing(space.share.limits, n_tokens, language)
    growing = drafts.lengthen(space.share.turns, model, tokenizer, begun, sample, max(1, n_tokens))
    yield from _show(space, begun, growing, language)


def unfold(space: Workspace, draft: Draft, language: str, event: gr.EventData) -> dict[str, Any]:
    """Show what could have stood at one place instead.

    Inputs: what stands there; the event says which `sample` and `index`. Outputs: the texts with these alternatives.
    """
    from lm.lens import alternatives

    sample, index = _position(draft, event, language)
    model, tokenizer = load(space, draft.model, language)
    chosen = draft.samples[sample][index]
    before, prompt = draft.until(sample, index), len(draft.given)
    found = alternatives(model, tokenizer, before, draft.config, prompt=prompt, chosen=chosen)
    shown = written.value(draft, tokenizer, language, recited=_recited(space, draft, tokenizer)[0])
    return written.opened(shown, sample, index, found, chosen)


def undo(space: Workspace, draft: Draft, language: str) -> Shown:
    """Inputs: what stands there. Outputs: those of `write`, of what stood there before."""
    if draft.before is None:
        raise RunError(say("generate.no_past", language))
    return _settled(space, draft.before, language)


def halt(space: Workspace, draft: Draft, language: str) -> Shown:
    """The writing was stopped. Inputs: what stands there. Outputs: those of `write`."""
    if not draft.samples:
        return empty(language), draft, "", "", ""
    return _settled(space, draft, language)


def _show(space: Workspace, begun: Draft, growing: Iterator[Draft], language: str, told: str = "") -> Iterator[Shown]:
    """The drafts of `growing` as they come, a few times a second; then the last one with all there is to say."""
    _, tokenizer = load(space, begun.model, language)
    drawn, started, draft, name = 0.0, time.perf_counter(), begun, secrets.token_hex(4)
    with space.share.turns.writing(space.share.visitor, space.share.limits, language):
        yield written.value(begun, tokenizer, language, writing=name), begun, "", "", told
        for draft in growing:
            if time.perf_counter() - drawn >= REDRAW_SECONDS:
                drawn = time.perf_counter()
                yield written.value(draft, tokenizer, language, writing=name), draft, gr.skip(), gr.skip(), told
    seconds = time.perf_counter() - started
    n_tokens = draft.n_tokens - begun.n_tokens
    rate = say("generate.rate", language, n=count(n_tokens), rate=count(n_tokens / seconds), seed=draft.config.seed)
    yield written.value(draft, tokenizer, language), draft, "", "", f'{told}<p class="fine">{escape(rate)}</p>'
    page, draft, meter, same, _ = _settled(space, draft, language)
    yield page, draft, meter, same, f'{told}<p class="fine">{escape(rate)}</p>'


def _settled(space: Workspace, draft: Draft, language: str) -> Shown:
    """A draft at rest: its texts with what was recited, the meter, the same elsewhere."""
    _, tokenizer = load(space, draft.model, language)
    recited, meter = _recited(space, draft, tokenizer, language)
    seed = say("generate.seed", language, n=count(draft.n_tokens), seed=draft.config.seed)
    shown = written.value(draft, tokenizer, language, recited=recited)
    return shown, draft, meter, _elsewhere(space, draft, language), f'<p class="fine">{escape(seed)}</p>'


def _recited(space: Workspace, draft: Draft, tokenizer: Any, language: str = "en") -> tuple[list[Any], str]:
    """Of each sample the passages that stand in the training text, and the meter; without that text, why not."""
    from lm.lens import spelled
    from lm.memorised import index_of

    run = RunDir(space.checkpoint(*draft.model.rsplit("/", 1)).parent)
    if not run.train_tokens.is_file():
        return [], note("calm", say("meter.unknown", language))
    index = index_of(run)
    pieces = [spelled(tokenizer, ids) for ids in draft.samples]
    texts = ["".join(one) for one in pieces]
    passages = [index.passages(text, list(zip(ids, one))) for text, ids, one in zip(texts, draft.samples, pieces)]
    return passages, written.meter(passages, texts, index, language)


def _elsewhere(space: Workspace, draft: Draft, language: str) -> str:
    """The command and the lines of Python that write the same."""
    if draft.is_bent:
        return note("calm", say("generate.bent", language))
    title = title_of(space, draft.model)
    ways = (("command", drafts.command(draft, title)), ("python", drafts.python(draft, title)))
    return "".join(elsewhere.way(key, words, language) for key, words in ways)


def title_of(space: Workspace, model: str) -> str:
    """What the command line calls the model `run/which`: its run, or where it was fetched from."""
    name = model.rsplit("/", 1)[0]
    return next((title for title, key in space.fetched() if key == name), name)


def _something(draft: Draft, language: str) -> None:
    if not draft.samples:
        raise RunError(say("generate.nothing_yet", language))


def _position(draft: Draft, event: gr.EventData, language: str) -> tuple[int, int]:
    """Which token was meant; the page may show a draft that this visitor's session has lost."""
    sample, index = int(event.sample), int(event.index)
    if not (0 <= sample < len(draft.samples) and 0 <= index < len(draft.samples[sample])):
        raise RunError(say("generate.gone", language))
    return sample, index


def empty(language: str) -> dict[str, Any]:
    """The component before anything was written."""
    return dict(prompt="", samples=[], writing="", words=written.words(language))


def _unknown(characters: list[str], language: str) -> str:
    if not characters:
        return ""
    shown = " ".join(f"“{character}”" for character in characters[:20])
    return note("attention", say("generate.unknown", language, characters=shown))
