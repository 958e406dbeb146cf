"""Paper and ink: the palette, the type and the way Gradio's own widgets wear them.

Four colours carry meaning, the same in every chart, chip and underline: blue is what is being learnt, red what is
measured on unseen text, gold what deserves attention, green what is alive. `assets/style.css` lays the page out and
reads the palette from here as custom properties (`--paper`, `--blue`, …).

The typefaces (IBM Plex Sans and Mono; SIL Open Font License) come with Gradio: nothing is fetched. Of each only the
regular and the bold have letters: the other weights there, and Lora whole, are cut down to Cyrillic and Vietnamese.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import gradio as gr

# name: (light, dark). Text colours keep a contrast of 4.5:1 on every ground they stand on; a test holds it.
PALETTE = {
    "paper": ("#faf8f3", "#151517"),
    "panel": ("#ffffff", "#1d1d21"),
    "wash": ("#f3efe6", "#26262b"),
    "line": ("#e6e1d6", "#303036"),
    "edge": ("#8f897c", "#77736b"),
    "ink": ("#1d1b18", "#ebe8e1"),
    "soft": ("#645f55", "#a8a398"),
    "blue": ("#2b4acb", "#93a7ff"),
    "blue-soft": ("#c3cdf6", "#3b4577"),
    "on-blue": ("#ffffff", "#10121c"),
    "red": ("#bd3520", "#ff8066"),
    "gold": ("#8a5a00", "#f0b429"),
    "green": ("#1f7a4d", "#5fc793"),
    # Runs beside one another; none of them is a colour with a meaning.
    "run-1": ("#4b3fb5", "#a79bff"),
    "run-2": ("#0f7a83", "#5cc8d1"),
    "run-3": ("#9b2d76", "#f08cc6"),
    "run-4": ("#5f7016", "#b9cc5c"),
    "run-5": ("#8a4b1f", "#e0a070"),
    "run-6": ("#4d5a6b", "#aebccd"),
}
FONT_WEIGHTS = (400, 700)  # 600 in the style sheet finds 700: the next heavier one
JAPANESE_SANS = ("Hiragino Sans", "Yu Gothic UI", "Noto Sans JP", "Noto Sans CJK JP")


def theme() -> gr.themes.Base:
    """Gradio's widgets in paper and ink. Every colour is a custom property, so light and dark need no second list."""
    fallbacks = [gr.themes.Font(name) for name in (*JAPANESE_SANS, "system-ui", "sans-serif")]
    sans = gr.themes.LocalFont("IBM Plex Sans", weights=FONT_WEIGHTS)
    mono = gr.themes.LocalFont("IBM Plex Mono", weights=FONT_WEIGHTS)
    base = gr.themes.Base(
        font=[sans, *fallbacks],
        font_mono=[mono, gr.themes.Font("ui-monospace"), *fallbacks],
        text_size=gr.themes.sizes.text_sm,
        spacing_size=gr.themes.sizes.spacing_md,
        radius_size=gr.themes.sizes.radius_md,
    )
    base.custom_css = palette_css()  # travels with the theme, so that the login page has it too
    return base.set(**_surfaces(), **_inputs(), **_buttons())


def asset(name: str) -> Path:
    """A file of `assets/`: of the checkout this file lies in, or of the installed package."""
    path = Path(__file__).resolve().parent.parent / "assets" / name
    return path if path.exists() else Path(str(importlib.resources.files("lm_playground_assets") / name))


def palette_css() -> str:
    """The palette as custom properties, for light and for dark."""
    sides = [" ".join(f"--{name}: {pair[side]};" for name, pair in PALETTE.items()) for side in (0, 1)]
    return f":root {{ {sides[0]} color-scheme: light; }}\n.dark, :root.dark {{ {sides[1]} color-scheme: dark; }}\n"


def _both(**values: str) -> dict[str, str]:
    """The same value for light and dark: `var(--ink)` already differs between them."""
    return values | {f"{name}_dark": value for name, value in values.items()}


def _surfaces() -> dict[str, str]:
    return _both(
        body_background_fill="var(--paper)",
        body_text_color="var(--ink)",
        body_text_color_subdued="var(--soft)",
        background_fill_primary="var(--panel)",
        background_fill_secondary="var(--wash)",
        block_background_fill="var(--panel)",
        block_border_color="var(--line)",
        block_info_text_color="var(--soft)",
        block_label_background_fill="var(--panel)",
        block_label_text_color="var(--soft)",
        block_title_text_color="var(--ink)",
        border_color_primary="var(--line)",
        border_color_accent="var(--blue)",
        color_accent_soft="var(--blue-soft)",
        panel_background_fill="var(--panel)",
        link_text_color="var(--blue)",
        link_text_color_hover="var(--blue)",
        link_text_color_active="var(--blue)",
        link_text_color_visited="var(--blue)",
        error_background_fill="var(--panel)",
        error_border_color="var(--red)",
        error_text_color="var(--red)",
        error_icon_color="var(--red)",
        loader_color="var(--blue)",
        block_shadow="none",
    ) | dict(color_accent="var(--blue)", block_radius="8px", block_border_width="0px", block_padding="0px")


def _inputs() -> dict[str, str]:
    return _both(
        input_background_fill="var(--paper)",
        input_background_fill_focus="var(--paper)",
        input_background_fill_hover="var(--paper)",
        input_border_color="var(--line)",
        input_border_color_focus="var(--blue)",
        input_border_color_hover="var(--edge)",
        input_placeholder_color="var(--soft)",
        input_shadow_focus="none",
        checkbox_background_color="var(--paper)",
        checkbox_background_color_selected="var(--blue)",
        checkbox_border_color="var(--edge)",
        checkbox_border_color_focus="var(--blue)",
        checkbox_border_color_selected="var(--blue)",
        checkbox_label_background_fill="var(--paper)",
        checkbox_label_background_fill_hover="var(--wash)",
        checkbox_label_background_fill_selected="var(--wash)",
        checkbox_label_border_color="var(--line)",
        checkbox_label_text_color="var(--ink)",
        slider_color="var(--blue)",
    ) | dict(input_shadow="none", input_radius="8px", input_border_width="1px", checkbox_label_shadow="none")


def _buttons() -> dict[str, str]:
    return _both(
        button_primary_background_fill="var(--blue)",
        button_primary_background_fill_hover="var(--blue)",
        button_primary_text_color="var(--on-blue)",
        button_primary_text_color_hover="var(--on-blue)",
        button_primary_border_color="var(--blue)",
        button_secondary_background_fill="var(--panel)",
        button_secondary_background_fill_hover="var(--wash)",
        button_secondary_text_color="var(--ink)",
        button_secondary_text_color_hover="var(--ink)",
        button_secondary_border_color="var(--line)",
        button_secondary_border_color_hover="var(--edge)",
    ) | dict(button_large_radius="8px", button_small_radius="8px", button_large_text_weight="600",
             button_border_width="1px")  # fmt: skip
