"""Strangers on one machine: each in a workspace of their own, and nothing of another's within reach.

The second half knocks at a real app's door with raw requests, as an attacker would.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import coroutines
import httpx
import pytest
from fabricated_runs import fabricate
from page_client import Fault, Page
from test_disk import room_for
from visits import SharedApp

from lm import launch, library, run_dir
from lm.errors import RunError
from playground import door, limits, trainings, workspaces
from playground.door import Refused, check_origin, check_route
from playground.limits import ANONYMOUS, SIGNED_IN, LimitError
from playground.queue import TrainingQueue
from playground.tabs import corpus, generate
from playground.workspace import Workspace, folder_bytes
from playground.workspaces import Workspaces, persons

ROOT = Path(__file__).parent.parent
ANN, BOB = "a" * 43, "b" * 43


def asks(token: str = "", sub: str = "", username: str | None = None, **query: str) -> SimpleNamespace:
    """A request of the visitor with this cookie, this sign-in, or both."""
    session = dict(oauth_info=dict(userinfo=dict(sub=sub))) if sub else {}
    scope = {door.VISITOR: token, "session": session}
    return SimpleNamespace(
        request=SimpleNamespace(scope=scope), headers={}, query_params=query, username=username, session_hash="s"
    )


@pytest.fixture
def many(tmp_path: Path) -> Workspaces:
    own = Workspace(tmp_path / "workspace", tmp_path / "runs")
    return Workspaces(own, tmp_path / "visitors", TrainingQueue(tmp_path / "queue.json", slots=1))


# ---------------------------------------------------------------------------------------------- whose it is


def test_on_ones_own_machine_everybody_has_the_same_workspace(tmp_path: Path) -> None:
    own = Workspace(tmp_path / "workspace", tmp_path / "runs")
    assert Workspaces(own).of(None) is Workspaces(own).of(asks(ANN)) is own


def test_visitors_see_their_own_runs_and_no_others(many: Workspaces) -> None:
    ann, bob = many.of(asks(ANN)), many.of(asks(BOB))
    fabricate(ann.runs_dir, "diary", steps=40)
    assert [row.name for row in ann.library.rows()] == ["diary"]
    assert bob.library.rows() == [] and bob.checkpoints() == []
    with pytest.raises(RunError):
        trainings.stop(bob, "diary")


def test_the_same_visitor_finds_the_same_workspace_again(many: Workspaces) -> None:
    first = many.of(asks(ANN)).root
    again = Workspaces(many.own, many.visitors, many.queue)
    assert again.of(asks(ANN)).root == first


def test_a_folder_tells_nothing_of_the_cookie_or_the_name(many: Workspaces) -> None:
    for request in (asks(ANN), asks(sub="alice"), asks(username="../../etc")):
        folder = many.of(request).root.parent
        assert re.fullmatch(r"[0-9a-f]{40}", folder.name) and folder.parent == many.visitors


def test_who_signed_in_has_one_workspace_in_every_browser_and_larger_limits(many: Workspaces) -> None:
    first, second = many.of(asks(ANN, sub="alice")), many.of(asks(BOB, sub="alice"))
    assert first is second and first.share.limits is SIGNED_IN
    assert many.of(asks(ANN)).share.limits is ANONYMOUS


def test_what_was_made_before_signing_in_comes_along(many: Workspaces) -> None:
    fabricate(many.of(asks(ANN)).runs_dir, "diary", steps=40)
    assert many.of(asks(ANN, sub="alice")).library.has("diary")
    assert not many.of(asks(ANN)).library.has("diary")


def test_what_is_being_trained_comes_along_when_it_has_ended(many: Workspaces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "start", lambda *_: None)
    ann = many.of(asks(ANN))
    name = trainings.begin(ann, "diary", [], "en")
    assert many.of(asks(ANN, sub="alice")).runs_dir == ann.runs_dir
    run_dir.write_status(run_dir.RunDir(ann.runs_dir / name), run_dir.Status(state="finished", heartbeat=time.time()))
    many.queue.step()
    assert many.of(asks(ANN, sub="alice")).runs_dir != ann.runs_dir
    assert many.of(asks(ANN, sub="alice")).library.has(name)


def test_a_browser_without_cookies_is_told_why_it_does_not_work(many: Workspaces) -> None:
    with pytest.raises(RunError, match="cookie"):
        many.of(asks())


def test_as_many_runs_as_are_allowed_and_no_more(many: Workspaces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "start", lambda *_: None)
    ann = many.of(asks(ANN))
    for _ in range(ANONYMOUS.runs):
        trainings.begin(ann, "diary", [], "en")
    with pytest.raises(LimitError, match=f"{ANONYMOUS.runs} runs"):
        trainings.begin(ann, "diary", [], "en")


def test_who_has_filled_their_share_of_the_disk_brings_and_trains_nothing_more(
    many: Workspaces, tmp_path: Path
) -> None:
    ann, words = many.of(asks(ANN)), "a fox sees a lamp. " * 40
    run = fabricate(ann.runs_dir, "diary", state="stopped")
    story = tmp_path / "story.txt"
    story.write_text(words, encoding="utf-8")
    with open(run.path / "large", "wb") as file:
        file.truncate(ANONYMOUS.disk_bytes - folder_bytes(ann.root.parent) - len(words) // 2)
    too_much = {
        "pasted": lambda: corpus.read_pasted(ann, words, "en"),
        "uploaded": lambda: corpus.read_files(ann, [str(story)], "auto", "", "en"),
    }
    for bring in too_much.values():
        with pytest.raises(LimitError, match="500 MB"):
            bring()
    os.truncate(run.path / "large", ANONYMOUS.disk_bytes)
    for go_on in (lambda: trainings.resume(ann, "diary", "en"), lambda: trainings.begin(ann, "more", [], "en")):
        with pytest.raises(LimitError, match="500 MB"):
            go_on()
    (run.path / "large").unlink()
    assert corpus.read_pasted(ann, words, "en") in ann.names()


def test_who_deletes_a_run_to_have_room_has_its_room(many: Workspaces) -> None:
    ann = many.of(asks(ANN))
    run = fabricate(ann.runs_dir, "diary", state="stopped")
    with open(run.path / "large", "wb") as file:
        file.truncate(ANONYMOUS.disk_bytes)
    with pytest.raises(LimitError, match="delete a run"):
        ann.check_room(0, "en")
    library.delete(ann.runs_dir, "diary")
    ann.check_room(0, "en")
    assert library.trash(ann.runs_dir) == []


def test_a_disk_that_nothing_can_be_written_to_can_still_be_looked_at(
    many: Workspaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And as soon as it is put right, visits are written down again."""
    space = many.of(asks(ANN))
    (seen := space.root.parent / "seen.json").unlink()
    many._seen.clear()
    with room_for(0, many.visitors, errno.EROFS):
        assert many.of(asks(ANN)) is space and space.library.rows() == []
    assert not seen.exists() and many.of(asks(ANN)) is space and seen.exists()


