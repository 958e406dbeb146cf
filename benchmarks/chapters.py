"""Train the chapters' systems and print their published numbers beside ours; the last line is JSON.

    python benchmarks/chapters.py                            # every recipe that stands beside numbers
    python benchmarks/chapters.py verdict bigram chapter19   # those that two cores train whole, in ten minutes each
    python benchmarks/chapters.py llm0 --minutes 600         # at full length if it fits into ten hours

A recipe is trained on its source's text with its own settings and seed. If all its steps would take more than
`--minutes` (measured on a few steps first), as many as fit are taken instead, the schedule drawn together, and the
output says so: such a run shows that the set-up works and how fast it is; its losses are not those of the whole run.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import tempfile
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm import batches, checkpoint, prepare, recipes, run_dir, texts, trainer
from lm.config import TrainConfig
from lm.errors import LMError
from lm.evaluate import evaluate
from lm.names import free_name
from lm.prepare import Request
from lm.recipes import Recipe
from lm.tokenizer import load_tokenizer
from sidebyside import finish

PROBE_STEPS, PROBE_TOKENS = 4, 4096
NEVER = 10_000_000  # steps; a state to resume from changes no loss, and one of the verdict has 2 GB
Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = [recipe.name for recipe in recipes.RECIPES.values() if recipe.published or recipe.curve]
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"by default {' '.join(known)}")
    parser.add_argument("--minutes", type=float, default=10.0, help="train longer than this only in fewer steps [10]")
    parser.add_argument("--runs-dir", type=Path, help="keep the runs here")
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.recipes or known:
            try:
                recipe = recipes.find(name)
                results.append(measure(recipe, arguments.minutes, arguments.runs_dir or Path(scratch)))
                print(table(recipe, results[-1]), flush=True)
            except LMError as error:
                results.append(dict(recipe=name, error=str(error)))
                print(f"{name}: {error}\n", flush=True)
    finish("chapters", recipes=results)
    return int(any("error" in result for result in results))


# ---------------------------------------------------------------------------------------------- measuring


def measure(recipe: Recipe, minutes: float, runs_dir: Path) -> Result:
    """Train `recipe`, whole or as far as `minutes` reach."""
    source = texts.locate(recipe.text)
    seconds_per_step, all_steps = probe(recipe, source, runs_dir)
    steps = min(all_steps, max(1, int(60 * minutes / seconds_per_step)))
    train = recipe.train if steps == all_steps else shortened(recipe.train, steps, all_steps)
    train = replace(train, checkpoint_interval=NEVER)
    run = run_dir.create(runs_dir, free_name(runs_dir, recipe.name))
    say(f"{recipe.name}: {steps:,} of {all_steps:,} steps, about {steps * seconds_per_step / 60:.1f} minutes")
    result = trainer.train(run, Request((source,), recipe.name, recipe.data, recipe.model, train), say=say)
    said, (records, _) = run_dir.read_json(run.config), run_dir.read_metrics(run.path)
    evaluations = [record for record in records if "val_loss" in record]
    return dict(
        recipe=recipe.name,
        text=said["corpus"]["name"],
        seed=said["seed"],
        steps=result["steps"],
        all_steps=all_steps,
        is_whole=steps == all_steps,
        seconds=result["elapsed_seconds"],
        tokens_per_second=result["tokens_per_second"],
        precision=said["precision"],
        parts=said["grad_accum_steps"],
        measured=measured(said, result, evaluations),
        curve=[[r["step"], r["train_loss"], r["val_loss"]] for r in evaluations],
    )


def probe(recipe: Recipe, source: Path, runs_dir: Path) -> tuple[float, int]:
    """Seconds that a step of `recipe` takes, by a few smaller ones, and how many steps it has."""
    few = min(recipe.train.batch_size, math.ceil(PROBE_TOKENS / recipe.model.block_size))
    train = replace(recipe.train, grad_accum_steps=1, batch_size=few, eval_windows=1, sample_tokens=0)
    run = run_dir.create(runs_dir, free_name(runs_dir, f"{recipe.name}-probe"))
    setup = prepare.prepare(run, Request((source,), recipe.name, recipe.data, recipe.model, train))
    probing = trainer.Trainer(run, setup)
    times = [time.perf_counter()]
    for _ in range(PROBE_STEPS):
        float(probing._optimize(1.0).loss)  # noqa: SLF001 - the step alone, without a run around it
        times.append(time.perf_counter())
    seconds = min(after - before for before, after in itertools.pairwise(times))
    whole = trainer.Trainer(run, replace(setup, train=recipe.train))
    return seconds * recipe.train.batch_size / few, whole.progress.max_steps


def shortened(train: TrainConfig, steps: int, all_steps: int) -> TrainConfig:
    """The same training in fewer steps: warm-up and evaluations drawn together with it."""
    warmup = train.warmup if train.warmup < 1 else train.warmup / all_steps
    interval = train.eval_interval if train.eval_interval <= steps / 4 else 0
    return replace(train, steps=steps, epochs=0.0, warmup=warmup, eval_interval=interval)


def measured(said: Result, result: Result, evaluations: list[Result]) -> dict[str, float]:
    """What stands on our side of the table."""
    first, last = evaluations[0], evaluations[-1]
    numbers = {
        "parameters": result["parameters"],
        "characters": said["corpus"]["statistics"]["characters"],
        "tokens": sum(said["tokens"].values()),
        "ln(vocabulary), the loss of knowing nothing": math.log(said["model"]["vocab_size"]),
        "train loss at step 0": first["train_loss"],
        "validation loss at step 0": first["val_loss"],
        f"train loss at step {last['step']:,}": last["train_loss"],
        f"validation loss at step {last['step']:,}": last["val_loss"],
        f"best validation loss, at step {result['best_step']:,}": result["best_val_loss"],
        "its bits per byte": min(record["val_bits_per_byte"] for record in evaluations),
    }
    if "val_smoothed_loss" in last:
        numbers["validation loss at the end, smoothing counted"] = last["val_smoothed_loss"]
    if "bigram_floor" in said:
        numbers["floor: conditional entropy of the training text's pairs"] = said["bigram_floor"]
        numbers["loss over the whole training text"] = whole_train_loss(run_dir.RunDir(Path(result["run_dir"])))
    return numbers


def whole_train_loss(run: run_dir.RunDir) -> float:
    """The last weights' loss on all of the training text, in nats; the run itself measured only some windows of it."""
    model, tokenizer = checkpoint.load_model(run.last), load_tokenizer(run.last)
    tokens = batches.open_tokens(run.train_tokens, model.config.vocab_size)
    windows = batches.evaluation_windows(len(tokens), model.config.block_size)
    return evaluate(model, tokens, windows, tokenizer.id_sizes(), batch_size=4096).loss


