"""The shelf of the runs: names, pins, and a trash that gives back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fabricated_runs import fabricate

from lm import library, run_dir
from lm.errors import RunError
from lm.run_dir import RunDir

DAY = 86_400.0


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("fox", "owl"):
        fabricate(tmp_path / "runs", name, steps=3)
    return tmp_path / "runs"


def contents(run: RunDir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(run.path.iterdir()) if path.is_file()}


def names(runs: Path) -> set[str]:
    return {run.name for run in run_dir.list_runs(runs)}


def test_a_deleted_run_comes_back_as_it_was(runs: Path) -> None:
    before = contents(RunDir(runs / "fox"))
    gone = library.delete(runs, "fox")
    assert names(runs) == {"owl"} and library.trash(runs) == [gone]
    assert contents(library.restore(runs, gone.entry)) == before
    assert names(runs) == {"fox", "owl"} and library.trash(runs) == []


def test_a_run_comes_back_beside_one_that_took_its_name(runs: Path) -> None:
    gone = library.delete(runs, "fox")
    fabricate(runs, "fox", steps=9)
    assert library.restore(runs, gone.entry).name == "fox-2"
    assert run_dir.read_status(RunDir(runs / "fox")).step == 9


def look(runs: Path, monkeypatch: pytest.MonkeyPatch, at: float) -> list[str]:
    """What the trash holds after a look at this time of the clock."""
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: at)
        library.empty_trash(runs)
    return [gone.name for gone in library.trash(runs)]


def test_the_trash_keeps_a_run_for_a_week_and_no_longer(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = library.delete(runs, "fox").at
    for hours in range(0, 7 * 24, 6):
        assert look(runs, monkeypatch, began + 3600 * hours) == ["fox"]
    assert look(runs, monkeypatch, began + 3600 * 7 * 24) == []
    assert [path.name for path in (runs / library.TRASH).iterdir()] == [library.AGES]


@pytest.mark.parametrize(
    "leap", [DAY, -DAY, 365 * DAY, -365 * DAY, None], ids=["+day", "-day", "+year", "-year", "1970"]
)
def test_a_clock_that_jumps_takes_nothing_out_of_the_trash(
    runs: Path, monkeypatch: pytest.MonkeyPatch, leap: float | None
) -> None:
    """Neither while the app runs nor between two of its lives; and what was deleted a moment ago can still be undone."""
    gone = library.delete(runs, "fox")
    look(runs, monkeypatch, gone.at)
    wrong = 60.0 if leap is None else gone.at + leap
    assert look(runs, monkeypatch, wrong) == look(runs, monkeypatch, gone.at) == ["fox"]
    monkeypatch.setattr(time, "time", lambda: wrong)
    assert 0 <= library.seconds_since(runs, gone) < 60
    later = library.delete(runs, "owl")
    assert [one.name for one in library.trash(runs)] == ["owl", "fox"] and later.at > gone.at + min(0, leap or 0)
    assert library.restore(runs, gone.entry).name == "fox"


def test_a_clock_that_was_wrong_and_is_right_again_takes_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a battery begins in 1970, and learns the time a moment later."""
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: 60.0)
    library.delete(runs, "fox")
    assert (
        look(runs, monkeypatch, 61.0) == look(runs, monkeypatch, real) == look(runs, monkeypatch, real + 1) == ["fox"]
    )


@pytest.mark.parametrize("damage", ["{", "[]", '{"looked": "x"}', '{"looked": 0, "seconds": {"a": []}}'])
def test_ages_that_were_damaged_begin_anew(runs: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    at = library.delete(runs, "fox").at
    (runs / library.TRASH / library.AGES).write_text(damage, encoding="utf-8")
    assert look(runs, monkeypatch, at) == look(runs, monkeypatch, at + DAY) == ["fox"]


def test_deleting_removes_for_good_what_lay_too_long(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.delete(runs, "fox")
    monkeypatch.setattr(library, "KEPT_SECONDS", -1.0)
    library.delete(runs, "owl")
    assert [gone.name for gone in library.trash(runs)] == ["owl"]


def test_a_run_that_is_not_in_the_trash_is_told(runs: Path) -> None:
    gone = library.delete(runs, "fox")
    library.restore(runs, gone.entry)
    with pytest.raises(RunError, match="was restored already"):
        library.restore(runs, gone.entry)


@pytest.mark.parametrize("entry", ["..", "../owl", ".", ""])
def test_nothing_but_the_trash_is_restored(runs: Path, entry: str) -> None:
    with pytest.raises(RunError, match="was restored already"):
        library.restore(runs, entry)


def test_a_run_that_is_being_trained_stays_where_it_is(runs: Path) -> None:
    run = fabricate(runs, "busy", steps=3, state="running")
    with run_dir.owned(run):
        for deed in (lambda: library.delete(runs, "busy"), lambda: library.rename(runs, "busy", "idle")):
            with pytest.raises(RunError, match="stop it"):
                deed()
    assert "busy" in names(runs)


def test_a_renamed_run_keeps_everything_and_its_pin(runs: Path) -> None:
    before = contents(RunDir(runs / "fox"))
    library.pin(runs, "fox")
    assert contents(library.rename(runs, "fox", "vixen")) == before
    assert names(runs) == {"vixen", "owl"} and library.pins(runs) == ["vixen"]


@pytest.mark.parametrize(
    ("to", "why"), [("owl", "already exists"), ("../fox", "cannot name a run"), ("", "cannot name")]
)
def test_a_name_that_is_taken_or_none_is_refused(runs: Path, to: str, why: str) -> None:
    with pytest.raises(RunError, match=why):
        library.rename(runs, "fox", to)
    assert names(runs) == {"fox", "owl"}


@pytest.mark.parametrize("name", ["../runs", "..", ".trash"])
def test_nothing_outside_the_runs_is_touched(runs: Path, name: str) -> None:
    for deed in (library.delete, library.pin):
        with pytest.raises(RunError):
            deed(runs, name)


def test_pins_stand_in_the_order_of_pinning(runs: Path) -> None:
    library.pin(runs, "owl")
    library.pin(runs, "fox")
    assert library.pins(runs) == ["owl", "fox"]
    library.pin(runs, "owl", False)
    assert library.pins(runs) == ["fox"]


@pytest.mark.parametrize("damage", ["{", "[]", '{"pinned": 3}', '{"pinned": [1, "fox"]}'])
def test_a_damaged_shelf_is_no_shelf(runs: Path, damage: str) -> None:
    (runs / library.SHELF).write_text(damage, encoding="utf-8")
    assert library.pins(runs) in ([], ["fox"])
    library.pin(runs, "owl")
    assert library.pins(runs)[-1] == "owl"
