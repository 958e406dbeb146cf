"""Draws the PNG icons from `icon.svg` with Chromium: `python assets/draw_icons.py`. The seal keeps clear of the edges."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

SIZES = (192, 512)
HERE = Path(__file__).parent
# The corners are filled, so that a launcher can cut them as it likes.
PAGE = "<style>*{{margin:0}}body{{background:#bd3520;width:{size}px;height:{size}px}}svg{{display:block}}</style>{svg}"

if __name__ == "__main__":
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for size in SIZES:
            page = browser.new_page(viewport=dict(width=size, height=size))
            page.set_content(PAGE.format(size=size, svg=(HERE / "icon.svg").read_text(encoding="utf-8")))
            page.screenshot(path=HERE / f"icon-{size}.png")
