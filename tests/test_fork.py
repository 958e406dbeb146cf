"""A branch of a run differs from it in what was asked for, and in nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import metrics, weights

from lm import run_dir, trainer
from lm.__main__ import main
from lm.errors import ConfigError, RunError
from lm.fork import fork
from lm.run_dir import RunDir


@pytest.fixture
def branch(fox: RunDir) -> RunDir:
    """An empty run beside `fox`."""
    return run_dir.create(fox.path.parent, "branch")


def test_a_branch_begins_where_its_parent_stood(fox: RunDir, branch: RunDir) -> None:
    fork(branch, fox, "last", dict(lr=1e-5))
    trainer.train(branch)
    first, last = metrics(branch)[0], metrics(fox)[-1]
    assert first["val_loss"] == pytest.approx(last["val_loss"], abs=1e-6)
    said = run_dir.read_json(branch.config)
    assert said["forked_from"] == dict(run="fox", checkpoint="last", step=12) and said["train"]["lr"] == 1e-5


def test_with_fresh_weights_and_nothing_changed_a_branch_is_its_parent_again(fox: RunDir, branch: RunDir) -> None:
    fork(branch, fox, "none")
    trainer.train(branch)
    assert metrics(branch) == metrics(fox)
    assert weights(branch) == weights(fox)


def test_a_branch_outlives_its_parent(fox: RunDir, branch: RunDir) -> None:
    fork(branch, fox, "best")
    for file in sorted(fox.path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    assert trainer.train(branch)["state"] == "finished"


def test_a_given_length_replaces_the_parents(fox: RunDir, branch: RunDir) -> None:
    setup = fork(branch, fox, "none", dict(epochs=2.0))
    assert (setup.train.steps, setup.train.minutes, setup.train.epochs) == (0, 0, 2.0)


def test_a_branch_of_a_prolonged_run_has_one_length(fox: RunDir, branch: RunDir) -> None:
    trainer.train(fox, changes=dict(steps=14))
    assert fork(branch, fox, "last").train.steps == 14
    assert "lengths" not in run_dir.read_json(branch.config), "its model card would tell of a training that never was"


def test_another_network_needs_fresh_weights(fox: RunDir, branch: RunDir) -> None:
    with pytest.raises(ConfigError, match="n_layer=3 does not fit the weights"):
        fork(branch, fox, "best", dict(n_layer=3))
    assert fork(branch, fox, "none", dict(n_layer=3)).model.n_layer == 3


def test_the_vocabulary_stays(fox: RunDir, branch: RunDir) -> None:
    with pytest.raises(ConfigError, match="keeps its parent's tokenizer"):
        fork(branch, fox, "none", dict(vocab_size=300))


def test_a_run_without_its_tokens_says_what_to_do_instead(fox: RunDir, branch: RunDir) -> None:
    fox.train_tokens.unlink()
    with pytest.raises(RunError, match="--init-from fox"):
        fork(branch, fox)


def test_the_command_makes_a_branch_and_names_it(fox: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    runs_dir = str(fox.path.parent)
    assert main(["fork", "fox", "--runs-dir", runs_dir, "--steps", "2", "--seed", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run_dir"].endswith("fox-fork")
    assert run_dir.read_json(Path(runs_dir) / "fox-fork" / "config.json")["seed"] == 5


def test_a_branch_that_cannot_be_leaves_nothing_behind(fox: RunDir, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fork", "fox", "--runs-dir", str(fox.path.parent), "--n-layer", "3"]) == 2
    assert "does not fit" in capsys.readouterr().err
    assert [run.name for run in run_dir.list_runs(fox.path.parent)] == ["fox"]
