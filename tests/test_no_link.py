"""The page behind a link that shows nothing: who gets it, and in which language."""

from __future__ import annotations

from pathlib import Path

import coroutines
import httpx
import pytest
from fabricated_runs import fabricate
from starlette.responses import PlainTextResponse

from lm import library, run_dir
from playground.no_link import NoLink
from playground.workspace import Workspace
from playground.workspaces import Workspaces

OWNER, TOKEN = "a" * 40, "w" * 32


@pytest.fixture
def shared(tmp_path: Path) -> Workspaces:
    """A machine that many share, with one link, to the run `shown`."""
    fabricate(tmp_path / "visitors" / OWNER / "runs", "shown")
    (tmp_path / "links").mkdir()
    run_dir.write_json(tmp_path / "links" / f"{TOKEN}.json", dict(visitor=OWNER, run="shown"))
    return Workspaces(Workspace(tmp_path / "own", tmp_path / "runs"), tmp_path / "visitors")


def asked(workspaces: Workspaces, address: str, **headers: str) -> httpx.Response:
    """What is answered; `the start page` where it is Gradio's business."""

    async def ask() -> httpx.Response:
        way = httpx.ASGITransport(NoLink(PlainTextResponse("the start page"), keeper=workspaces))
        async with httpx.AsyncClient(transport=way, base_url="http://here") as wire:
            return await wire.get(address, headers=headers)

    return coroutines.run(ask())


@pytest.mark.parametrize("token", ["z" * 32, "../" * 8 + "etc/passwd", "short", "%00", "＜b＞"])
def test_whoever_follows_a_link_that_is_none_is_told_so(shared: Workspaces, token: str) -> None:
    answer = asked(shared, f"/?watch={token}")
    assert answer.status_code == 404 and "This link shows nothing any more" in answer.text and token not in answer.text


def test_it_speaks_the_language_of_the_browser(shared: Workspaces) -> None:
    answer = asked(shared, "/?watch=none", **{"accept-language": "ja"})
    assert '<html lang="ja">' in answer.text and "もう何も見られません" in answer.text and "$" not in answer.text


def test_a_link_to_a_run_that_was_deleted_is_none_until_the_run_is_back(shared: Workspaces, tmp_path: Path) -> None:
    runs_dir = tmp_path / "visitors" / OWNER / "runs"
    deleted = library.delete(runs_dir, "shown")
    assert asked(shared, f"/?watch={TOKEN}").status_code == 404
    library.restore(runs_dir, deleted.entry)
    assert asked(shared, f"/?watch={TOKEN}").text == "the start page"


@pytest.mark.parametrize("address", ["/", "/?watch=", f"/?watch={TOKEN}", "/config?watch=none"])
def test_every_other_request_is_left_alone(shared: Workspaces, address: str) -> None:
    assert asked(shared, address).text == "the start page"


def test_on_ones_own_machine_the_word_means_nothing(tmp_path: Path) -> None:
    own = Workspaces(Workspace(tmp_path / "own", tmp_path / "runs"))
    assert asked(own, "/?watch=none").text == "the start page"
