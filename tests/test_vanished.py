"""Who goes away without a word leaves nothing behind: no half of a file, no text that goes on being written.

And whoever stops something stops only their own.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
import visits
from page_client import Page
from runs import request, write_text
from soak import App  # benchmarks/

from lm import run_dir, trainer
from lm.run_dir import RunDir
from playground.door import VISITOR
from playground.limits import ANONYMOUS
from playground.workspaces import persons

PATIENCE_SECONDS = 30
LONG = {"set-SampleConfig-max_new_tokens": ANONYMOUS.new_tokens}
SHORT = {"set-SampleConfig-max_new_tokens": 10}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """`python app.py --multi-user` over an empty folder."""
    app = App(tmp_path_factory.mktemp("vanished"))
    yield app
    app.end()


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run whose model takes several seconds for `LONG`."""
    folder = tmp_path_factory.mktemp("slow")
    run = run_dir.create(folder, "slow")
    large = dict(n_layer=10, n_embd=128, n_head=4, block_size=32)
    trainer.train(run, request(write_text(folder / "fox.txt"), model=large, steps=1, eval_interval=1, sample_tokens=0))
    return run


async def page_with(model: RunDir, wire: httpx.AsyncClient, app: App, cookie: str = "") -> Page:
    """An open page whose visitor has `model`."""
    page = await Page(wire, cookie).open()
    home = app.visitors_dir / persons({VISITOR: page.cookie.split("=", 1)[1]})[0].key / "runs" / "slow"
    if not home.exists():
        shutil.copytree(model.path, home)
        await page.tick()
    return page


async def written(page: Page, tokens: dict[str, int]) -> None:
    await page.send("write", "click", checkpoint="slow/last", prompt="The fox", **tokens)


async def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def is_writing(page: Page) -> bool:
    value = page.shown("written")
    return isinstance(value, dict) and bool(value.get("writing"))


def test_a_text_is_given_up_when_its_page_is_closed(app: App, slow_model: RunDir) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        first = await page_with(slow_model, wire, app)
        began = time.monotonic()
        await written(first, {"set-SampleConfig-max_new_tokens": ANONYMOUS.new_tokens // 10})
        began_to_end = 10 * (time.monotonic() - began)
        task = asyncio.create_task(written(first, LONG))
        await until(lambda: is_writing(first))
        second = await page_with(slow_model, wire, app, first.cookie)
        await written(second, SHORT)
        assert "written already" in second.shown("told"), "one at a time"
        task.cancel()
        await first.close()
        closed = time.monotonic()
        while "written already" in second.shown("told"):
            await asyncio.sleep(0.1)
            await written(second, SHORT)
        assert time.monotonic() - closed < began_to_end / 2
        await second.close()

    visits.pay(visit, app.address, 3 * PATIENCE_SECONDS)


def test_to_stop_a_text_stops_no_other(app: App, slow_model: RunDir) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        ann, bob = [await page_with(slow_model, wire, app) for _ in range(2)]
        texts = [asyncio.create_task(written(page, {"set-SampleConfig-max_new_tokens": 300})) for page in (ann, bob)]
        await until(lambda: is_writing(ann) and is_writing(bob))
        await ann.send("stop-writing", "click")
        assert not is_writing(ann) and is_writing(bob)
        await texts[1]
        assert "300" in bob.shown("told")
        texts[0].cancel()
        for page in (ann, bob):
            await page.close()

    visits.pay(visit, app.address, 3 * PATIENCE_SECONDS)


def test_half_an_upload_leaves_no_file(app: App) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page = await Page(wire).open()
        served = app.visitors_dir.parent / "workspace" / "served"
        before = set(served.rglob("*"))
        half = b'--b\r\ncontent-disposition: form-data; name="files"; filename="x.txt"\r\n\r\n' + b"fox " * 250_000
        lines = ("POST /gradio_api/upload HTTP/1.1", "Host: x", f"Cookie: {page.cookie}",
                 "Content-Type: multipart/form-data; boundary=b", f"Content-Length: {2 * len(half)}")  # fmt: skip
        with socket.create_connection((wire.base_url.host, wire.base_url.port)) as sender:
            sender.sendall("\r\n".join((*lines, "", "")).encode() + half)
            await until(lambda: set(served.rglob("*")) > before)
        await until(lambda: set(served.rglob("*")) <= before)
        assert set(served.rglob("*")) == before
        await page.close()

    visits.pay(visit, app.address, 3 * PATIENCE_SECONDS)
