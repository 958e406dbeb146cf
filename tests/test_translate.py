"""Every sentence of `lm` that can reach the page is there in Japanese, and what is not recognised stays as it was.

The sentences are collected from the sources: every string of more than a word in a file whose words can be shown, but
for docstrings, help and what goes to a terminal or into a file.
"""

from __future__ import annotations

import ast
import json
import os
import re
import string
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lm import config, encodings, run_dir
from lm.errors import LMError
from lm.names import check_name
from lm.settings import check
from playground.translate import ROWS, SINGLE, template, translated
from playground.words import of_system

ROOT = Path(__file__).parent.parent
# Their words go to a terminal, into a file or into a commit; a page never has them.
TERMINAL = {
    "__main__",
    "webpage",
    "commands",
    "commands_hub",
    "commands_look",
    "commands_plan",
    "terminal",
    "backup",
    "doctor",
    "gguf",
    "track",
    "compiled",
}
# Of these only what is raised can be shown: their other words are help, files and pictures, or have tables of their own
# (`playground.text_settings`, `playground.words.recipes`, `ADVICE`).
RAISED_ONLY = {"account", "card", "config", "figure", "preflight", "prepare", "recipes", "report", "space"}
# Calls whose words nobody reads on a page: of settings, of processes, of programs' own mistakes.
UNSEEN_CALLS = {"setting", "print", "say", "compile", "begun"}
NOT_SHOWN = {
    "The text this model was trained on, written back from its tokens. Whoever published it here is responsible for "
    "having the right to do so; the licence of the model is not a licence of this text.\n",  # a file of a bundle
    "{} the model, its training record and its card",  # a commit
    "process {}: {}: {}",  # between processes
    "quota|storage|limit reached|exceed", "Invalid metadata", "LFS batch API", "out of memory", "allocate memory",
    "could not create a primitive", "can't start new thread", "Consistency check failed",
    "public domain", "public domain; Aozora Bunko's notation is cleaned when it is read", "see the data set's page",
    " or ", "is missing", "Apple GPU",
    # mistakes of ours
    "check_enough() first", "vocab_size comes from the tokenizer and must be set", "a filled cache takes one token at a time",
    "{} tokens do not fit block_size={}; pass the last ones", "Muon's step takes no closure",
    "a byte that has no id cannot be encoded", "another training is another run",
    "{}: {}, {} bytes",  # a line on a terminal
    # kept in a status for the log
    "this training takes about {} of memory and {} are free: {}",
}  # fmt: skip
HOLE = "{}"


# ---------------------------------------------------------------------------------------------- out of the sources


def spelled(node: ast.AST) -> str | None:
    """A string of the source as a template whose holes are `{}`; None for any other node."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return bare(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(one.value if isinstance(one, ast.Constant) else HOLE for one in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = spelled(node.left), spelled(node.right)
        return None if left is None or right is None else left + right
    return None


def bare(words: str) -> str:
    """`words` with the names of its holes left out; a string that only looks as if it had some stays."""
    try:
        parts = list(string.Formatter().parse(words))
    except ValueError:
        return words
    names = [name for _, name, _, _ in parts if name is not None]
    return HOLE.join(literal for literal, *_ in parts) + HOLE * (parts[-1][1] is not None) if names else words


def strings(node: ast.AST, is_raised: bool | None) -> Iterator[str]:
    """Every string below `node`; with `is_raised`, only those in the call of an exception. `False`: outside of one."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in UNSEEN_CALLS:
            return
        is_raised = True if is_raised is not None and name.endswith(("Error", "Cancelled")) else is_raised
    if isinstance(node, ast.AugAssign) and (added := spelled(node.value)) is not None:
        yield from [HOLE + added] if is_raised is not False else []
        return
    if (said := spelled(node)) is not None:
        yield from [said] if is_raised is not False else []
        nested = [one for one in getattr(node, "values", []) if isinstance(one, ast.FormattedValue)]
    else:
        nested = list(ast.iter_child_nodes(node))
    for one in nested:
        is_doc = isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
        if not is_doc:
            yield from strings(one, is_raised)


def is_sentence(said: str) -> bool:
    """Whether a person would miss a translation: two words or more that are no flags and no pattern."""
    words = re.sub(r"\{\}|(?<![\w-])--?[\w-]+(=\S+)?", " 0 ", said)
    return bool(re.search(r"[A-Za-z]{2,}[,;:.)]* +\W*[A-Za-z]{2,}|^ *[a-z]{2,} +0 |0 +[a-z]{2,} *$", words))


def of(path: Path, is_raised: bool | None) -> set[str]:
    return {said for said in strings(ast.parse(path.read_text(encoding="utf-8")), is_raised)}


def shown() -> set[str]:
    """The sentences of `lm` that can reach the page, and those that the page raises itself."""
    found = set()
    for path in (ROOT / "lm").glob("*.py"):
        if path.stem not in TERMINAL:
            found |= of(path, False if path.stem in RAISED_ONLY else None)
    for path in (ROOT / "playground").rglob("*.py"):
        if path.parent.name != "words" and path.stem != "door":
            found |= of(path, False)
    return {said for said in found if is_sentence(said) and not set("\\\n|") & set(said)} - NOT_SHOWN