# ---------------------------------------------------------------------------------------------- showing


def table(recipe: Recipe, result: Result) -> str:
    """Published and measured numbers side by side, then the curves."""
    length = "at full length" if result["is_whole"] else f"SHORTENED from {result['all_steps']:,}: no match is expected"
    head = (
        f"{recipe.name} on {result['text']}, seed {result['seed']}: {result['steps']:,} steps, {length}; "
        f"{result['seconds']:.0f} s, {result['tokens_per_second']:,.0f} tokens/s in {result['precision']}"
    )
    columns = [lines(dict(recipe.published)), lines(result["measured"])]
    width = max(map(len, columns[0]), default=9)
    rows = [("published", "measured"), *itertools.zip_longest(*columns, fillvalue="")]
    shown = [head, *(f"  {left:{width}}  |  {right}" for left, right in rows)]
    for step, train_loss, val_loss in (point for point in recipe.curve if point[0] <= result["steps"]):
        ours = min(result["curve"], key=lambda point: abs(point[0] - step))
        shown.append(
            f"  step {step:>5,}: {train_loss:.3f}/{val_loss:.3f}  |  step {ours[0]:>5,}: {ours[1]:.3f}/{ours[2]:.3f}"
        )
    return "\n".join([*shown, textwrap.indent(textwrap.fill(recipe.differs, 110), "  "), ""])


def lines(numbers: dict[str, float]) -> list[str]:
    """One line for each number: the number, then its name."""
    return [f"{f'{number:,.4f}' if number % 1 else f'{number:,.0f}':>12}  {what}" for what, number in numbers.items()]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
