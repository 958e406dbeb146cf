"""The lines that a run's loss is read against, worked out beside the page: a tick asks and never waits.

`lm.baselines` needs a second or two for a long text. One thread of this process works them out, one run after another,
and they are remembered as long as the process lives. The chapters' own curves stand in `lm.recipes`.
"""

from __future__ import annotations

import dataclasses
import functools
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lm import recipes
from lm.errors import LMError
from lm.run_dir import RunDir

REMEMBERED_RUNS = 256
COMPRESSORS = ("gzip", "xz")


def references(run: RunDir) -> dict[str, Any] | None:
    """`lines` (name → nats per token) and `bytes_per_token` of a run.

    None while they are not known, and where there is nothing to know: no held-out text, or a run without its tokens.
    """
    try:
        written = run.config.stat().st_mtime_ns  # the last file of a run's set-up: its tokens are there
    except OSError:
        return None
    future = _asked(run.path, written)
    return future.result() if future.done() else None


def published(recipe: str) -> dict[str, Any] | None:
    """The curve that the recipe's source published, (step, train, validation) in nats; None where there is none."""
    known = recipes.RECIPES.get(recipe)
    return dict(recipe=recipe, points=known.curve) if known and known.curve else None


@functools.cache
def _worker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "references")


@functools.lru_cache(REMEMBERED_RUNS)
def _asked(path: Path, written: int) -> Future:
    return _worker().submit(_work_out, RunDir(path))


def _work_out(run: RunDir) -> dict[str, Any] | None:
    from lm.baselines import baselines

    try:
        found = baselines(run)
    except (LMError, OSError):  # a run that was pulled has no tokens: its curve stands alone
        found = None
    if found is None:
        return None
    nats = dataclasses.asdict(found)
    bytes_per_token = nats.pop("bytes_per_token")
    # A compressor that does worse than chance had too little to read: its line would say nothing.
    lines = {name: round(v, 5) for name, v in nats.items() if name not in COMPRESSORS or v < found.uniform}
    return dict(lines=lines, bytes_per_token=round(bytes_per_token, 5))
