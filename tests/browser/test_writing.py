"""Write, unfold a token, regrow, go on, undo: in a real browser, with mouse and keys."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from conftest import SIZES, App, Visitor, lent, visiting

pytestmark = pytest.mark.browser

STILL = "#written .pages[data-state=still] .tok"


@pytest.fixture(scope="module")
def app(lasting_app: App) -> Iterator[App]:
    """One app for the file, over a model that recites some."""
    with lent(lasting_app) as app:
        yield app


@pytest.fixture(scope="module")
def visitor(browser, app) -> Iterator[Visitor]:
    """One page for the tests that write what they need themselves."""
    with visiting(browser, app) as visitor:
        yield visitor


def write(visitor, prompt: str = "The ") -> None:
    """Write a text anew, and wait until it stands there; what stood there before has come to its end, and is gone."""
    visitor.tab("generate")
    visitor.wait("document.querySelector('#checkpoint input').value !== ''")
    visitor.wait("document.querySelector('#written .pages')?.dataset.state !== 'writing'")  # of the test before
    visitor.page.fill("#prompt textarea", prompt)
    visitor.page.evaluate("document.querySelector('#written .tok')?.classList.add('before')")
    visitor.page.click("#write")
    visitor.page.wait_for_selector("#written .before", state="detached")
    visitor.page.wait_for_selector(STILL)
    visitor.page.wait_for_selector("#meter .note")


def text(visitor) -> str:
    return visitor.page.locator("#written .written").first.inner_text()


def test_a_token_is_exchanged_and_the_text_regrows_from_there(visitor) -> None:
    page = visitor.page
    write(visitor)
    first = text(visitor)
    page.locator(STILL).nth(30).click()
    page.wait_for_selector(".alternatives button.chosen")
    visitor.screenshot("generate-alternatives")
    page.locator(".alternatives button:not(.chosen)").first.click()
    page.wait_for_selector(".alternatives", state="detached")
    visitor.wait(f"document.querySelector('#written .written').innerText !== {json.dumps(first)}")
    page.wait_for_selector(STILL)
    second = text(visitor)
    assert second != first and second[:30] == first[:30]

    page.click("#undo")
    visitor.wait(f"document.querySelector('#written .written').innerText === {json.dumps(first)}")
    n_tokens = page.locator(STILL).count()
    page.click("#go-on")
    visitor.wait(f"document.querySelectorAll('#written .tok').length > {n_tokens}")
    page.wait_for_selector(STILL)
    assert text(visitor).startswith(first.rstrip())


def test_every_token_is_reached_by_keys_alone(visitor) -> None:
    page = visitor.page
    write(visitor)
    first = text(visitor)
    page.locator("#written .tok").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.dataset.index") == "11"
    page.keyboard.press("Enter")
    page.wait_for_selector(".alternatives button:focus")
    page.keyboard.press("Escape")
    page.wait_for_selector(".alternatives", state="detached")
    assert page.evaluate("document.activeElement.dataset.index") == "11"
    page.keyboard.press("Enter")
    page.wait_for_selector(".alternatives button.chosen:focus")
    page.keyboard.press("End")
    if page.locator(".alternatives button.chosen:focus").count():
        page.keyboard.press("ArrowUp")  # the one that stands there may be the least likely of all
    page.keyboard.press("Enter")
    page.wait_for_selector(".alternatives", state="detached")
    visitor.wait(f"document.querySelector('#written .written').innerText !== {json.dumps(first)}")


def test_what_comes_from_a_person_stands_there_as_text(visitor) -> None:
    write(visitor, "The <b>fox</b> <img src=x onerror=alert(1)>")
    assert text(visitor).startswith("The <b>fox</b> <img")
    assert visitor.page.locator("#written b, #written img").count() == 0


def test_a_paragraph_runs_in_the_direction_of_its_letters(visitor) -> None:
    box, given = "#written .written", "#written .given"
    for prompt, is_right in (("שלום ", True), ("The ", False)):
        write(visitor, prompt)
        left, middle = (
            visitor.page.evaluate(
                "(place) => { const box = document.querySelector(place).getBoundingClientRect(); return (box.left + box.right) / 2; }",
                place,
            )
            for place in (given, box)
        )
        assert (left > middle) == is_right


def test_a_range_of_settings_and_two_models_stand_side_by_side(visitor) -> None:
    page = visitor.page
    write(visitor)
    page.click("#try-grid")
    page.wait_for_selector("#grid td:last-child >> text=The")
    visitor.wait("[...document.querySelectorAll('#grid td')].every((cell) => cell.textContent.length > 10)")
    visitor.screenshot("generate-grid")
    page.click("#preset label:has-text('wild')")
    temperature = "#set-SampleConfig-temperature input[type=number]"
    visitor.wait(f"document.querySelector('{temperature}').value === '1.3'")
    assert len({cell.inner_text() for cell in page.locator("#grid td").all()}) > 1


@pytest.mark.parametrize(
    ("locale", "scheme", "sizes"), [("en-US", "light", SIZES), ("ja-JP", "dark", SIZES[-1:])], ids=["light", "dark"]
)
def test_the_tab_fits_a_desk_a_tablet_and_a_phone(visit, locale: str, scheme: str, sizes: tuple) -> None:
    visitor = visit(locale=locale, color_scheme=scheme)
    page = visitor.page
    write(visitor, "Mira ")
    for width, height in sizes:
        page.set_viewport_size(dict(width=width, height=height))
        page.locator("#written .tok").nth(40).click()
        page.wait_for_selector(".alternatives button")
        assert visitor.overflowing() == [], f"{width}×{height}"
        visitor.screenshot(f"generate-{locale}-{width}-{scheme}")
        page.keyboard.press("Escape")
