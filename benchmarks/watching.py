"""What it costs to watch: a training with the page open in a browser, and the same training alone, in turns.

    python benchmarks/watching.py [--text FILE] [--rounds 3] [--seconds 16] [--points 20000]

One quick start trains from beginning to end. `app.py` and Chromium are held still (suspended) in every other turn: that
is the bare command line. In the turns between, the page shows the run and follows it; which of the two comes first
changes from pair to pair, for a machine that becomes faster or slower. Compared are the tokens a second that
`metrics.jsonl` tells, without its evaluations. With `--points` the run is stopped after its first steps, told that it
has made so many before, with a line of `metrics.jsonl` for each, and resumed.
Also told: the processor time of the app's process for one look of the page at the disk, in milliseconds, without what
the app takes when nobody looks; by how many seconds one look makes the training later, taken from its pace just before
and just after, which a machine that is slower in one turn than in the next does not blur; how many seconds lie
between two looks (`playground/pace.py`); and how many processors app and browser keep busy in the watched turns.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

from lm import checkpoint, run_dir, texts
from lm.run_dir import RunDir
from sidebyside import Spread, finish, ratio, table
from startup import LONGEST_SECONDS, ROOT, answers, free_port

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu")
SETTLE_SECONDS = 3.0  # after each change, before it counts
EARLIER_STEP_SECONDS = 0.05  # of the steps of `--points`
LOOKS = "/look?", "run/predict"  # in the address of what the page asks at a look
# Looks, and the seconds between two, by which is measured what one takes of the server and what a training loses by it.
BURST, BURST_SECONDS, RARE_SECONDS = 20, 0.5, 4.0
AFTER_SECONDS = 1.5  # of a look in which a training may be slower
LOOK_NOW = "document.dispatchEvent(new Event('lm-told'))"  # as a tab does that was opened


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, help="what to train on [Tiny Shakespeare]")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each [3]")
    parser.add_argument("--seconds", type=float, default=16.0, help="length of a turn [16]")
    parser.add_argument("--points", type=int, default=0, help="logged points before the first turn [0]")
    arguments = parser.parse_args()
    text = arguments.text or texts.locate("tinyshakespeare")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(text, Path(folder) / "runs", arguments)
    print(table(("what", "measured"), list(found.items())))
    finish("watching", points=arguments.points, found=found)
    return 0


def measure(text: Path, runs: Path, arguments: argparse.Namespace) -> dict[str, Spread]:
    run, port = RunDir(runs / "watched"), free_port()
    minutes = (
        2 * arguments.rounds * (arguments.seconds + SETTLE_SECONDS) / 60
        + 1
        + BURST * (BURST_SECONDS + RARE_SECONDS) / 30
    )
    minutes += arguments.points * EARLIER_STEP_SECONDS / 60
    show = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--runs-dir", str(runs)]
    with started(lm_command("train", run, "--data", str(text), "--minutes", f"{minutes:.2f}")):
        wait_for(lambda: len(steps_of(run)) > 5)
        subprocess.run(lm_command("stop", run), check=True, stdout=subprocess.DEVNULL)
    lengthen(run, arguments.points)
    n_before = len(steps_of(run))
    with started(lm_command("resume", run)), started(show) as app, sync_playwright() as driver:
        wait_for(lambda: len(steps_of(run)) > n_before + 5)
        wait_for(lambda: answers(port))
        path = next(filter(None, map(shutil.which, BROWSERS)))
        with driver.chromium.launch(executable_path=path, args=FLAGS) as browser:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector("#chart")
            return turns(run, app, page, arguments)


def lm_command(command: str, run: RunDir, *arguments: str) -> list[str]:
    """A command of `lm` about `run`, which `train` calls by a flag and every other one by its place."""
    name = ["--name", run.name] if command == "train" else [run.name]
    return [sys.executable, "-m", "lm", command, *name, "--runs-dir", str(run.path.parent), *arguments]


def turns(run: RunDir, app: subprocess.Popen, page: Page, arguments: argparse.Namespace) -> dict[str, Spread]:
    """Watched and alone, alone and watched, again and again."""
    server, others = psutil.Process(app.pid), processes_of_the_browser()
    watched, alone, waits, looks, taken = [], [], [], [], []
    page.on("request", lambda request: any(word in request.url for word in LOOKS) and looks.append(request))
    for turn in range(arguments.rounds):
        for is_watched in (True, False) if turn % 2 == 0 else (False, True):
            if is_watched:
                page.wait_for_timeout(1000 * SETTLE_SECONDS)
                looks.clear()
                before = processor_seconds(server, *others)
                watched.append(speed(run, arguments.seconds, lambda s: page.wait_for_timeout(1000 * s)))
                taken.append((processor_seconds(server, *others) - before) / arguments.seconds)
                waits.append(arguments.seconds / max(1, len(looks)))
            else:
                with held_still((server, *others)):
                    time.sleep(SETTLE_SECONDS)
                    alone.append(speed(run, arguments.seconds, time.sleep))
        print(f"watched {watched[-1]:,.0f}, alone {alone[-1]:,.0f} tokens/s", flush=True)
    lost, error = loss_by_a_look(run, page)
    return {
        "watched, tokens/s": Spread.of(watched),
        "alone, tokens/s": Spread.of(alone),
        "watched to alone": ratio(watched, alone),
        "server time of a look, ms": cost_of_a_look(server, page),
        "a training loses by a look, s": lost,
        "its standard error, s": error,
        "between two looks, s": Spread.of(waits),
        "processors of app and browser": Spread.of(taken),
    }


@contextlib.contextmanager
def held_still(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Suspended, the first of them first, and woken up in the opposite order."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            process.resume()


def processor_seconds(*processes: psutil.Process) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def cost_of_a_look(server: psutil.Process, page: Page) -> float:
    """Milliseconds of the server's processor time for one look: a burst of them, and as long without."""
    taken = []
    for look in ("0", LOOK_NOW):
        before = processor_seconds(server)
        for _ in range(BURST):
            page.evaluate(look)
            page.wait_for_timeout(1000 * BURST_SECONDS)
        taken.append(processor_seconds(server) - before)
    return 1000 * (taken[1] - taken[0]) / BURST


