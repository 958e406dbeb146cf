"""Archives, repositories and headers that lie: refused in words, in bounded time and room, and nothing of them is kept."""

from __future__ import annotations

import io
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import hub_server
import pytest
from hub_server import Hub
from test_pull import arrived  # noqa: F401 - a fixture

from lm import checkpoint
from lm.errors import CorpusError, LMError
from lm.pull import pull
from lm.run_dir import RunDir
from lm.texts import Classic, _unpacked

STORY = Classic("story", "A story", "English", "http://localhost/story.zip", "0", "written for this test")


# ---------------------------------------------------------------------------------------------- zips


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    data = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(data, "w", method) as archive:
        warnings.simplefilter("ignore")  # names that come twice
        for name, content in members:
            archive.writestr(name, content)
    return bytearray(data.getvalue())


def changed(data: bytearray, sign: bytes, offset: int, value: bytes) -> bytearray:
    """`data` with other bytes at `offset` of its last record that begins with `sign`."""
    at = data.rfind(sign) + offset
    return data[:at] + value + data[at + len(value) :]


ENTRY, END, TEXT = b"PK\x01\x02", b"PK\x05\x06", ("a.txt", b"the fox sees a lamp. " * 200)
ZERO = b"\0" * (20 << 20)
LIARS = {
    "a bomb": zipped(("a.txt", ZERO)),
    "a bomb that says it is small": changed(zipped(("a.txt", ZERO)), ENTRY, 24, struct.pack("<I", 10)),
    "another checksum": changed(zipped(TEXT), ENTRY, 16, b"\0\0\0\0"),
    "encrypted": changed(zipped(TEXT), ENTRY, 8, b"\1"),
    "damaged data": changed(zipped(TEXT), b"PK\x03\x04", 40, b"\xff" * 12),
    "a method nobody knows": changed(zipped(TEXT), ENTRY, 10, b"\x63\0"),
    "a method that takes what memory it says": zipped(TEXT, method=zipfile.ZIP_LZMA),
    "a place beyond the end": changed(zipped(TEXT), ENTRY, 42, b"\xf0\xff\xff\xff"),
    "a directory larger than the file": changed(zipped(TEXT), END, 12, b"\xff\xff\xff\0"),
    "sizes of another format": changed(zipped(TEXT), ENTRY, 20, b"\xff" * 8),
    "a name that is no text": changed(changed(zipped(TEXT), ENTRY, 9, b"\x08"), ENTRY, 46, b"\xff"),
    "the same name twice": zipped(TEXT, TEXT),
    "the same name in two forms": zipped(("が.txt", b"1"), ("が.txt", b"2")),
    "an archive in an archive": zipped(("a.zip", bytes(zipped(TEXT)))),
    "cut": zipped(TEXT)[:-30],
}


@pytest.mark.parametrize("data", LIARS.values(), ids=LIARS)
def test_an_archive_that_lies_is_refused(data: bytearray) -> None:
    with pytest.raises(CorpusError, match="save it yourself"):
        _unpacked(bytes(data), STORY)


def test_an_archive_with_any_bytes_changed_is_read_or_refused() -> None:
    for seed in range(1500):
        dice, data = random.Random(seed), zipped(TEXT)
        for _ in range(dice.randint(1, 5)):
            data[dice.randrange(4, len(data))] = dice.randrange(256)
        try:
            assert len(_unpacked(bytes(data), STORY)) < 10_000
        except CorpusError:
            pass