def test_a_fetched_model_counts_wherever_it_lies(many: Workspaces, tmp_path: Path) -> None:
    ann, before = many.of(asks(ANN)), many.of(asks(ANN)).used_bytes()
    (tmp_path / "blob").write_bytes(bytes(3_000_000))
    (tmp_path / "model").mkdir()
    os.link(tmp_path / "blob", tmp_path / "model" / "model.safetensors")
    ann.adopt(tmp_path / "model", "someone/model")
    with pytest.raises(LimitError):
        ann.check_room(ANONYMOUS.disk_bytes - before - 3_000_000, "en")


def test_a_strangers_model_comes_from_the_hub_and_not_from_a_folder_of_the_machine(many: Workspaces, fox) -> None:
    ann = many.of(asks(ANN))
    *_, (_, told, *_) = generate.fetch(ann, asks(ANN), str(fox.best), "en")
    assert "Folders of this machine" in told and ann.fetched() == []


def test_a_branch_is_held_to_the_limits_too(many: Workspaces) -> None:
    ann = many.of(asks(ANN))
    fabricate(ann.runs_dir, "diary", steps=40)
    with pytest.raises(LimitError, match="parameters"):
        trainings.fork(ann, "diary", "huge", "none", dict(n_embd=8192), "en")


def test_no_part_of_the_page_starts_a_training_around_the_line() -> None:
    around = re.compile(r"^[^\"']*\blaunch\.(start|resume|stop)\(", re.MULTILINE)  # not where a text only shows it
    files = [path for path in (ROOT / "playground").rglob("*.py") if around.search(path.read_text(encoding="utf-8"))]
    assert sorted(path.name for path in files) == ["queue.py", "trainings.py"]


