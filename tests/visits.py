"""Visits to a real app from outside, as a browser would make them or an attacker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import coroutines
import httpx
from page_client import client

Visit = Callable[[httpx.AsyncClient], Awaitable[Any]]


def pay(visit: Visit, address: str, seconds: float = 60) -> None:
    """Await `visit(wire)` with a fresh connection to `address`, for so many seconds at the most."""

    async def run() -> None:
        async with client(address) as wire:
            await asyncio.wait_for(visit(wire), seconds)

    coroutines.run(run())


class SharedApp(NamedTuple):
    """A running `python app.py --multi-user`: where it answers, and its folder."""

    address: str
    folder: Path

    def visit(self, visit: Visit) -> None:
        pay(visit, self.address)
