"""Runs that outlive their disk: a private repository on the Hub that holds a copy of them.

For a Space without persistent storage, whose disk is new after every sleep. `LM_BACKUP_REPO=user/name` and a token that
may write there (`HF_TOKEN`) turn it on: `restore` brings back at the start what is missing, `Backup.keep` sends what has
changed every few minutes and as soon as a run has ended. What a training goes on from (`resume/`) is included, so a run
that died with its machine is *dead* afterwards and can be resumed.

It reads what trainers write and nothing else, in a process of its own: it cannot slow or break them, and what the Hub
refuses is tried again the next time. Every change would stay in the repository's history, and take room there, for ever:
the history is made into one commit at the first push of a process, and again after every `SQUASH_COMMITS`.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, HTTPError, RepositoryNotFoundError

from lm import hub, run_dir
from lm.errors import HubError, LMError
from lm.library import TRASH
from lm.run_dir import RunDir
from lm.scratch import scratch, sweep

SETTING = "LM_BACKUP_REPO"
INTERVAL_SECONDS, LOOK_SECONDS = 300.0, 5.0
SQUASH_COMMITS = 50  # some hours of training; a state of 100 MB in each commit makes 5 GB. assumed
LEFT_OUT = ("lock", "stop", "previous.safetensors")  # of one machine and moment, or of the state before
VISITORS = "visitors"  # where a Space keeps what is theirs, beside the runs
GROWING = (".jsonl", ".txt")  # appended to, so a link to them would grow while it is sent
Seen = tuple[int, int, int]  # inode, time of change, size
UNKNOWN: Seen = (0, 0, 0)  # of what the repository holds, and whether it is the same here


class Backup:
    """The copy of `folders` below `home` in `repo`, and what of them it holds by now."""

    def __init__(self, repo: str, home: Path, folders: tuple[str, ...] = ("runs", VISITORS)) -> None:
        self.repo, self.home, self.folders = hub.check_repo(repo), Path(home), folders
        self._sent: dict[str, Seen] = {}
        self._commits = SQUASH_COMMITS  # since the history was one commit; who knows how many a process before us made

    def restore(self) -> int:
        """Bring back what the repository holds and this disk lacks; how many files. Nothing is overwritten."""
        api = hub.connect(os.environ.get("HF_TOKEN"))
        with hub.explaining(self.repo), hub.quietly():
            try:
                info = hub.promptly(api.model_info, hub.never, self.repo)
            except RepositoryNotFoundError:
                return 0
            self._must_be_private(info.private)
            names = [sibling.rfilename for sibling in info.siblings or () if self._is_ours(sibling.rfilename)]
            missing = [name for name in names if not (self.home / name).exists()]
            for folder in self.folders:
                sweep(self.home / folder)
                if wanted := [name for name in missing if name.startswith(f"{folder}/")]:
                    self._bring(api, info.sha, folder, wanted)
        self._sent = dict.fromkeys(names, UNKNOWN) | {name: _seen(self.home / name) for name in missing}
        return len(missing)

    def _bring(self, api: HfApi, commit: str, folder: str, names: list[str]) -> None:
        """Fetch `names`, all below `folder`; whoever is killed meanwhile leaves no half of a run to be shown."""
        with scratch(_made(self.home / folder)) as place:
            for whole, group in self._places(names).items():
                for name in group:
                    fetched = hub.patiently(
                        api.hf_hub_download, self.repo, name, revision=commit, cache_dir=place / "cache"
                    )
                    _move(Path(fetched).resolve(), place / name)  # not copied: a run may be as large as what is free
                _move(place / whole, self.home / whole)

    def _places(self, names: list[str]) -> dict[str, list[str]]:
        """`names` by what appears at once: a run that is not here comes whole, any other file by itself."""
        places: dict[str, list[str]] = {}
        for name in names:
            run = _run_of(name)
            places.setdefault(name if not run or (self.home / run).exists() else run, []).append(name)
        return places

    def push(self) -> int:
        """Send what has changed since the last time, in one commit; how many files. `HubError` says what forbids it."""
        found = self._files()
        changed = [name for name, seen in found.items() if self._sent.get(name) != seen]
        gone = [name for name in self._sent if name not in found]
        if not changed and not gone:
            return 0
        api = hub.connect(os.environ.get("HF_TOKEN"))
        with hub.explaining(self.repo), hub.quietly(), self._frozen(changed) as frozen:
            hub.patiently(api.create_repo, self.repo, private=True, exist_ok=True)
            self._must_be_private(hub.patiently(api.model_info, self.repo).private)
            operations = [CommitOperationAdd(name, path) for name, path in frozen.items()]
            operations += [CommitOperationDelete(name) for name in gone]
            hub.patiently(api.create_commit, self.repo, operations, commit_message="Keep the runs")
            self._squash(api)
        self._sent = {name: seen for name, seen in self._sent.items() if name in found}
        self._sent |= {name: found[name] for name in frozen}
        return len(frozen) + len(gone)

    def _squash(self, api: HfApi) -> None:
        """Make the history one commit when it is time to; what is kept stays, and a refusal loses nothing."""
        self._commits += 1
        if self._commits > SQUASH_COMMITS:
            self._commits = 0
            with suppress(HfHubHTTPError, HTTPError):
                api.super_squash_history(self.repo, commit_message="Keep the runs")

    def keep(self, is_over: Callable[[float], bool], say: Callable[[str], None] = lambda text: None) -> None:
        """Push every `INTERVAL_SECONDS` and whenever a run has ended, until `is_over(seconds)`, which waits, says so."""
        waited, active = 0.0, self._active()
        while not is_over(LOOK_SECONDS):
            waited, before, active = waited + LOOK_SECONDS, active, self._active()
            if waited >= INTERVAL_SECONDS or before - active:
                waited = 0.0
                try:
                    self.push()
                except (LMError, OSError) as error:
                    say(f"the runs were not backed up: {error}")

    # ------------------------------------------------------------------------------------------ what there is

    def _files(self) -> dict[str, Seen]:
        """Every file worth keeping, by its name in the repository; resume states first: they may lack what logs have."""
        found = {}
        for path in sorted(self._walk(), key=lambda path: (path.parent.name != "resume", path)):
            name = path.relative_to(self.home).as_posix()
            is_kept = path.name not in LEFT_OUT and not path.name.startswith(".") and self._is_ours(name)
            with suppress(FileNotFoundError):  # replaced or deleted at this moment: the next push takes it
                if is_kept and path.is_file() and not path.is_symlink():
                    found[name] = _seen(path)
        return found

    def _active(self) -> set[Path]:
        """The runs that are being trained."""
        paths = {path.parent for path in self._walk() if path.name == "status.json"}
        return {path for path in paths if run_dir.state(RunDir(path)) in run_dir.ACTIVE_STATES}

    def _walk(self) -> Iterator[Path]:
        """Every file there is, but for those that are just being made; folders may come and go meanwhile."""
        for folder in self.folders:
            for where, folders, files in os.walk(self.home / folder):
                folders[:] = [name for name in folders if not name.startswith(".") or name == TRASH]
                yield from (Path(where) / name for name in files)

    @contextmanager
    def _frozen(self, names: list[str]) -> Iterator[dict[str, Path]]:
        """The files as they are now, whatever becomes of them while they are sent; those that are gone are left out."""
        with scratch(self.home) as folder:
            frozen = {name: folder / str(n) for n, name in enumerate(names)}
            for name, path in frozen.items():
                _freeze(self.home / name, path)
            yield {name: path for name, path in frozen.items() if path.exists()}

    def _is_ours(self, name: str) -> bool:
        """Whether a name of the repository is one of a file below our folders, and no way out of them."""
        parts = PurePosixPath(name).parts
        is_plain = all(part not in (".", "..") and not set(part) & set("\\:\0") for part in parts)
        return is_plain and len(parts) > 1 and parts[0] in self.folders

    def _must_be_private(self, is_private: bool | None) -> None:
        if not is_private:
            raise HubError(f"{self.repo} is public, and runs hold texts; make it private, or name another in {SETTING}")


def start(runs_dir: Path, say: Callable[[str], None] | None = None) -> Backup | None:
    """Where `LM_BACKUP_REPO` names a repository: bring back the runs, then keep them in it from a thread."""
    tell = say or (lambda text: print(text, file=sys.stderr, flush=True))
    if not (repo := os.environ.get(SETTING, "").strip()):
        return None
    try:
        backup = Backup(repo, runs_dir.parent, (runs_dir.name, VISITORS))
        tell(f"{backup.restore()} files brought back from {repo}")
    except (LMError, OSError) as error:
        tell(f"no backup: {error}")  # a page without its old runs is better than none
        return None
    threading.Thread(target=backup.keep, args=(threading.Event().wait, tell), daemon=True).start()
    return backup


def _seen(path: Path) -> Seen:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _freeze(source: Path, to: Path) -> None:
    try:
        if source.suffix in GROWING:
            shutil.copyfile(source, to)
        else:
            os.link(source, to)
    except FileNotFoundError:
        return  # replaced or deleted at this moment: the next push takes it
    except OSError:
        shutil.copyfile(source, to)


def _move(made: Path, to: Path) -> None:
    """What was made whole, at its place at once."""
    _made(to.parent)
    os.rename(made, to)


def _run_of(name: str) -> str:
    """The run that a file of the repository belongs to, as `runs/NAME` or `visitors/KEY/runs/NAME`; or none."""
    parts = PurePosixPath(name).parts
    start = 1 if parts[0] != VISITORS else 3 if parts[2:3] == ("runs",) else len(parts)
    depth = start + (2 if parts[start : start + 1] == (TRASH,) else 1)
    return "/".join(parts[:depth]) if len(parts) > depth else ""


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
