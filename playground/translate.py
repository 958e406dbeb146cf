"""Sentences of `lm` in the language of the page.

`lm` speaks English and knows no other language. Here its sentences are recognised by their templates, `no run named
{name} in {folder}: {there}`, and said again in Japanese; the templates stand in `playground.words.of_*`, and a test
holds that none of the sources is missing. What a hole holds may be a sentence itself, or several of them joined, as in
a list of faults. Whatever is not recognised stays as it is.

A template is a row of literals with holes between them, so that looking for each literal after the one before decides
whether it fits: there is nothing to go back to, and a long message from a stranger costs no more than reading it.
"""

from __future__ import annotations

import functools
import string
from dataclasses import dataclass

from playground.text_settings import SETTINGS
from playground.words import of_lm_hub, of_lm_runs, of_lm_settings, of_lm_texts, of_page, of_system

PLACES = (of_lm_texts, of_lm_runs, of_lm_settings, of_lm_hub, of_page, of_system)
ROWS: dict[str, str] = {english: japanese for place in PLACES for english, japanese in place.ROWS.items()}
LABELS: dict[str, str] = {name: label for rows in SETTINGS.values() for name, (label, _) in rows.items()}
SINGLE: dict[str, str] = of_lm_texts.SINGLE | of_lm_runs.SINGLE

MOST_CHARACTERS = 20_000  # no sentence of ours comes near; a longer one stays as it is
MOST_DEPTH = 4  # sentences in holes of sentences
MOST_PARTS = 40
JOINTS = ("; ", ". ")  # between sentences
LIST_JOINTS = (", ", " or ", " and ")


def translated(words: object, language: str) -> str:
    """What `lm` said, in `language`: line by line, a dash before each where there was one."""
    said = str(words)
    if language != "ja" or len(said) > MOST_CHARACTERS:
        return said
    return "\n".join(_line(line) for line in said.split("\n"))


@dataclass(frozen=True)
class Template:
    """The literals around the holes of an English sentence, the holes' names, and the Japanese."""

    literals: tuple[str, ...]  # one more than there are holes
    names: tuple[str, ...]
    japanese: str

    @property
    def weight(self) -> int:
        """How much of a sentence is the template's own: of those that fit, the one with the most is meant."""
        return sum(map(len, self.literals))

    def values(self, said: str) -> dict[str, str] | None:
        """What stands in the holes of `said`, the shortest that fits; None if it is another sentence."""
        first, *rest = self.literals
        if not rest:
            return {} if said == first else None
        last, end = rest[-1], len(said) - len(rest[-1])
        at = len(first)
        if not (said.startswith(first) and said.endswith(last)) or end < at:
            return None
        found = []
        for literal in rest[:-1]:
            next_at = said.find(literal, at, end)
            if next_at < 0:
                return None
            found.append(said[at:next_at])
            at = next_at + len(literal)
        return dict(zip(self.names, (*found, said[at:end])))


def template(english: str, japanese: str = "") -> Template:
    """The template of a row: `{name}` is a hole."""
    parts = list(string.Formatter().parse(english))
    names = tuple(name for _, name, _, _ in parts if name is not None)
    literals = [literal for literal, _, _, _ in parts]
    return Template(tuple(literals if len(literals) > len(names) else [*literals, ""]), names, japanese)


@functools.cache
def _templates() -> tuple[Template, ...]:
    """All of them, the most telling first."""
    return tuple(sorted((template(*row) for row in ROWS.items()), key=lambda one: -one.weight))


# ---------------------------------------------------------------------------------------------- recognising


def _line(line: str) -> str:
    dash = "- " if line.startswith("- ") else ""
    return dash + _within(line.removeprefix(dash), 0)


def _within(said: str, depth: int) -> str:
    """`said` in Japanese as a whole, else in those of its parts that are known, else as it is."""
    if depth >= MOST_DEPTH or not said.strip():
        return said
    return _with_tail(said, depth) or _known(said, depth) or _in_parts(said, depth) or said


def _with_tail(said: str, depth: int) -> str:
    """A sentence and a known one after it, which the last hole of the first would swallow; empty for anything else."""
    head, joint, tail = said.rpartition(". ")
    japanese = _known(tail, depth + 1, is_own=True) if joint else ""
    return f"{_within(head, depth + 1)}。{japanese}" if japanese else ""


def _known(said: str, depth: int, is_own: bool = False) -> str:
    """The whole sentence in Japanese; empty where no template fits, or (`is_own`) none that begins with its own words."""
    for one in _templates():
        if (one.literals[0] or not is_own) and (values := one.values(said)) is not None:
            holes = {name: _Hole(value, depth + 1) for name, value in values.items()}
            return one.japanese.format(**holes)
    return ""


def _in_parts(said: str, depth: int) -> str:
    """Sentences that were joined: each of the longest stretches that are known, and what is between them."""
    for joint in JOINTS:
        parts, told, is_known = said.split(joint), [], False
        while 1 < len(parts) + len(told) <= MOST_PARTS and parts:
            for n in range(len(parts), 0, -1):
                if japanese := _known(joint.join(parts[:n]), depth + 1):
                    is_known = True
                    break
            told.append(japanese or parts[0])
            del parts[:n]
        if is_known:
            return "。".join(told)
    return ""


class _Hole(str):
    """What stands in a hole: in Japanese by itself, or as the Japanese template asks (`word`, `label`, `list`)."""

    def __new__(cls, value: str, depth: int) -> _Hole:
        hole = super().__new__(cls, value)
        hole.depth = depth
        return hole

    def __format__(self, kind: str) -> str:
        plain = str.__str__(self)
        if kind == "word":
            return SINGLE.get(plain, plain)
        if kind == "label":
            return _label(plain)
        if kind == "list":
            return "、".join(_listed(one, self.depth) for one in _items(plain))
        return _within(plain, self.depth)


def _items(listed: str) -> list[str]:
    """What a list names: between commas, else around its `or` or `and`; one thing may hold those two itself."""
    joint = next((joint for joint in LIST_JOINTS if joint in listed), None)
    return [listed] if joint is None or listed.endswith(")") and joint != ", " else listed.split(joint)


def _listed(item: str, depth: int) -> str:
    """One item of a list: `3 ruby` is a count of what it names."""
    n, _, what = item.partition(" ")
    return f"{SINGLE[what]} {n}" if what in SINGLE and n[:1].isdigit() else _within(item, depth)


def _label(name: str) -> str:
    """A setting by its Japanese label, and by the name that commands and files have for it."""
    return f"「{LABELS[name]}」({name})" if name in LABELS else name
