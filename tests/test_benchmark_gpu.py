"""The GPU's benchmark where there is none: what it counts, how it races, and that it says so."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gpu  # benchmarks/
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lm import prepare, run_dir
from lm.config import ModelConfig, TrainConfig
from lm.costs import flops_per_token, memory_estimate
from lm.model import GPT

ROOT = Path(__file__).parent.parent
SAYS_TWO_LOSSES = """
import time
for step, loss in ((0, 4.2), (250, 1.9)):
    print(f"step {step}: train loss 1.0, val loss {loss}", flush=True)
time.sleep(SECONDS)
"""


@pytest.mark.parametrize("changes", [{}, dict(arch="modern", n_kv_head=2), dict(tie_weights=False)])
def test_the_operations_of_a_step_are_those_that_pytorch_counts(changes: dict) -> None:
    model = GPT(ModelConfig(vocab_size=37, block_size=24, n_layer=3, n_head=4, n_embd=32, **changes))
    ids = torch.randint(37, (2, 24), generator=torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # as products that can be counted
        model(ids).sum().backward()
    assert counter.get_total_flops() == flops_per_token(model.config) * ids.numel()


@pytest.mark.skipif(torch.cuda.is_available(), reason="an NVIDIA GPU is here")
def test_without_a_gpu_it_says_so_in_one_sentence() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--nanogpt", "nowhere"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr == gpu.NO_GPU + "\n"


def test_a_race_ends_when_the_loss_is_there(tmp_path: Path) -> None:
    told = race(tmp_path, seconds=60, goal=2.0)
    assert told["reached 2.0"] and told["best loss"] == 1.9 and told["at step"] == 250 and told["seconds"] < 30


def test_a_race_that_never_gets_there_tells_how_near_it_came(tmp_path: Path) -> None:
    told = race(tmp_path, seconds=0, goal=1.5)
    assert told["reached 1.5"] is False and told["best loss"] == 1.9


def test_a_race_that_tells_nothing_ends_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="told no loss:\nno such data"):
        gpu.race(["-c", "print('no such data')"], tmp_path, tmp_path, tmp_path / "said.txt", gpu.THEIR_LOSSES, 1.0)


def test_as_many_sequences_are_trained_as_fit_twice() -> None:
    model = replace(gpu.WHOLE.model, vocab_size=50_257)
    rows = [gpu.fitting_rows(model, gigabytes << 30) for gigabytes in (1, 15, 80, 1000)]
    assert rows[0] == 1 < rows[1] < rows[2] < rows[3] == gpu.MOST_ROWS
    assert 2 * memory_estimate(model, TrainConfig(batch_size=rows[2])) < 80 << 30


def test_the_losses_are_found_where_a_training_writes_them(shared_fox) -> None:
    records, _ = run_dir.read_metrics(shared_fox.path)
    evaluated = [(r["step"], r["val_loss"]) for r in records if "val_loss" in r]
    found = gpu.OUR_LOSSES.findall(shared_fox.metrics.read_text(encoding="utf-8"))
    assert [(int(step), float(loss)) for step, loss in found] == evaluated


def test_its_text_has_the_vocabulary_that_was_asked_for(tmp_path: Path) -> None:
    text = gpu.random_text(tmp_path / "text.txt", 300)
    run = run_dir.create(tmp_path, "benchmark")
    setup = prepare.prepare(run, gpu.request(text, gpu.SMALL.model, 4, torch.device("cpu")))
    assert setup.model.vocab_size == 301 and setup.grad_accum_steps == 1


def race(folder: Path, seconds: float, goal: float) -> dict:
    command = ["-c", SAYS_TWO_LOSSES.replace("SECONDS", str(seconds))]
    return gpu.race(command, folder, folder, folder / "said.txt", gpu.THEIR_LOSSES, goal)
