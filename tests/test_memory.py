"""Too little memory: a warning before, the setting that helps afterwards, and honest words for a process that died."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tests.runs import metrics, request, write_text

from lm import memory, prepare, run_dir, trainer
from lm.config import ModelConfig, TrainConfig
from lm.ending import in_the_users_words
from lm.errors import TrainingError
from lm.run_dir import RunDir, Status

ROOT = Path(__file__).parent.parent
MODEL = ModelConfig(vocab_size=65, block_size=64, n_layer=2, n_head=2, n_embd=32)
TRAIN = TrainConfig(batch_size=48)
# Trains a run in a process that may take so many bytes more than it has.
CRAMPED = """
import resource, sys
from pathlib import Path
import psutil
from lm import trainer
from lm.run_dir import RunDir
from tests.runs import request
most = psutil.Process().memory_info().vms + int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_AS, (most, most))
wanted = request(Path(sys.argv[2]), batch_size=64, steps=2, eval_windows=1, sample_tokens=0,
                 model=dict(n_embd=32, block_size=256))
trainer.train(RunDir(Path(sys.argv[1])), wanted)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to its share of the address space")
def test_a_full_memory_ends_as_failed_with_a_setting_that_then_fits(tmp_path: Path) -> None:
    run = run_dir.create(tmp_path, "cramped")
    text = write_text(tmp_path / "fox.txt", 12_000)
    argv = [sys.executable, "-c", CRAMPED, str(run.path), str(text), str(200_000_000)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and re.search("can't allocate memory|could not create a primitive", done.stderr)
    said = run_dir.read_status(run)
    assert (said.state, said.error_kind) == ("failed", "training")
    assert "the memory is full: go on with `lm resume cramped`, where --grad-accum-steps 2" in said.error
    parts = dict(grad_accum_steps=4)
    assert trainer.train(run, changes=parts)["state"] == "finished"
    assert prepare.load(run).grad_accum_steps == 4 and len(metrics(run)) == 3


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17.9 GB)"),
        RuntimeError("could not create a primitive"),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    ],
)
def test_every_way_to_say_that_the_memory_is_full_is_understood(fox: RunDir, error: Exception) -> None:
    assert "--grad-accum-steps 2" in str(in_the_users_words(error, fox))
    assert isinstance(in_the_users_words(error, RunDir(fox.path / "unprepared")), TrainingError)
    assert in_the_users_words(RuntimeError("shapes do not match"), fox).args == ("shapes do not match",)


def test_what_is_proposed_is_the_next_smaller_training() -> None:
    assert "--grad-accum-steps 4 " in memory.smaller(MODEL, TRAIN, 2)
    assert "--grad-accum-steps 48 " in memory.smaller(MODEL, TRAIN, 24)
    assert "--recompute " in memory.smaller(MODEL, TRAIN, 48)
    assert "--block-size 32" in memory.smaller(MODEL, replace(TRAIN, recompute=True), 48)


def test_a_training_that_is_estimated_not_to_fit_is_warned_about_with_a_cure_that_fits() -> None:
    whole = memory.needed_bytes(MODEL, TRAIN, 1)
    assert memory.warning(MODEL, TRAIN, 1, whole) == ""
    said = memory.warning(MODEL, TRAIN, 1, whole - 1)
    parts = int(said.partition("--grad-accum-steps ")[2].split()[0])
    assert memory.needed_bytes(MODEL, TRAIN, parts) <= memory.SHARE * whole
    assert "--recompute " in memory.warning(MODEL, TRAIN, 48, 1000)


def test_the_warning_is_said_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "free_bytes", lambda device: 1_000_000)
    run, told = run_dir.create(tmp_path, "warned"), []
    prepare.prepare(run, request(write_text(tmp_path / "fox.txt"), batch_size=64), told.append)
    assert any("0.0 GB are free: --grad-accum-steps" in line for line in told)
    assert run_dir.read_json(run.config)["memory"]["free_bytes"] == 1_000_000


@pytest.mark.parametrize(
    ("needed", "free_at_last", "is_memory"),
    [(10**8, 10**10, False), (10**8, None, False), (10**8, 10**7, True), (10**11, 10**10, True)],
)
def test_a_dead_process_is_said_to_have_lacked_memory_only_where_that_is_likely(
    fox: RunDir, needed: int, free_at_last: int | None, is_memory: bool
) -> None:
    said = run_dir.read_json(fox.config)
    run_dir.write_json(fox.config, said | dict(memory=dict(needed_bytes=needed, free_bytes=10**10)))
    run_dir.write_status(fox, Status("running", step=5, heartbeat=time.time(), free_bytes=free_at_last))
    words = run_dir.summary(fox)["error"]
    assert run_dir.state(fox) == "dead" and "without a word" in words and "lm resume fox" in words
    assert ("memory" in words) == is_memory
    assert ("--grad-accum-steps 2" in words) == is_memory  # of a batch of 4


def test_a_process_that_died_on_a_full_disk_is_said_to_have_lacked_space(
    fox: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir.write_status(fox, Status("running", step=5, heartbeat=time.time()))
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=4096))
    assert "the disk is full: free some space" in run_dir.last_words(fox)


def test_a_heartbeat_notes_how_much_memory_is_free(fox: RunDir) -> None:
    assert 0 < run_dir.read_status(fox).free_bytes < 10**15
