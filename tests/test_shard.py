"""A model in pieces trains as a whole one, is saved whole, and goes on in pieces or whole."""

from __future__ import annotations

import pytest

from lm import checkpoint
from lm.__main__ import main
from lm.config import TrainConfig
from lm.settings import problems
from tests.test_team import alone, assert_same_curve, command, lead, text  # noqa: F401 - alone and text are fixtures

PIECES = ("--processes", "2", "--shard", "--recompute", "--grad-accum-steps", "2")


def test_a_sharded_model_draws_the_loss_curve_of_a_whole_one_and_is_saved_whole(text, tmp_path, alone):  # noqa: F811
    assert lead(command(text, tmp_path, "pair", "--steps", "5", *PIECES, "--sample-tokens", "4")) == 0
    assert checkpoint.load_model(tmp_path / "pair" / "last").config.n_layer == 1
    resume = ["resume", "pair", "--runs-dir", str(tmp_path)]
    assert main([*resume, "--steps", "10", "--processes", "2"]) == 0
    assert main([*resume, "--steps", "12"]) == 0  # one process, nothing to shard
    assert_same_curve(alone, tmp_path / "pair")
    assert checkpoint.facts(tmp_path / "pair" / "best").step == 12


@pytest.mark.parametrize(("changes", "cure"), [(dict(optimizer="muon"), "adamw"), (dict(compile="on"), "compile=auto")])
def test_what_cannot_be_sharded_is_refused_with_a_cure(changes, cure):
    [fault] = problems(TrainConfig(shard=True, **changes))
    assert cure in fault
