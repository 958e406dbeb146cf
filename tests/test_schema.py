"""A run of every schema version lies in assets/ and must load forever: listed, read, measured, resumed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lm import batches, checkpoint, prepare, run_dir, trainer
from lm.config import SampleConfig
from lm.evaluate import evaluate
from lm.generate import generate
from lm.run_dir import RunDir
from lm.tokenizer import load_tokenizer

ASSETS = Path(__file__).parent.parent / "assets"


@pytest.fixture(params=sorted(path.name for path in ASSETS.glob("run_v*")))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> RunDir:
    """A copy of a frozen run that was stopped at step 30 of 60."""
    return RunDir(Path(shutil.copytree(ASSETS / request.param, tmp_path / request.param)))


def test_the_current_schema_has_its_frozen_run() -> None:
    assert (ASSETS / f"run_v{run_dir.SCHEMA}").is_dir()


def test_it_is_listed_with_its_best(run: RunDir) -> None:
    [shown] = [run_dir.summary(one) for one in run_dir.list_runs(run.path.parent)]
    assert (shown["state"], shown["step"], shown["best_step"]) == ("stopped", 30, 30)
    assert shown["best_val_bits_per_byte"] == pytest.approx(run_dir.best_record(run)["val_loss"] / 0.6931, rel=1e-3)


def test_its_checkpoint_measures_what_was_measured_then(run: RunDir) -> None:
    model, tokenizer = checkpoint.load_model(run.best), load_tokenizer(run.best)
    tokens = batches.open_tokens(run.val_tokens, tokenizer.vocab_size)
    windows = batches.evaluation_windows(len(tokens), model.config.block_size, prepare.load(run).train.eval_windows)
    measured = evaluate(model, tokens, windows, tokenizer.id_sizes(), batch_size=4)
    assert measured.loss == pytest.approx(run_dir.best_record(run)["val_loss"], abs=1e-4)


def test_it_writes(run: RunDir) -> None:
    [sample] = generate(
        checkpoint.load_model(run.best), load_tokenizer(run.path), "The fox", SampleConfig(max_new_tokens=20)
    )
    assert len(sample.completion) == 20


def test_it_goes_on_where_it_was(run: RunDir) -> None:
    result = trainer.train(run)
    assert (result["state"], result["steps"]) == ("finished", 60) and result["val_loss"] < 2.4
    assert [r["step"] for r in run_dir.read_metrics(run.path)[0]] == list(range(61))
