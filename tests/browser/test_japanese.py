"""The whole page in Japanese: every tab, and every mistake that a visitor can make; nothing on it is left in English."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import DESK, SIZES, App, Visitor, running, visiting
from fabricated_runs import fabricate
from hub_server import Hub

from lm.run_dir import RunDir
from playground.app import TABS

pytestmark = pytest.mark.browser

EXPLODED = (
    "the loss exploded: it was above 8.4 for 10 logged steps, at step 50. The last good state, of step 40, is kept. "
    "Train again with --lr 0.003, or go on from there at half the rate with `lm resume wild --on-nan rollback`"
)
# What a person can see or hear of the page: words of visible elements, and those that describe them. Code, what models
# wrote, names, and what an element says is not to be translated stay as they are.
ENGLISH = r"""() => {
    const own = 'code, pre, kbd, script, style, textarea, svg, [translate=no], .written, .pieces, .hardest';
    const sentence = /(^|[^\w`'-])[a-z]{2,}( [a-z]{2,}){2,}/;
    const japanese = /[\u3040-\u30ff\u4e00-\u9fff]/, words_of_it = /[A-Za-z]{2,} [a-z]{2,}/;  // where nothing is Japanese, two are enough
    const isEnglish = (one) => sentence.test(one) || (words_of_it.test(one) && !japanese.test(one));
    const found = [];
    for (const element of document.querySelectorAll('#frame, #frame *')) {
        const words = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data);
        for (const name of ['title', 'aria-label', 'placeholder', 'alt', 'aria-valuetext']) words.push(element.getAttribute(name) || '');
        const left = words.filter((one) => isEnglish(one.replace('hf auth login', ''))).map((one) => one.trim());
        const isSeen = left.length && !element.closest(own) && element.checkVisibility({visibilityProperty: true});
        if (isSeen) found.push(...left);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def app(lasting_hub: Hub, shared_fox: RunDir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app for the file: over a run with a model, one that exploded, one whose curve is damaged, and whose model is."""
    folder = tmp_path_factory.mktemp("japanese")
    runs = folder / "runs"
    for name in ("fox", "broken"):
        shutil.copytree(shared_fox.path, runs / name)
    weights = runs / "broken" / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    fabricate(runs, "wild", state="failed", error=EXPLODED, error_kind="training")
    damaged = fabricate(runs, "damaged", parted_at=90)
    with open(damaged.metrics, "ab") as file:
        file.write(b"what is this\n")
    with running(folder, HF_HOME=str(folder / "hf")) as app:
        yield app


@pytest.fixture(scope="module")
def reader(browser, app: App) -> Iterator[Visitor]:
    """One page for all mistakes, as somebody has it who makes one after another."""
    with visiting(browser, app, locale="ja-JP", color_scheme="light", reduced_motion="reduce") as visitor:
        yield visitor


def is_japanese(visitor, name: str) -> bool:
    """Nothing that is shown is English, nothing stands out of the page, on a desk and on a phone; else it says what."""
    for width, height in SIZES[::2]:
        visitor.page.set_viewport_size(dict(width=width, height=height))
        visitor.screenshot(f"ja-{name}-{width}")
        assert visitor.page.evaluate(ENGLISH) == [], name
        assert visitor.overflowing() == [], f"{name} at {width}"
    visitor.page.set_viewport_size(DESK)
    return True


def test_every_tab_is_japanese(reader) -> None:
    page = reader.page
    assert page.get_attribute("html", "lang") == "ja"
    for run in ("fox", "damaged", "wild"):
        page.click(f"[data-run={run}]")
        page.wait_for_selector(f"#headline h3:has-text('{run}')")
        assert is_japanese(reader, f"train-{run}")
    page.click("#recipe .recipes summary")
    page.click("[data-recipe=bigram]")  # the smallest there is
    page.click("#recipe .more-about summary")
    page.click(".settings .label-wrap >> nth=0")
    assert is_japanese(reader, "recipes")
    page.click("[data-do=keys]")
    assert is_japanese(reader, "keys")
    page.keyboard.press("Escape")
    for name in TABS:
        reader.tab(name)
        page.wait_for_selector("#tabs > .tabitem:visible")
        assert is_japanese(reader, name)


def test_what_gradio_knows_in_english_only_is_said_again(reader) -> None:
    for says, ours in (
        ("Sign out (alice)", "サインアウト(alice)"),
        ("Sign in with Hugging Face", "Hugging Face でサインイン"),
    ):
        reader.page.evaluate(
            "(says) => document.body.append(Object.assign(document.createElement('b'), {id: 'sign-in', innerText: says}))",
            says,
        )
        reader.wait(f"document.getElementById('sign-in').textContent === '{ours}'")
        assert reader.page.text_content("#sign-in") == ours
        reader.page.evaluate("document.getElementById('sign-in').remove()")


def is_refused(visitor, name: str, button: str, place: str, words: str, **filled: str) -> bool:
    """Fill in fields and press a button: it is told there, in these words, what is wrong; what was filled in stays."""
    for field, value in filled.items():
        visitor.fill(field, value)
    visitor.page.click(button)
    visitor.page.wait_for_selector(f"{place} >> text={words}")
    kept = {field: value for field, value in filled.items() if field != "token"}  # which is forgotten at once
    return is_japanese(visitor, name) and {field: visitor.value(field) for field in kept} == kept


def test_mistakes_with_texts_are_told_in_japanese(reader, tmp_path: Path) -> None:
    page = reader.page
    picture, table = tmp_path / "photo.txt", tmp_path / "table.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    table.write_text("a,b\nthe fox sings of lamps,the owl sings of stars\n" * 9, encoding="utf-8")
    reader.tab("corpus")
    assert is_refused(reader, "no-file", "#read-files", "#read-told", "ファイルが選ばれていません")
    page.set_input_files("#files input[type=file]", [picture, table])
    page.wait_for_selector("#files .file-preview")
    assert is_refused(reader, "not-a-text", "#read-files", "#read-told", "photo.txt はテキストではありません(PNG 画像)")
    page.click(".ways button[role=tab]:has-text('貼り付け')")
    assert is_refused(reader, "nothing-pasted", "#read-pasted", "#read-told", "読み込む文がありません")


def test_mistakes_with_models_are_told_in_japanese(reader, lasting_hub: Hub) -> None:
    page = reader.page
    reader.tab("generate")
    page.click("#checkpoint input")
    page.click("#checkpoint [role=option]:has-text('broken') >> nth=0")
    assert is_refused(reader, "broken-model", "#write", "#told", "model.safetensors を読めません")
    page.click(".label-wrap:has-text('Hub やフォルダから')")
    assert is_refused(reader, "no-repository", "#fetch", "#fetched", "リポジトリ名でもありません", source="a b")
    lasting_hub.add_repo("bob/old", {"config.json": b"{}", "pytorch_model.bin": b"x"})
    assert is_refused(reader, "a-pickle", "#fetch", "#fetched", "pickle です(pytorch_model.bin)", source="bob/old")
    assert not lasting_hub.asked("GET .*pytorch_model.bin"), "not even fetched"


def test_mistakes_with_branches_and_names_are_told_in_japanese(reader) -> None:
    page = reader.page
    reader.tab("compare")
    page.click("[data-run=fox]")
    page.wait_for_selector("#headline h3:has-text('fox')", state="attached")
    page.wait_for_selector("#picker button[data-run=fox]")  # the tab is open: there are settings to choose from
    assert is_refused(reader, "no-difference", "#race", "#fork-told", "競走には違いが要ります")
    assert is_refused(reader, "no-setting", "#fork-change", "#change-told", "先に変える設定を選んでください")
    page.click("#fork-setting input")
    page.click("#fork-setting [role=option]:has-text('n_layer')")
    assert is_refused(
        reader, "no-number", "#fork-change", "#change-told", "「many」は数ではありません", **{"fork-value": "many"}
    )
    page.focus("[data-run=wild]")
    page.keyboard.press("F2")
    page.fill(".menu input", "fox")
    assert is_refused(reader, "a-name-twice", ".menu form button", ".menu .note", "という学習はすでに")


def test_mistakes_with_tokens_are_told_in_japanese(reader) -> None:
    reader.tab("share")
    reader.page.wait_for_selector("#token input")  # the tab is open; the run that was chosen has named the repository
    reader.wait("document.querySelector('#repo :is(input, textarea)').value !== ''")
    tokens = (
        ("two words", "これはトークンではありません"),
        ("hf_wrong", "受け付けません(401)"),
        ("hf_reader", "読み取り専用です"),
    )
    for token, words in tokens:
        assert is_refused(reader, f"token-{token[:6]}", "#push", "#pushed", words, repo="alice/fox", token=token)


def test_the_language_is_chosen_by_hand_and_remembered(visit, app: App) -> None:
    visitor = visit(locale="en-US")
    page = visitor.page
    assert page.get_attribute("html", "lang") == "en"
    page.click("[data-do=ja]")
    for is_opened_again in (False, True):
        if is_opened_again:
            visitor.reopen()
        page.wait_for_selector("html[lang=ja] #train:has-text('学習をはじめる')")
        page.wait_for_selector("#library .new:has-text('新しい学習')")
    page.click("[data-do=en]")
    page.wait_for_selector("html[lang=en] #train:has-text('Train')")
    page.wait_for_selector("#library .new:has-text('New run')")
    visitor.complaints.clear()
