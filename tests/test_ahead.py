"""Python gives a GPU the next step before it asks what the last one came to; what is told is the same.

A step that waits asks for a number, which PyTorch calls `_local_scalar_dense` on every device: that is counted here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from runs import metrics, request, weights, write_text
from torch.utils._python_dispatch import TorchDispatchMode

from lm import prepare, progress, run_dir, trainer
from lm.config import TrainConfig
from lm.run_dir import RunDir
from lm.trainer import Trainer


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "fox.txt")


def made(text: Path, name: str, *, runs_ahead: bool, on_record: Any = lambda record, status: None, **train) -> Trainer:
    run = run_dir.create(text.parent / "runs", name)
    found = Trainer(run, prepare.prepare(run, request(text, **train)), on_record)
    found.runs_ahead = runs_ahead  # as on a GPU
    return found


class Waits(TorchDispatchMode):
    """Counts how often Python asks for a number, for which it would have to wait for a GPU."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("changes", [{}, dict(optimizer="muon", model=dict(arch="modern"), grad_accum_steps=2)])
def test_a_step_waits_for_nothing(text: Path, changes: dict) -> None:
    ours = made(text, "waits", runs_ahead=True, **changes)
    ours._optimize(1.0)
    with Waits() as waits:
        ours._optimize(1.0)
    assert waits.count == 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        dict(log_interval=3),
        dict(eval_interval=5, checkpoint_interval=2),
        dict(sampling="epochs", sample_at="epochs", batch_size=8, steps=40),
        dict(lr=10.0, schedule="constant", warmup=0.0, grad_clip=0.0, on_nan="rollback", steps=40, eval_interval=8),
    ],
)
def test_what_is_told_a_step_later_is_what_is_told_at_once(text: Path, changes: dict) -> None:
    late = made(text, "late", runs_ahead=True, **changes)
    told_late = late.run()
    soon = made(text, "soon", runs_ahead=False, **changes)
    told_soon = soon.run()
    assert metrics(late.directory) == metrics(soon.directory) and weights(late.directory) == weights(soon.directory)
    assert told_late["rollbacks"] == told_soon["rollbacks"] >= ("on_nan" in changes)


def test_a_step_is_told_when_the_next_one_is_on_its_way(text: Path) -> None:
    ahead: list[int] = []
    look = lambda record, status: ahead.append(status.step - record["step"])  # noqa: E731
    made(text, "late", runs_ahead=True, on_record=look, steps=9, eval_interval=4).run()
    assert ahead == [0, 1, 1, 1, 0, 1, 1, 1, 0, 0]  # at an evaluation and at the end nothing is ahead


def test_stopped_in_the_midst_every_step_that_was_taken_is_told(text: Path) -> None:
    stop = lambda record, status: record["step"] == 6 and run_dir.request_stop(run)  # noqa: E731
    stopped = made(text, "stopped", runs_ahead=True, on_record=stop, eval_interval=20)
    run: RunDir = stopped.directory
    result = stopped.run()
    assert result["state"] == "stopped" and result["steps"] == 7
    assert [record["step"] for record in metrics(run)] == list(range(8))
    assert trainer.train(run)["steps"] == 12
    assert [record["step"] for record in metrics(run)] == list(range(13))


def test_the_speed_is_that_of_all_steps_however_many_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    run = progress.Progress(TrainConfig(), step_tokens=50, epoch_tokens=1000)
    for told in (1, 2, 12, 13):
        now[0] += 0.1 * (told - run.step)
        with run.otherwise_busy():
            now[0] += 7.0
        while run.step < told:
            run.count_step()
        run.measure_speed(run.tokens)
        assert run.tokens_per_second == pytest.approx(500.0)
