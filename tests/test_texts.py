"""Sample texts: found by name, fetched once, checked and kept; what is not the text is refused with the cure."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lm import texts
from lm.corpus import read_corpus
from lm.errors import CorpusError
from lm.texts import CLASSICS, SHIPPED, Classic, cache_dir, locate, names

STORY = "　駅長は猫である。\n列車は来ない。\n" * 20


class Shelf:
    """What the local server gives, and what it was asked for."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[str] = []
        self.body = b""
        self.claimed_length: int | None = None


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """A real HTTP server on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shelf.asked.append(self.path)
            self.send_response(200 if shelf.body else 404)
            self.send_header("Content-Length", str(shelf.claimed_length or len(shelf.body)))
            self.end_headers()
            self.wfile.write(shelf.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shelf = Shelf(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield shelf
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LM_PLAYGROUND_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def story(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Classic:
    """A classic that the local server holds."""
    sha256 = hashlib.sha256(STORY.rstrip().encode("utf-8")).hexdigest()
    classic = Classic("story", "A story", "Japanese", f"{shelf.address}/story", sha256, "written for this test")
    monkeypatch.setitem(CLASSICS, "story", classic)
    shelf.body = STORY.encode("utf-8")
    return classic


def zipped(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return data.getvalue()


def kept(own_cache: Path) -> list[str]:
    return sorted(path.name for path in own_cache.iterdir()) if own_cache.exists() else []


# ---------------------------------------------------------------------------------------------- fetching


@pytest.mark.parametrize(
    "body",
    [
        STORY.encode("utf-8"),
        STORY.replace("\n", "\r\n").encode("utf-8-sig"),
        STORY.encode("cp932"),
        zipped(story_txt=STORY.replace("\n", "\r\n").encode("cp932")),
        zipped(story_txt=STORY.encode("utf-8"), cover_png=b"\x89PNG"),
        STORY.strip("\n").encode("utf-8"),
    ],
    ids=["utf-8", "crlf and mark", "shift_jis", "zip", "zip with a picture", "no last line end"],
)
def test_a_classic_is_fetched_checked_and_cleaned(shelf: Shelf, story: Classic, own_cache: Path, body: bytes) -> None:
    shelf.body = body
    path = locate("story")
    assert path == own_cache / "story.txt"
    assert path.read_bytes().decode("utf-8").rstrip() == STORY.rstrip()


def test_a_classic_is_fetched_once(shelf: Shelf, story: Classic) -> None:
    assert locate("story") == locate("story")
    assert shelf.asked == ["/story"]


def test_a_spoilt_copy_is_fetched_again(shelf: Shelf, story: Classic) -> None:
    locate("story").write_bytes(b"something else")
    assert locate("story").read_bytes().decode("utf-8") == STORY
    assert len(shelf.asked) == 2


def test_a_copy_put_there_by_hand_is_used(shelf: Shelf, story: Classic, own_cache: Path) -> None:
    own_cache.mkdir()
    (own_cache / "story.txt").write_bytes(STORY.replace("\n", "\r\n").encode("cp932"))
    assert locate("story") == own_cache / "story.txt"
    assert shelf.asked == []


def test_progress_ends_at_the_whole(shelf: Shelf, story: Classic) -> None:
    said: list[tuple[int, int]] = []
    locate("story", lambda done, total: said.append((done, total)))
    assert said[-1] == (len(shelf.body), len(shelf.body))


def test_progress_goes_to_stderr_alone(story: Classic, capfd: pytest.CaptureFixture[str]) -> None:
    locate("story")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "story" in captured.err


# ---------------------------------------------------------------------------------------------- refusing


@pytest.mark.parametrize(
    "body",
    [
        b"another text",
        zipped(a_txt=b"one", b_txt=b"two"),
        zipped(picture_png=b"\x89PNG"),
        b"PK\x03\x04 torn",
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=["another text", "two texts", "no text", "torn archive", "a picture"],
)
def test_what_is_not_the_text_is_not_kept(shelf: Shelf, story: Classic, own_cache: Path, body: bytes) -> None:
    shelf.body = body
    with pytest.raises(CorpusError, match=r"save .* yourself and name the file|was not kept"):
        locate("story")
    assert kept(own_cache) == []


def test_a_download_without_end_is_cut(
    shelf: Shelf, story: Classic, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "LARGEST_BYTES", 100)
    with pytest.raises(CorpusError, match="more than 100 bytes"):
        locate("story")
    shelf.body = zipped(story_txt=b"x" * 100_000)  # 200 bytes that unpack to many
    monkeypatch.setattr(texts, "LARGEST_BYTES", 50_000)
    with pytest.raises(CorpusError, match="does not hold one text file"):
        locate("story")
    assert kept(own_cache) == []


def test_a_broken_connection_is_told_with_the_cure(shelf: Shelf, story: Classic, own_cache: Path) -> None:
    shelf.claimed_length = len(shelf.body) + 1000
    with pytest.raises(CorpusError, match=f"cannot fetch the sample text 'story' from {story.url}.*try again, or save"):
        locate("story")
    assert kept(own_cache) == []


def test_an_offline_machine_is_told_the_address_and_the_place(
    story: Classic, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = dataclasses.replace(story, url="http://127.0.0.1:9/story")  # the discard port: nobody listens
    monkeypatch.setitem(CLASSICS, "story", nobody)
    with pytest.raises(CorpusError) as caught:
        locate("story")
    assert nobody.url in str(caught.value)
    assert str(own_cache / "story.txt") in str(caught.value)
    assert "tales" in str(caught.value)


def test_a_missing_page_is_told(shelf: Shelf, story: Classic) -> None:
    shelf.body = b""
    with pytest.raises(CorpusError, match="Not Found"):
        locate("story")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(CorpusError, match="no sample text 'nope'; the sample texts are tales, tales_ja, tiny"):
        locate("nope")


# ---------------------------------------------------------------------------------------------- what there is


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_text_is_there_without_a_network(name: str, tmp_path: Path) -> None:
    corpus = read_corpus([locate(name)], tmp_path / "clean")
    assert corpus.statistics.bytes > 100_000


def test_names_are_unique_and_addresses_safe() -> None:
    assert len(set(names())) == len(SHIPPED) + len(CLASSICS)
    assert all(classic.url.startswith("https://") and len(classic.sha256) == 64 for classic in CLASSICS.values())


def test_the_cache_has_a_place_on_every_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LM_PLAYGROUND_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    for platform, place in (("linux", "xdg"), ("win32", "local"), ("darwin", "Library")):
        monkeypatch.setattr(texts.sys, "platform", platform)
        assert place in cache_dir().parts
        assert cache_dir().name == "lm-playground"
