"""Kill the trainer again and again, at random moments, and compare the run with one that was left alone.

    python benchmarks/crash.py                    # 50 kills
    python benchmarks/crash.py --kills 500 --seed 7

Each attempt trains (or resumes) the same run in a process of its own, which is ended by SIGKILL after a random time:
while it starts, reads the text, learns, measures, samples, saves. All the while another thread reads every file of the
run as a page does, and counts what is torn. At the end the run may finish; then its metrics (without what the clock
says), samples, embeddings and weights must be those of the run that was left alone, bit for bit. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lm import checkpoint, run_dir, stages, tensors
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.errors import CheckpointError, LMError
from lm.prepare import Request
from lm.run_dir import RunDir

CLOCK_KEYS = {"time_seconds", "tokens_per_second"}
MODEL = ModelConfig(block_size=32, n_layer=2, n_head=2, n_embd=48, dropout=0.1)
PACE = dict(batch_size=4, eval_interval=25, eval_windows=8, sample_tokens=8, checkpoint_interval=10, threads=1)
# The longest life of an attempt, by the time that the first one needs from its start to its first saved state: long
# enough for the run to get on, short enough for kills to fall into starts too.
LIFE = 2.0
FINISH_SECONDS = 240.0
SHORTER = 0.85  # lives, while a run is ahead of its kills: one that became faster would end before it was killed enough


@dataclass
class Outcome:
    """What the kills did to a run. `faults` are sentences; a run that lost nothing has none."""

    kills: int = 0
    looks: int = 0
    steps_at_kills: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def request(source: Path, steps: int) -> Request:
    """A small training with every source of randomness in play: dropout, random windows, samples."""
    return Request((source,), "quickstart", DataConfig(), MODEL, TrainConfig(steps=steps, precision="float32", **PACE))


def attempt(path: str, source: str, steps: int) -> None:
    """Train the run at `path`, from its beginning or from where it is; the body of a process that will be killed."""
    import os

    from lm import trainer

    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    run = RunDir(Path(path))
    trainer.train(run, None if run.config.exists() else request(Path(source), steps))


def kill_at_random(run: RunDir, source: Path, steps: int, kills: int, dice: random.Random) -> Outcome:
    """Train `run`, killing it `kills` times on the way, and let it finish."""
    outcome = Outcome()
    with Reader(run) as reader:
        first = _started(run, source, steps)
        longest = LIFE * _seconds_until_saved(run, first)
        _kill(first, run, outcome)
        while outcome.kills < kills and run_dir.state(run) != "finished" and not outcome.faults:
            process = _started(run, source, steps)
            process.join(dice.uniform(0.0, longest))
            _kill(process, run, outcome)
            is_ahead = run_dir.read_status(run).step * kills > steps * outcome.kills
            longest *= SHORTER if is_ahead else 1 / SHORTER
        last = _started(run, source, steps)
        last.join(FINISH_SECONDS)
        last.kill()
    outcome.looks = reader.looks
    outcome.faults += reader.faults
    return outcome


def _started(run: RunDir, source: Path, steps: int) -> Any:
    process = _processes().Process(target=attempt, args=(str(run.path), str(source), steps))
    process.start()
    return process


def _seconds_until_saved(run: RunDir, process: Any) -> float:
    started = time.perf_counter()
    while process.exitcode is None and not (run.resume / checkpoint.STATE).exists():
        time.sleep(0.01)
    return time.perf_counter() - started


def _kill(process: Any, run: RunDir, outcome: Outcome) -> None:
    """End the attempt by SIGKILL, unless it has ended by itself: then a failure is a fault."""
    process.kill()
    process.join()
    if process.exitcode == 1:
        outcome.faults.append(f"the trainer failed: {run_dir.read_status(run).error}")
    elif process.exitcode != 0:
        outcome.kills += 1
        outcome.steps_at_kills.append(run_dir.read_status(run).step)


def differences(one: RunDir, other: RunDir) -> list[str]:
    """What differs of two runs that should be the same, by name."""
    found = [] if _metrics(one) == _metrics(other) else ["metrics.jsonl"]
    found += [] if one.samples.read_bytes() == other.samples.read_bytes() else ["samples.jsonl"]
    found += [] if _stages(one) == _stages(other) else ["embeddings/"]
    for which in ("best", "last"):
        here, there = (checkpoint.load_model(run.path / which).state_dict() for run in (one, other))
        if any(here[name].numpy().tobytes() != there[name].numpy().tobytes() for name in here):
            found.append(f"{which}/")
    return found


def _metrics(run: RunDir) -> list[dict[str, Any]]:
    records, _ = run_dir.read_metrics(run.path)
    return [{name: value for name, value in record.items() if name not in CLOCK_KEYS} for record in records]


def _stages(run: RunDir) -> list[tuple[int, bytes, bytes]]:
    return [(stage.step, stage.ids.tobytes(), stage.rows.tobytes()) for stage in stages.read(run)]


def _processes() -> Any:
    """Processes that need not import torch again, where the system has such."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lm.trainer", "torch._dynamo"])  # an optimizer imports the latter: 2 s
    return context


