"""`kill -9` at every single change of the disk that a deed makes: nothing torn is shown, nothing stays, it can be done again.

Real kills: each time the deed is begun in a process of its own, which ends itself just before its n-th change.
"""

from __future__ import annotations

import builtins
import io
import os
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub

from lm import backup, checkpoint, library, run_dir
from lm.backup import Backup
from lm.push import PushConfig, push
from lm.pull import pull
from lm.run_dir import RunDir
from playground.workspace import Workspace

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="killed in a fork, which this system does not have")
STORY = "The fox sees a lamp on the hill. " * 40
MOST_CHANGES = 400
Deed = Callable[[Workspace], Any]


class Killer:
    """Ends this process before its `n`-th change of what lies below `root`."""

    def __init__(self, root: Path, n: int) -> None:
        self.root, self.left = str(root), n

    def change(self, path: Any, is_relative: bool = False) -> None:
        if is_relative or str(path).startswith(self.root):
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def guarded(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def guard(*words: Any, **named: Any) -> Any:
            is_relative = any(named.get(name) is not None for name in ("dir_fd", "src_dir_fd"))
            self.change(words[-1] if len(words) > 1 and isinstance(words[-1], (str, Path)) else words[0], is_relative)
            return work(*words, **named)

        return guard

    def open(self, file: Any, mode: str = "r", *words: Any, **named: Any) -> Any:
        if set(mode) & set("wax+"):
            self.change(file)
        return _OPEN(file, mode, *words, **named)

    def lurk(self) -> None:
        builtins.open = io.open = self.open
        for name in ("rename", "replace", "mkdir", "unlink", "remove", "rmdir", "link"):
            setattr(os, name, self.guarded(getattr(os, name)))


_OPEN = builtins.open


def is_killed(root: Path, deed: Callable[[], Any], n: int) -> bool:
    """Begin `deed` in another process and kill it at its n-th change; False if it came to its end before."""
    if not (child := os.fork()):
        code = 1
        try:
            Killer(root, n).lurk()
            deed()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the deed failed by itself"
    return os.WIFSIGNALED(status)


def shown(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` that no reader overlooks, but for locks."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        str(path): (folder / path).read_bytes()
        for path in paths
        if path.name != "lock" and not any(part.startswith(".") for part in path.parts)
    }


def hidden(home: Path) -> list[str]:
    """What was left over: all that begins with a dot, but the trash itself."""
    names = (path.relative_to(home) for path in home.rglob("*"))
    return [str(path) for path in names if path.name.startswith(".") and path.name != library.TRASH]


class Place:
    """A home with the run `fox` in it, and a look at whether all that it shows is whole."""

    def __init__(self, fox: RunDir) -> None:
        self.home, self.fox = fox.path.parent.parent, shown(fox.path)
        self.space = Workspace(self.home / "workspace", fox.path.parent)
        library.pin(self.space.runs_dir, "fox")
        self.original = self.home.with_name(f"{self.home.name}-before")
        shutil.copytree(self.home, self.original)

    def renew(self) -> None:
        shutil.rmtree(self.home)
        shutil.copytree(self.original, self.home)

    def check(self) -> None:
        """Every run is the fox, every text is its own, every export and zip has all its files."""
        runs = run_dir.list_runs(self.space.runs_dir) + [
            RunDir(self.space.runs_dir / library.TRASH / gone.entry) for gone in library.trash(self.space.runs_dir)
        ]
        for run in runs:
            assert shown(run.path) == self.fox, run.name
        for name in self.space.names():
            corpus = self.space.corpus(name)
            assert len(corpus.path.read_text(encoding="utf-8")) == corpus.statistics.characters
        for path in self.home.glob("workspace/exports/[!.]*"):
            assert {file.name for file in path.iterdir()} == set(checkpoint.FILES), path
        for path in self.home.glob("workspace/downloads/[!.]*.zip"):
            assert zipfile.ZipFile(path).testzip() is None

    def survives(self, deed: Deed, is_done: Callable[[Workspace], bool]) -> int:
        """Kill `deed` at each of its changes, one after the other; how many there were."""
        for n in range(MOST_CHANGES):
            self.renew()
            if not is_killed(self.home, lambda: deed(self.space), n):
                return n
            self.check()
            if not is_done(self.space):
                deed(self.space)
            assert is_done(self.space), f"killed before change {n}"
            self.check()
            self.space.sweep()
            assert not hidden(self.home), f"killed before change {n}"
        raise AssertionError("it never came to its end")


@pytest.fixture
def place(fox: RunDir) -> Place:
    return Place(fox)


def rename(space: Workspace) -> Any:
    return library.rename(space.runs_dir, "fox", "vixen")


def delete(space: Workspace) -> Any:
    return library.delete(space.runs_dir, "fox")


def unpin(space: Workspace) -> Any:
    return library.pin(space.runs_dir, "fox", False)


def export(space: Workspace) -> Any:
    return space.export("fox", "taken")


def pack(space: Workspace) -> Any:
    return space.zip("fox")


def paste(space: Workspace) -> Any:
    return space.add_text(STORY)


DEEDS = {
    rename: lambda space: space.library.has("vixen") and "vixen" in library.pins(space.runs_dir),
    delete: lambda space: bool(library.trash(space.runs_dir)),
    unpin: lambda space: library.pins(space.runs_dir) == [],
    export: lambda space: (space.exports / "taken").is_dir(),
    pack: lambda space: (space.downloads / "fox.zip").is_file(),
    paste: lambda space: bool(space.names()),
}


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_a_deed_may_be_killed_at_any_change(place: Place, deed: Deed) -> None:
    assert place.survives(deed, DEEDS[deed]) > 0
