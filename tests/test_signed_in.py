"""Strangers with cookies: forged, borrowed, kept after the sign-out, two in one browser; a real app and a real provider."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
import sign_in
from fabricated_runs import fabricate
from hub_server import Hub
from page_client import Page
from soak import free_port  # benchmarks/
from visits import pay

from playground.signed_out import SignedOut
from playground.workspaces import _key

ROOT = Path(__file__).parent.parent
NAMES = ("alice", "bob")


class SignedIn(Page):
    """A page of a browser that holds a session's cookie besides the visitor's."""

    jar = ""

    def _headers(self) -> dict[str, str]:
        return {"cookie": "; ".join(filter(None, (self.cookie, self.jar and f"session={self.jar}")))}


class Space:
    """A running Space with a workspace for each of `NAMES`, in which one run tells whose it is."""

    def __init__(self, address: str, folder: Path, hub: Hub) -> None:
        self.address, self.hub = address, hub
        self.client = httpx.Client(base_url=address, trust_env=False)
        for name in NAMES:
            fabricate(folder / "visitors" / _key("hub", f"id-of-{name}") / "runs", f"diary-of-{name}", steps=9)

    def come_in(self, name: str) -> str:
        """Sign in as `name`; the session's cookie."""
        self.hub.provider.visitor = name
        asked = self.client.get("/login/huggingface")
        page = httpx.get(asked.headers["location"], trust_env=False).text
        back = unescape(re.search(r'href="([^"]+)"', page)[1])
        return session_of(self.client.get(back, headers={"cookie": f"session={session_of(asked)}"}))

    def go_out(self, session: str) -> None:
        self.client.get("/logout", headers={"cookie": f"session={session}"})

    def seen(self, session: str, cookie: str = "") -> tuple[set[str], str]:
        """Whose diaries a browser with these cookies is shown; and its visitor's cookie."""
        found: list[tuple[set[str], str]] = []

        async def visit(client: httpx.AsyncClient) -> None:
            page = SignedIn(client, cookie)
            page.jar = session
            await page.open()
            found.append((set(re.findall(r"diary-of-(\w+)", page.everything())), page.cookie))

        pay(visit, self.address)
        return found[0]


def session_of(answer: httpx.Response) -> str:
    return next(
        re.findall(r"session=([^;]+)", line)[0] for line in answer.headers.get_list("set-cookie") if "session=" in line
    )


@pytest.fixture(scope="module")
def space(lasting_hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    folder = tmp_path_factory.mktemp("space")
    said = dict(SPACE_ID="lab/playground", SYSTEM="spaces", GRADIO_SERVER_NAME="127.0.0.1", PYTHONUNBUFFERED="1")
    said |= dict(OAUTH_CLIENT_ID=sign_in.CLIENT, OAUTH_CLIENT_SECRET=sign_in.SECRET, OAUTH_SCOPES=sign_in.SCOPES)
    said |= dict(OPENID_PROVIDER_URL=lasting_hub.endpoint, HF_HOME=str(folder / "hf"), HF_HUB_DISABLE_TELEMETRY="1")
    lasting_hub.provider = sign_in.Provider(lasting_hub.endpoint)
    command = [sys.executable, "app.py", "--no-browser", "--runs-dir", str(folder / "runs"), "--port", str(free_port())]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | said, stdout=subprocess.PIPE, text=True)
    line = next((line for line in process.stdout if "open at" in line), "")
    yield Space(re.search(r"http://[\w.:]+", line)[0], folder, lasting_hub)
    process.kill()
    process.wait()


def test_who_signs_in_sees_their_own(space: Space) -> None:
    for name in NAMES:
        assert space.seen(space.come_in(name))[0] == {name}
    assert space.seen("")[0] == set()


def test_the_cookie_of_a_sign_in_is_out_of_reach_of_scripts_and_of_plain_http(space: Space) -> None:
    lines = space.client.get("/login/huggingface").headers.get_list("set-cookie")
    [session] = [{part.strip().lower() for part in line.split(";")} for line in lines if line.startswith("session=")]
    assert {"httponly", "secure"} <= session


def test_a_session_that_was_signed_out_of_opens_nothing_wherever_it_was_kept(space: Space) -> None:
    kept, other = space.come_in("alice"), space.come_in("alice")
    assert space.seen(kept)[0] == {"alice"}
    space.go_out(kept)
    assert space.seen(kept)[0] == set() and space.seen(other)[0] == {"alice"}


def test_another_visitors_cookie_beside_ones_own_sign_in_shows_nothing_of_theirs(space: Space) -> None:
    alice, bob = space.come_in("alice"), space.come_in("bob")
    _, cookie = space.seen(alice)
    assert space.seen(bob, cookie)[0] == {"bob"} and space.seen("", cookie)[0] == set()
    assert space.seen(alice)[0] == {"alice"}


def test_two_people_who_sign_in_one_after_the_other_in_one_browser_see_each_their_own(space: Space) -> None:
    alice = space.come_in("alice")
    _, cookie = space.seen(alice)
    space.go_out(alice)
    assert space.seen(space.come_in("bob"), cookie)[0] == {"bob"}
    assert space.seen(space.come_in("alice"), cookie)[0] == {"alice"}


def forged(session: str) -> Iterator[str]:
    """Cookies that say they are alice's."""
    payload, stamp, signature = session.split(".")
    said = base64.b64encode(json.dumps(dict(oauth_info=dict(userinfo=dict(sub="id-of-alice")))).encode()).decode()
    yield f"{said}.{stamp}.{signature}"
    yield f"{said}.{stamp}."
    yield said
    yield f"{payload}.{stamp}.{'A' * len(signature)}"
    yield f"{payload[:-4]}AAAA.{stamp}.{signature}"


def test_a_forged_session_is_nobodys(space: Space) -> None:
    own = space.come_in("alice")
    for cookie in forged(own):
        assert space.seen(cookie)[0] == set()
    assert space.seen(own)[0] == {"alice"}


def test_a_sign_out_is_remembered_by_the_next_app_and_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "signed-out.json"
    session = dict(oauth_info=dict(access_token="hf_secret"), other=1)
    SignedOut(path).end(session)
    SignedOut(path).check(session)
    assert session == dict(other=1) and "hf_secret" not in path.read_text(encoding="utf-8")
    path.write_text("{", encoding="utf-8")
    SignedOut(path).check(session)
