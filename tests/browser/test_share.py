"""From a run to a link and back, in a real browser, against a Hub on this machine."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sign_in
from conftest import App
from hub_server import Hub, User

pytestmark = pytest.mark.browser

TOKEN = "hf_secretOfAlice"
SIZES = ((1440, 900), (390, 844))
WIDTHS = ((1440, 900), (1024, 768), (390, 844))


@pytest.fixture
def app(hub: Hub, fox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """A running app over one finished run, `fox`; its Hub is ours, and nobody is logged in."""
    hub.tokens[TOKEN] = User("alice")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    app = App(tmp_path)
    app.start()
    yield app
    if app.process.poll() is None:
        app.end()


def picture(visitor, name: str) -> None:
    """The page on a desk and on a phone, light and dark."""
    for scheme in ("light", "dark"):
        for width, height in SIZES:
            visitor.page.set_viewport_size(dict(width=width, height=height))
            visitor.screenshot(f"{name}-{width}-{scheme}")
            assert visitor.overflowing() == [], f"{name} at {width}×{height}"
        visitor.page.click("[data-do=dark]")
    visitor.page.set_viewport_size(dict(width=SIZES[0][0], height=SIZES[0][1]))


def fill(visitor, token: str, repo: str = "alice/fox") -> None:
    visitor.page.fill("#repo textarea, #repo input", repo)
    visitor.page.fill("#token input", token)


def test_a_run_becomes_a_link_a_demo_and_a_model_again(visit, app: App, hub: Hub) -> None:
    visitor = visit(color_scheme="light", reduced_motion="reduce")
    page, addresses = visitor.page, []
    page.on("request", lambda request: addresses.append(request.url))
    visitor.tab("share")
    page.wait_for_selector("#token input")
    assert page.input_value("#repo textarea, #repo input") == "fox"
    picture(visitor, "share-empty")

    # The card can be read and rewritten before anything is sent.
    fill(visitor, "hf_wrong")
    page.click("#preview")
    page.wait_for_selector("#card-look h1:has-text('fox')")
    page.wait_for_function("document.querySelector('#card-look img')?.naturalWidth > 0")
    picture(visitor, "share-card")
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
    assert page.input_value("#token input") == "" and not hub.repos
    picture(visitor, "share-wrong")

    # One press for both: a link to the model, and one to try it.
    page.fill("#repo textarea, #repo input", "fox")
    page.fill("#token input", TOKEN)
    page.press("#token input", "Tab")
    page.wait_for_function("document.querySelector('#repo textarea, #repo input').value === 'alice/fox'")
    page.check("#with-demo input")
    page.click("#push")
    page.wait_for_selector(f"#pushed a[href='{hub.endpoint}/alice/fox']")
    page.wait_for_selector(f"#pushed a[href='{hub.endpoint}/spaces/alice/fox-demo']")
    assert page.input_value("#token input") == ""
    assert "# The fox of the hill" in hub.repo("alice/fox").files["README.md"].decode()

    # The demo alone, with the token typed anew.
    fill(visitor, TOKEN)
    page.click("#demo")
    page.wait_for_selector(f"#published a[href='{hub.endpoint}/spaces/alice/fox-demo']")
    assert 'REPO = "alice/fox"' in hub.repo("alice/fox-demo", "space").files["app.py"].decode()
    picture(visitor, "share-pushed")
    with page.expect_download() as downloading:
        page.click("#report")
        page.click("#download a")
    assert downloading.value.suggested_filename == "fox.html"

    visitor.tab("generate")
    page.click("#elsewhere .label-wrap")
    page.fill("#source textarea, #source input", f"{hub.endpoint}/alice/fox")
    page.click("#fetch")
    page.wait_for_selector("#fetched .note.calm")
    assert page.input_value("#checkpoint input") == "alice/fox"
    page.fill("#prompt textarea", "The fox ")
    page.click("#write")
    page.wait_for_selector("#told .fine")
    assert page.locator("#written").inner_text().startswith("The fox ")
    picture(visitor, "generate-fetched")

    # The token is in the authorization header of the requests to the Hub, and nowhere else.
    assert any(TOKEN in request.headers.get("authorization", "") for request in hub.requests)
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    shown = page.content()
    page.close()
    app.process.kill()
    said, _ = app.process.communicate()
    asked = [request.target for request in hub.requests]
    for told in (shown, stored, said, *addresses, *asked):
        assert TOKEN not in told
    for path in app.folder.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_a_push_can_be_cancelled_and_its_page_closed(visit, app: App, hub: Hub) -> None:
    held = hub.fault("PUT /upload/", hold=threading.Event())
    visitor = visit()
    visitor.tab("share")
    visitor.page.wait_for_selector("#token input")
    fill(visitor, TOKEN)
    visitor.page.click("#push")
    visitor.page.wait_for_selector("#pushed .transfer:has-text('sending')")
    visitor.screenshot("share-under-way")
    visitor.page.click("#cancel")
    visitor.page.wait_for_selector("#pushed .note.attention:has-text('is still empty')")
    held.hold.set()
    assert list(hub.repo("alice/fox").files) == [".gitattributes"]


def begin_as_space(app: App, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the app anew as the Hub starts a Space that people sign in to."""
    app.end()
    said = dict(SPACE_ID="lab/playground", SYSTEM="spaces", GRADIO_SERVER_NAME="127.0.0.1")
    said |= dict(OAUTH_CLIENT_ID=sign_in.CLIENT, OAUTH_CLIENT_SECRET=sign_in.SECRET, OAUTH_SCOPES=sign_in.SCOPES)
    for name, value in (said | dict(OPENID_PROVIDER_URL=hub.endpoint)).items():
        monkeypatch.setenv(name, value)
    app.start()


