"""A Space that people sign in to: the page asks them to, says who they are, and pushes as themselves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
import sign_in
from conftest import DESK, SIZES, App, running
from hub_server import Hub

from lm.run_dir import RunDir

pytestmark = pytest.mark.browser

CHIP = "#header [data-do=account]"


@pytest.fixture(scope="module")
def app(lasting_hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app for the file, started as the Hub starts a Space that people sign in to."""
    folder = tmp_path_factory.mktemp("space")
    said = dict(SPACE_ID="lab/playground", SYSTEM="spaces", GRADIO_SERVER_NAME="127.0.0.1")
    said |= dict(OAUTH_CLIENT_ID=sign_in.CLIENT, OAUTH_CLIENT_SECRET=sign_in.SECRET, OAUTH_SCOPES=sign_in.SCOPES)
    said |= dict(OPENID_PROVIDER_URL=lasting_hub.endpoint, HF_HOME=str(folder / "hf"), HF_HUB_DISABLE_TELEMETRY="1")
    lasting_hub.provider = sign_in.Provider(lasting_hub.endpoint)
    with running(folder, **said) as app:
        yield app


@pytest.fixture
def come(visit, lasting_hub: Hub):
    """Opens the page for somebody who is known on the Hub by this name."""
    visitors = []

    def come(name: str, **context):
        lasting_hub.provider.visitor = name
        visitors.append(visit(reduced_motion="reduce", **context))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.complaints.clear(), visitor.strangers.clear()  # on a Space, Gradio itself asks the Hub for its badge


def test_a_visitor_signs_in_on_a_space_and_pushes_as_themselves(
    come, app: App, lasting_hub: Hub, shared_fox: RunDir
) -> None:
    hub, visitor = lasting_hub, come("alice")
    known, n_issued = set(app.folder.rglob("seen.json")), len(hub.provider.issued)
    visitor.tab("share")
    visitor.page.click("#sign-in")
    visitor.page.click("a:has-text('Authorize')")
    visitor.page.wait_for_selector("#library .new", state="attached")
    visitor.tab("share")
    visitor.page.wait_for_selector("#sign-in:has-text('alice')")

    [seen] = set(app.folder.rglob("seen.json")) - known  # in the folder of who signed in
    shutil.copytree(shared_fox.path, seen.parent / "runs" / "fox")
    visitor.open()
    visitor.tab("share")
    visitor.wait("document.querySelector('#share-run input').value === 'fox'")
    visitor.wait("document.querySelector('#repo :is(input, textarea)').value === 'alice/fox'")
    visitor.page.click("#push")
    visitor.page.wait_for_selector(f"#pushed a[href='{hub.endpoint}/alice/fox']")
    visitor.screenshot("share-signed-in")
    assert hub.repo("alice/fox").authors[-1] == "alice"
    [token] = hub.provider.issued[n_issued:]
    commits = hub.asked("POST /api/models/alice/fox/commit/")
    assert [commit.headers["authorization"] for commit in commits] == [f"Bearer {token}"]
    assert token not in visitor.page.content() and not any(token in request.target for request in hub.requests)


@pytest.mark.parametrize("locale", ["en-US", "ja-JP"])
def test_the_header_says_who_is_signed_in_and_signs_in(come, locale: str) -> None:
    visitor = come("alice-of-the-long-name", locale=locale, color_scheme="light")

    def fits(name: str) -> None:
        for width, height in SIZES:
            visitor.page.set_viewport_size(dict(width=width, height=height))
            assert visitor.page.is_visible(CHIP) and visitor.overflowing() == [], f"{name} at {width}"
            visitor.screenshot(f"header-{name}-{locale}-{width}")
        visitor.page.set_viewport_size(DESK)

    visitor.page.wait_for_selector(f"{CHIP}:has-text('Hugging Face')")
    fits("signed-out")
    visitor.page.click(CHIP)  # the Share tab was never opened
    visitor.page.click("a:has-text('Authorize')")
    visitor.page.wait_for_selector(f"{CHIP}:has-text('alice')")
    fits("signed-in")


def test_a_space_asks_to_sign_in(come, lasting_hub: Hub) -> None:
    visitor, n_requests = come("alice", color_scheme="light"), len(lasting_hub.requests)
    visitor.tab("share")
    visitor.page.wait_for_selector("#sign-in")
    visitor.page.click("#push")
    visitor.page.wait_for_selector("#pushed .note.attention:has-text('Sign in')")
    assert not visitor.page.locator("#export").is_visible()  # a folder there is nothing to a visitor
    assert not visitor.page.locator("#token input").is_visible() and len(lasting_hub.requests) == n_requests
    visitor.fits("share-space", SIZES[::2])
