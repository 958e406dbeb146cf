"""A run → a repository on the Hub, in one commit, and a link that works for a stranger.

In order: who is it, may they write there, what is there already, does the card hold; only then is a repository made,
the large files sent, and everything committed at once. Whatever goes wrong, the error says what exists on the Hub by
then and how to go on. Pushing again goes on where it broke: large files that have arrived are known by their sha256 and
not sent twice, and what has not changed makes no commit.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from lm import bundle, card, hub
from lm.errors import HubError
from lm.hub import Cancelled, Progress
from lm.run_dir import RunDir
from lm.scratch import scratch

MOST_FILE_BYTES = 50_000_000_000  # the Hub's own limit for one file
UNTOUCHED = {".gitattributes", bundle.CARD}  # what a repository may hold that was made by hand and is still empty


@dataclass(frozen=True)
class PushConfig:
    """What to push and where. `private=None` leaves a repository as it is and makes a new one public, unless it is to
    hold a resume state, which holds the text."""

    repo: str
    checkpoint: str = "best"
    private: bool | None = None
    with_corpus: bool = False
    with_resume: bool = False
    license: str = ""
    languages: tuple[str, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class Pushed:
    """`commit` is the state of the repository now; `is_changed` is false when it held exactly this before."""

    repo: str
    url: str
    commit: str
    is_private: bool
    is_new: bool
    is_changed: bool
    files: tuple[str, ...]
    bytes: int


def preview(run: RunDir, config: PushConfig) -> str:
    """The card as it would be pushed, to be read and edited; needs no network."""
    choices = card.Choices(config.license, config.languages, config.with_corpus)
    return card.card_text(run, hub.check_repo(config.repo), choices, config.checkpoint)


def push(
    run: RunDir,
    config: PushConfig,
    *,
    card_text: str = "",
    token: str | None = None,
    progress: Progress = hub.silence,
    should_stop: Callable[[], bool] = hub.never,
) -> Pushed:
    """Push `run`. `HubError` says what went wrong, what exists now and how to go on; `Cancelled`, that one gave up."""
    api = hub.connect(token)
    with hub.explaining(config.repo):
        progress(f"signing in at {hub.endpoint()}", 0, 0)
        name = hub.writable(config.repo, hub.account(api, should_stop))
    named = PushConfig(**vars(config) | dict(repo=name))
    text = card.checked(card_text or preview(run, named))
    this = _Push(api, named, progress)
    contents = bundle.Contents(config.checkpoint, config.with_corpus, config.with_resume)
    try:
        # Made beside the run, where links to its files are possible.
        with hub.explaining(name), hub.quietly(), scratch(run.path.parent) as folder:
            bundle.write(run, folder, contents, text)
            return hub.attended(lambda is_stopped: this.run(folder, is_stopped), should_stop)
    except HubError as error:
        failure = type(error)(f"{error}. {this.what_exists()}")
    raise failure


class _Push:
    """One push under way, and what it has made so far."""

    def __init__(self, api: HfApi, config: PushConfig, progress: Progress) -> None:
        self.api, self.config, self.progress = api, config, progress
        self.is_new, self.is_private = False, bool(config.private or (config.with_resume and config.private is None))
        self.is_making = self.is_committing = False  # asked for, and no answer came

    def run(self, folder: Path, is_stopped: Callable[[], bool]) -> Pushed:
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        check_sizes(files)
        there = self._look(is_stopped)
        text = (folder / bundle.CARD).read_text(encoding="utf-8")
        self.api._validate_yaml(text)  # the client asks the Hub only after a repository was made
        if there is None:
            self._make(is_stopped)
        stale = sorted(path for path in there or () if path not in files and path.split("/")[0] in bundle.FOLDERS)
        before = self._commit_now(is_stopped)
        commit = self._commit(files, stale, is_stopped)
        url = f"{hub.endpoint()}/{self.config.repo}"
        sizes = sum(path.stat().st_size for path in files.values())
        return Pushed(
            self.config.repo, url, commit, self.is_private, self.is_new, commit != before, tuple(files), sizes
        )

    def what_exists(self) -> str:
        """For the end of an error: what a person finds on the Hub now."""
        where = f"{hub.endpoint()}/{self.config.repo}"
        if self.is_committing:
            return (
                f"The commit may have arrived or not: look at {where}; pushing again completes it and repeats nothing"
            )
        if self.is_making:
            return f"The repository {where} may have been made, and is empty then; push again to go on"
        if self.is_new:
            return (
                f"The repository {where} was made and is still empty; push again to go on (what has arrived is not "
                f"sent twice), or remove it with `hf repos delete {self.config.repo}`"
            )
        return "Nothing on the Hub was changed; the run is as it was"

    # ------------------------------------------------------------------------------------------ steps

    def _look(self, is_stopped: Callable[[], bool]) -> list[str] | None:
        """The files of the repository, None if there is none; `HubError` if it is not ours to write into."""
        self.progress(f"looking at {self.config.repo}", 0, 0)
        try:
            info = hub.patiently(self.api.model_info, self.config.repo, is_stopped=is_stopped)
        except RepositoryNotFoundError:
            return None
        if self.is_private and not info.private:
            what = "it was to be private" if self.config.private else "a resume state holds the whole text"
            raise HubError(
                f"{self.config.repo} exists and is public, and {what}; make it private in its settings, take another "
                "name, or say --no-private"
            )
        self.is_private = bool(info.private)
        files = [sibling.rfilename for sibling in info.siblings or ()]
        foreign = set(files) - UNTOUCHED
        if foreign and f"{bundle.TRAINING}/config.json" not in foreign:
            raise HubError(
                f"{self.config.repo} holds something else already ({min(foreign)}); choose another name, or delete it "
                "first"
            )
        return files

    def _make(self, is_stopped: Callable[[], bool]) -> None:
        self.is_making = True
        try:
            hub.patiently(
                self.api.create_repo, self.config.repo, private=self.is_private, exist_ok=True, is_stopped=is_stopped
            )
        except HfHubHTTPError:
            self.is_making = False
            raise
        self.is_making, self.is_new = False, True

    def _commit_now(self, is_stopped: Callable[[], bool]) -> str | None:
        return hub.patiently(self.api.model_info, self.config.repo, is_stopped=is_stopped).sha

    def _commit(self, files: Mapping[str, Path], stale: list[str], is_stopped: Callable[[], bool]) -> str:
        """Send the large files, then commit everything at once; the commit's hash."""
        meter = _Meter(sum(path.stat().st_size for path in files.values()), self.progress, is_stopped)
        with meter.opened(files) as operations:
            # One file of each content: the client would read a second one through the first one's reader, at once.
            distinct = {operation.upload_info.sha256: operation for operation in operations}
            self.api.preupload_lfs_files(self.config.repo, additions=distinct.values(), free_memory=False)
        if is_stopped():
            raise Cancelled("cancelled")
        gone = [CommitOperationDelete(path) for path in stale]

        def commit() -> str:
            # Fresh ones: when only the answer to a commit was lost, nothing is left to commit.
            with meter.opened(files) as operations:
                return self.api.create_commit(
                    self.config.repo, [*operations, *gone], commit_message=self._message()
                ).oid

        self.is_committing = True
        done = hub.patiently(commit, is_stopped=is_stopped)
        self.is_committing = False
        return done

    def _message(self) -> str:
        return (
            self.config.message or f"{'Add' if self.is_new else 'Update'} the model, its training record and its card"
        )


