"""Settings: one declaration makes the flag, the widget and the check, and they agree."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import gradio as gr
import pytest

from lm import recipes
from lm.__main__ import build_parser
from lm.config import DataConfig, ModelConfig, SampleConfig, TrainConfig
from lm.errors import ConfigError
from lm.settings import settings
from playground import choosing, settings_form, text
from playground.app import build_app
from playground.tabs import generate
from playground.workspace import Workspace
from playground.workspaces import Workspaces

CONFIGS = (DataConfig, ModelConfig, TrainConfig, SampleConfig)
ALL = [(config, f) for config in CONFIGS for f in settings(config)]
IDS = [f"{config.__name__}.{f.name}" for config, f in ALL]


@pytest.fixture(scope="module")
def widgets(tmp_path_factory: pytest.TempPathFactory) -> list[gr.components.Component]:
    """Every component of the whole page."""
    folder = tmp_path_factory.mktemp("app")
    return list(build_app(Workspaces(Workspace(folder / "workspace", folder / "runs"))).blocks.values())


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    space = Workspace(tmp_path / "workspace", tmp_path / "runs")
    space.add_text("All the words of a small text. " * 40)
    return space


def test_there_is_exactly_one_widget_for_each_setting(widgets: list[gr.components.Component]) -> None:
    on_the_page = sorted(w.elem_id for w in widgets if str(getattr(w, "elem_id", "")).startswith("set-"))
    assert on_the_page == sorted(settings_form.element_id(config, f.name) for config, f in ALL)


@pytest.mark.parametrize(("config", "f"), ALL, ids=IDS)
def test_a_widget_says_what_its_field_says(config: type, f: dataclasses.Field) -> None:
    widget = settings_form.widget(config, f)
    assert widget.value == f.default
    assert (widget.label.key, widget.info.key) == (
        f"{config.__name__}.{f.name}.label",
        f"{config.__name__}.{f.name}.help",
    )
    if f.metadata["choices"]:
        assert tuple(value for _, value in widget.choices) == f.metadata["choices"]
    if isinstance(widget, gr.Slider):
        assert f.metadata["low"] <= widget.minimum < widget.maximum <= f.metadata["high"]


@pytest.mark.parametrize(
    ("config", "f"), [(c, f) for c, f in ALL if f.metadata["symbol"]], ids=lambda v: getattr(v, "name", "")
)
def test_a_symbol_of_the_chapters_stands_at_its_label(config: type, f: dataclasses.Field) -> None:
    css = settings_form.symbols_css(ALL)
    assert f'#{settings_form.element_id(config, f.name)} [data-testid="block-info"]::after {{ content: "{f.metadata["symbol"]}"' in css  # fmt: skip # noqa: E501


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_a_recipe_survives_its_way_through_the_widgets(name: str) -> None:
    recipe = recipes.RECIPES[name]
    bases = [DataConfig(), ModelConfig(), TrainConfig()]
    through = settings_form.gather(choosing.FIELDS, choosing.recipe_values(name), bases, "en")
    read = {f: getattr(recipe.data, f) for f in settings_form.READING}
    assert [dataclasses.replace(through[0], **read), *through[1:]] == [recipe.data, recipe.model, recipe.train]


def test_what_is_set_on_the_page_is_what_the_command_line_reads(space: Workspace) -> None:
    [corpus] = space.names()
    wanted = dict(n_layer=7, lr=0.5, bias=False, sample_prompt="--so", minutes=0.0, steps=30, tokenizer="bpe")
    values = [
        wanted.get(f.name, value) for (_, f), value in zip(choosing.FIELDS, choosing.recipe_values("llm0"), strict=True)
    ]
    argv = choosing.argv(space, corpus, "llm0", "en", tuple(values))
    parsed = build_parser().parse_args(["train", *argv])
    read = recipes.override(recipes.RECIPES["llm0"], vars(parsed))
    assert {name: value for config in read for name, value in vars(config).items() if name in wanted} == wanted


@pytest.mark.parametrize(
    ("name", "value", "cure"), [("n_layer", 0, "use 1 or more"), ("n_embd", 130, "use a multiple of 4")]
)
def test_a_value_that_cannot_be_is_told_as_it_is_typed(space: Workspace, name: str, value: int, cure: str) -> None:
    values = [
        value if f.name == name else v
        for (_, f), v in zip(choosing.FIELDS, choosing.recipe_values("llm0"), strict=True)
    ]
    shown = choosing.command(space, space.names()[0], "llm0", "", "en", *values)
    assert f"{name}={value}" in shown and cure in shown and 'role="alert"' in shown


@pytest.mark.parametrize("language", ["en", "ja"])
def test_an_emptied_setting_is_named(language: str) -> None:
    values = [None if f.name == "top_k" else f.default for _, f in generate.FIELDS]
    with pytest.raises(ConfigError, match="Top-k.*40"):
        settings_form.gather(generate.FIELDS, values, [SampleConfig()], language)


def test_a_whole_number_that_came_as_a_float_is_whole_again() -> None:
    values = [float(f.default) if isinstance(f.default, int) else f.default for _, f in generate.FIELDS]
    [config] = settings_form.gather(generate.FIELDS, values, [SampleConfig()], "en")
    assert config == SampleConfig() and isinstance(config.top_k, int)


@pytest.mark.parametrize(("config", "f"), ALL, ids=IDS)
def test_the_help_of_a_setting_ends_with_its_default(config: type, f: dataclasses.Field) -> None:
    english, japanese = (text.say(text.setting_key(config, f.name, "help"), language) for language in ("en", "ja"))
    if f.default == "":
        assert "Default" not in english and "既定値" not in japanese
    elif isinstance(f.default, bool):
        assert english.endswith(f" Default: {'on' if f.default else 'off'}.") and "既定値" in japanese
    else:
        assert english.endswith(f". Default: {f.default}.") and japanese.endswith(
            f"既定値:{text.NO_BREAK}{f.default}。"
        )


@pytest.mark.parametrize("language", ["en", "ja"])
def test_each_fault_stands_at_the_setting_it_is_about(space: Workspace, language: str) -> None:
    [corpus] = space.names()

    def marked(**changes: object) -> dict[str, str]:
        values = [
            changes.get(f.name, value) for (_, f), value in zip(choosing.FIELDS, choosing.recipe_values("quickstart"))
        ]
        shown = choosing.command(space, corpus, "quickstart", "", language, *values)
        return dict(re.findall(r'<i hidden data-wrong="([^"]+)">(.*?)</i>', shown))

    assert marked() == {}
    wrong = marked(block_size=10**6, lr=-1.0)
    assert list(wrong) == ["set-ModelConfig-block_size", "set-TrainConfig-lr"] and "65536" in wrong[list(wrong)[0]]
    assert ("below" in wrong["set-TrainConfig-lr"]) == (language == "en")
    assert list(marked(n_embd=130)) == ["set-ModelConfig-n_embd"]  # it begins with that name
    assert list(marked(lr=None)) == ["set-TrainConfig-lr"]  # told by its label
