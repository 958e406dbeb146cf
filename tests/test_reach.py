"""What of the app can be reached from outside, listed: every address is one that the page needs, every event private.

A new version of Gradio brings new addresses, and every new button an event; none of them is open before it stands here.
The second half tries names: of files, of runs, of uploads, as somebody would who guesses.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fabricated_runs import fabricate
from gradio.routes import App as GradioApp
from page_client import Fault, Page
from visits import SharedApp

from lm import run_dir
from playground import door
from playground.app import build_app
from playground.door import Refused, check_route
from playground.workspace import Workspace
from playground.workspaces import Workspaces, persons

# Gradio's addresses that are open, each for what the page does with it.
NEEDED = {
    "GET /": "the page",
    "GET /config": "what is on it, when it is opened again after the server was started anew",
    "GET /theme.css": "its colours", "GET /gradio_api/theme.css": "its colours",
    "GET /favicon.ico": "its picture", "GET /robots.txt": "for search engines", "GET /manifest.json": "to install it",
    "GET /pwa_icon": "to install it", "GET /pwa_icon/{size}": "to install it",
    "GET /assets/{path}": "Gradio's scripts", "GET /static/{path}": "Gradio's pictures",
    "GET /svelte/{path}": "Gradio's scripts",
    "GET /logout": "signing out", "POST /login": "--auth",
    "GET /gradio_api/login_check": "--auth", "GET /gradio_api/user": "--auth",
    "GET /gradio_api/info": "asked for by the page; it lists no event",
    "GET /gradio_api/startup-events": "starts the queue", "GET /gradio_api/app_id": "whether it is still the same server",
    "GET /gradio_api/queue/data": "what comes of events, of one's own session",
    "POST /gradio_api/queue/join": "events, of one's own session",
    "POST /gradio_api/run/{api_name}": "events outside the queue: `predict`, of one's own session",
    "GET /gradio_api/heartbeat/{session_hash}": "tells that a page was closed",
    "POST /gradio_api/cancel": "ends one's own event", "POST /gradio_api/reset": "ends one's own event",
    "POST /gradio_api/upload": "brings a file", "GET /gradio_api/upload_progress": "how far it is",
    "GET /gradio_api/file={path_or_url}": "what Gradio serves: see the tests below",
}  # fmt: skip
EXAMPLES = {"{api_name}": "predict", "{size}": "192", "{path}": "a/b.js", "{path_or_url}": "/tmp/x"}


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("home")
    return build_app(Workspaces(Workspace(home / "workspace", home / "runs")))


def gradios_addresses(blocks: Any) -> Iterator[tuple[str, str]]:
    """(METHOD and template, METHOD and an address) of everything that Gradio's server answers."""
    for template, methods in GradioApp.create_app(blocks).openapi()["paths"].items():
        address = re.sub(r"\{[^}]*\}", lambda hole: EXAMPLES.get(hole[0], "x"), template)
        for method in sorted(methods):
            yield f"{method.upper()} {template}", f"{method.upper()} {address}"


def test_of_gradios_addresses_those_are_open_that_the_page_needs_and_no_others(blocks) -> None:
    found, opened = dict(gradios_addresses(blocks)), set()
    for template, asked in found.items():
        try:
            check_route(*asked.split(" ", 1))
            opened.add(template.rstrip("/") if not template.endswith(" /") else template)
        except Refused:
            pass
    assert len(found) > 60
    assert {address for address in opened if not address.startswith("HEAD")} == NEEDED.keys()


def test_no_event_of_the_page_can_be_called_by_name(blocks) -> None:
    events = blocks.get_config_file()["dependencies"]
    assert len(events) > 40
    assert {event["api_visibility"] for event in events} == {"private"}
    assert blocks.get_api_info() == {"named_endpoints": {}, "unnamed_endpoints": {}}


# ---------------------------------------------------------------------------------------------- guessing