def everything() -> set[str]:
    """Every string of the sources."""
    files = [*(ROOT / "lm").glob("*.py"), *(ROOT / "playground").glob("*.py"), *(ROOT / "playground/tabs").glob("*.py")]
    return set().union(*(of(path, None) for path in files))


def test_every_sentence_of_lm_is_there_in_japanese() -> None:
    known = {bare(english) for english in ROWS} | SINGLE.keys()
    assert sorted(shown() - known) == []


def test_no_sentence_is_left_over() -> None:
    there = everything()
    assert [row for row in ROWS if row not in of_system.ROWS and bare(row) not in there] == []
    assert [word for word in SINGLE if word not in there] == []


# ---------------------------------------------------------------------------------------------- what comes out


# Holes that Japanese does without: the s of a plural, and what the sentence says twice.
SPARED = {"s", "same"}
ENGLISH = re.compile(r"\b[a-z]+ [a-z]+ [a-z]+\b")


@pytest.mark.parametrize("english", ROWS)
def test_a_sentence_comes_out_in_japanese_with_all_that_it_held(english: str) -> None:
    values = {name: f"«{name}»" for name in template(english).names}
    said = translated(english.format(**values), "ja")
    assert said != english.format(**values) or not is_sentence(english)
    assert not ENGLISH.search(re.sub("`.*?`|lm train .*", "", said))
    assert [name for name in values.keys() - SPARED if f"«{name}»" not in said] == []


def test_english_stays_english() -> None:
    assert translated("no run named 'x' in runs: there are a, b", "en") == "no run named 'x' in runs: there are a, b"


@pytest.mark.parametrize(
    "words", ["", "  ", "何もありません", "something that nobody ever wrote; not even us", "{broken", "- \n- "]
)
def test_what_is_not_known_stays_as_it_is(words: str) -> None:
    assert translated(words, "ja") == words


def test_several_faults_are_told_line_by_line() -> None:
    with pytest.raises(LMError) as caught:
        check(config.ModelConfig(n_embd=130, n_head=4), config.TrainConfig(lr=-1.0, steps=-5))
    lines = translated(caught.value, "ja").splitlines()
    assert len(lines) == 3 and all(line.startswith("- 「") for line in lines)
    assert "「学習率」(lr) = -1.0 は小さすぎます" in lines[2] and "below" not in "".join(lines)


def test_a_fault_within_a_fault_and_what_comes_after_it_are_told_too() -> None:
    wrong = "cannot read /x: No such file or directory; name a file of settings. Nothing on the Hub was changed; the run is as it was"
    assert translated(wrong, "ja") == (
        "/x を読めません(ファイルやフォルダがありません)。設定ファイルを指定してください。"
        "Hub は何も変わっていません。手元の学習もそのままです"
    )


def test_real_mistakes_leave_no_english_behind(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    asked = [
        lambda: encodings.detect(tmp_path / "empty.txt"),
        lambda: encodings.detect(tmp_path / "picture.txt"),
        lambda: encodings.detect(tmp_path / "none.txt"),
        lambda: run_dir.read_json(tmp_path / "config.json"),
        lambda: run_dir.find(tmp_path, "fox"),
        lambda: check_name("a/b"),
    ]
    for ask in asked:
        with pytest.raises(LMError) as caught:
            ask()
        said = translated(caught.value, "ja").replace(str(tmp_path), "").replace("lm train --data FILE", "")
        assert not ENGLISH.search(said), said


@pytest.mark.parametrize("errno", [2, 13, 17, 20, 21, 28, 30])
@pytest.mark.skipif(os.name == "nt", reason="Windows has words of its own")
def test_what_the_system_says_is_known(errno: int) -> None:
    assert translated(os.strerror(errno), "ja") != os.strerror(errno)


def test_what_is_wrong_with_json_is_known() -> None:
    for broken in ("", "{", "[1 2]", '{"a" 1}', '"a', "1 2", '{"a": 1,,}'):
        with pytest.raises(ValueError) as caught:
            json.loads(broken)
        assert "行" in translated(
            f"x.json is damaged ({caught.value}); restore it from a copy, or delete the run", "ja"
        )


HOSTILE = (
    "; " * 9000, "- a; b. " * 2400, "\n- " * 6000, "a is missing; " * 1400, "a is missing. " * 1400,
    ("a is missing; " * 20 + ". ") * 70, "cannot read " * 1600, "{}" * 9000, "x=1 (must be 2); " * 1100,
    "the a, at step " * 1300, "a" * 10_000_000,
)  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE, ids=lambda words: words[:12])
def test_a_hostile_message_costs_no_time(words: str) -> None:
    start = time.process_time()
    translated(words, "ja")
    assert time.process_time() - start < 0.5
