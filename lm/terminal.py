"""How the commands of `lm` speak: words for a person, on stdout or, where `--json` keeps that for the result, on stderr.

A training is told by a bar on a terminal and by a line per evaluation in a log.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from lm.run_dir import Status

Result = dict[str, Any]  # what a command returns, and `--json` prints


def say(arguments: argparse.Namespace, text: str) -> None:
    """What the command found or did."""
    print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)


def warn(text: str) -> None:
    """What the person should know besides."""
    print(text, file=sys.stderr, flush=True)


class ProgressBar:
    """A training's: how much of it is done, and what its last step and its evaluations came to."""

    def __init__(self, name: str) -> None:
        from tqdm import tqdm

        self.is_terminal = sys.stderr.isatty()
        layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
        self.bar = tqdm(total=1.0, desc=name, disable=not self.is_terminal, bar_format=layout)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()

    def say(self, text: str) -> None:
        """A line of its own, above the bar."""
        if self.is_terminal:
            self.bar.write(text, file=sys.stderr)
        else:
            warn(text)

    def show(self, record: dict[str, Any], status: Status) -> None:
        """Take in a line of `metrics.jsonl` and the status beside it."""
        left = f"{clock(status.seconds_left)} left" if status.seconds_left is not None else ""
        speed = f"{record['tokens_per_second']:,.0f} tokens/s" if "tokens_per_second" in record else ""
        loss = f"loss {record['loss']:.4f}" if "loss" in record else ""
        if "val_loss" in record:
            parts = (f"step {record['step']:,}", loss, f"val {record['val_loss']:.4f}", speed, left)
            self.say("  ".join(part for part in parts if part))
        if self.is_terminal:
            known = (status.seconds_left or 0.0) + status.elapsed_seconds
            self.bar.n = min(1.0, status.elapsed_seconds / known) if known else 0.0
            self.bar.set_postfix_str(", ".join(part for part in (loss, speed, left) if part))


def ending(result: Result) -> str:
    """The last line of a training: how it ended, after how many steps, with which numbers."""
    numbers = [f"steps={result['steps']}"]
    for name, key in (("final_loss", "train_loss"), ("elapsed", "elapsed_seconds"), ("val_loss", "val_loss"),
                      ("val_ppl", "val_perplexity"), ("val_bpb", "val_bits_per_byte")):  # fmt: skip
        if result[key] is not None:
            numbers.append(f"{name}={result[key]:.1f}s" if name == "elapsed" else f"{name}={result[key]:.4f}")
    return f"[{result['state'].capitalize()}] {' '.join(numbers)}"


def clock(seconds: float) -> str:
    """As a clock shows it: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
