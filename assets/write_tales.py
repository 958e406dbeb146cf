"""Write `tales.txt`: short tales of Osling, an invented harbour town, for a small model to learn from.

`tales_grammar/` (people, word lists, borrowed passages, rewordings, plots: all written by hand) → one casting and one
telling per tale → `assets/tales.txt`. A plot is a row of beats; each beat has alternatives, and an alternative has
`[choices|in it]` and `{slots}`. The planner draws season, weather, tide and hour first, then casts people who fit, and
only borrows passages that agree with those facts. Among the ways to tell a beat it prefers the one that has been told
least, so that few sentences ever appear twice. Two rounds tell nearly every alternative once; a third would begin to
repeat them.

    python assets/write_tales.py        # rewrites assets/tales.txt, byte for byte the same on every machine

Not covered: sense beyond what the plots say. The forms are explained at the head of each grammar file and in `parse_*`.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ASSETS = Path(__file__).resolve().parent
GRAMMAR = ASSETS / "tales_grammar"
SEED = 1887
ROUNDS = 2
ATTEMPTS = 12  # tellings tried per alternative before the least repetitive one is kept

WEATHER = {
    "spring": ("sun", "rain", "wind", "fog"),
    "summer": ("sun", "sun", "rain", "wind", "fog"),
    "autumn": ("sun", "rain", "wind", "fog"),
    "winter": ("snow", "snow", "frost", "wind", "fog"),
}
SETTING = {"tide": ("low", "high"), "when": ("morning", "afternoon")}
PRONOUNS = {
    "he": {"he": "he", "him": "him", "his": "his", "himself": "himself"},
    "she": {"he": "she", "him": "her", "his": "her", "himself": "herself"},
}
# How often a tale borrows what it could borrow: chosen by reading, not measured.
SHARE = {"opening": 0.7, "intro": 0.6, "interlude": 0.65, "closing": 0.62, "market": 0.3}
LATER = re.compile(r"\b(year|week|month|still|since|days?|now|next|morning|winter|summer|spring|always|ever)s?\b")


@dataclass(frozen=True)
class Passage:
    """One way to tell something: paragraphs, the facts it needs (`@fact`, `@!fact`) and those it adds (`@+fact`)."""

    paragraphs: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    excludes: frozenset[str] = frozenset()
    adds: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        return "\n".join(self.paragraphs)


@dataclass(frozen=True)
class Plot:
    """A tale before it is cast: header lines, and beats as (place of a possible interlude, alternatives)."""

    name: str
    header: dict[str, str]
    beats: tuple[tuple[str, tuple[Passage, ...]], ...]

    @property
    def text(self) -> str:
        return "\n".join(passage.text for _, passages in self.beats for passage in passages)


@dataclass
class Tale:
    """A tale in the making: who plays which role, which words were drawn, which facts hold."""

    plot: Plot
    cast: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    facts: set[str] = field(default_factory=set)


def sentences(text: str) -> list[str]:
    """Split running text into sentences, closing quotation marks kept: the unit in which repetition is measured."""
    text = re.sub(r"\b(Mrs?)\. ", r"\1.~", text)
    found = re.split(r'(?<=[.!?])\s+|(?<=[.!?]")\s+(?=[A-Z"])|\n+', text)
    return [sentence.replace(".~", ". ").strip() for sentence in found if sentence.strip()]


def options(value: str) -> list[str]:
    """Split `a | b [c|d] | e` at its outer bars."""
    return [part.strip() for part in re.split(r"\|(?![^\[]*\])", value)]


def parse_records(text: str) -> dict[str, dict[str, str]]:
    """Blank-line separated records (a name, then `key: value` lines) → {name: {key: value}}."""
    records = {}
    for block in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n", "", text)):
        if block.strip():
            name, *lines = block.strip().split("\n")
            records[name] = dict(line.split(": ", 1) for line in lines)
    return records


def parse_passage(text: str) -> Passage:
    """One paragraph a line; lines that begin with `@` hold the marks and may stand anywhere."""
    lines = [line.strip() for line in text.strip().split("\n") if line.strip()]
    marks = " ".join(line for line in lines if line.startswith("@")).split()
    excludes = frozenset(mark[2:] for mark in marks if mark.startswith("@!"))
    adds = frozenset(mark[2:] for mark in marks if mark.startswith("@+"))
    needs = frozenset(mark[1:] for mark in marks if mark[1:2] not in "!+")
    return Passage(tuple(line for line in lines if not line.startswith("@")), needs, excludes, adds)


def parse_alternatives(text: str) -> tuple[Passage, ...]:
    return tuple(parse_passage(part) for part in re.split(r"(?m)^~$", text) if part.strip())


def parse_sections(text: str) -> dict[str, str]:
    """`=== name` headed sections → {name: body}; `#` lines are comments."""
    parts = re.split(r"(?m)^=== (.+)$", re.sub(r"(?m)^#.*\n", "", text))
    return dict(zip(parts[1::2], parts[2::2]))


def parse_plot(name: str, text: str) -> Plot:
    head, body = text.strip().split("\n\n", 1)
    header = dict(line.split(": ", 1) for line in head.split("\n"))
    parts = re.split(r"(?m)^---(.*)$", "---\n" + body)
    beats = tuple((place.strip(), parse_alternatives(beat)) for place, beat in zip(parts[1::2], parts[2::2]))
    return Plot(name, header, beats)


def read(name: str) -> str:
    return (GRAMMAR / name).read_text(encoding="utf-8")


def read_lists(name: str) -> dict[str, str]:
    """`key: value` lines; `#` lines are comments."""
    return dict(line.split(": ", 1) for line in read(name).split("\n") if ": " in line and line[0] != "#")


def read_plots() -> list[Plot]:
    files = sorted(path.name for path in GRAMMAR.glob("plots_*.txt"))
    return [parse_plot(name, body) for file in files for name, body in parse_sections(read(file)).items()]


class Storyteller:
    """Tells tales and remembers what has been told, so as not to repeat itself."""

    def __init__(self, seed: int = SEED):
        self.people = parse_records(read("people.txt"))
        self.words, self.rewording = read_lists("words.txt"), read_lists("rewording.txt")
        self.passages = {kind: parse_alternatives(body) for kind, body in parse_sections(read("passages.txt")).items()}
        self.plots = read_plots()
        self.random = random.Random(seed).random  # the one draw that Python keeps stable across versions
        self.told: Counter[str] = Counter()
        self.uses: Counter = Counter()

    def draw(self, items):
        return items[int(self.random() * len(items))]

    def least_used(self, items, *key):
        """One of the items used least under `key`, counted as used."""
        fewest = min(self.uses[(*key, item)] for item in items)
        chosen = self.draw([item for item in items if self.uses[(*key, item)] == fewest])
        self.uses[(*key, chosen)] += 1
        return chosen

    # ---- planning

    def plan(self, plot: Plot) -> Tale:
        """Draw the setting and the cast; every fact a passage can ask for is known after this."""
        tale = Tale(plot)
        season = self.least_used(plot.header.get("season", " ".join(WEATHER)).split(), plot.name, "season")
        allowed = plot.header.get("weather", " ".join(WEATHER[season])).split()
        weather = self.draw([w for w in WEATHER[season] if w in allowed] or allowed)
        tale.facts |= {season, weather}
        for name, values in SETTING.items():
            tale.facts.add(self.draw(plot.header.get(name, " ".join(values)).split()))
        if "morning" in tale.facts and weather in ("sun", "wind", "rain") and self.random() < SHARE["market"]:
            tale.facts.add("market")
            tale.words["day"] = "Saturday"  # market day, always
        for role, wanted in plot.header.items():
            if len(role) == 1 and role.isupper():
                self.cast(tale, role, wanted.split())
        return tale

    def cast(self, tale: Tale, role: str, wanted: list[str]) -> None:
        """Give `role` to somebody who fits: listed by name, or having every tag and not in the story already."""
        wanted = [re.sub(r"(\w)\.elder", lambda m: self.elder(tale, m[1]), word) for word in wanted]
        named = [word for word in wanted if word in self.people]
        tags = {word for word in wanted if word not in self.people and word[0] != "-"}
        barred = {word[1:] for word in wanted if word[0] == "-"} | set(tale.cast.values())
        if not named:
            barred |= {name for name in self.people if re.search(rf"\b{name}\b", tale.plot.text)}
            barred |= {self.elder(tale, other) for other in tale.cast}
        fitting = [n for n in named or self.people if n not in barred and tags <= set(self.people[n]["tags"].split())]
        assert fitting, f"nobody can play {role} in {tale.plot.name}: {wanted}"
        name = self.least_used(fitting, tale.plot.name, role)
        tale.cast[role] = name
        tale.facts |= {f"{role}={name}"} | {f"{role}:{tag}" for tag in self.people[name]["tags"].split()}

    def elder(self, tale: Tale, role: str) -> str:
        return self.people[tale.cast[role]].get("elder", "")

    # ---- telling

    def slot(self, tale: Tale, match: re.Match) -> str:
        """`{A}` a name, `{A.his}` a pronoun, `{A.gift}` an attribute, `{x}` a word, `{a x}` with its article."""
        article, key, attribute = match.groups()
        if key in tale.cast:
            word = self.person(tale.cast[key], attribute or "")
        else:
            name = key.lower()
            if name not in tale.words:
                tale.words[name] = self.draw(options(tale.plot.header.get(name) or self.words[name]))
            word = tale.words[name]
        if article:
            word = ("an " if word[0] in "aeiou" else "a ") + word
        return word[0].upper() + word[1:] if (attribute or key)[0].isupper() else word

    def person(self, name: str, attribute: str) -> str:
        record = self.people[name]
        if not attribute:
            return record.get("name", name)
        pronouns = PRONOUNS[record["he"]]
        if attribute.lower() in pronouns:
            return pronouns[attribute.lower()]
        return self.least_used(options(record[attribute.lower()]), name, attribute)

    def tell(self, tale: Tale, template: str) -> str:
        """Settle the choices from the inside out, then fill the slots, until nothing is left to settle."""
        while re.search(r"[\[{]", template):
            template = re.sub(r"\[([^\[\]]*)\]", lambda m: self.draw(m[1].split("|")), template)
            if "[" not in template:
                template = re.sub(r"\{(an? )?(\w+)(?:\.(\w+))?\}", lambda m: self.slot(tale, m), template)
        return re.sub(r'(?m)(^|[.!?] )("?)([a-z])', lambda m: m[1] + m[2] + m[3].upper(), template)

    def fits(self, tale: Tale, passage: Passage) -> bool:
        """Whether the facts it needs hold, those it excludes do not, and the roles it speaks of are cast."""
        roles = set(re.findall(r"\{([A-Z])\b", passage.text))
        return passage.needs <= tale.facts and not passage.excludes & tale.facts and roles <= set(tale.cast)

    def best(self, tale: Tale, passages) -> list[str]:
        """The freshest telling of any fitting passage, as paragraphs; empty where none fits."""
        fitting = [passage for passage in passages if self.fits(tale, passage)]
        if not fitting:
            return []
        tellings = [(passage, self.tell(tale, passage.text)) for passage in fitting for _ in range(ATTEMPTS)]
        passage, text = min(tellings, key=lambda pair: self.staleness(*pair))
        self.uses[passage] += 1
        text = self.reword(text)
        self.told.update(sentences(text))
        tale.facts |= passage.adds
        return text.split("\n")

    def staleness(self, passage: Passage, text: str) -> float:
        repeated = sum(self.told[sentence] for sentence in sentences(text))
        return self.uses[passage] + repeated + 0.5 * self.random()

    def reword(self, text: str) -> str:
        """The same text with its already told sentences in other words, as far as `rewording.txt` has other words."""
        for sentence in sentences(text):
            if not self.told[sentence]:
                continue
            variants = [variant for variant in self.variants(sentence) if not self.told[variant]]
            if variants:
                text = text.replace(sentence, self.draw(variants), 1)
        return text

    def variants(self, sentence: str) -> list[str]:
        """The sentence with one run of words exchanged for another of the same meaning, in every way there is."""
        found = []
        for words, others in self.rewording.items():
            for match in re.finditer(rf"\b{words}\b", sentence, re.IGNORECASE):
                for other in options(others):
                    other = other[0].upper() + other[1:] if match[0][0].isupper() else other
                    found.append(sentence[: match.start()] + other + sentence[match.end() :])
        return found

    def borrow(self, tale: Tale, kind: str, share: str) -> list[str]:
        """A passage of a shared kind, now and then, unless it names somebody who has a part in this tale."""
        if not kind or self.random() >= SHARE[share]:
            return []
        cast = set(tale.cast.values())
        free = [p for p in self.passages[kind] if not any(re.search(rf"\b{name}\b", p.text) for name in cast)]
        return self.best(tale, free)

    def title(self, tale: Tale) -> str:
        """A title nobody has used; when a tale is told once too often, it is told by somebody."""
        titles = [self.tell(tale, option) for option in options(tale.plot.header["title"])]
        titles = [title[0].upper() + title[1:] for title in titles]
        unused = [title for title in titles if not self.told[title]]
        while not unused:
            teller = self.person(self.draw([n for n, p in self.people.items() if "adult" in p["tags"]]), "")
            unused = [t for t in [f"{self.draw(titles)}, as {teller} Tells It"] if not self.told[t]]
        title = self.draw(unused)
        self.told[title] += 1
        return title

    def tale(self, plot: Plot) -> str:
        """One whole tale: a title, an empty line, one paragraph a line."""
        tale = self.plan(plot)
        title = self.title(tale)
        lines = self.borrow(tale, "night" if "night" in tale.facts else "opening", "opening")
        if self.random() < SHARE["intro"]:
            role = "A" if plot.header.get("intro") != "none" else self.draw(sorted(tale.cast))
            lines += self.best(tale, [Passage((f"{{{role}.intro}}",))])
        for number, (place, passages) in enumerate(plot.beats):
            if number:
                lines += self.borrow(tale, place, "interlude")
            told = self.best(tale, passages)
            assert told, f"no alternative of beat {number} fits in {plot.name}: {sorted(tale.facts)}"
            lines += told
        if not LATER.search(" ".join(told)):
            tale.facts.add("tonight")
        lines += self.borrow(tale, "closing", "closing")
        return f"{title}\n\n" + "\n".join(lines) + "\n"

    def book(self, rounds: int = ROUNDS) -> str:
        """Every plot once, then every plot again, in a new order each round; two empty lines between tales."""
        tales = []
        for _ in range(rounds):
            order = sorted(range(len(self.plots)), key=[self.random() for _ in self.plots].__getitem__)
            tales += [self.tale(self.plots[index]) for index in order]
        return "\n\n".join(tales)


def main() -> None:
    path = ASSETS / "tales.txt"
    part = path.with_suffix(".part")
    part.write_bytes(Storyteller().book().encode("ascii"))
    os.replace(part, path)
    print(f"wrote {path} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
