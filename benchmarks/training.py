"""Training throughput beside nanoGPT: the same model, weights, batches and step, in tokens a second.

    python benchmarks/training.py --nanogpt DIR [--text FILE] [--rounds 5]

Theirs is nanoGPT's own model and the step of its `train.py` as its README runs it on a CPU: float32, AdamW, gradients
clipped at 1, no compile. Ours is one step of `lm.trainer`, once as `--precision auto` decides and once in float32. Before
anything is timed both must have the same number of parameters and the same loss on the same batch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch

from lm import batches, prepare, run_dir, texts, trainer
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.prepare import Request
from sidebyside import Spread, as_nanogpt, finish, nanogpt, quietly, ratio, table, take_turns

# Layers, heads, width, context, batch: the README's CPU run, the middle one, and the GPU run's model.
SIZES = ((4, 4, 128, 64, 12), (4, 4, 256, 256, 16), (6, 6, 384, 256, 8))
SECONDS_A_TURN = 1.0
SAME_LOSS = 1e-4  # nats, in float32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nanogpt", type=Path, required=True, metavar="DIR", help="a clone of nanoGPT")
    parser.add_argument("--text", type=Path, help="what to train on [Tiny Shakespeare]")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant [5]")
    parser.add_argument("--sizes", type=int, nargs="*", default=range(len(SIZES)), help="which of the sizes, from 0")
    arguments = parser.parse_args()
    theirs, text = nanogpt(arguments.nanogpt), arguments.text or texts.locate("tinyshakespeare")
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for size in (SIZES[i] for i in arguments.sizes):
            found.append(compare(size, theirs, text, Path(scratch), arguments.rounds))
    head = ("layers heads width context batch", "ours", "ours, float32", "nanoGPT", "ratio", "ratio, float32")
    print(table(head, [[" ".join(map(str, row["size"])), *list(row.values())[1:]] for row in found]))
    finish("training", unit="tokens per second", sizes=found)
    return 0


def compare(size: tuple[int, ...], theirs: ModuleType, text: Path, scratch: Path, rounds: int) -> dict:
    """One line of the table."""
    ours = {precision: make_trainer(size, precision, text, scratch) for precision in ("auto", "float32")}
    peer = as_nanogpt(theirs, ours["float32"].model)
    same_loss_or_exit(ours["float32"], peer)
    steps = {
        "ours": lambda: float(ours["auto"]._optimize(1.0)[0]),  # noqa: SLF001 - the step alone, without a run
        "float32": lambda: float(ours["float32"]._optimize(1.0)[0]),  # noqa: SLF001
        "nanogpt": nanogpt_step(peer, ours["float32"]),
    }
    tokens = ours["auto"].step_tokens
    speeds = take_turns(
        {name: lambda step=step: tokens_per_second(step, tokens) for name, step in steps.items()}, rounds
    )
    spreads = {name: Spread.of(numbers) for name, numbers in speeds.items()}
    ratios = {name: ratio(speeds[name], speeds["nanogpt"]) for name in ("ours", "float32")}
    return dict(size=size, **spreads, ratio=ratios["ours"], ratio_float32=ratios["float32"])


def make_trainer(size: tuple[int, ...], precision: str, text: Path, scratch: Path) -> trainer.Trainer:
    """A trainer of gpt2 at `size`, as `lm train` would make it."""
    n_layer, n_head, n_embd, block_size, batch_size = size
    model = ModelConfig(arch="gpt2", block_size=block_size, n_layer=n_layer, n_head=n_head, n_embd=n_embd)
    train = TrainConfig(batch_size=batch_size, precision=precision, beta2=0.99, device="cpu")
    run = run_dir.create(scratch, run_dir.free_name(scratch, precision))
    return trainer.Trainer(run, prepare.prepare(run, Request((text,), "benchmark", DataConfig(), model, train)))


def same_loss_or_exit(ours: trainer.Trainer, peer: torch.nn.Module) -> None:
    windows = batches.RandomWindows(
        ours.train_tokens, ours.model.config.block_size, 4, torch.Generator().manual_seed(0)
    )
    x, y = next(windows)
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(ours.model(x).flatten(0, 1), y.flatten())
        theirs = peer(x, y)[1]
    if abs(loss - theirs) > SAME_LOSS:
        sys.exit(f"not the same model: our loss is {loss:.6f} and nanoGPT's {theirs:.6f}")


def nanogpt_step(peer: torch.nn.Module, ours: trainer.Trainer) -> Callable[[], float]:
    """The step of nanoGPT's `train.py`, on batches drawn as it draws them."""
    settings = ours.config
    optimizer = quietly(lambda: peer.configure_optimizers(0.1, settings.lr, (0.9, settings.beta2), "cpu"))
    tokens, block_size = ours.train_tokens, ours.model.config.block_size

    def step() -> float:
        starts = torch.randint(len(tokens) - block_size, (settings.batch_size,))
        x = torch.stack([torch.from_numpy(tokens[i : i + block_size].astype("int64")) for i in starts])
        y = torch.stack([torch.from_numpy(tokens[i + 1 : i + 1 + block_size].astype("int64")) for i in starts])
        _, loss = peer(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def tokens_per_second(step: Callable[[], float], tokens: int) -> float:
    """Over as many steps as fill `SECONDS_A_TURN`."""
    start, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < SECONDS_A_TURN:
        step()
        count += 1
    return count * tokens / seconds


if __name__ == "__main__":
    sys.exit(main())
