"""A draft → what the page shows of it: the value of the component that `assets/generate.js` draws, and the meter.

The component makes every token a button. Its text reaches the page as text, never as HTML.
"""

from __future__ import annotations

import re
from typing import Any

import gradio as gr

from playground.drafts import Draft
from playground.markup import count, escape
from playground.text import say
from playground.theme import asset

WORDS = ("tokens", "alternatives", "chosen", "drawn", "own", "empty", "left", "broken", "sample", "copied")
LISTED_PASSAGES = 12
QUOTED_CHARACTERS = 160


def component() -> gr.HTML:
    """The written texts; a click on a token is a `select`, on an alternative an `edit`."""
    return gr.HTML(
        dict(samples=[], words={}),
        elem_id="written",
        apply_default_css=False,
        html_template='<div class="pages"></div>',
        js_on_load=asset("generate.js").read_text(encoding="utf-8"),
    )


def words(language: str) -> dict[str, str]:
    """The component's words, by the names that `assets/generate.js` uses."""
    return {name: say(f"written.{name}", language) for name in WORDS}


def value(
    draft: Draft, tokenizer: Any, language: str, *, writing: str = "", recited: list[list[Any]] | None = None
) -> dict[str, Any]:
    """What the component shows: of each sample its tokens' texts, and the passages that were recited.

    `writing` names the writing that is under way; it is empty of a text at rest.
    """
    from lm.lens import spelled

    samples = [
        dict(seed=draft.config.seed + i, tokens=spelled(tokenizer, ids), passages=[])
        for i, ids in enumerate(draft.samples)
    ]
    for sample, passages in zip(samples, recited or []):
        sample["passages"] = [dict(start=p.start, end=p.end, place=place(p, language)) for p in passages]
    return dict(prompt=draft.prompt, samples=samples, writing=writing, words=words(language))


def opened(shown: dict[str, Any], sample: int, index: int, choices: list[Any], chosen: int) -> dict[str, Any]:
    """`shown` with the alternatives of one token unfolded."""
    rows = [dict(id=c.id, text=c.text, own=c.probability, drawn=c.drawn, chosen=c.id == chosen) for c in choices]
    return shown | dict(open=dict(sample=sample, index=index, rows=rows))


def place(passage: Any, language: str) -> str:
    """Where a passage stands in the training text, in words."""
    return say(
        "written.place", language, line=count(passage.line), column=count(passage.column), times=count(passage.times)
    )


def meter(recited: list[list[Any]], texts: list[str], index: Any, language: str) -> str:
    """How much of the texts stands word for word in the training text, where, and how much is new at each length."""
    from lm.memorised import LEAST_CHARACTERS, LEAST_TOKENS, recited_share

    passages = [passage for one in recited for passage in one]
    share = recited_share(passages, "".join(texts))
    unit = "meter.tokens" if index.knows_tokens else "meter.characters"
    least = say(unit, language, n=LEAST_CHARACTERS, tokens=LEAST_TOKENS)
    key = "meter.some" if passages else "meter.none"
    told = escape(say(key, language, share=f"{100 * share:.0f} %", n=count(len(passages)), least=least))
    if index.is_cut:
        told += f" {escape(say('meter.is_cut', language))}"
    rows = [_passage(text, p, language) for text, one in zip(texts, recited) for p in one][:LISTED_PASSAGES]
    listed = f'<ol class="passages">{"".join(rows)}</ol>' if rows else ""
    kind = "attention" if passages else "calm"
    novelty = _novelty(index.novelty("".join(texts)), language)
    return f'<div class="note {kind}" role="note"><p>{told}</p></div>{novelty}{listed}'


def _novelty(novelty: dict[int, float], language: str) -> str:
    """A bar for each length of run: how many of them are the model's own."""
    bars = "".join(
        f"<div><span>{escape(say('meter.run', language, n=n))}</span>"
        f'<i class="meter"><u style="width:{share:.1%}"></u></i><b>{100 * share:.0f} %</b></div>'
        for n, share in novelty.items()
    )
    about = escape(say("meter.novelty", language))
    return f'<h4>{about}</h4><div class="novelty">{bars}</div>' if bars else ""


def _passage(text: str, passage: Any, language: str) -> str:
    """One passage in its surroundings."""
    said = text[passage.start : passage.end]
    shown = said if len(said) <= QUOTED_CHARACTERS else f"{said[:QUOTED_CHARACTERS]} …"
    shown = re.sub(r"\n+", " ↵ ", shown.strip("\n"))
    return (
        f'<li><details><summary><q class="copied">{escape(shown)}</q> <span>{escape(place(passage, language))}</span>'
        f"</summary><p>… {escape(passage.before)}<mark>{escape(said)}</mark>{escape(passage.after)} …</p></details></li>"
    )
