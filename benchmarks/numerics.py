"""Does bf16 cost quality? The same training in float32 and in bf16, with the same seeds, measured in float32.

    python benchmarks/numerics.py [--text FILE] [--steps 500] [--seeds 1337 1338] [--setups gpt2 modern]

Two set-ups: nanoGPT's README model (`gpt2`, AdamW) and the quick start's (`modern`, Muon), each for so many steps. The
last weights are measured on all of the held-out text. The promise is a difference of at most 0.01 nats a character; it
stands beside how much two seeds differ.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from lm import batches, checkpoint, recipes, run_dir, texts, trainer
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.evaluate import evaluate
from lm.prepare import Request
from lm.tokenizer import load_tokenizer
from sidebyside import finish, table

PROMISED_NATS = 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, help="what to train on [Tiny Shakespeare]")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1337, 1338])
    parser.add_argument("--setups", nargs="+", default=list(setups()), choices=list(setups()))
    arguments = parser.parse_args()
    text = arguments.text or texts.locate("tinyshakespeare")
    rows = [measure(name, *setups()[name], text, arguments) for name in arguments.setups]
    print(table(list(rows[0]), [list(row.values()) for row in rows]))
    finish("numerics", steps=arguments.steps, seeds=arguments.seeds, promised_nats=PROMISED_NATS, setups=rows)
    return 0


def setups() -> dict[str, tuple[ModelConfig, TrainConfig]]:
    quick = recipes.find("quickstart")
    readme = ModelConfig(block_size=64, n_layer=4, n_head=4, n_embd=128)
    return {
        "gpt2": (readme, TrainConfig(batch_size=12, beta2=0.99)),
        "modern": (quick.model, replace(quick.train, minutes=0.0)),
    }


def measure(name: str, model: ModelConfig, train: TrainConfig, text: Path, arguments: argparse.Namespace) -> dict:
    """One line of the table."""
    train = replace(train, steps=arguments.steps, eval_interval=arguments.steps, sample_tokens=0, device="cpu")
    losses = {
        precision: [last_loss(model, replace(train, seed=seed, precision=precision), text) for seed in arguments.seeds]
        for precision in ("float32", "bf16")
    }
    differences = [b - a for a, b in zip(losses["float32"], losses["bf16"])]
    return {
        "set-up": name,
        **{precision: " ".join(f"{loss:.4f}" for loss in found) for precision, found in losses.items()},
        "bf16 - float32": " ".join(f"{difference:+.4f}" for difference in differences),
        "mean": round(statistics.mean(differences), 4),
        "seed to seed": round(max(losses["float32"]) - min(losses["float32"]), 4),
    }


def last_loss(model: ModelConfig, train: TrainConfig, text: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = run_dir.create(Path(folder), "numerics")
        trainer.train(run, Request((text,), "numerics", DataConfig(), model, train))
        trained, tokenizer = checkpoint.load_model(run.last), load_tokenizer(run.last)
        tokens = batches.open_tokens(run.val_tokens, trained.config.vocab_size)
        windows = batches.evaluation_windows(len(tokens), model.block_size)
        return evaluate(trained, tokens, windows, tokenizer.id_sizes(), batch_size=16).loss


if __name__ == "__main__":
    sys.exit(main())
