"""A real app in a process of its own and a real Chromium that looks at it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent.parent
DESK = dict(width=1440, height=900)
# A machine that is busy with other tests starts slowly. Measured: 4 s alone.
START_SECONDS = 60


class App:
    """`python app.py` over a folder; it can be ended and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.address, self.process = folder, "", None
        self.runs_dir = folder / "runs"

    def start(self) -> None:
        command = [
            sys.executable,
            "app.py",
            "--no-browser",
            "--port",
            str(_free_port()),
            "--runs-dir",
            str(self.runs_dir),
        ]
        quiet = dict(LM_PLAYGROUND_CACHE=str(self.folder / "cache"), PYTHONUNBUFFERED="1", OMP_NUM_THREADS="1")
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        said = ""
        for line in self.process.stdout:  # ends when the process does
            said += line
            if found := re.search(r"open at (http://\S+)", line):
                self.address = found[1]
                return
        raise AssertionError(f"the app ended at once:\n{said}")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=START_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(folder: Path) -> Iterator[App]:
    """A running app over an empty folder; trainings that a failed test left behind are ended with it."""
    from lm import launch, run_dir

    app = App(folder)
    app.start()
    yield app
    app.end()
    for run in run_dir.list_runs(app.runs_dir):
        launch.kill(run)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An app of its own; a file whose tests only read a run has one for all of them."""
    with running(tmp_path) as app:
        yield app


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

    def tab(self, name: str) -> None:
        """Open a tab by its key in `playground.app.TABS`."""
        from playground.app import TABS

        self.page.locator("#tabs > .tab-wrapper button[role=tab]").nth(list(TABS).index(name)).click()

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def points(self) -> int:
        """How many training points the chart holds."""
        return int(self.page.get_attribute("#chart .plot", "data-points") or 0)

    def screenshot(self, name: str) -> None:
        """Into `LM_SCREENSHOTS`, if a person wants to look, else beside the run."""
        folder = Path(os.environ.get("LM_SCREENSHOTS") or self.app.folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png")

    def overflowing(self) -> list[str]:
        """What stands out of the window to the right."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll('#frame *')].filter((e) => {
                const box = e.getBoundingClientRect();
                const hidden = getComputedStyle(e).visibility === 'hidden' || e.closest('svg');
                return box.width > 0 && box.right > innerWidth + 1 && !hidden;
            }).map((e) => `${e.tagName}#${e.id}.${e.className}`)"""
        )


@pytest.fixture
def visit(browser, app: App):
    """Opens the page in a browser of its own; at the end, nobody complained and nothing left this machine."""
    visitors = []

    def visit(**context) -> Visitor:
        visitors.append(Visitor(browser, app, **context))
        visitors[-1].open()
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.context.close()
        assert visitor.complaints == []
        assert visitor.strangers == []
