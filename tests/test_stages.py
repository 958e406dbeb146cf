"""The embeddings as they grow: kept at every evaluation, thinned out alike by every way to the same end, never torn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from runs import request, write_text
from safetensors.numpy import load_file

from lm import lens, run_dir, stages, trainer
from lm.checkpoint import load_model
from lm.errors import CheckpointError
from lm.run_dir import RunDir


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five stages at most, so that a short run has to thin them out."""
    monkeypatch.setattr(stages, "MOST_STAGES", 5)


def trained(folder: Path, name: str, **train) -> RunDir:
    run = run_dir.create(folder / "runs", name)
    trainer.train(run, request(write_text(folder / "fox.txt"), **dict(steps=14, eval_interval=1) | train))
    return run


def content(run: RunDir) -> dict[str, dict[str, bytes]]:
    """Every file's tensors, bit for bit; the keys of a header stand in any order."""
    files = {path.name: load_file(path) for path in run.embeddings.iterdir()}
    return {name: {key: array.tobytes() for key, array in held.items()} for name, held in files.items()}


def test_a_stage_holds_the_rows_of_the_frequent_tokens_at_its_step(tmp_path: Path) -> None:
    run = trained(tmp_path, "fox", eval_interval=7)
    found = stages.read(run)
    assert [stage.step for stage in found] == [0, 7, 14]
    assert found[0].rows == pytest.approx(lens.first_embedding(run)[found[0].ids], abs=1e-3)
    assert found[-1].rows == pytest.approx(lens.embedding(load_model(run.last))[found[-1].ids], abs=1e-3)
    assert not np.array_equal(found[0].rows, found[-1].rows)


def test_the_most_frequent_come_first_and_what_never_occurs_is_left_out() -> None:
    ids = stages.frequent(np.array([3, 1, 3, 0, 3, 1], dtype=np.uint16), 6)
    assert ids.tolist() == [3, 1, 0]


@pytest.mark.parametrize("evaluations", [1, 5, 6, 10, 11, 41, 1000])
def test_few_are_kept_however_many_there_were_and_the_first_is_among_them(
    few: None, tmp_path: Path, evaluations: int
) -> None:
    run = RunDir(tmp_path)
    keeper, model = stages.Keeper(run, np.array([0, 1, 1]), 2), torch.nn.Module()
    model.config = type("Config", (), dict(arch="gpt2"))
    model.token_embedding = torch.nn.Embedding(2, 4)
    for step in range(evaluations):
        keeper.keep(model, 10 * step)
    steps = [stage.step for stage in stages.read(run)]
    assert steps[0] == 0 and min(3, evaluations) <= len(steps) <= 5
    assert len({after - before for before, after in zip(steps, steps[1:])}) <= 1  # evenly spaced


@pytest.mark.parametrize("at", [3, 6, 9, 12])
def test_stopped_and_resumed_ends_with_the_files_of_a_run_that_never_stopped(
    few: None, tmp_path: Path, at: int
) -> None:
    whole = trained(tmp_path, "whole")
    run = run_dir.create(tmp_path / "runs", "stopped")

    def stop(record: dict, status: run_dir.Status) -> None:
        if record["step"] == at:
            run_dir.request_stop(run)

    asked = request(tmp_path / "fox.txt", steps=14, eval_interval=1)
    trainer.train(run, asked, on_record=stop)
    trainer.train(run)
    assert content(run) == content(whole)


def test_what_a_killed_trainer_wrote_too_much_is_written_again(few: None, tmp_path: Path) -> None:
    whole = trained(tmp_path, "whole", steps=10)
    run = run_dir.create(tmp_path / "runs", "killed")
    asked = request(tmp_path / "fox.txt", steps=10, eval_interval=1, checkpoint_interval=4)

    class Killed(BaseException):
        pass

    def kill(record: dict, status: run_dir.Status) -> None:
        if record["step"] == 7:  # saved at 4, thinned out since
            raise Killed

    with pytest.raises(Killed):
        trainer.train(run, asked, on_record=kill)
    (run.embeddings / ".000007-7.safetensors.1.tmp").write_bytes(b"half")
    trainer.train(run)
    assert content(run) == content(whole)


def test_a_damaged_stage_is_told_and_a_run_without_any_has_none(tmp_path: Path) -> None:
    run = trained(tmp_path, "fox", steps=2)
    assert stages.read(RunDir(tmp_path)) == []
    path = next(run.embeddings.iterdir())
    path.write_bytes(path.read_bytes()[:-4] + b"xxxx")
    with pytest.raises(CheckpointError, match="damaged"):
        stages.read(run)
