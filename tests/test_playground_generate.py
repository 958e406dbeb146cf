"""A text can be stopped, continued, changed at any token and taken back; and it says what of it was recited."""

from __future__ import annotations

import html
import json
import re
import shlex
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from runs import request, write_text

from lm import run_dir, trainer
from lm.__main__ import main as lm
from lm.config import DataConfig, SampleConfig
from lm.errors import LMError
from playground import trials, writing
from playground.drafts import HISTORY, SEEDS, Draft, command, python
from playground.limits import LimitError
from playground.models import load
from playground.tabs import generate
from playground.workspace import Workspace

NAMES = writing.NAMES
FOX = "fox/best"


def settings(**changes) -> list:
    values = dict(zip(NAMES, (f.default for _, f in generate.FIELDS))) | dict(max_new_tokens=60) | changes
    return list(values.values())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace beside two tiny runs: `fox` of characters, `bytes` of byte pairs over Japanese."""
    folder = tmp_path_factory.mktemp("trained")
    trainer.train(run_dir.create(folder / "runs", "fox"), request(write_text(folder / "fox.txt")))
    (folder / "ja.txt").write_text("狐は丘の上の灯を見て、静かに歌う。\n" * 120, encoding="utf-8")
    japanese = request(folder / "ja.txt")
    japanese = type(japanese)(**vars(japanese) | dict(data=DataConfig(tokenizer="bpe", vocab_size=260)))
    trainer.train(run_dir.create(folder / "runs", "bytes"), japanese)
    return Workspace(folder / "workspace", folder / "runs")


def last(shown) -> tuple:
    return list(shown)[-1]


def written(space: Workspace, prompt: str = "The ", checkpoint: str = FOX, **changes) -> Draft:
    return last(writing.write(space, checkpoint, prompt, Draft(), "en", *settings(**changes)))[1]


def event(**told) -> SimpleNamespace:
    return SimpleNamespace(**told)


def texts(page: dict) -> list[str]:
    return ["".join(sample["tokens"]) for sample in page["samples"]]


# ---------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("checkpoint", [FOX, "bytes/best"])
def test_text_streams_and_only_grows(trained: Workspace, checkpoint: str) -> None:
    pages = [page for page, *_ in writing.write(trained, checkpoint, "The ", Draft(), "en", *settings())]
    grown = [texts(page)[0] for page in pages]
    assert len(pages) > 2 and grown[0] == "" and pages[0]["writing"] and not pages[-1]["writing"]
    assert all(later.startswith(earlier) for earlier, later in zip(grown, grown[1:]))


def test_the_same_seed_writes_the_same_text_and_another_one_another(trained: Workspace) -> None:
    assert written(trained).samples == written(trained).samples != written(trained, seed=7).samples


def test_what_the_page_shows_is_what_the_command_line_writes(trained: Workspace, capsys) -> None:
    for prompt in ("The fox's", "-the", "a\n  b", ""):
        draft = written(trained, prompt=prompt, temperature=1.1)
        page = last(writing.halt(trained, draft, "en") for _ in range(1))[0]
        words = shlex.split(command(draft, "fox"))
        assert lm([*words[1:], "--runs-dir", str(trained.runs_dir), "--json"]) == 0
        [sample] = json.loads(capsys.readouterr().out)["samples"]
        assert sample["text"] == prompt + texts(page)[0] and sample["seed"] == 1337


def test_the_lines_of_python_write_it_too(trained: Workspace, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = written(trained, num_samples=2)
    monkeypatch.chdir(trained.runs_dir.parent)
    exec(compile(python(draft, "fox"), "lines", "exec"), {})
    said = capsys.readouterr().out
    assert all(text in said for text in texts(writing.halt(trained, draft, "en")[0]))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_characters_the_model_never_saw_are_named(trained: Workspace, language: str) -> None:
    told = last(writing.write(trained, FOX, "The ☃", Draft(), language, *settings()))[-1]
    assert "☃" in told and "attention" in told


def test_writing_without_a_model_says_how_to_get_one(trained: Workspace) -> None:
    with pytest.raises(LMError, match="train one first"):
        next(writing.write(trained, None, "The ", Draft(), "en", *settings()))


def test_a_visitor_of_many_is_told_what_is_too_long(trained: Workspace) -> None:
    from dataclasses import replace

    from playground.limits import ANONYMOUS

    shared = Workspace(trained.root, trained.runs_dir)
    shared.share = replace(shared.share, limits=ANONYMOUS)
    with pytest.raises(LimitError):
        next(writing.write(shared, FOX, "The ", Draft(), "en", *settings(num_samples=8, max_new_tokens=1000)))


# ---------------------------------------------------------------------------------------------- going on and back


@pytest.mark.parametrize("checkpoint", [FOX, "bytes/best"])
def test_a_text_that_goes_on_is_the_text_that_was_never_interrupted(trained: Workspace, checkpoint: str) -> None:
    short = written(trained, checkpoint=checkpoint, num_samples=2, max_new_tokens=30)
    longer = last(writing.go_on(trained, short, "en", *settings(max_new_tokens=25, seed=99)))[1]
    assert longer.samples == written(trained, checkpoint=checkpoint, num_samples=2, max_new_tokens=55).samples


def test_no_command_is_shown_for_what_one_command_does_not_write(trained: Workspace) -> None:
    begun = written(trained, max_new_tokens=8)
    for changes, is_shown in ((dict(max_new_tokens=4), True), (dict(temperature=1.4), False)):
        *_, elsewhere, _ = last(writing.go_on(trained, begun, "en", *settings(**changes)))
        assert ("lm generate" in elsewhere) == is_shown and ("undo" in elsewhere) != is_shown


def test_another_seed_is_shown_and_can_be_had_again(trained: Workspace) -> None:
    first = written(trained)
    seed, page, draft, *_ = last(writing.again(trained, FOX, "The ", first, "en", *settings()))
    assert draft.config.seed == seed < SEEDS and page["samples"][0]["seed"] == seed
    assert draft.samples == written(trained, seed=seed).samples and draft.before == first


def test_undo_goes_back_step_by_step_and_says_when_there_is_no_more(trained: Workspace) -> None:
    first = written(trained)
    second = last(writing.write(trained, FOX, "A ", first, "en", *settings()))[1]
    page, back, *_ = writing.undo(trained, second, "en")
    assert back == first and page["prompt"] == "The "
    with pytest.raises(LMError, match="nothing to take back"):
        writing.undo(trained, back, "en")


def test_only_so_many_steps_are_remembered() -> None:
    draft = Draft()
    for step in range(3 * HISTORY):
        draft = Draft(prompt=str(step), samples=((1,),), before=draft.remembered())
    steps = 0
    while draft.before is not None:
        draft, steps = draft.before, steps + 1
    assert steps == HISTORY


def test_there_is_no_going_on_from_nothing(trained: Workspace) -> None:
    with pytest.raises(LMError, match="press Write first"):
        next(writing.go_on(trained, Draft(), "en", *settings()))


# ---------------------------------------------------------------------------------------------- another token


def test_alternatives_unfold_with_the_one_that_stands_there(trained: Workspace) -> None:
    draft = written(trained)
    page = writing.unfold(trained, draft, "en", event(sample=0, index=5))
    rows = page["open"]["rows"]
    [chosen] = [row for row in rows if row["chosen"]]
    assert chosen["id"] == draft.samples[0][5] and chosen["drawn"] > 0 and texts(page)[0]
    json.dumps(page, allow_nan=False)


@pytest.mark.parametrize(("past_context", "read"), [("shift", 10), ("slide", 16)])
def test_past_the_context_too_alternatives_are_those_of_what_was_read(
    trained: Workspace, past_context: str, read: int
) -> None:
    """A prompt of four characters and a context of sixteen: the twenty-second token is the second after the second shift."""
    draft = written(trained, temperature=1.0, top_k=0, past_context=past_context)
    rows = writing.unfold(trained, draft, "en", event(sample=0, index=22))["open"]["rows"]
    model, _ = load(trained, FOX, "en")
    with torch.inference_mode():
        scores = model(torch.tensor([draft.until(0, 22)[-read:]]))[0, -1, :-1]  # the unknown token is never written
    expected = scores.softmax(-1)
    assert [row["own"] for row in rows] == pytest.approx([expected[row["id"]].item() for row in rows], rel=1e-4)


def test_another_choice_keeps_what_stands_before_and_grows_anew(trained: Workspace) -> None:
    draft = written(trained, num_samples=2)
    other = next(i for i in range(10) if i != draft.samples[1][20])
    grown = last(writing.regrow(trained, draft, "en", event(sample=1, index=20, id=other)))[1]
    assert grown.samples[0] == draft.samples[0]
    assert grown.samples[1][:21] == (*draft.samples[1][:20], other) and len(grown.samples[1]) == 60
    assert grown.is_bent and writing.undo(trained, grown, "en")[1] == draft
    assert "by hand" in writing.halt(trained, grown, "en")[3]


def test_the_same_choice_grows_into_the_same_text(trained: Workspace) -> None:
    draft = written(trained)
    same = event(sample=0, index=20, id=draft.samples[0][20])
    grown = last(writing.regrow(trained, draft, "en", same))[1]
    assert grown.samples == draft.samples and not grown.is_bent


def test_a_choice_within_a_character_is_possible(trained: Workspace) -> None:
    draft = written(trained, prompt="狐", checkpoint="bytes/best")
    page = writing.unfold(trained, draft, "en", event(sample=0, index=0))
    row = next(row for row in page["open"]["rows"] if row["text"].startswith("⟨"))
    grown = last(writing.regrow(trained, draft, "en", event(sample=0, index=0, id=row["id"])))
    assert grown[1].samples[0][0] == row["id"] and len(grown[0]["samples"][0]["tokens"]) == len(grown[1].samples[0])


@pytest.mark.parametrize("place", [dict(sample=3, index=0), dict(sample=0, index=999), dict(sample=-1, index=-1)])
def test_a_token_that_is_no_longer_there_is_explained(trained: Workspace, place: dict) -> None:
    with pytest.raises(LMError, match="no longer known"):
        writing.unfold(trained, written(trained), "en", event(**place))


def test_an_id_from_nowhere_is_refused(trained: Workspace) -> None:
    with pytest.raises(LMError):
        next(writing.regrow(trained, written(trained), "en", event(sample=0, index=1, id=10**6)))


# ---------------------------------------------------------------------------------------------- the meter


def test_what_was_recited_is_underlined_with_its_place(trained: Workspace) -> None:
    run = run_dir.RunDir(trained.runs_dir / "fox")
    from lm.lens import spelled
    from lm.memorised import training_text

    text = training_text(run)
    line = text.split("\n")[2][:40]
    _, tokenizer = trained.model("fox", "best")
    ids = tuple(tokenizer.encode(f"zz {line} zz").tolist())
    page, _, meter, *_ = writing.halt(trained, Draft(FOX, samples=(ids,), config=SampleConfig()), "en")
    [passage] = page["samples"][0]["passages"]
    assert line in "".join(spelled(tokenizer, ids))[passage["start"] : passage["end"]]
    assert passage["place"].startswith("line ") and "attention" in meter and line.split()[0] in meter


def test_a_model_without_its_text_says_that_nothing_can_be_looked_up(trained: Workspace, tmp_path) -> None:
    import shutil

    shutil.copytree(trained.runs_dir / "fox" / "best", tmp_path / "alone")
    name = trained.adopt(tmp_path / "alone", "alone")
    draft = written(trained, checkpoint=f"{name}/fetched")
    assert "without its training text" in writing.halt(trained, draft, "en")[2]
    assert "lm generate alone" in writing.halt(trained, draft, "en")[3]


# ---------------------------------------------------------------------------------------------- trials and presets


def test_the_grid_holds_every_setting_and_the_cold_row_is_greedy_alike(trained: Workspace) -> None:
    shown = last(trials.grid(trained, FOX, "The ", "en", *settings(max_new_tokens=20)))
    assert shown.count("<td") == len(trials.TOP_K) * len(trials.TEMPERATURES) and "τ 0.2" in shown


def test_two_models_go_on_side_by_side_with_the_same_dice(trained: Workspace) -> None:
    shown = last(trials.pair(trained, FOX, "fox/last", "The ", "en", *settings(max_new_tokens=20)))
    assert shown.count('class="written"') == 2 and "fox · best" in shown and "fox · last" in shown
    with pytest.raises(LMError, match="second model"):
        next(trials.pair(trained, FOX, None, "The ", "en", *settings()))


def ways(shown: str) -> tuple[list[str], str]:
    """The commands and the lines of Python that stand below a trial."""
    commands, lines = (
        html.unescape(re.sub("<.*?>", "", one)) for one in re.findall("<pre.*?>(.*?)</pre>", shown, re.S)
    )
    return commands.splitlines(), lines


def written_in(shown: str, place: str) -> list[str]:
    """What stands in each `place` of a trial, prompt and text."""
    return [
        html.unescape(re.sub("<.*?>", "", one))
        for one in re.findall(f"<{place}.*?>(.*?)</{place.split()[0]}>", shown, re.S)
    ]


def test_the_grid_is_written_by_its_commands_and_by_its_lines_of_python(
    trained: Workspace, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = last(trials.grid(trained, FOX, "The ", "en", *settings(max_new_tokens=12)))
    commands, lines = ways(shown)
    cells = written_in(shown, "td")
    assert len(commands) == len(cells) == len(trials.TOP_K) * len(trials.TEMPERATURES)
    for command_line, cell in ((commands[0], cells[0]), (commands[-1], cells[-1])):
        words = shlex.split(command_line)
        assert lm([*words[1:], "--runs-dir", str(trained.runs_dir), "--json"]) == 0
        [sample] = json.loads(capsys.readouterr().out)["samples"]
        assert sample["text"] == cell
    monkeypatch.chdir(trained.runs_dir.parent)
    exec(compile(lines, "lines", "exec"), {})
    said = capsys.readouterr().out
    assert all(cell in said for cell in cells)


def test_two_models_are_had_by_two_commands_and_by_lines_of_python(
    trained: Workspace, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = last(trials.pair(trained, FOX, "fox/last", "The ", "en", *settings(max_new_tokens=12)))
    commands, lines = ways(shown)
    assert [shlex.split(one)[2] for one in commands] == ["fox", "fox"] and "--checkpoint last" in commands[1]
    monkeypatch.chdir(trained.runs_dir.parent)
    exec(compile(lines, "lines", "exec"), {})
    said = capsys.readouterr().out
    assert all(text in said for text in written_in(shown, 'div class="written"'))


def test_only_what_is_being_written_can_be_stopped(trained: Workspace) -> None:
    few = settings(max_new_tokens=8)
    shown = list(trials.pair(trained, FOX, "fox/last", "The ", "en", *few))
    assert ["writing" in one for one in shown] == [True] * (len(shown) - 1) + [False]
    shown = list(trials.grid(trained, FOX, "The ", "en", *few))
    assert ["writing" in one for one in shown] == [True] * (len(shown) - 1) + [False]


@pytest.mark.parametrize(
    ("known", "second"),
    [
        (["fox/best", "fox/last", "hen/best"], "hen/best"),
        (["hen/best", "fox/best", "fox/last"], "hen/best"),
        (["fox/best", "fox/last"], "fox/last"),
        (["fox/best"], None),
        ([], None),
    ],
)
def test_the_second_model_is_another_runs_or_else_the_other_of_its_own(known: list[str], second: str | None) -> None:
    assert trials.companion(known, "fox/best") == second


def test_a_second_model_that_was_chosen_stays(trained: Workspace) -> None:
    assert trials.second(trained, FOX, "fox/last", "en") == gr.skip()
    for other in (None, "gone/best", FOX):
        assert trials.second(trained, FOX, other, "en")["value"].startswith("bytes/")


@pytest.mark.parametrize(("n", "said"), [(0, "train one first"), (1, "only one model"), (2, "")])
def test_where_there_is_no_second_model_the_page_says_how_to_get_one(n: int, said: str) -> None:
    shown = trials.alone([("fox", FOX)] * n, "en")
    assert said in shown and bool(shown) == bool(said)


def test_a_preset_is_recognised_until_a_setting_is_moved() -> None:
    for name in generate.PRESETS:
        moved = dict(zip(NAMES, settings())) | generate.PRESETS[name]
        assert generate.preset_of(*moved.values()) == name
        given = dict(zip(NAMES, generate.preset(name)))
        assert {key: given[key] for key in generate.PRESETS[name]} == generate.PRESETS[name]
    assert generate.preset_of(*settings(temperature=0.81)) is None
