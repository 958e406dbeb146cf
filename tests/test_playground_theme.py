"""Paper and ink can be read, and nothing of it comes from outside."""

from __future__ import annotations

import re
from pathlib import Path

import gradio
import pytest
from fontTools.ttLib import TTFont

from playground import theme
from playground.plots import plotly_bundle

GROUNDS = ("paper", "panel", "wash")
TEXTS = ("ink", "soft", "blue", "red", "gold", "green")
STYLE = theme.asset("style.css").read_text(encoding="utf-8")


def luminance(colour: str) -> float:
    """Relative luminance after WCAG 2.2."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXTS)
def test_text_stands_out_from_every_ground(text: str, ground: str, side: int) -> None:
    assert contrast(theme.PALETTE[text][side], theme.PALETTE[ground][side]) >= 4.5


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), [("on-blue", "blue"), ("ink", "blue-soft")])
def test_text_on_a_button_and_on_a_token_stands_out(text: str, ground: str, side: int) -> None:
    assert contrast(theme.PALETTE[text][side], theme.PALETTE[ground][side]) >= 4.5


def test_every_custom_property_is_defined() -> None:
    gradios = {"font", "range_progress"}
    defined = set(theme.PALETTE) | set(re.findall(r"--([\w-]+):", STYLE)) | gradios
    assert set(re.findall(r"var\(--([\w-]+)", STYLE)) <= defined


def test_colours_stand_in_the_palette_alone() -> None:
    assert re.findall(r"#[0-9a-f]{3,8}\b(?=[ ;,)])", STYLE) == []


def test_no_list_stands_in_a_has() -> None:
    """Gradio puts its own prefix before each selector of a list: within `:has(a, b)` the second then matches nothing."""
    assert re.findall(r":has\((?:[^()]|\([^()]*\))*?,[^()]*\)", STYLE) == []


@pytest.mark.parametrize(
    "name",
    [
        "style.css",
        "chart.js",
        "chart_table.js",
        "chart_panels.js",
        "timeline.js",
        "note.js",
        "kept.js",
        "first_minute.js",
        "frame.js",
        "keys.js",
        "over_reload.js",
        "reload.js",
        "still.js",
        "again.js",
        "choosing.js",
        "sw.js",
        "offline.html",
    ],
)
def test_nothing_is_fetched_from_outside(name: str) -> None:
    assert not re.search(r"https?://|@import|url\(", theme.asset(name).read_text(encoding="utf-8"))


def test_every_font_of_the_theme_lies_in_gradio() -> None:
    css = theme.theme()._get_theme_css()
    assert css.count("@font-face") == 4
    assert "http" not in css.replace("http://www.w3.org/2000/svg", "")


def test_every_font_of_the_theme_has_the_letters_of_english() -> None:
    """Gradio's semi-bold weights have 99 characters, none of them a c: headings were drawn in two typefaces at once."""
    files = re.findall(r"url\('(static/fonts/[^']+)'\)", theme.theme()._get_theme_css())
    frontend = Path(gradio.__file__).parent / "templates" / "frontend"
    for file in files:
        has = TTFont(frontend / file).getBestCmap()
        assert [c for c in map(chr, range(0x20, 0x7F)) if ord(c) not in has] == [], file


def test_the_chart_is_drawn_by_the_installed_plotly() -> None:
    assert plotly_bundle().stat().st_size > 1_000_000
