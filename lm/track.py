"""A run in TensorBoard, trackio or Weights & Biases as well: `--track`.

The trainer knows nothing of them. `followed` starts `python -m lm.track RUN_DIR BACKEND` beside it: a process that
reads `metrics.jsonl` and `samples.jsonl` as other watchers do and tells the tracker what is new. So a tracker can be
slow, offline or broken, and the run never waits for it: what it says, its traceback too, stands in `track.txt`.

The process lives as long as the trainer holds the other end of its standard input; then it tells the rest and ends.
`track.json` says how far it came. A resumed run writes the same lines again, and what was told is not told twice.
Of `config.json` only settings and counts are told: no path of this machine, no user, no host.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lm import launch, run_dir
from lm.run_dir import RunDir

POLL_SECONDS = 1.0
PROJECT = "lm-playground"
TOLD_SETTINGS = ("recipe", "init_from", "data", "model", "train", "seed", "device", "precision", "threads",
                 "parameters", "active_parameters", "tokenizer", "tokens", "versions")  # fmt: skip
WHERE = {
    "tensorboard": "tensorboard --logdir {folder}",
    "trackio": f"trackio show --project {PROJECT}",
    "wandb": f"https://wandb.ai, project {PROJECT}",
}

Values = dict[str, Any]  # of one step: numbers by their names in metrics.jsonl, and `sample`, a text


# ---------------------------------------------------------------------------------------------- beside a trainer


@contextmanager
def followed(run: RunDir, backend: str, say: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """Have `run` followed while the block trains it. A tracker that cannot start costs a line of `say` alone."""
    process = _start(run, backend, say) if backend else None
    try:
        yield
    finally:
        if process is not None:
            process.stdin.close()  # the sign to tell the rest and end; nobody waits for that
            if process.poll():
                say(f"{backend} saw only a part of this run: {run.path / 'track.txt'} says why")


def _start(run: RunDir, backend: str, say: Callable[[str], None]) -> subprocess.Popen[bytes] | None:
    if importlib.util.find_spec(backend) is None:
        say(f"{backend} is not installed, so it does not see this run; the cure is `pip install {backend}`")
        return None
    try:
        with open(run.path / "track.txt", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lm.track", str(run.path), backend],
                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, **launch.apart(),
            )  # fmt: skip
    except OSError as error:
        say(f"{backend} could not be started ({error.strerror}), so it does not see this run")
        return None
    threading.Thread(target=process.wait, daemon=True).start()  # reaps it: no zombie while the trainer's process lives
    say(f"{backend} follows this run: {WHERE[backend].format(folder=run.path / backend)}")
    return process


# ---------------------------------------------------------------------------------------------- the process


def main() -> None:
    """Follow a run until standard input ends."""
    path, backend = sys.argv[1:]
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    follow(RunDir(Path(path)), backend, is_over)


def follow(run: RunDir, backend: str, is_over: threading.Event) -> None:
    """Tell the tracker what `run` writes, until `is_over`, and then the rest."""
    told = _read_told(run, backend)
    tracker = TRACKERS[backend](run, _settings(run), told)
    metrics_at, samples_at, waiting, is_last = 0, 0, [], False
    while not is_last:
        is_last = is_over.wait(POLL_SECONDS)  # before the look: what was written until then is seen
        records, metrics_at = _read_on(run.metrics, metrics_at)
        samples, samples_at = _read_on(run.samples, samples_at)
        reached = max([told["step"], *(record["step"] for record in records)])
        waiting += samples  # a sample is written before the line of its step
        steps = by_step(records, [s for s in waiting if is_last or s["step"] <= reached])
        waiting = [s for s in waiting if not is_last and s["step"] > reached]
        for step in sorted(step for step in steps if step > told["step"]):
            tracker.tell(step, steps[step])
            told["step"] = step
        run_dir.write_json(run.path / "track.json", told)
    tracker.close()


def by_step(records: list[Values], samples: list[Values]) -> dict[int, Values]:
    """What a tracker is told of each step: every number of its line, and the sample's text."""
    steps: dict[int, Values] = {}
    for record in records:
        numbers = {name: value for name, value in record.items() if type(value) in (int, float) and name != "step"}
        steps.setdefault(record["step"], {}).update(numbers)
    for sample in samples:
        steps.setdefault(sample["step"], {})["sample"] = f"{sample['prompt']}{sample['text']}"
    return steps


