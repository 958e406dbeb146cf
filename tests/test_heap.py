"""Freed memory stays with the process: the same block again costs no fresh page."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lm.heap import keep_freed_memory

COUNT_FAULTS = """
import resource, sys
from lm.heap import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
for _ in range(3):  # the first one makes the heap grow
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(256 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Page faults of allocating and filling 256 MB for the third time."""
    command = [sys.executable, "-c", COUNT_FAULTS, how]
    return int(subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to keep memory")
def test_a_block_that_was_freed_is_found_again_without_a_page_fault() -> None:
    assert faults("kept") < 50 < faults("left alone")


def test_asking_twice_or_where_nobody_answers_does_no_harm(monkeypatch) -> None:
    keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_freed_memory()
