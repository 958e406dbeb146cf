"""The run directory: whole files or none, tolerant readers, one owner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm import files, run_dir
from lm.errors import RunError
from lm.names import RESERVED_NAMES, free_name, slug
from lm.run_dir import RunDir, Status

HOLD = "import sys, time; from pathlib import Path; from lm import run_dir\n"
HOLD += "with run_dir.owned(run_dir.RunDir(Path(sys.argv[1]))): print('held', flush=True); time.sleep(600)"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return run_dir.create(tmp_path, "tale")


@pytest.fixture
def owner(run: RunDir):
    """A real process that owns the run, as a trainer does."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


@given(
    st.text(max_size=80)
    | st.text("吾𠮷が猫", max_size=80)
    | st.sampled_from(["con", "Aux.txt", "COM¹", "lpt0.", "nul .x"])
)
def test_a_slug_is_a_name_that_stays_inside_its_folder(text: str) -> None:
    name = slug(text)
    assert name == slug(name) and 0 < len(name) <= 64 and len(name.encode()) < 200
    assert name.split(".")[0].lower() not in RESERVED_NAMES
    assert not set(name) & set('/\\:*?"<>|\0') and not name.startswith(".") and not name.endswith(".")
    assert (Path("runs") / name).resolve().parent == Path("runs").resolve()


@pytest.mark.parametrize("name", ["../up", "/etc", "a/b", "a\\b", "con", "NUL.txt", "", "a\0b", ".hidden", "x" * 65])
def test_a_dangerous_name_is_refused_with_one_that_works(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="for example") as caught:
        run_dir.create(tmp_path, name)
    cure = str(caught.value).rsplit("'", 2)[1]
    assert run_dir.create(tmp_path, cure).path.parent == tmp_path


def test_names_in_any_script_are_welcome(tmp_path: Path) -> None:
    assert run_dir.create(tmp_path, "吾輩は猫-1").path.is_dir()


def test_a_taken_name_is_refused_and_a_reserved_one_taken_over(run: RunDir) -> None:
    run.log.touch()
    assert run_dir.create(run.path.parent, run.name) == run
    run_dir.write_json(run.config, {})
    with pytest.raises(RunError, match="already exists"):
        run_dir.create(run.path.parent, run.name)
    assert free_name(run.path.parent, run.name) == "tale-2"


def test_a_folder_of_something_else_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(RunError, match="already exists"):
        run_dir.create(tmp_path, "photos")


def test_an_attempt_that_failed_early_can_be_made_again(run: RunDir) -> None:
    run_dir.write_status(run, Status(state="failed", error="the file is empty"))
    assert run_dir.create(run.path.parent, run.name) == run
    run_dir.discard_unprepared(run)
    assert not run.path.exists()


def test_what_a_living_trainer_has_begun_is_never_discarded(run: RunDir, owner: subprocess.Popen) -> None:
    run_dir.discard_unprepared(run)
    assert run.path.exists()


def test_a_trainer_sweeps_away_what_a_killed_one_was_writing(run: RunDir) -> None:
    run.best.mkdir()
    litter = [run.path / ".status.json.77.tmp", run.best / ".tmpbpVArb", run.best / ".model.safetensors.77.tmp"]
    kept = [run.config, run.best / "model.safetensors"]
    for path in (*litter, *kept):
        path.touch()
    with run_dir.owned(run):
        assert not any(path.exists() for path in litter) and all(path.exists() for path in kept)


# What a run directory from elsewhere may hold in place of what the trainer writes.
HOSTILE_JSON = [
    "",
    "[]",
    "7",
    "{",
    "[" * 100_000,
    '{"a":' * 50_000,
    "\0",
    '{"step": NaN}',
    '{"step": 1e999}',
    "1" * 5000,
]
HOSTILE_VALUES = ["<b>", "9", None, True, 1e308, -1, 2**80, [1], {"a": 1}, float("inf")]


@pytest.mark.parametrize("text", HOSTILE_JSON)
@pytest.mark.parametrize("name", ["status.json", "config.json", "metrics.jsonl"])
def test_a_run_with_damaged_files_is_still_listed(run: RunDir, name: str, text: str) -> None:
    run_dir.write_status(run, Status(state="finished"))
    (run.path / name).write_text(text + "\n", encoding="utf-8")
    assert run_dir.summary(run)["name"] == "tale" and run_dir.list_runs(run.path.parent) == [run]


@pytest.mark.parametrize("value", HOSTILE_VALUES)
def test_a_run_of_wrong_kinds_of_values_is_still_listed(run: RunDir, value: Any) -> None:
    names = ("state", "step", "max_steps", "elapsed_seconds", "seconds_left", "pid", "heartbeat", "error")
    run.status.write_text(json.dumps(dict.fromkeys(names, value)), encoding="utf-8")
    run.config.write_text(json.dumps(dict.fromkeys(("corpus", "recipe", "parameters"), value)), encoding="utf-8")
    line = dict.fromkeys(("step", "val_bits_per_byte"), value) | dict(val_loss=1.5)
    run.metrics.write_text(json.dumps(line) + "\n", encoding="utf-8")
    told = run_dir.summary(run)
    assert f"{told['step']:>7,} {told['elapsed_seconds']:.1f} {told['parameters'] or 0:,}"
    assert told["state"] in (*run_dir.STATES, "dead")


def test_what_is_no_file_or_too_large_for_one_is_not_read(run: RunDir) -> None:
    run.config.touch()
    os.truncate(run.config, files.MOST_JSON_BYTES + 1)
    with pytest.raises(RunError, match="100 MB"):
        run_dir.read_json(run.config)
    if hasattr(os, "mkfifo"):
        os.mkfifo(run.metrics)
        with pytest.raises(RunError, match="no ordinary file"):
            run_dir.read_metrics(run.path)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "../" * 400 + "etc", "\ud800"])
