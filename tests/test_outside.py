"""No request leaves the machine but those asked for: every connection of the app and of its trainer is watched.

The same app shows who may come in, and with how much.

The watch is an audit hook that Python loads before anything else, in the app and in every process that it starts. It
sees names that are looked up and addresses that are connected to, whichever library does it and in whichever thread.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import coroutines
import httpx
import psutil
import pytest
from page_client import Page, client
from startup import free_port  # benchmarks/

from lm import launch, run_dir

ROOT = Path(__file__).parent.parent
AT_HOME = tuple(f" {place!r}" for place in ("127.0.0.1", "localhost", "::1", "0.0.0.0"))
WATCH = """
import os, sys

def note(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[0]
    else:
        return
    place = address[0] if isinstance(address, tuple) else address
    place = place.decode() if isinstance(place, bytes) else place
    with open(os.environ["LM_WATCHED"], "a", encoding="utf-8") as file:
        file.write(f"{event} {place!r}\\n")

sys.addaudithook(note)
"""
# What would turn telemetry off by itself: the app must, without anybody's help.
HELP = ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_HUB_OFFLINE")
LARGEST = "100kb"
TOKENS = {"set-SampleConfig-max_new_tokens": 10}
BRIEF = {
    "set-TrainConfig-minutes": 0, "set-TrainConfig-steps": 4, "set-ModelConfig-n_layer": 1, "set-ModelConfig-n_embd": 32,
    "set-ModelConfig-block_size": 16, "set-TrainConfig-batch_size": 4, "set-TrainConfig-sample_tokens": 4,
}  # fmt: skip


@dataclass(frozen=True)
class App:
    """A running app whose connections are noted."""

    process: subprocess.Popen
    address: str
    noted: Path
    runs_dir: Path


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("watched")
    (folder / "watch").mkdir()
    (folder / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    noted, port = folder / "noted.txt", free_port()
    environment = {name: value for name, value in os.environ.items() if name not in HELP}
    environment |= dict(
        PYTHONPATH=str(folder / "watch"), LM_WATCHED=str(noted), PYTHONUNBUFFERED="1", OMP_NUM_THREADS="1",
        LM_PLAYGROUND_CACHE=str(folder / "cache"), HF_HOME=str(folder / "hf"), LM_MAX_FILE_SIZE=LARGEST,
    )  # fmt: skip
    command = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--runs-dir", str(folder / "runs")]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert any("open at" in line for line in process.stdout)
    yield App(process, f"http://127.0.0.1:{port}", noted, folder / "runs")
    process.kill()
    process.communicate()
    for run in run_dir.list_runs(folder / "runs"):
        launch.kill(run)


def strangers(noted: Path) -> list[str]:
    """What was connected to or looked up, but for this machine itself."""
    lines = noted.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.endswith(AT_HOME)]


async def walk(address: str, runs_dir: Path) -> str:
    """Bring a text, train, wait until it has learnt, write; what was written."""
    async with client(address) as wire:
        page = await Page(wire).open()
        text = b"The fox sees a lamp on the hill. It sings softly.\n" * 60
        sent = await wire.post("/gradio_api/upload", files=dict(files=("fox.txt", text)))
        file = dict(path=sent.json()[0], orig_name="fox.txt", meta=dict(_type="gradio.FileData"))
        await page.send("read-files", "click", files=[file])
        await page.send("train", "click", **{"run-name": "fox"} | BRIEF)
        while run_dir.state(run_dir.RunDir(runs_dir / "fox")) != "finished":
            assert run_dir.state(run_dir.RunDir(runs_dir / "fox")) not in ("failed", "dead")
            await asyncio.sleep(0.2)
        await page.send("runs", "select", dict(run="fox"))  # its model can be chosen now
        await page.send("write", "click", checkpoint="fox/best", prompt="The fox ", **TOKENS)
        shown = page.everything()
        await page.close()
        return shown


def test_nothing_leaves_the_machine_from_an_upload_to_a_text(watched: App) -> None:
    shown = coroutines.run(asyncio.wait_for(walk(watched.address, watched.runs_dir), 120))
    assert "The fox " in shown
    assert strangers(watched.noted) == []


def test_the_app_listens_to_its_own_machine_alone(watched: App) -> None:
    listening = [each for each in psutil.Process(watched.process.pid).net_connections() if each.status == "LISTEN"]
    assert listening and {each.laddr.ip for each in listening} <= {"127.0.0.1", "::1"}


def test_an_upload_beyond_the_size_that_was_set_is_refused(watched: App) -> None:
    for size, status in ((90_000, 200), (110_000, 413)):
        files = dict(files=("x.txt", b"x" * size))
        assert httpx.post(f"{watched.address}/gradio_api/upload", files=files, trust_env=False).status_code == status


def test_the_watch_sees_what_leaves(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    asks = "import socket\ntry: socket.getaddrinfo('hub.invalid', 443)\nexcept OSError: pass\n"
    asks += "s = socket.socket(); s.settimeout(0.01)\ntry: s.connect(('192.0.2.1', 9))\nexcept OSError: pass"
    environment = os.environ | dict(PYTHONPATH=str(tmp_path), LM_WATCHED=str(tmp_path / "noted.txt"))
    subprocess.run([sys.executable, "-c", asks], env=environment, check=True, timeout=60)
    assert [line.split()[0] for line in strangers(tmp_path / "noted.txt")] == ["socket.getaddrinfo", "socket.connect"]
