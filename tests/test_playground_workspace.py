"""The workspace keeps clean texts and takes models along; names from a page never leave it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from runs import request, write_text

from lm import run_dir, trainer
from lm.checkpoint import load_model
from lm.errors import CheckpointError, CorpusError, LMError, RunError
from lm.run_dir import RunDir
from playground import workspace
from playground.workspace import Workspace


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs directory with one tiny finished run, `fox`."""
    folder = tmp_path_factory.mktemp("trained")
    run = run_dir.create(folder / "runs", "fox")
    trainer.train(run, request(write_text(folder / "fox.txt")))
    return run.path.parent


@pytest.fixture
def space(tmp_path: Path, trained: Path) -> Workspace:
    return Workspace(tmp_path / "workspace", trained)


def test_a_text_is_kept_clean_with_what_is_known_of_it(space: Workspace, tmp_path: Path) -> None:
    source = tmp_path / "日記.txt"
    source.write_bytes("今日は晴れ。\r\n明日も晴れ。\r\n".encode("shift_jis") * 30)
    name = space.add([source])
    corpus = space.corpus(name)
    assert name == "日記"
    assert workspace.preview(corpus, 14) == "今日は晴れ。\n明日も晴れ。\n"
    assert (corpus.statistics.distinct_characters, len(corpus.alphabet)) == (9, 9)
    assert [file.name for file in corpus.files] == ["日記.txt"]


def test_the_same_text_keeps_its_name_and_another_gets_its_own(space: Workspace) -> None:
    assert space.add_text("one text, long enough") == space.add_text("one text, long enough")
    assert space.add_text("another text") == "pasted-2"
    assert space.names() == ["pasted-2", "pasted"]


def test_a_text_that_cannot_be_read_leaves_nothing(space: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    with pytest.raises(CorpusError):
        space.add([tmp_path / "empty.txt"])
    assert list(space.corpora.iterdir()) == []


@pytest.mark.parametrize("name", ["nothing", "../fox", "", "/etc/passwd"])
def test_a_text_that_is_not_there_is_said_so(space: Workspace, name: str) -> None:
    with pytest.raises(CorpusError):
        space.corpus(name)


def test_a_name_cannot_leave_the_runs_directory(space: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(space.runs_dir / "fox", outside)
    for name in (str(outside), os.path.relpath(outside, space.runs_dir), "fox/../fox", "..", ""):
        with pytest.raises(RunError, match="is not the name of a run"):
            space.checkpoint(name)


def test_a_run_without_a_model_says_when_there_will_be_one(space: Workspace, tmp_path: Path) -> None:
    bare = run_dir.create(tmp_path / "runs", "bare")
    bare.log.touch()
    with pytest.raises(CheckpointError, match="first measurement"):
        Workspace(tmp_path, tmp_path / "runs").checkpoint("bare")


def test_models_are_listed_the_best_first(space: Workspace) -> None:
    assert space.checkpoints() == [("fox", "best"), ("fox", "last")]


def test_a_model_is_loaded_once_while_it_stays_the_same(space: Workspace) -> None:
    assert space.model("fox", "best")[0] is space.model("fox", "best")[0]


def test_an_export_loads_without_the_run(space: Workspace) -> None:
    path = space.export("fox", "My model!")
    assert path == space.exports / "My-model"
    assert load_model(path).config == load_model(RunDir(space.runs_dir / "fox").best).config


def test_an_export_never_overwrites_something_else(space: Workspace) -> None:
    (space.exports / "mine").mkdir(parents=True)
    (space.exports / "mine" / "diary.txt").write_text("dear diary", encoding="utf-8")
    with pytest.raises(LMError, match="diary.txt"):
        space.export("fox", "mine")


def test_an_export_cannot_leave_the_workspace(space: Workspace) -> None:
    assert space.export("fox", "../../elsewhere").parent == space.exports


def test_a_zip_holds_the_model_in_one_folder(space: Workspace, tmp_path: Path) -> None:
    with zipfile.ZipFile(space.zip("fox")) as packed:
        packed.extractall(tmp_path / "unpacked")
    assert [entry.name for entry in (tmp_path / "unpacked").iterdir()] == ["fox"]
    load_model(tmp_path / "unpacked" / "fox")


def test_a_tokenizer_is_measured_and_its_pieces_are_the_text(space: Workspace) -> None:
    corpus = space.corpus(space.add_text("the fox sees the lamp on the hill. " * 60))
    char, bpe = (workspace.cut(corpus, name, 300) for name in ("char", "bpe"))
    assert char.tokens == char.characters == corpus.statistics.characters
    assert bpe.tokens < char.tokens
    assert "".join(bpe.pieces) == "".join(char.pieces) == workspace.preview(corpus, workspace.CUT_CHARACTERS)


def test_a_published_tokenizer_is_measured_too(space: Workspace, published_encodings: Path) -> None:
    corpus = space.corpus(space.add_text("the fox sees the lamp on the hill. " * 60))
    assert workspace.cut(corpus, "gpt2", 300).vocab_size == 50257


def test_a_tokenizer_that_cannot_be_had_says_why(
    space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "nothing"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # a network that is down, at once
    fault = workspace.cut(space.corpus(space.add_text("a short text")), "o200k_base", 300).fault
    assert "o200k_base" in fault and "go online" in fault


def test_the_app_computes_on_one_thread_and_its_trainings_do_not_know(tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from playground.workspace import Workspace\n"
        "space = Workspace(Path('w'), Path('r')); space.look_at_device(); import torch\n"
        "print(torch.get_num_threads(), os.environ.get('OMP_NUM_THREADS'), space.device)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    root = Path(__file__).parent.parent
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True
    ).stdout
    assert said.startswith("1 None ") and len(said.split()) >= 3


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write"):
        Workspace(tmp_path / "file", tmp_path / "runs").add_text("some text")
