"""`kill -9` at every single change of the disk that a deed makes: nothing torn is shown, nothing stays, it can be done again.

Real kills: each time the deed is begun in a process of its own, which ends itself just before its n-th change.
"""

from __future__ import annotations

import builtins
import io
import os
import shutil
import signal
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fabricated_runs import fabricate
from hub_server import Hub

from lm import backup, checkpoint, library, run_dir
from lm.backup import Backup
from lm.pull import pull
from lm.push import PushConfig, push
from lm.run_dir import RunDir
from lm.scratch import scratch
from playground.tabs import corpus
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
        self.home, self.run, self.fox = fox.path.parent.parent, fox, shown(fox.path)
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
            text = self.space.corpus(name)
            assert len(text.path.read_text(encoding="utf-8")) == text.statistics.characters
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


def bring(space: Workspace) -> Any:
    """Two files that a browser has brought, read into one text."""
    brought = [space.root.parent.parent / f"brought-{n}.txt" for n in range(2)]
    for path in brought:
        path.write_text(STORY, encoding="utf-8")
    return corpus.read_files(space, [str(path) for path in brought], "auto", "", "en")


def deleted(space: Workspace) -> str:
    """The run's place in the trash; who was killed after the deletion finds it there."""
    return (library.trash(space.runs_dir) or [library.delete(space.runs_dir, "fox")])[0].entry


def delete_and_undo(space: Workspace) -> Any:
    return library.restore(space.runs_dir, deleted(space))


def delete_for_good(space: Workspace) -> Any:
    if space.library.has("fox"):
        deleted(space)
    return library.empty_trash(space.runs_dir, kept_seconds=0.0)


DEEDS = {
    rename: lambda space: space.library.has("vixen") and "vixen" in library.pins(space.runs_dir),
    delete: lambda space: bool(library.trash(space.runs_dir)),
    unpin: lambda space: library.pins(space.runs_dir) == [],
    export: lambda space: (space.exports / "taken").is_dir(),
    pack: lambda space: (space.downloads / "fox.zip").is_file(),
    paste: lambda space: bool(space.names()),
    bring: lambda space: bool(space.names()),
    delete_and_undo: lambda space: (
        space.library.has("fox") and not library.trash(space.runs_dir) and library.pins(space.runs_dir) == ["fox"]
    ),
    delete_for_good: lambda space: not space.library.has("fox") and not library.trash(space.runs_dir),
}


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_a_deed_may_be_killed_at_any_change(place: Place, deed: Deed) -> None:
    assert place.survives(deed, DEEDS[deed]) > 0


# ---------------------------------------------------------------------------------------------- to and from the Hub