def test_what_can_be_fetched_lies_where_nobody_can_guess(many: Workspaces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(many.visitors / "served"))
    ann, bob = many.of(asks(ANN)), many.of(asks(BOB))
    assert ann.downloads != bob.downloads and len(ann.downloads.name) >= 32


# ---------------------------------------------------------------------------------------------- spectators


def test_a_link_shows_one_run_and_nothing_else(many: Workspaces) -> None:
    ann = many.of(asks(ANN))
    for name in ("diary", "secret"):
        fabricate(ann.runs_dir, name, steps=40)
    ann.add_text("a text of Ann's own")
    shown = many.of(asks(BOB, watch=many.show(ann, "diary")))
    assert [row.name for row in shown.library.rows()] == ["diary"] and shown.share.is_shown
    assert not shown.library.has("secret") and shown.names() == [] and shown.fetched() == []


def test_a_link_is_the_same_until_it_is_taken_back(many: Workspaces) -> None:
    ann = many.of(asks(ANN))
    fabricate(ann.runs_dir, "diary", steps=40)
    token = many.show(ann, "diary")
    assert token == many.show(ann, "diary") and len(token) >= 22
    many.hide(ann, "diary")
    with pytest.raises(RunError, match="shows nothing any more"):
        many.of(asks(BOB, watch=token))


@pytest.mark.parametrize("token", ["x", "../queue", "a" * 32, "a/../" + "b" * 30])
def test_a_guessed_link_shows_nothing(many: Workspaces, token: str) -> None:
    with pytest.raises(RunError, match="shows nothing any more"):
        many.of(asks(BOB, watch=token))


def test_nobody_can_show_what_is_not_theirs(many: Workspaces) -> None:
    fabricate(many.of(asks(ANN)).runs_dir, "diary", steps=40)
    with pytest.raises(RunError):
        many.show(many.of(asks(BOB)), "diary")


# ---------------------------------------------------------------------------------------------- those who left


def leave(many: Workspaces, token: str, days: float) -> Workspace:
    """The visitor's workspace with a run and a text, last seen so many days ago."""
    space = many.of(asks(token))
    fabricate(space.runs_dir, "diary", steps=40)
    space.add_text("some text of theirs")
    run_dir.write_json(space.root.parent / "seen.json", dict(at=time.time() - days * 86_400, is_signed_in=False))
    return space


def test_who_does_not_come_back_is_forgotten(many: Workspaces) -> None:
    gone, recent = leave(many, ANN, ANONYMOUS.idle_days + 0.1), leave(many, BOB, ANONYMOUS.idle_days - 0.1)
    many.clean()
    assert not gone.root.parent.exists() and recent.library.has("diary")


def test_what_is_pinned_stays(many: Workspaces) -> None:
    gone = leave(many, ANN, 99)
    fabricate(gone.runs_dir, "other", steps=40)
    library.pin(gone.runs_dir, "diary")
    many.clean()
    assert [run.name for run in run_dir.list_runs(gone.runs_dir)] == ["diary"] and not gone.corpora.exists()


def test_what_is_being_trained_stays(many: Workspaces) -> None:
    gone = leave(many, ANN, 99)
    run = fabricate(gone.runs_dir, "live", steps=40, state="running")
    with run_dir.owned(run):
        many.clean()
    assert [run.name for run in run_dir.list_runs(gone.runs_dir)] == ["live"]


def test_nobody_is_remembered_for_ever(many: Workspaces, monkeypatch: pytest.MonkeyPatch) -> None:
    many.of(asks(ANN))
    many.may_bring({door.VISITOR: ANN}, 1000, is_file=True, language="en")
    many.clean()
    assert many._seen and many._brought
    monkeypatch.setattr(workspaces, "SEEN_SECONDS", 0.0)
    monkeypatch.setattr(workspaces, "DAY_SECONDS", 0.0)
    many.clean()
    assert not many._seen and not many._brought


