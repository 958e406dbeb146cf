"""What no class of `transformers` can hold is said before it is trained, with what to choose instead."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from runs import request, write_text

from lm import prepare, run_dir
from lm.classes import class_of, cures, export_note
from lm.config import ModelConfig
from lm.settings import problems

FITTING = [
    dict(arch="gpt2"), dict(arch="modern", logit_softcap=15.0), dict(arch="bigram"), dict(arch="bigram", n_experts=4),
    dict(arch="modern", n_experts=4),
]  # fmt: skip
LONELY = [dict(arch="gpt2", n_experts=4), dict(arch="modern", n_experts=4, logit_softcap=15.0)]


@pytest.mark.parametrize("changes", FITTING)
def test_transformers_has_the_class_that_is_named(changes: dict) -> None:
    transformers = pytest.importorskip("transformers")
    config = ModelConfig(**changes)
    assert hasattr(transformers, class_of(config)) and not export_note(config) and not cures(config)


@pytest.mark.parametrize("changes", LONELY)
def test_each_cure_alone_makes_a_class_fit(changes: dict) -> None:
    config = ModelConfig(**changes)
    assert not class_of(config)
    for cure in cures(config):
        name, value = cure.split("=")
        kind = type(getattr(config, name))
        cured = dataclasses.replace(config, **{name: kind(value)})
        assert class_of(cured) and not problems(cured) and cure in export_note(config)


@pytest.mark.parametrize(("changes", "is_said"), [(LONELY[0], True), (FITTING[-1], False)])
def test_it_is_said_before_the_first_step(tmp_path: Path, changes: dict, is_said: bool) -> None:
    said: list[str] = []
    run = run_dir.create(tmp_path / "runs", "fox")
    prepare.prepare(run, request(write_text(tmp_path / "fox.txt"), model=changes), said.append)
    assert bool(re.search("can be neither exported nor shared.*arch=modern", "\n".join(said))) == is_said
