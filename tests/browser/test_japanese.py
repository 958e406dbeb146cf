"""The whole page in Japanese: every tab, and every mistake that a visitor can make; nothing on it is left in English."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import App
from fabricated_runs import fabricate
from hub_server import Hub, User

from playground.app import TABS

pytestmark = pytest.mark.browser

SIZES = ((1440, 900), (390, 844))
SCROLLED = ("compare", "no-difference")  # where a table is wider than a phone
EXPLODED = (
    "the loss exploded: it was above 8.4 for 10 logged steps, at step 50. The last good state, of step 40, is kept. "
    "Train again with --lr 0.003, or go on from there at half the rate with `lm resume wild --on-nan rollback`"
)
# What a person can see or hear of the page: words of visible elements, and those that describe them. Code, what models
# wrote, names, and what an element says is not to be translated stay as they are.
ENGLISH = r"""() => {
    const own = 'code, pre, kbd, script, style, textarea, svg, [translate=no], .written, .pieces, .hardest';
    const sentence = /(^|[^\w`'-])[a-z]{2,}( [a-z]{2,}){2,}/;
    const gradio = /^(number input for|range slider for|Click to upload)/;  // its labels know no other language
    const found = [];
    for (const element of document.querySelectorAll('#frame, #frame *')) {
        if (element.closest(own) || !element.checkVisibility({visibilityProperty: true})) continue;
        const words = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data);
        for (const name of ['title', 'aria-label', 'placeholder']) words.push(element.getAttribute(name) || '');
        for (const one of words) if (sentence.test(one.replace('hf auth login', '')) && !gradio.test(one)) found.push(one.trim());
    }
    return found;
}"""


@pytest.fixture
def app(hub: Hub, fox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """An app over a run with a model, one that exploded, one whose curve is damaged and one whose model is."""
    hub.tokens["hf_reader"] = User("alice", role="read")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    runs = tmp_path / "runs"
    fabricate(runs, "wild", state="failed", error=EXPLODED, error_kind="training")
    damaged = fabricate(runs, "damaged", parted_at=90)
    with open(damaged.metrics, "ab") as file:
        file.write(b"what is this\n")
    shutil.copytree(runs / "fox", runs / "broken")
    weights = runs / "broken" / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    app = App(tmp_path)
    app.start()
    yield app
    app.end()


@pytest.fixture
def reader(visit):
    return visit(locale="ja-JP", color_scheme="light", reduced_motion="reduce")


def is_japanese(visitor, name: str) -> None:
    """Nothing that is shown is English, nothing stands out of the page, on a desk and on a phone."""
    for width, height in SIZES:
        visitor.page.set_viewport_size(dict(width=width, height=height))
        if "LM_SCREENSHOTS" in os.environ:
            visitor.screenshot(f"ja-{name}-{width}")
        assert visitor.page.evaluate(ENGLISH) == [], name
        assert name in SCROLLED or visitor.overflowing() == [], f"{name} at {width}"
    visitor.page.set_viewport_size(dict(width=SIZES[0][0], height=SIZES[0][1]))


def test_every_tab_is_japanese(reader) -> None:
    page = reader.page
    assert page.get_attribute("html", "lang") == "ja"
    for run in ("fox", "damaged", "wild"):
        page.click(f"[data-run={run}]")
        page.wait_for_selector(f"#headline h3:has-text('{run}')")
        is_japanese(reader, f"train-{run}")
    page.click("#recipe .recipes summary")
    page.click("[data-recipe=bigram]")  # the smallest there is
    page.click("#recipe .more-about summary")
    page.click(".settings .label-wrap >> nth=0")
    is_japanese(reader, "recipes")
    page.click("[data-do=keys]")
    is_japanese(reader, "keys")
    page.keyboard.press("Escape")
    for name in TABS:
        reader.tab(name)
        page.wait_for_selector("#tabs > .tabitem:visible")
        is_japanese(reader, name)


def told(visitor, name: str, place: str, words: str) -> None:
    """Wait until a mistake is told there in these words."""
    visitor.page.wait_for_selector(f"{place} >> text={words}")
    is_japanese(visitor, name)


def test_mistakes_with_texts_are_told_in_japanese(reader, tmp_path: Path) -> None:
    page = reader.page
    picture, table = tmp_path / "photo.txt", tmp_path / "table.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    table.write_text("a,b\nthe fox sings of lamps,the owl sings of stars\n" * 9, encoding="utf-8")
    reader.tab("corpus")
    page.click("#read-files")
    told(reader, "no-file", "#read-told", "ファイルが選ばれていません")
    page.set_input_files("#files input[type=file]", [picture, table])
    page.wait_for_selector("#files .file-preview")
    page.click("#read-files")
    told(reader, "not-a-text", "#read-told", "photo.txt はテキストではありません(PNG 画像)")


def test_mistakes_with_models_are_told_in_japanese(reader) -> None:
    page = reader.page
    reader.tab("generate")
    page.click("#checkpoint input")
    page.click("#checkpoint [role=option]:has-text('broken') >> nth=0")
    page.click("#write")
    told(reader, "broken-model", "#told", "model.safetensors を読めません")
    page.click(".label-wrap:has-text('Hub やフォルダから')")
    page.fill("#source input, #source textarea", "a b")
    page.click("#fetch")
    told(reader, "no-repository", "#fetched", "リポジトリ名でもありません")
    reader.tab("compare")
    page.click("[data-run=fox]")
    page.click("#race")
    told(reader, "no-difference", "#fork-told", "競走には違いが要ります")
    reader.tab("share")
    page.fill("#repo input, #repo textarea", "alice/fox")
    tokens = (
        ("two words", "これはトークンではありません"),
        ("hf_wrong", "受け付けません(401)"),
        ("hf_reader", "読み取り専用です"),
    )
    for token, words in tokens:
        page.fill("#token input", token)
        page.click("#push")
        told(reader, f"token-{token[:6]}", "#pushed", words)


def test_the_language_is_chosen_by_hand_and_remembered(visit, app: App) -> None:
    visitor = visit(locale="en-US")
    page = visitor.page
    assert page.get_attribute("html", "lang") == "en"
    page.click("[data-do=ja]")
    for _ in range(2):  # at once, and after the page was opened again
        page.wait_for_selector("html[lang=ja] #train:has-text('学習をはじめる')")
        page.wait_for_selector("#library .new:has-text('新しい学習')")
        visitor.complaints.clear()  # the old page was left in the middle of its events
        visitor.open()
    page.click("[data-do=en]")
    page.wait_for_selector("html[lang=en] #train:has-text('Train')")
    page.wait_for_selector("#library .new:has-text('New run')")
    visitor.complaints.clear()
