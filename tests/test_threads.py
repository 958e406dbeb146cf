"""Threads that wait spin for a while, and hardly while others need the processors."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lm import threads
from lm.threads import SPINS, considerate, set_up_threads

PATIENCE_SECONDS = 30.0


def becomes(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def has_second_team() -> bool:
    return any(thread.name == "second-team" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("environment", "spins"),
    [({}, SPINS), (dict(GOMP_SPINCOUNT="7"), "7"), (dict(OMP_WAIT_POLICY="active"), None)],
    ids=["by itself", "as the user counts", "as the user waits"],
)
def test_how_threads_wait_is_said_unless_the_user_did(environment: dict[str, str], spins: str | None) -> None:
    set_up_threads(environment)
    assert environment.get("GOMP_SPINCOUNT") == spins


def test_a_second_team_is_there_for_as_long_as_others_need_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    share, waited = [0.1], itertools.accumulate(iter(lambda: share[0] * threads.LOOK_SECONDS, None))
    monkeypatch.setattr(threads, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(threads, "_waited", lambda: next(waited))
    with considerate():
        time.sleep(0.1)
        assert not has_second_team()
        share[0] = 0.9
        assert becomes(has_second_team)
        share[0] = 0.3  # between the two borders all stays as it is
        time.sleep(0.1)
        assert has_second_team()
        share[0] = 0.01
        assert becomes(lambda: not has_second_team())
        share[0] = 0.9
        assert becomes(has_second_team)
    assert not has_second_team()


def test_where_nobody_counts_the_waiting_nothing_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(threads, "THREADS", tmp_path / "nowhere")
    n_threads = threading.active_count()
    with considerate():
        assert threading.active_count() == n_threads


@pytest.mark.skipif(not threads.THREADS.exists(), reason="Linux counts how long threads wait")
def test_the_waiting_of_threads_is_counted() -> None:
    assert threads._waited() >= 0.0
