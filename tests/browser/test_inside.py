"""Look inside in a real browser: every panel draws, answers to mouse and keys, and fits every window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import SIZES, App, Visitor, lent, visiting

from playground.insight import PANELS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(lasting_app: App) -> Iterator[App]:
    """One app for the file, over a small model."""
    with lent(lasting_app) as app:
        yield app


@pytest.fixture(scope="module")
def visitor(browser, app) -> Iterator[Visitor]:
    """One page for the tests that look at the passage that is there."""
    with visiting(browser, app) as visitor:
        yield visitor


def open_panel(visitor, name: str) -> None:
    visitor.page.locator("#insights > .tab-wrapper button[role=tab]").nth(list(PANELS).index(name)).click()
    visitor.page.wait_for_selector(f"#panel-{name} .drawn[data-state=drawn] > *")


def enter(visitor) -> None:
    visitor.tab("inside")
    open_panel(visitor, "surprise")


def test_opening_the_tab_looks_at_a_passage_the_model_never_saw(visitor) -> None:
    page = visitor.page
    enter(visitor)
    assert len(page.input_value("#inside-text textarea")) > 100
    page.locator(".heat span").nth(5).focus()
    page.keyboard.press("ArrowRight")
    assert "nats" in page.locator("#panel-surprise .readout").inner_text()
    page.locator(".hardest button").first.click()
    assert page.locator(".heat .marked").count() >= 20


def test_the_bars_answer_to_the_sliders_without_the_server(visitor) -> None:
    page = visitor.page
    enter(visitor)
    open_panel(visitor, "next")
    requests = []
    page.on("request", lambda request: "queue/join" in request.url and requests.append(request.url))
    top = page.locator(".bars button b").first
    before = top.inner_text()
    page.locator(".sliders input").first.fill("0")
    assert top.inner_text() == "100 %" and before != "100 %"
    page.locator(".sliders input").first.fill("2")
    page.locator(".sliders input").nth(1).fill("3")
    assert page.locator(".bars .cut").count() == page.locator(".bars button").count() - 3
    assert requests == []
    text = page.input_value("#inside-text textarea")
    token = page.locator(".bars button:enabled").first
    page.locator(".bars button").first.click()
    visitor.wait(f"document.querySelector('#inside-text textarea').value.length > {len(text)}")
    assert token.count()


def test_heads_are_chosen_and_tokens_pointed_at(visitor) -> None:
    page = visitor.page
    enter(visitor)
    open_panel(visitor, "attention")
    page.locator(".heads button").nth(2).click()
    assert page.locator(".heads button[aria-pressed=true]").count() == 1
    page.locator(".gaze span").nth(7).hover()
    assert page.locator(".gaze .asking").get_attribute("data-at") == "7"
    page.locator(".gaze span").nth(7).focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".gaze .asking").get_attribute("data-at") == "6"


def test_heads_are_painted_anew_when_the_page_turns_dark(visitor) -> None:
    enter(visitor)
    open_panel(visitor, "attention")
    painted = "document.querySelector('.heads canvas').toDataURL()"
    light = visitor.page.evaluate(painted)
    visitor.page.click("[data-do=dark]")
    visitor.wait(f"{painted} !== '{light}'")
    visitor.page.click("[data-do=dark]")
    visitor.wait(f"{painted} === '{light}'")
    assert visitor.page.evaluate(painted) == light


def test_the_map_moves_through_its_stages_and_tells_neighbours(visitor) -> None:
    page = visitor.page
    enter(visitor)
    open_panel(visitor, "embeddings")
    place = "document.querySelector('.token-map text').style.transform"
    last = page.evaluate(place)
    page.locator("#panel-embeddings [data-stage]").first.click()
    assert page.evaluate(place) != last
    page.locator("#panel-embeddings input[type=range]").focus()
    page.keyboard.press("End")
    assert page.evaluate(place) == last
    page.keyboard.press("Home")
    assert page.locator("#panel-embeddings .scrub output").inner_text() == "step 0"
    page.locator("#panel-embeddings .play").click()
    visitor.wait(f"{place} === '{last}'")
    page.locator(".token-map text").nth(3).focus()
    assert page.locator(".token-map .near line").count() > 0


def test_merges_grow_with_the_slider(visitor) -> None:
    page = visitor.page
    enter(visitor)
    open_panel(visitor, "tokens")
    counts = []
    for n in ("0", "10", "40"):
        page.locator("#panel-tokens input[type=range]").fill(n)
        counts.append(page.locator(".lab-pieces span").count())
    assert counts[0] > counts[1] > counts[2]
    assert "→" in page.locator("#panel-tokens .readout").inner_text()


@pytest.mark.parametrize(
    ("locale", "scheme", "sizes"), [("en-US", "light", SIZES), ("ja-JP", "dark", SIZES[-1:])], ids=["light", "dark"]
)
def test_every_panel_fits_a_desk_a_tablet_and_a_phone(visit, locale: str, scheme: str, sizes: tuple) -> None:
    visitor = visit(locale=locale, color_scheme=scheme)
    enter(visitor)
    for width, height in sizes:
        visitor.page.set_viewport_size(dict(width=width, height=height))
        for name in PANELS:
            open_panel(visitor, name)
            assert visitor.overflowing() == [], f"{name} at {width}×{height}"
            visitor.screenshot(f"inside-{name}-{locale}-{width}-{scheme}")