def test_a_link_to_what_was_removed_is_removed(many: Workspaces) -> None:
    gone = leave(many, ANN, 99)
    many.show(gone, "diary")
    many.clean()
    assert list(many._links().iterdir()) == []


@pytest.mark.parametrize("leap", [366 * 86_400.0, -366 * 86_400.0], ids=["forward", "back"])
def test_a_clock_that_is_set_while_the_app_runs_makes_nobody_idle(
    many: Workspaces, monkeypatch: pytest.MonkeyPatch, leap: float
) -> None:
    """And nobody stays for ever: who has really not come back is forgotten in the new time as in the old."""
    recent, gone = leave(many, ANN, ANONYMOUS.idle_days - 0.1), leave(many, BOB, ANONYMOUS.idle_days + 0.1)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + leap)
    many.of(asks("c" * 43))
    many.clean()
    assert recent.library.has("diary") and not gone.root.parent.exists()
    again = Workspaces(many.own, many.visitors, many.queue)
    again.clean()
    assert recent.library.has("diary")


def test_a_visit_from_the_future_is_forgotten_in_its_time(many: Workspaces, monkeypatch: pytest.MonkeyPatch) -> None:
    space, real = leave(many, ANN, -400), time.time
    many.clean()
    monkeypatch.setattr(time, "time", lambda: real() + (ANONYMOUS.idle_days + 0.1) * 86_400)
    Workspaces(many.own, many.visitors, many.queue).clean()
    assert not space.root.parent.exists()


def test_a_clock_that_is_set_gives_nobody_a_second_days_share_and_takes_none(
    many: Workspaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope, real, wrong = {door.VISITOR: ANN}, time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + wrong[0])
    for leap in (0, 5 * 86_400.0, -5 * 86_400.0):
        wrong[0] = leap
        for _ in range(8):
            many.may_bring(scope, ANONYMOUS.upload_bytes, is_file=True, language="en")
    many.may_bring(scope, ANONYMOUS.upload_bytes, is_file=True, language="en")
    with pytest.raises(LimitError):
        many.may_bring(scope, ANONYMOUS.upload_bytes, is_file=True, language="en")


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"at": "x", "is_signed_in": 1}', '{"visitor": "x", "run": "../y"}'])
def test_one_damaged_note_keeps_nobody_elses_from_being_cleaned(many: Workspaces, damage: str) -> None:
    """Neither the note of a visit nor that of a link; and the link of somebody else can still be given away."""
    spoilt, gone = leave(many, ANN, 99), leave(many, BOB, 99)
    (spoilt.root.parent / "seen.json").write_text(damage, encoding="utf-8")
    (many._links() / f"{'x' * 32}.json").write_text(damage, encoding="utf-8")
    (many._links() / f"{'y' * 32}.json").mkdir()
    with pytest.raises(RunError):
        many.of(asks(watch="x" * 32))
    token = many.show(spoilt, "diary")
    many.clean()
    assert spoilt.library.has("diary") and not gone.root.parent.exists()
    assert {path.stem for path in many._links().iterdir()} == {token, "y" * 32}


def test_a_run_that_lost_its_place_with_its_app_is_not_waited_for(many: Workspaces) -> None:
    run = fabricate(many.of(asks(ANN)).runs_dir, "lost", state=run_dir.WAITING)
    many.clean()
    assert run_dir.state(run) == "stopped"


def test_a_hundred_presses_at_once_are_as_many_runs_as_one_may_keep(
    many: Workspaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "start", lambda *_: None)
    space, refused = many.of(asks(ANN)), []

    def press() -> None:
        try:
            trainings.begin(space, "fox", ["--minutes", "1"], "en")
        except LimitError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=press) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(run_dir.list_runs(space.runs_dir)) == ANONYMOUS.runs and len(refused) == 100 - ANONYMOUS.runs