@pytest.mark.parametrize("name", ["../a.txt", "/etc/a.txt", "..\\a.txt", "C:\\a.txt", "CON.txt", "a/../../b.txt"])
def test_a_members_name_leads_nowhere(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are taken, and nobody asks what it is called."""
    monkeypatch.chdir(tmp_path)
    assert _unpacked(bytes(zipped((name, b"hello"))), STORY) == b"hello" and not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------- the Hub


def refusal(hub: Hub, tmp_path: Path) -> str:
    """Why `alice/odd` is not taken; and nothing of it is a run."""
    with pytest.raises(LMError) as caught:
        pull("alice/odd", tmp_path / "to" / "odd", cache=tmp_path / "cache")
    assert not (tmp_path / "to" / "odd").exists()
    return str(caught.value)


@pytest.fixture
def odd(hub: Hub, arrived) -> Hub:  # noqa: F811
    hub.add_repo("alice/odd", arrived[True])
    return hub


def storage_that(change: Callable[[bytes], bytes], patch: pytest.MonkeyPatch) -> None:
    """The Hub's storage sends large files as `change` makes them."""
    patch.setattr(hub_server._Handler, "_signed", lambda self, oid: (200, {}, change(self.hub.large[oid])))


def test_weights_with_another_checksum_are_refused_and_fetched_again(
    odd: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        storage_that(lambda data: data[:-1] + bytes([data[-1] ^ 1]), patch)
        assert "sha256 is another" in refusal(odd, tmp_path)
    assert pull("alice/odd", tmp_path / "to" / "odd", cache=tmp_path / "cache").is_resumable


@pytest.mark.parametrize("n", [-100, 100, 5_000_000], ids=["shorter", "longer", "without end"])
def test_weights_of_another_length_are_refused(
    odd: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    storage_that(lambda data: data[:n] if n < 0 else data + bytes(n), monkeypatch)
    said = refusal(odd, tmp_path)
    assert "as the Hub says it is" in said or "has no end" in said


@pytest.mark.parametrize("message", ["", "sign in first"], ids=["nothing", "something else"])
def test_what_is_no_answer_of_the_hub_is_said(odd: Hub, tmp_path: Path, message: str) -> None:
    odd.fault("GET /api/models/alice/odd", status=200, message=message, times=9)
    assert "does not answer as the Hub does" in refusal(odd, tmp_path)


def test_a_page_instead_of_an_answer_is_said(odd: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a network gives it that wants to be signed in at."""
    monkeypatch.setattr(hub_server._Handler, "_info", lambda *_, **__: (200, {"Content-Type": "text/html"}, b"<html>"))
    assert "does not answer as the Hub does" in refusal(odd, tmp_path)


@pytest.mark.parametrize("size", [-1, "many", 10**30, None, [1]])
def test_sizes_that_are_none_are_refused(odd: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size) -> None:
    entry = hub_server._entry
    monkeypatch.setattr(hub_server, "_entry", lambda path, data: entry(path, data) | {"size": size})
    refusal(odd, tmp_path)
    assert not odd.asked("signed")


def test_a_repository_of_a_hundred_thousand_files_is_fetched_all_the_same(odd: Hub, tmp_path: Path) -> None:
    odd.repo("alice/odd").files.update({f"../{n}/../x{n}": b"" for n in range(100_000)})
    assert pull("alice/odd", tmp_path / "to" / "odd", cache=tmp_path / "cache").is_run
    assert not odd.asked(r"resolve/.*\.\.")


# ---------------------------------------------------------------------------------------------- headers and settings


def with_header(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def headers(weights: bytes) -> dict[str, bytes]:
    """Files of weights whose headers say what cannot be."""
    size = struct.unpack("<Q", weights[:8])[0]
    said, body = json.loads(weights[8 : 8 + size]), weights[8 + size :]
    name, other = [name for name in said if name != "__metadata__"][:2]

    def other_header(**changes: object) -> bytes:
        return with_header(json.dumps(said | {name: said[name] | changes}).encode(), body)

    return {
        "longer than the file": struct.pack("<Q", 1 << 62) + weights[8:],
        "nothing": b"",
        "no JSON": with_header(b"{", body),
        "not an object": with_header(b"[]", body),
        "deep": with_header(b'{"a":' * 50_000, body),
        "a negative shape": other_header(shape=[-1, 16]),
        "a shape beyond all": other_header(shape=[1 << 62, 1 << 62]),
        "another dtype": other_header(dtype="I64"),
        "no dtype": other_header(dtype="Q7"),
        "overlapping": other_header(data_offsets=said[other]["data_offsets"]),
        "beyond the end": other_header(data_offsets=[0, 1 << 40]),
        "backwards": other_header(data_offsets=[100, 0]),
        "a name twice": with_header(
            json.dumps(said).encode()[:-1] + b"," + json.dumps({name: said[name]}).encode()[1:], body
        ),
    }


def test_weights_whose_header_lies_are_refused(fox: RunDir) -> None:
    path = fox.best / checkpoint.WEIGHTS
    whole = path.read_bytes()
    for what, data in headers(whole).items():
        path.write_bytes(data)
        try:
            checkpoint.load_model(fox.best)
        except LMError:
            continue
        assert what == "a name twice", what  # the later one counts, and is the same


@pytest.mark.parametrize(
    "settings",
    [b"[" * 100_000, b'{"n_embd": NaN}', b'{"n_embd": Infinity}', b'{"n_embd": 1e400}', b'{"n_layer": 1e9}',
     b'{"n_embd": "16"}', b'{"n_embd": [16]}', b'{"n_embd": -16}', b'{"n_head": 0}', b'{"n_positions": true}',
     b'{"model_type": {"a": 1}}', b'{"vocab_size": 999999999999999999999999}', b'{"n_embd": 16, "n_embd": 4000000}',
     b'{"layer_norm_epsilon": "x"}', b"\xff\xfe{}", b"3", b"", b'{"lm_playground": {"n_embd": NaN}}'],
)  # fmt: skip
def test_settings_that_no_model_has_are_refused(fox: RunDir, settings: bytes) -> None:
    """Those of a checkpoint, with these instead of its own of that name."""
    path = fox.best / checkpoint.CONFIG
    own = json.loads(path.read_bytes())
    own.pop("lm_playground", None)
    is_object = settings.startswith(b"{") and len(settings) > 2
    path.write_bytes(json.dumps(own).encode()[:-1] + b", " + settings[1:] if is_object else settings)
    with pytest.raises(LMError):
        checkpoint.load_model(fox.best)
