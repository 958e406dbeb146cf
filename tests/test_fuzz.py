"""Hostile bytes: words each time, never a traceback, never a hang. `benchmarks/fuzz.py` is the long version."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm.corpus import read_corpus
from lm.errors import CorpusError, LMError
from lm.markup import LONGEST_PART, Choices, extracted
from lm.webpage import visible_text

ROOT = Path(__file__).parent.parent
N_CASES = 300
SLOW_IF = 5.0  # seconds for a megabyte; a careless pattern takes hours


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield importlib.import_module("fuzz")


def test_hundreds_of_hostile_cases_are_read_or_refused_in_words(fuzz: ModuleType, tmp_path: Path) -> None:
    said: list[str] = []
    result = fuzz.fuzz(tmp_path, N_CASES, seed=20261121, report=said.append)
    assert result["faults"] == [], "\n".join(said)
    assert result["read"] > 20 and result["refused"] > 20


def test_the_judge_knows_a_traceback_and_a_hang(fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fuzz.judge(lambda: {}["missing"])[0] == "traceback"
    assert fuzz.judge(lambda: (_ for _ in ()).throw(CorpusError("no text")))[0] == "refused"
    monkeypatch.setattr(fuzz, "MOST_SECONDS", 0.0)
    assert fuzz.judge(lambda: time.sleep(0.01))[0] == "hang"


REPEATED = {
    "page.html": [
        "<a",
        "<!--",
        "<!",
        "<a b='",
        "</",
        "&#",
        "&",
        "<svg>",
        "</math>",
        "<pre> ",
        "<script>",
        "<b> ",
        "= '",
    ],
    "book.txt": ["《", "｜", "［＃", "※［＃", "［＃［x］", "-", "［x］", "1-1-"],
    "table.csv": [",", '"', '""', "a,", "\t"],
    "records.jsonl": ["[", '{"a":', '"', "\\u", "1", "\n"],
    "list.json": ["[", "[[", '["a",', "1,", '{"a":['],
}


@pytest.mark.parametrize(("name", "piece"), [(name, piece) for name, pieces in REPEATED.items() for piece in pieces])
def test_no_piece_of_notation_repeated_makes_a_reader_wait(name: str, piece: str) -> None:
    start = {"book.txt": "［＃《a》", "list.json": "[", "page.html": "<pre>"}.get(name, "")
    text, began = start + piece * (200_000 // len(piece)), time.process_time()
    try:
        for _ in extracted(iter([text]), Path(name), Choices(), []):
            pass
    except CorpusError:
        pass
    assert time.process_time() - began < SLOW_IF


@given(st.lists(st.sampled_from(["<p>", "</p>", "<b", ">", "a", " ", "\n", "&amp;", "&#12354;", "<!--", "-->", "<pre>", "</pre>",
                                 "<script>", "</script>", "<a b='", "'", "<rt>", "</ruby>", "<", "/"])), st.integers(1, 9))  # fmt: skip
def test_a_page_reads_the_same_wherever_its_chunks_end(parts: list[str], size: int) -> None:
    page = "".join(parts)
    assert "".join(visible_text(page[i : i + size] for i in range(0, len(page), size))) == "".join(visible_text([page]))


@given(st.lists(st.text(max_size=20) | st.integers() | st.lists(st.text(max_size=3)), max_size=8), st.integers(1, 9))
def test_a_json_list_reads_the_same_wherever_its_chunks_end(values: list, size: int) -> None:
    import json

    text = json.dumps(values)
    chunks = (text[i : i + size] for i in range(0, len(text), size))
    found = "".join(extracted(chunks, Path("x.json"), Choices(), []))
    assert found == "".join(extracted(iter([text]), Path("x.json"), Choices(), []))


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.json", "x.txt"])
def test_what_never_ends_is_refused_before_memory_is_spent(name: str) -> None:
    """A line, record or value of which a gigabyte comes: read up to its bound, and no further."""
    taken = 0

    def endless():
        nonlocal taken
        yield '["' if name == "x.json" else '"［＃《a》'
        while taken < 1 << 30:
            taken += 1 << 20
            yield "x" * (1 << 20)

    with pytest.raises(CorpusError, match="read whole|not JSON"):
        for _ in extracted(endless(), Path(name), Choices(aozora="yes"), []):
            pass
    assert taken <= 4 * LONGEST_PART


def test_a_number_that_no_character_has_is_shown_as_unreadable() -> None:
    assert "".join(visible_text(["a&#" + "9" * 5000 + ";b&#x110000;"])) == "a\ufffdb\ufffd\n"


@given(data=st.binary(max_size=300), suffix=st.sampled_from([".txt", ".csv", ".jsonl", ".json", ".html"]))
def test_any_bytes_are_a_text_or_a_corpus_error(tmp_path_factory, data: bytes, suffix: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / f"x{suffix}").write_bytes(data)
    try:
        assert read_corpus([folder / f"x{suffix}"], folder / "clean").statistics.characters > 0
    except LMError as error:
        assert str(error)


@pytest.mark.parametrize(
    "words", [["train", "--data", "\ud800"], ["resume", "x" * 400], ["runs", "--runs-dir", "a\udcff"]]
)
def test_a_command_of_awkward_words_ends_in_one_line(words: list[str], tmp_path: Path) -> None:
    import os

    process = subprocess.run(
        [sys.executable, "-m", "lm", *(os.fsencode(word.replace("\ud800", "\udcff")) for word in words)],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60,
    )  # fmt: skip
    assert process.returncode in (0, 2) and b"Traceback" not in process.stderr


UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "lm").rglob("*.py")) + sorted((ROOT / "playground").rglob("*.py")), ids=str
)
def test_nothing_is_ever_unpickled_or_evaluated(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
            assert not {name.split(".")[0] for name in names} & UNPICKLING, f"{path}:{node.lineno}"
        if not isinstance(node, ast.Call):
            continue
        called, flags = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
        assert called not in ("eval", "exec", "os.system"), f"{path}:{node.lineno} calls {called}"
        assert called not in ("yaml.load", "yaml.unsafe_load", "yaml.full_load"), f"{path}:{node.lineno}"
        assert called != "torch.load" or flags.get("weights_only") == "True", f"{path}:{node.lineno}"
        assert flags.get("allow_pickle", "False") == "False", f"{path}:{node.lineno}"
        assert flags.get("shell", "False") == "False", f"{path}:{node.lineno} runs a shell"
        assert flags.get("trust_remote_code", "False") == "False", f"{path}:{node.lineno}"
