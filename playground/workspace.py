"""What the app keeps on disk beside the runs: clean texts, exported models, zips; and the models it has in use.

`workspace/corpora/<slug>.txt` is a clean text, `<slug>.json` beside it says where it came from. Texts are whole or not
there, and two different texts never share a name. `workspace/models/<name>.json` says where a model lies that was
fetched from the Hub or is a folder elsewhere: it stays there. Loaded models live in a small cache below, as opaque
values that only `lm.generate` looks into.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lm import library, run_dir
from lm.config import DataConfig
from lm.corpus import Corpus, FileReport, Report, Statistics, read_chunks, read_corpus
from lm.errors import CheckpointError, CorpusError, LMError, RunError
from lm.names import slug
from lm.scratch import scratch, sweep
from lm.tokenizer import make_tokenizer
from playground import limits
from playground.limits import LimitError, Limits
from playground.planner import Planner
from playground.served import forget_old
from playground.shares import Share
from playground.transfer import Transfers
from playground.views import Library

CHECKPOINTS = ("best", "last")
SERVED = "served"  # below `root`: what browsers bring and fetch, where `GRADIO_TEMP_DIR` names nothing else
FETCHED = "fetched"  # stands where best or last does, for a model that is no run's
PREVIEW_CHARACTERS = 1500
# A comparison of tokenizers reads this much of the text: ratios hardly change after it. assumed.
COMPARED_CHARACTERS = 1 << 20
CUT_CHARACTERS = 240
MEASURE_SECONDS = 10.0  # a look at the disk's use is believed for so long. assumed
# Two models, so that comparing two does not load them again and again. assumed.
MODELS_IN_MEMORY = 2


@dataclass(frozen=True)
class Cut:
    """What one tokenizer makes of a text; `fault` says why there is nothing."""

    tokenizer: str
    tokens: int = 0
    characters: int = 0
    vocab_size: int = 0
    pieces: tuple[str, ...] = ()
    fault: str = ""


class Workspace:
    """The folder `root` and the runs it stands beside."""

    def __init__(self, root: Path, runs_dir: Path, share: Share | None = None):
        self.root, self.share = Path(root), share or Share()
        self.library = Library(runs_dir, self.share.only)
        self.transfers = Transfers()
        self.planner = Planner()
        self.device = ""  # what trains here, in words; known after `look_at_device`
        self._measured = (0.0, 0)  # when, in bytes
        self._secret = secrets.token_urlsafe(24)

    @property
    def runs_dir(self) -> Path:
        return self.library.runs_dir

    @property
    def corpora(self) -> Path:
        return self.root / "corpora"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def downloads(self) -> Path:
        """What a browser may fetch: below the folder that Gradio serves, under a name that nobody can guess."""
        served = os.environ.get("GRADIO_TEMP_DIR")
        return Path(served) / self._secret if served else self.root / "downloads"

    @property
    def models(self) -> Path:
        return self.root / "models"

    def sweep(self) -> None:
        """Remove what an app before this one was making here when it was killed."""
        own = (self.root, self.corpora, self.exports, self.models, self.downloads)
        for folder in (*own, self.runs_dir, self.runs_dir / library.TRASH):
            sweep(folder)

    def clean(self) -> None:
        """`sweep`, and let go of what is old: runs in the trash, copies that browsers brought or fetched."""
        self.sweep()
        with suppress(OSError):  # a disk that can only be read is looked at all the same
            library.empty_trash(self.runs_dir)
        forget_old(self.root / SERVED)  # our own folder; one that somebody else named may hold what is theirs

    def look_at_device(self) -> None:
        """Ask what trains here: takes the import of torch, a second or two."""
        with _one_thread():
            from lm.device import choose_device, in_words
        self.device = in_words(choose_device("auto"))

    def used_bytes(self) -> int:
        """What texts, runs, exports and fetched models take on disk; measured every few seconds at most."""
        at, used = self._measured
        if time.monotonic() - at > MEASURE_SECONDS or not at:
            used = sum(folder_bytes(folder) for folder in (self.root, self.runs_dir)) + self._fetched_bytes()
            self._measured = (time.monotonic(), used)
        return used

    def check_room(self, n_bytes: int, language: str) -> None:
        """Refuse, with a `LimitError`, so much more than its visitor may have on disk.

        What lies in the trash makes room first: who is told to delete a run, and does, has its room.
        """
        if self.share.limits is None:
            return
        try:
            self._check_room(self.share.limits, n_bytes, language)
        except LimitError:
            if not library.trash(self.runs_dir):
                raise
            library.empty_trash(self.runs_dir, kept_seconds=0.0)
            self._check_room(self.share.limits, n_bytes, language)

    def _check_room(self, most: Limits, n_bytes: int, language: str) -> None:
        self._measured = (0.0, 0)  # as it is now, not as it was a while ago
        limits.check_disk(most, self.used_bytes(), n_bytes, language)
        there = next(folder for folder in (self.root, *self.root.parents) if folder.exists())
        limits.check_machine(most, shutil.disk_usage(there).free, n_bytes, language)

    def _fetched_bytes(self) -> int:
        """What the fetched models take, wherever they lie."""
        return sum(run_dir.read_json(path).get("bytes", 0) for path in self.models.glob("*.json"))

    # ------------------------------------------------------------------------------------------ texts

    def names(self) -> list[str]:
        """The texts there are, the one that was read last first."""
        known = sorted(self.corpora.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        return [path.stem for path in known if path.with_suffix(".txt").is_file()]

    def add(
        self,
        sources: Sequence[Path],
        *,
        aozora: str = "auto",
        column: str = "",
        name: str = "",
        report: Report | None = None,
    ) -> str:
        """Read files into one clean text and return its name; the same text read again keeps the name it has."""
        with scratch(_made(self.corpora)) as place:
            corpus = read_corpus(sources, place / "text.txt", aozora=aozora, column=column, report=report)
            wanted = slug(name or Path(corpus.name).stem)
            name = self._name_for(wanted, corpus.statistics.sha256)
            self._keep(name, corpus)
        return name

    def _keep(self, name: str, corpus: Corpus) -> None:
        """Say where a text came from, then put it there: a text without a word about it would lie here unseen for ever.

        One that the disk has no such room for is not spoken of either.
        """
        record = self.corpora / f"{name}.json"
        is_new = not record.exists()
        try:
            run_dir.write_json(record, _record(corpus))
            os.replace(corpus.path, self.path(name))
        except OSError:
            if is_new:
                record.unlink(missing_ok=True)
            raise

    def add_text(self, text: str) -> str:
        """Like `add`, for a text that was pasted."""
        with scratch(_made(self.corpora)) as place:
            path = place / "pasted.txt"
            path.write_text(text, encoding="utf-8", errors="replace", newline="")
            return self.add([path])

    def path(self, name: str) -> Path:
        return self.corpora / f"{name}.txt"

    def corpus(self, name: str) -> Corpus:
        """A text that was read before; `CorpusError` when it is gone."""
        if name not in self.names():
            raise CorpusError(f"there is no text named {name!r} here; read it again on the Corpus tab")
        record = run_dir.read_json(self.corpora / f"{name}.json")
        files = tuple(FileReport(**file | dict(notes=tuple(file["notes"]))) for file in record["files"])
        statistics = Statistics(**record["statistics"])
        return Corpus(self.path(name), record["name"], files, statistics, record["alphabet"])

    def _name_for(self, wanted: str, sha256: str) -> str:
        name, n = wanted, 1
        while (known := self.corpora / f"{name}.json").exists() and self.path(name).exists():
            if run_dir.read_json(known)["statistics"]["sha256"] == sha256:
                break
            n += 1
            name = f"{wanted[:58]}-{n}"
        return name

    # ------------------------------------------------------------------------------------------ models

    def checkpoints(self) -> list[tuple[str, str]]:
        """(run, best or last) of every model that can be used, the newest run first."""
        runs = self.library.runs()
        return [(run.name, which) for run in runs for which in CHECKPOINTS if is_checkpoint(run.path / which)]

    def model(self, run: str, which: str) -> tuple[Any, Any]:
        """(model, tokenizer) of a run, from memory while its weights on disk are the same."""
        folder = self.checkpoint(run, which)
        return _load(folder, (folder / "model.safetensors").stat().st_mtime_ns)

    def checkpoint(self, run: str, which: str = "best") -> Path:
        """The folder of a run's checkpoint, or of a model that was fetched; an `LMError` when there is none."""
        if which == FETCHED:
            return self._fetched(run)
        folder = run_dir.find(self.runs_dir, self._known_run(run)).path / which
        if not is_checkpoint(folder):
            raise CheckpointError(f"run {run!r} has no model yet; it gets one at its first measurement")
        return folder

    def adopt(self, folder: Path, title: str) -> str:
        """Remember a model that lies elsewhere under `title`; its name for `model`, with `FETCHED`."""
        name = f"{slug(title)[:48]}-{hashlib.sha256(title.encode()).hexdigest()[:8]}"
        # The cache of the Hub has links in its folders: what counts is what they lead to.
        n_bytes = sum(path.stat().st_size for path in Path(folder).iterdir() if path.is_file())
        record = dict(title=title, folder=str(Path(folder).resolve()), since=time.time(), bytes=n_bytes)
        run_dir.write_json(_made(self.models) / f"{name}.json", record)
        return name

    def fetched(self) -> list[tuple[str, str]]:
        """(title, name) of every model that was fetched and is still there, the latest first."""
        records = {path.stem: run_dir.read_json(path) for path in self.models.glob("*.json")}
        latest = sorted(records, key=lambda name: -records[name]["since"])
        return [(records[name]["title"], name) for name in latest if is_checkpoint(Path(records[name]["folder"]))]

    def _fetched(self, name: str) -> Path:
        if name not in [known for _, known in self.fetched()]:
            raise CheckpointError(f"the model {name!r} is no longer on this machine; fetch it again")
        return Path(run_dir.read_json(self.models / f"{name}.json")["folder"])

    def export(self, run: str, folder_name: str) -> Path:
        """Write the run's best model as a folder below `exports`; an earlier export of that name is replaced."""
        from lm.checkpoint import export

        source = self.checkpoint(run, self._best_or_last(run))
        to = self.exports / slug(folder_name or run)
        _made(self.exports)
        export(source, to)
        return to

    def zip(self, run: str) -> Path:
        """The run's best model as a zip of one folder, made anew."""
        from lm.checkpoint import export

        source = self.checkpoint(run, self._best_or_last(run))
        with scratch(_made(self.downloads)) as place:
            export(source, place / run)
            packed = shutil.make_archive(str(place / "packed"), "zip", place, run)
            os.replace(packed, self.downloads / f"{run}.zip")
        return self.downloads / f"{run}.zip"

    def _best_or_last(self, run: str) -> str:
        """A run without held-out text has no best model, only a last one."""
        return next((which for name, which in self.checkpoints() if name == run), "best")

    def _known_run(self, run: str) -> str:
        """`run`, if it is a name and not a way out of the runs directory."""
        if run != slug(run):
            raise RunError(f"{run!r} is not the name of a run; choose one in the library")
        return run


