"""Where the arithmetic runs and in which precision: the one place that asks the machine what it can do.

bf16 is taken only where it pays, and that is *measured* at the start of a run: a processor may know the format and
still be slower in it (measured on one such machine: 0.95 times the speed at a width of 128, 2.2 times at 384). The
answer is kept in the run's `config.json`, so a resumed run never decides anew.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import torch

from lm.errors import ConfigError
from lm.processors import processors

# bf16 must win by this factor before it is taken: below it, exactness is worth more than speed. assumed.
WORTHWHILE_GAIN = 1.15
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
MAIN_MEMORY = torch.device("cpu")
MOST_TIMED_ROWS = 4096  # of a product that is timed; more change its time, not the ratio. assumed


def choose_device(wanted: str) -> torch.device:
    """`wanted` as a device, `auto` as the best that is here; `ConfigError` when it is not here."""
    available = dict(cpu=True, cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available())
    if wanted == "auto":
        wanted = next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available[wanted]:
        here = ", ".join(name for name, is_here in available.items() if is_here)
        raise ConfigError(f"device={wanted} is not available here; use {here} or auto")
    return torch.device(wanted)


def choose_precision(wanted: str, device: torch.device, rows: int, width: int) -> str:
    """`float32`, `bf16` or `fp16`; on a CPU `auto` times a (rows, width) × (width, 4 width) product, forward and
    backward, in the first two. `ConfigError` for fp16 where it would only be slower."""
    if wanted == "fp16" and device.type != "cuda":
        raise ConfigError(f"precision=fp16 needs an NVIDIA GPU, and this runs on {device.type}; use auto or bf16")
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return _best_on_cuda(device)
    if device.type != "cpu":
        return "float32"
    return "bf16" if bf16_gain(min(rows, MOST_TIMED_ROWS), width) >= WORTHWHILE_GAIN else "float32"


def _best_on_cuda(device: torch.device) -> str:
    """bf16 where it is in the hardware, fp16 where there are tensor cores without it (Volta, Turing)."""
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16"
    return "fp16" if torch.cuda.get_device_capability(device) >= (7, 0) else "float32"


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """The context in which forward passes run."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=HALVES[precision])


def onto(device: torch.device, ids: torch.Tensor) -> torch.Tensor:
    """`ids` on `device`. To a GPU they travel while the processor goes on, for which their memory is pinned: PyTorch keeps
    it until they have arrived. Of a slice it would copy into memory that is not, and wait for all that the GPU has to do.
    """
    if device.type != "cuda":
        return ids.to(device)
    return ids.contiguous().pin_memory().to(device, non_blocking=True)


def free_bytes(device: torch.device) -> int:
    """Bytes of memory that a training on `device` may still take."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(psutil.virtual_memory().available, *_container_bytes(Path("/sys/fs/cgroup")))


def _container_bytes(root: Path) -> list[int]:
    """The bytes that the memory limit of a container (cgroup, version 2 or 1) leaves; `sys.maxsize` without a limit."""
    versions = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
    for limit, used in versions:
        try:
            stat = (root / used).with_name("memory.stat").read_text(encoding="ascii").split()
            cached = int(stat[stat.index("inactive_file") + 1])  # given back when it is needed
            return [int((root / limit).read_text()) - int((root / used).read_text()) + cached]
        except (OSError, ValueError):  # not that version, or its limit reads "max"
            continue
    return [sys.maxsize]


def describe(device: torch.device) -> str:
    """For a person: `NVIDIA H200`, `Apple GPU`, `2 cores`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    cores = processors()
    return f"{cores} core{'' if cores == 1 else 's'}"


def in_words(device: torch.device) -> str:
    """`describe`, and of a processor also whether bf16 pays on it: `2 cores · bf16`."""
    if device.type != "cpu" or choose_precision("auto", device, 1024, 384) != "bf16":
        return describe(device)
    return f"{describe(device)} · bf16"


@functools.cache
def has_onednn() -> bool:
    """Whether torch was built with oneDNN and this processor has what its bf16 products need."""
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def bf16_gain(rows: int, width: int) -> float:
    """How many times faster a linear layer's forward and backward are in bf16 than in float32 on this CPU.

    0 where oneDNN has no such products: those that PyTorch then makes are thirty times slower, too slow to be timed.
    """
    if not has_onednn():
        return 0.0
    generator = torch.Generator().manual_seed(0)  # the run's own random state stays untouched
    x = torch.randn(rows, width, generator=generator, requires_grad=True)
    weight = torch.randn(4 * width, width, generator=generator, requires_grad=True)

    def step(precision: str) -> Callable[[], None]:
        def run() -> None:
            with autocast(torch.device("cpu"), precision):
                y = torch.nn.functional.linear(x, weight)  # (rows, 4 width)
            y.sum().backward()

        return run

    slow, fast = step("float32"), step("bf16")
    return _fastest_seconds(slow) / _fastest_seconds(fast)


def _fastest_seconds(work: Callable[[], None], repeats: int = 5) -> float:
    """The shortest time of several calls: other programs can only make one longer."""
    work()  # the first call allocates and compiles kernels
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
