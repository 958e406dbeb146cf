"""What can only be seen on an NVIDIA GPU: `LM_TEST_GPU=1 pytest tests/test_gpu.py tests/test_graph.py`.

Written where there was none, so at the first run a fault may be the test's.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from runs import metrics, request, write_text
from torch.nn.attention import SDPBackend, sdpa_kernel

from lm import prepare, run_dir, trainer
from lm.compiled import objective
from lm.config import ModelConfig
from lm.model import GPT
from lm.run_dir import RunDir
from lm.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
SETTINGS = dict(device="cuda", precision="auto", sample_tokens=20)
MODEL = dict(block_size=64, n_embd=128)  # two heads of 64
compiled_or_not = pytest.mark.parametrize("compile", ["off", "auto"])


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "fox.txt")


def new(text: Path, name: str) -> RunDir:
    return run_dir.create(text.parent / "runs", name)


@compiled_or_not
@pytest.mark.parametrize("changes", [{}, dict(optimizer="muon", grad_accum_steps=2)], ids=["adamw", "muon"])
def test_a_step_never_waits_for_the_gpu(text: Path, compile: str, changes: dict) -> None:
    wanted = request(text, compile=compile, model=MODEL, **SETTINGS | changes)
    run, told = new(text, "steps"), []
    ours = Trainer(run, prepare.prepare(run, wanted), say=told.append)
    ours._optimize(1.0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        ours._optimize(1.0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert not any("torch.compile" in line for line in told)


@compiled_or_not
def test_a_run_learns_stopped_and_resumed_too(text: Path, compile: str) -> None:
    run = new(text, "learns")
    wanted = request(text, compile=compile, steps=60, lr=1e-2, eval_interval=20, model=MODEL, **SETTINGS)
    stop = lambda record, status: record["step"] == 30 and run_dir.request_stop(run)  # noqa: E731
    assert trainer.train(run, wanted, on_record=stop)["steps"] == 31  # one is on its way when it is asked for
    assert trainer.train(run)["steps"] == 60
    records = metrics(run)
    assert [record["step"] for record in records] == list(range(61))
    assert records[0]["val_loss"] == pytest.approx(math.log(prepare.load(run).model.vocab_size), abs=0.2)
    assert records[-1]["val_loss"] < records[0]["val_loss"] - 0.5


@pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0), reason="flash attention needs Ampere"
)
@pytest.mark.parametrize("changes", [{}, dict(dropout=0.2), dict(arch="modern"), dict(arch="modern", n_kv_head=1)])
def test_training_attends_by_flash_attention(changes: dict) -> None:
    device = torch.device("cuda")
    model = GPT(ModelConfig(vocab_size=50, n_layer=1, n_head=2, **MODEL | changes)).to(device)
    ids = torch.randint(50, (2, 64), device=device)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):  # raises where that kernel cannot be had
        objective(model, device, "bf16", 0.0)(ids, ids).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_a_gpu_scores_as_a_processor_does() -> None:
    model = GPT(ModelConfig(vocab_size=50, n_layer=2, n_head=2, **MODEL), torch.Generator().manual_seed(0))
    ids = torch.randint(50, (2, 64), generator=torch.Generator().manual_seed(1))
    expected, near = model(ids), dict(atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(model.cuda()(ids.cuda()).cpu(), expected, **near)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        half = model(ids.cuda()).float().cpu()  # over a vocabulary that is filled up
    torch.testing.assert_close(half, expected, atol=0.05, rtol=0.05)
