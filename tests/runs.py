"""Small real runs for the tests: a text, settings that train in a second, and what to compare of two runs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from lm import run_dir
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.prepare import Request
from lm.run_dir import RunDir

CLOCK_KEYS = {"time_seconds", "tokens_per_second"}


def write_text(path: Path, characters: int = 4000, seed: int = 0) -> Path:
    """A text with something to learn: short sentences of few words."""
    dice = random.Random(seed)
    words = ["the", "fox", "sees", "a", "lamp", "on", "the", "hill", "and", "sings", "to", "it", "softly"]
    text = ""
    while len(text) < characters:
        text += " ".join(dice.choice(words) for _ in range(dice.randint(3, 8))).capitalize() + ".\n"
    path.write_text(text[:characters], encoding="utf-8")
    return path


def request(source: Path, *, model: dict[str, Any] | None = None, **train: Any) -> Request:
    """A tiny model for `source`; dropout on, so that every source of randomness is in play."""
    small = dict(block_size=16, n_layer=2, n_head=2, n_embd=16, dropout=0.1)
    brief = dict(
        steps=12, batch_size=4, eval_interval=4, eval_windows=8, sample_tokens=8, threads=1, precision="float32"
    )
    return Request(
        sources=(source,),
        recipe="quickstart",
        data=DataConfig(),
        model=ModelConfig(**small | (model or {})),
        train=TrainConfig(**brief | train),
    )


def metrics(run: RunDir) -> list[dict[str, Any]]:
    """metrics.jsonl without what the clock says."""
    records, _ = run_dir.read_metrics(run.path)
    return [{key: value for key, value in record.items() if key not in CLOCK_KEYS} for record in records]


def weights(run: RunDir, which: str = "last") -> dict[str, bytes]:
    """The bytes of every tensor of a checkpoint."""
    return {name: array.tobytes() for name, array in load_file(run.path / which / "model.safetensors").items()}
