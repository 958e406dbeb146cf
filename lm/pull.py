"""A repository on the Hub → a folder that generates, and a run that can be looked at, compared and trained further.

A source is `user/repo`, a link to the Hub, or a folder of this machine. Only safetensors and JSON are fetched; a pickle
runs code when it is read, and is refused, as is everything that settings or sizes betray before it is downloaded.
Remote code (`auto_map`) is never looked at. What was fetched stays in the Hub's own cache, by commit, and works without
a network.

A repository that we pushed becomes a run again: `lm runs` lists it, and with its `resume/` training goes on bit for
bit.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from huggingface_hub import HfApi, constants, try_to_load_from_cache
from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from tqdm import tqdm

from lm import checkpoint, convert, hub, run_dir, settle, wire
from lm.errors import HubError
from lm.files import MOST_FETCHED_GIGABYTES, MOST_JSON_BYTES, SPARED_GIGABYTES
from lm.hub import Cancelled, Progress
from lm.records import is_count

BYTES_PER_WEIGHT = (0.9, 8.5)  # from 8 bits to float64, with some room for names
HEADER_BYTES = 16_000_000
SLACK_BYTES = 1_000_000  # beyond twice what was said: a part may come again after a break
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
BLOCK_BYTES = 1 << 20
# What everybody calls OpenAI's GPT-2, and where it lies.
OPENAI_NAMES = {f"gpt2{size}": f"openai-community/gpt2{size}" for size in ("", "-medium", "-large", "-xl")}


@dataclass(frozen=True)
class Source:
    """What a person named: a folder of this machine, or a repository at a revision."""

    folder: Path | None = None
    repo: str = ""
    revision: str = "main"


@dataclass(frozen=True)
class Pulled:
    """`path` works wherever a NAME is taken. `is_run`: it is a run directory; `is_resumable`: training can go on."""

    path: Path
    repo: str
    commit: str
    is_run: bool
    is_resumable: bool
    notes: tuple[str, ...] = ()


def parse(text: str, revision: str = "") -> Source:
    """What `text` names; `HubError` if it is neither a folder, nor a link to the Hub, nor user/repo."""
    text = OPENAI_NAMES.get(text.strip(), text.strip())
    if text and Path(text).is_dir():
        return Source(folder=Path(text))
    hosts = "|".join(re.escape(re.sub(r"^https?://", "", host)) for host in (hub.endpoint(), "huggingface.co", "hf.co"))
    match = re.fullmatch(
        rf"(?:(?:https?://)?(?:www\.)?(?:{hosts})/|hf://)([^/?#]+/[^/?#]+)(?:/(?:tree|blob|resolve)/([^/?#]+))?.*", text
    )
    if match:
        return Source(repo=hub.check_repo(match[1]), revision=revision or match[2] or "main")
    if re.match(r"\w+://", text) or text.count("/") != 1:
        raise HubError(
            f"{text!r} is neither a folder, nor a link to {hub.endpoint()}, nor a repository; give for example "
            "user/repo"
        )
    return Source(repo=hub.check_repo(text), revision=revision or "main")


def pull(
    source: str,
    to: Path | None = None,
    *,
    revision: str = "",
    token: str | None = None,
    most_gigabytes: float = MOST_FETCHED_GIGABYTES,
    cache: Path | None = None,
    progress: Progress = hub.silence,
    should_stop: Callable[[], bool] = hub.never,
    check_room: Callable[[int], None] = lambda n_bytes: None,
) -> Pulled:
    """Fetch a model; with `to`, make it a run (one of ours) or a folder (any other) there, which must not exist yet.

    Without `to` the path is that of the cache: good for generating. `check_room` is told how many bytes will come before
    the first of them does, and raises where that is too much. `HubError`, `RunError` or `CheckpointError` says what
    cannot be.
    """
    named = parse(source, revision)
    if named.folder is not None:
        folder = _local(named.folder)
        return Pulled(folder, "", "", run_dir.is_run(named.folder), False)
    if to is not None and Path(to).exists():
        raise HubError(f"{to} exists already; name another place with --to, or remove it first")
    whole = checkpoint.FILES if to is None else (*checkpoint.FILES, *settle.RUN_FILES, *settle.RESUME_FILES)
    fetch = _Fetch(hub.connect(token), named, whole, most_gigabytes, cache, progress, check_room)
    try:
        with hub.explaining(named.repo), hub.quietly():
            snapshot, commit = hub.attended(fetch.run, should_stop)
    except Cancelled:
        raise Cancelled("cancelled; what has arrived is kept, and pulling again goes on from there") from None
    with hub.explaining(named.repo):
        return _settled(snapshot, named.repo, commit, to)


# ---------------------------------------------------------------------------------------------- fetching


class _Fetch:
    """One download: what to take, whether it may be large, and where it lies afterwards."""

    def __init__(
        self, api: HfApi, source: Source, names: Sequence[str], most_gigabytes: float, cache: Path | None,
        progress: Progress, check_room: Callable[[int], None],
    ) -> None:  # fmt: skip
        self.api, self.source, self.names, self.progress, self.check_room = api, source, names, progress, check_room
        self.most_bytes, self.cache = most_gigabytes * 1e9, cache

    def run(self, is_stopped: Callable[[], bool]) -> tuple[Path, str]:
        """The folder in the cache and its commit."""
        self.progress(f"looking at {self.source.repo}", 0, 0)
        try:
            info = hub.patiently(
                self.api.model_info, self.source.repo, revision=self.source.revision, files_metadata=True,
                heals=hub.is_busy, is_stopped=is_stopped,
            )  # fmt: skip
        except (HTTPError, OfflineModeIsEnabled) as error:
            if isinstance(error, OSError) and not isinstance(error, OfflineModeIsEnabled):
                raise  # the Hub answered
            return self._cached(error)
        said = {sibling.rfilename: sibling for sibling in info.siblings or ()}
        sizes = {name: one.size if is_count(one.size) else 0 for name, one in said.items()}
        check_is_model(self.source.repo, sizes)
        wanted = [name for name in self.names if name in sizes]
        self._check_sizes(sizes, wanted)
        self.check_room(sum(sizes[name] for name in wanted))
        self._check_disk(sum(sizes[name] for name in wanted if not self._is_here(name, info.sha)))
        few = _Counter(self, 0, is_stopped, sizes[checkpoint.CONFIG])
        folder = Path(self._download(checkpoint.CONFIG, self.source.revision, few)).parent
        if folder.name != info.sha:
            raise HubError(f"{self.source.repo} was changed at this moment; try again")
        check_weights(folder, sizes[checkpoint.WEIGHTS])
        total = sum(sizes[name] for name in wanted)
        counter = _Counter(self, total, is_stopped, total)
        for name in wanted:
            counter.begin(name)
            is_new = not self._is_here(name, info.sha)
            path = Path(self._download(name, info.sha, counter))
            if is_new and said[name].lfs:
                self._check_sum(path, said[name].lfs.sha256)
        return folder, info.sha

    def _check_sum(self, path: Path, sha256: str) -> None:
        """Refuse, and forget, a large file that is not the one the Hub spoke of: the client compares lengths alone."""
        with open(path, "rb") as file:
            found = _sha256(file)
        if found != sha256:
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise HubError(
                f"{path.name} of {self.source.repo} did not arrive as the Hub says it is: its sha256 is another; try again, "
                "or choose another model"
            )

    def _download(self, name: str, revision: str, counter: _Counter) -> str:
        """The file in the cache; after a break the client goes on where it was."""
        return hub.patiently(
            self.api.hf_hub_download, self.source.repo, name, revision=revision, cache_dir=self.cache,
            tqdm_class=counter.bar_class(), is_stopped=counter.is_stopped,
        )  # fmt: skip

    def _check_sizes(self, sizes: dict[str, int], wanted: Sequence[str]) -> None:
        total = sum(sizes[name] for name in wanted)
        if total > self.most_bytes:
            raise HubError(
                f"{self.source.repo} has {total / 1e9:.1f} GB to fetch and the limit is {self.most_bytes / 1e9:g} GB; "
                "allow more with --most-gigabytes, or take a smaller model"
            )
        for name in wanted:
            if name.endswith((".json", ".jsonl")) and sizes[name] > MOST_JSON_BYTES:
                raise HubError(
                    f"{name} of {self.source.repo} has {sizes[name] / 1e6:.0f} MB, too much for such a file; take "
                    "another model"
                )

    def _check_disk(self, n_bytes: int) -> None:
        """Refuse what would fill the disk, before the first byte of it comes."""
        place = Path(self.cache or constants.HF_HUB_CACHE)
        free = shutil.disk_usage(next(folder for folder in (place, *place.absolute().parents) if folder.exists())).free
        if n_bytes > free - SPARED_GIGABYTES * 1e9:
            raise HubError(
                f"{self.source.repo} has {n_bytes / 1e9:.2f} GB to fetch, and {max(0, free) / 1e9:.2f} GB are free at "
                f"{place}; free some space, or set HF_HOME to a folder on a larger disk"
            )

    def _is_here(self, name: str, commit: str) -> bool:
        return isinstance(try_to_load_from_cache(self.source.repo, name, self.cache, commit), str)

    def _cached(self, why: Exception) -> tuple[Path, str]:
        """What was pulled before, for there is no network, or `why` it is no good."""
        try:
            config = self.api.hf_hub_download(
                self.source.repo, checkpoint.CONFIG, revision=self.source.revision, cache_dir=self.cache,
                local_files_only=True,
            )  # fmt: skip
        except LocalEntryNotFoundError:
            config = ""
        folder = Path(config).parent
        if not config or not (folder / checkpoint.WEIGHTS).is_file():
            if isinstance(why, (*wire.LATE, *wire.ASTRAY)):
                raise why
            raise HubError(
                f"cannot reach {hub.endpoint()}, and {self.source.repo} ({self.source.revision}) was never pulled on "
                "this machine; check the network and try again"
            )
        return folder, folder.name


class _Counter:
    """Bytes received, over all files; stops the download when the user gives up."""

    def __init__(self, fetch: _Fetch, total: int, is_stopped: Callable[[], bool], expected: int) -> None:
        self.fetch, self.total, self.is_stopped = fetch, total, is_stopped
        self.most = 2 * expected + SLACK_BYTES
        self.done, self.name = 0, checkpoint.CONFIG

    def begin(self, name: str) -> None:
        self.name = name
        self.add(0)

    def add(self, n: float | None) -> None:
        if self.is_stopped():
            raise Cancelled("cancelled")
        self.done += int(n or 0)
        if self.done > self.most:
            raise HubError(
                f"{self.name} of {self.fetch.source.repo} has no end: {self.done / 1e6:,.0f} MB came, far more than the Hub "
                "said; choose another model"
            )
        self.fetch.progress(f"fetching {self.name}", min(self.done, self.total), self.total)

    def bar_class(self) -> type[tqdm]:
        """What the client takes for its progress bar."""
        counter = self

        class Bar(tqdm):
            def __init__(self, *words: Any, **named: Any) -> None:
                named.pop("name", None)
                super().__init__(*words, **named | dict(disable=True))

            def update(self, n: float | None = 1) -> None:
                counter.add(n)

        return Bar


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def check_is_model(repo: str, sizes: Mapping[str, int]) -> None:
    """`HubError` says why there is no model that may be read among the files of a repository."""
    if checkpoint.CONFIG not in sizes:
        raise HubError(f"{repo} has no {checkpoint.CONFIG}, so it holds no transformers model; choose one that does")
    if checkpoint.WEIGHTS not in sizes:
        pickles = sorted(name for name in sizes if name.endswith(PICKLES))
        if any(name.endswith(".safetensors.index.json") for name in sizes):
            raise HubError(
                f"{repo} keeps its weights in several files; only models with one {checkpoint.WEIGHTS} are read here"
            )
        if pickles:
            raise HubError(
                f"{repo} keeps its weights as a pickle ({pickles[0]}), which runs the code of whoever wrote it when it "
                f"is read; ask its author for {checkpoint.WEIGHTS}, or use a model that has one"
            )
        raise HubError(f"{repo} has no {checkpoint.WEIGHTS}; choose a model that does")


def check_weights(folder: Path, size: int) -> None:
    """`CheckpointError` or `HubError` when settings are out of bounds, or weights of `size` bytes cannot be theirs."""
    try:
        said = json.loads((folder / checkpoint.CONFIG).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise HubError(f"its {checkpoint.CONFIG} is damaged ({error}); choose another model") from None
    if not isinstance(said, dict):
        raise HubError(f"its {checkpoint.CONFIG} holds no settings; choose another model")
    config = convert.from_transformers_config(said)
    weights = sum(int(np.prod(shape, dtype=object)) for shape in convert.shapes(config).values())
    low, high = (int(factor * weights) for factor in BYTES_PER_WEIGHT)
    if not low <= size <= high + HEADER_BYTES:
        raise HubError(
            f"its {checkpoint.WEIGHTS} has {size:,} bytes where {checkpoint.CONFIG} means {weights:,} numbers; they do "
            "not belong together, choose another model"
        )


# ---------------------------------------------------------------------------------------------- settling down


def _local(folder: Path) -> Path:
    """A folder of this machine: the checkpoint of a run, or itself if its weights are no pickle."""
    found = checkpoint.find_checkpoint(folder, folder.parent)
    settle.try_out(found)
    return found


def _settled(snapshot: Path, repo: str, commit: str, to: Path | None) -> Pulled:
    """The cached files as they are, or made into `to`."""
    if to is None:
        settle.try_out(snapshot)
        return Pulled(snapshot, repo, commit, False, False)
    return Pulled(Path(to), repo, commit, *settle.settle(snapshot, Path(to)))