def loss_by_a_look(run: RunDir, page: Page) -> tuple[float, float]:
    """Seconds by which a training is later for one look, and their standard error: its pace just after and before."""
    lost = []
    for _ in range(2 * BURST):
        page.wait_for_timeout(1000 * (RARE_SECONDS - AFTER_SECONDS))
        at = steps_of(run)[-1]["time_seconds"]
        page.evaluate(LOOK_NOW)
        page.wait_for_timeout(1000 * AFTER_SECONDS)
        before, after = pace(run, at - AFTER_SECONDS, at), pace(run, at, at + AFTER_SECONDS)
        if before and after:
            lost.append(AFTER_SECONDS * (1 - after / before))
    return statistics.fmean(lost), statistics.stdev(lost) / len(lost) ** 0.5


def pace(run: RunDir, start: float, end: float) -> float:
    """Tokens a second between two moments of the training, in its seconds, without evaluations; 0 where one took it all."""
    records = [one for one in steps_of(run) if start <= one["time_seconds"] <= end]
    pairs = [(a, b) for a, b in zip(records, records[1:]) if "val_loss" not in a and "val_loss" not in b]
    tokens, took = (sum(b[name] - a[name] for a, b in pairs) for name in ("tokens", "time_seconds"))
    return tokens / took if took else 0.0


def speed(run: RunDir, seconds: float, wait: Callable[[float], None]) -> float:
    """Tokens a second of the steps in the next `seconds`."""
    start = steps_of(run)[-1]["time_seconds"]
    wait(seconds)
    return pace(run, start, steps_of(run)[-1]["time_seconds"])


def steps_of(run: RunDir) -> list[dict]:
    """The lines of its steps, without that of the untrained model."""
    records = run_dir.read_metrics(run.path)[0] if run.metrics.exists() else []
    return [record for record in records if record["step"] > 0]


def lengthen(run: RunDir, points: int) -> None:
    """Have a stopped run believe that it made `points` steps more, all like its last one, before those it made."""
    made, seconds = steps_of(run), points * EARLIER_STEP_SECONDS
    earlier = [made[-1] | dict(step=step, time_seconds=step * EARLIER_STEP_SECONDS) for step in range(1, points + 1)]
    later = [one | dict(step=one["step"] + points, time_seconds=one["time_seconds"] + seconds) for one in made]
    run.metrics.write_text("".join(json.dumps(record) + "\n" for record in earlier + later), encoding="utf-8")
    tensors, progress = checkpoint.load_resume(run)
    longer = dict(step=progress["step"] + points, elapsed_seconds=progress["elapsed_seconds"] + seconds)
    checkpoint.save_resume(run, tensors, progress | longer)


def processes_of_the_browser() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "chrom" in child.name().lower()]


@contextlib.contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen]:
    """A process of its own that is ended with the block."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(is_there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not is_there():
        if time.monotonic() > deadline:
            sys.exit(f"waited for {LONGEST_SECONDS:.0f} s in vain")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
