"""From Enter to something on the screen: `lm --help`, the first logged step of `lm train`, a page that answers.

    python benchmarks/startup.py [--text FILE] [--rounds 3]

Each is a process of its own, timed from its start. A training counts until its first line after step 0 stands in
`metrics.jsonl`, the page until the root of `app.py` answers with status 200. `--imports` lists what `lm train` imports
longest.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from lm import run_dir, texts
from sidebyside import Spread, finish, table

ROOT = Path(__file__).parent.parent
LONGEST_SECONDS = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, help="what to train on [Tiny Shakespeare]")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each [3]")
    parser.add_argument("--imports", action="store_true", help="list the slowest imports instead")
    arguments = parser.parse_args()
    if arguments.imports:
        print("\n".join(slowest_imports("lm.trainer")))
        return 0
    text = arguments.text or texts.locate("tinyshakespeare")
    waits: dict[str, Callable[[], float]] = {
        "lm --help": help_seconds,
        "lm train → first logged step": lambda: first_step_seconds(text),
        "app.py → a page that answers": page_seconds,
    }
    found = {name: Spread.of([wait() for _ in range(arguments.rounds)]) for name, wait in waits.items()}
    print(table(("what", "seconds"), list(found.items())))
    finish("startup", unit="seconds", found=found)
    return 0


def help_seconds() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "lm", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def first_step_seconds(text: Path) -> float:
    """Of the quick start; its process is ended afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lm", "train", "--data", str(text), "--runs-dir", folder, "--name", "first"]

        def has_logged() -> bool:
            run = Path(folder) / "first"
            return any(record.get("step", 0) > 0 for record in run_dir.read_metrics(run)[0]) if run.exists() else False

        return seconds_until(command, has_logged)


def page_seconds() -> float:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--runs-dir", f"{folder}/runs"]
        return seconds_until(command, lambda: answers(port))


def answers(port: int) -> bool:
    """Whether a page is served at that port of this machine."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=LONGEST_SECONDS) as page:
            return page.status == 200
    except OSError:  # nobody listens yet
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def seconds_until(command: list[str], is_there: Callable[[], bool]) -> float:
    """Start `command` in the project's folder, wait, and end it; exits with its output when it ends or takes too long."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            while not is_there():
                if process.poll() is not None or time.perf_counter() - start > LONGEST_SECONDS:
                    output.seek(0)
                    sys.exit(f"{' '.join(command)}: {output.read().decode(errors='replace')}")
                time.sleep(0.02)
            return time.perf_counter() - start
        finally:
            process.kill()
            process.wait()


def slowest_imports(module: str, count: int = 25) -> list[str]:
    """Lines of Python's own `-X importtime`, the longest own time first."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    rows = [line.removeprefix("import time:").split("|") for line in said.splitlines()[1:]]
    rows.sort(key=lambda row: -int(row[0]))
    return [f"{int(own) / 1000:8.1f} ms  {name.strip()}" for own, _, name in rows[:count]]


if __name__ == "__main__":
    sys.exit(main())
