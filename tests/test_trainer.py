"""The loop: it learns, it repeats itself bit for bit, it survives interruption, and it says what went wrong."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import metrics, request, weights, write_text

from lm import batches, checkpoint, prepare, run_dir, trainer
from lm.config import ModelConfig
from lm.errors import ConfigError, CorpusError, RunError, TrainingError
from lm.run_dir import RunDir

ROOT = Path(__file__).parent.parent


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "fox.txt")


def new(text: Path, name: str) -> RunDir:
    return run_dir.create(text.parent / "runs", name)


def stop_at(run: RunDir, step: int):
    """A watcher that asks for a stop once `step` is reached."""
    return lambda record, status: run_dir.request_stop(run) if record["step"] >= step else None


def test_a_model_learns(text: Path) -> None:
    run = new(text, "learns")
    result = trainer.train(run, request(text, steps=120, lr=1e-2, eval_interval=40, model=dict(dropout=0.0)))
    first, *_, last = [r for r in metrics(run) if "val_loss" in r]
    assert first["val_loss"] == pytest.approx(math.log(prepare.load(run).model.vocab_size), abs=0.2)
    assert last["val_loss"] < first["val_loss"] - 1.0 and result["val_loss"] == last["val_loss"]
    assert result["state"] == run_dir.state(run) == "finished" and result["steps"] == 120


@pytest.mark.parametrize("changes", [{}, dict(sampling="epochs", optimizer="muon"), dict(label_smoothing=0.1)])
def test_the_same_seed_gives_the_same_run_bit_for_bit(text: Path, changes: dict) -> None:
    one, two = new(text, "one"), new(text, "two")
    for run in (one, two):
        trainer.train(run, request(text, **changes))
    assert metrics(one) == metrics(two) and weights(one) == weights(two)
    other = new(text, "other")
    trainer.train(other, request(text, seed=7, **changes))
    assert weights(other) != weights(one)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        dict(sampling="epochs", batch_size=8, steps=40, eval_interval=10),
        dict(optimizer="muon", grad_accum_steps=2, model=dict(arch="modern")),
        dict(model=dict(arch="bigram")),
        dict(model=dict(n_experts=4)),
        dict(optimizer="muon", model=dict(arch="modern", n_experts=3, n_experts_per_token=1)),
    ],
)
@pytest.mark.parametrize("at", [1, 7])
def test_stopped_and_resumed_is_never_stopped(text: Path, changes: dict, at: int) -> None:
    whole, broken = new(text, "whole"), new(text, "broken")
    trainer.train(whole, request(text, **changes))
    stopped = trainer.train(broken, request(text, **changes), on_record=stop_at(broken, at))
    assert stopped["state"] == "stopped" and stopped["steps"] == at
    resumed = trainer.train(broken)
    assert resumed["state"] == "finished"
    assert metrics(whole) == metrics(broken) and weights(whole) == weights(broken)
    assert whole.samples.read_bytes() == broken.samples.read_bytes()
    assert weights(whole, "best") == weights(broken, "best")


def test_killed_and_resumed_is_never_killed(text: Path) -> None:
    whole, killed = new(text, "whole"), new(text, "killed")
    command = [sys.executable, "-c", _TRAIN, str(killed.path), str(text)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT / "tests")})
    while run_dir.read_status(killed).step < 70:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert run_dir.state(killed) == "dead"
    reached = metrics(killed)[-1]["step"]
    trainer.train(whole, request(text, steps=reached + 30, **_STEADY))
    trainer.train(killed, changes=dict(steps=reached + 30))
    assert metrics(whole) == metrics(killed) and weights(whole) == weights(killed)


# A rate that does not depend on the length of the run: two lengths then share their beginning.
_STEADY = dict(eval_interval=50, checkpoint_interval=20, schedule="constant", warmup=0.0)
_TRAIN = f"""
import sys
from pathlib import Path
from typing import Any
from runs import request
from lm import trainer
from lm.run_dir import RunDir
trainer.train(RunDir(Path(sys.argv[1])), request(Path(sys.argv[2]), steps=4000, **{_STEADY!r}))
"""


def test_evaluating_more_often_changes_nothing_that_is_learnt(text: Path) -> None:
    rarely, often = new(text, "rarely"), new(text, "often")
    trainer.train(rarely, request(text, eval_interval=12))
    trainer.train(often, request(text, eval_interval=1, eval_windows=0, sample_tokens=20))
    assert weights(rarely) == weights(often)


@pytest.mark.parametrize("n_parts", [2, 8])
def test_accumulated_parts_make_the_same_step_within_rounding(text: Path, n_parts: int) -> None:
    whole, parts = new(text, "whole"), new(text, "parts")
    for run, n in ((whole, 1), (parts, n_parts)):
        trainer.train(run, request(text, batch_size=8, grad_accum_steps=n, model=dict(dropout=0.0)))
    for a, b in zip(metrics(whole)[1:], metrics(parts)[1:], strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-4)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-3)


def test_label_smoothing_never_enters_the_validation_loss(text: Path) -> None:
    run = new(text, "smooth")
    trainer.train(run, request(text, label_smoothing=0.5, eval_windows=0, steps=4, eval_interval=4))
    model, setup = checkpoint.load_model(run.last), prepare.load(run)
    ids = torch.from_numpy(batches.open_tokens(run.val_tokens, setup.model.vocab_size).astype("int64"))
    nats, T = [], setup.model.block_size
    with torch.inference_mode():
        for start in range(0, len(ids) - 1, T):
            window = ids[start : start + T + 1]
            shares = model(window[None, :-1])[0].log_softmax(-1)
            nats += [-float(shares[t, window[t + 1]]) for t in range(len(window) - 1)]
    assert metrics(run)[-1]["val_loss"] == pytest.approx(sum(nats) / len(nats), abs=1e-5)


def test_best_keeps_the_best_weights_and_last_the_last(text: Path) -> None:
    run = new(text, "best")
    over_fitted = dict(steps=300, eval_interval=20, lr=2e-2, sample_tokens=0, model=dict(dropout=0.0, n_embd=32))
    result = trainer.train(run, request(write_text(text, 500), **over_fitted))
    evaluations = [r for r in metrics(run) if "val_loss" in r and r["step"]]
    best = min(evaluations, key=lambda r: r["val_loss"])
    assert result["best_step"] == best["step"] < 300 and result["best_val_loss"] == best["val_loss"]
    assert [r["step"] for r in evaluations if r["is_best"]][-1] == best["step"]
    assert checkpoint.facts(run.best).step == best["step"] and checkpoint.facts(run.last).step == 300


def test_patience_ends_a_run_that_stopped_getting_better(text: Path) -> None:
    run = new(text, "patience")
    result = trainer.train(
        run,
        request(text, steps=500, lr=1e-8, eval_interval=5, patience=3, min_delta=0.5, min_steps=20, sample_tokens=0),
    )
    assert result["state"] == "finished" and result["steps"] == 30  # evaluations at 20, 25 and 30 bring nothing


def test_minutes_end_a_run_and_its_schedule_reaches_the_end(text: Path) -> None:
    run = new(text, "clock")
    result = trainer.train(run, request(text, steps=0, minutes=0.03, eval_interval=0, min_lr_ratio=0.0))
    assert result["state"] == "finished" and 1.8 <= result["elapsed_seconds"] < 4.0
    lrs = [r["lr"] for r in metrics(run)[1:]]
    assert max(lrs) > 9e-4 and lrs[-1] < 5e-5


def test_the_rate_that_is_logged_is_that_of_the_matrices(text: Path) -> None:
    rates = dict(lr=1e-3, embedding_lr=0.1, schedule="constant", warmup=0.0)
    trainer.train(run := new(text, "rates"), request(text, model=dict(tie_weights=False), **rates))
    assert {r["lr"] for r in metrics(run)[1:]} == {1e-3}


def test_epochs_end_a_run_after_every_window_was_seen(text: Path) -> None:
    run = new(text, "epochs")
    result = trainer.train(run, request(text, steps=0, epochs=2, sampling="epochs", batch_size=8, eval_interval=20))
    windows = (prepare.load(run).train_tokens - 1) // 16
    assert result["steps"] == 2 * (windows // 8) and metrics(run)[-1]["epoch"] == pytest.approx(2.0)


def test_a_longer_length_goes_on_from_where_a_finished_run_was(text: Path) -> None:
    run = new(text, "further")
    trainer.train(run, request(text))
    assert trainer.train(run, changes=dict(steps=20))["steps"] == 20
    assert [r["step"] for r in metrics(run)] == list(range(21))


def test_nothing_held_out_trains_without_measuring(text: Path) -> None:
    run = new(text, "blind")
    wanted = request(text)
    result = trainer.train(run, dataclasses.replace(wanted, data=dataclasses.replace(wanted.data, val_fraction=0.0)))
    assert result["state"] == "finished" and result["val_loss"] is None and result["best_step"] is None
    assert checkpoint.find_checkpoint(run.path, run.path.parent) == run.last


def test_a_loss_that_is_not_a_number_ends_as_failed_with_the_cure(text: Path) -> None:
    run = new(text, "nan")
    with pytest.raises(TrainingError, match=r"at step \d+.*--lr"):
        trainer.train(
            run,
            request(
                text, steps=400, lr=10.0, beta2=0.0, grad_clip=0.0, warmup=0.0, eval_interval=3, model=dict(n_layer=8)
            ),
        )
    said = run_dir.read_status(run)
    assert run_dir.state(run) == "failed" and "--lr" in said.error and said.error_kind == "training"
    json.loads(run.metrics.read_text().splitlines()[-1])


def test_a_full_disk_ends_as_failed_and_what_was_saved_stays_whole(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new(text, "full")
    trainer.train(run, request(text), on_record=stop_at(run, 5))
    kept = weights(run)
    write = run_dir.append_record

    def full(path: Path, record: dict) -> None:
        if record["step"] >= 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, record)

    monkeypatch.setattr(run_dir, "append_record", full)
    with pytest.raises(TrainingError, match="disk is full.*lm resume"):
        trainer.train(run)
    monkeypatch.undo()
    assert run_dir.state(run) == "failed" and weights(run) == kept
    assert trainer.train(run)["state"] == "finished"


def test_best_weights_that_a_disk_damaged_are_made_anew(text: Path) -> None:
    run, told = new(text, "rotten"), []
    trainer.train(run, request(text), on_record=stop_at(run, 5))
    path = run.best / checkpoint.WEIGHTS
    path.write_bytes(path.read_bytes()[:-3] + b"rot")
    trainer.train(run, say=told.append)
    assert any("best/model.safetensors is damaged" in line for line in told)
    assert checkpoint.load_model(run.best) and checkpoint.facts(run.best).step > 5


def test_too_little_text_is_refused_with_numbers_and_a_cure(text: Path) -> None:
    run = new(text, "short")
    with pytest.raises(CorpusError, match="block_size=256"):
        trainer.train(run, request(write_text(text, 100), model=dict(block_size=256)))
    assert run_dir.state(run) == "failed"
    assert {path.name for path in run.path.iterdir()} <= {"status.json", "lock", "train.bin", "val.bin"}


def test_a_second_trainer_is_refused(text: Path) -> None:
    run = new(text, "shared")
    with run_dir.owned(run), pytest.raises(RunError, match="another process"):
        trainer.train(run, request(text))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_terminated_trainer_saves_and_ends_as_stopped(text: Path) -> None:
    run = new(text, "terminated")
    command = [sys.executable, "-c", _TRAIN, str(run.path), str(text)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT / "tests")})
    while run_dir.read_status(run).step < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert run_dir.state(run) == "stopped" and checkpoint.facts(run.last).step == run_dir.read_status(run).step


def test_a_stop_asked_for_while_the_trainer_starts_is_heard_and_an_old_one_is_not(text: Path) -> None:
    run = new(text, "early")
    run_dir.request_stop(run)
    assert trainer.train(run, request(text))["steps"] == 1
    run_dir.request_stop(run)
    os.utime(run.stop, (1.0, 1.0))
    assert trainer.train(run)["state"] == "finished"


def test_config_names_no_path_of_this_machine(text: Path) -> None:
    run = new(text, "private")
    trainer.train(run, request(text))
    for path in (run.config, run.metrics, run.samples, run.best / "config.json"):
        assert str(text.parent) not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("arch", ["gpt2", "modern", "bigram"])
def test_every_architecture_trains_to_a_checkpoint_that_loads(text: Path, arch: str) -> None:
    run = new(text, arch)
    trainer.train(run, request(text, model=dict(arch=arch)))
    assert checkpoint.load_model(run.best).config == prepare.load(run).model
    assert isinstance(prepare.load(run).model, ModelConfig)


def test_a_stopped_run_tells_the_loss_of_where_it_stopped(text: Path) -> None:
    run = new(text, "stopped")
    result = trainer.train(run, request(text, eval_interval=100, steps=100, lr=1e-2), on_record=stop_at(run, 30))
    assert result["steps"] == 30 and result["val_loss"] < metrics(run)[0]["val_loss"] - 0.1
    assert [r["step"] for r in metrics(run) if "val_loss" in r] == [0]


# ---------------------------------------------------------------------------------------------- fp16


def in_fp16(text: Path, name: str, **changes: Any) -> RunDir:
    """A prepared run whose arithmetic is that of an older GPU. People get it on CUDA only: here it is slow."""
    run = new(text, name)
    prepare.prepare(run, request(text, **changes))
    run_dir.write_json(run.config, run_dir.read_json(run.config) | dict(precision="fp16"))
    return run


def test_fp16_learns_what_float32_learns(text: Path) -> None:
    changes = dict(steps=60, lr=1e-2, eval_interval=20, sample_tokens=0, model=dict(dropout=0.0))
    exact, half = new(text, "exact"), in_fp16(text, "half", **changes)
    losses = [trainer.train(*arguments)["val_loss"] for arguments in ((exact, request(text, **changes)), (half,))]
    assert losses[1] == pytest.approx(losses[0], abs=0.05) and losses[1] < 2.6
    assert all(r["loss_scale"] > 1 for r in metrics(half)[1:])


def test_fp16_leaves_out_a_step_that_overflows_and_lowers_the_scale(text: Path) -> None:
    run = in_fp16(text, "overflowing", batch_size=64)
    trainer.train(run, on_record=stop_at(run, 1))
    tensors, state = checkpoint.load_resume(run)
    checkpoint.save_resume(run, tensors, state | dict(scaler=state["scaler"] | dict(scale=2.0**40)))
    trainer.train(run)
    scales = [r["loss_scale"] for r in metrics(run)[2:]]
    assert scales[0] == 2.0**39 and scales[-1] < 2.0**31
    assert metrics(run)[2]["grad_norm"] == 0.0 and metrics(run)[2]["loss"] == pytest.approx(
        metrics(run)[3]["loss"], rel=0.1
    )


def test_fp16_leaves_out_the_step_of_every_optimizer_or_of_none(text: Path) -> None:
    ours = trainer.Trainer(run := in_fp16(text, "muon", optimizer="muon", grad_clip=0.0), prepare.load(run))
    before = {name: weight.clone() for name, weight in ours.model.named_parameters()}
    overflowing = ours.model.blocks[0].mlp.up.weight.register_hook(lambda gradient: gradient * math.inf)  # Muon's
    ours._optimize(1.0)
    assert all(torch.equal(weight, before[name]) for name, weight in ours.model.named_parameters())
    overflowing.remove()
    ours._optimize(1.0)
    assert not any(torch.equal(weight, before[name]) for name, weight in ours.model.named_parameters())


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_fp16_stopped_and_resumed_is_never_stopped(text: Path, optimizer: str) -> None:
    whole, broken = (in_fp16(text, name, optimizer=optimizer) for name in ("whole", "broken"))
    trainer.train(whole)
    trainer.train(broken, on_record=stop_at(broken, 7))
    trainer.train(broken)
    assert metrics(whole) == metrics(broken) and weights(whole) == weights(broken)


def test_fp16_is_refused_where_it_would_only_be_slower(text: Path) -> None:
    with pytest.raises(ConfigError, match="precision=fp16 needs an NVIDIA GPU.*use auto or bf16"):
        trainer.train(new(text, "half"), request(text, precision="fp16", device="cpu"))


# ---------------------------------------------------------------------------------------------- late dropout


def ready(text: Path, name: str, **changes) -> trainer.Trainer:
    run = new(text, name)
    return trainer.Trainer(run, prepare.prepare(run, request(text, **changes)))


def test_dropout_that_begins_after_the_end_never_was(text: Path) -> None:
    never, late = ready(text, "never", model=dict(dropout=0.0)), ready(text, "late", dropout_after=1e4)
    assert late.setup.model.dropout
    never.run(), late.run()
    assert metrics(never.directory) == metrics(late.directory) and weights(never.directory) == weights(late.directory)


def test_dropout_begins_when_the_text_has_been_read_so_often_and_grows_over_one_reading(text: Path) -> None:
    ours = ready(text, "late", model=dict(dropout=0.3), dropout_after=2, batch_size=8, steps=2000, eval_interval=2000)
    before, rates = [], []
    while not before or before[-1] < 4:
        before.append(ours.progress.tokens / ours.progress.epoch_tokens)
        ours._optimize(0.1)
        rates.append({ours.model.dropout.p, *(block.attention.dropout for block in ours.model.blocks)})
    for readings, found in zip(before, rates, strict=True):
        assert list(found) == pytest.approx([0.3 * min(1.0, max(0.0, readings - 2))]), readings
    assert min(before) == 0 and any(2 < readings < 3 for readings in before)


def test_late_dropout_is_the_same_for_a_run_that_was_interrupted(text: Path) -> None:
    whole, cut, early, never = (new(text, name) for name in ("whole", "cut", "early", "never"))
    wanted = request(text, dropout_after=0.05, steps=12)
    trainer.train(whole, wanted)
    trainer.train(cut, wanted, on_record=stop_at(cut, 5))
    trainer.train(cut)
    trainer.train(early, request(text, steps=12))
    trainer.train(never, request(text, steps=12, model=dict(dropout=0.0)))
    assert metrics(whole) == metrics(cut) and weights(whole) == weights(cut)
    assert weights(early) != weights(whole) != weights(never)


def test_for_a_compiler_dropout_does_not_wait(text: Path) -> None:
    plain, fused = (ready(text, name, dropout_after=5, compile=name) for name in ("off", "on"))
    assert (plain._dropout(), fused._dropout()) == (0.0, plain.setup.model.dropout)


# ---------------------------------------------------------------------------------------------- short windows


def windows_read(ours: trainer.Trainer, steps: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What the model is given in so many steps, ids and targets of each."""
    read, loss = [], ours.objective
    ours.objective = lambda ids, targets: (read.append((ids, targets)), loss(ids, targets))[1]
    for _ in range(steps):
        ours._optimize(0.1)
    return read


