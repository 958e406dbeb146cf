"""A disk that is full or read-only when the page wants to write: words beside the button, and nothing half-made is left."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_disk import room_for

from lm import library, run_dir
from lm.files import refusal
from lm.run_dir import RunDir
from playground import shelf
from playground.edge import Edge
from playground.tabs import corpus
from playground.workspace import Workspace
from playground.workspaces import Workspaces

STORY = "The fox sees a lamp on the hill. " * 40
CURE = re.compile("free some|choose another", re.IGNORECASE)
REQUEST = SimpleNamespace(headers={})


def paste(space: Workspace) -> str:
    return corpus.read_pasted(space, STORY, "en")


def rename(space: Workspace) -> str:
    return shelf.edit(space, "fox", "rename", "vixen")


def pin(space: Workspace) -> str:
    return shelf.edit(space, "fox", "pin", "")


def delete(space: Workspace) -> str:
    return library.delete(space.runs_dir, "fox").name


def export(space: Workspace) -> Path:
    return space.export("fox", "")


def pack(space: Workspace) -> Path:
    return space.zip("fox")


def pressed(space: Workspace, deed: Callable[[Workspace], Any]) -> str:
    """What stands beside the button after it was pressed: nothing, or what went wrong."""
    return Edge(Workspaces(space)).guarded(deed, 1, None, True)(REQUEST)[-1]


def visible(space: Workspace) -> list[str]:
    """The files that somebody could take for whole ones."""
    paths = (path.relative_to(space.root.parent) for path in space.root.parent.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if not any(part.startswith(".") for part in path.parts))


@pytest.mark.parametrize("why", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
@pytest.mark.parametrize("deed", [paste, pin, delete, export, pack], ids=lambda deed: deed.__name__)
def test_a_disk_that_refuses_is_said_and_nothing_half_is_left(fox: RunDir, deed: Callable, why: int) -> None:
    space = Workspace(fox.path.parent.parent / "workspace", fox.path.parent)
    before, n = visible(space), 0
    while True:
        with room_for(n, space.root.parent, why) as disk:
            said = pressed(space, deed)
        if disk.changes <= n:
            break
        assert CURE.search(said), f"after {n} changes: {said!r}"
        assert run_dir.state(fox) == "finished" and not space.names()
        left = [path for path in visible(space) if path not in before and not path.startswith("workspace/exports/")]
        assert not left, f"after {n} changes"
        n += 1
    assert said == "" and n > 0


def test_after_a_full_disk_the_same_press_works(fox: RunDir) -> None:
    space = Workspace(fox.path.parent.parent / "workspace", fox.path.parent)
    with room_for(3, space.root.parent):
        assert CURE.search(pressed(space, paste))
    assert pressed(space, paste) == "" and space.names() == ["pasted"]
    assert pressed(space, rename) == "" and space.library.has("vixen")


def test_a_failure_that_is_no_refusal_of_the_disk_stays_a_bug(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        refusal(IsADirectoryError(errno.EISDIR, "Is a directory", str(tmp_path)))
