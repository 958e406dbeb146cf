"""Several processes train what one does: the same batches, the same steps within rounding, one writer.

The runs have 12 steps, of which the last 7 are the resumed ones; their rate is constant, so lengths do not matter. Where
nothing is said of the leader's own process, it is this one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from tests.runs import metrics, weights, write_text

from lm import run_dir
from lm.__main__ import main
from lm.errors import ConfigError
from lm.team import Team

ROOT = Path(__file__).parent.parent
SETTINGS = (
    "--recipe chapter19 --tokenizer char --keep-ids all --dropout 0 --n-layer 1 --n-head 2 --n-embd 16 --block-size 16 "
    "--batch-size 8 --eval-interval 5 --eval-windows 8 --sample-tokens 0 --threads 1 --precision float32 --device cpu"
).split()


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "text.txt")


def command(text: Path, runs: Path, name: str, *words: str, start: tuple[str, ...] = ()) -> list[str]:
    where = ["--data", str(text), "--runs-dir", str(runs), "--name", name]
    return [sys.executable, *(start or ("-m", "lm")), "train", *where, *SETTINGS, *words]


def lead(argv: list[str]) -> int:
    """What `run` does, led by this process, which has loaded torch already; its exit code."""
    return main(argv[argv.index("lm") + 1 :])


def run(argv: list[str]) -> subprocess.CompletedProcess:
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120)


def assert_same_curve(one: Path, other: Path) -> None:
    pairs = list(zip(metrics(run_dir.RunDir(one)), metrics(run_dir.RunDir(other)), strict=True))
    assert len(pairs) > 10
    for a, b in pairs:
        assert a.keys() == b.keys()
        assert all(b[key] == pytest.approx(a[key], rel=1e-3, abs=1e-4) for key in a)


@pytest.fixture
def alone(text: Path, tmp_path: Path) -> Path:
    """A run of twelve steps by one process."""
    assert lead(command(text, tmp_path, "alone", "--steps", "12")) == 0
    return tmp_path / "alone"


def test_two_processes_draw_the_loss_curve_of_one_and_go_on_where_they_stopped(text, tmp_path, alone, capfd):
    assert lead(command(text, tmp_path, "pair", "--steps", "5", "--processes", "2", "--grad-accum-steps", "2")) == 0
    where = ["--runs-dir", str(tmp_path), "--steps", "12", "--processes", "2", "--json"]
    capfd.readouterr()
    assert main(["resume", "pair", *where]) == 0
    assert json.loads(capfd.readouterr().out)["steps"] == 12  # nobody else said anything there
    assert_same_curve(alone, tmp_path / "pair")


def test_two_processes_that_drop_out_go_on_as_if_never_stopped_bit_for_bit(text, tmp_path):
    for name, steps in (("whole", "12"), ("broken", "5")):
        assert lead(command(text, tmp_path, name, "--steps", steps, "--processes", "2", "--dropout", "0.2")) == 0
    assert main(["resume", "broken", "--runs-dir", str(tmp_path), "--steps", "12", "--processes", "2"]) == 0
    whole, broken = (run_dir.RunDir(tmp_path / name) for name in ("whole", "broken"))
    assert metrics(whole) == metrics(broken) and weights(whole) == weights(broken)


def test_torchrun_draws_the_loss_curve_of_one_and_one_process_writes(text, tmp_path, alone):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "lm")
    launched = run(command(text, tmp_path, "launched", "--steps", "12", "--json", start=torchrun))
    assert launched.returncode == 0, launched.stderr
    assert json.loads(launched.stdout)["steps"] == 12
    assert_same_curve(alone, tmp_path / "launched")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "launched", "text.txt"]


def test_a_process_that_dies_ends_the_run_as_failed(text, tmp_path):
    argv = command(text, tmp_path, "pair", "--steps", "1000000", "--log-interval", "100", "--processes", "2")
    leader = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    pair = run_dir.RunDir(tmp_path / "pair")
    while not pair.path.exists() or run_dir.read_status(pair).step < 20:
        assert leader.poll() is None, leader.stderr.read()
        time.sleep(0.02)
    [follower] = psutil.Process(leader.pid).children()
    follower.kill()
    _, said = leader.communicate(timeout=60)
    assert leader.returncode == 2 and "one of the 2 processes ended" in said
    assert run_dir.state(pair) == "failed" and "lm resume" in run_dir.read_status(pair).error


def test_the_words_of_a_process_that_fails_are_those_of_the_run(text, tmp_path, capfd):
    assert lead(command(text, tmp_path, "three", "--steps", "5", "--processes", "3")) == 2
    assert "batch_size=8 is not divisible by processes=3" in capfd.readouterr().err
    assert run_dir.state(run_dir.RunDir(tmp_path / "three")) == "failed"


def test_the_rows_of_all_processes_are_the_batch():
    batch = torch.arange(24).view(6, 4)
    assert torch.equal(torch.cat([Team(rank, 3).rows(batch) for rank in range(3)]), batch)
    with pytest.raises(ConfigError, match="use a multiple of 4"):
        Team(0, 4).rows(batch)
