"""Before a run: forecasts that come true, advice that is earned, and settings that travel as a file."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest
from runs import write_text

from lm import commands_plan, preflight, prepare, recipes, rehearsal, run_dir, settings_file
from lm.__main__ import build_parser, main
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.corpus import read_corpus
from lm.errors import ConfigError
from lm.preflight import Rehearsal, advice, forecast
from lm.tokenizer import load_tokenizer

MODEL = ModelConfig(block_size=100, n_layer=1, n_head=1, n_embd=16)
MEASURED = Rehearsal(1_000_000, 10**8, 10**10, 90_000, 10_000, 60, 0.1)
SMALL = ["--n-layer", "1", "--n-head", "1", "--n-embd", "16", "--block-size", "16", "--batch-size", "4"]


def steps(**settings: float) -> TrainConfig:
    return TrainConfig(batch_size=10, eval_windows=1, **dict(steps=0) | settings)


@pytest.mark.parametrize(
    ("train", "count"),
    [
        (steps(steps=500), 500),
        (steps(epochs=2), 180),  # 1,000 tokens a step, 90,000 in the text
        (steps(minutes=1, steps=10_000), 599),
        (steps(minutes=60, steps=50, epochs=1), 50),
    ],
)
def test_a_run_ends_by_whatever_ends_it_first(train: TrainConfig, count: int) -> None:
    assert forecast(MODEL, train, MEASURED).steps == pytest.approx(count, abs=2)


def test_a_run_against_the_clock_takes_its_minutes() -> None:
    told = forecast(MODEL, steps(minutes=2), MEASURED)
    assert told.seconds == pytest.approx(120, rel=0.02) and told.epochs == pytest.approx(told.steps / 90)


def test_evaluations_cost_their_time() -> None:
    rarely, often = (forecast(MODEL, steps(steps=100, eval_interval=n), MEASURED) for n in (100, 1))
    assert often.seconds > rarely.seconds > 10.0


def test_a_step_that_does_not_fit_has_no_duration() -> None:
    told = forecast(MODEL, steps(steps=10), replace(MEASURED, step_seconds=0.0))
    assert told.seconds is None and told.steps == 10


def test_the_published_runs_recite_where_they_did() -> None:
    """The Verdict's best step is its 50th of 9 an epoch; nanoGPT's on characters comes near its 30th reading."""
    verdict = forecast(MODEL, steps(epochs=10), replace(MEASURED, parameters=162_000_000, train_tokens=4_600))
    nanogpt = forecast(MODEL, steps(steps=1), replace(MEASURED, parameters=10_700_000, train_tokens=1_003_854))
    assert verdict.will_recite and verdict.recites_at == pytest.approx(5.5, rel=0.1)
    assert nanogpt.recites_at == pytest.approx(33, rel=0.1) and nanogpt.reading == "part"


def test_muon_without_dropout_recites_after_fewer_readings() -> None:
    """As measured: the quick start on the shipped tales is best after seven of twelve or sixteen."""
    muon, size = replace(steps(steps=1), optimizer="muon"), dict(parameters=803_328, train_tokens=193_000)
    told = forecast(MODEL, muon, replace(MEASURED, **size)).recites_at
    assert told == pytest.approx(7, rel=0.1)
    assert forecast(replace(MODEL, dropout=0.2), muon, replace(MEASURED, **size)).recites_at > 4 * told


def test_the_forecast_of_a_real_run_comes_true(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Within a factor of ten, and half a minute that a busy machine may add: it says minutes, not hours."""
    text = write_text(tmp_path / "fox.txt")
    argv = ["--data", str(text), *SMALL, "--steps", "300", "--minutes", "0", "--sample-tokens", "0", "--json"]
    assert main(["plan", *argv]) == 0
    planned = json.loads(capsys.readouterr().out)["forecast"]
    assert main(["train", *argv, "--runs-dir", str(tmp_path / "runs")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert planned["rehearsal"]["parameters"] == result["parameters"]
    assert planned["steps"] == result["steps"] == 300
    assert planned["seconds"] / 10 < result["elapsed_seconds"] < 10 * planned["seconds"] + 30


def test_planning_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = write_text(tmp_path / "fox.txt")
    assert main(["plan", "--data", str(text), *SMALL]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["fox.txt"]


def test_the_tokens_that_are_counted_are_those_that_training_gets(tmp_path: Path) -> None:
    corpus = read_corpus([write_text(tmp_path / "fox.txt")], tmp_path / "clean.txt")
    assert rehearsal.count_tokens(corpus, DataConfig()) == (
        3600,
        400,
        len(corpus.alphabet) + 1,
    )  # and one for what it lacks


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (dict(steps=70), "bpe"),
        (dict(steps=4000), "char"),
        (dict(epochs=15.0, steps=0), "bpe"),
        (dict(epochs=15.1, steps=0), "char"),
        (dict(minutes=0.001, steps=0), "bpe"),
        (dict(minutes=600.0, steps=0), "char"),
        (dict(minutes=600.0, steps=70), "bpe"),
        (dict(minutes=0.001, steps=4000), "bpe"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_what_auto_comes_to_is_planned_as_it_is_trained(tmp_path: Path, length: dict, expected: str) -> None:
    """250,000 characters are 112,500 pairs; 4,000 steps of 512 tokens read them eighteen times, 70 not once."""
    text = write_text(tmp_path / "fox.txt", 250_000)
    corpus = read_corpus([text], tmp_path / "clean.txt")
    data, model = DataConfig(tokenizer="auto", vocab_size=512), replace(MODEL, block_size=32)
    train = TrainConfig(**dict(batch_size=16) | length)
    planned = rehearsal.rehearse(corpus, data, model, train)
    run = run_dir.create(tmp_path / "runs", "fox")
    prepared = prepare.prepare(run, prepare.Request((text,), "mine", data, model, train))
    assert load_tokenizer(run.tokenizer).name == expected
    assert planned.vocab_size == prepared.model.vocab_size
    assert planned.train_tokens == pytest.approx(prepared.train_tokens, rel=0.01)


def test_a_long_text_is_counted_by_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = read_corpus([write_text(tmp_path / "fox.txt", 40_000)], tmp_path / "clean.txt")
    exact = rehearsal.count_tokens(corpus, DataConfig(tokenizer="bpe", vocab_size=300))
    monkeypatch.setattr(rehearsal, "COUNTED_CHARACTERS", 5_000)
    monkeypatch.setattr(rehearsal, "PIECE_CHARACTERS", 5_000)
    assert rehearsal.count_tokens(corpus, DataConfig(tokenizer="bpe", vocab_size=300)) == pytest.approx(exact, rel=0.05)


# ---------------------------------------------------------------------------------------------- advice

GOOD = dict(tokenizer="char"), dict(n_embd=256, n_head=4), dict(steps=5000)
UNWISE = {
    "lr_high": ({}, {}, dict(lr=0.05)),
    "lr_low": ({}, {}, dict(lr=1e-6)),
    "muon_lr_high": ({}, {}, dict(optimizer="muon", muon_lr=0.5)),
    "dropout_half": ({}, dict(dropout=0.6), {}),
    "dropout_unread": ({}, dict(dropout=0.2), dict(steps=50)),
    "block_size_long": ({}, dict(block_size=65_536), {}),
    "vocab_size_large": (dict(tokenizer="bpe", vocab_size=60_000), {}, {}),
    "vocabulary_published": (dict(tokenizer="gpt2"), {}, {}),
    "text_short": ({}, dict(block_size=1_000_000), {}),
    "nothing_held_out": (dict(val_fraction=0.0), {}, {}),
    "head_size": ({}, dict(n_head=128), {}),
    "warmup_long": ({}, {}, dict(warmup=6000.0)),
    "eval_rare": ({}, {}, dict(eval_interval=9000)),
    "no_class": ({}, dict(n_experts=8), {}),
    "batch_whole": ({}, {}, dict(batch_size=8192)),
}


def advised(data: dict, model: dict, train: dict, characters: int = 1_000_000) -> dict[str, preflight.Advice]:
    found = advice(
        DataConfig(**GOOD[0] | data), ModelConfig(**GOOD[1] | model), TrainConfig(**GOOD[2] | train), characters
    )
    return {one.rule: one for one in found}


def test_every_rule_has_its_case() -> None:
    assert set(UNWISE) == set(preflight.RULES)


@pytest.mark.parametrize("rule", UNWISE)
def test_what_is_unwise_is_said_and_what_is_not_is_not(rule: str) -> None:
    said = str(advised(*UNWISE[rule])[rule])
    assert said and "{" not in said
    assert advised({}, {}, {}) == {}


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_no_rate_of_a_published_recipe_is_called_unwise(name: str) -> None:
    recipe = recipes.RECIPES[name]
    rules = {one.rule for one in advice(recipe.data, recipe.model, recipe.train, 1_100_000)}
    assert not rules & {"lr_high", "lr_low", "muon_lr_high", "dropout_half", "head_size", "warmup_long", "eval_rare"}


def test_of_a_text_of_three_characters_it_is_said_that_it_is_too_short_and_not_that_nothing_was_held_out() -> None:
    said = advised({}, {}, {}, characters=3)
    assert "use a longer text" in str(said["text_short"]) and "nothing_held_out" not in said


def test_dropout_that_waits_until_a_text_is_read_again_keeps_nobody_from_reading_it_once() -> None:
    assert advised({}, dict(dropout=0.2), dict(steps=50, dropout_after=2.0)) == {}


def test_the_quick_start_needs_no_advice() -> None:
    recipe = recipes.RECIPES["quickstart"]
    assert advice(recipe.data, recipe.model, recipe.train, 213_000) == []


# ---------------------------------------------------------------------------------------------- files of settings


def parsed(*argv: str) -> argparse.Namespace:
    return build_parser().parse_args(["train", "--data", "tales", *argv])


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_a_file_of_settings_makes_the_same_run(name: str, tmp_path: Path) -> None:
    recipe = replace(recipes.RECIPES[name], train=replace(recipes.RECIPES[name].train, seed=7))
    path = tmp_path / "settings.json"
    run_dir.write_json(path, settings_file.record(name, recipe.data, recipe.model, recipe.train))
    read, data, model, train = commands_plan.asked(parsed("--settings", str(path)), ())
    assert (read.name, data, model, train) == (name, recipe.data, recipe.model, recipe.train)


def test_a_runs_own_config_is_a_file_of_settings(shared_fox) -> None:
    _, data, model, train = commands_plan.asked(parsed("--settings", str(shared_fox.config)), ())
    said = run_dir.read_json(shared_fox.config)
    assert (model.n_embd, train.steps, data.tokenizer) == (said["model"]["n_embd"], said["train"]["steps"], "char")
    assert model.vocab_size == 0  # the text's


def test_flags_go_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    run_dir.write_json(path, dict(model=dict(n_layer=3)))
    _, _, model, train = commands_plan.asked(parsed("--settings", str(path), "--n-head", "8", "--steps", "9"), ())
    assert (model.n_layer, model.n_head, train.steps, train.minutes) == (3, 8, 9, 0)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{", "not JSON"),
        ("[]", "holds no settings"),
        ('{"schema": 1}', "holds no settings"),
        ('{"model": {"n_layer": "four"}}', "n_layer='four' is not a whole number"),
        ('{"model": {}, "recipe": "nobody"}', "unknown"),
        ('{"train": {"steps": 0, "minutes": 0}}', "would never end"),
        ('{"model": [1]}', "holds no settings"),
        ('{"model": {}, "train": 3}', "train=3 is not a group"),
    ],
)
def test_a_file_that_makes_no_run_says_why(said: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(said, encoding="utf-8")
    with pytest.raises(ConfigError, match=why):
        settings_file.read(path)
    with pytest.raises(ConfigError, match="cannot read"):
        settings_file.read(tmp_path / "missing.json")


def test_a_device_is_told_with_bf16_only_where_that_pays() -> None:
    import torch

    from lm.device import choose_precision, describe, in_words

    cpu = torch.device("cpu")
    assert in_words(cpu) in (describe(cpu), f"{describe(cpu)} · bf16")
    assert in_words(cpu).endswith("bf16") or choose_precision("auto", cpu, 1024, 384) == "float32"
