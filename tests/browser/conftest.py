"""A real app in a process of its own and a real Chromium that looks at it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from startup import free_port  # benchmarks/

ROOT = Path(__file__).parent.parent.parent
SIZES = ((1440, 900), (1024, 768), (390, 844))  # a desk, a tablet, a phone
DESK = dict(width=1440, height=900)
# A machine that is busy with other tests starts slowly. Measured: 4 s alone.
START_SECONDS = 60


class App:
    """`python app.py` over a folder; it can be ended and started again. `environment` is what it finds besides ours."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.folder, self.address, self.process, self.arguments = folder, "", None, arguments
        self.runs_dir = folder / "runs"
        self.environment = environment

    def start(self) -> None:
        where = ["--port", str(free_port()), "--runs-dir", str(self.runs_dir)]
        quiet = dict(LM_PLAYGROUND_CACHE=str(self.folder / "cache"), PYTHONUNBUFFERED="1", OMP_NUM_THREADS="1")
        self.process = subprocess.Popen(
            [sys.executable, "app.py", "--no-browser", *where, *self.arguments],
            cwd=ROOT,
            env=os.environ | quiet | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = ""
        for line in self.process.stdout:  # ends when the process does
            said += line
            if found := re.search(r"open at (http://\S+)", line):
                self.address = found[1]
                return
        raise AssertionError(f"the app ended at once:\n{said}")

    def end(self) -> str:
        """Kill it; what it said since it answered. Nothing more where it was ended before."""
        self.process.kill()
        return "" if self.process.stdout.closed else self.process.communicate(timeout=START_SECONDS)[0]


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[App]:
    """A running app over a folder; trainings that a failed test left behind are ended with it."""
    from lm import launch, run_dir

    app = App(folder, *arguments, **environment)
    app.start()
    yield app
    app.end()
    for run in run_dir.list_runs(app.runs_dir):
        launch.kill(run)


@contextmanager
def running_over_a_model(folder: Path, steps: int) -> Iterator[App]:
    """A running app with one small run, `fox`; a person who looks may name a folder with better ones in `LM_RUNS`."""
    from runs import request, write_text

    from lm import run_dir, trainer

    if os.environ.get("LM_RUNS"):
        shutil.copytree(os.environ["LM_RUNS"], folder / "runs")
    else:
        small = request(write_text(folder / "fox.txt"), model=dict(n_embd=32), steps=steps, batch_size=16)
        trainer.train(run_dir.create(folder / "runs", "fox"), small)
    with running(folder) as app:
        yield app


@pytest.fixture(scope="session")
def lasting_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app over a model that recites some, `fox`, for all files whose tests end with their runs."""
    with running_over_a_model(tmp_path_factory.mktemp("lasting"), steps=120) as app:
        yield app


@contextmanager
def lent(app: App, is_empty: bool = False) -> Iterator[App]:
    """The app for one file, without its own runs where it `is_empty`; what the file added is gone afterwards."""
    from lm import launch, run_dir

    own = [run.path for run in run_dir.list_runs(app.runs_dir)]
    aside = app.folder / "aside"
    aside.mkdir(exist_ok=True)
    for path in own if is_empty else ():
        path.rename(aside / path.name)
    yield app
    for run in run_dir.list_runs(app.runs_dir):
        if is_empty or run.path not in own:
            launch.kill(run)
            while run_dir.is_owned(run):
                time.sleep(0.02)
            shutil.rmtree(run.path)
    for path in aside.iterdir():
        path.rename(app.runs_dir / path.name)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An app of its own; a file whose tests only read a run has one for all of them."""
    with running(tmp_path) as app:
        yield app


def sizes_of(scheme: str, sizes: Sequence[tuple[int, int]] = SIZES) -> Sequence[tuple[int, int]]:
    """In which windows a page is looked at: colours move nothing, so in the dark the last, unless pictures are taken."""
    return sizes if scheme == "light" or os.environ.get("LM_SCREENSHOTS") else sizes[-1:]


class Visitor:
    """One browser on the app's page, with all it complained about and every request that left this machine."""

    def __init__(self, browser, app: App, **context) -> None:
        self.app, self.complaints, self.strangers = app, [], []
        self.context = browser.new_context(**dict(viewport=DESK, locale="en-US") | context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(START_SECONDS * 1000)
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note_stranger)

    def _note_stranger(self, request) -> None:
        if urlsplit(request.url).hostname not in ("127.0.0.1", None):  # None: data: and blob:
            self.strangers.append(request.url)

    def open(self) -> None:
        """Open or reload the page and wait until it knows what it shows."""
        self.page.goto(self.app.address)
        self.page.wait_for_selector("#library .new", state="attached")
        self.page.wait_for_selector("#chart .plot .main-svg")

    def reopen(self) -> None:
        """Open the page anew; of the one that was left, an event was on its way."""
        self.open()
        self.complaints.clear()

    def forget(self) -> None:
        """Open the page anew in a browser that remembers nothing of it: sooner there than a browser of its own."""
        self.page.evaluate("localStorage.clear(), sessionStorage.clear()")
        self.reopen()

    def leave(self) -> None:
        """Close the browser: it complained about nothing, and nothing left this machine."""
        self.context.close()
        assert self.complaints == []
        assert self.strangers == []

    def tab(self, name: str) -> None:
        """Open a tab by its key in `playground.app.TABS`."""
        from playground.app import TABS

        self.page.locator("#tabs > .tab-wrapper button[role=tab]").nth(list(TABS).index(name)).click()

    def fill(self, name: str, words: str) -> None:
        """Type into the field with this id, of one line or of many."""
        self.page.fill(f"#{name} :is(input, textarea)", words)

    def value(self, name: str) -> str:
        """What stands in that field."""
        return self.page.input_value(f"#{name} :is(input, textarea)")

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def points(self) -> int:
        """How many training points the chart holds."""
        return int(self.page.get_attribute("#chart .plot", "data-points") or 0)

    def screenshot(self, name: str) -> None:
        """Into `LM_SCREENSHOTS`, if a person wants to look."""
        if folder := os.environ.get("LM_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def overflowing(self) -> list[str]:
        """What stands out of the window to the right, but for what a table that scrolls has there."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll('#frame *')].filter((e) => {
                const box = e.getBoundingClientRect();
                if (!box.width || box.right <= innerWidth + 1) return false;
                return getComputedStyle(e).visibility !== 'hidden' && !e.closest('svg, .scroll > *');
            }).map((e) => `${e.tagName}#${e.id}.${e.className}`)"""
        )

    def fits(self, name: str, sizes: Sequence[tuple[int, int]] = SIZES) -> None:
        """Nothing stands out of the page in windows of these sizes, light and dark."""
        for scheme in ("light", "dark"):
            for width, height in sizes_of(scheme, sizes):
                self.page.set_viewport_size(dict(width=width, height=height))
                assert self.overflowing() == [], f"{name} at {width}×{height}, {scheme}"
                self.screenshot(f"{name}-{width}-{scheme}")
            self.page.set_viewport_size(DESK)
            self.page.click("[data-do=dark]")


@contextmanager
def visiting(browser, app: App, **context) -> Iterator[Visitor]:
    """The page in a browser of its own, for as many tests of a file as can share it."""
    visitor = Visitor(browser, app, **context)
    visitor.open()
    yield visitor
    visitor.leave()


@pytest.fixture
def visit(browser, app: App):
    """Opens the page in a browser of its own."""
    visitors = []

    def visit(**context) -> Visitor:
        visitors.append(Visitor(browser, app, **context))
        visitors[-1].open()
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.leave()
