"""`kill -9` at random moments: nothing is lost, nothing torn is ever seen. `benchmarks/crash.py` is the long version."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from runs import request, write_text

from lm import checkpoint, run_dir, trainer

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def crash() -> ModuleType:
    """The benchmark as a module, under a name that its child processes can import it by."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        patch.setenv("PYTHONPATH", f"{ROOT}")
        yield importlib.import_module("crash")


def test_killed_at_random_moments_and_resumed_is_never_killed(crash: ModuleType, tmp_path: Path) -> None:
    result = crash.measure(tmp_path, kills=6, steps=120, seed=7)
    assert result["differs"] == [] and result["faults"] == []
    assert result["kills"] >= 3 and result["looks_of_the_reader"] > 20


def test_the_reader_of_the_proof_sees_a_torn_file(crash: ModuleType, tmp_path: Path) -> None:
    run = run_dir.create(tmp_path, "torn")
    trainer.train(run, request(write_text(tmp_path / "fox.txt")))
    for path in (run.status, run.metrics, run.best / checkpoint.WEIGHTS):
        whole = path.read_bytes()
        with crash.Reader(run) as reader:
            path.write_bytes(whole[: len(whole) // 2] + b'"\n')  # wherever that cuts it, it is no JSON
            while not reader.looks:
                pass
        assert reader.faults, path.name
        path.write_bytes(whole)


def test_the_proof_tells_two_runs_apart(crash: ModuleType, tmp_path: Path) -> None:
    one, other = (run_dir.create(tmp_path, name) for name in ("one", "other"))
    for run, seed in ((one, 1), (other, 2)):
        trainer.train(run, request(write_text(tmp_path / "fox.txt"), seed=seed))
    assert crash.differences(one, one) == []
    assert set(crash.differences(one, other)) == {"metrics.jsonl", "samples.jsonl", "embeddings/", "best/", "last/"}
