"""Installed as an app: a manifest, icons, a worker; and Gradio's own routes untouched."""

from __future__ import annotations

import json
from io import BytesIO

import coroutines
import pytest
from PIL import Image

from playground import installable
from playground.installable import FILES, Installable


def ask(path: str, method: str = "GET") -> list[dict]:
    """What the middleware sends for a request; Gradio behind it answers 299."""
    sent: list[dict] = []

    async def gradio(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})

    async def send(message) -> None:
        sent.append(message)

    coroutines.run(Installable(gradio)(dict(type="http", method=method, path=path), None, send))
    return sent


@pytest.mark.parametrize("path", FILES)
def test_every_file_of_the_app_is_served_with_its_type(path: str) -> None:
    start, body = ask(path)
    assert start["status"] == 200 and body["body"]
    assert dict(start["headers"])[b"content-type"].decode() == FILES[path][1]


@pytest.mark.parametrize(
    "path", ["/", "/config", "/gradio_api/queue/join", "/theme.css", "/../style.css", "/style.css"]
)
def test_everything_else_is_gradios(path: str) -> None:
    assert [message["status"] for message in ask(path)] == [299]


def test_only_a_get_is_answered() -> None:
    assert [message["status"] for message in ask("/sw.js", "POST")] == [299]


def test_a_browser_may_install_it() -> None:
    said = json.loads(ask("/manifest.json")[1]["body"])
    assert said["name"] and said["display"] == "standalone" and said["start_url"] == "./"
    for icon in said["icons"]:
        image = Image.open(BytesIO(ask(f"/{icon['src']}")[1]["body"]))
        assert icon["sizes"] == f"{image.width}x{image.height}" and image.format == "PNG"
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in said["icons"]}
    assert {"any", "maskable"} == {icon["purpose"] for icon in said["icons"]}


def test_the_worker_touches_nothing_but_navigation() -> None:
    worker = ask("/sw.js")[1]["body"].decode()
    assert "if (event.request.mode !== 'navigate') return;" in worker


def test_the_offline_page_needs_nothing() -> None:
    page = ask("/offline.html")[1]["body"].decode()
    assert "src=" not in page and "href=" not in page and 'lang="ja"' in page


def test_the_head_names_what_is_served() -> None:
    assert 'href="apple-touch-icon.png"' in installable.head()