def test_many_visitors_with_one_browser_cannot_make_the_line_endless_or_fill_the_disk(
    many: Workspaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new cookie is a new visitor: what all of them together may take has an end of its own."""
    monkeypatch.setattr(launch, "start", lambda *_: None)
    monkeypatch.setattr(limits, "MOST_IN_LINE", 3)
    for n in range(4):
        trainings.begin(many.of(asks(str(n) * 43)), "fox", [], "en")
    for language in ("en", "ja"):
        with pytest.raises(LimitError, match="3"):
            trainings.begin(many.of(asks("z" * 43)), "fox", [], language)
        assert "3" in limits.training_words(ANONYMOUS, language)
    monkeypatch.setattr(limits, "LEAST_FREE_BYTES", 1 << 60)
    with pytest.raises(LimitError, match="nearly full"):
        many.of(asks(ANN)).check_room(1, "en")
    Workspace(many.own.root, many.own.runs_dir).check_room(1, "en")  # one's own machine is one's own


# ---------------------------------------------------------------------------------------------- the door


def test_a_large_event_is_read_in_a_time_that_grows_with_its_size() -> None:
    """A hundred megabytes in pieces of a network's size; the page answers nobody else while it reads."""
    left = [b"x" * 65_536] * 1_600

    async def receive() -> dict:
        return dict(type="http.request", body=left.pop(), more_body=bool(left))

    began = time.process_time()
    assert len(coroutines.run(door._read(receive, 1 << 30))) == 1_600 * 65_536
    assert time.process_time() - began < 2


@pytest.mark.parametrize("length", ["", "²", "-1", "1e3", "0x10", "x"])
def test_a_size_that_is_no_number_is_refused(many: Workspaces, length: str) -> None:
    with pytest.raises(Refused):
        door.Door(None, many)._check_size({"path": door.UPLOAD, door.VISITOR: ANN}, {"content-length": length})


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/proxy=http://example.com", "/gradio_api/file=http://example.com/x", "/gradio_api/openapi.json",
     "/gradio_api/file=https://example.com", "/gradio_api/call/x", "/monitoring", "/gradio_api/deep_link", "/docs",
     "/gradio_api/queue/status", "/gradio_api/stream/a/b/c/playlist-file", "/gradio_api/vibe-code", "/openapi.json"],
)  # fmt: skip
def test_what_the_page_does_not_need_is_closed(path: str) -> None:
    with pytest.raises(Refused):
        check_route("GET", path)


@pytest.mark.parametrize("path", ["/gradio_api/component_server", "/gradio_api/call/x", "/gradio_api/api/predict"])
def test_no_way_in_but_the_pages_own(path: str) -> None:
    with pytest.raises(Refused):
        check_route("POST", path)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_the_page_of_another_site_can_do_nothing(site: str) -> None:
    with pytest.raises(Refused):
        check_origin("POST", {"sec-fetch-site": site})
    check_origin("POST", {"sec-fetch-site": "same-origin"})


def test_whether_the_page_is_there_is_answered_without_making_it() -> None:
    async def page(*_: object) -> None:
        raise AssertionError("a busy machine takes longer for it than Gradio waits")

    async def send(message: dict) -> None:
        sent.append(message)

    sent = []
    asked = dict(type="http", method="HEAD", path="/", headers=[])
    coroutines.run(door.Door(page, SimpleNamespace(is_shared=False))(asked, None, send))
    assert sent[0]["status"] == 200 and sent[1]["body"] == b""


def test_a_cookie_is_out_of_reach_of_scripts_and_fits_the_frame_of_a_space() -> None:
    assert "HttpOnly; SameSite=Lax" in door.set_cookie(ANN, is_secure=False, is_framed=False)
    framed = door.set_cookie(ANN, is_secure=True, is_framed=True)
    assert all(part in framed for part in ("HttpOnly", "SameSite=None", "Secure", "Partitioned"))


@pytest.mark.parametrize("value", ["", "short", "a" * 65, "a" * 40 + "/", "../" * 14])
def test_a_cookie_that_is_none_of_ours_is_none(value: str) -> None:
    assert door.cookie_of({"cookie": f"{door.COOKIE}={value}"}) == ""
    assert persons({door.VISITOR: ""}) == []


