"""The library at the left: what it shows of a run, and what its menu does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fabricated_runs import fabricate

from lm import library, run_dir
from lm.errors import RunError
from playground import shelf
from playground.workspace import Workspace


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    for name, state in (("old", "finished"), ("fox", "failed")):
        fabricate(tmp_path / "runs", name, state=state)
    return Workspace(tmp_path / "workspace", tmp_path / "runs")


def shown(space: Workspace, selected: str = "", language: str = "en") -> str:
    return shelf.shelf(space.library.rows(), shelf.recently_deleted(space), selected, language)


def names(page: str) -> list[str]:
    return re.findall(r'class="run" data-run="([^"]*)"', page)


def test_every_state_is_a_shape_and_a_word(space: Workspace) -> None:
    page = shown(space)
    assert 'class="entry failed"' in page and "failed" in page and "finished" in page
    assert "失敗" in shown(space, language="ja")


def test_a_sparkline_falls_where_the_loss_falls() -> None:
    points = [tuple(map(float, p.split(","))) for p in re.findall(r"[\d.]+,[\d.]+", shelf.sparkline((3.0, 2.0, 1.5)))]
    heights = [y for _, y in points]  # downwards on a screen is larger
    assert heights == sorted(heights) and points[0][0] < points[-1][0] <= shelf.SPARK[0]


@pytest.mark.parametrize("losses", [(), (2.0,)])
def test_one_measurement_is_no_line(losses: tuple[float, ...]) -> None:
    assert shelf.sparkline(losses) == ""


def test_a_long_run_has_a_short_line_that_ends_where_it_ended() -> None:
    line = shelf.sparkline((5.0,) * 4000 + (1.0,))
    assert line.count(",") <= shelf.SPARK_POINTS + 1 and ',13.0"' in line
    assert "nan" not in shelf.sparkline((2.0, 2.0))


def test_pinned_runs_stand_first_and_say_so(space: Workspace) -> None:
    assert names(shown(space)) == ["fox", "old"] or names(shown(space)) == ["old", "fox"]
    last = names(shown(space))[-1]
    shelf.edit(space, last, "pin", "")
    page = shown(space)
    assert names(page)[0] == last and page.count('class="pin"') == 1
    shelf.edit(space, last, "unpin", "")
    assert 'class="pin"' not in shown(space)


def test_a_page_opens_on_the_newest_run_and_not_on_a_pinned_one(space: Workspace) -> None:
    newest = run_dir.list_runs(space.runs_dir)[0].name
    [other] = {"fox", "old"} - {newest}
    library.pin(space.runs_dir, other)
    assert space.library.default() == newest


def test_renaming_gives_the_new_name(space: Workspace) -> None:
    assert shelf.edit(space, "fox", "rename", "  vixen ") == "vixen"
    assert set(names(shown(space))) == {"vixen", "old"}
    with pytest.raises(RunError, match="already exists"):
        shelf.edit(space, "vixen", "rename", "old")


def test_what_was_deleted_is_offered_back_for_a_while(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = library.delete(space.runs_dir, "fox")
    page = shown(space)
    assert names(page) == ["old"] and f'data-undo="{gone.entry}"' in page
    monkeypatch.setattr(shelf, "UNDO_SECONDS", -1.0)
    assert "data-undo" not in shown(space)


def test_a_run_that_is_trained_offers_to_be_stopped(space: Workspace) -> None:
    run = fabricate(space.runs_dir, "busy", state="running")
    with run_dir.owned(run):
        assert 'data-more="busy" data-pinned="0" data-active="1"' in shown(space)
        shelf.edit(space, "busy", "stop", "")
    assert run.stop.exists()
