"""A compiled model trains as the model does, keeps its names, and is done without where there is no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from tests.runs import metrics, request, weights, write_text

from lm import checkpoint, prepare, run_dir, trainer
from lm.compiled import is_wanted, objective
from lm.config import ModelConfig
from lm.model import GPT
from lm.recompute import recompute

ROOT = Path(__file__).parent.parent
BIGRAM = dict(arch="bigram")  # of all networks the quickest to compile
TRAIN = f"""
import sys
from functools import partial
from pathlib import Path
from lm import trainer
from lm.run_dir import RunDir
from tests.runs import request
trainer.train(RunDir(Path(sys.argv[1])), request(Path(sys.argv[2]), compile="on", model={BIGRAM!r}), say=print)
"""


@pytest.mark.skipif(not shutil.which("g++"), reason="no compiler on this machine")
def test_a_compiled_model_trains_as_the_model_does_under_the_same_names(tmp_path: Path) -> None:
    text, told = write_text(tmp_path / "fox.txt"), []
    plain, fused = (run_dir.create(tmp_path / "runs", name) for name in ("plain", "fused"))
    for run, compile in ((plain, "off"), (fused, "on")):
        stop = lambda record, status, run=run: record["step"] == 6 and run_dir.request_stop(run)  # noqa: E731
        wanted = request(text, model=BIGRAM, compile=compile)
        trainer.train(run, wanted, say=told.append, on_record=stop)
        assert trainer.train(run)["steps"] == 12
    assert not any("torch.compile" in line for line in told)
    for a, b in zip(metrics(plain), metrics(fused), strict=True):
        assert a.keys() == b.keys() and all(b[key] == pytest.approx(a[key], rel=1e-3, abs=1e-4) for key in a)
    assert weights(plain).keys() == weights(fused).keys() and checkpoint.load_model(fused.best)


def test_without_a_compiler_the_run_says_so_and_is_the_one_that_was_never_compiled(tmp_path: Path) -> None:
    text = write_text(tmp_path / "fox.txt")
    plain, alone = (run_dir.create(tmp_path / "runs", name) for name in ("plain", "alone"))
    trainer.train(plain, request(text, model=BIGRAM))
    missing = dict(CXX=str(tmp_path / "no-compiler"), TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "cache"))
    argv = [sys.executable, "-c", TRAIN, str(alone.path), str(text)]
    done = subprocess.run(argv, cwd=ROOT, env=os.environ | missing, capture_output=True, text=True)
    assert done.returncode == 0 and "torch.compile does not work here" in done.stdout, done.stderr
    assert metrics(plain) == metrics(alone) and weights(plain) == weights(alone)


def test_by_itself_nothing_is_compiled_on_a_processor() -> None:
    model = GPT(ModelConfig(vocab_size=5, block_size=4, **BIGRAM))
    assert [is_wanted(setting, model) for setting in ("auto", "on", "off")] == [False, True, False]
    assert model.device == torch.device("cpu")


NETWORKS = {"gpt2": {}, "gpt2 with dropout": dict(dropout=0.2), "modern": dict(arch="modern")}


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("recomputed", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("changes", NETWORKS.values(), ids=NETWORKS)
def test_a_step_is_one_graph_in_which_python_is_never_asked_again(changes, recomputed, precision, monkeypatch) -> None:
    model = GPT(ModelConfig(vocab_size=5, block_size=4, n_layer=2, n_head=2, n_embd=8, **changes))
    if recomputed:
        recompute(model)
    loss = objective(model, torch.device("cpu"), precision, 0.1)
    ids = torch.tensor([[0, 1, 2, 3]])
    torch._dynamo.reset()
    whole = torch.compile(loss, backend="eager", fullgraph=True, dynamic=False)  # raises where the graph breaks
    torch.manual_seed(0)
    with monkeypatch.context() as patched:  # so that dropout is PyTorch's own here too
        patched.setattr(torch.compiler, "is_compiling", lambda: True)
        expected = loss(ids, ids)
    torch.manual_seed(0)
    torch.testing.assert_close(whole(ids, ids), expected)


@pytest.mark.parametrize("changes", [{}, dict(grad_accum_steps=2), dict(sampling="epochs", batch_size=8, steps=40)])
def test_a_run_compiles_before_its_first_step_and_never_again(tmp_path: Path, changes: dict, monkeypatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))  # the same tracing, soon done
    text, run, told = write_text(tmp_path / "fox.txt"), run_dir.create(tmp_path / "runs", "once"), []
    wanted = request(text, compile="on", **changes)  # with dropout, evaluations, samples
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    ours = trainer.Trainer(run, prepare.prepare(run, wanted), say=told.append)
    with torch._dynamo.config.patch(error_on_recompile=True):
        assert ours.run()["state"] == "finished"
    assert not told and torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