def test_a_visitor_signs_in_on_a_space_and_pushes_as_themselves(
    visit, app: App, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.provider = sign_in.Provider(hub.endpoint, visitor="alice")
    begin_as_space(app, hub, monkeypatch)
    visitor = visit(reduced_motion="reduce")
    visitor.tab("share")
    visitor.page.click("#sign-in")
    visitor.page.click("a:has-text('Authorize')")
    visitor.page.wait_for_selector("#library .new", state="attached")
    visitor.tab("share")
    visitor.page.wait_for_selector("#sign-in:has-text('alice')")

    [folder] = (app.folder / "runs").parent.rglob("seen.json")  # the workspace of who signed in
    shutil.copytree(app.runs_dir / "fox", folder.parent / "runs" / "fox")
    visitor.open()
    visitor.tab("share")
    visitor.page.wait_for_function("document.querySelector('#share-run input').value === 'fox'")
    visitor.page.wait_for_function("document.querySelector('#repo textarea, #repo input').value === 'alice/fox'")
    visitor.page.click("#push")
    visitor.page.wait_for_selector(f"#pushed a[href='{hub.endpoint}/alice/fox']")
    visitor.screenshot("share-signed-in")
    assert hub.repo("alice/fox").authors[-1] == "alice"
    [token] = hub.provider.issued
    commits = hub.asked("POST /api/models/alice/fox/commit/")
    assert [commit.headers["authorization"] for commit in commits] == [f"Bearer {token}"]
    assert token not in visitor.page.content() and not any(token in request.target for request in hub.requests)
    visitor.complaints.clear(), visitor.strangers.clear()  # on a Space, Gradio itself asks the Hub for its badge


@pytest.mark.parametrize("locale", ["en-US", "ja-JP"])
def test_the_header_says_who_is_signed_in_and_signs_in(
    visit, app: App, hub: Hub, monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    hub.provider = sign_in.Provider(hub.endpoint, visitor="alice-of-the-long-name")
    begin_as_space(app, hub, monkeypatch)
    visitor = visit(locale=locale, color_scheme="light", reduced_motion="reduce")
    chip = "#header [data-do=account]"

    def fits(name: str) -> None:
        for width, height in WIDTHS:
            visitor.page.set_viewport_size(dict(width=width, height=height))
            assert visitor.page.is_visible(chip) and visitor.overflowing() == [], f"{name} at {width}"
            visitor.screenshot(f"header-{name}-{locale}-{width}")
        visitor.page.set_viewport_size(dict(width=SIZES[0][0], height=SIZES[0][1]))

    visitor.page.wait_for_selector(f"{chip}:has-text('Hugging Face')")
    fits("signed-out")
    visitor.page.click(chip)  # the Share tab was never opened
    visitor.page.click("a:has-text('Authorize')")
    visitor.page.wait_for_selector(f"{chip}:has-text('alice')")
    fits("signed-in")
    visitor.complaints.clear(), visitor.strangers.clear()  # on a Space, Gradio itself asks the Hub for its badge


def test_a_space_asks_to_sign_in(visit, app: App, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    begin_as_space(app, hub, monkeypatch)
    visitor = visit(color_scheme="light", reduced_motion="reduce")
    visitor.tab("share")
    visitor.page.wait_for_selector("#sign-in")
    visitor.page.click("#push")
    visitor.page.wait_for_selector("#pushed .note.attention:has-text('Sign in')")
    assert not visitor.page.locator("#token input").is_visible() and not hub.requests
    picture(visitor, "share-space")
    visitor.complaints.clear(), visitor.strangers.clear()  # on a Space, Gradio itself asks the Hub for its badge


def test_a_pickle_is_refused_with_the_reason(visit, app: App, hub: Hub) -> None:
    hub.add_repo("bob/old", {"config.json": b"{}", "pytorch_model.bin": b"x"})
    visitor = visit(locale="ja-JP", reduced_motion="reduce")
    visitor.tab("generate")
    visitor.page.click("#elsewhere .label-wrap")
    visitor.page.fill("#source textarea, #source input", "bob/old")
    visitor.page.click("#fetch")
    visitor.page.wait_for_selector("#fetched .note.wrong:has-text('pickle です(pytorch_model.bin)')")
    picture(visitor, "generate-refused")
