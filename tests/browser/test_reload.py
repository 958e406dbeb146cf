"""The page is reloaded in the middle of something: what it still knows stands there again, and the rest is said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import App, lent
from runs import request, write_text

from lm import run_dir, trainer

pytestmark = pytest.mark.browser

N_TOKENS = "#set-SampleConfig-max_new_tokens input[type=number]"


@pytest.fixture(scope="module")
def app(lasting_app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The lasting app, with nothing but a model that takes a dozen seconds for 2,000 tokens."""
    slow = dict(n_layer=32, n_head=4, n_embd=256, block_size=64)
    text = write_text(tmp_path_factory.mktemp("reload") / "fox.txt")
    with lent(lasting_app, is_empty=True) as app:
        trainer.train(run_dir.create(app.runs_dir, "slow"), request(text, model=slow, steps=1, eval_windows=1))
        yield app


def reload(visitor) -> None:
    """As F5 does; of the page that was left, events were on their way."""
    visitor.page.reload()
    visitor.page.wait_for_selector("#library .new", state="attached")
    visitor.complaints.clear()


def write(visitor, n_tokens: int) -> None:
    visitor.tab("generate")
    visitor.wait("document.querySelector('#checkpoint input').value.startsWith('slow')")
    visitor.fill("prompt", "the fox")
    visitor.page.fill(N_TOKENS, str(n_tokens))
    visitor.page.click("#write")


@pytest.mark.parametrize(
    ("locale", "says"), [("en-US", "while this was being written"), ("ja-JP", "書いている途中で再読み込み")]
)
def test_a_text_that_was_being_written_is_kept_as_far_as_it_came(visit, locale: str, says: str) -> None:
    visitor = visit(locale=locale)
    page = visitor.page
    write(visitor, 2000)
    visitor.wait("document.querySelectorAll('#written .tok').length > 20")
    before = page.inner_text("#written .written")
    reload(visitor)
    page.wait_for_selector(f"#written .note:has-text('{says}')")  # on the tab that was open
    kept = page.inner_text("#written .written")
    assert kept.startswith(before[:25]) and len(kept) < 2000
    assert visitor.value("prompt") == "the fox"
    assert not page.is_visible("#go-on") and not page.is_visible("#stop-writing")
    visitor.screenshot(f"reload-writing-{locale}")

    visitor.wait("document.querySelector('#checkpoint input').value.startsWith('slow')")
    page.fill(N_TOKENS, "8")
    page.click("#write")  # the one before it was given up: it holds no place
    page.wait_for_selector("#written .pages[data-state=still] .tok")
    assert page.inner_text("#written .written").startswith("the fox")


def test_a_text_that_was_there_can_still_be_read(visit) -> None:
    visitor = visit()
    page = visitor.page
    write(visitor, 8)
    page.wait_for_selector("#written .pages[data-state=still] .tok")
    before = page.inner_text("#written .written")
    reload(visitor)
    page.wait_for_selector("#written .note:has-text('before the page was reloaded')")
    assert page.inner_text("#written .written") == before
    visitor.open()  # anew: nothing of it is left
    visitor.complaints.clear()
    visitor.tab("generate")
    page.wait_for_selector("#written .teach")
    assert page.locator("#written .written").count() == 0 and visitor.value("prompt") == ""
