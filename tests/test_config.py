"""Settings: declared once, checked all at once, the same after a trip through JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from lm.config import DataConfig, ModelConfig, SampleConfig, TrainConfig
from lm.errors import ConfigError
from lm.recipes import RECIPES, find, flags, override
from lm.settings import check, from_dict, problems, settings, to_dict

CONFIGS = (DataConfig, ModelConfig, TrainConfig, SampleConfig)


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_defaults_have_no_fault(kind: type) -> None:
    assert problems(kind()) == []


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_setting_says_what_it_is(kind: type) -> None:
    for f in settings(kind):
        assert f.metadata["help"].endswith(".") and f.metadata["label"] and f.metadata["group"], f.name
        if isinstance(f.default, (int, float)) and not isinstance(f.default, bool):
            assert f.metadata["low"] <= f.default <= f.metadata["high"], f.name


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_configuration_survives_json(kind: type) -> None:
    assert from_dict(kind, json.loads(json.dumps(to_dict(kind())))) == kind()


def test_unknown_keys_are_ignored_and_missing_ones_defaulted() -> None:
    assert from_dict(ModelConfig, {"n_layer": 7, "from_the_future": 1}) == ModelConfig(n_layer=7)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        check(ModelConfig(n_embd=130), TrainConfig(lr=-1.0, batch_size=0, schedule="zigzag"))
    for words in ("n_embd=130", "lr=-1.0", "batch_size=0", "schedule='zigzag'"):
        assert words in str(caught.value)


def test_an_indivisible_width_comes_with_a_cure_that_works() -> None:
    with pytest.raises(ConfigError, match="n_embd=130 is not divisible by n_head=4.*128") as caught:
        check(ModelConfig(n_embd=130))
    assert "multiple of 4" in str(caught.value)
    assert problems(ModelConfig(n_embd=128)) == []


@pytest.mark.parametrize(
    "fault",
    [
        ModelConfig(arch="modern", n_embd=12, n_head=4),  # odd heads cannot turn in pairs
        ModelConfig(arch="modern", n_head=4, n_kv_head=3),
        ModelConfig(arch="gpt2", n_kv_head=2),
        ModelConfig(arch="gpt2", logit_softcap=15.0),
        ModelConfig(dropout=float("nan")),
        ModelConfig(n_layer=True),
        ModelConfig(n_layer="4"),
        TrainConfig(steps=0),
        TrainConfig(batch_size=10, grad_accum_steps=4),  # 0 would be left to the memory
        TrainConfig(stride=8),
        TrainConfig(sample_prompt="half of a \ud83e"),
        SampleConfig(temperature=-0.1),
        DataConfig(tokenizer="word"),
    ],
)
def test_what_cannot_work_is_refused(fault: object) -> None:
    assert len(problems(fault)) == 1


def test_a_configuration_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().n_layer = 3  # type: ignore[misc]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_free_of_faults(name: str) -> None:
    recipe = RECIPES[name]
    assert problems(recipe.data, recipe.model, recipe.train) == []


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="quickstart"):
        find("slowstart")


def test_a_given_length_replaces_the_recipes_own() -> None:
    recipe = RECIPES["llm0"]
    assert recipe.train.steps > 0
    _, _, train = override(recipe, {"minutes": 1.0})
    assert (train.steps, train.minutes) == (0, 1.0)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(
    "changes", [{}, {"minutes": 0.5}, {"steps": 7, "minutes": 0.5}, {"n_layer": 3, "bias": False, "lr": 2e-3}]
)
def test_flags_lead_back_to_the_settings_they_were_made_from(name: str, changes: dict) -> None:
    from lm.__main__ import build_parser

    wanted = override(RECIPES[name], changes)
    words = flags(RECIPES[name], *wanted)
    arguments = build_parser().parse_args(["train", "--data", "x.txt", *words])
    assert override(find(arguments.recipe), vars(arguments)) == wanted


def test_a_bound_is_told_as_it_can_be_typed() -> None:
    [fault] = problems(SampleConfig(seed=2**40))
    assert fault.endswith(f"use {2**31 - 1} or less")