def folder_bytes(folder: Path) -> int:
    """What all files below `folder` hold; those that vanish meanwhile hold nothing."""
    total, folders = 0, [str(folder)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
    return total


def is_checkpoint(folder: Path) -> bool:
    return (folder / "model.safetensors").is_file()


def preview(corpus: Corpus, characters: int = PREVIEW_CHARACTERS) -> str:
    """The beginning of the clean text."""
    return next(read_chunks(corpus.path, characters), "")


def cut(corpus: Corpus, tokenizer: str, vocab_size: int) -> Cut:
    """What `tokenizer` makes of the text's first `COMPARED_CHARACTERS`; its fault in words when it cannot be had."""
    try:
        made = make_tokenizer(DataConfig(tokenizer=tokenizer, vocab_size=vocab_size), corpus)
    except LMError as error:
        return Cut(tokenizer, fault=str(error))
    text = next(read_chunks(corpus.path, COMPARED_CHARACTERS), "")
    ids = made.encode(text[:CUT_CHARACTERS])
    pieces = tuple(made.id_bytes[i].decode("utf-8", errors="replace") for i in ids)
    return Cut(tokenizer, len(made.encode(text)), len(text), made.vocab_size, pieces)


def memory() -> tuple[float, float]:
    """Bytes in use and bytes there are, on this machine."""
    room = psutil.virtual_memory()
    return float(room.total - room.available), float(room.total)


@functools.lru_cache(maxsize=MODELS_IN_MEMORY)
def _load(folder: Path, mtime_ns: int) -> tuple[Any, Any]:
    from lm.checkpoint import load_model
    from lm.tokenizer import load_tokenizer

    return load_model(folder), load_tokenizer(folder)


@contextmanager
def _one_thread() -> Iterator[None]:
    """What is imported inside computes on one processor thread in this process; trainings, started later, are not told.

    Beside a training, the threads of a small model mostly wait for one another. Measured on 2 busy cores: 113 tokens a
    second with two threads, 949 with one.
    """
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def _record(corpus: Corpus) -> dict[str, Any]:
    return dict(
        name=corpus.name,
        files=[dataclasses.asdict(file) for file in corpus.files],
        statistics=dataclasses.asdict(corpus.statistics),
        alphabet=corpus.alphabet,
    )


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror}; choose another --runs-dir") from None
    return folder
