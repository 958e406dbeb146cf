"""Comparing runs: what differs is named, the best is marked, a branch and a race start what they say."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from fabricated_runs import fabricate

from lm import launch, run_dir
from lm.__main__ import build_parser
from lm.errors import ConfigError, LMError, RunError
from lm.run_dir import RunDir
from playground import overlay
from playground.overlay import Compared
from playground.tabs import compare
from playground.workspace import Workspace

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    """Two runs: `wide` is wider than `small`, learns longer and better."""
    space = Workspace(tmp_path / "workspace", tmp_path / "runs")
    fabricate(space.runs_dir, "small", steps=120)
    edited(fabricate(space.runs_dir, "wide", steps=200), model=dict(n_embd=384))
    return space


def edited(run: RunDir, **parts: dict) -> None:
    config = run_dir.read_json(run.config)
    run_dir.write_json(run.config, config | {part: config.get(part, {}) | more for part, more in parts.items()})


def compared(space: Workspace, *names: str) -> list[Compared]:
    library = space.library
    return [Compared(library.row(n), library.curve(n), run_dir.read_json(library.curve(n).run.config)) for n in names]


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What would have been launched, instead of two trainings."""
    calls: list[tuple] = []

    def start(runs_dir: Path, name: str, argv: list[str], command: tuple[str, ...]) -> RunDir:
        calls.append((name, argv, command[0], Path(command[1]).name))
        return RunDir(runs_dir / name)

    monkeypatch.setattr(launch, "start", start)
    return calls


def test_only_settings_that_differ_are_named(space: Workspace) -> None:
    found = {name: values for name, _, values in overlay.differing(compared(space, "small", "wide"))}
    assert found == dict(n_embd=[192, 384])


def test_a_setting_that_an_older_run_lacks_counts_as_its_default(space: Workspace) -> None:
    edited(RunDir(space.runs_dir / "small"), train=dict(clip=1.0))
    assert "clip" not in {name for name, _, _ in overlay.differing(compared(space, "small", "wide"))}


def test_the_best_run_is_marked_and_a_lone_one_is_not(space: Workspace) -> None:
    assert overlay.table(compared(space, "small", "wide"), "en").count("★") == 1
    assert "★" not in overlay.table(compared(space, "small"), "en")


def test_branches_hang_below_their_parents(space: Workspace) -> None:
    origins = dict(
        small={}, a=dict(run="small", checkpoint="best", step=1200), b=dict(run="a", checkpoint="none", step=0)
    )
    shown = overlay.tree(origins, "en")
    assert shown.index("small") < shown.index("from step 1,200") < shown.index("fresh weights")
    assert overlay.tree(dict(small={}), "en") == ""


def test_a_run_called_as_one_it_descends_from_does_not_hide_the_branches() -> None:
    """`a` was deleted, its branch `b` was branched off, and that branch is called `a` again."""
    shown = overlay.tree(dict(a=dict(run="b", step=2), b=dict(run="a", step=1), c=dict(run="b", step=3)), "en")
    assert [shown.count(f"<b>{name}</b>") for name in "abc"] == [1, 1, 1]


def test_a_branch_of_a_branch_goes_on_from_both() -> None:
    origins = dict(
        root={},
        a=dict(run="root", checkpoint="best", step=100),
        b=dict(run="a", checkpoint="last", step=20),
        fresh=dict(run="b", checkpoint="none", step=0),
        last=dict(run="fresh", checkpoint="best", step=7),
        circle=dict(run="circle", checkpoint="best", step=1),
    )
    found = {name: overlay.begins(name, origins) for name in origins}
    assert found == dict(root=0, a=100, b=120, fresh=0, last=7, circle=1)


@pytest.mark.parametrize("shown", ["table", "tree", "picker"])
def test_names_are_shown_and_never_run(space: Workspace, shown: str) -> None:
    [one] = compared(space, "small")
    edited(RunDir(space.runs_dir / "small"), corpus=dict(name=HOSTILE))
    row = type(one.row)(HOSTILE, "finished", one.row.status, 3, 1.0)
    pages = dict(
        table=lambda: overlay.table(compared(space, "small"), "en"),
        tree=lambda: overlay.tree({"a": {}, HOSTILE: dict(run="a")}, "en"),
        picker=lambda: overlay.picker([row], [], "en"),
    )
    assert "<img" not in pages[shown]() and "&lt;img" in pages[shown]()


def test_no_more_runs_are_chosen_than_can_be_told_apart() -> None:
    chosen = [str(n) for n in range(overlay.MOST_RUNS)]
    assert compare.toggled(chosen, "another") == chosen
    assert compare.toggled(chosen, "3") == [name for name in chosen if name != "3"]


def test_a_browser_is_told_only_what_changed(space: Workspace) -> None:
    *_, told = compare.show(space, ["small", "wide"], {}, "en")
    *again, _ = compare.show(space, ["small", "wide"], told, "en")
    assert all(value == compare.gr.skip() for value in again)


