"""Copies that an app before this one left are forgotten when they are old, and nothing else is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from playground.served import KEPT_SECONDS, forget_old
from playground.workspace import SERVED, Workspace


def aged(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x", encoding="utf-8")
    for one in (path, path.parent):
        os.utime(one, (time.time() - seconds,) * 2)
    return path


def test_only_what_is_a_day_old_is_forgotten(tmp_path: Path) -> None:
    old, new = aged(tmp_path / "a" / "old.zip", KEPT_SECONDS + 60), aged(tmp_path / "b" / "new.zip", KEPT_SECONDS - 60)
    half = aged(tmp_path / "tmp123", KEPT_SECONDS + 60)
    forget_old(tmp_path)
    assert new.exists() and not old.parent.exists() and not half.exists()
    forget_old(tmp_path / "nowhere")


def test_nothing_but_copies_in_our_own_folder_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither texts, exports and runs, nor a folder that somebody has Gradio use."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "theirs"))
    space, old = Workspace(tmp_path / "workspace", tmp_path / "runs"), 99 * KEPT_SECONDS
    kept = [tmp_path / "theirs" / "x" / "photo.png", space.exports / "fox" / "config.json", space.corpora / "a.txt"]
    kept = [aged(path, old) for path in (*kept, space.runs_dir / "fox" / "log.txt")]
    gone = aged(space.root / SERVED / "x" / "copy.zip", old)
    space.clean()
    assert all(path.exists() for path in kept) and not gone.exists()
