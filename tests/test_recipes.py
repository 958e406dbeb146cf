"""The named settings: each is possible, honest about its source, and as large as it says."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lm import recipes, run_dir, texts, trainer
from lm.__main__ import main
from lm.costs import count_parameters
from lm.evaluate import pair_entropy
from lm.recipes import DURATIONS, RECIPES
from lm.settings import problems
from tests.runs import metrics, request, write_text

ALL = [*RECIPES.values(), recipes.FINE_TUNE]
every_recipe = pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
ON_A_CPU_IN_MINUTES = {"quickstart", "chapter19", "verdict", "bigram", "gpt-mini", "nanogpt-cpu", "fine-tune"}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "text.txt")


@every_recipe
def test_a_recipe_has_no_fault_and_a_text_that_exists(recipe):
    assert not problems(recipe.data, recipe.model, recipe.train)
    assert recipe.text in {*texts.SHIPPED, *texts.CLASSICS}
    assert recipe.duration in DURATIONS


@every_recipe
def test_a_recipe_with_published_numbers_says_where_ours_differ(recipe):
    assert not (recipe.published or recipe.curve) or recipe.differs
    assert all(what and math.isfinite(number) for what, number in recipe.published)
    assert list(recipe.curve) == sorted(recipe.curve)


@every_recipe
def test_what_takes_hours_cuts_its_batches_to_fit_the_memory(recipe):
    is_quick = recipe.name in ON_A_CPU_IN_MINUTES
    assert is_quick == (recipe.duration in ("seconds", "minutes"))
    assert is_quick or recipe.train.grad_accum_steps == 0


@pytest.mark.parametrize(
    ("name", "vocab_size", "parameters"),
    [
        ("gpt-mini", 1000, 0.94e6),
        ("gpt2-small", 50257, 124_439_808),
        ("verdict", 50257, 162e6),
        ("nanogpt-cpu", 65, 0.81e6),
        ("llm0", 66, 3.2e6),
    ],
)
def test_a_recipe_is_as_large_as_it_says(name, vocab_size, parameters):
    counted = count_parameters(replace(recipes.find(name).model, vocab_size=vocab_size))
    assert counted == pytest.approx(parameters, rel=0.02)


def test_a_published_curve_is_what_the_table_of_its_source_says():
    chapter, book = RECIPES["chapter19"], RECIPES["verdict"]
    assert (chapter.curve[0][1:], chapter.curve[-1][1:]) == ((10.847, 10.852), (2.798, 3.145))
    numbers = dict(book.published)
    assert book.curve[0] == (0, numbers["train loss before training"], numbers["validation loss before training"])
    step, train_loss, val_loss = book.curve[-1]
    assert numbers["train loss at the end, least"] <= train_loss <= numbers["train loss at the end, most"]
    assert val_loss == pytest.approx(numbers["validation loss at the end, most"], abs=0.01)
    best = min(book.curve, key=lambda point: point[2])
    assert 40 < best[0] < 60 and best[2] == pytest.approx(numbers["best validation loss, near step 50"], abs=0.02)


def test_recipes_are_listed_with_published_numbers(capsys):
    assert main(["recipes"]) == 0
    listed = capsys.readouterr().out
    assert set(RECIPES) <= set(listed.split())
    assert "published: 1.88  validation loss after 2,000 steps" in listed and "takes days" in listed


def test_the_floor_of_a_bigram_is_the_entropy_of_what_follows():
    assert pair_entropy(np.array([0, 1, 0, 1, 0, 1], dtype=np.uint16), 3) == pytest.approx(0.0)
    tokens = np.array([0, 0, 1, 0, 2, 0, 0, 1, 0, 2, 0], dtype=np.uint16)  # after 0: 0, 1 and 2 alike; after others: 0
    assert pair_entropy(tokens, 3) == pytest.approx(0.6 * math.log(3))


def test_a_bigram_reaches_its_floor_on_the_training_text_and_never_passes_it(text, tmp_path):
    run = run_dir.create(tmp_path, "bigram")
    settings = dict(steps=300, batch_size=64, lr=0.1, eval_interval=300, eval_windows=0, sample_tokens=0)
    asked = request(text, model=dict(arch="bigram", block_size=8), weight_decay=0.0, **settings)
    trainer.train(run, replace(asked, data=replace(asked.data, val_fraction=0.5)))
    floor = run_dir.read_json(run.config)["bigram_floor"]
    assert floor - 0.01 < metrics(run)[-1]["train_loss"] < floor + 0.03


def test_smoothed_labels_show_the_objective_beside_the_true_loss(text, tmp_path):
    run, plain = run_dir.create(tmp_path, "smooth"), run_dir.create(tmp_path, "plain")
    trainer.train(run, request(text, label_smoothing=0.1))
    trainer.train(plain, request(text))
    last = metrics(run)[-1]
    assert last["val_smoothed_loss"] > last["val_loss"]
    assert not any("val_smoothed_loss" in record for record in metrics(plain))


def test_samples_are_written_after_each_epoch_where_asked(text, tmp_path):
    run = run_dir.create(tmp_path, "run")
    trainer.train(run, request(text, steps=0, epochs=3, sampling="epochs", batch_size=40, sample_at="epochs"))
    samples, _ = run_dir.read_records(run.samples)
    per_epoch = 3600 // 16 // 40  # windows that fill whole batches
    assert [sample["step"] for sample in samples] == [per_epoch, 2 * per_epoch, 3 * per_epoch]
