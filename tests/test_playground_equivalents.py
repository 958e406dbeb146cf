"""What a tab shows as a command and as Python does what the tab does: both are run here."""

from __future__ import annotations

import html
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lm import run_dir
from lm.__main__ import main
from lm.run_dir import RunDir
from playground import equivalents

ROOT = Path(__file__).parent.parent


def ways(shown: str) -> tuple[list[str], str]:
    """The command's words and the Python lines of what is shown."""
    ways = re.findall(r"<pre[^>]*>(.*?)</pre>", shown, re.S)
    command, python = (html.unescape(re.sub("<.*?>", "", way)) for way in ways)
    return shlex.split(command), python


def run_lines(lines: str, folder: Path) -> str:
    """What the Python lines print, run in `folder`."""
    process = subprocess.run(
        [sys.executable, "-c", lines], cwd=folder, env=os.environ | dict(PYTHONPATH=str(ROOT)), text=True, capture_output=True
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_a_branch_can_be_had_by_command_and_by_python(fox: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = dict(steps=2, lr=1e-4)
    shown = equivalents.of_fork("fox", "slow", "last", ["--steps", "2", "--lr", "0.0001"], changes, "en")
    (_, *words), lines = ways(shown)
    monkeypatch.chdir(fox.path.parent.parent)
    assert main(words) == 0
    by_command = run_dir.read_json(Path("runs/slow/config.json"))
    os.rename("runs/slow", "runs/by-command")
    run_lines(lines, Path.cwd())
    by_python = run_dir.read_json(Path("runs/slow/config.json"))
    for said in (by_command, by_python):
        del said["memory"]  # what was free at that moment
    assert by_command == by_python and by_python["forked_from"]["checkpoint"] == "last"


def test_a_text_is_cut_by_command_and_by_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "it's a tale.txt"
    text.write_text("The fox sees a lamp on the hill. " * 60, encoding="utf-8")
    (_, *words), lines = ways(equivalents.of_text(str(text), "tale", "en"))
    assert main(words) == 0
    tokens = run_lines(lines, tmp_path).split()[-1]
    assert f" {tokens} tokens" in capsys.readouterr().out


def test_a_push_is_shown_with_what_was_chosen(fox: RunDir, hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    monkeypatch.chdir(fox.path.parent.parent)
    chosen = dict(checkpoint="last", private=True, license="mit", languages=("en", "ja"))
    (_, *words), lines = ways(equivalents.of_push("fox", "alice/fox", chosen, "en"))
    assert main(words) == 0
    assert hub.repo("alice/fox").private
    assert "alice/fox" in run_lines(lines, Path.cwd())
