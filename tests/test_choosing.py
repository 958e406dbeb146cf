"""The left side of the Train tab: the same run elsewhere, the forecast in words, the dial, hands off a busy machine."""

from __future__ import annotations

import html
import json
import re
import urllib.parse
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from fabricated_runs import fabricate
from runs import metrics, write_text

from lm import recipes, run_dir, settings_file
from lm.errors import ConfigError, LMError
from lm.preflight import RULES, Advice, Rehearsal, forecast
from lm.recipes import RECIPES
from playground import choosing, elsewhere, forecast_view, recipe_cards
from playground.planner import Planner
from playground.workspace import Workspace
from playground.words.choosing import ADVICE
from playground.words.choosing import RECIPES as JAPANESE

TINY = dict(
    n_layer=1, n_head=1, n_embd=16, block_size=16, steps=4, minutes=0.0, batch_size=4, sample_tokens=0, eval_windows=2,
    precision="float32", threads=1,
)  # fmt: skip


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    space = Workspace(tmp_path / "workspace", tmp_path / "runs")
    space.add([write_text(tmp_path / "fox.txt")])
    return space


def values(recipe: str = "quickstart", **wanted: object) -> list[object]:
    pairs = zip(choosing.FIELDS, choosing.recipe_values(recipe), strict=True)
    return [wanted.get(f.name, value) for (_, f), value in pairs]


def tiny() -> tuple[recipes.Recipe, tuple]:
    recipe = recipes.find("quickstart")
    return recipe, tuple(choosing.gathered(recipe, tuple(values(**TINY)), "en"))


# ---------------------------------------------------------------------------------------------- the same elsewhere


def test_the_lines_of_python_make_the_run_of_the_command(space: Workspace, tmp_path: Path, monkeypatch) -> None:
    from lm.__main__ import main

    monkeypatch.chdir(tmp_path)
    shown = choosing.command(space, "fox", "quickstart", "", "en", *values(**TINY))
    ways = re.findall(r"<pre[^>]*>(.*?)</pre>", shown, re.S)[:2]
    command, python = (html.unescape(re.sub("<.*?>", "", way)) for way in ways)
    exec(compile(python, "shown", "exec"), {})
    typed = command.split()[2:]
    typed[typed.index("--name") + 1] = "typed"
    assert main(["train", *typed, "--runs-dir", str(tmp_path / "runs")]) == 0
    one, other = (run_dir.find(tmp_path / "runs", name) for name in ("fox-quickstart", "typed"))
    assert metrics(one) == metrics(other)


@pytest.mark.parametrize("name", RECIPES)
def test_a_link_makes_the_same_settings(name: str) -> None:
    recipe = RECIPES[name]
    changed = (
        replace(recipe.data, tokenizer="bpe", vocab_size=300),
        replace(recipe.model, dropout=0.25, bias=not recipe.model.bias),
        replace(recipe.train, sample_prompt="吾輩は & 猫?", seed=5),
    )
    query = dict(urllib.parse.parse_qsl(elsewhere.link(recipe, changed)[1:]))
    read = elsewhere.read_link(query)
    assert (read.data, read.model, read.train) == changed


def test_an_address_without_a_recipe_changes_nothing() -> None:
    assert elsewhere.read_link({"__theme": "dark", "n_layer": "3"}) is None


