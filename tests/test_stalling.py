"""A Hub that drips, stalls for ever or sends elsewhere: an end in bounded time, or at once when one gives up, in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hub_server
import pytest
from hub_server import Hub, serve
from test_pull import arrived  # noqa: F401 - a fixture

from lm import backup, wire
from lm import hub as way
from lm.errors import HubError
from lm.hub import Cancelled
from lm.pull import pull
from lm.push import PushConfig, push
from lm.run_dir import RunDir
from playground.tabs import generate
from playground.workspace import Workspace

ROOT = Path(__file__).parent.parent
# All that a fetch and a push ask, but for what a repository that is there already spares.
FETCHING = [
    "GET /api/models/alice/odd",
    "HEAD .*config.json",
    "GET .*config.json",
    "GET .*tokenizer.json",
    "GET /signed",
]
SENDING = ["GET /api/whoami", "GET /api/models/alice/new", "POST /api/validate-yaml", "POST /api/repos", "POST .*/preupload",
           "POST .*/batch", "PUT /upload", "POST /verify", "POST .*/commit"]  # fmt: skip
BOUND_SECONDS = 60  # for what takes one or two on a machine with nothing else to do; a hub that stalls does so for 120


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less patience everywhere, and none in the client's pauses between its attempts."""
    from huggingface_hub import file_download
    from huggingface_hub.utils import _http

    for module in (_http, file_download):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda seconds: None, time=time.time))
    monkeypatch.setattr(wire, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(wire, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(way, "GIVE_UP_SECONDS", 0.5)


@pytest.fixture
def patient(hasty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As much patience as there is outside of tests."""
    monkeypatch.setattr(wire, "ANSWER_SECONDS", 30.0)
    monkeypatch.setattr(wire, "SLOW_SECONDS", 30.0)


@pytest.fixture
def odd(hub: Hub, arrived) -> Hub:  # noqa: F811
    """A Hub with the repository alice/odd."""
    hub.add_repo("alice/odd", arrived[True])
    return hub


@pytest.fixture
def elsewhere() -> Iterator[Hub]:
    """A second server, which is not the Hub; whatever it is asked, it answers."""
    with serve() as server:
        server.fault("", status=200, times=10**6)
        yield server


def fetch(tmp_path: Path, **words: Any) -> Any:
    return pull("alice/odd", tmp_path / "to" / "odd", token="hf_alice", cache=tmp_path / "cache", **words)


def send(run: RunDir, **words: Any) -> Any:
    return push(run, PushConfig("alice/new"), token="hf_alice", **words)


def refusal(deed: Callable[..., Any], *words: Any, **named: Any) -> str:
    """Why it could not be, said in time."""
    began = time.monotonic()
    with pytest.raises(HubError) as caught:
        deed(*words, **named)
    assert time.monotonic() - began < BOUND_SECONDS
    return str(caught.value)


def transfers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "hub transfer"]


def left(before: list[threading.Thread]) -> list[threading.Thread]:
    """The transfers that were begun since and go on though nobody waits for them any more."""
    since = [thread for thread in transfers() if thread not in before]
    for thread in since:
        thread.join(1)
    return [thread for thread in since if thread.is_alive()]


# ---------------------------------------------------------------------------------------------- nothing comes


def stall(hub: Hub, where: str) -> None:
    """For ever, after the headers of the answer or, where there is nothing after them, before."""
    is_bare = where.startswith(("HEAD", "PUT"))
    hub.fault(where, times=99, **{"hold" if is_bare else "stalls": threading.Event()})


@pytest.mark.parametrize("where", FETCHING)
def test_a_fetch_that_stalls_ends_in_words(odd: Hub, tmp_path: Path, where: str) -> None:
    stall(odd, where)
    assert "does not go on" in refusal(fetch, tmp_path) and not (tmp_path / "to").exists()


@pytest.mark.parametrize("where", SENDING)
def test_a_push_that_stalls_ends_in_words(hub: Hub, fox: RunDir, where: str) -> None:
    stall(hub, where)
    said = refusal(send, fox)
    exists = (
        "may have arrived or not" if "commit" in where else "may have been made" if "repos" in where else "still empty"
    )
    assert "does not go on" in said and (not hub.repos or exists in said and "alice/new" in said)


def test_what_was_fetched_before_serves_while_the_hub_stalls(odd: Hub, tmp_path: Path) -> None:
    pull("alice/odd", cache=tmp_path / "cache")
    odd.fault("GET /api/models", times=99, stalls=threading.Event())
    assert pull("alice/odd", cache=tmp_path / "cache").path.is_dir()


def test_headers_that_drip_hold_no_question_up(hub: Hub, monkeypatch: pytest.MonkeyPatch, patient: None) -> None:
    """To the client that is a server which answers nothing and never falls silent."""
    monkeypatch.setattr(way, "PROMPT_SECONDS", 0.5)
    hub.fault("GET /api/whoami", hold=threading.Event())
    with way.explaining("your account"):
        assert "does not go on" in refusal(way.account, way.connect("hf_alice"))


def test_an_app_begins_though_the_hub_of_its_backup_stalls(hub: Hub, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(backup.SETTING, "alice/keep")
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    hub.add_repo("alice/keep", private=True)
    hub.fault("GET /api/models", times=99, stalls=threading.Event())
    told: list[str] = []
    assert backup.start(tmp_path / "runs", told.append) is None
    assert "no backup" in told[0] and "does not go on" in told[0]


# ---------------------------------------------------------------------------------------------- next to nothing comes


@pytest.mark.parametrize("where", [place for place in FETCHING if not place.startswith("HEAD")])
def test_a_fetch_that_drips_ends_in_words(odd: Hub, tmp_path: Path, where: str) -> None:
    odd.fault(where, times=99, drip=0.02)
    before = transfers()
    assert "sends too slowly" in refusal(fetch, tmp_path)
    assert not left(before), "nobody waits for the rest"


def test_a_push_that_drips_ends_in_words(hub: Hub, fox: RunDir) -> None:
    hub.fault("GET /api/whoami", times=99, drip=0.02)
    assert "sends too slowly" in refusal(send, fox) and not hub.repos


# ---------------------------------------------------------------------------------------------- giving up


@pytest.mark.parametrize("how", [dict(drip=0.05), dict(stalls=threading.Event)], ids=["drips", "stalls"])
@pytest.mark.parametrize("where", ["GET /api/models/alice/odd", "GET /signed"])
def test_a_fetch_can_be_given_up_at_once_and_done_again(odd: Hub, tmp_path: Path, patient, where, how: dict) -> None:
    fault = odd.fault(where, **{name: value() if callable(value) else value for name, value in how.items()})
    before, began = transfers(), time.monotonic()
    with pytest.raises(Cancelled, match="what has arrived is kept"):
        fetch(tmp_path, should_stop=lambda: bool(odd.asked(where)))
    assert time.monotonic() - began < BOUND_SECONDS
    if fault.stalls is None:
        assert not left(before), "the next one would wait for the lock that it holds"
    else:
        fault.stalls.set()
    assert fetch(tmp_path).is_run


@pytest.mark.parametrize("where", ["GET /api/whoami", "POST /api/repos", "PUT /upload"])
def test_a_push_can_be_given_up_from_the_first_question_on(hub: Hub, fox: RunDir, patient: None, where: str) -> None:
    hub.fault(where, hold=threading.Event())
    began = time.monotonic()
    with pytest.raises(Cancelled):
        send(fox, should_stop=lambda: bool(hub.asked(where)))
    assert time.monotonic() - began < BOUND_SECONDS


def test_the_page_gives_up_a_fetch_that_stalls(odd: Hub, tmp_path: Path, patient: None, monkeypatch) -> None:
    monkeypatch.setattr("lm.pull.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    odd.fault("GET /api/models", hold=threading.Event())
    space, asked = Workspace(tmp_path / "workspace", tmp_path / "runs"), SimpleNamespace(session_hash="page")
    looks = generate.fetch(space, asked, "alice/odd", "en")
    next(looks)
    while not odd.requests:
        time.sleep(0.01)
    generate.cancel(space, asked)
    began = time.monotonic()
    *_, (_, told, can_fetch, can_cancel) = looks
    assert time.monotonic() - began < 5 and "cancelled" in told
    assert can_fetch["interactive"] and not can_cancel["visible"]


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a whole console there, this test too")
def test_ctrl_c_ends_a_command_that_stalls_without_a_traceback(odd: Hub, tmp_path: Path) -> None:
    """A real one, in a process of its own."""
    odd.fault("GET /signed", stalls=threading.Event())
    command = [sys.executable, "-m", "lm", "pull", "alice/odd", "--runs-dir", str(tmp_path / "runs")]
    environment = os.environ | dict(HF_ENDPOINT=odd.endpoint, HF_HOME=str(tmp_path / "home"), OMP_NUM_THREADS="1")
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )  # fmt: skip
    while not odd.asked("GET /signed"):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=BOUND_SECONDS)[1]
    assert process.returncode == 2 and "pulling again goes on" in said and "Traceback" not in said


# ---------------------------------------------------------------------------------------------- elsewhere


def sent_on(hub: Hub, where: str, to: str) -> None:
    """From now on what matches `where` is sent on to `to`; as long as nobody says otherwise, with all that it carries."""
    hub.fault(where, status=307, headers={"Location": to}, times=10**6)


@pytest.mark.parametrize("where", FETCHING)
def test_a_fetch_that_is_sent_round_in_circles_ends_in_words(odd: Hub, tmp_path: Path, where: str) -> None:
    sent_on(odd, where, "?again")
    assert "sends us astray" in refusal(fetch, tmp_path)


@pytest.mark.parametrize("where", SENDING)
def test_a_push_that_is_sent_round_in_circles_ends_in_words(hub: Hub, fox: RunDir, where: str) -> None:
    sent_on(hub, where, "?again")
    said = refusal(send, fox)
    assert "sends us astray" in said or "does not answer as the Hub does (LocalProtocolError)" in said


@pytest.mark.parametrize("scheme", ["file", "ftp"])
@pytest.mark.parametrize("where", FETCHING)
def test_a_fetch_never_leaves_the_web(odd: Hub, tmp_path: Path, where: str, scheme: str) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"of": "this machine"}', encoding="utf-8")
    sent_on(odd, where, f"{scheme}://{secret}")
    said = refusal(fetch, tmp_path)
    assert "sends us astray" in said or "does not answer as the Hub does" in said
    assert not [
        path for path in (tmp_path / "cache").rglob("*") if path.is_file() and b"this machine" in path.read_bytes()
    ]


@pytest.mark.parametrize("where", ["GET /api/whoami", "POST /api/repos", "PUT /upload"])
def test_a_push_never_leaves_the_web(hub: Hub, fox: RunDir, where: str) -> None:
    sent_on(hub, where, "file:///etc/passwd")
    assert "sends us astray" in refusal(send, fox)


@pytest.mark.parametrize("where", FETCHING)
def test_a_fetch_that_is_sent_elsewhere_takes_no_token_along(odd: Hub, elsewhere: Hub, tmp_path: Path, where) -> None:
    sent_on(odd, where, f"{elsewhere.endpoint}/somewhere")
    refusal(fetch, tmp_path)
    assert elsewhere.requests or where.startswith("HEAD"), "the client does not follow there to ask about a file"
    assert not is_told(elsewhere)


@pytest.mark.parametrize("where", SENDING)
def test_a_push_that_is_sent_elsewhere_takes_no_token_along(hub: Hub, elsewhere: Hub, fox: RunDir, where: str) -> None:
    sent_on(hub, where, f"{elsewhere.endpoint}/somewhere")
    with suppress(HubError):  # where the Hub's answer does not matter, it is not missed
        send(fox)
    assert elsewhere.requests and not is_told(elsewhere)


def test_who_says_that_an_upload_is_checked_elsewhere_gets_no_token_there(
    hub: Hub, elsewhere: Hub, fox: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No redirect: the Hub names the address itself, and its client would take the token there."""
    batch = hub_server._Handler._batch

    def named(self: Any, **words: Any) -> Any:
        answer = batch(self, **words)
        for thing in answer["objects"]:
            thing.get("actions", {}).get("verify", {})["href"] = f"{elsewhere.endpoint}/verify"
        return answer

    monkeypatch.setattr(hub_server._Handler, "_batch", named)
    assert send(fox).is_changed
    assert elsewhere.requests and not is_told(elsewhere)


def is_told(elsewhere: Hub) -> bool:
    """Whether anything that was asked there holds the token."""
    return any("hf_alice" in f"{asked.target} {asked.headers} {asked.body!r}" for asked in elsewhere.requests)
