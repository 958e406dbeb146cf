"""`lm doctor`: facts of this machine, and advice that follows from them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lm import doctor, recipes
from lm.__main__ import main

ROOT = Path(__file__).parent.parent


def examined(monkeypatch: pytest.MonkeyPatch, folder: Path) -> doctor.Findings:
    monkeypatch.setattr(doctor, "bf16_gain", lambda rows, width: 1.5)  # the measurement has a test of its own
    return doctor.examine(folder / "not" / "yet" / "made", ask_hub=False)


def test_the_doctor_says_one_json_value_and_asks_nobody_when_told_so(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(doctor.urllib.request, "urlopen", lambda *words, **named: pytest.fail("asked"))
    assert main(["doctor", "--json", "--no-network", "--runs-dir", str(tmp_path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["hub"] == "not asked" and said["cores"] >= 1 and said["versions"]["torch"] and said["bf16_gain"] >= 0
    assert 0 < said["free_memory_bytes"] <= said["memory_bytes"] and said["advice"]["recipe"] in recipes.RECIPES


def test_examining_makes_nothing(tmp_path, monkeypatch) -> None:
    found = examined(monkeypatch, tmp_path)
    assert found.free_disk_bytes > 0 and found.can_write and not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_the_runs_is_said_not_to_be_writable(tmp_path, monkeypatch) -> None:
    (tmp_path / "not").write_text("a file", encoding="utf-8")
    found = examined(monkeypatch, tmp_path)
    assert not found.can_write and "choose another --runs-dir" in doctor.in_words(found, doctor.advise(found))


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "loop"])
def test_what_no_folder_can_be_called_is_refused_in_words(name, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    if name == "loop":
        Path(name).symlink_to(name)
    code = main(["doctor", "--no-network", "--runs-dir", name])
    assert code in (0, 2) and (code == 0 or "choose another --runs-dir" in capsys.readouterr().err)


def test_a_memory_too_small_to_measure_in_is_told_and_no_fault(tmp_path, monkeypatch) -> None:
    def fails(rows, width):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(doctor, "bf16_gain", fails)
    monkeypatch.setattr(doctor, "_allowed_bytes", lambda: 50_000_000)
    found = doctor.examine(tmp_path, ask_hub=False)
    advice = doctor.advise(found)
    assert found.bf16_gain == 0 and found.free_memory_bytes <= 50_000_000 and advice.most_parameters < 10**6
    assert "close something" in doctor.in_words(found, advice)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit on a process's memory is not kept")
def test_the_limit_set_for_a_process_counts_as_its_memory(tmp_path) -> None:
    limited = "import resource as r, sys; r.setrlimit(r.RLIMIT_AS, (3 << 30, 3 << 30)); from lm.__main__ import main; sys.exit(main(sys.argv[1:]))"
    words = ["doctor", "--json", "--no-network", "--runs-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", limited, *words], capture_output=True, text=True, timeout=100, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["free_memory_bytes"] < 3 << 30


def test_what_stands_in_the_way_is_named_with_a_cure(tmp_path, monkeypatch) -> None:
    found = examined(monkeypatch, tmp_path)
    poor = dataclasses.replace(
        found, free_memory_bytes=10**9, free_disk_bytes=10**8, can_write=False, hub="unreachable"
    )
    words = doctor.in_words(poor, doctor.advise(poor))
    for cure in ("close something", "make room", "choose another --runs-dir", "need no network"):
        assert cure in words
    assert (
        doctor.advise(poor).most_parameters
        < doctor.advise(dataclasses.replace(poor, free_memory_bytes=10**10)).most_parameters
    )


@pytest.mark.parametrize("device", ["cpu", "mps", "cuda"])
def test_every_advised_recipe_exists(device, tmp_path, monkeypatch) -> None:
    found = dataclasses.replace(examined(monkeypatch, tmp_path), device=device)
    assert doctor.advise(found).recipe in recipes.RECIPES


def test_a_hub_that_answers_anything_is_reached_and_one_that_does_not_is_not(hub, monkeypatch) -> None:
    assert doctor._hub() == "reached"
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert doctor._hub() == "unreachable"
    monkeypatch.setenv("HF_ENDPOINT", "no address")
    assert doctor._hub() == "unreachable"