def test_a_run_that_is_gone_is_no_longer_compared(space: Workspace) -> None:
    _, chart, *_ = compare.show(space, ["small", "gone"], {}, "en")
    assert [run["name"] for run in chart["runs"]] == ["small"]


# ---------------------------------------------------------------------------------------------- branching off


@pytest.mark.parametrize(
    ("setting", "typed", "value"),
    [
        ("TrainConfig.lr", "3e-4", 3e-4), ("ModelConfig.n_layer", "6", 6), ("TrainConfig.steps", "2e3", 2000),
        ("ModelConfig.qkv_bias", "off", False), ("TrainConfig.optimizer", "adamw", "adamw"), ("TrainConfig.lr", "０．５", 0.5),
    ],
)  # fmt: skip
def test_a_value_is_read_as_its_settings_type(setting: str, typed: str, value: object) -> None:
    changes, shown, box = compare.change({}, setting, typed, "en")
    assert changes == {setting.split(".")[1]: value} and type(changes.popitem()[1]) is type(value)
    assert "--" in shown and box == ""


@pytest.mark.parametrize(
    ("setting", "typed"),
    [
        ("TrainConfig.lr", "fast"), ("ModelConfig.qkv_bias", "perhaps"), ("TrainConfig.optimizer", "sgd"),
        ("ModelConfig.n_layer", "2.5"), ("TrainConfig.lr", "nan"), ("TrainConfig.lr", "inf"), ("ModelConfig.n_layer", "-3"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused_with_its_name(setting: str, typed: str) -> None:
    with pytest.raises(ConfigError, match=typed):
        compare.change({}, setting, typed, "en")


@pytest.fixture
def home(fox: RunDir) -> Workspace:
    """A trained run, `fox`."""
    return Workspace(fox.path.parent.parent / "workspace", fox.path.parent)


def test_a_branch_starts_with_its_changes_alone(home: Workspace, launched: list) -> None:
    changes = dict(lr=1e-4, dropout=0.2)
    assert compare.fork(home, "fox", "last", "", changes, "en") == "fox-fork"
    assert launched == [("fox-fork", ["--checkpoint", "last", "--lr", "0.0001", "--dropout", "0.2"], "fork", "fox")]


def test_a_race_differs_in_the_changes_and_in_nothing_else(home: Workspace, launched: list) -> None:
    compare.race(home, "fox", dict(n_layer=6), "en")
    (_, as_it_was, *_), (_, changed, *_) = launched
    assert changed == [*as_it_was, "--n-layer", "6"] and as_it_was[:2] == ["--checkpoint", "none"]


@pytest.mark.parametrize(
    ("weights", "changes", "said"),
    [
        ("best", dict(n_layer=3), "n_layer=3 does not fit the weights"),
        ("none", dict(n_head=3), "n_embd"),
        ("none", dict(block_size=4000), "tokens"),
    ],
)
def test_a_branch_that_cannot_be_is_refused_before_anything_begins(
    home: Workspace, launched: list, weights: str, changes: dict, said: str
) -> None:
    with pytest.raises(LMError, match=said):
        compare.fork(home, "fox", weights, "", changes, "en")
    assert launched == []


def test_a_race_without_a_difference_is_refused(space: Workspace, launched: list) -> None:
    with pytest.raises(ConfigError, match="change at least one"):
        compare.race(space, "small", {}, "en")
    assert launched == []


@pytest.mark.parametrize("parent", ["", "gone", "../elsewhere"])
def test_only_a_run_of_the_library_can_be_branched_off(space: Workspace, launched: list, parent: str) -> None:
    with pytest.raises(RunError):
        compare.fork(space, parent, "best", "", {}, "ja")
    assert launched == []


def test_a_name_that_was_not_drawn_yet_is_one_that_was_left_empty() -> None:
    undrawn, empty = (compare.equivalent("fox", "best", name, {}, "en") for name in (None, " "))
    assert undrawn == empty and "--name fox-fork" in re.sub("<.*?>", "", empty)


def test_a_race_is_also_two_commands_and_lines_of_python_that_start_the_same(
    home: Workspace, launched: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "as-it-was" not in compare.equivalent("fox", "best", "", {}, "en"), "nothing to race about"
    shown = compare.equivalent("fox", "best", "", dict(lr=0.5), "en")
    *_, commands, lines = (
        html.unescape(re.sub("<.*?>", "", one)) for one in re.findall("<pre.*?>(.*?)</pre>", shown, re.S)
    )
    monkeypatch.chdir(home.runs_dir.parent)
    compare.race(home, "fox", dict(lr=0.5), "en")
    begun, by_python = launched.copy(), launched
    by_python.clear()
    exec(compile(lines, "lines", "exec"), {})
    assert by_python == begun
    asked = [build_parser().parse_args(command.split()[1:]) for command in commands.splitlines()]
    assert [(one.name, one.checkpoint) for one in asked] == [("fox-as-it-was", "none"), ("fox-lr", "none")]
    assert [getattr(one, "lr", None) for one in asked] == [None, 0.5]