class Reader:
    """Reads every file of a run, again and again, as those do who watch it; keeps what it found torn."""

    def __init__(self, run: RunDir) -> None:
        self.run, self.looks, self.faults = run, 0, []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read_on, daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _read_on(self) -> None:
        while not self._is_over.wait(0.02):
            for look in (self._look_at_json, self._look_at_logs, self._look_at_tensors):
                try:
                    look()
                except (ValueError, LMError) as torn:
                    self.faults.append(str(torn))
            self.looks += 1

    def _look_at_json(self) -> None:
        for path in (self.run.config, self.run.status, self.run.tokenizer, self.run.best / "config.json"):
            if path.exists():
                json.loads(path.read_text(encoding="utf-8"))

    def _look_at_logs(self) -> None:
        for path in (self.run.metrics, self.run.samples):
            run_dir.read_records(path)
        run_dir.summary(self.run)

    def _look_at_tensors(self) -> None:
        stages.read(self.run)
        for path in (self.run.best / checkpoint.WEIGHTS, self.run.last / checkpoint.WEIGHTS,
                     self.run.resume / checkpoint.STATE, self.run.resume / checkpoint.PREVIOUS):  # fmt: skip
            try:
                tensors.check(path)
            except CheckpointError as torn:
                if "No such file" not in str(torn):
                    raise


# ---------------------------------------------------------------------------------------------- the command line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument(
        "--steps", type=int, default=0, help="of the run; by default so many that it outlives the kills"
    )
    parser.add_argument("--seed", type=int, default=1337)
    arguments = parser.parse_args()
    steps = arguments.steps or 50 * arguments.kills
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), arguments.kills, steps, arguments.seed)
    for name, value in result.items():
        print(f"{name:32} {value}")
    print(json.dumps(result))
    sys.exit(bool(result["faults"] or result["differs"]))


def measure(folder: Path, kills: int, steps: int, seed: int) -> dict[str, Any]:
    """Two runs of one request: one is killed `kills` times, the other is left alone."""
    from lm import trainer

    source, dice, started = folder / "text.txt", random.Random(seed), time.perf_counter()
    words = "the fox sees a lamp on the hill and sings to it softly".split()
    source.write_text(" ".join(dice.choices(words, k=2000)), encoding="utf-8")
    alone, killed = (run_dir.create(folder / "runs", name) for name in ("alone", "killed"))
    trainer.train(alone, request(source, steps))
    outcome = kill_at_random(killed, source, steps, kills, dice)
    is_whole = run_dir.state(killed) == "finished"
    return dict(
        kills=outcome.kills,
        steps=steps,
        distinct_steps_at_kills=len(set(outcome.steps_at_kills)),
        looks_of_the_reader=outcome.looks,
        torn_files=len(outcome.faults),
        faults=outcome.faults[:5],
        differs=differences(alone, killed) if is_whole else ["the run did not finish"],
        seconds=round(time.perf_counter() - started, 1),
        machine=f"{platform.system()} {platform.machine()}, {multiprocessing.cpu_count()} cores",
    )


if __name__ == "__main__":
    main()
