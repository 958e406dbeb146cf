"""What a GPU makes of it, beside nanoGPT: its use while training, the time to a loss, tokens a second while writing.

    python benchmarks/gpu.py --nanogpt DIR [--parts utilisation shakespeare writing] [--rounds 5] [--batch-size B]
    python benchmarks/gpu.py --nanogpt DIR --device cpu --small       # a rehearsal: every line, and no result

- utilisation: the best rate of square bf16 products; the share of it that a step of gpt2-small reaches (context 1,024,
  dropout 0), counted as in PaLM's appendix B, where the causal half is not deducted. Ours is the step of `lm.trainer` as
  `lm train` makes it; theirs that of nanoGPT's `train.py` with its defaults, its vocabulary filled up to 50,304. Three
  processes take turns. The text is drawn at random, of 50,256 different characters: speed does not depend on them.
- shakespeare: `lm train --recipe nanogpt-gpu` and nanoGPT's `train.py config/train_shakespeare_char.py` in turns, each
  from the start of its process, kernels compiled anew, until a held-out loss of 1.4697 is there to be read. Ours is
  measured on all held-out characters, theirs (as it prints it) on 200 batches of windows drawn at random.
- writing: one text and eight with the recorded graph, one without it; nanoGPT's and transformers' generate.

Before anything is timed both sides must have as many parameters and the same loss or scores.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import torch

import lm.generate
import lm.reader
from generation import SAMPLING, TOGETHER, TOKENIZER, as_transformers, first_text, same_scores_or_exit
from generation import SIZES as WRITING_SIZES
from lm import batches, prepare, recipes, run_dir, texts, trainer
from lm.config import DataConfig, ModelConfig, SampleConfig, TrainConfig
from lm.costs import flops_per_token, memory_estimate
from lm.device import describe, free_bytes
from lm.graph import TokenStep, can_record
from lm.model import GPT, KVCache
from lm.prepare import Request
from quality import ROOT, their_copy
from sidebyside import (
    Spread, answer_turns, as_nanogpt, finish, nanogpt, ratio, table, take_turns, waiting_processes,
)  # fmt: skip
from training import nanogpt_step

PARTS = ("utilisation", "shakespeare", "writing")
CONTESTANTS = ("matrix products", "ours", "nanoGPT")
STEPS_AT_ONCE = 8  # between two looks at the clock, for which the GPU is waited for
BATCH_SHARE = 0.4  # of the free memory for each of the two that train; the estimate is that of float32
MOST_ROWS = 64
LOOK_SECONDS = 0.1
NO_GPU = "gpu.py: no NVIDIA GPU is at hand, so nothing was measured; --device cpu --small rehearses the script"
# Letters that no cleaning changes: CJK, Hangul, CJK extensions A and B.
LETTERS = ((0x4E00, 0x9FFD), (0xAC00, 0xD7A4), (0x3400, 0x4DB6), (0x20000, 0x2A6D7))
OUR_LOSSES = re.compile(r'"step": (\d+).*"val_loss": ([\d.]+)')
THEIR_LOSSES = re.compile(r"step (\d+): train loss [\d.]+, val loss ([\d.]+)")


@dataclass(frozen=True)
class Size:
    """What is measured: on a GPU, or at toy sizes in a rehearsal."""

    model: ModelConfig = replace(recipes.find("gpt2-small").model, dropout=0.0, gelu="exact")  # nanoGPT's GELU
    characters: int = 50_256
    products: tuple[int, ...] = (4096, 8192, 12288, 16384)
    seconds_a_turn: float = 5.0
    goal: float = 1.4697  # nanoGPT's README, of its run on an A100
    our_flags: str = ""
    their_flags: str = ""
    writing: tuple[tuple[int, ...], ...] = (*WRITING_SIZES, (12, 12, 768, 1024))


WHOLE = Size()
SMALL = Size(
    model=replace(WHOLE.model, block_size=32, n_layer=2, n_head=2, n_embd=32),
    characters=300,
    products=(64, 128),
    seconds_a_turn=0.2,
    goal=4.1,
    our_flags="--compile off --steps 12 --eval-interval 4 --eval-windows 8 --sample-tokens 8 --n-layer 1 --n-head 2 "
    "--n-embd 32 --block-size 32 --batch-size 4 --lr 0.01 --warmup 1",
    their_flags="--compile=False --max_iters=12 --eval_interval=4 --eval_iters=2 --n_layer=1 --n_head=2 --n_embd=32 "
    "--block_size=32 --batch_size=4 --learning_rate=0.01 --warmup_iters=1",
    writing=((1, 2, 32, 32),),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nanogpt", type=Path, required=True, metavar="DIR", help="a clone of nanoGPT")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant [5]")
    parser.add_argument("--races", type=int, default=1, help="runs of each to the loss of Shakespeare [1]")
    parser.add_argument("--batch-size", type=int, default=0, help="sequences a step of gpt2-small [what fits twice]")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="toy sizes: a rehearsal")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)  # how this script calls itself
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print(NO_GPU, file=sys.stderr)
        return 2
    if arguments.device == "cpu" and not arguments.small:
        parser.error("a processor can only rehearse; add --small")
    size, device = SMALL if arguments.small else WHOLE, torch.device(arguments.device)
    if arguments.contestant:
        contestant(arguments, size, device)
        return 0
    if arguments.small:
        print("REHEARSAL at toy sizes: no figure below is a result\n")
    parts = dict(utilisation=utilisation, shakespeare=shakespeare, writing=writing)
    found = {}
    for part in arguments.parts:
        found[part] = rows = parts[part](arguments, size, device)
        print(f"{part}, {describe(device)}\n" + table(list(rows[0]), [list(row.values()) for row in rows]) + "\n")
    finish("gpu", is_rehearsal=arguments.small, **found)
    return 0


# ---------------------------------------------------------------------------------------------- utilisation


def utilisation(arguments: argparse.Namespace, size: Size, device: torch.device) -> list[dict]:
    """A row for each contestant: tokens and operations a second, and their share of the rate of matrix products."""
    model = replace(size.model, vocab_size=size.characters + 1)  # and one for what is unknown
    rows = arguments.batch_size or fitting_rows(model, free_bytes(device))
    flags = ["--nanogpt", str(arguments.nanogpt), "--batch-size", str(rows), "--device", device.type]
    flags += ["--small"] if arguments.small else []
    start = {name: ([sys.executable, __file__, "--contestant", name, *flags], os.environ) for name in CONTESTANTS}
    with waiting_processes(start) as turns:
        speeds = take_turns(turns, arguments.rounds)
    rate = speeds["matrix products"]
    counted = {"matrix products": rate} | {
        name: [speed * flops_per_token(model) for speed in speeds[name]] for name in ("ours", "nanoGPT")
    }
    return [
        {
            "who": name,
            "sequences": "" if name == "matrix products" else rows,
            "tokens/s": "" if name == "matrix products" else Spread.of(speeds[name]),
            "TFLOP/s": Spread.of([number / 1e12 for number in numbers]),
            "of the rate": ratio(numbers, rate),
            "to nanoGPT": "" if name == "matrix products" else ratio(speeds[name], speeds["nanoGPT"]),
        }
        for name, numbers in counted.items()
    ]


def fitting_rows(model: ModelConfig, free: int) -> int:
    """The largest power of two of sequences that two processes can train at the same time in `free` bytes."""
    rows = MOST_ROWS
    while rows > 1 and memory_estimate(model, TrainConfig(batch_size=rows)) > BATCH_SHARE * free:
        rows //= 2
    return rows


def contestant(arguments: argparse.Namespace, size: Size, device: torch.device) -> None:
    """Be one of the three: answer each turn with operations or tokens a second."""
    if arguments.contestant == "matrix products":
        answer_turns(
            lambda: max(product_rate(n, size.seconds_a_turn / len(size.products), device) for n in size.products)
        )
        return
    with tempfile.TemporaryDirectory() as scratch:
        run = run_dir.create(Path(scratch), "benchmark")
        text = random_text(Path(scratch) / "text.txt", size.characters)
        setup = prepare.prepare(run, request(text, size.model, arguments.batch_size, device))
        if arguments.contestant == "ours":
            told = trainer.Trainer(run, setup, say=lambda text: print(text, file=sys.stderr))
            step = lambda: told._optimize(1.0)  # noqa: E731, SLF001 - the step alone, without a run
        else:
            tokens = batches.open_tokens(run.train_tokens, setup.model.vocab_size)
            filled_up = replace(setup.model, vocab_size=-(-setup.model.vocab_size // 64) * 64)
            step = nanogpt_step(nanogpt(arguments.nanogpt), replace(setup, model=filled_up), tokens)
        tokens_a_step = setup.train.batch_size * setup.model.block_size
        answer_turns(lambda: per_second(step, tokens_a_step, size.seconds_a_turn, device))


def request(text: Path, model: ModelConfig, rows: int, device: torch.device) -> Request:
    train = replace(recipes.find("gpt2-small").train, batch_size=rows, grad_accum_steps=1, device=device.type)
    return Request((text,), "gpt2-small", DataConfig(aozora="no"), model, train)


def random_text(path: Path, distinct: int) -> Path:
    """A text of so many different letters, each some times."""
    letters = list(map(chr, itertools.chain.from_iterable(range(*ends) for ends in LETTERS)))[:distinct]
    dice = random.Random(0)
    words = ["".join(letters), *("".join(dice.choices(letters, k=60)) for _ in range(distinct // 4))]
    path.write_text("\n".join(words).replace("\n", letters[0]), encoding="utf-8")
    return path


def product_rate(n: int, seconds: float, device: torch.device) -> float:
    """Operations a second of n × n bf16 products, of random numbers: of zeros a GPU takes less power, and clocks higher."""
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    into = torch.empty_like(a)
    return per_second(lambda: torch.mm(a, b, out=into), 2 * n**3, seconds, device)


def per_second(step: Callable[[], object], units: int, seconds: float, device: torch.device) -> float:
    """`units` a step, over as many steps as fill the time."""
    step()
    wait(device)
    start, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds:
        for _ in range(STEPS_AT_ONCE):
            step()
        wait(device)
        count += STEPS_AT_ONCE
    return count * units / passed


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


# ---------------------------------------------------------------------------------------------- Shakespeare


def shakespeare(arguments: argparse.Namespace, size: Size, device: torch.device) -> list[dict]:
    """A row for each race of each of the two."""
    text = texts.locate("tinyshakespeare").resolve()
    rows = []
    for turn, (who, start) in itertools.product(range(arguments.races), {"ours": ours, "nanoGPT": theirs}.items()):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:  # a compiler may write on for a moment
            rows.append(dict(turn=turn + 1, who=who) | start(arguments, text, size, device, Path(scratch)))
    return rows


def ours(arguments: argparse.Namespace, text: Path, size: Size, device: torch.device, scratch: Path) -> dict:
    command = ["-m", "lm", "train", "--recipe", "nanogpt-gpu", "--data", str(text), "--runs-dir", str(scratch / "runs")]
    command += ["--name", "ours", "--device", device.type, *size.our_flags.split()]
    return race(command, ROOT, scratch, scratch / "runs" / "ours" / "metrics.jsonl", OUR_LOSSES, size.goal)


def theirs(arguments: argparse.Namespace, text: Path, size: Size, device: torch.device, scratch: Path) -> dict:
    copy, *_ = their_copy(arguments.nanogpt, text, scratch)
    command = ["-u", "train.py", "config/train_shakespeare_char.py", f"--device={device.type}"]
    return race(command + size.their_flags.split(), copy, scratch, scratch / "said.txt", THEIR_LOSSES, size.goal)


def race(command: list[str], home: Path, scratch: Path, log: Path, pattern: re.Pattern, goal: float) -> dict:
    """Start Python so, and end it when `log` tells a loss at or below `goal`: after how many seconds and steps.

    Without compiled kernels from before. What it never reaches is told as its best loss and the time of the whole run.
    """
    fresh = {name: str(scratch / name) for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")}
    said, found, is_over = scratch / "said.txt", [], False
    start = time.perf_counter()
    with said.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=home, env=os.environ | fresh, stdout=output, stderr=subprocess.STDOUT
        )
        with process:
            while not is_over and min((loss for _, loss in found), default=goal + 1) > goal:
                time.sleep(LOOK_SECONDS)
                is_over = process.poll() is not None
                seconds = time.perf_counter() - start
                lines = log.read_text(encoding="utf-8") if log.exists() else ""
                found = [(int(step), float(loss)) for step, loss in pattern.findall(lines)]
            process.kill()
    if not found:
        sys.exit(f"{' '.join(command)} told no loss:\n{said.read_text(encoding='utf-8')[-2000:]}")
    step, best = min(found, key=lambda each: each[1])
    return {"seconds": round(seconds, 1), f"reached {goal}": best <= goal, "best loss": round(best, 4), "at step": step}


# ---------------------------------------------------------------------------------------------- writing


def writing(arguments: argparse.Namespace, size: Size, device: torch.device) -> list[dict]:
    """A row for each size of network: tokens a second, sampling included, and seconds to the first token."""
    module = nanogpt(arguments.nanogpt)
    return [write_at(shape, module, arguments.rounds, device) for shape in size.writing]


def write_at(shape: tuple[int, ...], module: ModuleType, rounds: int, device: torch.device) -> dict:
    n_layer, n_head, n_embd, block_size = shape
    config = ModelConfig(block_size=block_size, n_layer=n_layer, n_head=n_head, n_embd=n_embd)
    model = GPT(replace(config, vocab_size=TOKENIZER.vocab_size), torch.Generator().manual_seed(0)).eval()
    nano, there = as_nanogpt(module, model).eval(), as_transformers(model)
    same_scores_or_exit(model, nano, there)
    model, nano, there = (each.to(device) for each in (model, nano, there))
    prompt, length = torch.tensor([TOKENIZER.encode("\n").tolist()], device=device), block_size - 1
    wanted = SampleConfig(max_new_tokens=length, **SAMPLING)
    counted = dict(do_sample=True, min_new_tokens=length, max_new_tokens=length, pad_token_id=0)
    contestants = {
        "ours": lambda: lm.generate.generate(model, TOKENIZER, "\n", wanted),
        "no graph": lambda: unrecorded(model, wanted),
        "8 texts": lambda: lm.generate.generate(model, TOKENIZER, "\n", replace(wanted, num_samples=TOGETHER)),
        "nanoGPT": lambda: nano.generate(prompt, length, **SAMPLING),
        "transformers": lambda: there.generate(prompt, **counted, **SAMPLING),
    }
    speeds = take_turns({name: timed(name, write, length, device) for name, write in contestants.items()}, rounds)
    first = [first_text(model, wanted)[1] for _ in range(rounds)]
    against = {f"to {peer}": ratio(speeds["ours"], speeds[peer]) for peer in ("nanoGPT", "transformers", "no graph")}
    spreads = {name: Spread.of(numbers) for name, numbers in speeds.items()}
    names = {"layers heads width context": " ".join(map(str, shape)), "graph": is_recorded(model)}
    return names | spreads | against | {"first token, ms": Spread.of([1000 * seconds for seconds in first])}


@torch.inference_mode()
def is_recorded(model: GPT) -> bool:
    """Whether the graph that `generate` would make could be made."""
    cache = KVCache(model.config, 1, model.device)
    model(torch.zeros(1, 1, dtype=torch.int64, device=model.device), cache)
    return can_record(model) and TokenStep(model, cache).record()


def timed(name: str, write: Callable[[], object], length: int, device: torch.device) -> Callable[[], float]:
    texts_at_once = TOGETHER if name == "8 texts" else 1

    def turn() -> float:
        start = time.perf_counter()
        with torch.no_grad():
            write()
        wait(device)
        return length * texts_at_once / (time.perf_counter() - start)

    return turn


def unrecorded(model: GPT, wanted: SampleConfig) -> None:
    """Write as where nothing can be recorded."""
    with contextlib.ExitStack() as after:
        after.callback(setattr, lm.reader, "can_record", lm.reader.can_record)
        lm.reader.can_record = lambda model: False
        lm.generate.generate(model, TOKENIZER, "\n", wanted)


if __name__ == "__main__":
    sys.exit(main())
