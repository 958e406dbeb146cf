"""The page says which language it speaks, before anything else of it is read."""

from __future__ import annotations

import coroutines
import pytest

from playground.spoken import Spoken

PAGE = (b'<!doctype html>\n<html\n\tlang="en"\n>\n<head><meta>', b'</head><p lang="en">tales</p></html>')


def asked(path: str, **headers: str) -> tuple[dict[bytes, bytes], bytes]:
    """What a browser gets of a server that sends `PAGE` in two pieces."""
    heard = []

    async def server(scope, receive, send) -> None:
        length = str(sum(map(len, PAGE))).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": PAGE[0], "more_body": True})
        await send({"type": "http.response.body", "body": PAGE[1]})

    async def send(message) -> None:
        heard.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "headers": raw}
    coroutines.run(Spoken(server)(scope, None, send))
    return dict(heard[0]["headers"]), b"".join(one["body"] for one in heard[1:])


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        (dict(accept_language="ja-JP,en;q=0.5"), b"ja"),
        (dict(accept_language="en-US"), b"en"),
        (dict(accept_language="ja", cookie="a=b; lm-language=en"), b"en"),
        (dict(accept_language="en", cookie="lm-language=ja"), b"ja"),
        ({}, b"en"),
    ],
)
def test_the_page_says_the_language_of_its_reader(headers: dict[str, str], language: bytes) -> None:
    said, page = asked("/", **headers)
    assert b'lang="' + language in page[: page.index(b"<head>")]
    assert page.index(b"navigator") < page.index(b"<meta>")  # before any other script
    assert b'<p lang="en">' in page
    assert said[b"content-length"] == str(len(page)).encode()


def test_everything_else_passes_as_it_is() -> None:
    assert asked("/config", accept_language="ja")[1] == b"".join(PAGE)
