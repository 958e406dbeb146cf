"""Write `tales_ja.txt`, the Japanese sample corpus: short tales of one small harbour town.

    python assets/write_tales_ja.py

Everything a reader sees was written by hand for this project and lies in `tales_ja_grammar/`; this script only plans
and tells. A *story* is a whole plot with its own people, trouble, turn and end. Each is told `TELLINGS` times: once in
the plain voice (だ・である) and once in the polite one (です・ます), in another season or weather where the plot allows
one, with the other wording of every choice and another way in and out. No narrated sentence, way in, way out or
portrait comes twice. The last tenth of the stories is told only at the end of the book, so that a contiguous
validation split holds plots which the training part has never seen.

Deterministic on every platform and Python version: only `random.Random(text).random()` is drawn from.

Notation of the grammar (one line is one paragraph): `# title｜other title` begins a story, `@ seasons weathers ending`
says where it fits (ending `-`: it needs no closing line), `〈a｜b〉` is a choice of wording, `{魚}` a word of the season,
`{子}` and `{子2}` two children, `＠源` a place where a portrait of 源さん may stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

FOLDER = Path(__file__).resolve().parent
GRAMMAR = FOLDER / "tales_ja_grammar"
TALES = FOLDER / "tales_ja.txt"

TELLINGS = 2
# This share of the stories is kept for the end of the book; the default validation split is as large.
KEPT_SHARE = 0.1
OPENING_SHARE = 0.8
CLOSING_SHARE = 0.45
CHILDREN = ("ハル", "陸", "ミナ", "太一")
NARRATION_INDENT = "　"

VERB_ROWS = ("うわいっ", "つたちっ", "るらりっ", "むまみん", "ぶばびん", "ぬなにん", "くかきい", "ぐがぎい", "すさしし")
ICHIDAN_ENDINGS = "いきぎしじちにひびみりえけげせぜてでねべめれ"


@dataclass(frozen=True)
class Story:
    """A plot as written: where and when it fits, and its paragraphs in the grammar's notation."""

    titles: tuple[str, ...]
    seasons: str
    weathers: str
    ending: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """One telling of a story: everything that is decided before a word is written."""

    story: Story
    telling: int
    is_polite: bool
    season: str
    weather: str
    words: dict[str, str]


@dataclass
class Book:
    """What was already said, so that nothing is said twice."""

    openings: dict[str, list[str]]
    closings: dict[str, list[str]]
    portraits: dict[str, list[str]]
    endings: dict[str, str]
    said: set[str] = field(default_factory=set)

    def fresh(self, lines: list[str], plan: Plan, rng: Random) -> str:
        """A line of `lines` in the plan's voice that the book does not hold yet, or nothing."""
        told = [tell(line.format_map(plan.words), self.endings if plan.is_polite else {}) for line in lines]
        left = [line for line in told if line not in self.said]
        if not left:
            return ""
        chosen = pick(left, rng)
        self.said.add(chosen)
        return chosen


def pick(options: list[str], rng: Random) -> str:
    """One of `options`; unlike `rng.choice`, the same on every Python version."""
    return options[int(rng.random() * len(options))]


def shuffled(items: list, rng: Random) -> list:
    return [item for _, item in sorted(((rng.random(), index), item) for index, item in enumerate(items))]


