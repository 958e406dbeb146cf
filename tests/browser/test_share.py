"""From a run to a link and back, in a real browser, against a Hub on this machine."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator

import pytest
from conftest import SIZES, App, Visitor, running, visiting
from hub_server import Hub, User

from lm.run_dir import RunDir

pytestmark = pytest.mark.browser

TOKEN = "hf_secretOfAlice"
DESK_AND_PHONE = SIZES[::2]


@pytest.fixture(scope="module")
def hub(lasting_hub: Hub) -> Hub:
    lasting_hub.tokens[TOKEN] = User("alice")
    return lasting_hub


@pytest.fixture(scope="module")
def app(hub: Hub, shared_fox: RunDir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app for the file, over one finished run, `fox`; its Hub is ours, and nobody is logged in."""
    folder = tmp_path_factory.mktemp("share")
    shutil.copytree(shared_fox.path, folder / "runs" / "fox")
    with running(folder, HF_HOME=str(folder / "hf"), HF_HUB_DISABLE_TELEMETRY="1") as app:
        yield app


@pytest.fixture(scope="module")
def visitor(browser, app: App) -> Iterator[Visitor]:
    """One browser for the file."""
    with visiting(browser, app, color_scheme="light", reduced_motion="reduce") as visitor:
        yield visitor


def to_share(visitor) -> None:
    """Open the tab; it has named the repository, and so has the choice of the run."""
    visitor.tab("share")
    visitor.page.wait_for_selector("#token input")
    visitor.wait("document.querySelector('#share-which input').value === 'best'")


def fill(visitor, token: str, repo: str = "alice/fox") -> None:
    visitor.fill("repo", repo)
    visitor.fill("token", token)


def test_a_push_can_be_cancelled_and_its_page_closed(visitor, hub: Hub) -> None:
    held = hub.fault("PUT /upload/", hold=threading.Event())
    page = visitor.page
    to_share(visitor)
    fill(visitor, TOKEN, "alice/held")
    page.click("#push")
    page.wait_for_selector("#pushed .transfer:has-text('sending')")
    visitor.screenshot("share-under-way")
    page.click("#cancel")
    page.wait_for_selector("#pushed .note.attention:has-text('is still empty')")
    held.hold.set()
    assert list(hub.repo("alice/held").files) == [".gitattributes"]


def test_a_run_becomes_a_link_a_demo_and_a_model_again(visitor, app: App, hub: Hub) -> None:
    page, addresses, before = visitor.page, [], set(hub.repos)
    page.on("request", lambda request: addresses.append(request.url))
    visitor.forget()
    to_share(visitor)
    assert visitor.value("repo") == "fox"
    visitor.fits("share-empty", DESK_AND_PHONE)

    # The card can be read and rewritten before anything is sent.
    fill(visitor, "hf_wrong")
    page.click("#preview")
    page.wait_for_selector("#card-look h1:has-text('fox')")
    page.wait_for_function("document.querySelector('#card-look img')?.naturalWidth > 0")
    visitor.fits("share-card", DESK_AND_PHONE)
    page.click(".ways button[role=tab]:has-text('Edit')")
    page.click("#license input")
    page.click("#license [role=option]:has-text('cc-by-4.0')")
    page.wait_for_function("document.querySelector('#card-text textarea').value.includes('license: cc-by-4.0')")
    card = page.input_value("#card-text textarea")
    page.fill("#card-text textarea", card.replace("# fox", "# The fox of the hill"))
    page.click(".ways button[role=tab]:has-text('look')")
    page.wait_for_selector("#card-look h1:has-text('The fox of the hill')")

    # A wrong token is told beside the button, and gone.
    page.click("#push")
    page.wait_for_selector("#pushed .note.wrong:has-text('does not accept this token')")
    assert visitor.value("token") == "" and set(hub.repos) == before
    visitor.fits("share-wrong", DESK_AND_PHONE)

    # One press for both: a link to the model, and one to try it.
    visitor.fill("repo", "fox")
    visitor.fill("token", TOKEN)
    page.press("#token input", "Tab")
    page.wait_for_function("document.querySelector('#repo :is(input, textarea)').value === 'alice/fox'")
    page.check("#with-demo input")
    page.click("#push")
    page.wait_for_selector(f"#pushed a[href='{hub.endpoint}/alice/fox']")
    page.wait_for_selector(f"#pushed a[href='{hub.endpoint}/spaces/alice/fox-demo']")
    assert visitor.value("token") == ""
    assert "# The fox of the hill" in hub.repo("alice/fox").files["README.md"].decode()

    # The demo alone, with the token typed anew.
    fill(visitor, TOKEN)
    page.click("#demo")
    page.wait_for_selector(f"#published a[href='{hub.endpoint}/spaces/alice/fox-demo']")
    assert 'REPO = "alice/fox"' in hub.repo("alice/fox-demo", "space").files["app.py"].decode()
    visitor.fits("share-pushed", DESK_AND_PHONE)
    with page.expect_download() as downloading:
        page.click("#report")
        page.click("#download a")
    assert downloading.value.suggested_filename == "fox.html"

    visitor.tab("generate")
    page.click("#elsewhere .label-wrap")
    visitor.fill("source", f"{hub.endpoint}/alice/fox")
    page.click("#fetch")
    page.wait_for_selector("#fetched .note.calm")
    visitor.wait("document.querySelector('#checkpoint input').value === 'alice/fox'")
    visitor.fill("prompt", "The fox ")
    page.click("#write")
    page.wait_for_selector("#told .fine")
    assert page.locator("#written").inner_text().startswith("The fox ")
    visitor.fits("generate-fetched", DESK_AND_PHONE)

    # The token is in the authorization header of the requests to the Hub, and nowhere else.
    assert any(TOKEN in request.headers.get("authorization", "") for request in hub.requests)
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    shown = page.content()
    page.close()
    said = app.end()
    asked = [request.target for request in hub.requests]
    for told in (shown, stored, said, *addresses, *asked):
        assert TOKEN not in told
    for path in app.folder.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