def _read_on(path: Path, offset: int) -> tuple[list[Values], int]:
    """The lines after `offset`; all of them when the file is shorter: the run was resumed at an earlier step."""
    is_shorter = path.exists() and path.stat().st_size < offset
    return run_dir.read_records(path, 0 if is_shorter else offset)


def _read_told(run: RunDir, backend: str) -> Values:
    """How far this tracker was told, and under which name; the beginning when it was another one."""
    path = run.path / "track.json"
    told = run_dir.read_json(path) if path.exists() else {}
    if told.get("backend") == backend:
        return told
    return dict(backend=backend, id=f"{run.name}-{uuid.uuid4().hex[:8]}", step=-1)


def _settings(run: RunDir) -> Values:
    said = run_dir.read_json(run.config)
    return {name: said[name] for name in TOLD_SETTINGS if name in said} | dict(corpus=said["corpus"]["name"])


# ---------------------------------------------------------------------------------------------- the trackers


class TensorBoard:
    """Event files in the run directory, written with the package `tensorboard` alone: neither torch nor TensorFlow."""

    def __init__(self, run: RunDir, settings: Values, told: Values) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.writer = EventFileWriter(str(run.path / "tensorboard"))
        if told["step"] < 0:
            self._add(0, "settings", json.dumps(settings, ensure_ascii=False, indent=1))

    def tell(self, step: int, values: Values) -> None:
        for name, value in values.items():
            self._add(step, name, value)

    def _add(self, step: int, name: str, value: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING
        from tensorboard.plugins.text.metadata import create_summary_metadata

        if isinstance(value, str):
            text = TensorProto(dtype=DT_STRING, string_val=[value.encode("utf-8")])
            entry = Summary.Value(tag=name, metadata=create_summary_metadata(name, ""), tensor=text)
        else:
            entry = Summary.Value(tag=name, simple_value=value)
        self.writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=[entry])))

    def close(self) -> None:
        self.writer.close()


class Trackio:
    """Hugging Face's tracker: a database on this machine, or a Space where `TRACKIO_SPACE_ID` names one."""

    def __init__(self, run: RunDir, settings: Values, told: Values) -> None:
        import trackio

        self.run = trackio.init(
            project=PROJECT, name=told["id"], config=settings, resume="allow", embed=False, auto_log_cpu=False,
            auto_log_gpu=False,
        )  # fmt: skip

    def tell(self, step: int, values: Values) -> None:
        self.run.log(values, step=step)

    def close(self) -> None:
        self.run.finish()


class WeightsAndBiases:
    """Needs `wandb login` or `WANDB_API_KEY`; `WANDB_MODE=offline` keeps it on this machine."""

    def __init__(self, run: RunDir, settings: Values, told: Values) -> None:
        import wandb

        silent = wandb.Settings(
            console="off", disable_git=True, x_disable_meta=True, x_disable_machine_info=True, x_disable_stats=True
        )
        self.run = wandb.init(
            project=PROJECT, name=run.name, id=told["id"], resume="allow", config=settings, dir=run.path,
            settings=silent,
        )  # fmt: skip

    def tell(self, step: int, values: Values) -> None:
        self.run.log(values, step=step)

    def close(self) -> None:
        self.run.finish()


TRACKERS = dict(tensorboard=TensorBoard, trackio=Trackio, wandb=WeightsAndBiases)

if __name__ == "__main__":
    main()
