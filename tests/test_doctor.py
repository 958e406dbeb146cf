"""`lm doctor`: facts of this machine, and advice that follows from them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from lm import doctor, recipes
from lm.__main__ import main


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
