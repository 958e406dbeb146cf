"""The whole app is killed between the parts of an upload, while it reads another: nothing half is shown, nothing stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import visits
from page_client import Page
from soak import App  # benchmarks/

from playground.served import KEPT_SECONDS

SENTENCE = "The fox sees a lamp on the hill. It sings to it softly, and the hill listens.\n"
TEXT = (
    SENTENCE * (19_000_000 // len(SENTENCE))
).encode()  # within a stranger's limit, and more than a second of reading


class Home:
    """One folder, and the app over it that lives at the moment; its visitor comes back each time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cookie = folder, ""
        self.served = folder / "workspace" / "served"
        self.app = App(folder)

    def visit(self, deed: Callable[[Home, httpx.AsyncClient, Page], Awaitable[None]]) -> None:
        async def come(wire: httpx.AsyncClient) -> None:
            page = await Page(wire, self.cookie).open()
            self.cookie = page.cookie
            await deed(self, wire, page)
            await page.close()

        visits.pay(come, self.app.address, 120)

    def kill(self) -> None:
        os.kill(self.app.process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        self.app.process.wait()

    def begin_again(self) -> None:
        self.app.end()
        self.app = App(self.folder)

    def texts(self) -> list[Path]:
        """What anybody could take for a text or for what is known of one, besides the sample that is always there."""
        found = self.folder.glob("visitors/*/workspace/corpora/*")
        return [path for path in found if not path.name.startswith(".") and path.stem != "tales"]

    def half_made(self) -> list[Path]:
        return list(self.folder.glob("visitors/*/workspace/corpora/.making-*/*"))

    def uploads(self) -> list[Path]:
        """Whatever of them lies where browsers bring them."""
        return [path for path in self.served.rglob("*") if path.is_file()]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.app.end()


async def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


def part(name: str, content: bytes) -> bytes:
    head = f'--b\r\ncontent-disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n"


def half_of_two_files(page: Page) -> bytes:
    """A request that brings two files, as far as the middle of the second."""
    sent = part("one.txt", SENTENCE.encode()) + part("two.txt", TEXT[:2_000_000])[:-1_000_000]
    lines = ("POST /gradio_api/upload HTTP/1.1", "Host: x", f"Cookie: {page.cookie}",
             "Content-Type: multipart/form-data; boundary=b", f"Content-Length: {len(sent) + 1_000_100}")  # fmt: skip
    return "\r\n".join((*lines, "", "")).encode() + sent


async def killed(home: Home, wire: httpx.AsyncClient, page: Page) -> None:
    """The app dies while two files are on their way to it, and while it reads a third one."""
    file = await page.upload("fox.txt", TEXT)
    whole = len(home.uploads())
    with socket.create_connection((wire.base_url.host, wire.base_url.port)) as sender:
        sender.sendall(half_of_two_files(page))
        await until(lambda: len(home.uploads()) == whole + 2)
        reading = asyncio.create_task(page.send("read-files", "click", files=[file]))
        await until(lambda: any(path.stat().st_size for path in home.half_made()))
        home.kill()
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
        await reading


async def reads(home: Home, wire: httpx.AsyncClient, page: Page) -> None:
    await page.send("read-files", "click", files=[await page.upload("fox.txt", TEXT)])


def test_an_app_that_is_killed_in_an_upload_and_while_it_reads_shows_nothing_half(home: Home) -> None:
    home.visit(killed)
    assert home.texts() == [] and home.half_made() and home.uploads()
    for path in home.uploads():
        os.utime(path, (time.time() - KEPT_SECONDS - 60,) * 2)

    home.begin_again()
    assert home.uploads() == [], "of a day before"
    home.visit(reads)
    assert sorted(path.name for path in home.texts()) == ["fox.json", "fox.txt"]
    assert next(path for path in home.texts() if path.suffix == ".txt").read_bytes() == TEXT
    assert not list(home.folder.glob("visitors/*/workspace/corpora/.*"))
