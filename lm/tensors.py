"""Named tensors ↔ one safetensors file: replaced whole, and told from a damaged one by its sha256.

The sum stands in the file's own header, over every tensor and all else that the header says, so that file and sum are
always of the same moment, and travel together: through a copy, an export, the Hub. A file without one (of another
program, or of an earlier version) is taken as it is. Nothing is ever unpickled: a pickle runs code of whoever wrote it.

Not covered: a sum tells an accident, not a forgery; who can change the file can change its sum.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lm.errors import CheckpointError
from lm.files import replace_file, temporary_beside

SUM = "sha256"
FORMAT = {"format": "pt"}  # transformers asks for it


def write(path: Path, tensors: Mapping[str, Tensor], said: Mapping[str, str], *, keep: Path | None = None) -> None:
    """Replace `path`, whole or not at all; `said` goes into its header. The file of before is kept at `keep`."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = FORMAT | dict(said) | {SUM: _digest(_in_order(tensors), said)}
    with temporary_beside(path) as temporary:
        temporary.touch()
        usual_mode = temporary.stat().st_mode & 0o777  # safetensors makes files that only their owner may read
        save_file(tensors, temporary, metadata=header)
        temporary.chmod(usual_mode)
        _sync(temporary)
        if keep is not None and path.exists():
            replace_file(path, keep)
        replace_file(temporary, path)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file that carries its sum, and what its header says; `CheckpointError` if they do not fit it."""
    with explaining_failure("read", path), safe_open(path, framework="pt") as file:
        said = _said(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        if (file.metadata() or {}).get(SUM) != _digest(_in_order(tensors), said):
            raise _damaged(path)
    return tensors, said


def read_header(path: Path) -> dict[str, str]:
    """What the header of `path` says, at no cost; empty where another program wrote it."""
    with explaining_failure("read", path), safe_open(path, framework="pt") as file:
        return _said(file.metadata())


def check(path: Path) -> None:
    """`CheckpointError` if `path` is not what was written; it is read once, and again only when it has changed."""
    with explaining_failure("read", path):
        status = path.stat()
        if not _is_whole(path, status.st_ino, status.st_mtime_ns, status.st_size):
            raise _damaged(path)


@functools.lru_cache(maxsize=64)
def _is_whole(path: Path, inode: int, mtime_ns: int, size: int) -> bool:
    with safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
        named = ((name, file.get_tensor(name)) for name in sorted(file.keys()))  # one in memory at a time
        return SUM not in header or header[SUM] == _digest(named, _said(header))


def _said(header: Mapping[str, str] | None) -> dict[str, str]:
    return {name: text for name, text in (header or {}).items() if name not in (SUM, *FORMAT)}


def _digest(tensors: Iterable[tuple[str, Tensor]], said: Mapping[str, str]) -> str:
    """The sha256 over what the header says, in the order of its names, and then over `tensors` as they come."""
    sha256 = hashlib.sha256("\n".join(said[name] for name in sorted(said)).encode("utf-8"))
    for name, tensor in tensors:
        sha256.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return sha256.hexdigest()


def _in_order(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    return ((name, tensors[name]) for name in sorted(tensors))


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path.parent.name}/{path.name} is damaged: its sha256 does not fit its content; restore it from a copy"
    )


def _sync(path: Path) -> None:
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def explaining_failure(verb: str, path: Path) -> Iterator[None]:
    """Turn what a disk or a damaged file raises into a `CheckpointError`; `verb` is read or write."""
    try:
        yield
    except OSError as error:
        cure = "free some space, or choose a directory you may write to" if verb == "write" else "check its permissions"
        raise CheckpointError(f"cannot {verb} {path}: {error.strerror or error}; {cure}") from None
    except SafetensorError as error:
        cure = "free some space on the disk" if verb == "write" else "the file is damaged: restore it from a copy"
        why = re.sub(r".*I/O error: (.*) \(os error \d+\)", r"\1", str(error))  # as the system says it
        raise CheckpointError(f"cannot {verb} {path}: {why}; {cure}") from None
