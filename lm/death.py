"""What became of a process that ended without a word: told from what it noted before, and from what is left of the disk.

Systems end the largest process when the memory is full (Linux's OOM killer, macOS's jetsam), and a full disk may keep a
process from saying that it is full. Everything else that ends one so, a `kill -9` or a power cut, looks alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lm.records import is_count

MEMORY_LOW_BYTES = 300_000_000  # so little left at the last heartbeat. assumed
DISK_LOW_BYTES = 10_000_000  # less than the smallest state that is worth saving. assumed
MOST_BATCH = 1 << 20


def probable_cause(
    name: str, config: Mapping[str, Any], free_memory: int | None, free_disk: int, can_write: bool = True
) -> str:
    """A sentence for the run `name`, with the setting to change where it was the memory; bytes free at the end."""
    cure = f"go on with `lm resume {name}`"
    if not can_write:
        return f"the process ended without a word, and its folder cannot be written to: make it writable, then {cure}"
    if free_disk < DISK_LOW_BYTES:
        return f"the process ended without a word, and the disk is full: free some space, then {cure}"
    if _needed_more_than_there_was(config) or (free_memory or MEMORY_LOW_BYTES) < MEMORY_LOW_BYTES:
        if finer := _finer_parts(config):
            return f"the process ended without a word, probably for lack of memory: {cure} --grad-accum-steps {finer}"
        return f"the process ended without a word, probably for lack of memory: {cure} --recompute"
    return f"the process ended without a word, as when it is killed or the machine is switched off: {cure}"


def _needed_more_than_there_was(config: Mapping[str, Any]) -> bool:
    estimate = config.get("memory")
    estimate = estimate if isinstance(estimate, dict) else {}
    needed, free = (estimate.get(key) for key in ("needed_bytes", "free_bytes"))
    return is_count(needed) and is_count(free) and needed > free


def _finer_parts(config: Mapping[str, Any]) -> int:
    """In how many parts a batch should be computed next; 0 where it cannot be cut further, or nothing is known of it."""
    train = config.get("train")
    batch = train.get("batch_size") if isinstance(train, dict) else None
    parts = config.get("grad_accum_steps") or 1
    if not (is_count(batch) and is_count(parts) and batch <= MOST_BATCH):
        return 0
    return next((n for n in range(2 * parts, batch + 1) if batch % n == 0), 0)
