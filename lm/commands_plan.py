"""What texts and settings a command line asks for, and `lm plan`: what they will come to, before a training starts."""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from lm import recipes as recipe_book
from lm import settings_file
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.preflight import Forecast, advice, forecast
from lm.recipes import Recipe
from lm.settings import check
from lm.terminal import say
from lm.texts import locate

Settings = tuple[DataConfig, ModelConfig, TrainConfig]
Asked = tuple[Recipe, DataConfig, ModelConfig, TrainConfig]


def source(name: str) -> Path:
    """A file, or else the sample text of that name."""
    return Path(name) if Path(name).exists() else locate(name)


def asked(arguments: argparse.Namespace, sources: tuple[Path, ...], default: str = "quickstart") -> Asked:
    """The recipe and the settings: a recipe, a file of settings over it, or the dial's choice, then the flags."""
    recipe = recipe_book.find(arguments.recipe or default)
    if arguments.settings:
        recipe = settings_file.read(arguments.settings)
    if arguments.best_in:
        data, model, train = dialled(arguments.best_in, sources, vars(arguments))
        recipe = dataclasses.replace(recipe_book.find("quickstart"), data=data, model=model, train=train)
    return recipe, *recipe_book.override(recipe, vars(arguments))


def dialled(minutes: float, sources: tuple[Path, ...], given: dict[str, Any]) -> Settings:
    """The best settings for this text in `minutes` on this machine; `given` are the flags."""
    from lm import dial, rehearsal

    with tempfile.TemporaryDirectory() as scratch:
        statistics = _corpus(sources, given, Path(scratch)).statistics
    val_fraction = given.get("val_fraction", DataConfig.val_fraction)
    text = dial.Text(statistics.characters, statistics.distinct_characters, val_fraction)
    return dial.best_in(minutes, text, rehearsal.clock(given.get("device", "auto")))


def plan(arguments: argparse.Namespace) -> dict[str, Any]:
    """Rehearse a training: nothing is written."""
    from lm import rehearsal

    sources = tuple(source(name) for name in arguments.data)
    recipe, data, model, train = asked(arguments, sources)
    check(data, model, train)
    with tempfile.TemporaryDirectory() as scratch:
        corpus = _corpus(sources, vars(arguments), Path(scratch))
        measured = rehearsal.rehearse(corpus, data, model, train)
    told = forecast(model, train, measured)
    unwise = advice(data, model, train, corpus.statistics.characters)
    for line in (*words(told), *(f"note: {one}" for one in unwise)):
        say(arguments, line)
    settings = settings_file.record(recipe.name, data, model, train)
    return dict(forecast=dataclasses.asdict(told), advice=[str(one) for one in unwise], settings=settings)


def words(told: Forecast) -> list[str]:
    """The forecast for a person at a terminal."""
    measured = told.rehearsal
    size = f"{measured.parameters:,} parameters, {told.tokens_per_parameter:.2g} training tokens for each"
    memory = f"{measured.memory_bytes / 1e9:.2f} GB of memory of the {measured.free_bytes / 1e9:.1f} GB that are free"
    if told.seconds is None:
        return [size, f"{memory}: a step does not fit; use a smaller batch_size, block_size or model"]
    speed = f"{measured.step_seconds:.3g} s a step on {measured.device} in {measured.precision}"
    length = f"{told.steps:,} steps, about {told.seconds / 60:.1f} minutes ({speed})"
    lines = [size, memory, length, f"the text is read {told.epochs:.2g} times"]
    if told.will_recite:
        lines[-1] += f"; it is small for this model: expect it to recite after {told.recites_at:.0f} readings"
    return lines


def _corpus(sources: tuple[Path, ...], given: dict[str, Any], scratch: Path) -> Any:
    """The `Corpus` of these files, read as the flags say."""
    from lm.corpus import read_corpus

    options = {name: given[name] for name in ("aozora", "column") if name in given}
    return read_corpus(sources, scratch / "text.txt", **options)