# ---------------------------------------------------------------------------------------------- counting what is sent


def check_sizes(files: Mapping[str, Path]) -> None:
    """`HubError` before anything is sent when a file is larger than the Hub takes."""
    for name, path in files.items():
        if path.stat().st_size > MOST_FILE_BYTES:
            raise HubError(
                f"{name} has {path.stat().st_size / 1e9:.1f} GB and the Hub takes files of {MOST_FILE_BYTES / 1e9:.0f} "
                "GB; share a smaller model, or leave out --with-corpus and --resume"
            )


class _Meter:
    """Bytes read by the client, file by file: what is being sent, told to `progress`."""

    def __init__(self, total: int, progress: Progress, is_stopped: Callable[[], bool]) -> None:
        self.total, self.progress, self.is_stopped = total, progress, is_stopped
        self.sent: dict[str, int] = {}
        self.lock = threading.Lock()  # the client sends several files at once

    def moved(self, name: str, position: int) -> None:
        if self.is_stopped():
            raise Cancelled("cancelled")
        with self.lock:
            if position > self.sent.get(name, 0):
                self.sent[name] = position
                self.progress(f"sending {name}", sum(self.sent.values()), self.total)

    def opened(self, files: Mapping[str, Path]) -> _Opened:
        return _Opened(self, files)


class _Opened:
    """The files as operations of a commit, closed at the end of the block."""

    def __init__(self, meter: _Meter, files: Mapping[str, Path]) -> None:
        self.readers = {name: _Reader(path, name, meter) for name, path in files.items()}

    def __enter__(self) -> list[CommitOperationAdd]:
        operations = [CommitOperationAdd(name, reader) for name, reader in self.readers.items()]  # hashes each file
        for reader in self.readers.values():
            reader.is_sending = True
        return operations

    def __exit__(self, *exception: object) -> None:
        for reader in self.readers.values():
            reader.close()


class _Reader(io.BufferedReader):
    """A file that tells the meter how far it was read, once it is being sent."""

    def __init__(self, path: Path, name: str, meter: _Meter) -> None:
        super().__init__(open(path, "rb", buffering=0))
        self.name_in_repo, self.meter, self.is_sending = name, meter, False

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.is_sending:
            self.meter.moved(self.name_in_repo, self.tell())
        return data