# ---------------------------------------------------------------------------------------------- a real app, from outside


def test_a_session_can_be_neither_heard_nor_fed_nor_ended_by_another(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        ann, bob = await Page(wire).open(), await Page(wire).open()
        session, as_bob = ann.session, dict(cookie=bob.cookie)
        api = "/gradio_api"
        for reply in (
            await wire.get(f"{api}/queue/data?session_hash={session}", headers=as_bob),
            await wire.get(f"{api}/heartbeat/{session}", headers=as_bob),
            await wire.post(f"{api}/queue/join", headers=as_bob, json=dict(data=[], fn_index=0, session_hash=session)),
            await wire.post(f"{api}/cancel", headers=as_bob, json=dict(session_hash=session, fn_index=0, event_id="x")),
            await wire.get(f"{api}/queue/data?session_hash={session}"),
        ):
            assert reply.status_code == 403, reply.url
        for page in (ann, bob):
            await page.close()

    shared.visit(visit)


def test_no_path_of_another_is_served(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page = await Page(wire).open()
        await page.send("read-pasted", "click", pasted="the secret of the lamp. " * 80)
        files = [path for path in shared.folder.rglob("*") if path.is_file() and "served" not in path.parts]
        assert any(path.name == "pasted.txt" for path in files)
        for path in (*files, Path("/etc/passwd"), ROOT / "pyproject.toml", ROOT / "playground" / "door.py"):
            for said in (str(path), f"{ROOT}/../{os.path.relpath(path, ROOT.parent)}"):
                reply = await wire.get(f"/gradio_api/file={said}", headers=dict(cookie=page.cookie))
                assert reply.status_code in (403, 404), path
        await page.close()

    shared.visit(visit)


def test_no_file_is_fetched_or_taken_from_the_machine_for_an_event(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page = await Page(wire).open()
        for path in ("http://127.0.0.1:9/x", "file:///etc/passwd", "/etc/passwd", str(ROOT / "pyproject.toml")):
            file = dict(path=path, meta=dict(_type="gradio.FileData"), orig_name="x.txt")
            with pytest.raises(Fault):
                await page.send("read-files", "click", files=[file])
        await page.close()

    shared.visit(visit)


def test_an_upload_beyond_the_limit_is_refused_before_it_is_read(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        page = await Page(wire).open()
        reader, writer = await asyncio.open_connection(wire.base_url.host, wire.base_url.port)
        size = ANONYMOUS.upload_bytes + 3_000_000
        lines = ("POST /gradio_api/upload HTTP/1.1", "Host: x", f"Cookie: {page.cookie}", f"Content-Length: {size}")
        writer.write("\r\n".join((*lines, "", "")).encode())  # and not a byte of the file
        reply = (await asyncio.wait_for(reader.readuntil(b"MB"), 10)).decode()
        assert " 413 " in reply.splitlines()[0]
        writer.close()
        await page.close()

    shared.visit(visit)


def test_a_spectator_sees_the_run_live_and_can_do_nothing(shared: SharedApp) -> None:
    async def visit(wire: httpx.AsyncClient) -> None:
        ann = await Page(wire).open()
        token = ann.cookie.split("=", 1)[1]
        runs_dir = shared.folder / "visitors" / persons({door.VISITOR: token})[0].key / "runs"
        run = fabricate(runs_dir, "shown-run", steps=80)
        fabricate(runs_dir, "hidden-run", steps=80)
        await ann.send("runs", "select", dict(run="shown-run"))
        await ann.send("show-run", "click")
        link = re.search(r"watch=([\w-]+)", ann.shown("guest-told"))[1]
        bob = await Page(wire, query=f"?watch={link}").open()
        assert "shown-run" in bob.everything() and "hidden-run" not in bob.everything()
        run_dir.append_record(run.samples, dict(step=120, prompt="Mira ", text="a fresh sample"))
        await bob.tick()
        assert "a fresh sample" in bob.everything()
        for button in ("stop", "resume", "train", "show-run"):
            await bob.send(button, "click")
        assert not run.stop.exists() and len(run_dir.list_runs(runs_dir)) == 2
        for page in (ann, bob):
            await page.close()

    shared.visit(visit)