def home_of(page: Page, folder: Path) -> Path:
    return folder / "visitors" / persons({door.VISITOR: page.cookie.split("=", 1)[1]})[0].key


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_no_name_of_a_run_leads_to_another_visitors(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        ann, bob = await Page(wire).open(), await Page(wire).open()
        theirs = home_of(ann, shared.folder) / "runs"
        fabricate(theirs, "diary", state="stopped")
        fabricate(home_of(bob, shared.folder) / "runs", "own")
        before = everything_in(theirs)
        for name in (
            "diary",
            f"../../{theirs.parent.name}/runs/diary",
            str(theirs / "diary"),
            "..",
            "",
            "a\0b",
            "own/../own",
        ):
            await bob.send("runs", "select", dict(run=name))
            for deed in ("rename", "pin", "unpin", "stop"):
                await bob.send("runs", "edit", dict(run=name, deed=deed, to=f"../../{theirs.parent.name}/runs/taken"))
            await bob.send("runs", "delete", dict(run=name))
            await bob.send("runs", "undo", dict(entry=f"../../../{theirs.parent.name}/runs/diary"))
            for button in ("stop", "resume", "show-run", "hide-run"):
                with contextlib.suppress(Fault):  # in words
                    await bob.send(button, "click")
        assert everything_in(theirs) == before
        for page in (ann, bob):
            await page.close()

    shared.visit(visit)


@pytest.mark.parametrize(
    "name", ["../../../evil.txt", "/tmp/evil.txt", "..\\..\\evil.txt", "evil\0.txt", "CON", "a" * 300]
)
def test_an_uploaded_file_lies_where_uploads_lie_whatever_it_is_called(shared: SharedApp, name: str) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page = await Page(wire).open()
        sent = await wire.post(
            "/gradio_api/upload", files=dict(files=(name, b"words of theirs")), headers=dict(cookie=page.cookie)
        )
        if sent.status_code == 200:
            [path] = sent.json()
            assert (shared.folder / "workspace" / "served") in Path(path).resolve().parents
        assert not list(shared.folder.parent.glob("evil*")) and not Path("/tmp/evil.txt").exists()
        await page.close()

    shared.visit(visit)


def test_another_visitors_upload_and_event_have_names_that_nobody_guesses(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page = await Page(wire).open()
        sent = await wire.post(
            "/gradio_api/upload", files=dict(files=("x.txt", b"a secret")), headers=dict(cookie=page.cookie)
        )
        folder = Path(sent.json()[0]).parent.name
        assert re.fullmatch(r"[0-9a-f]{64}", folder)  # a hash of what it holds: who knows it has it
        joined = await page._post("/gradio_api/queue/join", page._body(page._caused("read-pasted", "click")[0], None))
        assert re.fullmatch(r"[0-9a-f]{32}", joined["event_id"])
        for place in (folder, f"{folder}/", ".", ""):
            reply = await wire.get(f"/gradio_api/file={shared.folder / 'workspace' / 'served' / place}")
            assert reply.status_code in (403, 404)
        await page.close()

    shared.visit(visit)


def test_nobody_shares_with_the_token_of_the_machine(shared: SharedApp, shared_fox: run_dir.RunDir) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page = await Page(wire).open()
        shutil.copytree(shared_fox.path, home_of(page, shared.folder) / "runs" / "fox")
        await page.tick()  # now it can be chosen
        await page.send("push", "click", share_run="fox", repo="alice/fox")
        assert "no token" in page.shown("pushed")
        await page.close()

    shared.visit(visit)


@pytest.mark.parametrize("depth", [0, 1, 2, 5, 40])
def test_no_address_is_fetched_for_a_visitor_however_deep_it_stands(shared: SharedApp, depth: int) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page = await Page(wire).open()
        value: Any = dict(path="http://192.0.2.1/x", meta=dict(_type="gradio.FileData"))
        for level in range(depth):
            value = [value] if level % 2 else dict(inside=value)
        body = page._body(page._caused("read-pasted", "click")[0], None) | dict(data=[value])
        reply = await wire.post("/gradio_api/queue/join", json=body, headers=dict(cookie=page.cookie))
        assert reply.status_code == 400 and "not fetched" in reply.text
        await page.close()

    shared.visit(visit)


def test_an_event_nested_without_end_is_refused(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page = await Page(wire).open()
        reply = await wire.post("/gradio_api/queue/join", content=b"[" * 200_000, headers=dict(cookie=page.cookie))
        assert reply.status_code == 400
        await page.close()

    shared.visit(visit)


def test_a_link_in_a_run_directory_leads_nobody_out_of_it(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page = await Page(wire).open()
        run = fabricate(home_of(page, shared.folder) / "runs", "linked")
        (run.path / "out").symlink_to("/etc")
        for path in (run.path / "out" / "passwd", run.path / "log.txt"):
            reply = await wire.get(f"/gradio_api/file={path}", headers=dict(cookie=page.cookie))
            assert reply.status_code in (403, 404)
        with pytest.raises(Fault):
            file = dict(path=str(run.path / "out" / "passwd"), orig_name="x.txt", meta=dict(_type="gradio.FileData"))
            await page.send("read-files", "click", files=[file])
        assert run_dir.is_run(run.path)
        await page.close()

    shared.visit(visit)
