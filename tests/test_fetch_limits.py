"""What may be fetched from the Hub is stated where it is asked for, by the figures that it is measured by."""

from __future__ import annotations

import dataclasses

import pytest
from hub_server import Hub
from test_pull import arrived  # noqa: F401 - a fixture

from lm import __main__ as command
from lm import files, pull
from lm.errors import HubError
from playground import limits
from playground.limits import ANONYMOUS


@pytest.fixture
def other_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that nobody wrote into a sentence."""
    for module in (pull, limits, command):
        monkeypatch.setattr(module, "MOST_FETCHED_GIGABYTES", 7.5)
        monkeypatch.setattr(module, "MOST_JSON_BYTES", 33_000_000)
        monkeypatch.setattr(module, "SPARED_GIGABYTES", 0.9)


def test_the_command_states_what_it_fetches_at_most(other_figures: None, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        command.build_parser().parse_args(["pull", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "[7.5] refuse to fetch more GB" in said and "at most 33 MB" in said and "0.9 GB of the disk stay free" in said
    )
    assert command.build_parser().parse_args(["pull", "alice/fox"]).most_gigabytes == 7.5


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_states_what_it_fetches_at_most(other_figures: None, language: str) -> None:
    said = limits.fetching_words(None, language)
    assert all(figure in said for figure in ("7.5 GB", "33 MB", "0.9 GB"))
    share = dataclasses.replace(ANONYMOUS, disk_bytes=123_000_000)
    assert all(figure in limits.fetching_words(share, language) for figure in ("123 MB", "33 MB", "1,000 MB"))
    assert "7,500 MB" in limits.fetching_words(dataclasses.replace(share, disk_bytes=10**10), language)


def test_a_fetch_is_refused_from_the_stated_limit_on(hub: Hub, arrived, tmp_path, monkeypatch) -> None:  # noqa: F811
    hub.add_repo("alice/odd", arrived[False])
    whole = sum(len(data) for name, data in arrived[False].items() if name in pull.checkpoint.FILES)
    monkeypatch.setattr(pull.pull, "__kwdefaults__", pull.pull.__kwdefaults__ | dict(most_gigabytes=(whole - 1) / 1e9))
    with pytest.raises(HubError, match="--most-gigabytes"):
        pull.pull("alice/odd", cache=tmp_path)
    assert pull.pull("alice/odd", cache=tmp_path, most_gigabytes=whole / 1e9).commit


def test_one_place_says_what_a_fetch_may_bring() -> None:
    assert pull.pull.__kwdefaults__["most_gigabytes"] == files.MOST_FETCHED_GIGABYTES
