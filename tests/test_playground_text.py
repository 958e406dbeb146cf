"""Every word of the interface is there in both languages, and none is left over."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from lm import texts
from lm.recipes import RECIPES, Recipe
from lm.settings import settings
from playground import text
from playground.text_settings import GROUPS, SETTINGS
from playground.translate import translated
from playground.words import choosing, recipes

ROOT = Path(__file__).parent.parent
SOURCES = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "playground").rglob("*.py"))
# Keys that are put together at run time: what stands before the part that varies.
BUILT = ("state.", "chart.", "timeline.", "coach.", "minute.", "train.say.", "tab.", "generate.best", "generate.last", "corpus.tokenizers",
         "compare.weights.", "overlay.", "generate.preset.", "library.", "keys.", "header.", "gradio.", "choose.", "plan.", "elsewhere.", "written.", "inside.", "insight.", "limit.")


@pytest.mark.parametrize("key", text.WORDS)
def test_a_string_is_there_in_both_languages(key: str) -> None:
    english, japanese = text.WORDS[key]
    assert english.strip() and japanese.strip()


@pytest.mark.parametrize("key", text.WORDS)
def test_both_languages_fill_the_same_braces(key: str) -> None:
    english, japanese = (
        sorted(name for _, name, spec, _ in string.Formatter().parse(words) if name and "|" not in spec)
        for words in text.WORDS[key]
    )
    assert english == japanese


@pytest.mark.parametrize("key", [key for key, (english, _) in text.WORDS.items() if "|" in english])
def test_one_of_anything_is_told_in_the_singular(key: str) -> None:
    holes = [(name, spec) for _, name, spec, _ in string.Formatter().parse(text.WORDS[key][0]) if name]
    counted = {name for name, spec in holes if "|" in spec}
    said = text.say(key, "en", **{name: "1" if name in counted else "7" for name, _ in holes})
    assert re.findall(r"\b1 \w+s\b", said.replace("1 waits", "")) == []


@pytest.mark.parametrize(("n", "said"), [("1", "in 1 place"), (1, "in 1 place"), ("0", "in 0 places"), ("21", "in 21 places")])
def test_the_number_chooses_the_word(n: object, said: str) -> None:
    assert text.say("written.place", "en", line=1, column=1, times=n).endswith(said)


@pytest.mark.parametrize("config", text.CONFIGS)
def test_a_setting_is_told_in_japanese_and_no_other_is(config: type) -> None:
    assert list(SETTINGS[config.__name__]) == [f.name for f in settings(config)]
    assert all(len(pair) == 2 and all(pair) for pair in SETTINGS[config.__name__].values())


def test_every_group_of_settings_has_a_name() -> None:
    assert set(GROUPS) == {f.metadata["group"] for config in text.CONFIGS for f in settings(config)}


def test_every_key_in_the_code_exists() -> None:
    used = set(re.findall(r"""(?:say|label)\(["']([a-z]+\.[a-z_.]+)["']""", SOURCES))
    assert used and used <= set(text.WORDS)


def test_every_string_is_used() -> None:
    quoted = re.findall(r"""["']([a-z]+\.[a-z_.]+)["']""", SOURCES)
    assert [key for key in text.WORDS if quoted.count(key) < 2 and not key.startswith(BUILT)] == []


@pytest.mark.parametrize(
    ("header", "language"),
    [("ja", "ja"), ("ja-JP,en;q=0.8", "ja"), ("en-GB", "en"), ("fr-FR,ja;q=0.5", "ja"), ("de", "en"), ("", "en")],
)
def test_the_language_follows_the_browser(header: str, language: str) -> None:
    assert text.language_of({"accept-language": header}) == language


@pytest.mark.parametrize(
    ("cookie", "language"),
    [("lm-language=en", "en"), ("a=b; lm-language=en; c=d", "en"), ("lm-language=fr", "ja"), ("xlm-language=en", "ja")],
)
def test_what_was_chosen_by_hand_goes_before_the_browsers_language(cookie: str, language: str) -> None:
    assert text.language_of({"accept-language": "ja", "cookie": cookie}) == language


NUMBER = re.compile(r"\d[\d,.]*(?<![,.])")


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_a_recipe_is_told_in_japanese_with_all_its_numbers(recipe: Recipe) -> None:
    assert all(choosing.RECIPES[recipe.name]) and recipe.source in recipes.SOURCES
    assert [what for what, _ in recipe.published if what not in recipes.PUBLISHED] == []
    told = recipes.DIFFERS.get(recipe.name, "")
    assert bool(told) == bool(recipe.differs)
    assert set(NUMBER.findall(recipe.differs)) <= set(NUMBER.findall(told))


def test_no_words_about_recipes_are_left_over() -> None:
    assert choosing.RECIPES.keys() == RECIPES.keys() and recipes.DIFFERS.keys() <= RECIPES.keys()
    assert recipes.SOURCES.keys() == {recipe.source for recipe in RECIPES.values()}
    assert recipes.PUBLISHED.keys() == {what for recipe in RECIPES.values() for what, _ in recipe.published}


def test_every_sample_text_has_a_title_in_japanese() -> None:
    titles = [sample.title for sample in (*texts.SHIPPED.values(), *texts.CLASSICS.values())]
    assert [title for title in titles if not re.search("[\u3040-\u30ff]", translated(title, "ja"))] == []


def test_both_readmes_show_the_same_pictures_and_commands() -> None:
    english, japanese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ja.md"))
    for what in (r"\((assets/pictures/[\w.-]+)\)", r"(?m)^(?:\S+\|\s)?(lm [a-z]+|make \w+)", r"assets/\w+\.py"):
        assert set(re.findall(what, english)) == set(re.findall(what, japanese)) != set()