def test_in_their_share_of_the_run_windows_are_read_as_two_of_half_their_length(text: Path) -> None:
    staged, whole = (ready(text, f"first-{share}", short_windows=share, steps=10) for share in (0.4, 0.0))
    halves, full = windows_read(staged, 10), windows_read(whole, 10)
    B, T = full[0][0].shape
    assert [ids.shape for ids, _ in halves] == 4 * [(2 * B, T // 2)] + 6 * [(B, T)]
    for both in zip(halves, full, strict=True):
        for half, same in zip(*both, strict=True):  # ids, targets
            assert half.flatten().tolist() == same.flatten().tolist()


def test_a_context_that_cannot_be_halved_is_read_whole(text: Path) -> None:
    (ids, _), *_ = windows_read(ready(text, "odd", short_windows=1.0, model=dict(block_size=7)), 1)
    assert ids.size(1) == 7


def test_short_windows_are_the_same_for_a_run_that_was_interrupted(text: Path) -> None:
    whole, cut, never = (new(text, name) for name in ("whole", "cut", "never"))
    wanted = request(text, short_windows=0.7, steps=12, grad_accum_steps=2)
    trainer.train(whole, wanted)
    trainer.train(cut, wanted, on_record=stop_at(cut, 5))
    trainer.train(cut)
    trainer.train(never, request(text, steps=12, grad_accum_steps=2))
    assert metrics(whole) == metrics(cut) and weights(whole) == weights(cut) != weights(never)


def test_a_compiler_is_given_windows_of_one_length(text: Path) -> None:
    ids, _ = ready(text, "fused", short_windows=1.0, compile="on")._windows()
    assert ids.size(1) == 16
