"""What the page shows of a run is read from its directory, once, line by line."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from fabricated_runs import add_tokens, fabricate, record, write_lines

from lm import library, run_dir
from lm.run_dir import RunDir, Status
from playground import plots, references, views, watch
from playground.app import WATCHER
from playground.views import Curve, Library, Meter
from playground.workspace import Workspace


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def space(tmp_path: Path, runs: Path) -> Workspace:
    return Workspace(tmp_path / "workspace", runs)


def alive(run: RunDir):
    """The run as if a trainer held it."""
    return run_dir.owned(run)


def test_a_curve_grows_by_what_was_appended(runs: Path) -> None:
    run = fabricate(runs, "one", steps=80)
    library = Library(runs)
    assert len(library.curve("one").train) == 80
    write_lines(run, 81, 90)
    assert [step for step, _ in library.curve("one").train] == list(range(1, 91))


def test_an_unfinished_line_waits(runs: Path) -> None:
    run = fabricate(runs, "one", steps=3)
    library = Library(runs)
    with open(run.metrics, "a", encoding="utf-8") as file:
        file.write('{"step": 4, "lo')
    assert len(library.curve("one").train) == 3
    with open(run.metrics, "a", encoding="utf-8") as file:
        file.write('ss": 2.0}\n')
    assert library.curve("one").train[-1] == (4, 2.0)


def test_a_damaged_line_is_told_and_not_raised(runs: Path) -> None:
    run = fabricate(runs, "one", steps=3)
    with open(run.metrics, "a", encoding="utf-8") as file:
        file.write("not json\n")
    assert "damaged line" in Library(runs).curve("one").fault


def test_a_resumed_run_that_rewrote_its_file_begins_a_new_generation(runs: Path) -> None:
    run = fabricate(runs, "one", steps=80, pid=10)
    library = Library(runs)
    assert library.curve("one").generation == 0
    run_dir.truncate_records(run.metrics, 40)
    write_lines(run, 41, 200)  # longer than before: the size alone does not tell
    run_dir.write_status(run, Status(state="finished", step=200, pid=11))
    curve = library.curve("one")
    assert curve.generation == 1
    assert [step for step, _ in curve.train] == list(range(1, 201))


def test_a_run_that_rolled_back_and_grew_again_begins_a_new_generation(runs: Path) -> None:
    run = fabricate(runs, "one", steps=80, pid=10)
    library = Library(runs)
    assert library.curve("one").generation == library.samples("one").generation == 0
    for path in (run.metrics, run.samples):
        run_dir.truncate_records(path, 40)
    write_lines(run, 41, 200)  # by the same process, and longer than before
    assert [step for step, _ in library.curve("one").train] == list(range(1, 201))
    assert [sample["step"] for sample in library.samples("one").written] == [40, 80, 120, 160, 200]


def test_the_best_evaluation_is_the_lowest(runs: Path) -> None:
    fabricate(runs, "one", steps=400, parted_at=200)
    curve = Library(runs).curve("one")
    assert curve.best["val_loss"] == min(nats for _, nats, _ in curve.evaluations)


def test_runs_that_are_trained_stand_first_in_the_library(runs: Path) -> None:
    old = fabricate(runs, "old", state="running")
    fabricate(runs, "young")
    with alive(old):
        assert [row.name for row in Library(runs).rows()] == ["old", "young"]
        assert Library(runs).default() == "old"


def test_nothing_is_kept_of_a_run_that_is_gone(runs: Path) -> None:
    fabricate(runs, "one")
    shown = Library(runs)
    shown.rows(), shown.samples("one")
    library.delete(runs, "one")
    shown.rows()
    assert not shown._curves and not shown._samples


def test_a_run_whose_process_is_gone_is_shown_as_such(runs: Path) -> None:
    fabricate(runs, "one", state="running")
    assert Library(runs).row("one").state == "dead"


def test_an_empty_library_shows_nothing(runs: Path) -> None:
    assert (Library(runs).rows(), Library(runs).default()) == ([], "")


@pytest.mark.parametrize(
    ("status", "share"),
    [
        (Status(step=50, max_steps=200), 0.25),
        (Status(step=50, elapsed_seconds=30, seconds_left=90), 0.25),
        (Status(step=0), None),
    ],
)
def test_progress_follows_the_steps_or_the_clock(status: Status, share: float | None) -> None:
    assert views.progress(status) == share


def test_a_thinned_curve_keeps_its_mean_and_its_end() -> None:
    points = [(step, float(step % 7)) for step in range(1, 10_001)]
    thinned = views.thin(points, 500)
    assert len(thinned) <= 500
    assert thinned[-1][0] == 10_000
    assert sum(y for _, y in thinned) / len(thinned) == pytest.approx(sum(y for _, y in points) / len(points))


def test_the_log_shows_what_a_progress_bar_left_behind(runs: Path) -> None:
    run = fabricate(runs, "one")
    run.log.write_bytes(b"first\n10%\r20%\r30%\nlast\r\n")
    assert views.log_tail(run) == "first\n30%\nlast"


def test_a_run_without_any_file_but_a_log_can_be_shown(space: Workspace, runs: Path) -> None:
    run = run_dir.create(runs, "bare")
    run.log.touch()
    told = dict(zip(("selected", *WATCHER.outputs), WATCHER.choose(space, "bare", "en"), strict=True))
    assert told["selected"] == "bare" and "bare" in told["frame.library"]


# ---------------------------------------------------------------------------------------------- the chart


@pytest.mark.parametrize(("made", "shown"), [("bpe", "bpe"), ("char", "char"), (None, "auto"), (["bpe"], "auto")])
def test_the_tokenizer_that_is_shown_is_what_auto_came_to(runs: Path, made: object, shown: str) -> None:
    run = fabricate(runs, "long", steps=2)
    said = run_dir.read_json(run.config)
    said["data"]["tokenizer"] = "auto"
    run_dir.write_json(run.config, said | ({} if made is None else dict(tokenizer=made)))
    assert views.description(run)["tokenizer"] == shown


def test_a_tick_sends_only_new_points(runs: Path) -> None:
    run = fabricate(runs, "one", steps=80)
    library = Library(runs)
    first, cursor = plots.payload(library.curve("one"), {}, 200)
    assert (first["reset"], len(first["train"]), len(first["evaluations"])) == (True, 80, 2)
    write_lines(run, 81, 121)
    second, cursor = plots.payload(library.curve("one"), cursor, 200)
    assert (second["reset"], [row[0] for row in second["train"]]) == (False, list(range(81, 122)))
    assert [row[0] for row in second["evaluations"]] == [120]


def test_a_tick_without_news_sends_nothing(runs: Path) -> None:
    fabricate(runs, "one", steps=80)
    library = Library(runs)
    _, cursor = plots.payload(library.curve("one"), {}, 200)
    assert plots.payload(library.curve("one"), cursor, 200) == (None, cursor)


def test_another_run_resets_the_chart(runs: Path) -> None:
    fabricate(runs, "one")
    fabricate(runs, "two", steps=5)
    library = Library(runs)
    _, cursor = plots.payload(library.curve("one"), {}, 200)
    value, _ = plots.payload(library.curve("two"), cursor, 200)
    assert (value["run"], value["reset"], len(value["train"])) == ("two", True, 5)


def test_a_long_run_is_sent_thinned_with_its_best_measurement(runs: Path) -> None:
    fabricate(runs, "one", steps=1)
    curve = Curve(RunDir(runs / "one"))
    for step in range(1, 20_001):
        line = record(step, evaluate=step % 4 == 0, parted_at=9_000)
        curve.train.append((step, line["loss"]))
        curve.meters.append(Meter(line["time_seconds"], line["lr"], None, line["tokens_per_second"]))
        if "val_loss" in line:
            curve.measured.append(line)
    curve.best = min(curve.measured, key=lambda line: line["val_loss"])
    value, cursor = plots.payload(curve, {}, 0)
    assert len(value["train"]) <= views.FIRST_POINTS and len(value["evaluations"]) <= views.FIRST_EVALUATIONS
    assert curve.best["step"] in [row[0] for row in value["evaluations"]]
    assert value["train"][-1][0] == value["evaluations"][-1][0] == 20_000
    assert (cursor["train"], cursor["evaluations"]) == (20_000, 5_000)


def test_the_reference_lines_are_sent_when_they_are_known_and_only_once(runs: Path) -> None:
    run = fabricate(runs, "one", steps=80)
    library, known = Library(runs), dict(lines=dict(uniform=4.4), bytes_per_token=1.0)
    first, cursor = plots.payload(library.curve("one"), {}, 200)
    assert "references" not in first
    second, cursor = plots.payload(library.curve("one"), cursor, 200, known)
    assert (second["train"], second["references"]) == ([], known)
    run_dir.append_record(run.metrics, record(81))
    assert "references" not in plots.payload(library.curve("one"), cursor, 200, known)[0]


def test_reference_lines_are_worked_out_beside_the_page(runs: Path) -> None:
    run = fabricate(runs, "one")
    assert references.references(run) is None  # no tokens: nothing to compare with
    add_tokens(run)
    run_dir.write_json(run.config, run_dir.read_json(run.config) | dict(seed=2))  # another state of the run
    references.references(run)
    references._worker().submit(int).result()  # the worker has come to the end of its line
    assert {"uniform", "unigram", "bigram"} <= set(references.references(run)["lines"])


def test_a_chapter_brings_its_curve_and_other_recipes_none() -> None:
    assert references.published("chapter19")["points"][-1] == (499, 2.798, 3.145)
    assert references.published("quickstart") is None and references.published("unheard-of") is None


def test_no_run_empties_the_chart_once() -> None:
    shown = dict(run="one", generation=0, train=3, evaluations=1, references=True)
    value, cursor = plots.payload(None, shown, 0)
    assert value == plots.EMPTY
    assert plots.payload(None, cursor, 0) == (None, cursor)


@pytest.mark.parametrize(("state", "is_over"), [("running", False), ("stopped", True), ("failed", True)])
def test_the_chart_knows_whether_a_first_step_may_still_come(
    space: Workspace, runs: Path, state: str, is_over: bool
) -> None:
    run = fabricate(runs, "one", state=state, steps=0)
    with alive(run) if state == "running" else contextlib.nullcontext():
        [chart] = told(WATCHER.watch(space, "one", {}, "en"), "train.chart")
    assert (chart["train"], chart["is_over"]) == ([], is_over)


def test_the_chart_is_told_when_a_run_without_a_step_is_over(space: Workspace, runs: Path) -> None:
    run = fabricate(runs, "one", state="running", steps=0)
    with alive(run):
        [cursor] = told(WATCHER.watch(space, "one", {}, "en"), "cursor")
    run_dir.write_status(run, replace(run_dir.read_status(run), state="stopped"))
    [chart] = told(WATCHER.watch(space, "one", cursor, "en"), "train.chart")
    assert not chart["reset"] and chart["is_over"]


# ---------------------------------------------------------------------------------------------- the tick


def told(outputs: tuple, *names: str) -> list:
    by_name = dict(zip(WATCHER.outputs, outputs, strict=True))
    return [by_name[name] for name in names]


def test_a_browser_is_told_what_changed_and_nothing_else(space: Workspace, runs: Path) -> None:
    run = fabricate(runs, "one", steps=80)
    first = WATCHER.watch(space, "one", {}, "en")
    assert gr.skip() not in told(first, "train.chart", "train.figures", "frame.library", "train.timeline")
    [cursor] = told(first, "cursor")
    again = WATCHER.watch(space, "one", cursor, "en")
    news = [name for name, value in zip(WATCHER.outputs, again, strict=True) if value != gr.skip()]
    assert set(news) <= {"cursor", "frame.status_bar"}  # the machine's memory moves by itself
    run_dir.append_record(run.metrics, record(81))
    chart, sample = told(WATCHER.watch(space, "one", cursor, "en"), "train.chart", "train.timeline")
    assert [row[0] for row in chart["train"]] == [81]
    assert sample == gr.skip()


def test_a_tick_that_finds_nothing_written_reads_nothing(space: Workspace, runs: Path, monkeypatch) -> None:
    fabricate(runs, "one")
    [cursor] = told(WATCHER.watch(space, "one", {}, "en"), "cursor")
    monkeypatch.setattr(watch, "look", None)  # it would be a fault to look
    assert set(map(str, WATCHER.watch(space, "one", cursor, "en"))) == {str(gr.skip())}


def test_of_those_who_follow_a_training_one_looks_and_all_are_told(space: Workspace, runs: Path, monkeypatch) -> None:
    run = fabricate(runs, "one", state="running", steps=80)
    with alive(run):
        WATCHER.watch(space, "one", {}, "en")
        run_dir.append_record(run.metrics, record(81))
        monkeypatch.setattr(watch, "look", None)  # it would be a fault to look again
        chart, figures = told(WATCHER.watch(space, "one", {}, "en", seconds=60), "train.chart", "train.figures")
    assert chart["train"][-1][0] == 80 and "figures" in figures


def test_a_deed_is_followed_by_a_look_of_its_own(space: Workspace, runs: Path) -> None:
    run = fabricate(runs, "one", state="running", steps=80)
    with alive(run):
        [cursor] = told(WATCHER.watch(space, "one", {}, "en", seconds=60), "cursor")
        run_dir.append_record(run.metrics, record(81))
        [chart] = told(WATCHER.watch(space, "one", cursor, "en"), "train.chart")
    assert [row[0] for row in chart["train"]] == [81]


def written_to(run: RunDir) -> dict:
    """One change after another, each by what the trainer or the page does to a run or its library."""
    model = run.best / "model.safetensors"
    return {
        "status": lambda: run_dir.write_status(run, Status(state="stopped", step=1)),
        "metrics": lambda: run_dir.append_record(run.metrics, record(201)),
        "sample": lambda: run_dir.append_record(run.samples, dict(step=200, prompt="", text="new")),
        "log": lambda: run.log.write_text("another line\n", encoding="utf-8"),
        "config": lambda: run_dir.write_json(run.config, run_dir.read_json(run.config) | dict(parameters=7_000_000)),
        "model": lambda: (run.best.mkdir(), model.touch()),
        "pin": lambda: library.pin(run.path.parent, "one"),
        "another": lambda: fabricate(run.path.parent, "two"),
        "deleted": lambda: library.delete(run.path.parent, "one"),
    }


@pytest.mark.parametrize("change", written_to(RunDir(Path())))
def test_the_next_tick_shows_what_was_written(space: Workspace, runs: Path, change: str) -> None:
    run = fabricate(runs, "one")
    [cursor] = told(WATCHER.watch(space, "one", {}, "en"), "cursor")
    written_to(run)[change]()
    news = zip(WATCHER.outputs, WATCHER.watch(space, "one", cursor, "en"), strict=True)
    assert {name for name, value in news if value != gr.skip()} - {"cursor", "frame.status_bar"}


def test_a_trainer_that_dies_without_a_word_is_seen_at_the_next_tick(space: Workspace, runs: Path) -> None:
    run = fabricate(runs, "one", state="running")
    with alive(run):
        [cursor] = told(WATCHER.watch(space, "one", {}, "en"), "cursor")
    [note, resume] = told(WATCHER.watch(space, "one", cursor, "en"), "train.note", "train.resume")
    assert note != gr.skip() and resume["visible"]


@pytest.mark.parametrize(
    ("state", "visible"),
    [("finished", ["go"]), ("stopped", ["go", "resume"]), ("failed", ["go", "resume"]), ("running", ["stop"])],
)
def test_the_buttons_fit_the_state(space: Workspace, runs: Path, state: str, visible: list[str]) -> None:
    run = fabricate(runs, "one", state=state)
    with alive(run):
        buttons = told(WATCHER.watch(space, "one", {}, "en"), "train.go", "train.stop", "train.resume")
    shown = [name for name, update in zip(("go", "stop", "resume"), buttons, strict=True) if update["visible"]]
    assert shown == visible


def test_a_first_model_is_offered_as_soon_as_it_is_there(space: Workspace, runs: Path) -> None:
    run = fabricate(runs, "one")
    [cursor] = told(WATCHER.watch(space, "one", {}, "en"), "cursor")
    run.best.mkdir()
    (run.best / "model.safetensors").touch()
    checkpoint, share_run = told(WATCHER.watch(space, "one", cursor, "en"), "generate.checkpoint", "share.run")
    assert (checkpoint["value"], share_run["value"]) == ("one/best", "one")


def with_model(run: RunDir) -> None:
    run.best.mkdir()
    (run.best / "model.safetensors").touch()


def chosen(outputs: tuple) -> list[str | None]:
    """What the choices of a model are set to; None where one is left as it is."""
    return [update.get("value") for update in told(outputs[-len(WATCHER.outputs) :], *watch.MOVING)]


def test_a_page_whose_newest_run_has_no_model_opens_with_the_newest_that_has(space: Workspace, runs: Path) -> None:
    for name in ("oldest", "older"):
        with_model(fabricate(runs, name))
    fabricate(runs, "bare")
    page = WATCHER.open(space, "en")
    assert page[0] == "bare" and chosen(page) == ["older/best", "older/best", "older"]


def test_a_run_without_a_model_leaves_what_was_chosen(space: Workspace, runs: Path) -> None:
    with_model(fabricate(runs, "one"))
    fabricate(runs, "bare")
    assert chosen(WATCHER.choose(space, "bare", "en")) == [None] * 3
    assert chosen(WATCHER.choose(space, "one", "en")) == ["one/best", "one/best", "one"]


def test_the_first_model_of_all_is_chosen_whatever_run_is_shown(space: Workspace, runs: Path) -> None:
    one = fabricate(runs, "one")
    fabricate(runs, "shown")
    [cursor] = told(WATCHER.watch(space, "shown", {}, "en"), "cursor")
    with_model(one)
    assert chosen(WATCHER.watch(space, "shown", cursor, "en")) == ["one/best", "one/best", "one"]


def test_only_a_run_of_the_library_can_be_chosen(space: Workspace, runs: Path) -> None:
    fabricate(runs, "one")
    fabricate(runs.parent / "elsewhere", "two")
    chosen = [WATCHER.choose(space, name, "en")[0] for name in ("one", "three", "../elsewhere/two", "")]
    assert chosen == ["one", "", "", ""]
