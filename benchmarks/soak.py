"""Many visitors on one small machine: does everybody get an answer, their own, and soon, while one training goes on?

    python benchmarks/soak.py                        # 50 visitors, 10 minutes; the machine should be idle otherwise
    python benchmarks/soak.py --minutes 1 --visitors 8
    python benchmarks/soak.py --minutes 120          # for leaks

It starts `python app.py --multi-user` in a process of its own and visits it as so many browsers would, over the protocol
of the page's own script (`tests/page_client.py`). Each visitor

- comes half a second after the one before, with no cookie and an empty cache: the page, then every file that Chromium
  asked for at such a visit (learnt from it just before; without one, the page's first script, its style sheet and
  Plotly), the load event, a heartbeat that stays open; then reads a pasted text, selects a run, has a text written;
- ticks from then on as often as the page says (every 2.5 s on a shared machine), each answer taken over as a browser
  does;
- does something every 12 s on average, by chance: has 60 tokens written (4 of 12) or eight texts of as many (1), selects
  a run or none (3), reads a pasted text (1), uploads a file of 30 kB and reads it (1), opens a second page with a full
  cache, looks, and closes it (1), begins a text on a second page and goes away without a word (1);
- if it is every fifth: also keeps a page open that watches the training live by a spectator's link.

One more visitor trains the quick start, again when it has ended, and keeps that page open. Whatever a page is told is
searched for the other visitors' names.

Wanted: no error, no cross-talk, 95 of 100 page events within 1.5 s, every text is written, memory flat within 5 % after
a warm-up, nothing left of the visitors when they have gone, and the training at 60 % or more of what it does before they
come. Writing a text is no page event: it takes as long as it is, and is told by itself. The visitors run on the same
processors as the app and are niced below it; what they cost, the app and the training lack.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from crowd import Log, Visitor  # noqa: E402
from page_client import Page, client  # noqa: E402
from runs import request, write_text  # noqa: E402
from startup import free_port  # noqa: E402

from lm import run_dir, trainer  # noqa: E402
from lm.run_dir import RunDir  # noqa: E402
from playground.statics import plotly_address  # noqa: E402

ALONE_SECONDS = 12.0  # how long the training goes on before anybody comes, once it is under way
MOST_MINUTES = 10.0  # that one visitor may train
LATENCY_SECONDS, MEMORY_SHARE, TRAINING_SHARE = 1.5, 0.05, 0.6
WARM_SHARE = 0.3  # of the time, after which memory should be flat
SLOW = ("write.click",)  # no page event
SPECTATORS = 5  # one in so many watches the training too
FILES_LEFT = 10  # the app may hold so many more than before: libraries that were loaded, the log of a training
LEAVE_SECONDS = 8.0  # after the last visitor has gone, what they held is counted


@dataclass(frozen=True)
class Use:
    """What the app holds at one moment."""

    at: float
    memory_bytes: int
    files: int
    threads: int
    children: int
    seconds: float  # of processor time, so far


def use(process: psutil.Process) -> Use:
    """What it holds now."""
    files = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    held = process.memory_info().rss, files, process.num_threads(), len(process.children())
    return Use(time.monotonic(), *held, sum(process.cpu_times()[:2]))


async def watch(process: psutil.Process, until: float) -> list[Use]:
    """The app's use of the machine, every second."""
    found = []
    while time.monotonic() < until:
        with contextlib.suppress(psutil.Error):
            found.append(use(process))
        await asyncio.sleep(1.0)
    return found


def first_visit(address: str) -> list[str]:
    """What Chromium asks for at its first visit besides the page and its events; a few files where there is none."""
    try:
        from watching import BROWSERS, FLAGS, sync_playwright
    except ImportError:
        return ["/theme.css", f"/{plotly_address()}"]
    asked: list[str] = []
    with sync_playwright() as driver:
        path = next(filter(None, map(shutil.which, BROWSERS)))
        with driver.chromium.launch(executable_path=path, args=FLAGS) as browser:
            page = browser.new_page()
            page.on("request", lambda request: request.method == "GET" and asked.append(request.url))
            page.goto(address)
            page.wait_for_selector("#chart .plot .main-svg")
    files = [url.removeprefix(address.rstrip("/")) for url in asked if url.startswith(address)]
    return [file for file in files if file != "/" and not re.search(r"heartbeat|queue/", file)]


