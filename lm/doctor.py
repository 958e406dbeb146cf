"""What this machine can do, and what to begin with on it: `lm doctor`.

Every number is measured or asked for here and now: the gain of bf16 by the product that a run times too (`lm.device`),
the disk where the runs live, the Hub by one short request that carries no token and sends nothing.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from lm.device import bf16_gain, choose_device, describe, free_bytes
from lm.errors import RunError
from lm.hub import endpoint
from lm.memory import is_full
from lm.processors import processors

PACKAGES = ("torch", "numpy", "tiktoken", "tokenizers", "safetensors", "transformers", "gradio", "huggingface-hub")
PROBE_ROWS, PROBE_WIDTH = 2048, 384  # a batch of 8 windows of 256 tokens, and the width of Karpathy's character model
NETWORK_SECONDS = 3.0
# float32 weights, their gradients and Adam's two means make 16 bytes; assumed: what flows through makes as much again.
BYTES_PER_PARAMETER, MEMORY_SHARE = 32, 0.6
LEAST_FREE_MEMORY, LEAST_FREE_DISK = 2e9, 1e9  # assumed: below these something else should be closed or removed first


@dataclass(frozen=True)
class Findings:
    """What was found. `bf16_gain` is how many times faster than float32, 0 where it was not measured; `hub` is reached,
    unreachable or not asked."""

    device: str
    device_name: str
    cores: int
    threads: int
    bf16_gain: float
    memory_bytes: int
    free_memory_bytes: int
    free_disk_bytes: int
    can_write: bool
    hub: str
    system: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Advice:
    """A recipe to begin with, how many parameters fit the free memory, and what stands in the way."""

    recipe: str
    most_parameters: int
    notes: tuple[str, ...]


def examine(runs_dir: Path, *, ask_hub: bool = True) -> Findings:
    """Look at the machine; takes a second or two, and at most `NETWORK_SECONDS` more for the Hub.

    `RunError` where no folder can be called `runs_dir`.
    """
    device, place = choose_device("auto"), _existing(Path(runs_dir))
    return Findings(
        device=device.type,
        device_name=describe(device),
        cores=processors(),
        threads=torch.get_num_threads(),
        bf16_gain=_gain() if device.type == "cpu" else 0.0,
        memory_bytes=psutil.virtual_memory().total,
        free_memory_bytes=min(free_bytes(device), _allowed_bytes()) if device.type == "cpu" else free_bytes(device),
        free_disk_bytes=shutil.disk_usage(place).free,
        can_write=place.is_dir() and os.access(place, os.W_OK),
        hub=_hub() if ask_hub else "not asked",
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        versions={name: version for name in PACKAGES if (version := _version(name))},
    )


def advise(found: Findings) -> Advice:
    """What to begin with: a processor writes words within a minute of the quick start, a GPU has time for more."""
    recipe = "nanogpt-gpu" if found.device == "cuda" else "quickstart"
    most = float(f"{MEMORY_SHARE * found.free_memory_bytes / BYTES_PER_PARAMETER:.1e}")
    notes = []
    if found.device == "cpu" and found.bf16_gain > 1:
        notes.append(
            f"bf16 is {found.bf16_gain:g} times as fast as float32 at a width of {PROBE_WIDTH}; auto measures yours"
        )
    if found.free_memory_bytes < LEAST_FREE_MEMORY:
        notes.append(
            f"only {found.free_memory_bytes / 1e9:.1f} GB of memory are free: close something before you train"
        )
    if found.free_disk_bytes < LEAST_FREE_DISK:
        notes.append(
            f"only {found.free_disk_bytes / 1e9:.1f} GB of disk are free: make room, or choose another --runs-dir"
        )
    if not found.can_write:
        notes.append("this runs directory cannot be written to: choose another --runs-dir")
    if found.hub == "unreachable":
        notes.append("the Hub cannot be reached: training and generating need no network; push, pull and classics do")
    return Advice(recipe, int(most), tuple(notes))


def in_words(found: Findings, advice: Advice) -> str:
    """For a person: a line for each finding, then the advice."""
    gain = f", bf16 {found.bf16_gain:g} times as fast as float32" if found.bf16_gain else ""
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    lines = {
        "device": f"{found.device} ({found.device_name}), {found.threads} thread{'s' * (found.threads != 1)}{gain}",
        "memory": f"{found.free_memory_bytes / 1e9:.1f} of {found.memory_bytes / 1e9:.1f} GB free",
        "disk": f"{found.free_disk_bytes / 1e9:.1f} GB free for runs{'' if found.can_write else ', but not writable'}",
        "hub": found.hub,
        "system": found.system,
        "versions": versions,
        "begin with": f"--recipe {advice.recipe}; up to {advice.most_parameters / 1e6:,.0f} million parameters fit the memory",
    }
    return "\n".join(
        [*(f"{name:11} {words}" for name, words in lines.items()), *(f"- {note}" for note in advice.notes)]
    )


def _existing(place: Path) -> Path:
    """`place`, or the first folder above it that is there."""
    try:
        found = place.resolve()
        while not found.exists() and found != found.parent:
            found = found.parent
    except (OSError, RuntimeError, ValueError) as error:  # too long a name, a loop of links, a NUL
        raise RunError(f"cannot write to {place}: {error}; choose another --runs-dir") from None
    return found


def _gain() -> float:
    """Of bf16 on this processor; 0 where the memory is too small to find out."""
    try:
        return round(bf16_gain(PROBE_ROWS, PROBE_WIDTH), 2)
    except (MemoryError, RuntimeError) as error:
        if not is_full(error):
            raise
        return 0.0


def _allowed_bytes() -> int:
    """What this process may still take before it meets the limit set for it, as by `ulimit -v`."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    return sys.maxsize if most == resource.RLIM_INFINITY else max(0, most - psutil.Process().memory_info().vms)


def _hub() -> str:
    """Whether the Hub answers at all; any answer will do."""
    try:
        urllib.request.urlopen(endpoint(), timeout=NETWORK_SECONDS).close()  # noqa: S310 - the user's own HF_ENDPOINT
    except urllib.error.HTTPError:
        return "reached"
    except (OSError, ValueError):
        return "unreachable"
    return "reached"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
