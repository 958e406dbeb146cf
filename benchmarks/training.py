"""Training throughput beside nanoGPT: the same model, weights, text and step, in tokens a second.

    python benchmarks/training.py --nanogpt DIR [--text FILE] [--rounds 5] [--dropout 0.2]
        [--sizes 4/4/128/64/12 12/12/768/256/2 …] [--tokenizer gpt2]

Theirs is nanoGPT's own model and the step of its `train.py` as its README runs it on a CPU: float32, AdamW, gradients
clipped at 1, no compile. Ours is one step of `lm.trainer`, once as `--precision auto` decides and once in float32.

Each contestant is a process of its own, with the memory allocator and the waiting threads that it has when a person
starts it: `lm train` keeps freed memory and lets waiting threads sleep soon (`lm/heap.py`, `lm/threads.py`), nanoGPT's
`train.py` does neither. (In one process nanoGPT would train with our allocator; `--kept` adds nanoGPT with freed memory
kept, which says how much of the ratio that is.) Where the environment sets `GOMP_SPINCOUNT` it holds for all. Before
anything is timed both must have the same number of parameters and the same loss on the same batch.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch

from lm import batches, prepare, run_dir, texts, trainer
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.device import autocast, onto
from lm.heap import keep_freed_memory
from lm.model import GPT
from lm.prepare import Request, Setup
from lm.threads import set_up_threads
from sidebyside import (
    Spread, answer_turns, as_nanogpt, finish, nanogpt, numbers, quietly, ratio, table, take_turns, waiting_processes, written,
)  # fmt: skip

# Layers, heads, width, context, batch: the README's CPU run, the middle one, and the GPU run's model.
SIZES = ((4, 4, 128, 64, 12), (4, 4, 256, 256, 16), (6, 6, 384, 256, 8))
SECONDS_A_TURN = 1.5
SAME_LOSS = 1e-4  # nats, in float32
OURS = {"ours": "auto", "ours, float32": "float32"}
THEIRS, THEIRS_KEPT = "nanoGPT", "nanoGPT, freed memory kept"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nanogpt", type=Path, required=True, metavar="DIR", help="a clone of nanoGPT")
    parser.add_argument("--text", type=Path, help="what to train on [Tiny Shakespeare]")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant [5]")
    parser.add_argument(
        "--sizes", type=numbers, nargs="*", default=SIZES, help="layers/heads/width/context/batch [three of them]"
    )
    parser.add_argument("--dropout", type=float, default=0.0, help="of both models [0]")
    parser.add_argument("--tokenizer", default="char", help="one of lm train's [char]")
    parser.add_argument("--kept", action="store_true", help="nanoGPT with our allocator as well")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)  # what this script calls itself with
    arguments = parser.parse_args()
    arguments.text = arguments.text or texts.locate("tinyshakespeare")
    if arguments.contestant:
        contestant(arguments.contestant, arguments.sizes[0], arguments)
        return 0
    found = [compare(size, arguments) for size in arguments.sizes]
    print(table(list(found[0]), [list(row.values()) for row in found]))
    finish("training", unit="tokens per second", sizes=found)
    return 0


# ---------------------------------------------------------------------------------------------- the race


def compare(size: tuple[int, ...], arguments: argparse.Namespace) -> dict:
    """One line of the table."""
    names = [*OURS, THEIRS, *([THEIRS_KEPT] if arguments.kept else [])]
    with waiting_processes({name: start(name, size, arguments) for name in names}) as turns:
        speeds = take_turns(turns, arguments.rounds)
    ratios = {f"{name} / nanoGPT": ratio(speeds[name], speeds[THEIRS]) for name in names if name != THEIRS}
    spreads = {name: Spread.of(found) for name, found in speeds.items()}
    return {"layers/heads/width/context/batch": written(size)} | spreads | ratios


def start(name: str, size: tuple[int, ...], arguments: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """The command of a contestant and its environment: ours as `lm train` makes it, theirs as it is."""
    environment = dict(os.environ)
    if name in OURS:
        set_up_threads(environment)
    what = ["--contestant", name, "--sizes", written(size), "--nanogpt", str(arguments.nanogpt)]
    what += ["--text", str(arguments.text), "--dropout", str(arguments.dropout), "--tokenizer", arguments.tokenizer]
    return [sys.executable, __file__, *what], environment


# ---------------------------------------------------------------------------------------------- one contestant


def contestant(name: str, size: tuple[int, ...], arguments: argparse.Namespace) -> None:
    """Be one of them: answer each turn with the tokens a second of some steps."""
    with tempfile.TemporaryDirectory() as scratch:
        run = run_dir.create(Path(scratch), "benchmark")
        setup = prepare.prepare(run, request(size, OURS.get(name, "float32"), arguments))
        if name in OURS:
            ours = trainer.Trainer(run, setup)
            step = lambda: float(ours._optimize(1.0).loss)  # noqa: E731, SLF001 - the step alone, without a run
        else:
            if name == THEIRS_KEPT:
                keep_freed_memory()
            step = nanogpt_step(nanogpt(arguments.nanogpt), setup, batches.open_tokens(run.train_tokens, 1 << 16))
        tokens = setup.train.batch_size * setup.model.block_size
        answer_turns(lambda: tokens_per_second(step, tokens))


def request(size: tuple[int, ...], precision: str, arguments: argparse.Namespace) -> Request:
    """What `lm train` would be asked for: gpt2 at `size`."""
    n_layer, n_head, n_embd, block_size, batch_size = size
    sizes = dict(block_size=block_size, n_layer=n_layer, n_head=n_head, n_embd=n_embd)
    model = ModelConfig(arch="gpt2", dropout=arguments.dropout, **sizes)
    train = TrainConfig(batch_size=batch_size, precision=precision, beta2=0.99, device="cpu")
    return Request((arguments.text,), "benchmark", DataConfig(tokenizer=arguments.tokenizer), model, train)


def nanogpt_step(theirs: ModuleType, setup: Setup, tokens) -> Callable[[], torch.Tensor]:
    """The step of nanoGPT's `train.py`, on batches drawn as it draws them; on a GPU compiled, as it is by itself."""
    settings, block_size, device = setup.train, setup.model.block_size, setup.device
    torch.manual_seed(settings.seed)
    model = GPT(setup.model)
    peer = as_nanogpt(theirs, model)
    same_loss_or_exit(model, peer, tokens)
    peer.to(device)
    optimizer = quietly(lambda: peer.configure_optimizers(0.1, settings.lr, (0.9, settings.beta2), device.type))
    learner = torch.compile(peer) if device.type == "cuda" else peer

    def step() -> torch.Tensor:
        starts = torch.randint(len(tokens) - block_size, (settings.batch_size,))
        x = torch.stack([torch.from_numpy(tokens[i : i + block_size].astype("int64")) for i in starts])
        y = torch.stack([torch.from_numpy(tokens[i + 1 : i + 1 + block_size].astype("int64")) for i in starts])
        with autocast(device, setup.precision):
            _, loss = learner(onto(device, x), onto(device, y))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def same_loss_or_exit(ours: GPT, peer: torch.nn.Module, tokens) -> None:
    """Without dropout, which draws otherwise in each; both train afterwards."""
    ours.eval(), peer.eval()
    x, y = next(batches.RandomWindows(tokens, ours.config.block_size, 4, torch.Generator().manual_seed(0)))
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(ours(x).flatten(0, 1), y.flatten())
        theirs = peer(x, y)[1]
    ours.train(), peer.train()
    if abs(loss - theirs) > SAME_LOSS:
        sys.exit(f"not the same model: our loss is {loss:.6f} and nanoGPT's {theirs:.6f}")


def tokens_per_second(step: Callable[[], object], tokens: int) -> float:
    """Over as many steps as fill `SECONDS_A_TURN`."""
    start, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < SECONDS_A_TURN:
        step()
        count += 1
    return count * tokens / seconds


if __name__ == "__main__":
    sys.exit(main())