def read_sections(name: str) -> dict[str, list[str]]:
    """The lines under each `# heading` of a grammar file, in order."""
    sections: dict[str, list[str]] = {}
    for line in (GRAMMAR / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            lines = sections.setdefault(line[2:], [])
        elif line:
            lines.append(line)
    return sections


def read_stories() -> list[Story]:
    stories = []
    for path in sorted(GRAMMAR.glob("tales_*.txt")):
        for title, (place, *paragraphs) in read_sections(path.name).items():
            seasons, weathers, ending = place.removeprefix("@ ").split()
            stories.append(Story(tuple(title.split("｜")), seasons, weathers, ending, tuple(paragraphs)))
    return stories


def read_words() -> dict[str, dict[str, list[str]]]:
    """The words of each season: `words["夏"]["魚"]` is a list of summer's fish."""
    return {
        season: {kind: words for kind, *words in map(str.split, lines)}
        for season, lines in read_sections("words.txt").items()
    }


def godan_forms(verb: str) -> dict[str, str]:
    """Plain to polite for a five-row verb: 書く → 書きます, 書いた → 書きました, 書かない → 書きません."""
    row = next(row for row in VERB_ROWS if row[0] == verb[-1])
    stem, (_, before_nai, before_masu, before_ta) = verb[:-1], row
    before_ta = "っ" if verb in ("行く", "いく", "ゆく") else before_ta
    ta = "だ" if row[0] in "むぶぬぐ" else "た"
    polite = stem + before_masu
    return {
        verb: polite + "ます",
        stem + before_ta + ta: polite + "ました",
        stem + before_nai + "ない": polite + "ません",
        stem + before_nai + "なかった": polite + "ませんでした",
    }


def ichidan_forms(stem: str) -> dict[str, str]:
    """Plain to polite for a one-row verb, whose stem never changes: 見る → 見ます."""
    endings = {"る": "ます", "た": "ました", "ない": "ません", "なかった": "ませんでした"}
    return {stem + plain: stem + polite for plain, polite in endings.items()}


def read_polite_endings() -> dict[str, str]:
    """How a plain sentence may end → how the polite one ends. The longest known ending of a sentence counts."""
    sections = read_sections("voice.txt")
    endings: dict[str, str] = {}
    for kana in ICHIDAN_ENDINGS:
        endings.update(ichidan_forms(kana))
    for verb in " ".join(sections["一段"]).split():
        endings.update(ichidan_forms(verb[:-1]))
    for verb in " ".join(sections["五段"]).split():
        endings.update(godan_forms(verb))
    endings.update(line.split() for line in sections["言いかえ"])
    return endings


def split_sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph; a full stop inside 「…」 belongs to the speaker and ends nothing."""
    sentences, depth, start = [], 0, 0
    for index, character in enumerate(paragraph):
        depth += (character == "「") - (character == "」")
        after = paragraph[index + 1 : index + 2]
        if depth == 0 and (character == "。" or character == "」" and after in ("", "「", NARRATION_INDENT)):
            sentences.append(paragraph[start : index + 1])
            start = index + 1
    return [*sentences, paragraph[start:]] if paragraph[start:] else sentences


def tell(paragraph: str, endings: dict[str, str]) -> str:
    """The paragraph with every narrated sentence ending as `endings` says; what people say stays as it is."""
    return "".join(tell_sentence(sentence, endings) for sentence in split_sentences(paragraph))


def tell_sentence(sentence: str, endings: dict[str, str]) -> str:
    if not sentence.endswith("。"):
        return sentence
    body = sentence[:-1]
    question = "か" if body.endswith(("だろうか", "のか")) else ""
    body = body.removesuffix(question)
    for start in range(len(body)):
        if body[start:] in endings:
            return body[:start] + endings[body[start:]] + question + "。"
    return sentence


def plan_telling(story: Story, telling: int, words: dict[str, dict[str, list[str]]]) -> Plan:
    """Decide voice, season, weather and words; the tellings of a story differ in each where the plot lets them."""
    rng = Random("/".join(story.titles))
    turn = int(rng.random() * 8) + telling
    season, weather = story.seasons[turn % len(story.seasons)], story.weathers[turn % len(story.weathers)]
    text = "".join(story.paragraphs)
    children = [child for child in shuffled(list(CHILDREN), rng) if child not in text] or list(CHILDREN)
    cast = {"子": children[telling % len(children)], "子2": children[(telling + 1) % len(children)]}
    seasonal = {kind: options[turn % len(options)] for kind, options in words[season].items()}
    return Plan(story, telling, turn % 2 == 0, season, weather, {**cast, **seasonal})


def plan_book(stories: list[Story], words: dict[str, dict[str, list[str]]]) -> list[Plan]:
    """The order of the book: all stories once, then all once more; the kept ones the same way after them."""
    rng = Random("潮見町")
    order = shuffled(stories, rng)
    kept = round(len(order) * KEPT_SHARE)
    return [
        plan_telling(story, telling, words)
        for part in (order[kept:], order[:kept])
        for telling in range(TELLINGS)
        for story in shuffled(part, rng)
    ]


def choose(text: str, plan: Plan, rng: Random) -> str:
    """Resolve 〈a｜b〉: each telling takes the next of the wordings, starting anywhere."""

    def wording(match: re.Match) -> str:
        options = match[1].split("｜")
        return options[(int(rng.random() * len(options)) + plan.telling) % len(options)]

    return re.sub("〈([^〉]*)〉", wording, text).format_map(plan.words)


def place_portrait(paragraphs: list[str], plan: Plan, book: Book, rng: Random) -> list[str]:
    """Put one fresh portrait at one of the ＠ marks and remove the others."""
    mark = re.compile("＠(" + "|".join(book.portraits) + ")")
    people = [person for paragraph in paragraphs for person in mark.findall(paragraph)]
    chosen = people[plan.telling % len(people)] if people else ""

    def portray(match: re.Match) -> str:
        if match[1] != chosen:
            return ""
        name, *lines = book.portraits[chosen]
        portrait = book.fresh(lines, plan, rng)
        just_said = split_sentences(match.string[: match.start()])[-1]
        return portrait if name + "は" in just_said or not portrait else f"{name}は、{portrait}"

    return [mark.sub(portray, paragraph) for paragraph in paragraphs]


def write_tale(plan: Plan, book: Book) -> str:
    """One tale: its title, a way in, the story in the plan's voice, and sometimes a way out."""
    wordings = Random("/".join(plan.story.titles))
    rng = Random(f"{plan.story.titles[0]}/{plan.telling}")
    endings = book.endings if plan.is_polite else {}
    paragraphs = [tell(choose(paragraph, plan, wordings), endings) for paragraph in plan.story.paragraphs]
    paragraphs = place_portrait(paragraphs, plan, book, rng)
    if rng.random() < OPENING_SHARE:
        paragraphs.insert(0, book.fresh(book.openings[f"{plan.season} {plan.weather}"], plan, rng))
    if plan.story.ending != "-" and rng.random() < CLOSING_SHARE:
        lines = book.closings[plan.story.ending] + book.closings.get(f"{plan.story.ending} {plan.weather}", [])
        paragraphs.append(book.fresh(lines, plan, rng))
    title = plan.story.titles[plan.telling % len(plan.story.titles)]
    indented = [line if line[0] == "「" else NARRATION_INDENT + line for line in paragraphs if line]
    return "\n".join([f"【{title}】", *indented]) + "\n"


def write_book() -> str:
    """The whole corpus, the same text every time."""
    openings, closings = read_sections("openings.txt"), read_sections("closings.txt")
    people = read_sections("people.txt")
    portraits = {heading.split()[0]: [heading.split()[1], *lines] for heading, lines in people.items()}
    book = Book(openings, closings, portraits, read_polite_endings())
    plans = plan_book(read_stories(), read_words())
    return "\n".join(write_tale(plan, book) for plan in plans)


def main() -> None:
    TALES.write_text(write_book(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
