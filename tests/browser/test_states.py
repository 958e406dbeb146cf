"""What the page says where nothing is there yet, where something is refused, and while it is busy: seen, once, in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import App, lent

from lm import launch, run_dir
from playground.text import say

pytestmark = pytest.mark.browser

MOVING = "document.getAnimations().filter((one) => one.playState === 'running').length"
NO_MODEL = {"en-US": "There is no model yet", "ja-JP": "モデルがまだありません"}
WRONG_KIND = {"en-US": "only text files are read", "ja-JP": "読めない種類のファイルです"}


@pytest.fixture(scope="module")
def app(lasting_app: App) -> Iterator[App]:
    """The lasting app, without a run."""
    with lent(lasting_app, is_empty=True) as app:
        yield app


@pytest.mark.parametrize("locale", NO_MODEL)
def test_who_tries_without_a_model_is_told_once_beside_the_button(visit, locale: str) -> None:
    visitor = visit(locale=locale)
    page, says = visitor.page, NO_MODEL[locale]
    visitor.tab("generate")
    page.click("#try-grid")
    page.wait_for_selector(f"#grid .note.wrong:has-text('{says}')")
    page.click(f"button[role=tab]:text-is('{say('trials.pair', locale[:2])}'):visible")
    page.wait_for_selector(f"#alone:has-text('{says}')")
    page.click("#try-pair")
    page.wait_for_selector(f"#beside .note.wrong:has-text('{says}')")
    assert page.locator(f"p:has-text('{says}'):visible").count() == 1


@pytest.mark.parametrize("locale", WRONG_KIND)
def test_a_file_of_no_kind_that_is_read_is_refused_in_words(visit, tmp_path: Path, locale: str) -> None:
    visitor = visit(locale=locale, reduced_motion="reduce")
    page = visitor.page
    visitor.tab("corpus")
    for name in ("paper.pdf", "photos.zip"):
        (tmp_path / name).write_bytes(b"%PDF-1.7")
        page.set_input_files("#files input[type=file]", tmp_path / name)
        page.wait_for_selector(f".toast-body:has-text('{WRONG_KIND[locale]}')")
        assert page.evaluate(MOVING) == 0
        visitor.screenshot(f"toast-{name}-{locale}")
        page.dispatch_event(".toast-close", "click")  # without a pointer over it, which fades it
        page.wait_for_selector(".toast-body", state="detached")


def test_stop_stands_where_train_stood_and_on_a_phone_the_run_is_seen(visit, app: App) -> None:
    visitor = visit(viewport=dict(width=390, height=844), has_touch=True, is_mobile=True)
    page = visitor.page
    visitor.wait("document.querySelector('#train') !== null")
    page.click("#train")
    page.wait_for_selector("#headline h3:has-text('tales')")
    page.wait_for_selector("#stop")
    top = page.evaluate("document.querySelector('#headline').getBoundingClientRect().top")
    assert 0 < top < 400
    visitor.screenshot("phone-after-train")
    gap = "document.querySelector('#stop').getBoundingClientRect().top - document.querySelector('#plan').getBoundingClientRect().bottom"
    assert page.evaluate(gap) < 30
    for run in run_dir.list_runs(app.runs_dir):
        launch.kill(run)
