"""A training that diverges stops with its cure, or goes back to its last good state and takes smaller steps."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from tests.runs import metrics, request, weights, write_text

from lm import checkpoint, prepare, run_dir, trainer
from lm.__main__ import main
from lm.errors import TrainingError
from lm.health import EXPLODED, EXPLODED_STEPS, MOST_ROLLBACKS, Diverged, Health
from lm.run_dir import RunDir

# Three real ways to diverge: a rate that rises until the loss explodes, one that is far too high from the first step on,
# and steps without bounds that end in numbers that are none.
RISING = dict(lr=10.0, warmup=30, steps=60, eval_interval=5, sample_tokens=0)
HIGH = dict(lr=1.0, warmup=0.0, schedule="constant", steps=40, eval_interval=5, sample_tokens=0)
BOUNDLESS = dict(lr=10.0, warmup=0.0, beta2=0.0, grad_clip=0.0, steps=40, sample_tokens=0, model=dict(n_layer=8))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "fox.txt")


def new(text: Path, name: str) -> RunDir:
    return run_dir.create(text.parent / "runs", name)


def test_an_exploding_loss_stops_the_run_names_the_step_and_proposes_a_rate(text: Path) -> None:
    run = new(text, "exploding")
    with pytest.raises(TrainingError, match=r"loss exploded.* at step \d+, .*Train again with --lr 0\.3"):
        trainer.train(run, request(text, **HIGH))
    assert run_dir.state(run) == "failed" and run_dir.read_status(run).error_kind == "training"
    assert all(loss > 2 * math.log(28) for loss in [r["loss"] for r in metrics(run)[-3:]])


def test_every_rate_that_the_run_has_is_proposed_lower(text: Path) -> None:
    rates = dict(optimizer="muon", muon_lr=0.5, embedding_lr=0.2)
    with pytest.raises(TrainingError, match=r"Train again with --lr 0\.3 --muon-lr 0\.2 --embedding-lr 0\.07"):
        trainer.train(new(text, "rates"), request(text, **HIGH, **rates))


def test_rollback_goes_on_from_the_last_good_state_at_half_the_rate(text: Path) -> None:
    run, told = new(text, "back"), []
    result = trainer.train(run, request(text, on_nan="rollback", **RISING), say=told.append)
    assert result["state"] == "finished" and 0 < result["rollbacks"] < MOST_ROLLBACKS
    assert sum("at half the rate" in line for line in told) == result["rollbacks"]
    records = metrics(run)
    assert [r["step"] for r in records] == list(range(61)) and records[-1]["rollbacks"] == result["rollbacks"]
    before, after = next((a, b) for a, b in zip(records[1:], records[2:]) if a["rollbacks"] < b["rollbacks"])
    rise = after["step"] / before["step"]  # of the warm-up
    assert after["lr"] == pytest.approx(rise * before["lr"] / 2 ** (after["rollbacks"] - before["rollbacks"]))
    assert checkpoint.facts(run.best).step == run_dir.best_record(run)["step"] == result["best_step"]


def test_rolled_back_interrupted_and_resumed_is_never_interrupted(text: Path) -> None:
    whole, broken = new(text, "whole"), new(text, "broken")
    wanted = request(text, on_nan="rollback", **RISING)
    trainer.train(whole, wanted)

    def cut_the_power(record: dict, status: run_dir.Status) -> None:
        if record["step"] == 18 and record["rollbacks"] == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        trainer.train(broken, wanted, on_record=cut_the_power)
    assert trainer.train(broken)["state"] == "finished"
    assert metrics(whole) == metrics(broken) and weights(whole) == weights(broken)


def test_a_stop_while_the_loss_rises_keeps_the_good_state_of_before(text: Path) -> None:
    whole, broken = new(text, "whole"), new(text, "broken")
    wanted = request(text, on_nan="rollback", **RISING)
    trainer.train(whole, wanted)

    def stop(record: dict, status: run_dir.Status) -> None:
        if record["step"] == 8 and record.get("rollbacks"):
            run_dir.request_stop(broken)

    assert trainer.train(broken, wanted, on_record=stop)["state"] == "stopped"
    assert checkpoint.facts(broken.last).step == 5
    assert trainer.train(broken)["state"] == "finished"
    assert metrics(whole) == metrics(broken) and weights(whole) == weights(broken)


def test_a_training_that_no_rate_saves_ends_after_a_bounded_number_of_rollbacks(text: Path) -> None:
    run, told = new(text, "hopeless"), []
    with pytest.raises(TrainingError, match=f"after {MOST_ROLLBACKS} rollbacks.*--lr 0.05"):
        trainer.train(run, request(text, on_nan="rollback", **BOUNDLESS), say=told.append)
    assert sum("at half the rate" in line for line in told) == MOST_ROLLBACKS


def test_a_run_that_diverged_goes_on_when_it_may_go_back(text: Path, capsys: pytest.CaptureFixture) -> None:
    run = new(text, "failed")
    gentle = request(text, lr=1e-2, schedule="constant", warmup=0.0, steps=10, eval_interval=5, sample_tokens=0)
    trainer.train(run, gentle)
    said = run_dir.read_json(run.config)
    run_dir.write_json(
        run.config, said | dict(train=said["train"] | dict(lr=2.0))
    )  # as if it had been so from the start
    where = ["resume", "failed", "--runs-dir", str(run.path.parent), "--steps", "60"]
    assert main(where) == 2
    assert "of step 10, is kept" in (words := capsys.readouterr().err) and "--on-nan rollback" in words
    assert main([*where, "--on-nan", "rollback"]) == 0
    assert metrics(run)[-1]["step"] == 60 and metrics(run)[-1]["rollbacks"] > 0


@pytest.mark.parametrize("interval", [1, 1000])
def test_no_number_that_is_none_is_ever_saved(text: Path, interval: int) -> None:
    run = new(text, "infinite")
    with pytest.raises(TrainingError):
        trainer.train(run, request(text, checkpoint_interval=1, log_interval=interval, **BOUNDLESS))
    for path in (run.last / checkpoint.WEIGHTS, run.resume / checkpoint.STATE):
        assert all(math.isfinite(array.sum(dtype="float64")) for array in load_file(path).values())
    assert 0 < checkpoint.facts(run.last).step < 40


def test_one_spike_is_no_fault_and_a_row_of_them_is() -> None:
    health, high = Health(100), EXPLODED * math.log(100) + 1
    for _ in range(3):
        for _ in range(EXPLODED_STEPS - 1):
            health.check(high, 1.0)
            assert not health.is_good
        health.check(2.0, 1.0)
        assert health.is_good
    with pytest.raises(Diverged, match="exploded"):
        for _ in range(EXPLODED_STEPS):
            health.check(high, 1.0)


def test_a_rate_that_learns_never_looks_ill(text: Path) -> None:
    run = new(text, "healthy")
    trainer.train(run, request(text, lr=1e-2, muon_lr=0.05, optimizer="muon", warmup=0.0, steps=40))
    limit = EXPLODED * math.log(prepare.load(run).model.vocab_size)
    assert max(r["loss"] for r in metrics(run)[1:]) < 0.6 * limit
