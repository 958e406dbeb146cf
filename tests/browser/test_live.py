"""What lives on the Train tab, in a real browser: the chart, the timeline, the coach, the first minute."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import App, Visitor, lent, visiting
from fabricated_runs import add_tokens, fabricate, record, write_lines

from lm import run_dir

pytestmark = pytest.mark.browser

PLOT = "document.querySelector('#chart .plot')"
NAMES = f"({PLOT}.layout.annotations || []).map((one) => one.text)"
RED = f"{PLOT}.data.find((line) => line.mode === 'lines+markers').y"
# Every step that the timeline shows from now on, in `window.steps`.
NOTE_STEPS = """() => {
    window.steps = [];
    const page = document.querySelector('#timeline .written');
    const note = () => { if (window.steps.at(-1) !== page.dataset.step) window.steps.push(page.dataset.step); };
    new MutationObserver(note).observe(page, {attributes: true, attributeFilter: ['data-step']});
}"""
# As if the reader went to another tab of the browser (true), or came back.
HIDE = """(is_hidden) => {
    Object.defineProperty(document, 'hidden', {value: is_hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""

# Before any script of the page: count the frames that it asks for.
COUNT_FRAMES = """{
    const frame = window.requestAnimationFrame.bind(window);
    window.frames = 0;
    window.requestAnimationFrame = (draw) => { window.frames += 1; return frame(draw); };
}"""

# Whether no frame was asked for since this was asked last.
NO_FRAMES = "() => { const before = window.before; window.before = window.frames; return before === window.frames; }"


@pytest.fixture(scope="module")
def app(lasting_app: App) -> Iterator[App]:
    """One app for the file, over no run."""
    with lent(lasting_app, is_empty=True) as app:
        yield app


@pytest.fixture(scope="module")
def browsing(browser, app: App) -> Iterator[Visitor]:
    """One browser for the file."""
    with visiting(browser, app) as visitor:
        yield visitor


@pytest.fixture
def visit(browsing: Visitor):
    """Opens the page in it as if for the first time."""

    def visit() -> Visitor:
        browsing.forget()
        return browsing

    return visit


@pytest.fixture(autouse=True)
def empty_library(app: App) -> None:
    """The run of a test is the first one of its reader."""
    for run in run_dir.list_runs(app.runs_dir):
        shutil.rmtree(run.path)


def grow(run, first: int, last: int) -> None:
    """More steps, measured now and then, as if a trainer went on."""
    write_lines(run, first, last)


def press(visitor, name: str) -> None:
    visitor.page.click(f"#chart .switches button[data-to={name}], #chart .switches button[data-toggle={name}]")


def test_the_chart_answers_to_its_switches_and_remembers_them(visit, app) -> None:
    run = fabricate(app.runs_dir, "chart", steps=400, max_steps=400)
    add_tokens(run)
    visitor = visit()
    page = visitor.page
    visitor.wait(f"{NAMES}.includes('bigram')")
    assert {"uniform", "unigram", "bigram"} <= set(page.evaluate(NAMES))
    in_nats = page.evaluate(f"{RED}[3]")
    press(visitor, "bits")
    visitor.wait(f"Math.abs({RED}[3] - {in_nats / 0.6931472}) < 1e-4")
    page.focus("#chart button[data-to=log]")
    page.keyboard.press("Enter")
    visitor.wait(f"{PLOT}.layout.yaxis.type === 'log'")
    for axis, end in (("time", 20), ("tokens", 400 * 2048), ("epoch", 1), ("step", 400)):
        press(visitor, axis)
        visitor.wait(f"Math.abs({PLOT}.data[0].x.at(-1) - {end}) < {end} / 50")
    press(visitor, "lines")
    visitor.wait(f"!{NAMES}.includes('bigram')")
    visitor.reopen()
    visitor.wait(f"{PLOT}.layout.yaxis.type === 'log' && !{NAMES}.includes('bigram')")
    assert page.get_attribute("#chart button[data-to=bits]", "aria-pressed") == "true"

    press(visitor, "table")
    page.wait_for_selector("#chart .numbers tbody tr.best")
    first = page.locator("#chart .numbers tbody tr").first.inner_text()
    assert "400" in first and f"{record(400, evaluate=True)['val_loss']:.3f}" in first
    assert page.locator("#panels .panel").count() == 3
    assert "unseen text" in page.get_attribute("#chart .plot", "aria-label")


def test_a_mixture_shows_the_use_of_its_experts_and_a_chapter_its_curve(visit, app) -> None:
    run = fabricate(app.runs_dir, "mixture", steps=60, max_steps=500)
    run_dir.write_json(run.config, run_dir.read_json(run.config) | dict(recipe="chapter19"))
    shares = [[0.5, 0.2, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]]
    for step in (61, 62):
        run_dir.append_record(run.metrics, record(step, evaluate=True) | dict(expert_shares=shares))
    visitor = visit()
    visitor.page.wait_for_selector("#panels .panel .blocks", state="attached")
    assert visitor.page.locator("#panels .panel").nth(3).locator("path.line").count() == 4
    assert "10 %–50 %" in visitor.page.locator("#panels .panel").nth(3).inner_text()
    dotted = visitor.page.evaluate(
        f"{PLOT}.data.filter((line) => line.line?.dash === 'dot').map((line) => line.y.at(-1))"
    )
    assert dotted == [2.798, 3.145]


def test_the_timeline_goes_back_plays_and_is_kept(visit, app) -> None:
    run = fabricate(app.runs_dir, "tale", steps=200, max_steps=900, state="running")
    with run_dir.owned(run):
        visitor = visit()
        page = visitor.page
        page.wait_for_selector("#timeline .written[data-step='200']")
        below = page.locator("#meters").bounding_box()["y"]
        page.focus("#timeline input")
        page.keyboard.press("Home")
        page.wait_for_selector("#timeline .written[data-step='40']")
        assert page.locator("#meters").bounding_box()["y"] == below  # a shorter text moves nothing
        visitor.wait(f"{PLOT}.layout.shapes.some((shape) => shape.x0 === 40)")  # marked in the chart
        grow(run, 201, 240)
        visitor.wait("document.querySelector('#timeline input').max === '5'")
        assert page.get_attribute("#timeline .written", "data-step") == "40"  # the reader went back: it stays
        page.click("#timeline .newest")
        page.wait_for_selector("#timeline .written[data-step='240']")
        grow(run, 241, 280)
        page.wait_for_selector("#timeline .written[data-step='280']")  # at the newest it goes along
        page.evaluate(NOTE_STEPS)
        page.click("#timeline .play")
        visitor.wait("window.steps.at(-1) === '280' && !document.querySelector('#timeline .play.playing')")
        assert page.evaluate("window.steps") == ["40", "80", "120", "160", "200", "240", "280"]
    for kind, start in (("gif", b"GIF89a"), ("html", b"<!doctype html>")):
        with page.expect_download() as kept:
            page.click(f"#timeline [data-kind={kind}]")
        path = Path(kept.value.path())
        assert kept.value.suggested_filename == f"tale-timeline.{kind}" and path.read_bytes().startswith(start)
    player = visitor.context.new_page()
    player.goto(path.rename(path.with_suffix(".html")).as_uri())
    player.focus("input")
    player.keyboard.press("Home")
    assert "40" in player.locator("h2").inner_text()
    player.close()


def test_the_first_minute_is_explained_and_the_coach_offers_to_stop(visit, app) -> None:
    run = fabricate(app.runs_dir, "minute", steps=900, max_steps=1200, parted_at=300, state="running")
    with run_dir.owned(run):
        visitor = visit()
        page = visitor.page
        page.wait_for_selector("#first-minute li.unseen >> visible=true")
        page.wait_for_selector("#note .act:has-text('Stop and keep step')")
        visitor.fits("live")
        page.click("#first-minute button")
        page.wait_for_selector("#first-minute", state="hidden")
        visitor.reopen()
        page.wait_for_selector("#note .act")
        assert not page.locator("#first-minute").is_visible()
        page.click("#note .act")
        page.wait_for_selector("#note:has-text('Stopping')")
        assert run.stop.exists()


@pytest.fixture
def watched(visit, app):
    """A page that shows a training, and the looks it takes from now on."""
    run = fabricate(app.runs_dir, "watched", steps=40, max_steps=900, state="running")
    with run_dir.owned(run):
        visitor = visit()
        looks = []
        visitor.page.on("request", lambda request: "/look?" in request.url and looks.append(request.url))
        yield visitor, run, looks


def test_a_page_that_nobody_sees_looks_seldom(watched) -> None:
    visitor, run, looks = watched
    visitor.page.evaluate(HIDE, True)
    visitor.page.wait_for_timeout(500)  # what was on its way
    looks.clear()
    visitor.page.wait_for_timeout(3000)
    assert not looks
    grow(run, 41, 80)
    with visitor.page.expect_request(lambda request: "/look?" in request.url, timeout=10_000):  # at once
        visitor.page.evaluate(HIDE, False)
    visitor.wait("Number(document.querySelector('#chart .plot').dataset.points) === 80")


# What each line spans, in steps and nats, as it is drawn.
SPANS = """() => {
    const plot = document.querySelector('#chart .plot'), {xaxis, yaxis} = plot._fullLayout;
    return [...plot.querySelectorAll('.js-line')].map((line) => {
        const box = line.getBBox();
        return [xaxis.p2d(box.x), yaxis.p2d(box.y), xaxis.p2d(box.x + box.width), yaxis.p2d(box.y + box.height)];
    });
}"""


def test_points_that_a_look_brings_are_drawn_where_plotly_draws_them(watched) -> None:
    visitor, run, _ = watched
    grow(run, 41, 43)
    visitor.wait("document.querySelector('#chart .plot').dataset.points === '43'")
    assert visitor.page.get_attribute("#chart .plot", "data-grown")  # none of them was an evaluation
    grown = visitor.page.evaluate(SPANS)
    visitor.page.hover("#chart .plot")
    visitor.wait("!document.querySelector('#chart .plot').dataset.grown")
    drawn = visitor.page.evaluate(SPANS)
    assert len(drawn) == len(grown) > 1
    assert grown == [pytest.approx(span, rel=0.01) for span in drawn]
    grow(run, 44, 46)  # who points at the plot is shown what is known there
    visitor.wait("document.querySelector('#chart .plot').dataset.points === '46'")
    assert not visitor.page.get_attribute("#chart .plot", "data-grown")


def test_a_line_that_was_put_away_stays_away_while_the_other_grows(watched) -> None:
    visitor, run, _ = watched
    page = visitor.page
    lines = "document.querySelectorAll('#chart .plot .js-line').length"
    before = page.evaluate(lines)
    page.evaluate("Plotly.restyle(document.querySelector('#chart .plot'), {visible: 'legendonly'}, [1])")  # by its legend
    assert page.evaluate(lines) == before - 1
    grow(run, 41, 43)
    visitor.wait("document.querySelector('#chart .plot').dataset.points === '43'")
    assert page.get_attribute("#chart .plot", "data-run") == "watched"


def test_looks_at_a_training_cause_no_events(watched) -> None:
    """An event costs the browser half as much again."""
    visitor, run, looks = watched
    visitor.page.wait_for_timeout(500)
    events = []
    visitor.page.on("request", lambda request: "gradio_api/" in request.url and events.append(request.url))
    for n_steps in (60, 80):
        grow(run, n_steps - 19, n_steps)
        visitor.wait(f"Number(document.querySelector('#chart .plot').dataset.points) === {n_steps}")
    assert len(looks) > 1 and not events


def test_nothing_is_drawn_between_two_looks(watched) -> None:
    """Sixty frames a second cost a training on two cores a tenth of its speed."""
    page = watched[0].page
    page.add_init_script(COUNT_FRAMES)
    watched[0].reopen()
    page.wait_for_function(NO_FRAMES, polling=800)
    assert page.evaluate("document.getAnimations().length") == 0