@pytest.mark.parametrize(
    ("query", "why"), [(dict(recipe="nobody"), "unknown"), (dict(recipe="llm0", n_layer="x"), "no number"),
                       (dict(recipe="llm0", n_layer="0"), "below"), (dict(recipe="llm0", lr="inf"), "not finite")]
)  # fmt: skip
def test_a_link_that_makes_no_run_says_why(query: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        elsewhere.read_link(query)


def test_the_file_that_is_saved_is_the_one_that_is_opened(tmp_path: Path) -> None:
    recipe, configs = tiny()
    page = elsewhere.panel("fox", "fox.txt", recipe, configs, "en")
    path = tmp_path / "fox.settings.json"
    path.write_bytes(b64decode(re.search(r"base64,([^\"]+)", page)[1]))
    opened = choosing.open_settings(str(path), "en")
    assert opened[0] == "quickstart" and list(opened[2:]) == values(**TINY)


# ---------------------------------------------------------------------------------------------- what it comes to

MEASURED = Rehearsal(800_000, 6 * 10**7, 2 * 10**10, 190_000, 20_000, 60, 0.06, "2 cores", "bf16")


@pytest.mark.parametrize(
    ("seconds", "english", "japanese"),
    [(0.2, "2 seconds", "2秒"), (40, "40 seconds", "40秒"), (61, "one minute", "1分"), (239, "4 minutes", "4分"),
     (7200, "2 hours", "2時間"), (260_000, "3 days", "3日")],
)  # fmt: skip
def test_a_time_is_told_as_one_says_it(seconds: float, english: str, japanese: str) -> None:
    assert forecast_view.time_words(seconds, "en") == english
    assert forecast_view.time_words(seconds, "ja") == japanese


def test_the_sentence_says_how_long_and_what_comes_of_it() -> None:
    _, model, train = choosing.configs_of(recipes.find("quickstart"))
    told = forecast(model, train, replace(MEASURED, train_tokens=4 * MEASURED.train_tokens))
    words = forecast_view.sentence(told, "", "en")
    assert words.startswith("About 2 minutes. It reads the text 2.5 times") and not told.will_recite
    small = forecast(model, train, replace(MEASURED, train_tokens=3000))
    assert "reciting after about" in forecast_view.sentence(small, "", "en") and small.will_recite
    assert "GB are free" in forecast_view.sentence(
        forecast(model, train, replace(MEASURED, step_seconds=0.0)), "", "en"
    )


def test_every_advice_is_told_in_japanese_with_the_same_numbers() -> None:
    fields = {rule: set(re.findall(r"{(\w+)", words)) for rule, words in RULES.items()}
    assert fields == {rule: set(re.findall(r"{(\w+)", words)) for rule, words in ADVICE.items()}


def test_advice_leads_to_its_setting() -> None:
    shown = forecast_view.panel(None, [Advice("lr", "lr_high", dict(lr=0.05, wise=1e-3))], "plan.later", "en")
    assert 'data-show="set-TrainConfig-lr"' in shown and 'data-group="Optimizer"' in shown and "lr=0.05" in shown


def test_nothing_is_measured_beside_a_training(space: Workspace) -> None:
    run = fabricate(space.runs_dir, "busy", state="running")
    with run_dir.owned(run):
        pages = list(choosing.forecast(space, "fox", "quickstart", "en", *values(**TINY)))
        with pytest.raises(LMError, match="under way"):
            list(choosing.aim(space, "fox", 1, "en"))
    assert len(pages) == 1 and "when nothing is being trained" in pages[0]


def test_a_forecast_is_measured_once_and_then_remembered(space: Workspace) -> None:
    first = list(choosing.forecast(space, "fox", "quickstart", "en", *values(**TINY)))
    assert "Timing" in first[0] and "About" in first[-1]
    assert list(choosing.forecast(space, "fox", "quickstart", "en", *values(**TINY))) == [first[-1]]


def test_the_dial_sets_what_it_chose_and_knows_what_it_comes_to(space: Workspace) -> None:
    *_, (dial, recipe, _, *chosen) = choosing.aim(space, "fox", 1, "en")
    configs = choosing.gathered(recipes.find(recipe), tuple(chosen), "en")
    assert configs[2].minutes == 1 and 'data-minutes="1"' in dial and 'aria-pressed="true"' in dial
    pages = list(choosing.forecast(space, "fox", recipe, "en", *chosen))
    assert len(pages) == 1 and "About one minute" in pages[0]


def test_a_rehearsal_that_was_ended_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    planner = Planner()
    monkeypatch.setattr("playground.planner.launch.be_nice", lambda pid, niceness: planner.end())
    assert planner.plan(["--data", "tales"]) is None and planner.known(["--data", "tales"]) is None


def test_a_forecast_that_a_training_ended_does_not_say_that_it_is_being_measured(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("playground.planner.launch.be_nice", lambda pid, niceness: space.planner.end())
    first, last = choosing.forecast(space, "fox", "quickstart", "en", *values(**TINY))
    assert "Timing" in first and "when nothing is being trained" in last


def test_what_lm_plan_refuses_is_told_in_its_words() -> None:
    with pytest.raises(ConfigError, match="n_layer=0"):
        Planner().plan(["--data", "tales", "--n-layer", "0"])


# ---------------------------------------------------------------------------------------------- cards


def test_every_recipe_has_a_card_in_both_languages() -> None:
    assert list(JAPANESE) == list(RECIPES)
    for name, recipe in RECIPES.items():
        page = recipe_cards.cards(name, "en")
        assert html.escape(recipe.title) in page and html.escape(recipe.source) in page
        assert all(html.escape(what) in page for what, _ in recipe.published)
        assert JAPANESE[name][0] in recipe_cards.cards(name, "ja")
        assert page.count("data-recipe=") == len(RECIPES) and page.count('aria-current="true"') == 1


def test_a_card_sets_every_setting() -> None:
    name, _, *chosen = choosing.choose_recipe("llm0", "en")
    assert name == "llm0" and chosen == values("llm0")
    record = settings_file.record("llm0", *choosing.gathered(recipes.find("llm0"), tuple(chosen), "en"))
    assert json.loads(json.dumps(record))["model"]["n_layer"] == RECIPES["llm0"].model.n_layer
