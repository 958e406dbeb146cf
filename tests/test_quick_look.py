"""Looks past Gradio's events: they bring what an event would, to the page that asks and to no other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import gradio as gr
import httpx
from fabricated_runs import fabricate, write_lines
from page_client import Page
from startup import free_port  # benchmarks/
from visits import SharedApp, pay

from lm import run_dir
from lm.run_dir import RunDir, Status
from playground import watch
from playground.app import WATCHER
from playground.door import VISITOR
from playground.workspace import Workspace
from playground.workspaces import persons

ROOT = Path(__file__).parent.parent


def runs_of(page: Page, folder: Path) -> Path:
    return folder / "visitors" / persons({VISITOR: page.cookie.split("=", 1)[1]})[0].key / "runs"


async def watching(wire: httpx.AsyncClient, shared: SharedApp) -> tuple[Page, RunDir]:
    """An open page that shows a run of its visitor's."""
    page = await Page(wire).open()
    run = fabricate(runs_of(page, shared.folder), "one", steps=40)
    await page.send("runs", "select", dict(run="one"))
    return page, run


def test_a_look_brings_words_and_points_and_the_event_then_brings_nothing_more(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page, run = await watching(wire, shared)
        write_lines(run, 41, 43)
        assert await page.look()
        assert [row[0] for row in page.shown("chart")["train"]] == [41, 42, 43]
        [event] = page._caused("pace", "look")
        made = await page._run(event, None)
        assert not any(isinstance(value, dict) and value.get("train") for value in made)
        write_lines(run, 44, 44)
        assert await page.look()
        assert [row[0] for row in page.shown("chart")["train"]] == [44]
        await page.close()

    shared.visit(visit)


def test_what_is_no_words_takes_the_event_which_loses_nothing(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page, run = await watching(wire, shared)
        write_lines(run, 41, 41)
        run_dir.write_status(run, Status(state="stopped", step=41))  # a button to resume appears
        assert not await page.look()
        await page.tick()
        assert [row[0] for row in page.shown("chart")["train"]] == [41] and "stopped" in page.shown("headline")
        assert await page.look()
        await page.close()

    shared.visit(visit)


def test_a_look_is_for_the_browser_whose_page_it_is(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        ann, _ = await watching(wire, shared)
        bob = await Page(wire).open()
        for cookie, status in ((ann.cookie, 200), (bob.cookie, 403), ("", 403)):
            answer = await wire.get(f"/look?session_hash={ann.session}", headers=dict(cookie=cookie))
            assert answer.status_code == status
        unknown = await wire.get("/look?session_hash=nobodys", headers=dict(cookie=ann.cookie))
        assert (unknown.status_code, unknown.content) == (204, b"")
        for page in (ann, bob):
            await page.close()

    shared.visit(visit)


def test_a_spectator_is_told_until_the_link_is_taken_back(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        ann, run = await watching(wire, shared)
        await ann.tick()
        await ann.send("show-run", "click")
        link = re.search(r"watch=([\w-]+)", ann.shown("guest-told"))[1]
        bob = await Page(wire, query=f"?watch={link}").open()
        write_lines(run, 41, 41)
        assert await bob.look() and [row[0] for row in bob.shown("chart")["train"]] == [41]
        await ann.tick()
        await ann.send("hide-run", "click")
        assert not await bob.look()
        await bob.tick()
        assert bob.shown("pace")["is_over"]
        for page in (ann, bob):
            await page.close()

    shared.visit(visit)


def test_where_a_password_is_asked_for_a_look_is_for_those_who_know_it(tmp_path: Path) -> None:
    where = ["--port", str(free_port()), "--runs-dir", str(tmp_path / "runs"), "--auth", "reader:correct-horse"]
    environment = os.environ | dict(LM_PLAYGROUND_CACHE=str(tmp_path), PYTHONUNBUFFERED="1")
    command = [sys.executable, "app.py", "--no-browser", *where]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as app:
        address = next(filter(None, (re.search(r"open at (http://\S+)", line) for line in app.stdout)))[1]

        async def visit(wire: httpx.AsyncClient) -> None:
            said = await wire.post("/login", data=dict(username="reader", password="correct-horse"))
            cookie = "; ".join(one.split(";")[0] for one in said.headers.get_list("set-cookie"))
            page = await Page(wire, cookie).open()
            assert (await page.look()) and "header" in page.everything()
            answer = await wire.get(f"/look?session_hash={page.session}")
            assert (answer.status_code, answer.content) == (204, b"")
            await page.close()

        try:
            pay(visit, address)
        finally:
            app.kill()


def test_who_does_not_exist_yet_is_told_later(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page, run = await watching(wire, shared)
        await page.tick()
        run.log.write_text("what the trainer says now\n", encoding="utf-8")
        address = f"/look?session_hash={page.session}&heard="
        without = await wire.get(f"{address}chart,headline", headers=dict(cookie=page.cookie))
        assert without.status_code == 200 and not without.json().keys() - {"chart", "headline"}
        told = await wire.get(f"{address}chart,headline,log", headers=dict(cookie=page.cookie))
        assert "what the trainer says now" in told.json()["log"]
        await page.close()

    shared.visit(visit)


def test_a_look_of_a_page_with_closed_tabs_reads_nothing_where_nothing_was_written(tmp_path: Path, monkeypatch) -> None:
    space = Workspace(tmp_path / "workspace", tmp_path / "runs")
    fabricate(space.runs_dir, "one")
    cursor = dict(zip(WATCHER.outputs, WATCHER.watch(space, "one", {}, "en"), strict=True))["cursor"]
    closed = {"generate.alone", "train.log"}
    cursor = cursor | dict(glance=None)
    again = dict(zip(WATCHER.outputs, WATCHER.watch(space, "one", cursor, "en", deaf=closed), strict=True))["cursor"]
    monkeypatch.setattr(watch, "look", None)  # it would be a fault to look
    assert set(map(str, WATCHER.watch(space, "one", again, "en", deaf=closed))) == {str(gr.skip())}


def test_a_page_that_opens_tells_no_other_its_session(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "workspace", tmp_path / "runs")
    fabricate(space.runs_dir, "one")
    _, *told = WATCHER.open(space, "en", "the session of one page")
    opened = dict(zip(WATCHER.outputs, told, strict=True))
    assert opened["frame.pace"]["session"] == "the session of one page"
    other = WATCHER.watch(space, "one", {}, "en", seconds=60)  # what the first page saw
    assert "the session of one page" not in str(other) + str(opened["cursor"])
