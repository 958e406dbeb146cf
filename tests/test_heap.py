"""What a process frees stays with it: the same block again costs no fresh page; what it expects lies in large ones."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lm.heap import keep_freed_memory, large_block

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
    return _answer(COUNT_FAULTS, how)


def _answer(program: str, argument: object) -> int:
    """The number that a process of its own prints."""
    command = [sys.executable, "-c", program, str(argument)]
    return int(subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to keep memory")
def test_a_block_that_was_freed_is_found_again_without_a_page_fault() -> None:
    assert faults("kept") < 50 < faults("left alone")


HOW_LARGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
COUNT_LARGE = """
import re, sys
from pathlib import Path
from lm.heap import keep_freed_memory
keep_freed_memory(int(sys.argv[1]))
kept = bytearray(b"x") * (64 << 20)
print(sum(map(int, re.findall(r"AnonHugePages: +([0-9]+)", Path("/proc/self/smaps").read_text()))))
"""


@pytest.mark.skipif(not HOW_LARGE.exists(), reason="no Linux that has large pages")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to keep memory")
def test_what_is_expected_lies_in_large_pages() -> None:
    if "[madvise]" not in HOW_LARGE.read_text(encoding="ascii"):
        pytest.skip("this Linux gives large pages to all or to none")
    expecting, surprised = (_answer(COUNT_LARGE, count) for count in (128 << 20, 0))
    assert surprised < 32 << 10 < expecting  # kB


def test_asking_twice_or_where_nobody_answers_does_no_harm(monkeypatch) -> None:
    keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_freed_memory()
    assert not any(bytearray(1 << 20))  # memory is had as before


def test_a_large_block_holds_what_was_written_to_it_until_its_last_user_is_gone() -> None:
    numbers = torch.frombuffer(large_block(4 << 20), dtype=torch.float32)
    assert len(numbers) == 1 << 20 and not numbers.any()
    half = numbers.fill_(1.5)[1 << 19 :]
    del numbers
    gc.collect()
    assert half.sum() == 1.5 * (1 << 19)
