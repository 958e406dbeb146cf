"""The page's own files are served compressed and to be kept, and nothing else is served by their names."""

from __future__ import annotations

import gzip

import coroutines
import pytest

from playground.statics import TYPES, Statics, files, plotly_address


def ask(path: str, method: str = "GET", encodings: str = "gzip, br") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer; Gradio behind it answers 299."""
    sent: list[dict] = []

    async def gradio(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message) -> None:
        sent.append(message)

    scope = dict(type="http", method=method, path=path, headers=[(b"accept-encoding", encodings.encode())])
    coroutines.run(Statics(gradio)(scope, None, send))
    start, body = sent
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]


def a_script() -> str:
    return next(path for path in files() if path.endswith(".js"))


def test_a_script_travels_compressed_and_is_kept_for_good() -> None:
    status, headers, body = ask(a_script())
    assert status == 200 and "immutable" in headers["cache-control"]
    assert headers["content-encoding"] == "gzip" and headers["content-length"] == str(len(body))
    assert gzip.decompress(body) == files()[a_script()].read_bytes()


def test_who_cannot_unpack_gets_the_file_itself() -> None:
    _, headers, body = ask(a_script(), encodings="identity")
    assert "content-encoding" not in headers and body == files()[a_script()].read_bytes()


def test_plotlys_script_is_among_them() -> None:
    status, headers, _ = ask(f"/{plotly_address()}")
    assert status == 200 and headers["content-type"] == "text/javascript"


@pytest.mark.parametrize(
    "path",
    ["/", "/config", "/assets/", "/assets/../index.html", "/assets/%2e%2e/x.js", "/assets//etc/passwd", "/sw.js"],
)
def test_everything_else_is_gradios(path: str) -> None:
    assert ask(path)[0] == 299


def test_only_a_get_is_answered() -> None:
    assert ask(a_script(), "POST")[0] == 299


def test_every_file_has_a_type() -> None:
    assert {path.suffix for path in files().values()} <= set(TYPES)
