"""What the measurements share: the peers, taking turns, and how the outcome is told (`table`, and `finish` as JSON).

Machines are noisy, so a contestant is never timed alone: all of them take turns, round after round, in one process or
one after another, and what counts is the ratio of the medians. `Spread` keeps the range beside the median.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import importlib.util
import io
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from lm.device import choose_device, describe
from lm.model import GPT

# Our name of a weight, and nanoGPT's.
_NANOGPT_NAMES = (
    ("token_embedding.", "transformer.wte."),
    ("position_embedding.", "transformer.wpe."),
    ("blocks.", "transformer.h."),
    (".norm1.", ".ln_1."),
    (".norm2.", ".ln_2."),
    (".attention.qkv.", ".attn.c_attn."),
    (".attention.out.", ".attn.c_proj."),
    (".mlp.up.", ".mlp.c_fc."),
    (".mlp.down.", ".mlp.c_proj."),
    ("final_norm.", "transformer.ln_f."),
)


@dataclass(frozen=True)
class Spread:
    """The median of some measurements, and their least and greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread:
        return cls(statistics.median(numbers), min(numbers), max(numbers))

    def __str__(self) -> str:
        digits = 0 if self.median >= 100 else 2
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f}–{self.greatest:,.{digits}f})"


def take_turns(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Let every contestant measure itself once per round, in the order given; the first round is thrown away."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, measure in contestants.items():
            number = measure()
            if turn:
                found[name].append(number)
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ours over theirs, round by round: neighbours in time share the machine's mood."""
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=True)])


def numbers(text: str) -> tuple[int, ...]:
    """A size as it is asked for: 4/4/128/64/12 → (4, 4, 128, 64, 12)."""
    return tuple(map(int, text.split("/")))


def written(size: Sequence[int]) -> str:
    return "/".join(map(str, size))


@contextlib.contextmanager
def waiting_processes(
    commands: Mapping[str, tuple[Sequence[str], Mapping[str, str]]],
) -> Iterator[dict[str, Callable[[], float]]]:
    """Each command, in its environment, as a process that waits for its turns; it measures itself in `answer_turns`."""
    with contextlib.ExitStack() as open_processes:
        yield {
            name: functools.partial(_turn, name, open_processes.enter_context(_talking(argv, environment)))
            for name, (argv, environment) in commands.items()
        }


@contextlib.contextmanager
def _talking(argv: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen]:
    """A process that is talked with by lines, and ends when we do; the next one starts when it is ready."""
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    with process:
        try:
            process.stdout.readline()
            yield process
        finally:
            process.kill()


def _turn(name: str, process: subprocess.Popen) -> float:
    try:
        process.stdin.write("go\n")
        process.stdin.flush()
        return float(process.stdout.readline())
    except (BrokenPipeError, ValueError):  # it has said why
        sys.exit(f"{name} ended before its turn")


def answer_turns(measure: Callable[[], float]) -> None:
    """The other end: a line when it is ready, then a number for each line, until there are no more."""
    print("ready", flush=True)
    for _ in sys.stdin:
        print(measure(), flush=True)


# ---------------------------------------------------------------------------------------------- the peers


def nanogpt(directory: Path) -> ModuleType:
    """nanoGPT's `model.py`, from a folder that holds it."""
    path = Path(directory) / "model.py"
    if not path.is_file():
        sys.exit(f"{path} is not there; give --nanogpt the folder of a nanoGPT clone (github.com/karpathy/nanoGPT)")
    spec = importlib.util.spec_from_file_location("nanogpt_model", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


def as_nanogpt(module: ModuleType, model: GPT) -> torch.nn.Module:
    """nanoGPT's model with the settings and the weights of `model`, a gpt2 with a tied head."""
    config = model.config
    wanted = {name: getattr(config, name) for name in ("block_size", "vocab_size", "n_layer", "n_head", "n_embd")}
    theirs = quietly(lambda: module.GPT(module.GPTConfig(**wanted, dropout=config.dropout, bias=config.bias)))
    weights = {_renamed(name): weight.detach().clone() for name, weight in model.state_dict().items()}
    theirs.load_state_dict(weights | {"lm_head.weight": weights["transformer.wte.weight"]})
    assert sum(p.numel() for p in theirs.parameters()) == model.parameter_count()
    return theirs


def quietly(make: Callable[[], Any]) -> Any:
    """The result of `make` without what it prints: stdout belongs to our table."""
    with contextlib.redirect_stdout(io.StringIO()):
        return make()


def _renamed(name: str) -> str:
    for ours, theirs in _NANOGPT_NAMES:
        name = name.replace(ours, theirs)
    return name


# ---------------------------------------------------------------------------------------------- telling


def machine() -> str:
    """The machine and the versions, in a line."""
    return f"{processor()}, {describe(choose_device('auto'))}, {platform.system()}, torch {torch.__version__}"


def processor() -> str:
    """What the operating system calls the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows under their heads, in columns."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells)


def finish(benchmark: str, **found: Any) -> None:
    """The last line: what was found, as JSON."""
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    said = dict(benchmark=benchmark, date=date, machine=machine(), threads=torch.get_num_threads(), **found)
    print(json.dumps(said, allow_nan=False, default=vars))
