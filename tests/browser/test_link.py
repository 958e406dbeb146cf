"""A visitor of a shared machine lets others watch a run, finds the link again after a reload, and takes it back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import SIZES, App, running
from fabricated_runs import fabricate

from playground.door import COOKIE, VISITOR
from playground.workspaces import persons

pytestmark = pytest.mark.browser

FOCUSED = "document.activeElement.id === '{}'"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One shared machine for the file."""
    with running(tmp_path_factory.mktemp("link"), "--multi-user") as app:
        yield app


def test_a_run_is_shown_to_others_and_hidden_again_with_keys_alone(visit, app: App) -> None:
    visitor = visit()
    page, keys = visitor.page, visitor.page.keyboard
    [cookie] = [one["value"] for one in visitor.context.cookies() if one["name"] == COOKIE]
    fabricate(app.folder / "visitors" / persons({VISITOR: cookie})[0].key / "runs", "mine", steps=80)
    page.click("#library .run[data-run=mine]")
    page.wait_for_selector("#show-run")
    assert not page.is_visible("#hide-run")
    page.focus("#show-run")
    keys.press("Enter")
    page.wait_for_selector("#guest-told .command:has-text('watch=')")
    visitor.wait(FOCUSED.format("hide-run"))
    assert not page.is_visible("#show-run")
    link = page.inner_text("#guest-told .command")
    for width, height in SIZES:
        page.set_viewport_size(dict(width=width, height=height))
        assert visitor.overflowing() == []
        visitor.screenshot(f"link-{width}")
    page.set_viewport_size(dict(width=1440, height=900))
    visitor.reopen()
    page.wait_for_selector("#guest-told .command:has-text('watch=')")
    assert page.inner_text("#guest-told .command") == link
    page.click("#hide-run")
    page.wait_for_selector("#guest-told .note:not(:has(.command))")
    visitor.wait(FOCUSED.format("show-run"))
    assert not page.is_visible("#hide-run")
