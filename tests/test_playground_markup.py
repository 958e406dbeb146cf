"""Whatever comes from a person, a file or a model stands on the page as text, never as markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fabricated_runs import fabricate

from lm.corpus import Corpus, FileReport, Statistics
from lm.library import Deleted
from lm.memorised import Index
from lm.run_dir import Status
from playground import frame, live, markup, shelf, trials, written
from playground.tabs import corpus
from playground.text import say
from playground.views import Curve, Library, Row
from playground.workspace import Cut

HOSTILE = "<img src=x onerror=alert(1)>\"'&<script>${1}{{x}}"
HARMLESS_TAGS = set(
    "a b br button circle details div em footer h1 h2 h3 h4 header i kbd li mark nav ol p path pre q rect section small "
    "span summary svg table tbody td template th thead tr u ul".split()
)


class Reader(HTMLParser):
    """Collects the tags, the text, and the attributes that would run something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.text, self.handlers = set(), "", []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attributes if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def row(state: str = "running", **status: object) -> Row:
    return Row(HOSTILE, state, Status(**status), 3, 1.0)


def hostile_corpus(folder: Path) -> Corpus:
    path = folder / "text.txt"
    path.write_text(HOSTILE, encoding="utf-8")
    files = (FileReport(HOSTILE, HOSTILE, 3, (HOSTILE,)),)
    return Corpus(path, HOSTILE, files, Statistics(40, 20, 40, 1, 0.0, "ab" * 32), "".join(sorted(set(HOSTILE))))


PAGES = {
    "library": lambda _: shelf.shelf([row()], [Deleted(HOSTILE, HOSTILE, 0.0)], HOSTILE, "en"),
    "status bar": lambda _: frame.status_bar([row(seconds_left=3)], (1e9, 2e9), "en"),
    "header": lambda _: frame.header(HOSTILE, "en"),
    "headline": lambda _: live.headline(row(), dict(arch=HOSTILE, corpus=HOSTILE, tokenizer=HOSTILE), "en"),
    "error": lambda tmp: live.note(row("failed", error=HOSTILE), Curve(run=None), {}, False, "en"),
    "log": lambda _: live.log(HOSTILE),
    "corpus": lambda tmp: corpus.card(hostile_corpus(tmp), "en"),
    "tokens": lambda _: corpus.table([Cut(HOSTILE, 3, 3, 3, (HOSTILE,)), Cut("x", fault=HOSTILE)], "en"),
    "grid": lambda _: trials.table(HOSTILE, {(k, t): HOSTILE for k in trials.TOP_K for t in trials.TEMPERATURES}, "en"),
    "beside": lambda _: trials.beside((HOSTILE, HOSTILE), HOSTILE, [HOSTILE, HOSTILE], "en"),
    "recited": lambda _: written.meter(
        [Index(HOSTILE * 9).passages(HOSTILE * 3)], [HOSTILE * 3], Index(HOSTILE * 9), "en"
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_is_shown_and_not_obeyed(name: str, tmp_path: Path) -> None:
    page = Reader(PAGES[name](tmp_path))
    assert page.tags <= HARMLESS_TAGS
    assert page.handlers == []
    assert HOSTILE in page.text.replace("↵\n", "\n")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_failed_run_says_why_in_the_trainers_words(language: str) -> None:
    error = "the loss became nan at step 212; lower lr=3.0"
    page = live.note(row("failed", error=error), Curve(run=None), {}, False, language)
    assert error in page and 'role="alert"' in page


def test_parted_curves_are_pointed_out(tmp_path: Path) -> None:
    fabricate(tmp_path, "one", steps=900, parted_at=300)
    curve = Library(tmp_path).curve("one")
    note = live.note(row("running"), curve, {}, False, "en")
    assert f"since step {curve.best['step']}" in note and "attention" in note


def test_a_calm_run_is_not_warned_about(tmp_path: Path) -> None:
    fabricate(tmp_path, "one", steps=600)
    assert "attention" not in live.note(row("running"), Library(tmp_path).curve("one"), {}, False, "en")


def test_the_switches_of_the_header_stay_where_they_are_when_the_device_becomes_known() -> None:
    """Otherwise the element that was to switch to dark would have become the list of keys, under the pointer."""
    early, late = (re.findall(r"<(\w+)", frame.header(device, "en")) for device in ("", "2 cores · bf16"))
    assert early == late and "hidden" in frame.header("", "en").split("device")[1][:9]


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (43.9, "0:43"), (725, "12:05"), (11_220, "3:07:00")])
def test_a_duration_reads_like_a_clock(seconds: float, words: str) -> None:
    assert markup.duration(seconds) == words


def test_an_empty_library_teaches() -> None:
    assert say("library.empty", "ja") in shelf.shelf([], [], "", "ja")
