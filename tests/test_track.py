"""Trackers follow a run from outside: they are told every line once, and cannot slow, break or outlive it."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fabricated_runs import fabricate, write_lines
from runs import metrics, request, weights, write_text

from lm import run_dir, track, trainer
from lm.run_dir import RunDir

PATIENCE_SECONDS = 60


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "fox.txt")


def told_to_the_end(run: RunDir, backend: str) -> None:
    """Follow a run that is over."""
    over = threading.Event()
    over.set()
    track.follow(run, backend, over)


def scalars(run: RunDir) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard reads out of the run's event files: (step, value) by name."""
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = loading.EventAccumulator(str(run.path / "tensorboard"), size_guidance={loading.SCALARS: 0})
    events.Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_is_told_every_line_and_sample(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = fabricate(tmp_path, "mira", steps=120)
    told_to_the_end(run, "tensorboard")
    records, _ = run_dir.read_metrics(run.path)
    found = scalars(run)
    for name in ("loss", "lr", "val_loss", "val_bits_per_byte", "tokens_per_second"):
        expected = [(record["step"], record[name]) for record in records if name in record]
        assert [step for step, _ in found[name]] == [step for step, _ in expected]
        assert [value for _, value in found[name]] == pytest.approx([value for _, value in expected], rel=1e-6)
    files = b"".join(path.read_bytes() for path in (run.path / "tensorboard").iterdir())
    samples, _ = run_dir.read_records(run.samples)
    assert samples and all(sample["text"].encode() in files for sample in samples)


def test_what_was_told_is_not_told_twice(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = fabricate(tmp_path, "mira", steps=60)
    told_to_the_end(run, "tensorboard")
    run_dir.truncate_records(run.metrics, 40)  # resumed at step 40
    write_lines(run, 41, 90)
    told_to_the_end(run, "tensorboard")
    assert [step for step, _ in scalars(run)["loss"]] == list(range(1, 91))


def test_a_file_that_becomes_shorter_while_it_is_followed_is_read_anew(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("tensorboard")
    monkeypatch.setattr(track, "POLL_SECONDS", 0.02)
    run, over = fabricate(tmp_path, "mira", steps=60), threading.Event()
    following = threading.Thread(target=track.follow, args=(run, "tensorboard", over))
    following.start()
    wait_for(lambda: told(run) == 60)
    run_dir.truncate_records(run.metrics, 10)
    wait_for(lambda: told(run) == 60)
    time.sleep(0.1)  # a look at the shorter file
    write_lines(run, 11, 70, every=7)  # lines of other lengths, as another clock makes them
    over.set()
    following.join()
    assert [step for step, _ in scalars(run)["loss"]] == list(range(1, 71))


def test_a_training_is_followed_to_its_end_by_a_process_beside_it(text: Path) -> None:
    pytest.importorskip("tensorboard")
    run, said = run_dir.create(text.parent / "runs", "fox"), []
    trainer.train(run, request(text, track="tensorboard"), say=said.append)
    assert f"tensorboard --logdir {run.path / 'tensorboard'}" in "\n".join(said)
    last = run_dir.read_metrics(run.path)[0][-1]["step"]
    wait_for(lambda: told(run) == last)
    wait_for(lambda: len(scalars(run)["loss"]) == last)
    assert (run.path / "track.txt").read_bytes() == b""


def test_a_followed_run_is_the_same_run(text: Path) -> None:
    pytest.importorskip("tensorboard")
    one, two = (run_dir.create(text.parent / "runs", name) for name in ("one", "two"))
    trainer.train(one, request(text, track="tensorboard"))
    trainer.train(two, request(text))
    assert metrics(one) == metrics(two) and weights(one) == weights(two)


def test_a_missing_tracker_is_one_line_and_the_run_goes_on(text: Path, monkeypatch) -> None:
    real = track.importlib.util.find_spec
    monkeypatch.setattr(track.importlib.util, "find_spec", lambda name: None if name == "wandb" else real(name))
    run, said = run_dir.create(text.parent / "runs", "fox"), []
    result = trainer.train(run, request(text, track="wandb"), say=said.append)
    assert result["state"] == "finished"
    assert [line for line in said if "wandb" in line] == [
        "wandb is not installed, so it does not see this run; the cure is `pip install wandb`"
    ]


def test_a_tracker_that_crashes_leaves_its_traceback_and_no_trace_in_the_run(text: Path, monkeypatch) -> None:
    broken = text.parent / "broken"
    (broken / "tensorboard").mkdir(parents=True)
    (broken / "tensorboard" / "__init__.py").write_text("raise RuntimeError('out of ink')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    monkeypatch.setattr(track.importlib.util, "find_spec", lambda name: name)
    run = run_dir.create(text.parent / "runs", "fox")
    assert trainer.train(run, request(text, track="tensorboard"))["state"] == "finished"
    wait_for(lambda: "out of ink" in (run.path / "track.txt").read_text(encoding="utf-8"))


def test_the_follower_ends_with_its_trainer_however_that_ends(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = fabricate(tmp_path, "mira", steps=20)
    code = (
        "import os, sys; from pathlib import Path; from lm import track; from lm.run_dir import RunDir\n"
        "with track.followed(RunDir(Path(sys.argv[1])), 'tensorboard'): os._exit(9)\n"
    )
    trainer_process = subprocess.run([sys.executable, "-c", code, str(run.path)], cwd=Path(__file__).parent.parent)
    assert trainer_process.returncode == 9
    wait_for(lambda: told(run) == 20)
    wait_for(lambda: [step for step, _ in scalars(run)["loss"]] == list(range(1, 21)))


def test_settings_and_counts_are_told_and_no_place_of_this_machine(text: Path) -> None:
    run = run_dir.create(text.parent / "runs", "fox")
    asked = request(text)
    trainer.train(run, dataclasses.replace(asked, recipe="nanogpt-cpu"))
    settings = track._settings(run)  # noqa: SLF001
    assert settings["recipe"] == "nanogpt-cpu" and settings["parameters"] > 0 and settings["corpus"] == "fox.txt"
    assert str(text.parent) not in json.dumps(settings) and os.path.expanduser("~") not in json.dumps(settings)


def test_trackio_is_told_every_line_and_sample(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("trackio", reason="trackio is not installed")
    home = tmp_path / "trackio"
    run = fabricate(tmp_path, "mira", steps=60)
    environment = os.environ | dict(TRACKIO_DIR=str(home), HF_HUB_OFFLINE="1")
    for _ in range(2):  # the second time it finds everything told
        subprocess.run(
            [sys.executable, "-m", "lm.track", str(run.path), "trackio"], stdin=subprocess.DEVNULL, env=environment,
            cwd=Path(__file__).parent.parent, check=True, capture_output=True, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
    (database,) = home.glob(f"{track.PROJECT}*.db")
    rows = sqlite3.connect(database).execute("select step, metrics from metrics order by step").fetchall()
    assert [step for step, _ in rows] == list(range(1, 61))
    told = [json.loads(values) for _, values in rows]
    assert told[0]["loss"] == run_dir.read_metrics(run.path)[0][0]["loss"] and "sample" in told[39]


def test_wandb_is_told_without_a_network(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    run = fabricate(tmp_path, "mira", steps=60)
    subprocess.run(
        [sys.executable, "-m", "lm.track", str(run.path), "wandb"], stdin=subprocess.DEVNULL,
        env=os.environ | dict(WANDB_MODE="offline"), cwd=Path(__file__).parent.parent, check=True, capture_output=True,
        timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    (written,) = run.path.glob("wandb/offline-run-*/run-*.wandb")
    data = written.read_bytes()
    assert b"val_bits_per_byte" in data and b"Mira" in data
    assert told(run) == 60


def told(run: RunDir) -> int:
    """The step up to which the tracker was told; -1 before its first look."""
    path = run.path / "track.json"
    return run_dir.read_json(path)["step"] if path.exists() else -1


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
