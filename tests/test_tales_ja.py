"""The Japanese sample corpus: what its script promises about the book, and what the book says about its world."""

from __future__ import annotations

import gzip
import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "assets" / "write_tales_ja.py"
SKELETON_SHARE_MAX = 0.02
DUPLICATE_SHARE_MAX = 0.01
# Natural prose of the same length lies near 0.35 (a novel of 1905, measured); text filled from templates far below 0.2.
GZIP_RATIO_MIN = 0.25
POLITE_END = re.compile(r"(です|でした|でしょう|ません|(?<!す)ます|(?<!す)ました)か?。$")
# A plain sentence that tells something ends in one of these; every such ending has a polite form.
# Counts are no verbs: 三つ, 百まいずつ.
CONJUGATED_END = re.compile(r"(?<![ず一二三四五六七八九])[うくぐすつぬぶむるただい]。$")
NUMBER = "[一二三四五六七八九十百]+"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_tales_ja", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up here
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def book(script: ModuleType) -> str:
    return script.TALES.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plans(script: ModuleType) -> list:
    """One plan for each tale of the book, in its order."""
    return script.plan_book(script.read_stories(), script.read_words())


@pytest.fixture(scope="module")
def sentences(script: ModuleType, book: str) -> list[str]:
    return [sentence for tale in book.split("\n\n") for sentence in told(script, tale)]


def told(script: ModuleType, tale: str) -> list[str]:
    """The sentences of one tale without its title."""
    return [part for line in tale.splitlines()[1:] for part in script.split_sentences(line.strip("　"))]


def narrated(script: ModuleType, tale: str) -> list[str]:
    """The sentences of one tale that the narrator ends."""
    return [sentence for sentence in told(script, tale) if sentence.endswith("。")]


def masked_words(script: ModuleType) -> re.Pattern:
    """Everything a telling may vary inside a sentence: people, children, words of the season, numbers."""
    people = [name for lines in script.read_sections("people.txt") for name in lines.split()[::-1]]
    seasonal = [word for kinds in script.read_words().values() for words in kinds.values() for word in words]
    words = sorted({*people, *script.CHILDREN, *seasonal, "先生"}, key=len, reverse=True)
    return re.compile("|".join([*words, NUMBER]))


def test_the_script_writes_the_shipped_book_byte_for_byte(script):
    assert script.write_book().encode() == script.TALES.read_bytes()


def test_the_book_is_large_enough_and_keeps_a_small_alphabet(script, book):
    assert len(book.encode()) >= 100_000
    assert len(set(book)) <= 700
    assert b"\r" not in script.TALES.read_bytes()
    assert book.endswith("\n") and not book.endswith("\n\n")


def test_no_sentence_frame_is_told_too_often(script, sentences):
    mask = masked_words(script)
    frames = Counter(mask.sub("＿", re.sub("「[^」]+」(?=.)", "「」", sentence)) for sentence in sentences)
    frame, count = frames.most_common(1)[0]
    assert count / len(sentences) < SKELETON_SHARE_MAX, frame


def test_hardly_a_sentence_comes_twice(sentences):
    repeated = {sentence: count for sentence, count in Counter(sentences).items() if count > 1}
    assert sum(repeated.values()) - len(repeated) < DUPLICATE_SHARE_MAX * len(sentences), repeated


def test_the_book_compresses_like_prose(book):
    assert len(gzip.compress(book.encode(), 9)) / len(book.encode()) > GZIP_RATIO_MIN


def test_each_tale_keeps_one_voice(script, book, plans):
    endings = script.read_polite_endings()
    for plan, tale in zip(plans, book.split("\n\n"), strict=True):
        if plan.is_polite:
            plain = [s for s in narrated(script, tale) if not POLITE_END.search(s)]
            assert [s for s in plain if script.tell(s, endings) != s] == []
        else:
            assert [s for s in narrated(script, tale) if POLITE_END.search(s)] == []


def test_the_polite_voice_knows_every_ending_of_the_grammar(script, plans):
    endings = script.read_polite_endings()
    files = ("openings.txt", "closings.txt", "people.txt")
    lines = [line for name in files for lines in script.read_sections(name).values() for line in lines]
    stories = [script.choose(line, plan, script.Random("")) for plan in plans for line in plan.story.paragraphs]
    plain = [re.sub("＠[^\\W｜]{1,2}$", "", line) for line in lines + stories]
    ends = [s for line in plain for s in script.split_sentences(line) if CONJUGATED_END.search(s)]
    assert [sentence for sentence in ends if script.tell(sentence, endings) == sentence] == []


@pytest.mark.parametrize(
    ("plain", "polite"),
    [
        ("港に着いた。", "港に着きました。"),
        ("海へ行った。", "海へ行きました。"),
        ("だれも泳がない。", "だれも泳ぎません。"),
        ("猫は箱にいる。", "猫は箱にいます。"),
        ("月がない。", "月がありません。"),
        ("灯台である。", "灯台です。"),
        ("かたく結んである。", "かたく結んであります。"),
        ("朝に弱い。", "朝に弱いのです。"),
        ("何と書いたのだろうか。", "何と書いたのでしょうか。"),
        ("「もう行った。帰ろう」と言った。", "「もう行った。帰ろう」と言いました。"),
        ("波の音。", "波の音。"),
    ],
)
def test_the_polite_voice_bends_the_end_of_the_narrated_sentence_alone(script, plain, polite):
    endings = script.read_polite_endings() | script.godan_forms("泳ぐ")
    assert script.tell(plain, endings) == polite


def test_the_end_of_the_book_tells_stories_that_the_rest_does_not(script, plans):
    stories = script.read_stories()
    kept = round(len(stories) * script.KEPT_SHARE) * script.TELLINGS
    assert not {plan.story for plan in plans[-kept:]} & {plan.story for plan in plans[:-kept]}
    assert {plan.story for plan in plans} == set(stories)


def test_a_tale_opens_in_its_own_season_and_weather(script, book, plans):
    endings, places = script.read_polite_endings(), {}
    for place, lines in script.read_sections("openings.txt").items():
        places |= {spoken: place for line in lines for spoken in (line, script.tell(line, endings))}
    for plan, tale in zip(plans, book.split("\n\n"), strict=True):
        opening = tale.splitlines()[1].strip("　")
        assert places.get(opening, f"{plan.season} {plan.weather}") == f"{plan.season} {plan.weather}", tale


def test_snow_falls_in_winter_alone(plans, book):
    told_as = zip(plans, book.split("\n\n"), strict=True)
    snowy = {plan.season for plan, tale in told_as if plan.weather == "雪" or re.search("雪[がのを]", tale)}
    assert snowy == {"冬"}


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        (f"({NUMBER})段の石段", "九十九"),
        (f"石段を({NUMBER})段下り", "九十九"),
        (f"学校まで({NUMBER})段", "九十九"),
        (f"({NUMBER})秒に一度", "五"),
        (f"({NUMBER})の時計[がを]", "三十二"),
        (f"生徒は({NUMBER})人", "十一"),
        (f"家が({NUMBER})軒しか", "三"),
        (f"({NUMBER})分おくれて、ちん", "七"),
        (f"バスは一日に({NUMBER})本", "三"),
        ("(黒|白)い犬のノリ", "黒"),
    ],
)
def test_the_facts_of_the_town_never_change(book, claim, value):
    # Thirty-one of the thirty-two clocks strike on the hour; the last one is late.
    assert set(re.findall(claim, book)) - {"三十一"} == {value}