class App:
    """`python app.py --multi-user` over an empty folder."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "app.py", "--no-browser", "--multi-user", "--runs-dir", str(folder / "runs")]
        environment = os.environ | dict(LM_PLAYGROUND_CACHE=str(folder / "cache"), PYTHONUNBUFFERED="1")
        self.visitors_dir = folder / "visitors"
        self.log = open(folder / "app.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [*command, "--port", str(free_port())],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        said = next((line for line in self.process.stdout if "open at" in line), "")
        if not said:
            raise SystemExit(f"the app did not start:\n{(folder / 'app.log').read_text(encoding='utf-8')}")
        self.address = re.search(r"http://\S+", said)[0]

    def end(self) -> str:
        """End the app and its trainings; what it complained about."""
        for run in (RunDir(path) for path in self.visitors_dir.glob("*/runs/*")):
            with contextlib.suppress(psutil.Error):
                if run_dir.is_owned(run):
                    psutil.Process(run_dir.read_status(run).pid).kill()
        self.process.kill()
        self.process.wait()
        self.log.seek(0)
        return self.log.read()


async def train(page: Page, minutes: float) -> None:
    """Open a page and train the quick start there for as long as one may."""
    await page.open()
    await page.send("train", "click", **{"run-name": "the training", "set-TrainConfig-minutes": minutes})


async def speed(run: RunDir, seconds: float) -> float:
    """Tokens a second of the training, by its own count, over so many seconds."""
    began, tokens = time.monotonic(), _tokens(run)
    await asyncio.sleep(seconds)
    return (_tokens(run) - tokens) / (time.monotonic() - began)


def _tokens(run: RunDir) -> int:
    records, _ = run_dir.read_metrics(run.path)
    return records[-1]["tokens"] if records else 0


async def soak(
    app: App, n_visitors: int, seconds: float, model: RunDir, has_training: bool, files: Sequence[str] = ()
) -> dict[str, Any]:
    """Let them come; the figures."""
    log, figures = Log(), dict[str, Any](visitors=n_visitors, seconds=round(seconds), files_of_a_first_visit=len(files))
    process = psutil.Process(app.process.pid)
    async with client(app.address) as wire, contextlib.AsyncExitStack() as ends:
        crowd = [Visitor(n, wire, log, app.visitors_dir, model) for n in range(n_visitors)]
        if has_training:
            run, link = await _trainer(wire, app, min(MOST_MINUTES, (seconds + 120) / 60), ends)
            figures["tokens_per_second_alone"] = await speed(run, ALONE_SECONDS)
        before, until = use(process), time.monotonic() + seconds
        for n, visitor in enumerate(crowd):
            visitor.files = files
            visitor.link = link if has_training and n % SPECTATORS == 0 else ""
        watching = asyncio.create_task(watch(process, until + 5))
        apart = min(0.5, seconds / 4 / n_visitors)
        own = time.process_time()
        coming = [asyncio.create_task(_late(visitor, n * apart, until)) for n, visitor in enumerate(crowd)]
        if has_training:
            warm = min(seconds, 60 * MOST_MINUTES) * WARM_SHARE
            await asyncio.sleep(warm)
            figures["tokens_per_second"] = await speed(run, min(2 * warm, max(1.0, until - time.monotonic() - 2)))
        await asyncio.gather(*coming)
        used = await watching
        figures["processors"] = dict(
            app=_processors(used[0], used[-1]), visitors=round((time.process_time() - own) / seconds, 2)
        )
        await asyncio.sleep(LEAVE_SECONDS)
        after = use(process)
    figures["left_behind"] = {name: getattr(after, name) - getattr(before, name) for name in ("files", "children")}
    return figures | report(log, used)


async def _trainer(wire: httpx.AsyncClient, app: App, minutes: float, ends: Any) -> tuple[RunDir, str]:
    """The one who trains, on a page that stays open until `ends`; the run, and the query that shows it to others."""
    page = Page(wire)
    await train(page, minutes)
    run = await _trained(app)
    await page.tick()
    await page.send("show-run", "click")
    link = re.search(r"watch=[\w-]+", page.shown("guest-told"))[0]

    async def look(latest: RunDir = run) -> None:
        while True:
            await page.tick()
            if run_dir.state(latest) == "finished":
                if latest != run:
                    await page.send("runs", "delete", dict(run=latest.name))
                await page.send("train", "click", **{"run-name": "once-more", "set-TrainConfig-minutes": minutes})
                latest = RunDir(run.path.parent / "once-more")
            await asyncio.sleep(page.tick_seconds)

    looking = asyncio.create_task(look())
    ends.push_async_callback(page.close)
    ends.callback(looking.cancel)
    return run, f"?{link}"


async def _late(visitor: Visitor, seconds: float, until: float) -> None:
    await asyncio.sleep(seconds)
    await visitor.stay(until)


async def _trained(app: App) -> RunDir:
    """The training, once it has made its first steps."""
    while True:
        for path in app.visitors_dir.glob("*/runs/*"):
            if _tokens(RunDir(path)) > 0:
                return RunDir(path)
        await asyncio.sleep(0.5)


def report(log: Log, used: list[Use]) -> dict[str, Any]:
    """What was asked for, as numbers."""
    quick = [seconds for label, found in log.latencies.items() if label not in SLOW for seconds in found]
    writes = log.latencies.get("write.click", [])
    first, last = _after_warm_up(used)
    return dict(
        events=len(quick), errors=sum(log.errors.values()), crosstalk=len(log.crosstalk),
        p50_seconds=_quantile(quick, 0.5), p95_seconds=_quantile(quick, 0.95), slowest_seconds=max(quick, default=0.0),
        texts=log.texts_written, texts_asked=log.texts_asked, text_p50_seconds=_quantile(writes, 0.5),
        text_p95_seconds=_quantile(writes, 0.95), slowest_text_seconds=max(writes, default=0.0),
        memory_megabytes=round(last.memory_bytes / 1e6), memory_growth=last.memory_bytes / first.memory_bytes - 1,
        files=(first.files, last.files), threads=(first.threads, last.threads),
        children=(first.children, last.children),
        by_event={label: [len(found), _quantile(found, 0.5), _quantile(found, 0.95)]
                  for label, found in sorted(log.latencies.items())},
        what=dict(log.errors.most_common(8)), told=log.crosstalk[:5],
    )  # fmt: skip


def _processors(first: Use, last: Use) -> float:
    """How many of them were busy with it."""
    return round((last.seconds - first.seconds) / (last.at - first.at), 2)


def _after_warm_up(used: list[Use]) -> tuple[Use, Use]:
    """The use of the machine after the warm-up and at the end: medians over a tenth of the time."""
    rest = used[int(len(used) * WARM_SHARE) :]
    size = max(1, len(rest) // 10)
    return tuple(_median(part) for part in (rest[:size], rest[-size - 5 : -5] or rest[-1:]))


def _median(used: list[Use]) -> Use:
    columns = zip(*map(astuple, used))
    return Use(*(statistics.median(column) for column in columns))


def _quantile(values: list[float], share: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 3) if values else 0.0


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Every promise, and whether it held."""
    held = dict(
        no_error=figures["errors"] == 0,
        no_crosstalk=figures["crosstalk"] == 0,
        page_events=figures["p95_seconds"] < LATENCY_SECONDS,
        every_text=figures["texts"] == figures["texts_asked"],
        memory_flat=abs(figures["memory_growth"]) < MEMORY_SHARE,
        nothing_left=figures["left_behind"]["children"] <= 0 and figures["left_behind"]["files"] <= FILES_LEFT,
    )
    if "tokens_per_second" in figures:
        share = figures["training_share"] = figures["tokens_per_second"] / figures["tokens_per_second_alone"]
        held["training"] = share >= TRAINING_SHARE
    return held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--without-training", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # and not without ending the app
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = run_dir.create(folder / "model", "small")
        trainer.train(model, request(write_text(folder / "fox.txt")))
        app = App(folder)
        with contextlib.suppress(psutil.Error):
            psutil.Process().nice(5 if os.name != "nt" else psutil.BELOW_NORMAL_PRIORITY_CLASS)
        try:
            visit = app, arguments.visitors, 60 * arguments.minutes, model, not arguments.without_training
            figures = asyncio.run(soak(*visit, first_visit(app.address)))
        finally:
            complaints = app.end()
    figures["complaints"] = complaints.count("Traceback")
    if complaints.strip():
        print(complaints[-3000:], file=sys.stderr)
    held = verdicts(figures)
    for name, value in figures.items():
        print(f"{name:26} {value}")
    print(json.dumps(dict(benchmark="soak", held=held, **figures)))
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