def test_a_name_that_no_file_can_have_names_no_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="no run named"):
        run_dir.find(tmp_path, name)


def test_not_a_number_never_reaches_the_disk(run: RunDir) -> None:
    run_dir.write_json(run.config, {"loss": 1.0})
    with pytest.raises(ValueError):
        run_dir.write_json(run.config, {"loss": float("nan")})
    with pytest.raises(ValueError):
        run_dir.append_record(run.metrics, {"loss": float("inf")})
    assert run_dir.read_json(run.config) == {"loss": 1.0} and not run.metrics.exists()


def test_a_failed_write_leaves_the_old_file_and_no_litter(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir.write_json(run.config, {"old": True})
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError):
        run_dir.write_json(run.config, {"old": False})
    assert run_dir.read_json(run.config) == {"old": True}
    assert [path.name for path in run.path.iterdir()] == ["config.json"]


def test_a_torn_last_line_waits_for_its_end(run: RunDir) -> None:
    run_dir.append_record(run.metrics, {"step": 1})
    whole = run.metrics.read_bytes()
    run.metrics.write_bytes(whole + b'{"step": 2, "te')
    records, offset = run_dir.read_metrics(run.path)
    assert records == [{"step": 1}] and offset == len(whole)
    run.metrics.write_bytes(whole + '{"step": 2, "text": "猫"}\n'.encode())
    assert run_dir.read_metrics(run.metrics, offset)[0] == [{"step": 2, "text": "猫"}]


@pytest.mark.parametrize("line", [b"{not json}\n", b"[1]\n", b"\xff\xfe\n", b"\0\0\n"])
def test_a_damaged_line_in_the_middle_is_an_error(run: RunDir, line: bytes) -> None:
    run.metrics.write_bytes(b'{"step": 1}\n' + line + b'{"step": 2}\n')
    with pytest.raises(RunError, match="damaged line"):
        run_dir.read_metrics(run.metrics)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20)), max_size=5), st.integers(0, 400))
def test_reading_in_two_parts_is_reading_at_once(tmp_path_factory, records: list, cut: int) -> None:
    path = tmp_path_factory.mktemp("records") / "metrics.jsonl"
    for record in records:
        run_dir.append_record(path, record)
    data = path.read_bytes() if records else b""
    path.write_bytes(data[:cut])
    first, offset = run_dir.read_records(path)
    path.write_bytes(data)
    second, end = run_dir.read_records(path, offset)
    assert first + second == records and end == len(data)


def test_truncating_drops_later_steps_and_a_torn_tail(run: RunDir) -> None:
    for step in range(5):
        run_dir.append_record(run.metrics, {"step": step})
    with open(run.metrics, "ab") as file:
        file.write(b'{"step": 5')
    run_dir.truncate_records(run.metrics, 2)
    assert [json.loads(line)["step"] for line in run.metrics.read_text().splitlines()] == [0, 1, 2]


def test_a_living_owner_is_running_and_keeps_a_second_one_out(run: RunDir, owner: subprocess.Popen) -> None:
    run_dir.write_status(run, Status(state="running", pid=owner.pid, heartbeat=time.time()))
    assert run_dir.state(run) == "running"
    with pytest.raises(RunError, match=rf"another process \(pid {owner.pid}\)"):
        with run_dir.owned(run):
            pass


def test_a_killed_owner_is_dead_and_its_run_can_be_taken(run: RunDir, owner: subprocess.Popen) -> None:
    run_dir.write_status(run, Status(state="running", pid=owner.pid, heartbeat=time.time()))
    owner.kill()
    owner.wait()
    assert run_dir.state(run) == "dead"
    with run_dir.owned(run):
        assert run_dir.is_owned(run)


def test_a_reserved_run_is_starting_at_first_and_dead_after_the_grace(run: RunDir) -> None:
    run.log.touch()
    assert run_dir.state(run) == "starting"
    long_ago = time.time() - 2 * run_dir.START_GRACE_SECONDS
    os.utime(run.log, (long_ago, long_ago))
    assert run_dir.state(run) == "dead"


def test_a_finished_run_needs_no_owner(run: RunDir) -> None:
    run_dir.write_status(run, Status(state="finished", heartbeat=time.time()))
    assert run_dir.state(run) == "finished"


def test_status_of_another_version_still_reads(run: RunDir) -> None:
    run_dir.write_json(run.status, {"state": "finished", "step": 3, "mood": "good"})
    assert run_dir.read_status(run) == Status(state="finished", step=3)


def test_summary_of_a_broken_run_still_has_a_name(run: RunDir) -> None:
    for path in (run.config, run.metrics, run.status):
        path.write_bytes(b"\xff{broken\n")
    assert run_dir.summary(run)["name"] == "tale" and run_dir.summary(run)["best_val_loss"] is None


def test_runs_are_found_by_name_by_path_and_listed_newest_first(tmp_path: Path) -> None:
    for name, age in (("old", 100.0), ("new", 0.0)):
        run = run_dir.create(tmp_path, name)
        run.log.touch()
        os.utime(run.log, (time.time() - age,) * 2)
    (tmp_path / "not-a-run").mkdir()
    assert [run.name for run in run_dir.list_runs(tmp_path)] == ["new", "old"]
    assert run_dir.find(tmp_path, "old") == run_dir.find(tmp_path, tmp_path / "old") == RunDir(tmp_path / "old")
    with pytest.raises(RunError, match="there are new, old"):
        run_dir.find(tmp_path, "middle")


def test_a_folder_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file"):
        run_dir.create(tmp_path / "file", "x")
