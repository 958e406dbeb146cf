"""The manners of the page in a real Chromium: keys, focus, contrast, labels, undo, installing, opening in time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from conftest import SIZES, App, running
from fabricated_runs import fabricate

from lm import library, run_dir
from playground.app import TABS

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")
AXE = "axe_playwright_python/axe.min.js"
# How far the page has moved by itself (https://web.dev/articles/cls; good is below 0.1).
SHIFTS = """() => new Promise((done) => new PerformanceObserver((list) => done(
    list.getEntries().filter((one) => !one.hadRecentInput).reduce((sum, one) => sum + one.value, 0)
)).observe({type: 'layout-shift', buffered: true}) || setTimeout(() => done(0), 300))"""


# What can be pressed but has no name for who does not see it.
NAMELESS = """() => [...document.querySelectorAll('#frame :is(button, a, summary)')].filter((e) => e.offsetParent
    && !(e.textContent.trim() || e.getAttribute('aria-label') || e.title)).map((e) => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app for the file."""
    with running(tmp_path_factory.mktemp("manners")) as app:
        yield app


@pytest.fixture
def runs(app) -> Path:
    """The runs folder, which holds two runs and nothing else, whatever the test before did with its own."""
    for run in run_dir.list_runs(app.runs_dir):
        shutil.rmtree(run.path)
    fabricate(app.runs_dir, "old", state="failed", error="loss is not a number")
    fabricate(app.runs_dir, "fox", parted_at=90)
    return app.runs_dir


def violations(visitor, scheme: str) -> list[str]:
    """What axe-core finds serious on the page as it stands; in the dark in its colours, for all else is the same."""
    rules = dict(runOnly=["color-contrast", "link-in-text-block"]) if scheme == "dark" else {}
    found = visitor.page.evaluate("(rules) => axe.run({resultTypes: ['violations'], ...rules})", rules)["violations"]
    return [
        f"{one['id']}: {node['target']}: {node['failureSummary']}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


def test_axe_finds_nothing_serious(visit, runs) -> None:
    visitor = visit(color_scheme="light", reduced_motion="reduce")
    page = visitor.page
    page.evaluate(distribution("axe-playwright-python").locate_file(AXE).read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        for name in TABS:
            visitor.tab(name)
            page.wait_for_selector("#tabs > .tabitem:visible")
            assert violations(visitor, scheme) == [], f"{name}, {scheme}"
        visitor.tab("train")
        if scheme == "light":  # they stay open
            page.click("#recipe .recipes summary")
            page.click(".settings .label-wrap >> nth=0")
        page.focus("[data-run=fox]")
        page.keyboard.press("ContextMenu")
        page.wait_for_selector(".menu")
        assert violations(visitor, scheme) == [], f"a menu, {scheme}"
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        page.wait_for_selector("dialog.keys")
        assert violations(visitor, scheme) == [], f"the list of keys, {scheme}"
        page.keyboard.press("Escape")
        page.click("[data-do=dark]")


def test_the_library_is_worked_with_keys_alone_and_gives_everything_back(visit, runs) -> None:
    visitor = visit()
    page = visitor.page
    assert page.evaluate(SHIFTS) < 0.05  # it opened without a jump

    page.focus("[data-run=fox]")
    page.keyboard.press("F2")
    page.fill(".menu input", "old")
    page.keyboard.press("Enter")
    page.wait_for_selector(".menu .note:has-text('already exists')")
    assert not page.is_visible("#library-told")  # it is said once, beside the name
    assert page.evaluate("document.activeElement.matches('.menu input') && document.activeElement.value") == "old"
    page.fill(".menu input", "vixen")  # what was refused stands there until it is changed
    page.keyboard.press("Enter")
    visitor.wait("document.activeElement.matches('.run[data-run=vixen]')")
    assert run_dir.is_run(runs / "vixen") and page.locator(".menu").count() == 0

    page.keyboard.press("Delete")
    visitor.wait("document.activeElement.matches('[data-undo]')")
    assert [gone.name for gone in library.trash(runs)] == ["vixen"]
    page.keyboard.press("Enter")
    visitor.wait("document.activeElement.matches('.run[data-run=vixen]')")
    assert library.trash(runs) == []

    # Focus stays while the library is written anew.
    page.focus("[data-run=old]")
    library.pin(runs, "old")
    page.wait_for_selector("#library .pin", state="attached")
    visitor.wait("document.activeElement.dataset.run === 'old'")


def test_a_recipe_its_advice_and_a_link(visit, app, runs) -> None:
    visitor = visit()
    page = visitor.page
    page.click("#recipe .recipes summary")
    page.click("[data-recipe=verdict]")
    page.click("[data-show=set-DataConfig-keep_ids]")
    page.wait_for_selector("#set-DataConfig-keep_ids")
    visitor.wait("getComputedStyle(document.querySelector('#set-DataConfig-keep_ids')).borderLeftWidth === '3px'")
    vocabulary, told = "#set-DataConfig-vocab_size", "getComputedStyle(document.querySelector('{}'), '::after').content"
    # Who asks to be shown a setting is given the focus there, last of all: what is typed elsewhere before goes there, too.
    visitor.wait("document.querySelector('#set-DataConfig-keep_ids').contains(document.activeElement)")
    page.fill(f"{vocabulary} input", "-5")
    visitor.wait(f"{told.format(vocabulary)}.includes('vocab_size=-5')")
    page.click("#train")
    page.wait_for_selector("#choice-told .note:has-text('vocab_size=-5')")
    page.fill(f"{vocabulary} input", "1024")
    page.wait_for_selector("#choice-told .note", state="hidden")
    visitor.wait(f"{told.format(vocabulary)} === 'none'")
    page.click("#recipe .more-about summary")
    for width, height in SIZES:
        page.set_viewport_size(dict(width=width, height=height))
        assert visitor.overflowing() == [], width
        visitor.screenshot(f"choices-{width}")
    page.goto(f"{app.address}?recipe=llm0&n_layer=7&dropout=0.25")
    visitor.complaints.clear()  # the old page noticed that it was left in the middle of its events
    page.wait_for_selector("#command:has-text('--n-layer 7'):has-text('--dropout 0.25')")
    assert "llm0" in page.inner_text("#recipe .recipe-head")


def test_a_recipe_that_changes_thirty_settings_is_asked_about_once_and_what_is_typed_last_counts(visit, runs) -> None:
    visitor = visit()
    page, asked = visitor.page, []
    page.wait_for_selector("#command:has-text('--recipe quickstart')")
    before = page.wait_for_selector("#plan .plan-figures").inner_text()
    page.on("request", lambda request: "queue/join" in request.url and asked.append(request.url))
    page.click("#recipe .recipes summary")
    page.click("[data-recipe=llm0]")
    page.wait_for_selector("#command:has-text('--recipe llm0')")
    figures = "document.querySelector('#plan .plan-figures')?.innerText"
    visitor.wait(f"{figures} && {figures} !== {before!r}")
    assert 2 <= len(asked) <= 8, len(asked)  # the recipe's own, the command's and the plan's, and what was under way
    page.click(".settings .label-wrap >> nth=0")
    page.click(".group > .label-wrap:has-text('Optimizer')")
    page.click("#set-TrainConfig-lr input", click_count=3)
    page.keyboard.type("0.00125", delay=20)
    page.wait_for_selector("#command:has-text('--lr 0.00125')")


def test_keys_reach_everything_and_leave_typing_alone(visit, app, runs) -> None:
    visitor = visit()
    page = visitor.page
    assert page.evaluate(NAMELESS) == []
    for _ in range(14):
        page.keyboard.press("Tab")
        width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        assert width >= 1.5, page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
    page.keyboard.press("?")
    page.wait_for_selector("dialog.keys")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.keys", state="detached")
    page.keyboard.press("Alt+1")
    page.wait_for_selector("#files")
    page.keyboard.press("Alt+2")
    page.focus("#run-name input")
    page.keyboard.type("a?b")
    assert page.input_value("#run-name input") == "a?b" and page.locator("dialog.keys").count() == 0

    page.click("#recipe .recipes summary")
    page.click("[data-recipe=bigram]")  # the smallest there is
    page.wait_for_selector("#command:has-text('--recipe bigram')")
    page.focus("#run-name input")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#stop")
    page.wait_for_selector(".entry.running")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    page.wait_for_selector("#resume")

    # The worker stands by with a page for when nobody answers.
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    app.end()
    page.goto(app.address)
    page.wait_for_selector("h1:has-text('does not answer')")
    visitor.complaints.clear()  # that nobody answers is what it is about
