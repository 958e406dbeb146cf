"""The page behind a link to a live run, where everything that the run says wants to be a script: shown, and never run.

The owner of the run is a stranger, and so is everyone who is given the link: no word of a run directory that its trainer
or its owner wrote may do more on a spectator's page than stand there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from conftest import App, Visitor, running
from fabricated_runs import fabricate, record

from lm import run_dir
from lm.run_dir import RunDir
from playground.workspaces import WATCH

pytestmark = pytest.mark.browser

EVIL = '<img src=x onerror="window.ran=1">'
TOKEN = "w" * 32
OWNER = "a" * 40
STANDS = "([place, words]) => [...document.querySelectorAll(place)].some((e) => e.textContent.includes(words))"


def hostile_run(runs_dir) -> RunDir:
    """A run that trains, with markup wherever its directory has room for words."""
    run = fabricate(runs_dir, "shown", max_steps=400, state="running", error=EVIL, error_kind=EVIL)
    said = run_dir.read_json(run.config)
    groups = dict(
        corpus=dict(name=EVIL, sha256=EVIL), data=dict(tokenizer=EVIL), train=dict(schedule=EVIL, device=EVIL)
    )
    others = dict(recipe=EVIL, forked_from=dict(run=EVIL, checkpoint=EVIL, step=1), versions={EVIL: EVIL}, device=EVIL)
    run_dir.write_json(run.config, said | groups | others | dict(model=said["model"] | dict(arch=EVIL)))
    run_dir.append_record(run.samples, dict(step=200, prompt=EVIL, text=EVIL))
    run_dir.append_record(run.metrics, record(201) | {EVIL: EVIL, "note": EVIL})
    run.log.write_text(f"{EVIL}\n", encoding="utf-8")
    return run


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A shared machine with one link, to a run of somebody else that is being trained."""
    folder = tmp_path_factory.mktemp("spectator")
    run = hostile_run(folder / "visitors" / OWNER / "runs")
    fabricate(run.path.parent, "hidden")
    (folder / "links").mkdir()
    run_dir.write_json(folder / "links" / f"{TOKEN}.json", dict(visitor=OWNER, run="shown"))
    with run_dir.owned(run), running(folder, "--multi-user") as app:
        yield app


@pytest.fixture
def visitor(browser, app: App) -> Iterator[Visitor]:
    """A browser that was on no page of the app before it follows a link."""
    visitor = Visitor(browser, app)
    yield visitor
    visitor.leave()


@pytest.fixture(scope="module")
def spectator(browser, app: App) -> Iterator[Visitor]:
    """One that has followed the link to the run."""
    visitor = Visitor(browser, app)
    visitor.page.goto(f"{app.address}?{WATCH}={TOKEN}")
    visitor.page.wait_for_selector("#chart .plot .main-svg")
    visitor.page.wait_for_selector("#headline h3:text-is('shown')")
    yield visitor
    visitor.leave()


def is_shown(visitor: Visitor, place: str, words: str = EVIL) -> bool:
    """Wait until the words stand there as words; whether nothing of them has been run."""
    visitor.page.wait_for_function(STANDS, arg=[place, words])
    return ran_nothing(visitor)


def ran_nothing(visitor: Visitor) -> bool:
    has_run = visitor.page.evaluate("window.ran ?? null") is not None
    return not has_run and visitor.page.locator("img[onerror], a[href^='javascript']").count() == 0


def test_what_only_its_owner_may_read_is_not_sent_to_a_spectator(spectator, app) -> None:
    assert is_shown(spectator, "#timeline .made")
    page = spectator.page.content()
    assert "hidden" not in spectator.page.inner_text("#library") and str(app.folder) not in page and OWNER not in page
    for button in ("#stop", "#resume", "#train", "#show-run"):
        assert not spectator.page.locator(button).is_visible(), button


def test_markup_in_a_run_that_is_watched_is_shown_and_the_page_goes_on(spectator, app) -> None:
    for place in ("#timeline .given", "#timeline .made"):
        assert is_shown(spectator, place), place
    run = RunDir(app.folder / "visitors" / OWNER / "runs" / "shown")
    run_dir.append_record(run.samples, dict(step=240, prompt="fresh ", text=f"fresh {EVIL}"))
    assert is_shown(spectator, "#timeline .made", f"fresh {EVIL}")
    spectator.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"window.ran=1\">')"
    )
    spectator.wait("window.ran === 1")  # it would have run


def test_the_page_of_a_spectator_fits_and_keeps_no_place_for_words_of_the_owners(spectator, app) -> None:
    spectator.fits("spectator")
    run = RunDir(app.folder / "visitors" / OWNER / "runs" / "shown")
    run_dir.write_status(run, replace(run_dir.read_status(run), state="finished"))
    spectator.wait("!document.querySelector('#note .note')")
    assert spectator.page.evaluate("document.querySelector('#note').getBoundingClientRect().height") == 0


def test_a_link_that_is_none_says_so_and_is_no_script(visitor, app) -> None:
    for token in (EVIL, "../" * 8 + "etc/passwd", "w" * 31, "%00", "＜script＞"):
        visitor.page.goto(f"{app.address}?{WATCH}={token}")
        visitor.page.wait_for_function(STANDS, arg=["body", "This link shows nothing any more"])
        assert ran_nothing(visitor), token
        assert visitor.page.locator("#frame").count() == 0, "a frame in which nothing will ever stand"
        visitor.page.goto("about:blank")  # the words that are waited for are gone
        visitor.complaints.clear()  # the page that was left was in the middle of its events


def test_a_link_that_is_taken_back_ends_the_page_of_whoever_watches(spectator, app) -> None:
    (app.folder / "links" / f"{TOKEN}.json").unlink()
    spectator.page.wait_for_function(STANDS, arg=["body", "This link shows nothing any more"])
    assert spectator.page.locator("#frame").count() == 0
    assert all("404" in complaint for complaint in spectator.complaints), "more than that the page is gone"
    spectator.complaints.clear()
