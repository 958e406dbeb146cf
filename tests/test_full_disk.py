"""A disk that is really full under a real training: words with a cure, the last good state intact, and later the same run.

`test_disk.py` injects the refusals one by one; here the kernel makes them, wherever it likes: a small tmpfs where one may
be mounted, and a limit on the size of files wherever the system has one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from runs import metrics, request, weights, write_text

from lm import checkpoint, run_dir, trainer
from lm.__main__ import main
from lm.errors import LMError
from lm.run_dir import RunDir

ROOT = Path(__file__).parent.parent
BRIEF = dict(steps=12, eval_interval=4, checkpoint_interval=4, sample_tokens=4)
FLAGS = (
    "--steps 200 --eval-interval 20 --checkpoint-interval 20 --sample-tokens 4 --log-interval 1 --threads 1 "
    "--precision float32 --batch-size 4 --block-size 16 --n-layer 1 --n-embd 16 --n-head 2 --dropout 0.1"
).split()
FULL = "(disk is full|No space left on device).*ree some space"
ENOUGH = 8000  # kilobytes: for any of the runs here


class Tmpfs:
    """A disk at `path` that holds so much as it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._mount("-t", "tmpfs", "-o", f"size={ENOUGH}k", "tmpfs")

    def hold(self, kilobytes: int) -> None:
        self._mount("-o", f"remount,size={kilobytes}k")

    def used(self) -> int:
        """In kilobytes."""
        room = os.statvfs(self.path)
        return (room.f_blocks - room.f_bfree) * room.f_frsize // 1024

    def end(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True)

    def _mount(self, *words: str) -> None:
        subprocess.run(["mount", *words, str(self.path)], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Tmpfs]:
    try:
        made = Tmpfs(tmp_path / "disk")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk is mounted, which takes Linux and an administrator")
    yield made
    made.end()


def is_whole(run: RunDir) -> bool:
    """Whether all that a reader can see of the run is good, and nothing half-made lies there."""
    run_dir.read_metrics(run.path), run_dir.read_status(run), run_dir.summary(run)
    leftovers = [path for path in run.path.rglob("*") if path.name.startswith(".") or path.name.endswith(".tmp")]
    return not leftovers and not any(checkpoint.damage(folder) for folder in (run.best, run.last))


def test_a_run_on_a_disk_of_any_size_ends_in_words_and_goes_on_with_more_room(disk: Tmpfs, tmp_path: Path) -> None:
    """The disk is full from different moments on, from the folder of the run to its last state."""
    source = write_text(tmp_path / "fox.txt")
    whole = run_dir.create(disk.path, "whole")
    trainer.train(whole, request(source, **BRIEF))
    taken, refusals = disk.used(), 0
    for more in range(8, taken + 8, max(4, taken // 14)):
        run = run_dir.create(disk.path, f"with-{more}")
        disk.hold(taken + more)
        try:
            trainer.train(run, request(source, **BRIEF))
        except LMError as error:
            refusals += 1
            assert re.search(FULL, str(error)) and "os error" not in str(error), more
            assert run_dir.state(run) in ("starting", "failed", "dead") and is_whole(run), more
        disk.hold(ENOUGH)
        if run_dir.state(run) != "finished":
            trainer.train(run, None if run.config.exists() else request(source, **BRIEF))
        assert metrics(run) == metrics(whole) and weights(run) == weights(whole), more
        shutil.rmtree(run.path)
    assert refusals > 5


# ---------------------------------------------------------------------------------------------- a process of its own


def begin(home: Path, source: Path, before: Callable[[], None] | None = None) -> subprocess.Popen:
    words = ["train", "--data", str(source), "--runs-dir", str(home), "--name", "fox", *FLAGS]
    return subprocess.Popen(
        [sys.executable, "-m", "lm", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=before
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The same run where nothing was in its way."""
    home = tmp_path_factory.mktemp("whole")
    words = ["--data", str(write_text(home / "fox.txt")), "--runs-dir", str(home), "--name", "fox"]
    assert main(["train", *words, *FLAGS]) == 0
    return RunDir(home / "fox")


def goes_on(run: RunDir, whole: RunDir) -> None:
    """It can be resumed now, and becomes what it would have become."""
    assert main(["resume", "fox", "--runs-dir", str(run.path.parent)]) == 0
    assert metrics(run) == metrics(whole) and weights(run) == weights(whole)
    assert weights(run, "best") == weights(whole, "best")


def test_a_command_whose_disk_fills_up_ends_in_words_and_is_resumed(disk: Tmpfs, whole: RunDir, tmp_path: Path) -> None:
    source, run = write_text(tmp_path / "fox.txt"), RunDir(disk.path / "fox")
    process = begin(disk.path, source)
    while not (run.metrics.exists() and run.metrics.stat().st_size > 5_000):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    disk.hold(disk.used())
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 2 and re.search(FULL, said) and "Traceback" not in said and "os error" not in said
    assert run_dir.state(run) in ("failed", "dead") and is_whole(run)
    assert re.search(FULL, run_dir.last_words(run)), "also where there was no room to write it down"
    disk.hold(ENOUGH)
    goes_on(run, whole)


@pytest.mark.skipif(os.name == "nt", reason="no limit on the size of a file there")
def test_a_command_whose_files_may_not_grow_ends_in_words_and_is_resumed(whole: RunDir, tmp_path: Path) -> None:
    """As on a quota: what is small can be written, what is large cannot."""
    import resource

    source, home = write_text(tmp_path / "fox.txt"), tmp_path / "small"
    process = begin(home, source, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000)))
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 2 and "File too large" in said and "ree some space" in said and "Traceback" not in said
    run = RunDir(home / "fox")
    assert run_dir.state(run) in ("failed", "dead") and is_whole(run)
    goes_on(run, whole)
