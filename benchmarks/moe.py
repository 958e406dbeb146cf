"""A mixture of experts beside a dense model with as many active parameters; the last line is JSON.

    python benchmarks/moe.py                  # Tiny Shakespeare, three seeds: about ten minutes on two cores
    python benchmarks/moe.py --seeds 1 --steps 200

Both are the same small GPT over characters, trained on the same batches in the same number of steps. A token meets
equally many weights in either: the experts are narrower than the dense MLP by as much as the router and the choice of
several cost. What the mixture has more of is weights that other tokens meet. Whether that pays is what is measured: the
loss over all of the held-out text, best evaluation of each run, by seed.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm import run_dir, texts, trainer
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.names import free_name
from lm.prepare import Request
from sidebyside import finish

Result = dict[str, Any]

DENSE = ModelConfig(arch="modern", block_size=64, n_layer=2, n_head=2, n_embd=64, tie_weights=False)
N_EXPERTS, N_CHOSEN = 8, 2
TRAIN = TrainConfig(
    steps=2000, batch_size=16, lr=6e-3, schedule="linear", min_lr_ratio=0.0, weight_decay=0.0, precision="float32",
    sample_tokens=0, log_interval=10,
)  # fmt: skip


def mixture(dense: ModelConfig, n_experts: int, n_chosen: int) -> ModelConfig:
    """Experts whose chosen ones and router together have as many weights as the MLP of `dense` (modern: no biases).

    Per block 2 C I weights become n_chosen 2 C I' + C n_experts.
    """
    inner, rest = divmod(2 * dense.inner - n_experts, 2 * n_chosen)
    assert rest == 0, f"{n_experts} experts of which {n_chosen} are chosen cannot match a width of {dense.inner}"
    return replace(dense, n_experts=n_experts, n_experts_per_token=n_chosen, n_inner=inner)


def trained(source: Path, runs_dir: Path, name: str, model: ModelConfig, train: TrainConfig) -> Result:
    """One run, and what its `config.json` and `metrics.jsonl` say."""
    run = run_dir.create(runs_dir, free_name(runs_dir, f"{name}-{train.seed}"))
    result = trainer.train(run, Request((source,), "quickstart", DataConfig(tokenizer="char"), model, train))
    said, best = run_dir.read_json(run.config), run_dir.best_record(run)
    return dict(
        model=name,
        seed=train.seed,
        parameters=said["parameters"],
        active_parameters=said["active_parameters"],
        steps=result["steps"],
        seconds=round(result["elapsed_seconds"], 1),
        best_step=best["step"],
        val_loss=best["val_loss"],
        train_loss=best["train_loss"],
        busiest_expert=max(map(max, best.get("expert_shares", [[0.0]]))),
    )


def table(results: Sequence[Result]) -> str:
    """A line for every run."""
    lines = [
        f"{'model':8} {'seed':>6} {'parameters':>11} {'active':>9} {'validation':>11} {'training':>9} {'seconds':>8}"
    ]
    lines += [
        f"{r['model']:8} {r['seed']:>6} {r['parameters']:>11,} {r['active_parameters']:>9,} {r['val_loss']:>11.4f} "
        f"{r['train_loss']:>9.4f} {r['seconds']:>8.0f}"
        for r in results
    ]
    return "\n".join(lines)


def gains(results: Sequence[Result]) -> list[float]:
    """How much lower the mixture's validation loss is, by seed, in nats per token."""
    by_seed: dict[int, dict[str, float]] = {}
    for result in results:
        by_seed.setdefault(result["seed"], {})[result["model"]] = result["val_loss"]
    return [losses["dense"] - losses["mixture"] for losses in by_seed.values()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", default="tinyshakespeare", help="a sample text, by name [tinyshakespeare]")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each model [3]")
    parser.add_argument("--first-seed", type=int, default=1337, help="the others count on from it [1337]")
    parser.add_argument("--steps", type=int, default=TRAIN.steps, help=f"[{TRAIN.steps}]")
    parser.add_argument("--runs-dir", type=Path, help="keep the runs here")
    arguments = parser.parse_args()
    source, results = texts.locate(arguments.text), []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            for name, model in (("dense", DENSE), ("mixture", mixture(DENSE, N_EXPERTS, N_CHOSEN))):
                train = replace(TRAIN, steps=arguments.steps, seed=seed)
                results.append(trained(source, arguments.runs_dir or Path(scratch), name, model, train))
                print(table(results[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    assert len({result["active_parameters"] for result in results}) == 1
    won = gains(results)
    spread = statistics.stdev(won) / math.sqrt(len(won)) if len(won) > 1 else 0.0
    print(table(results))
    print(f"the mixture is lower by {statistics.mean(won):.4f} ± {spread:.4f} nats a token ({len(won)} seeds)")
    finish("moe", text=arguments.text, gains=won, runs=results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
