"""A browser's page without a browser: it speaks Gradio's queue protocol as the page's own script does.

Every event of the page is private, so no API client may call them; a page finds them in the configuration that it comes
with, by the element they belong to. Values that the server sends are kept, as the browser keeps them, and are the inputs of what comes next.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections.abc import Callable, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx

API = "/gradio_api"
CONNECTIONS = 6  # of a browser to one server
CONFIG = "window.gradio_config = "


class Fault(Exception):
    """The server refused, or an event ended in an error."""


class Page:
    """One open page of one visitor. `cookie` comes with the first visit; a second page of a browser is given it."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        cookie: str = "",
        query: str = "",
        listener: Callable[[str], None] = lambda said: None,
    ) -> None:
        """`listener` is given whatever the server says, as it came."""
        self.client, self.cookie, self.query, self.listener = client, cookie, query, listener
        self.session = secrets.token_hex(6)
        self.values: dict[int, Any] = {}
        self.latencies: list[tuple[str, float]] = []  # of every event, seconds until its last value
        self._waiting: dict[str, asyncio.Queue] = {}
        self._under_way: dict[int, str] = {}  # events by what they set off
        self._stream: asyncio.Task | None = None
        self._heart: asyncio.Task | None = None

    # ------------------------------------------------------------------------------------------ the visit

    async def open(self, besides: Sequence[str] = ()) -> Page:
        """Fetch the page and what it asks for `besides`, learn what is on it, open the heartbeat, send the load event.

        Seconds until all of that has come are the latency of `page.open`; those of the event are of `page.load`.
        """
        began = time.perf_counter()
        answer = await self.client.get(f"/{self.query}", headers=self._headers())
        answer.raise_for_status()
        self.listener(answer.text)
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].split(";")[0]
        config, _ = json.JSONDecoder().raw_decode(answer.text, answer.text.index(CONFIG) + len(CONFIG))
        await self._fetch(besides)
        self.latencies.append(("page.open", time.perf_counter() - began))
        self.components = {one["id"]: one for one in config["components"]}
        self.values = {number: _shown_first(one) for number, one in self.components.items()}
        self.by_name = {one["props"].get("elem_id"): number for number, one in self.components.items()}
        self.events = config["dependencies"]
        self._heart = asyncio.create_task(self._beat())
        await self._load()
        return self

    async def _load(self) -> None:
        """The load event, then those of the elements that it changed, as they come in a browser: side by side."""
        before = dict(self.values)
        await self.send(None, "load")
        changed = {(number, "change") for number, value in self.values.items() if value != before[number]}
        causes = [(one, {tuple(target) for target in one["targets"]}) for one in self.events]
        for one, targets in causes:  # what a browser does by itself changes something, too
            if not one["backend_fn"] and changed & targets:
                changed = changed | {(number, "change") for number in one["outputs"]}
        caused = [one for one, targets in causes if one["backend_fn"] and changed & targets]
        await asyncio.gather(*(self._run(one, None) for one in caused))

    async def _fetch(self, addresses: Sequence[str]) -> None:
        """Get files as a browser does, six at a time, and look at none: by hand, for `httpx` takes 2 ms for each."""
        waiting = list(addresses)
        await asyncio.gather(*(self._fetch_from(waiting) for _ in range(CONNECTIONS if waiting else 0)))

    async def _fetch_from(self, waiting: list[str]) -> None:
        """One connection, which takes from `waiting` until nothing is left."""
        address = self.client.base_url
        reader, writer = await asyncio.open_connection(address.host, address.port)
        while waiting:
            lines = f"GET {waiting.pop()} HTTP/1.1", f"host: {address.host}:{address.port}", "accept-encoding: gzip"
            writer.write("\r\n".join((*lines, f"cookie: {self.cookie}", "", "")).encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            if " 200 " not in head.splitlines()[0]:
                raise Fault(f"{lines[0]}: {head.splitlines()[0]}")
            if length := re.search(r"content-length: (\d+)", head):
                await reader.readexactly(int(length[1]))
            else:
                await _skip_chunks(reader)
        writer.close()

    async def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Send a file; what stands for it in an event's values."""
        began = time.perf_counter()
        files = dict(files=(name, content))
        answer = await self.client.post(f"{API}/upload", files=files, headers=self._headers())
        if answer.status_code != 200:
            raise Fault(f"upload: {answer.status_code} {answer.text[:200]}")
        self.latencies.append(("page.upload", time.perf_counter() - began))
        return dict(path=answer.json()[0], orig_name=name, size=len(content), meta=dict(_type="gradio.FileData"))

    async def close(self) -> None:
        """Leave without a word, as a closed browser does."""
        for task in (self._heart, self._stream):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
                    await task

    # ------------------------------------------------------------------------------------------ events

    async def send(self, name: str | None, event: str, data: Any = None, **values: Any) -> list[Any]:
        """Cause `event` on the element with the id `name`; `values` stand in elements by their ids. What came of it."""
        for elem_id, value in values.items():
            self.values[self.by_name[elem_id if elem_id in self.by_name else elem_id.replace("_", "-")]] = value
        began, label = time.perf_counter(), f"{name or 'page'}.{event}"
        made = [value for caused in self._caused(name, event) for value in await self._run(caused, data)]
        self.latencies.append((label, time.perf_counter() - began))
        return made

    @property
    def tick_seconds(self) -> float:
        """How long the page waits now before its next tick."""
        return self.shown("pace")["seconds"]

    async def tick(self) -> None:
        """A look at the disk, as the page takes one every few seconds: a small request, and an event where that is not enough."""
        began = time.perf_counter()
        if not await self.look():
            [look] = self._caused("pace", "look")
            await self._run(look, None)
        self.latencies.append(("page.tick", time.perf_counter() - began))

    async def look(self) -> bool:
        """Take over what a look past Gradio's events brings; whether it could."""
        heard = ",".join(filter(None, self.by_name))
        asked = f"/look{self.query or '?'}&session_hash={self.session}&heard={heard}"
        answer = await self.client.get(asked, headers=self._headers())
        if answer.status_code not in (200, 204):
            raise Fault(f"look: {answer.status_code} {answer.text[:200]}")
        self.listener(answer.text)
        told = answer.json() if answer.status_code == 200 else {}
        self.values |= {self.by_name[name]: value for name, value in told.items()}
        return answer.status_code == 200

    def shown(self, name: str) -> Any:
        """The value of an element, as it stands on the page."""
        return self.values[self.by_name[name]]

    def everything(self) -> str:
        """All that the page was told, as one text."""
        return json.dumps(list(self.values.values()), ensure_ascii=False, default=str)

    def _caused(self, name: str | None, event: str) -> list[dict[str, Any]]:
        """What `event` on an element, or on any, sets off."""
        number = self.by_name[name] if name is not None else None
        return [
            found
            for found in self.events
            if any(what == event and number in (None, target) for target, what in found["targets"])
        ]

    async def _run(self, dependency: dict[str, Any], data: Any) -> list[Any]:
        if not dependency["backend_fn"]:
            return await self._cancel(dependency["cancels"])
        if not dependency["queue"]:
            return self._keep(
                dependency, await self._post(f"{API}/run/predict{self.query}", self._body(dependency, data))
            )
        joined = await self._post(f"{API}/queue/join{self.query}", self._body(dependency, data))
        messages = self._waiting.setdefault(joined["event_id"], asyncio.Queue())
        self._under_way[dependency["id"]] = joined["event_id"]
        if self._stream is None or self._stream.done():
            self._stream = asyncio.create_task(self._listen())
        made: list[Any] = []
        try:
            while True:
                message = await messages.get()
                if message["msg"] == "process_generating":
                    made = self._keep(dependency, message["output"], is_difference=bool(made))
                elif message["msg"] == "process_completed":
                    if not message["success"]:
                        raise Fault(str(message["output"].get("error")))
                    return self._keep(dependency, message["output"], is_difference=False) or made
                elif message["msg"] in ("unexpected_error", "broken"):
                    raise Fault(str(message))
        finally:
            self._waiting.pop(joined["event_id"], None)
            self._under_way.pop(dependency["id"], None)

    async def _cancel(self, dependencies: Sequence[int]) -> list[Any]:
        """End those of them that are under way; nothing comes of it."""
        for number in dependencies:
            if number in self._under_way:
                body = dict(session_hash=self.session, fn_index=number, event_id=self._under_way[number])
                await self._post(f"{API}/cancel{self.query}", body)
        return []

    def _body(self, dependency: dict[str, Any], data: Any) -> dict[str, Any]:
        given = [None if self._is_state(number) else self.values.get(number) for number in dependency["inputs"]]
        return dict(data=given, fn_index=dependency["id"], session_hash=self.session, event_data=data, trigger_id=None)

    def _is_state(self, number: int) -> bool:
        return self.components[number]["type"] == "state"

    def _keep(self, dependency: dict[str, Any], output: dict[str, Any], is_difference: bool = False) -> list[Any]:
        """Take over what came for each output; differences of a stream are not put together, only looked at."""
        made = output.get("data", [])
        if not is_difference:
            for number, value in zip(dependency["outputs"], made):
                is_update = isinstance(value, dict) and value.get("__type__") == "update"
                if not is_update:
                    self.values[number] = value
                elif "value" in value:
                    self.values[number] = value["value"]
        return made

    # ------------------------------------------------------------------------------------------ the wire

    def _headers(self) -> dict[str, str]:
        return {"cookie": self.cookie} if self.cookie else {}

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = await self.client.post(path, json=body, headers=self._headers())
        if answer.status_code != 200:
            raise Fault(f"{path}: {answer.status_code} {answer.text[:200]}")
        self.listener(answer.text)
        return answer.json()

    async def _listen(self) -> None:
        """Hand out the session's messages until the server closes the stream: when nothing is under way any more."""
        address = f"{API}/queue/data?session_hash={self.session}"
        while True:
            async with self.client.stream("GET", address, headers=self._headers(), timeout=None) as stream:
                async for line in stream.aiter_lines():
                    self.listener(line)
                    message = json.loads(line[6:]) if line.startswith("data: ") else {}
                    if message.get("msg") == "close_stream":
                        break
                    if (number := message.get("event_id")) is not None:
                        self._waiting.setdefault(number, asyncio.Queue()).put_nowait(message)
            if not self._waiting:  # else something was asked for while the stream was closing
                return

    async def _beat(self) -> None:
        address = f"{API}/heartbeat/{self.session}"
        with contextlib.suppress(httpx.HTTPError):  # the app was ended before the page was closed
            async with self.client.stream("GET", address, headers=self._headers(), timeout=None) as stream:
                async for _ in stream.aiter_lines():
                    pass


async def _skip_chunks(reader: asyncio.StreamReader) -> None:
    """To the end of an answer whose length was not said before."""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
    await reader.readexactly(2)


def _shown_first(component: dict[str, Any]) -> Any:
    """What a browser makes of a component's first value: an empty field holds an empty text."""
    value = component["props"].get("value")
    return "" if value is None and component["type"] == "textbox" else value


def client(address: str) -> httpx.AsyncClient:
    """For as many pages as one likes; each brings its own cookie."""
    # The server closes a connection that was idle for 5 s. A browser that has just sent something on it asks again on a
    # new one; httpx gives up, so it must be the first to close.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200, keepalive_expiry=4.0)
    wire = httpx.AsyncClient(base_url=address, timeout=60, limits=limits, trust_env=False)
    wire.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # pages keep their own
    return wire
