"""Writing beside nanoGPT's and transformers' `generate`: the same weights, sampling included, in tokens a second.

    python benchmarks/generation.py --nanogpt DIR [--rounds 5] [--run FOLDER …] [--sizes 12/12/768/1024/50257 …]
        [--tokens 511]

All three continue one line break to a full context with temperature 0.8 and top-k 40 (the weights are random: speed does
not depend on them). nanoGPT has no cache; transformers uses its own. Ours is `lm.generate.generate`, text and all: as it
writes by itself, with exact weights (`is_exact`), eight texts at once; and, of a model just loaded, the first text, and
the seconds to the first token of a prompt that fills half of the context. Before anything is timed the three must have as
many parameters and the same scores for the same ids.

With `--tokens` a text may become longer than the context, past which ours shifts it (`lm.reader`) and, as the contestant
`ours_sliding`, slides it as nanoGPT does. transformers, whose gpt2 has no position for such a token, then stays away.

With `--run` also what speed costs a trained run's best model: its loss on all of its held-out text, as it is and as
`lm.half` rounds it, and how many of its greedy tokens differ; and its loss at evenly spaced held-out tokens, each predicted
from a whole context, and from as many tokens as are left of it at some moment between two shifts.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F

from lm import batches, checkpoint
from lm.config import ModelConfig, SampleConfig
from lm.evaluate import evaluate
from lm.generate import generate, stream
from lm.half import halved
from lm.model import GPT
from lm.reader import Window
from lm.run_dir import RunDir
from lm.tokenizer import CharTokenizer, load_tokenizer
from sidebyside import Spread, as_nanogpt, finish, nanogpt, numbers, ratio, table, take_turns, written

TOKENIZER = CharTokenizer("\n" + "".join(map(chr, range(32, 32 + 64))))  # about as many as Tiny Shakespeare has
# Layers, heads, width, context and, where it is not that of the tokenizer, vocabulary.
SIZES = ((4, 4, 256, 256), (6, 6, 384, 256))
SAMPLING = dict(temperature=0.8, top_k=40)
TOGETHER = 8
SAME_SCORES = 1e-4
ALIKE_WINDOWS = 50
SHIFTED_TOKENS, ROWS = 8000, 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nanogpt", type=Path, required=True, metavar="DIR", help="a clone of nanoGPT")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant [5]")
    parser.add_argument(
        "--sizes", type=numbers, nargs="*", default=SIZES, help="layers/heads/width/context[/vocabulary]"
    )
    parser.add_argument("--tokens", type=int, default=0, help="to write after the line break [to the context's end]")
    parser.add_argument("--run", type=Path, nargs="*", default=[], metavar="FOLDER", help="trained runs")
    arguments = parser.parse_args()
    module = nanogpt(arguments.nanogpt)
    found = [compare(size, module, arguments.rounds, arguments.tokens) for size in arguments.sizes]
    print(table(list(found[0]), [list(row.values()) for row in found]))
    costs = {what.__name__: [what(RunDir(folder)) for folder in arguments.run] for what in (rounding, shifting)}
    for rows in filter(None, costs.values()):
        print("\n" + table(list(rows[0]), [list(row.values()) for row in rows]))
    finish("generation", unit="tokens per second", sizes=found, **costs)
    return 0


def compare(size: tuple[int, ...], module: ModuleType, rounds: int, tokens: int) -> dict:
    """One line of the table; 0 `tokens` fill the context."""
    n_layer, n_head, n_embd, block_size, vocab_size = (*size, TOKENIZER.vocab_size)[:5]
    config = ModelConfig("gpt2", vocab_size, block_size, n_layer, n_head, n_embd=n_embd)
    model = GPT(config, torch.Generator().manual_seed(0)).eval()
    nano, there = as_nanogpt(module, model).eval(), as_transformers(model)
    same_scores_or_exit(model, nano, there)
    prompt, length = torch.tensor([TOKENIZER.encode("\n").tolist()]), tokens or block_size - 1
    wanted = SampleConfig(max_new_tokens=length, **SAMPLING)
    contestants = {
        "ours": lambda: generate(model, TOKENIZER, "\n", wanted),
        "ours_exact": lambda: generate(model, TOKENIZER, "\n", wanted, is_exact=True),
        "ours_sliding": lambda: generate(model, TOKENIZER, "\n", replace(wanted, past_context="slide")),
        "nanogpt": lambda: nano.generate(prompt, length, **SAMPLING),
        "transformers": lambda: there.generate(
            prompt, do_sample=True, min_new_tokens=length, max_new_tokens=length, pad_token_id=0, **SAMPLING
        ),
        "ours_together": lambda: generate(model, TOKENIZER, "\n", replace(wanted, num_samples=TOGETHER)),
    }
    del contestants["ours_sliding" if length < block_size else "transformers"]
    texts = {name: TOGETHER if name == "ours_together" else 1 for name in contestants}
    turns = {name: speed(write, length * texts[name]) for name, write in contestants.items()}
    speeds = take_turns(turns, rounds)
    first = [first_text(model, wanted) for _ in range(rounds)]
    return dict(
        size=written(size),
        **{name: Spread.of(found) for name, found in speeds.items()},
        **{f"to_{name}": ratio(speeds["ours"], speeds[name]) for name in ("nanogpt", "transformers") if name in speeds},
        together_to_one=ratio(speeds["ours_together"], speeds["ours"]),
        first_text=Spread.of([speed for speed, _ in first]),
        first_token_seconds=Spread.of([seconds for _, seconds in first]),
    )


def as_transformers(model: GPT) -> torch.nn.Module:
    """The model as transformers loads it from our checkpoint."""
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save_model(Path(folder) / "model", model, TOKENIZER, step=0, val_loss=None)
        return AutoModelForCausalLM.from_pretrained(Path(folder) / "model").eval()


def same_scores_or_exit(model: GPT, nano: torch.nn.Module, there: torch.nn.Module) -> None:
    ids = torch.randint(TOKENIZER.vocab_size, (1, model.config.block_size), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores = model(ids)[:, -1]
        others = {"nanoGPT": nano(ids)[0][:, -1], "transformers": there(ids).logits[:, -1]}
    for name, other in others.items():
        if (scores - other).abs().max() > SAME_SCORES:
            sys.exit(f"not the same model: {name}'s scores differ by {(scores - other).abs().max():.2g}")


def speed(write: Callable[[], object], tokens: int) -> Callable[[], float]:
    def turn() -> float:
        start = time.perf_counter()
        with torch.no_grad():
            write()
        return tokens / (time.perf_counter() - start)

    return turn


def first_text(model: GPT, wanted: SampleConfig) -> tuple[float, float]:
    """Of a model that has not written yet, each time a new one: tokens a second of its first text, and the seconds from
    a call to the first piece of text, of a prompt that fills half of the context."""
    new = copy.deepcopy(model)
    tokens_per_second = speed(lambda: generate(new, TOKENIZER, "\n", wanted), wanted.max_new_tokens)()
    text = stream(copy.deepcopy(model), TOKENIZER, "A" * (model.config.block_size // 2), wanted)
    start = time.perf_counter()
    next(text)
    seconds = time.perf_counter() - start
    text.close()
    return tokens_per_second, seconds


def rounding(run: RunDir) -> dict:
    """One line of the second table."""
    model, tokenizer = checkpoint.load_model(run.best), load_tokenizer(run.best)
    rounded = halved(model)
    if rounded is None:
        sys.exit(f"{run.path}: its weights are not rounded here, see lm/half.py")
    tokens = batches.open_tokens(run.val_tokens, model.config.vocab_size)
    windows = batches.evaluation_windows(len(tokens), model.config.block_size)
    losses, choices = [], []
    for each in (model, rounded.model):
        losses.append(evaluate(each, tokens, windows, tokenizer.id_sizes(), batch_size=16).loss)
        choices.append(likeliest(each, tokens, windows[:ALIKE_WINDOWS]))
    is_other = torch.cat(choices[0]) != torch.cat(choices[1])
    return dict(
        run=run.path.name,
        parameters=model.parameter_count(),
        float32=round(losses[0], 6),
        rounded=round(losses[1], 6),
        difference=round(losses[1] - losses[0], 7),
        other_choices=f"{is_other.sum()} of {len(is_other)}",
    )


@torch.no_grad()
def likeliest(model: GPT, tokens: np.ndarray, windows: list[tuple[int, int]]) -> list[torch.Tensor]:
    return [model(torch.tensor(tokens[None, start:end].astype("int64"))).argmax(-1)[0] for start, end in windows]


@torch.no_grad()
def shifting(run: RunDir) -> dict:
    """One line of the third table."""
    model, size = checkpoint.load_model(run.best), checkpoint.load_config(run.best).block_size
    tokens = torch.from_numpy(batches.open_tokens(run.val_tokens, model.config.vocab_size).astype("int64"))
    ends = torch.linspace(size, len(tokens) - 1, SHIFTED_TOKENS).long()
    window = Window.of(model.config, SampleConfig(), 1)
    lefts = [size + n - window.start(size + n) for n in range(1, window.step + 1)]  # tokens that are read
    slid, shifted = [], []
    for end, left in zip(ends.split(ROWS), itertools.cycle(lefts)):
        rows, targets = torch.stack([tokens[i - size : i] for i in end.tolist()]), tokens[end]
        for found, length in ((slid, size), (shifted, left)):
            logits = model(rows[:, -length:], last_only=True)[:, -1]
            found.append(F.cross_entropy(logits, targets, reduction="none").double())
    differences = torch.cat(shifted) - torch.cat(slid)
    error = differences.std().item() / len(differences) ** 0.5
    return dict(
        run=run.path.name,
        context=size,
        slide=round(torch.cat(slid).mean().item(), 4),
        shift=round(torch.cat(shifted).mean().item(), 4),
        difference=f"{differences.mean().item():.4f} ± {error:.4f}",
    )


if __name__ == "__main__":
    sys.exit(main())
