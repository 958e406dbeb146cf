"""Take the README's pictures and its short film from the real app: python assets/take_pictures.py

Starts the playground over an empty folder, presses the one button, films the first minute, writes with the model that
came out, and looks at each tab as a person would. Needs the `test` extra (Playwright) and Chromium; about two minutes on
two cores. What is seen is what the app showed: nothing is drawn in afterwards but the film's size.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
DESK, PHONE = dict(width=1440, height=900), dict(width=390, height=844)
FILM_WIDTH = 960
FRAME_SECONDS = 1.5  # between two pictures of the film; it plays four times as fast
PLAYED_MILLISECONDS = 375
LAST_MILLISECONDS = 3000
COLOURS = 64  # of the film: paper, ink and the four that mean something need no more


@contextmanager
def running_app(folder: Path, *words: str) -> Iterator[str]:
    """The playground over `folder`; its address."""
    command = [sys.executable, "app.py", "--no-browser", "--runs-dir", str(folder / "runs"), *words]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | dict(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True
    )
    try:
        said = next(line for line in process.stdout if "open at" in line)
        yield re.search(r"http://\S+", said)[0]
    finally:
        process.terminate()
        process.communicate()


def opened(browser: Browser, address: str, **context: object) -> Page:
    """A page that knows what it shows."""
    page = browser.new_context(**dict(viewport=DESK, locale="en-US", reduced_motion="reduce") | context).new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    page.wait_for_selector("#chart .plot .main-svg")
    page.wait_for_function("!document.querySelector('#plan').innerText.includes('–')")  # a few steps are timed
    return page


def open_tab(page: Page, name: str) -> None:
    page.click(f"#tabs > .tab-wrapper button[role=tab]:has-text('{name}')")
    page.wait_for_timeout(1500)  # figures are drawn when their tab is first seen


def film(page: Page, seconds: float) -> list[Image.Image]:
    """The page, a picture every `FRAME_SECONDS`, until the run has ended or the time is over."""
    frames, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        frames.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        if page.locator("#headline .finished").count():
            break
        page.wait_for_timeout(max(0.0, FRAME_SECONDS - (time.monotonic() - began)) * 1000)
    return frames


def write_film(frames: list[Image.Image], to: Path) -> None:
    height = round(frames[0].height * FILM_WIDTH / frames[0].width)
    small = [frame.resize((FILM_WIDTH, height), Image.Resampling.LANCZOS) for frame in frames]
    palette = small[-1].quantize(COLOURS)
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in small]
    durations = [PLAYED_MILLISECONDS] * (len(drawn) - 1) + [LAST_MILLISECONDS]
    drawn[0].save(to, save_all=True, append_images=drawn[1:], duration=durations, loop=0, optimize=True)


def take(browser: Browser, address: str, to: Path, seconds: float) -> None:
    """Every picture, in the order of a first visit."""
    page = opened(browser, address, color_scheme="light")
    page.click("#train")
    write_film(film(page, seconds), to / "first-minute.gif")
    page.screenshot(path=to / "train.png")

    open_tab(page, "Generate")
    page.fill("#prompt textarea", "Mira went down to the harbour")
    page.click("#write")
    page.wait_for_selector("#told .fine")
    page.screenshot(path=to / "generate.png")
    for name in ("Look inside", "Compare"):
        open_tab(page, name)
        page.screenshot(path=to / f"{name.lower().replace(' ', '-')}.png")

    opened(browser, address, color_scheme="dark").screenshot(path=to / "train-dark.png")
    opened(browser, address, viewport=PHONE, color_scheme="light").screenshot(path=to / "phone.png")
    opened(browser, address, locale="ja-JP", color_scheme="light").screenshot(path=to / "train-ja.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--to", type=Path, default=Path(__file__).parent / "pictures", help="the folder of the pictures"
    )
    parser.add_argument("--seconds", type=float, default=150, help="how long the film may wait for the run's end")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as folder, running_app(Path(folder)) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        take(browser, address, arguments.to, arguments.seconds)
        browser.close()
    for picture in sorted(arguments.to.iterdir()):
        print(f"{picture.name:20} {picture.stat().st_size / 1000:8,.0f} kB")


if __name__ == "__main__":
    main()
