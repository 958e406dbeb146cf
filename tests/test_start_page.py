"""The page is rendered once for all who ask for it in the same way, and never for somebody who signed in."""

from __future__ import annotations

import coroutines

from playground.start_page import MOST_PAGES, StartPage


class Gradio:
    """Counts what it renders; answers with its number."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.rendered = status, 0

    async def __call__(self, scope, receive, send) -> None:
        self.rendered += 1
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": str(self.rendered).encode()})


def ask(page: StartPage, path: str = "/", method: str = "GET", query: bytes = b"", **headers: str) -> str:
    sent: list[dict] = []

    async def send(message) -> None:
        sent.append(message)

    said = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = dict(type="http", method=method, path=path, query_string=query, scheme="http", headers=said)
    coroutines.run(page(scope, None, send))
    return sent[1]["body"].decode()


def test_a_page_is_rendered_once() -> None:
    page = StartPage(Gradio())
    assert [ask(page, host="a"), ask(page, host="a", cookie="lm-visitor=x"), ask(page, host="a", query=b"watch=t")] == [
        "1"
    ] * 3


def test_another_address_form_or_language_is_another_page() -> None:
    page = StartPage(Gradio())
    asked = [
        dict(host="a"),
        dict(host="b"),
        dict(host="a", accept_encoding="gzip"),
        dict(host="a", x_forwarded_proto="https"),
        dict(host="a", accept_language="ja"),
        dict(host="a", accept_language="ja", cookie="lm-language=en"),
    ]
    assert [ask(page, **headers) for headers in asked] == ["1", "2", "3", "4", "5", "1"]


def test_who_signed_in_and_everything_else_is_gradios() -> None:
    page = StartPage(Gradio())
    ask(page)
    assert [ask(page, cookie="access-token-x=1"), ask(page, query=b"deep_link=x"), ask(page, "/config"),
            ask(page, method="HEAD")] == ["2", "3", "4", "5"]  # fmt: skip


def test_a_failure_is_not_kept() -> None:
    page = StartPage(Gradio(status=500))
    assert [ask(page), ask(page)] == ["1", "2"]


def test_invented_addresses_fill_no_memory() -> None:
    page = StartPage(Gradio())
    for n in range(3 * MOST_PAGES):
        ask(page, host=f"host{n}")
    assert len(page._pages) == MOST_PAGES
