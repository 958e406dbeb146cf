"""The page for everybody: with keys alone, with little motion, with fingers, and every drawing in numbers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import App, lent
from fabricated_runs import fabricate

from lm import run_dir
from playground.insight import PANELS

pytestmark = pytest.mark.browser

STILL = "#written .pages[data-state=still] .tok"
MOST_STOPS = 60  # of the Tab key, on the way to anything
# Whether a person sees where the focus is: a line around the element, or around what it is the heart of.
IS_RINGED = """() => {
    const isRinged = (e) => getComputedStyle(e).outlineStyle !== 'none' && parseFloat(getComputedStyle(e).outlineWidth) >= 1.5;
    const above = [];
    for (let e = document.activeElement; e && above.length < 4; e = e.parentElement) above.push(e);
    return above.some(isRinged);
}"""
FOCUSED = "document.activeElement.outerHTML.slice(0, 160)"
# When the timeline shows another step, in milliseconds, in `window.changes`.
NOTE_CHANGES = """() => {
    window.changes = [];
    const page = document.querySelector('#timeline .written');
    new MutationObserver(() => window.changes.push(performance.now())).observe(page, {attributeFilter: ['data-step']});
}"""
MOVING = "document.getAnimations().filter((one) => one.playState === 'running').length"
SMALL = """() => [...document.querySelectorAll('#work :is(button, summary, input, [role=button])')].filter((e) => {
    const box = (e.closest('label') || e).getBoundingClientRect();
    return e.checkVisibility({visibilityProperty: true}) && box.width && Math.min(box.width, box.height) < 24;
}).map((e) => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def app(lasting_app: App) -> Iterator[App]:
    """One app for the file, over a small model."""
    with lent(lasting_app) as app:
        yield app


def reach(visitor, selector: str, key: str = "Tab") -> None:
    """Press a key until the focus is there; wherever it stands on the way can be seen."""
    page = visitor.page
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        if page.evaluate("document.activeElement === document.body"):
            continue
        assert page.evaluate(IS_RINGED), page.evaluate(FOCUSED)
        if page.evaluate(f"document.activeElement.matches({selector!r})"):
            return
    raise AssertionError(f"{selector} is not reached; the focus is at {page.evaluate(FOCUSED)}")


def test_everything_is_done_with_keys_alone(visit) -> None:
    visitor = visit()
    page, keys = visitor.page, visitor.page.keyboard

    reach(visitor, "[data-more=fox]")
    keys.press("Enter")
    page.wait_for_selector(".menu [role=menuitem]:focus, .menu button:focus")
    keys.press("ArrowDown")
    keys.press("Escape")
    page.wait_for_selector(".menu", state="detached")
    visitor.wait("document.activeElement.dataset.more === 'fox'")

    reach(visitor, "#train")
    keys.press("Enter")
    page.wait_for_selector(".entry.running")
    visitor.wait("document.activeElement.id === 'stop'")  # it stands where the pressed one stood
    keys.press("Escape")
    visitor.wait("document.activeElement.id === 'resume'")

    keys.press("Alt+3")
    visitor.wait("document.querySelector('#checkpoint input').value !== ''")
    reach(visitor, "#prompt textarea")
    keys.type("The ")
    keys.press("Control+Enter")
    page.wait_for_selector(STILL)
    reach(visitor, "#preset input", "Shift+Tab")
    keys.press("ArrowRight")
    page.wait_for_selector("#preset input[value=careful]:checked")
    visitor.wait("document.querySelector('#set-SampleConfig-temperature input[type=number]').value === '0.5'")
    first = page.inner_text("#written .written >> nth=0")
    reach(visitor, ".tok")
    keys.press("ArrowRight")
    keys.press("Enter")
    page.wait_for_selector(".alternatives button:focus")
    keys.press("Home")
    if page.locator(".alternatives button.chosen:focus").count():
        keys.press("ArrowDown")  # the one that stands there was the likeliest
    assert page.evaluate(IS_RINGED)
    keys.press("Enter")
    page.wait_for_selector(".alternatives", state="detached")
    visitor.wait(f"document.querySelector('#written .written').innerText !== {first!r}")
    page.wait_for_selector(STILL)
    visitor.wait("document.activeElement.dataset.index === '1'")  # of the token that was exchanged

    keys.press("Alt+4")
    page.wait_for_selector("#picker button")
    reach(visitor, "#picker button[data-run=fox]")
    before = page.get_attribute("#picker button[data-run=fox]", "aria-pressed")
    keys.press("Space")
    page.wait_for_selector(f"#picker button[data-run=fox]:not([aria-pressed={before}])")
    reach(visitor, "#overlay [data-name=val_loss]")
    keys.press("Enter")
    visitor.wait("document.activeElement.matches('#overlay [data-name=val_loss][aria-pressed=true]')")
    keys.press("Alt+5")
    page.wait_for_selector("#panel-surprise .drawn[data-state=drawn] > *")
    reach(visitor, "#insights button[role=tab]:nth-of-type(3)")
    keys.press("Enter")
    page.wait_for_selector("#panel-attention .drawn[data-state=drawn] > *")
    reach(visitor, "#panel-attention .heads button")
    keys.press("Alt+6")
    page.wait_for_selector("#repo")
    reach(visitor, "#export")


def test_every_drawing_is_there_in_numbers_too(visit, app: App) -> None:
    visitor = visit()
    page = visitor.page
    page.click("[data-run=fox]")
    page.wait_for_selector("#headline h3:has-text('fox')")
    measured = [one for one in run_dir.read_metrics(app.runs_dir / "fox")[0] if "val_loss" in one]
    page.click("#chart [data-toggle=table]")
    page.wait_for_selector("#chart .numbers tbody tr.best")
    assert page.locator("#chart .numbers tbody tr").count() == len(measured)
    latest = page.locator("#chart .numbers tbody tr").first.locator("td").all_inner_texts()
    assert len(latest) == 9 and "–" not in latest  # the small panels' among them
    spark = page.get_attribute("[data-run=fox] .spark", "aria-label")
    assert f"{measured[0]['val_loss']:.2f}" in spark and f"{measured[-1]['val_loss']:.2f}" in spark

    visitor.tab("compare")
    page.click("#overlay .as-table summary")
    rows = page.locator("#overlay .as-table tr:has(th:text-is('fox'))")
    page.wait_for_selector("#overlay .as-table tr:has(th:text-is('fox'))")
    assert rows.count() == len(measured)

    visitor.tab("inside")
    for name, least in (("next", 5), ("attention", 10), ("embeddings", 10)):
        page.locator("#insights > .tab-wrapper button[role=tab]").nth(list(PANELS).index(name)).click()
        page.wait_for_selector(f"#panel-{name} .drawn[data-state=drawn] > *")
        page.click(f"#panel-{name} .as-table summary")
        page.wait_for_selector(f"#panel-{name} .as-table tbody tr")
        assert page.locator(f"#panel-{name} .as-table tbody tr").count() >= least, name


def test_who_asked_for_less_motion_sees_nothing_move(visit, app: App) -> None:
    run = fabricate(app.runs_dir, "still", steps=200, max_steps=900, state="running")
    with run_dir.owned(run):
        visitor = visit(reduced_motion="reduce")
        page = visitor.page
        page.click("[data-run=still]")
        page.wait_for_selector("#timeline .written[data-step='200']")
        page.wait_for_selector(".entry.running .dot")
        assert page.evaluate(MOVING) == 0
        page.evaluate(NOTE_CHANGES)
        page.click("#timeline .play")
        visitor.wait("window.changes.length >= 3")
        first, _, third = page.evaluate("window.changes.slice(0, 3)")
        assert (third - first) / 2 > 600  # each text can be read
        visitor.tab("inside")
        page.locator("#insights > .tab-wrapper button[role=tab]").nth(list(PANELS).index("embeddings")).click()
        page.wait_for_selector("#panel-embeddings .drawn[data-state=drawn] > *")
        before = page.evaluate("document.querySelector('.token-map text').style.transform")
        page.click("#panel-embeddings .play")
        visitor.wait(f"document.querySelector('.token-map text').style.transform !== {before!r}")
        assert page.evaluate(MOVING) == 0


def test_fingers_hit_what_is_there_and_nothing_lies_on_the_curve(visit) -> None:
    visitor = visit(viewport=dict(width=390, height=844), has_touch=True, is_mobile=True)
    visitor.wait("document.querySelector('#chart .modebar') !== null")
    assert not visitor.page.locator("#chart .modebar").is_visible()
    for name in ("train", "generate", "compare", "share"):
        visitor.tab(name)
        visitor.page.wait_for_selector("#tabs > .tabitem:visible")
        assert visitor.page.evaluate(SMALL) == [], name
