"""Handlers are plain functions: each does what its button says, and the edge turns a user's mistake into words."""

from __future__ import annotations

import inspect
import re
import typing
from functools import partial
from pathlib import Path

import gradio as gr
import pytest
from fabricated_runs import fabricate
from runs import request, write_text

from lm import run_dir, trainer
from lm.errors import CorpusError, LMError, RunError
from playground import app as page
from playground import choosing, recipe_cards, takeaway
from playground.edge import Edge
from playground.tabs import corpus, share, train
from playground.workspace import Workspace
from playground.workspaces import Workspaces


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace beside one tiny finished run, `fox`."""
    folder = tmp_path_factory.mktemp("trained")
    trainer.train(run_dir.create(folder / "runs", "fox"), request(write_text(folder / "fox.txt")))
    return Workspace(folder / "workspace", folder / "runs")


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace", tmp_path / "runs")


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


# ---------------------------------------------------------------------------------------------- corpus


def test_uploaded_files_become_one_text(space: Workspace, tmp_path: Path) -> None:
    files = [str(write_text(tmp_path / f"{name}.txt", seed=seed)) for seed, name in enumerate(("fox", "owl"))]
    name = corpus.read_files(space, files, "auto", "", "en")
    shown = corpus.show(space, name, "en")
    assert "fox.txt" in shown and "owl.txt" in shown and "read as UTF-8" in shown


def test_a_column_of_a_table_is_read(space: Workspace, tmp_path: Path) -> None:
    (tmp_path / "tales.csv").write_text('title,story\nA,"Once, a fox"\nB,"Twice, an owl"\n' * 9, encoding="utf-8")
    name = corpus.read_files(space, [str(tmp_path / "tales.csv")], "auto", "story", "en")
    assert "Once, a fox" in space.path(name).read_text(encoding="utf-8")
    assert "title" not in space.path(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("sample", ["tales", "tales_ja"])
def test_a_shipped_sample_is_there_without_a_network(space: Workspace, sample: str) -> None:
    assert corpus.read_sample(space, sample) == sample
    assert space.corpus(sample).statistics.characters > 50_000


def test_a_classic_that_cannot_be_fetched_says_what_to_do(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LM_PLAYGROUND_CACHE", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a network that is down, at once
    with pytest.raises(CorpusError, match="go online"):
        corpus.read_sample(space, "tinyshakespeare")


def test_nothing_to_read_is_said_and_not_tried(space: Workspace) -> None:
    with pytest.raises(CorpusError, match="drop"):
        corpus.read_files(space, None, "auto", "", "en")
    with pytest.raises(CorpusError, match="貼り付け"):
        corpus.read_pasted(space, " \n\u200b\ufeff", "ja")  # nobody sees anything of it


def test_tokenizers_are_compared_side_by_side(
    space: Workspace, published_encodings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # o200k_base is not in the cache: its row says so
    name = corpus.read_pasted(space, "the fox sees the lamp on the hill. " * 60, "en")
    shown = corpus.compare(space, name, 300, "en")
    assert [tokenizer in shown for tokenizer in corpus.COMPARED] == [True] * len(corpus.COMPARED)
    assert "50,257" in shown  # gpt2's vocabulary
    assert "go online once" in shown


def test_a_short_text_is_warned_about_and_a_long_one_is_not(space: Workspace) -> None:
    short, long = corpus.read_pasted(space, "a fox. " * 50, "en"), corpus.read_sample(space, "tales")
    assert "by heart" in corpus.show(space, short, "en")
    assert "by heart" not in corpus.show(space, long, "en")


# ---------------------------------------------------------------------------------------------- train


def test_training_without_a_text_says_where_to_get_one(space: Workspace) -> None:
    with pytest.raises(CorpusError, match="Corpus tab"):
        train.start(space, None, "quickstart", "", "en", *choosing.recipe_values("quickstart"))


def test_settings_that_cannot_be_start_nothing(space: Workspace) -> None:
    name = corpus.read_pasted(space, "a fox. " * 50, "en")
    values = [
        0 if f.name == "n_layer" else v
        for (_, f), v in zip(choosing.FIELDS, choosing.recipe_values("llm0"), strict=True)
    ]
    with pytest.raises(LMError, match="n_layer=0"):
        train.start(space, name, "llm0", "", "en", *values)
    assert run_dir.list_runs(space.runs_dir) == []


def test_the_recipe_and_the_text_are_named_before_training(space: Workspace) -> None:
    name = corpus.read_pasted(space, "a fox. " * 50, "en")
    shown = text_of(choosing.about_text(space, name, "en") + recipe_cards.cards("llm0", "en"))
    assert "The llm0 transformer" in shown and "pasted" in shown and "350 characters" in shown


def test_stopping_asks_the_trainer(space: Workspace) -> None:
    run = fabricate(space.runs_dir, "one", state="running")
    with run_dir.owned(run):
        train.stop(space, "one")
    assert run.stop.exists()


# ---------------------------------------------------------------------------------------------- share


def test_sharing_gives_a_zip_and_a_folder(trained: Workspace) -> None:
    assert Path(takeaway.zip_run(trained, "fox", "en")).name == "fox.zip"
    shown = takeaway.export(trained, "fox", "", "en")
    assert "model.safetensors" in shown and "from_pretrained" in shown


def test_nothing_to_share_teaches(space: Workspace) -> None:
    assert "first measurement" in share.note(space, "en")
    with pytest.raises(RunError):
        takeaway.zip_run(space, None, "en")


# ---------------------------------------------------------------------------------------------- the page and its edge


def test_a_first_visit_finds_a_text_in_its_language(space: Workspace) -> None:
    assert page.enter(space, "ja", "a page")[1]["value"] == "tales_ja"


def test_a_second_visit_finds_what_was_read_last(space: Workspace) -> None:
    corpus.read_sample(space, "tales")
    corpus.read_pasted(space, "a fox. " * 50, "en")
    assert page.enter(space, "en", "a page")[1]["value"] == "pasted"


def test_no_handler_can_be_called_from_outside_the_page(space: Workspace) -> None:
    events = page.build_app(Workspaces(space)).fns.values()
    assert len(events) > 15
    assert {event.api_visibility for event in events} == {"private"}


def test_inputs_are_not_stored_in_the_browser(space: Workspace) -> None:
    assert page.launch_options(Workspaces(space))["run_history"] is False


def fail() -> None:
    raise RunError("n_embd=<130> is wrong;\nuse 128")


def fail_later():
    yield 1
    fail()


@pytest.fixture
def edge(space: Workspace) -> Edge:
    return Edge(Workspaces(space))


@pytest.mark.parametrize("handler", [fail, partial(lambda one: fail(), 1)])
def test_a_users_mistake_becomes_a_message_with_its_own_words(edge: Edge, handler) -> None:
    with pytest.raises(gr.Error) as caught:
        edge.guarded(handler)(None)
    assert caught.value.message == "n_embd=&lt;130&gt; is wrong;<br>use 128"


def test_a_mistake_stands_beside_its_cause_and_leaves_the_rest_as_it_is(edge: Edge) -> None:
    first, told = edge.guarded(fail, n=1, is_told=True)(None)
    assert first == gr.skip() and "n_embd=&lt;130&gt; is wrong" in told and 'role="alert"' in told
    assert edge.guarded(lambda: "fine", n=1, is_told=True)(None) == ("fine", "")


def test_a_mistake_after_a_good_start_is_told_too(edge: Edge) -> None:
    begun, ended = edge.guarded(fail_later, n=1, told_at=0, is_told=True)(None)
    assert begun == 1 and "use 128" in ended


def test_a_bug_stays_a_bug(edge: Edge) -> None:
    with pytest.raises(ZeroDivisionError):
        edge.guarded(lambda: 1 / 0, is_told=True)(None)


def test_the_edge_keeps_a_handlers_parameters_and_brings_its_workspace(edge: Edge, space: Workspace) -> None:
    def handler(space: Workspace, language: str, event: gr.EventData) -> tuple:
        return space, language, event

    guarded = edge.guarded(handler, n=3)
    assert list(inspect.signature(guarded).parameters) == ["request", "language", "event"]
    assert typing.get_type_hints(guarded) == dict(
        space=Workspace, language=str, event=gr.EventData, request=gr.Request, **{"return": tuple}
    )
    assert guarded(None, "en", "clicked") == (space, "en", "clicked")


@pytest.mark.parametrize(
    ("auth", "pairs"), [("", None), ("a:b", [("a", "b")]), ("a:b,c:d:e", [("a", "b"), ("c", "d:e")])]
)
def test_logins_are_read_from_one_flag(auth: str, pairs: list | None) -> None:
    assert page._logins(auth) == pairs


def test_a_login_without_a_password_is_refused() -> None:
    with pytest.raises(SystemExit, match="NAME:PASSWORD"):
        page._logins("reader")
