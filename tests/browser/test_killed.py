"""The app and its trainer are both killed, or the library is taken away: the page says what became of it, and goes on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import App, running
from fabricated_runs import fabricate

from lm import launch, run_dir

GROWS = "Number(document.querySelector('#chart .plot')?.dataset.points || 0) > {}"
LONG = (
    "--steps 1000000 --batch-size 2 --block-size 16 --n-layer 1 --n-embd 16 --n-head 1 "
    "--checkpoint-interval 10 --eval-interval 50 --sample-tokens 0 --threads 1"
).split()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app for the file, which is killed at its end."""
    with running(tmp_path_factory.mktemp("killed")) as app:
        yield app


def test_a_library_that_is_taken_away_while_it_is_shown_comes_back(visit, app) -> None:
    fabricate(app.runs_dir, "fox", steps=80)
    visitor, aside = visit(), app.runs_dir.with_name("aside")
    visitor.page.wait_for_selector("#runs [data-run=fox]")

    app.runs_dir.rename(aside)
    visitor.page.wait_for_selector("#runs [data-run=fox]", state="detached")
    app.runs_dir.write_text("no folder", encoding="utf-8")
    visitor.page.click("#train")
    visitor.page.wait_for_selector("#choice-told .wrong:has-text('cannot write to')")
    visitor.page.wait_for_timeout(3000)  # the forecast of the settings comes and leaves it there
    assert "choose another --runs-dir" in visitor.page.inner_text("#choice-told")

    app.runs_dir.unlink()
    aside.rename(app.runs_dir)
    visitor.page.click("#runs [data-run=fox]")
    visitor.wait(GROWS.format(79))
    shutil.rmtree(app.runs_dir / "fox")


def test_a_run_that_died_with_its_app_is_found_and_goes_on(visit, app, tmp_path: Path) -> None:
    story = tmp_path / "story.txt"
    story.write_text("The fox sees a lamp on the hill. It sings softly.\n" * 60, encoding="utf-8")
    run = launch.start(app.runs_dir, "story", ["--data", str(story), *LONG])
    visitor = visit()
    visitor.wait(GROWS.format(30))

    app.end()  # SIGKILL
    reached = run_dir.read_status(run).step
    assert run_dir.state(run) == "running", "a trainer does not die with its app"
    launch.kill(run)
    while run_dir.is_owned(run):
        time.sleep(0.02)
    assert run_dir.state(run) == "dead"

    app.start()
    visitor.reopen()
    visitor.wait(GROWS.format(20))
    visitor.page.click("#resume")
    visitor.page.wait_for_selector("#stop")
    while run_dir.read_status(run).step <= reached:
        visitor.page.wait_for_timeout(100)
    visitor.page.click("#stop")
    visitor.page.wait_for_selector("#resume")
    assert run_dir.state(run) == "stopped"
