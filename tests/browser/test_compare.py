"""Runs over one another in a real browser: choosing them, what differs, a branch that is trained, a race."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import App, Visitor, lent, visiting
from fabricated_runs import fabricate

from lm import run_dir

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(lasting_app: App) -> Iterator[App]:
    """One app for the file, over the run `fox` and three newer ones, which a page that opens compares."""
    with lent(lasting_app) as app:
        for name, steps, parted in (("small", 200, 10**9), ("wide", 280, 160), ("older", 120, 10**9)):
            fabricate(app.runs_dir, name, steps=steps, max_steps=steps, parted_at=parted)
        config = app.runs_dir / "wide" / "config.json"
        said = run_dir.read_json(config)
        run_dir.write_json(config, said | dict(model=said["model"] | dict(n_embd=384)))
        yield app


@pytest.fixture(scope="module")
def visitor(browser, app: App) -> Iterator[Visitor]:
    """One page for the file, whose tests say what they look at."""
    with visiting(browser, app, color_scheme="light") as visitor:
        yield visitor


def test_runs_are_laid_over_one_another(visitor) -> None:
    page = visitor.page
    visitor.tab("compare")
    page.wait_for_selector("#compared td:has-text('384')")
    page.click("#picker button[data-run=older]")
    visitor.wait("document.querySelectorAll('#picker [aria-pressed=true]').length === 2")
    visitor.wait("document.querySelector('#overlay .plot').data.length === 2")

    page.click("#overlay button:has-text('nats per token')")
    page.click("#overlay button:has-text('minutes')")
    visitor.wait("document.querySelector('#overlay .plot').layout.xaxis.title.text === 'minutes'")
    assert page.evaluate("document.querySelector('#overlay .plot').layout.yaxis.title.text") == "nats per token"
    visitor.fits("compare")


def test_a_branch_is_trained_and_a_race_run(visitor, app) -> None:
    page = visitor.page
    visitor.tab("compare")
    page.wait_for_selector("#picker button[data-run=fox]")  # the tab has opened: there are settings to choose from
    page.click("#library .run[data-run=fox]")
    page.wait_for_selector("#fork-parent:has-text('fox')")

    page.click("#race")  # too early: a race needs a difference
    page.wait_for_selector("#fork-told .note.wrong:has-text('change at least one')")
    page.click("#fork-setting input")
    page.fill("#fork-setting input", "· lr")
    page.click("[role=option]:has-text('· lr')")
    page.fill("#fork-value input, #fork-value textarea", "0.002")
    page.click("#fork-change")
    page.wait_for_selector("#fork-changes .chip:has-text('--lr 0.002')")
    page.click("#fork")
    page.wait_for_selector("#branches li:has-text('fox-fork')", timeout=90_000)
    page.wait_for_selector("#compared td:has-text('0.002')")
    visitor.wait(
        "document.querySelector('#overlay .plot').data.some((one) => one.name === 'fox-fork' && one.x.length > 2)"
    )
    visitor.screenshot("compare-branch")
    branch = run_dir.read_json(app.runs_dir / "fox-fork" / "config.json")
    assert branch["forked_from"]["run"] == "fox" and branch["train"]["lr"] == 0.002
