"""A text that wants to be a script: in every field of the page it is shown, and in none it is run.

One app for all, over two runs: `fox` learnt the markup and writes it, `told` has it wherever a run directory holds words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from conftest import Visitor, running, visiting
from fabricated_runs import fabricate
from runs import request

from lm import run_dir, trainer

pytestmark = pytest.mark.browser

EVIL = '<img src=x onerror="window.ran=1">'
# The same without a request: what a page shows in a picture of nowhere is a complaint of its own.
QUIET = '<img src="data:," onerror="window.ran=1">'
LINK = "[press](javascript:window.ran=1)"
STANDS = "([place, words]) => [...document.querySelectorAll(place)].some((e) => e.textContent.includes(words))"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    folder = tmp_path_factory.mktemp("hostile")
    text = folder / "evil.txt"
    text.write_text(f"{EVIL}\n" * 200, encoding="utf-8")
    with running(folder) as app:
        trainer.train(
            run_dir.create(app.runs_dir, "fox"), request(text, model=dict(n_embd=32), steps=40, batch_size=16)
        )
        told = fabricate(app.runs_dir, "told", state="failed", error=EVIL)
        said = run_dir.read_json(told.config)
        groups = dict(corpus=dict(name=EVIL), data=dict(tokenizer=EVIL), train=dict(schedule=EVIL))
        run_dir.write_json(told.config, said | groups | dict(recipe=EVIL, model=said["model"] | dict(arch=EVIL)))
        run_dir.append_record(told.samples, dict(step=240, prompt=EVIL, text=EVIL))
        told.log.write_text(f"{EVIL}\n", encoding="utf-8")
        fork = fabricate(app.runs_dir, "branch")
        run_dir.write_json(fork.config, said | dict(forked_from=dict(run=EVIL, checkpoint=EVIL, step=1)))
        yield app


@pytest.fixture(scope="module")
def visitor(browser, app) -> Iterator[Visitor]:
    """One page for the tests that leave nothing on it that another would take for its own."""
    with visiting(browser, app) as visitor:
        yield visitor


def is_shown(visitor, place: str, words: str = EVIL) -> bool:
    """Wait until the words stand there as words; whether nothing of them has been run."""
    visitor.page.wait_for_function(STANDS, arg=[place, words])
    return ran_nothing(visitor)


def ran_nothing(visitor) -> bool:
    has_run = visitor.page.evaluate("window.ran ?? null") is not None
    return not has_run and visitor.page.locator("img[onerror], a[href^='javascript']").count() == 0


def choose(visitor, run: str) -> None:
    visitor.page.click(f"#library .run[data-run={run}]")
    visitor.page.wait_for_selector(f"#headline h3:text-is('{run}')")


def test_markup_in_a_run_directory_is_shown_and_the_page_goes_on(visitor) -> None:
    page = visitor.page
    choose(visitor, "told")
    for place in ("#headline", "#note", "#timeline .given", "#timeline .made"):
        assert is_shown(visitor, place), place
    page.click(".settings .label-wrap:has-text('Log')")
    assert is_shown(visitor, "#log")
    visitor.tab("compare")
    page.click("#picker button[data-run=fox]")
    assert is_shown(visitor, "#compared td")  # its text, and what differs
    assert is_shown(visitor, "#branches")
    for tab in ("share", "corpus"):
        visitor.tab(tab)
        assert ran_nothing(visitor), tab
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', {QUIET!r})")
    visitor.wait("window.ran === 1")  # it would have run
    page.evaluate("window.ran = null; document.querySelector('img[onerror]').remove()")


def test_markup_in_a_text_its_name_and_its_settings_is_shown(visitor) -> None:
    page = visitor.page
    visitor.tab("corpus")
    upload = dict(name=f"{EVIL}.txt", mimeType="text/plain", buffer=f"{EVIL}\n".encode() * 40)
    page.set_input_files("#files input[type=file]", upload)
    page.wait_for_selector("#files .file-preview")
    page.click("#read-files")
    assert is_shown(visitor, "#corpus-card .written")
    assert is_shown(visitor, "#corpus-card h3", "onerror")  # the server takes from a name what no file may be called
    page.click("#compare")
    assert is_shown(visitor, "#cuts", "<")
    page.click(".ways button[role=tab]:has-text('Paste')")
    page.fill("#pasted textarea", f"pasted {EVIL}\n" * 40)
    page.click("#read-pasted")
    assert is_shown(visitor, "#corpus-card .written", f"pasted {EVIL}")
    visitor.tab("train")
    page.click("#library .new")
    settings = json.dumps(dict(recipe=EVIL, train=dict(schedule=EVIL))).encode()
    with page.expect_file_chooser() as chooser:
        page.click("#open-settings")
    chooser.value.set_files(dict(name="x.json", mimeType="application/json", buffer=settings))
    assert is_shown(visitor, "#open-told .note", "onerror")


def test_markup_in_a_link_with_settings_is_refused_in_words(browser, app) -> None:
    visitor = Visitor(browser, app)
    visitor.page.goto(f"{app.address}?recipe=quickstart&lr={EVIL}")
    assert is_shown(visitor, "body", "in the link is no number")
    visitor.leave()


def test_markup_as_the_name_of_a_run_is_shown_or_refused(visitor, app) -> None:
    page = visitor.page
    visitor.tab("train")
    page.click("#library .new")
    visitor.fill("run-name", EVIL)
    page.keyboard.press("Tab")
    assert is_shown(visitor, "#command", "onerror")
    page.focus("#library .run[data-run=told]")
    page.keyboard.press("F2")
    page.fill(".menu input", EVIL)
    page.keyboard.press("Enter")
    assert is_shown(visitor, "#library-told", EVIL)
    assert {run.name for run in run_dir.list_runs(app.runs_dir)} == {"fox", "told", "branch"}


def test_markup_in_a_prompt_in_what_is_written_and_in_a_source_is_shown(visitor) -> None:
    page = visitor.page
    choose(visitor, "fox")
    visitor.tab("generate")
    visitor.wait("document.querySelector('#checkpoint input').value !== ''")
    visitor.fill("prompt", EVIL)
    page.click("#write")
    page.wait_for_selector("#written .pages[data-state=still] .tok")
    assert is_shown(visitor, "#written .given")
    page.locator("#written .tok").first.click()
    page.wait_for_selector(".alternatives button.chosen")
    assert all(page.locator(".alternatives code").all_inner_texts())
    assert ran_nothing(visitor)
    page.keyboard.press("Escape")
    page.click("#elsewhere .label-wrap")
    visitor.fill("source", EVIL)
    page.click("#fetch")
    assert is_shown(visitor, "#fetched .note")
    visitor.tab("inside")
    page.wait_for_selector("#panel-surprise .drawn[data-state=drawn] > *")
    page.fill("#inside-text textarea", f"inside {EVIL}")
    page.click("#look")
    assert is_shown(visitor, "#panel-surprise .heat", "inside")


def test_markup_in_a_model_card_is_no_script(visitor, app) -> None:
    config = run_dir.find(app.runs_dir, "fox").config
    said = run_dir.read_json(config)
    run_dir.write_json(config, said | dict(corpus=said["corpus"] | dict(name=f"{QUIET} {LINK}")))
    page = visitor.page
    visitor.tab("train")
    choose(visitor, "fox")
    visitor.tab("share")
    page.wait_for_selector("#token input")  # the tab has named the repository
    visitor.wait("document.querySelector('#share-which input').value === 'best'")  # and so has the choice of the run
    visitor.wait("document.querySelector('#repo :is(input, textarea)').value === 'fox'")
    visitor.fill("repo", EVIL)
    page.click("#preview")
    assert is_shown(visitor, "#pushed .note")
    visitor.fill("repo", "alice/fox")
    page.click("#preview")
    assert is_shown(visitor, "#card-look h1", "fox")
    page.locator("#card-look :text-is('press')").first.click()  # the card that was written says what the text is called
    page.click(".ways button[role=tab]:has-text('Edit')")
    card = page.input_value("#card-text textarea")
    assert QUIET in card
    added = (QUIET, f"`{EVIL}`", LINK.replace("press", "mine"), "<script>window.ran=1</script>", "the end")
    page.fill("#card-text textarea", "\n\n".join([card, *added]))
    page.click(".ways button[role=tab]:has-text('look')")
    assert is_shown(visitor, "#card-look p", "the end")
    assert is_shown(visitor, "#card-look code")
    page.locator("#card-look :text-is('mine')").click()
    assert ran_nothing(visitor)
    assert page.locator("#card-look script").count() == 0
