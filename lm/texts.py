"""Sample texts by name: the ones that ship with the project, and classics that are fetched once and kept.

`locate("tales")` and `locate("tinyshakespeare")` answer with the path of a file. A classic is downloaded on first use,
checked against the sha256 of its text (as UTF-8 with LF line ends and without trailing white space, so that a change of
packaging does not matter) and kept in a cache of the user: `LM_PLAYGROUND_CACHE`, or the place that the system has
for such files. Nothing here runs what it downloads, and nothing that fails the check stays on disk.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.resources
import io
import os
import sys
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lm import encodings
from lm.errors import CorpusError
from lm.files import write_whole

TIMEOUT_SECONDS = 20
BLOCK_BYTES = 1 << 16
# The largest classic has 1.1 MB; what is several times larger is something else.
LARGEST_BYTES = 8 << 20

# What zips are made with; the others' decompressors take as much memory as a stranger says.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What `zipfile` raises at an archive that is damaged, encrypted (RuntimeError) or lies about names and places (ValueError).
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0 when the server does not say)


@dataclass(frozen=True)
class Shipped:
    """A text in `assets/`."""

    name: str
    title: str
    language: str
    file: str


@dataclass(frozen=True)
class Classic:
    """A text on the web. `sha256` is that of the clean text, not of the download."""

    name: str
    title: str
    language: str
    url: str
    sha256: str
    terms: str

    @property
    def file(self) -> str:
        return f"{self.name}.txt"


SHIPPED = {
    text.name: text
    for text in (
        Shipped("tales", "Short tales of one small world", "English", "tales.txt"),
        Shipped("tales_ja", "小さな町の短いお話", "Japanese", "tales_ja.txt"),
    )
}
CLASSICS = {
    text.name: text
    for text in (
        Classic(
            name="tinyshakespeare",
            title="Tiny Shakespeare (40,000 lines, as in char-rnn and nanoGPT)",
            language="English",
            url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            sha256="53493bf304b639aba6a47400da75c58ce32372b378fd2cd9d16ee987aeb12e4e",
            terms="public domain",
        ),
        Classic(
            name="the-verdict",
            title="Edith Wharton, The Verdict (as in Build a Large Language Model From Scratch)",
            language="English",
            url="https://raw.githubusercontent.com/rasbt/LLMs-from-scratch/main"
            "/ch02/01_main-chapter-code/the-verdict.txt",
            sha256="b41e41a68f0398a3154ae69e2e4c0e2694e17fe0d66730536837f1b01935b31f",
            terms="public domain",
        ),
        Classic(
            name="wagahai",
            title="夏目漱石「吾輩は猫である」(青空文庫)",
            language="Japanese",
            url="https://www.aozora.gr.jp/cards/000148/files/789_ruby_5639.zip",
            sha256="512c78f464367e6cd9c13c9588e59a50478a1ee6a65ea1b3a20cd871e0f633b7",
            terms="public domain; Aozora Bunko's notation is cleaned when it is read",
        ),
        Classic(
            name="sales-textbook",
            title="A sales textbook (as in Transformer-from-scratch, chapter 19)",
            language="English",
            url="https://huggingface.co/datasets/goendalf666/sales-textbook_for_convincing_and_selling"
            "/resolve/main/sales_textbook.txt",
            sha256="1994f20f5becd3f0b3d7a632e5a68513cc38cf6c9737a9f38243f1b652e962da",
            terms="see the data set's page",
        ),
    )
}


def names() -> list[str]:
    """Every name that `locate` knows, the shipped ones first."""
    return [*SHIPPED, *CLASSICS]


def locate(name: str, progress: Progress | None = None) -> Path:
    """The path of the sample text called `name`; a classic is fetched first if it is not in the cache.

    Progress goes to `progress`, or to a bar on stderr. `CorpusError` names the cure when there is no such text, no
    network, or the download is not what it should be.
    """
    if name in SHIPPED:
        return _asset(SHIPPED[name])
    if name in CLASSICS:
        return _fetched(CLASSICS[name], progress)
    raise CorpusError(f"there is no file and no sample text {name!r}; the sample texts are {', '.join(names())}")


def cache_dir() -> Path:
    """Where fetched texts are kept: `LM_PLAYGROUND_CACHE`, or the system's place for a user's caches."""
    if chosen := os.environ.get("LM_PLAYGROUND_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lm-playground"


def _asset(text: Shipped) -> Path:
    """The shipped file, beside the package in a checkout or in the installed assets package."""
    path = Path(__file__).parents[1] / "assets" / text.file
    if path.is_file():
        return path
    try:
        path = Path(str(importlib.resources.files("lm_playground_assets") / text.file))
    except (ModuleNotFoundError, NotADirectoryError):  # not installed, or from a checkout whose file is gone
        pass
    if not path.is_file():
        raise CorpusError(f"the sample text {text.name!r} is missing ({path}); install LM Playground again")
    return path


# ---------------------------------------------------------------------------------------------- fetching


def _fetched(text: Classic, progress: Progress | None) -> Path:
    path = cache_dir() / text.file
    if path.is_file() and _sha256(_clean(path)) == text.sha256:
        return path
    clean = _clean_bytes(_unpacked(_download(text, path, progress), text), text)
    if _sha256(clean) != text.sha256:
        raise CorpusError(
            f"what {text.url} holds today is not the text {text.name!r} that is known here (sha256 {_sha256(clean)}, "
            f"expected {text.sha256}), so it was not kept; to use it anyway, save it yourself and name the file"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, clean.encode("utf-8"))
    except OSError as error:
        raise CorpusError(
            f"cannot keep {text.name!r} in {path.parent} ({error.strerror}); set LM_PLAYGROUND_CACHE to another folder"
        ) from None
    return path


def _sha256(text: str) -> str:
    return hashlib.sha256(text.rstrip().encode("utf-8")).hexdigest()


def _download(text: Classic, path: Path, progress: Progress | None) -> bytes:
    request = urllib.request.Request(text.url, headers={"User-Agent": "lm-playground"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            total = int(response.headers.get("Content-Length") or 0)
            if progress is not None:
                return _body(response, total, text, progress)
            with tqdm(total=total or None, desc=text.name, unit="B", unit_scale=True, leave=False) as bar:
                return _body(response, total, text, lambda done, total: bar.update(done - bar.n))
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = str(getattr(error, "reason", "")) or str(error) or type(error).__name__
        raise CorpusError(
            f"cannot fetch the sample text {text.name!r} from {text.url} ({why}); go online and try again, or save "
            f"that text as {path}, or use one that needs no network: {', '.join(SHIPPED)}"
        ) from None


def _body(response: http.client.HTTPResponse, total: int, text: Classic, progress: Progress) -> bytes:
    """The whole body, `LARGEST_BYTES` at most; `OSError` when the connection ends early."""
    parts, done = [], 0
    while block := response.read(BLOCK_BYTES):
        parts.append(block)
        done += len(block)
        progress(done, total)
        if done > LARGEST_BYTES:
            raise CorpusError(f"{text.url} sends more than {LARGEST_BYTES:,} bytes, so it is not {text.name!r}")
    if done < total:
        raise OSError(f"the connection ended after {done:,} of {total:,} bytes")
    return b"".join(parts)


def _unpacked(data: bytes, text: Classic) -> bytes:
    """The one file in a zip archive; any other data as it is."""
    if not data.startswith(b"PK\x03\x04"):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if member.filename.lower().endswith(".txt")]
            is_plain = len(members) == 1 and members[0].compress_type in METHODS
            if is_plain and members[0].file_size <= LARGEST_BYTES:
                with archive.open(members[0]) as file:
                    return file.read(LARGEST_BYTES)
    except DAMAGE:
        pass
    raise CorpusError(f"the archive at {text.url} does not hold one text file; save it yourself and name the file")


def _clean_bytes(data: bytes, text: Classic) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / text.file
        path.write_bytes(data)
        return _clean(path)


def _clean(path: Path) -> str:
    """The file's text, decoded as any file of a user is; nothing if it is no text."""
    try:
        return "".join(encodings.decoded(path, encodings.detect(path), []))
    except CorpusError:
        return ""
