"""The page over runs that nobody changes: windows of every size, the library of a phone, a text that is stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from conftest import DESK, App, Visitor, lent, sizes_of, visiting
from fabricated_runs import fabricate
from playwright.sync_api import TimeoutError
from runs import request, write_text

from lm import run_dir, trainer
from playground.app import TABS

pytestmark = pytest.mark.browser

LONG_NAME = "a-run-with-quite-a-long-name-that-has-to-be-cut-somewhere"


@pytest.fixture(scope="module")
def app(lasting_app: App) -> Iterator[App]:
    """One app for the file: over `slow`, whose model takes a dozen seconds for 2,000 tokens, and a newer run."""
    slow = dict(n_layer=32, n_head=4, n_embd=256, block_size=64)
    with lent(lasting_app, is_empty=True) as app:
        text = write_text(app.folder / "fox.txt")
        trainer.train(run_dir.create(app.runs_dir, "slow"), request(text, model=slow, steps=1, eval_windows=1))
        fabricate(app.runs_dir, LONG_NAME, steps=300, max_steps=900)
        yield app


@pytest.fixture(scope="module")
def visitor(browser, app: App) -> Iterator[Visitor]:
    """One page for a desk."""
    with visiting(browser, app, color_scheme="light") as visitor:
        yield visitor


def test_the_curve_is_that_of_the_run_that_was_chosen(visitor) -> None:
    """Both runs begin at the same revision of the chart: Plotly kept the curve of the first under the second's name."""
    longest = "Math.max(...document.querySelector('#chart .plot').calcdata.map((line) => line.length))"
    visitor.wait(f"{longest} > 200")
    visitor.page.click("#library .run[data-run=slow]")
    visitor.wait("document.querySelector('#chart .plot').dataset.points === '1'")
    assert visitor.page.evaluate(longest) < 10


def test_a_long_text_can_be_stopped_in_the_middle(visitor) -> None:
    page = visitor.page
    page.click("#library .run[data-run=slow]")
    page.wait_for_selector("#headline h3:text-is('slow')")
    visitor.tab("generate")
    visitor.wait("document.querySelector('#checkpoint input').value.startsWith('slow')")
    page.fill("#set-SampleConfig-max_new_tokens input[type=number]", "2000")
    assert not page.is_visible("#stop-writing")  # nothing is being written
    page.click("#write")
    page.wait_for_selector("#written .pages[data-state=writing] .tok")
    page.click("#stop-writing")
    page.wait_for_selector("#stop-writing", state="hidden")
    page.click("#library .new")  # an answer of the server later, nothing more is written
    page.wait_for_selector("#library .new[aria-current]")
    page.wait_for_selector("#written .pages[data-state=still]")
    so_far = page.locator("#written").inner_text()
    page.click("#library .run[data-run=slow]")
    page.wait_for_selector("#library .run[aria-current]")
    assert page.locator("#written").inner_text() == so_far
    assert 0 < len(so_far) < 2000


def start_writing(page) -> None:
    """By keys, until a token is there; a press that comes before the last stop has been answered is none."""
    for _ in range(20):
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(TimeoutError):
            page.wait_for_selector("#written .caret", timeout=3000)
            page.wait_for_selector("#written .pages[data-state=writing] .tok", timeout=60_000)
            return
    raise AssertionError("nothing is being written")


def test_escape_stops_a_text_and_the_pressed_button_leaves_the_focus_to_the_next(visitor) -> None:
    page, keys = visitor.page, visitor.page.keyboard
    page.click("#library .run[data-run=slow]")
    page.wait_for_selector("#headline h3:text-is('slow')", state="attached")
    visitor.tab("generate")
    visitor.wait("document.querySelector('#checkpoint input').value.startsWith('slow')")
    page.fill("#set-SampleConfig-max_new_tokens input[type=number]", "2000")
    page.focus("#prompt textarea")
    for stop in (lambda: keys.press("Escape"), lambda: (page.focus("#stop-writing"), keys.press("Enter"))):
        start_writing(page)
        stop()
        page.wait_for_selector("#written .pages[data-state=still] .tok")
        assert page.locator("#written .tok").count() < 2000
        page.wait_for_selector("#meter .note")  # the answer to the stop
    visitor.wait("document.activeElement.id === 'write'")


def test_nothing_overflows_on_a_desk_a_tablet_and_a_phone(visitor) -> None:
    visitor.page.click(f"#library .run[data-run={LONG_NAME}]")
    visitor.wait("Number(document.querySelector('#chart .plot').dataset.points) > 100")
    for scheme in ("light", "dark"):
        for width, height in sizes_of(scheme):
            visitor.page.set_viewport_size(dict(width=width, height=height))
            for name in TABS:
                visitor.tab(name)
                visitor.page.wait_for_selector("#tabs > .tabitem >> visible=true")
                assert visitor.overflowing() == [], f"{name} at {width}×{height}"
                visitor.screenshot(f"{name}-{width}-{scheme}")
        visitor.page.set_viewport_size(DESK)
        visitor.page.click("[data-do=dark]")
    assert visitor.page.evaluate("localStorage.getItem('lm-dark')") == "0"  # switched twice


def test_the_library_of_a_phone_slides_in_and_out(visit) -> None:
    visitor = visit(viewport=dict(width=390, height=844))
    page = visitor.page
    assert not page.locator(f"#library .run[data-run={LONG_NAME}]").is_visible()
    page.click("[data-do=library]")
    page.click("#library .new")
    page.wait_for_selector("#library .new[aria-current]", state="attached")
    page.wait_for_selector("#library .new", state="hidden")
