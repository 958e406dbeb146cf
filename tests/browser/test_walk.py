"""The main job in a real browser: bring a text, train, watch, reload, stop, write."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

WORDS = "the fox sees a lamp on the hill and sings to it softly while the owl counts stars".split()
GROWS = "Number(document.querySelector('#chart .plot').dataset.points) > {}"
RANGE = "document.querySelector('#chart .plot').layout.xaxis.range"


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
    page.wait_for_selector("#inside-told .note.calm:has-text('train one first')")

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
    visitor.reopen()
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
