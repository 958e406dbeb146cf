"""A few visitors for a few seconds: the short version of `benchmarks/soak.py`, without a training beside them."""

from __future__ import annotations

from pathlib import Path

import coroutines
import crowd
import pytest
import soak

from lm.run_dir import RunDir


def test_visitors_get_their_own_answers_and_leave_nothing_behind(
    tmp_path: Path, shared_fox: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = soak.App(tmp_path)
    try:
        monkeypatch.setattr(crowd, "ACTION_SECONDS", 1.5)
        monkeypatch.setattr(soak, "LEAVE_SECONDS", 2.0)
        figures = coroutines.run(soak.soak(app, 5, 7.0, shared_fox, has_training=False))
    finally:
        complaints = app.end()
    assert (figures["errors"], figures["crosstalk"]) == (0, 0), (figures["what"], figures["told"])
    assert figures["texts"] == figures["texts_asked"] > 0
    assert figures["events"] >= 4 * 5  # each of the five came, was shown the page, read a text and chose a run
    assert figures["left_behind"]["children"] == 0 and "Traceback" not in complaints