@pytest.fixture
def kept(place: Place, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place of which the Hub holds a backup."""
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    Backup("alice/keep", place.home).push()
    return place


def files(folder: Path) -> dict[str, bytes]:
    """What a backup holds of it."""
    held = (path for path in folder.rglob("*") if path.is_file() and path.name not in (*backup.LEFT_OUT, library.AGES))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in held if ".making" not in str(path)}


def killed_while_asking(hub: Hub, what: str, deed: Callable[[], Any]) -> None:
    """Begin `deed` in another process and kill it while the Hub lets it wait for an answer to `what`."""
    asked, answer = len(hub.asked(what)), threading.Event()
    hub.fault(what, hold=answer)
    if not (child := os.fork()):
        try:
            deed()
        finally:
            os._exit(1)
    while len(hub.asked(what)) == asked:
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "it ended by itself"
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    answer.set()


def test_a_restore_may_be_killed_at_any_change(
    hub: Hub, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time on a disk that is new; at a sample of them, for the Hub's own cache makes hundreds."""
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    old, n = tmp_path_factory.mktemp("old"), 0
    fox, _ = (fabricate(old / "runs", name, steps=9) for name in ("fox", "owl"))
    library.delete(old / "runs", "owl")
    Backup("alice/keep", old).push()

    def bring(home: Path) -> int:
        return Backup("alice/keep", home).restore()

    while is_killed(home := tmp_path_factory.mktemp("new"), lambda: bring(home), n):
        for run in run_dir.list_runs(home / "runs"):
            assert files(run.path) == files(fox.path), f"killed before change {n}"
        assert [gone.name for gone in library.trash(home / "runs")] in ([], ["owl"])
        bring(home)
        assert files(home) == files(old) and not hidden(home), f"killed before change {n}"
        n += 9
    assert n > 5 * 9


@pytest.mark.parametrize("what", ["POST /api/models/alice/keep/commit", "PUT /upload", "GET /api/models/alice/keep"])
def test_a_backup_that_is_killed_leaves_a_whole_copy_and_nothing_here(kept: Place, hub: Hub, what: str) -> None:
    before, held = dict(hub.repo("alice/keep").files), files(kept.home)
    checkpoint_file = kept.run.last / checkpoint.WEIGHTS
    checkpoint_file.write_bytes(checkpoint_file.read_bytes() + b"changed")
    killed_while_asking(hub, what, lambda: Backup("alice/keep", kept.home).push())
    assert hub.repo("alice/keep").files in (
        before,
        before | {"runs/fox/last/model.safetensors": checkpoint_file.read_bytes()},
    )
    Backup("alice/keep", kept.home).push()
    assert not hidden(kept.home) and files(kept.home) == held | {
        "runs/fox/last/model.safetensors": checkpoint_file.read_bytes()
    }
    assert hub.repo("alice/keep").files["runs/fox/last/model.safetensors"] == checkpoint_file.read_bytes()


def test_what_is_only_being_made_is_not_backed_up(kept: Place, hub: Hub) -> None:
    with scratch(kept.space.runs_dir) as folder:
        shutil.copytree(kept.run.path, folder / "half")
        Backup("alice/keep", kept.home).push()
    assert not [name for name in hub.repo("alice/keep").files if ".making" in name]


def test_a_run_deleted_right_after_a_restart_does_not_come_back(kept: Place, hub: Hub) -> None:
    again = Backup("alice/keep", kept.home)
    again.restore()
    shutil.rmtree(kept.run.path)
    again.push()
    assert not [name for name in hub.repo("alice/keep").files if name.startswith("runs/fox/")]


def test_a_push_that_is_killed_can_be_done_again(kept: Place, hub: Hub) -> None:
    def send() -> None:
        push(kept.run, PushConfig("alice/fox"), token="hf_alice")

    killed_while_asking(hub, "PUT /upload", send)
    send()
    assert not hidden(kept.home) and "model.safetensors" in hub.repo("alice/fox").files


def test_a_pull_may_be_killed_at_any_change(kept: Place, hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The cache is the Hub's own, and full; what is killed is the making of a run out of it."""
    push(kept.run, PushConfig("alice/fox"), token="hf_alice")
    cache, n = tmp_path_factory.mktemp("cache"), 0

    def fetch(home: Path) -> Path:
        return pull("alice/fox", home / "runs" / "fox", cache=cache).path

    whole = files(fetch(tmp_path_factory.mktemp("first")))
    while is_killed(home := tmp_path_factory.mktemp("new"), lambda: fetch(home), n):
        assert [files(run.path) for run in run_dir.list_runs(home / "runs")] in ([], [whole]), (
            f"killed before change {n}"
        )
        shutil.rmtree(home / "runs" / "fox", ignore_errors=True)
        assert files(fetch(home)) == whole and not hidden(home)
        n += 3
    assert n > 5 * 3


def test_a_download_that_is_killed_goes_on_where_it_was(kept: Place, hub: Hub, tmp_path_factory) -> None:
    push(kept.run, PushConfig("alice/fox"), token="hf_alice")
    home, cache = tmp_path_factory.mktemp("new"), tmp_path_factory.mktemp("cache")
    killed_while_asking(hub, "GET /signed", lambda: pull("alice/fox", home / "fox", cache=cache))
    assert list(home.iterdir()) == []
    assert run_dir.is_run(pull("alice/fox", home / "fox", cache=cache).path)
