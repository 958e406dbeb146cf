"""The recipes as cards: the chosen one in full, the others behind it, each with what it takes on two cores."""

from __future__ import annotations

from lm.recipes import RECIPES, Recipe
from playground.markup import escape, linked
from playground.text import say
from playground.words.choosing import RECIPES as JAPANESE
from playground.words.recipes import DIFFERS, PUBLISHED, SOURCES


def cards(chosen: str, language: str) -> str:
    """All recipes as HTML; a click on one is a `select` event that carries it (`assets/choosing.js`)."""
    recipe = RECIPES[chosen]
    title, about = words(recipe, language)
    others = "".join(_line(one, one.name == chosen, language) for one in RECIPES.values())
    return (
        f'<div class="recipe-card"><div class="recipe-head"><h3>{escape(title)}</h3>{_here(recipe, language)}</div>'
        f"<p>{escape(about)}</p></div>{_more(recipe, language)}"
        f'<details class="recipes"><summary>{escape(say("choose.recipes", language))}</summary>'
        f'<div class="recipe-list">{others}</div></details>'
    )


def words(recipe: Recipe, language: str) -> tuple[str, str]:
    """The title and what the recipe is about."""
    return JAPANESE[recipe.name] if language == "ja" else (recipe.title, recipe.about)


def _here(recipe: Recipe, language: str) -> str:
    duration = say(f"choose.{recipe.duration}", language)
    here = escape(say("choose.here", language, duration=duration))
    return f'<span class="chip" title="{here}">{escape(duration)}</span>'


def _line(recipe: Recipe, is_chosen: bool, language: str) -> str:
    title, about = words(recipe, language)
    current = ' aria-current="true"' if is_chosen else ""
    duration = escape(say(f"choose.{recipe.duration}", language))
    return (
        f'<button class="recipe" data-recipe="{escape(recipe.name)}"{current}><b>{escape(title)}</b>'
        f"<span>{duration}</span><small>{escape(about)}</small></button>"
    )


def _more(recipe: Recipe, language: str) -> str:
    """Where it comes from, what its source published, and how our measure differs."""
    is_japanese = language == "ja"
    source = SOURCES[recipe.source] if is_japanese else recipe.source
    differs = DIFFERS.get(recipe.name, "") if is_japanese else recipe.differs
    published = "".join(
        f"<tr><td>{escape(PUBLISHED[what] if is_japanese else what)}</td><td>{escape(_number(value))}</td></tr>" for what, value in recipe.published
    )
    parts = [f"<h4>{escape(say('choose.source', language))}</h4><p>{linked(source)}</p>"]
    if published:
        head = escape(say("choose.published", language))
        parts.append(f'<h4>{head}</h4><table class="published">{published}</table>')
    if differs:
        parts.append(f"<h4>{escape(say('choose.ours', language))}</h4><p>{linked(differs)}</p>")
    more = escape(say("choose.more", language))
    return f'<details class="more-about"><summary>{more}</summary>{"".join(parts)}</details>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:g}"
