"""The main job in a real browser: bring a text, train, watch, reload, stop, write."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fabricated_runs import fabricate
from runs import request

from lm import run_dir, trainer
from playground.app import TABS

pytestmark = pytest.mark.browser

WORDS = "the fox sees a lamp on the hill and sings to it softly while the owl counts stars".split()
GROWS = "Number(document.querySelector('#chart .plot').dataset.points) > {}"
RANGE = "document.querySelector('#chart .plot').layout.xaxis.range"
SIZES = ((1440, 900), (1024, 768), (390, 844))


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """A small text to upload."""
    dice = random.Random(0)
    lines = (" ".join(dice.choices(WORDS, k=7)).capitalize() + "." for _ in range(400))
    path = tmp_path / "story.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def upload(visitor, story: Path) -> None:
    visitor.tab("corpus")
    visitor.page.set_input_files("#files input[type=file]", story)
    visitor.page.wait_for_selector("#files .file-preview")
    visitor.page.click("#read-files")
    visitor.page.wait_for_selector("#corpus-card h3:has-text('story.txt')")


def set_number(visitor, name: str, value: int) -> None:
    visitor.page.fill(f"#{name} input", str(value))


def train(visitor, steps: int) -> None:
    """A tiny model, so that steps are fast on any machine, and more of them than anyone waits for."""
    visitor.tab("train")
    page = visitor.page
    page.click(".settings .label-wrap >> nth=0")
    for group in ("Model", "Length", "Evaluation"):
        page.click(f".group > .label-wrap:has-text('{group}')")
    small = dict(n_layer=1, n_head=1, n_embd=16, block_size=16)
    for name, value in small.items():
        set_number(visitor, f"set-ModelConfig-{name}", value)
    for name, value in dict(steps=steps, minutes=0, eval_interval=200, sample_tokens=20).items():
        set_number(visitor, f"set-TrainConfig-{name}", value)
    page.wait_for_selector(f"#command:has-text('--steps {steps}')")
    page.click("#train")
    page.wait_for_selector("#stop")


def zoom(visitor) -> list[float]:
    """Drag a rectangle over the left half of the chart; the range of steps that is shown then."""
    before = visitor.page.evaluate(RANGE)
    box = visitor.page.locator("#chart .nsewdrag").bounding_box()
    visitor.page.mouse.move(box["x"] + 5, box["y"] + 5)
    visitor.page.mouse.down()
    visitor.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 5, steps=4)
    visitor.page.mouse.up()
    visitor.wait(f"{RANGE}[1] < {before[1]}")
    return visitor.page.evaluate(RANGE)


def test_the_main_job_from_upload_to_text(visit, app, story: Path) -> None:
    visitor = visit()
    page = visitor.page
    visitor.screenshot("first-minute")

    # Too early: the answer says what to do first, and what was typed stays.
    visitor.tab("generate")
    page.fill("#prompt textarea", "The fox <b>☃")
    page.click("#write")
    page.wait_for_selector("#told .note.wrong:has-text('train one first')")
    visitor.tab("inside")
    page.wait_for_selector("#inside-told .note.wrong:has-text('train one first')")

    upload(visitor, story)
    visitor.screenshot("corpus")
    train(visitor, steps=1_000_000)
    visitor.wait(GROWS.format(3))
    page.wait_for_selector("#timeline .made:not(:empty)")
    visitor.screenshot("train")

    # A reload and a restart of the app lose nothing; a second browser sees the same run, live.
    seen = visitor.points()
    app.end()
    app.start()
    visitor.open()
    visitor.complaints.clear()  # the old page noticed that the app was gone
    visitor.wait(GROWS.format(seen))
    seen = visitor.points()
    visitor.wait(GROWS.format(seen))
    second = visit(locale="ja-JP", color_scheme="dark")
    second.wait(GROWS.format(seen))
    assert second.page.get_attribute("#chart .plot", "data-run") == "story-quickstart"
    assert second.page.locator("#status-bar .now b").inner_text() == "story-quickstart"
    assert second.page.locator("#stop").inner_text() == "停止して最良を残す"

    # A zoom is the reader's: new points leave it alone.
    zoomed = zoom(visitor)
    visitor.wait(GROWS.format(visitor.points()))
    assert page.evaluate(RANGE) == zoomed

    # Generating works while training goes on.
    visitor.tab("generate")
    page.fill("#prompt textarea", "The fox <b>☃")
    page.press("#prompt textarea", "Shift+Enter")
    page.wait_for_selector("#told .fine")
    assert page.locator("#written").inner_text().startswith("The fox <b>☃")
    assert "☃" in page.locator("#told .note").inner_text()
    visitor.screenshot("generate")

    visitor.tab("train")
    page.click("#stop")
    page.wait_for_selector("#resume")
    second.page.wait_for_selector("#resume")
    page.click("#resume")
    page.wait_for_selector("#stop")
    page.click("#stop")
    page.wait_for_selector("#resume")

    visitor.tab("share")
    page.click("#export")
    page.wait_for_selector("#exported .note")
    with page.expect_download() as downloading:
        page.click("#zip")
        page.click("#download a")
    assert downloading.value.suggested_filename == "story-quickstart.zip"
    visitor.screenshot("share")


def test_a_long_text_can_be_stopped_in_the_middle(visit, app, story: Path) -> None:
    slow = dict(n_layer=32, n_head=4, n_embd=256, block_size=64)  # a dozen seconds for 2,000 tokens
    trainer.train(run_dir.create(app.runs_dir, "fox"), request(story, model=slow, steps=1, eval_windows=1))
    visitor = visit()
    page = visitor.page
    visitor.tab("generate")
    page.fill("#set-SampleConfig-max_new_tokens input[type=number]", "2000")
    page.click("#write")
    page.wait_for_selector("#written .caret")
    page.click("#stop-writing")
    page.click("#library .new")  # an answer of the server later, nothing more is written
    page.wait_for_selector("#library .new[aria-current]")
    so_far = page.locator("#written").inner_text()
    page.click("#library .run")
    page.wait_for_selector("#library .run[aria-current]")
    assert page.locator("#written").inner_text() == so_far
    assert 0 < len(so_far) < 2000


def test_nothing_overflows_on_a_desk_a_tablet_and_a_phone(visit, app) -> None:
    fabricate(app.runs_dir, "a-run-with-quite-a-long-name-that-has-to-be-cut-somewhere", steps=300, max_steps=900)
    visitor = visit(color_scheme="light")
    visitor.wait(GROWS.format(100))
    for scheme in ("light", "dark"):
        for width, height in SIZES:
            visitor.page.set_viewport_size(dict(width=width, height=height))
            for name in TABS:
                visitor.tab(name)
                visitor.page.wait_for_selector("#tabs > .tabitem >> visible=true")
                assert visitor.overflowing() == [], f"{name} at {width}×{height}"
                visitor.screenshot(f"{name}-{width}-{scheme}")
        visitor.page.click("[data-do=dark]")
    assert visitor.page.evaluate("localStorage.getItem('lm-dark')") == "0"  # switched twice


def test_the_library_of_a_phone_slides_in_and_out(visit, app) -> None:
    fabricate(app.runs_dir, "one")
    visitor = visit(viewport=dict(width=390, height=844))
    page = visitor.page
    assert not page.locator("#library .run").is_visible()
    page.click("[data-do=library]")
    page.click("#library .new")
    page.wait_for_selector("#library .new[aria-current]", state="attached")
    page.wait_for_selector("#library .new", state="hidden")
