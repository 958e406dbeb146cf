"""What is decided before the first step: how a batch is cut so that it fits the memory."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lm import prepare, recipes, run_dir
from lm.config import ModelConfig, TrainConfig
from lm.costs import memory_estimate
from lm.device import _container_bytes, free_bytes
from lm.memory import SHARE, fewest_parts
from tests.runs import request, write_text

MODEL = ModelConfig(vocab_size=65, block_size=64, n_layer=2, n_head=2, n_embd=32)
TRAIN = TrainConfig(batch_size=48, grad_accum_steps=0)


@pytest.mark.parametrize("share", [2.0, 0.5, 0.2, 0.1])
def test_a_batch_is_cut_into_the_fewest_parts_that_fit(share):
    whole = memory_estimate(MODEL, replace(TRAIN, grad_accum_steps=1))
    free = int(share * whole / SHARE)
    parts = fewest_parts(MODEL, TRAIN, free)
    needs = {n: memory_estimate(MODEL, replace(TRAIN, grad_accum_steps=n)) for n in range(1, 49) if 48 % n == 0}
    assert parts == min(n for n, need in needs.items() if need <= share * whole) and (parts == 1) == (share > 1)


def test_where_nothing_fits_one_sequence_is_tried_at_a_time():
    assert fewest_parts(MODEL, TRAIN, 1000) == 48


def test_the_large_recipe_fits_a_free_space():
    recipe = recipes.find("llm0-large")
    model = replace(recipe.model, vocab_size=66)
    parts = fewest_parts(model, recipe.train, 14 << 30)
    needs = [memory_estimate(model, replace(recipe.train, grad_accum_steps=n)) for n in (parts, 1)]
    assert needs[0] < 14 << 30 < needs[1]


def test_the_number_of_parts_is_kept_with_the_run(tmp_path: Path):
    run = run_dir.create(tmp_path, "run")
    setup = prepare.prepare(run, request(write_text(tmp_path / "text.txt"), batch_size=8, grad_accum_steps=0))
    assert setup.train.grad_accum_steps == 0 and setup.grad_accum_steps == 1
    said = run_dir.read_json(run.config)
    run_dir.write_json(run.config, said | dict(grad_accum_steps=4))  # as a smaller machine would have chosen
    assert prepare.load(run).grad_accum_steps == 4


def test_a_container_leaves_what_its_limit_says(tmp_path: Path):
    assert _container_bytes(tmp_path) == [sys.maxsize]
    for name, text in dict(max="1000\n", current="700\n", stat="anon 1\ninactive_file 150\n").items():
        (tmp_path / f"memory.{name}").write_text(text, encoding="ascii")
    assert _container_bytes(tmp_path) == [450]
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert _container_bytes(tmp_path) == [sys.maxsize]
    assert free_bytes(torch.device("cpu")) > 0
