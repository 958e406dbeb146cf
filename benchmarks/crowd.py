"""One visitor of `benchmarks/soak.py`: a browser without a browser, with a name, a habit of doing things, and a log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from page_client import Fault, Page

from lm.run_dir import RunDir
from playground.door import VISITOR
from playground.workspaces import persons

NAME = re.compile(r"visitor\d{3}x")
ACTION_SECONDS = 12.0  # between two actions of one visitor, on average
NEW_TOKENS = 60
VANISH_SECONDS = 1.0  # into a text, and before the next one


@dataclass
class Log:
    """What all visitors met with."""

    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    crosstalk: list[str] = field(default_factory=list)
    texts_asked: int = 0
    texts_written: int = 0


class Visitor:
    """One browser: a page, a name that appears in all it owns, and a habit of doing things."""

    def __init__(self, number: int, wire: httpx.AsyncClient, log: Log, visitors_dir: Path, model: RunDir) -> None:
        self.name = f"visitor{number:03d}x"
        self.wire, self.log, self.visitors_dir, self.model = wire, log, visitors_dir, model
        self.dice = random.Random(number)
        self.page = Page(wire, listener=self._look_for_others)
        self.files: Sequence[str] = ()  # that a first visit asks for besides the page
        self.link = ""  # the query that shows the training, for a spectator

    async def stay(self, until: float) -> None:
        """Come, tick as the page does, now and then do something, leave at `until` (of `time.monotonic`)."""
        with self._noting("open"):
            await self.page.open(self.files)
        await self._settle()
        with self._noting("write"):
            await self._write()
        ticking = asyncio.gather(self._tick(self.page, until), self._spectate(until))
        while time.monotonic() < until:
            await asyncio.sleep(min(self.dice.expovariate(1 / ACTION_SECONDS), max(0.0, until - time.monotonic())))
            if time.monotonic() < until:
                await self._act()
        await ticking
        await self.page.close()

    async def _settle(self) -> None:
        """Give the visitor a small model of their own, and a text with their name."""
        token = self.page.cookie.split("=", 1)[1]
        home = self.visitors_dir / persons({VISITOR: token})[0].key / "runs" / self.name
        shutil.copytree(self.model.path, home)
        with self._noting("settle"):
            await self.page.send("read-pasted", "click", pasted=f"{self.name} sees the lamp on the hill. " * 60)
            await self.page.send("runs", "select", dict(run=self.name))

    async def _tick(self, page: Page, until: float) -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            with self._noting("tick", page):
                await page.tick()
            await asyncio.sleep(max(0.0, page.tick_seconds - (time.monotonic() - began)))

    async def _spectate(self, until: float) -> None:
        if self.link:
            page = self._new_page(self.link)
            with self._noting("spectate", page):
                await page.open()
            await self._tick(page, until)
            await page.close()

    async def _act(self) -> None:
        acts = {
            self._write: 4, self._write_eight: 1, self._select: 3, self._read: 1, self._upload: 1, self._second_page: 1,
            self._vanish: 1,
        }  # fmt: skip
        [act] = self.dice.choices(list(acts), list(acts.values()))
        with self._noting(act.__name__.strip("_")):
            await act()

    async def _write(self, num_samples: int = 1) -> None:
        self.log.texts_asked += 1
        made = await self._text(self.page, NEW_TOKENS, num_samples)
        assert self.name in json.dumps(made), "the text does not begin with its prompt"
        self.log.texts_written += 1

    async def _write_eight(self) -> None:
        await self._write(num_samples=8)

    async def _text(self, page: Page, n_tokens: int, num_samples: int = 1) -> list[Any]:
        wanted = {"set-SampleConfig-max_new_tokens": n_tokens, "set-SampleConfig-num_samples": num_samples}
        return await page.send("write", "click", checkpoint=f"{self.name}/best", prompt=f"{self.name} ", **wanted)

    async def _select(self) -> None:
        await self.page.send("runs", "select", dict(run=self.dice.choice([self.name, ""])))

    async def _read(self) -> None:
        await self.page.send("read-pasted", "click", pasted=f"{self.name} sings to the fox. " * 80)

    async def _upload(self) -> None:
        file = await self.page.upload(f"{self.name}.txt", f"{self.name} draws a map of the hill. ".encode() * 900)
        await self.page.send("read-files", "click", files=[file])

    async def _second_page(self) -> None:
        second = await self._new_page().open()
        await second.tick()
        assert self.name in second.everything(), "the second page does not know its visitor"
        await second.close()
        self.page.latencies += second.latencies

    async def _vanish(self) -> None:
        second = await self._new_page().open()
        text = asyncio.create_task(self._text(second, 20 * NEW_TOKENS))
        await asyncio.sleep(VANISH_SECONDS)
        text.cancel()
        await second.close()
        await asyncio.sleep(VANISH_SECONDS)  # the app notices it before this visitor asks for the next text

    def _new_page(self, query: str = "") -> Page:
        return Page(self.wire, self.page.cookie, query, self._look_for_others)

    def _look_for_others(self, said: str) -> None:
        names = set(NAME.findall(said)) - {self.name}
        self.log.crosstalk += [f"{self.name} was told of {', '.join(sorted(names))}"] if names else []

    @contextlib.contextmanager
    def _noting(self, what: str, page: Page | None = None) -> Iterator[None]:
        page = page or self.page
        try:
            yield
        except (Fault, httpx.HTTPError, AssertionError) as error:
            self.log.errors[f"{what}: {type(error).__name__} {str(error)[:160]}"] += 1
        finally:
            for label, seconds in page.latencies:
                self.log.latencies[label].append(seconds)
            page.latencies.clear()
