"""Run directories as the trainer writes them, without training: made with the contract's own writers."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from lm import run_dir
from lm.run_dir import RunDir, Status
from lm.tokenizer import CharTokenizer

TEXT = "Mira the miller's daughter went down to the harbour, where the old ferryman was mending his blue nets."


def record(step: int, *, evaluate: bool = False, parted_at: int = 10**9) -> dict[str, Any]:
    """One line of metrics.jsonl on a curve that falls from 4.2 nats; validation turns up after `parted_at`."""
    wave = 0.11 * math.sin(step * 12.9898) * math.sin(step * 4.1414)
    loss = 1.42 + 2.75 * math.exp(-step / 130) + 0.35 * math.exp(-step / 600)
    line = dict(step=step, time_seconds=step * 0.05, tokens=step * 2048, epoch=step / 400, loss=loss + wave, lr=1e-3,
                grad_norm=0.7, tokens_per_second=17_400.0)  # fmt: skip
    if evaluate:
        val_loss = loss + 0.05 + max(0, step - parted_at) * 0.0006
        line |= dict(val_loss=val_loss, train_loss=loss, val_perplexity=math.exp(val_loss),
                     val_bits_per_byte=val_loss / math.log(2), is_best=step <= parted_at)  # fmt: skip
    return line


def write_lines(run: RunDir, first: int, last: int, every: int = 40, parted_at: int = 10**9) -> None:
    for step in range(first, last + 1):
        is_evaluation = step % every == 0
        run_dir.append_record(run.metrics, record(step, evaluate=is_evaluation, parted_at=parted_at))
        if is_evaluation:
            run_dir.append_record(run.samples, dict(step=step, prompt="Mira ", text=TEXT[5 : 5 + step // 4 + 20]))


def fabricate(
    runs_dir: Path, name: str, steps: int = 200, max_steps: int = 200, parted_at: int = 10**9, **status: Any
) -> RunDir:
    """A run of `steps` steps, finished unless `status` says otherwise."""
    run = run_dir.create(runs_dir, name)
    corpus = dict(name="tales.txt", sha256="0" * 64, statistics=dict(characters=200_000))
    model = dict(arch="modern", block_size=128, n_layer=4, n_head=4, n_embd=192, vocab_size=80)
    config = dict(schema=run_dir.SCHEMA, recipe="quickstart", data=dict(tokenizer="char"), model=model,
                  train=dict(steps=max_steps), seed=1, corpus=corpus, parameters=1_810_000, versions={})  # fmt: skip
    run_dir.write_json(run.config, config)
    run.log.write_text(f"training {name}\nstep {steps}\n", encoding="utf-8")
    write_lines(run, 1, steps, parted_at=parted_at)
    said = dict(state="finished", step=steps, max_steps=max_steps, elapsed_seconds=steps * 0.05, heartbeat=time.time())
    run_dir.write_status(run, Status(**said | status))
    return run


def add_tokens(run: RunDir, repeats: int = 40) -> None:
    """Tokenizer and tokens of a short text, as `lm.prepare` writes them: what baselines are counted from."""
    tokenizer = CharTokenizer(TEXT)
    tokenizer.save(run.path)
    for path, times in ((run.train_tokens, repeats), (run.val_tokens, repeats // 4)):
        tokenizer.encode(TEXT * times).astype("<u2").tofile(path)
