"""Sign-ins that have ended. What a browser is given at a sign-in is signed and holds for two weeks, wherever it was copied to.

Gradio takes it out of the browser at the sign-out and forgets the rest. Here it is written down, as a hash that nothing
can be learnt from, that this sign-in counts no more; the last `MOST` are remembered, in their order, by no clock.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from lm import run_dir
from lm.errors import RunError

MOST = 20_000  # more than sign out of one Space in the two weeks. assumed
INFO = "oauth_info"  # what Gradio keeps in a session of who signed in


class SignedOut:
    """The sign-ins that were ended, as `path` remembers them. Any thread may call it."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = Path(path), threading.Lock()
        self._ended: dict[str, None] = dict.fromkeys(_read(self.path))

    def end(self, session: MutableMapping[str, Any]) -> None:
        """From now on this sign-in is none, whoever shows it; `OSError` where that cannot be written down."""
        if not (mark := _mark(session)):
            return
        with self._lock:
            self._ended[mark] = None
            while len(self._ended) > MOST:
                del self._ended[next(iter(self._ended))]
            self.path.parent.mkdir(parents=True, exist_ok=True)
            run_dir.write_json(self.path, dict(ended=list(self._ended)))

    def check(self, session: MutableMapping[str, Any]) -> None:
        """Take a sign-in that was ended out of `session`."""
        if _mark(session) in self._ended:
            del session[INFO]


def _mark(session: MutableMapping[str, Any]) -> str:
    """Which sign-in a session is from, by the token that is made for each; empty if it is from none."""
    info = session.get(INFO)
    token = info.get("access_token") if isinstance(info, dict) else None
    return hashlib.sha256(f"sign-in:{token}".encode()).hexdigest()[:40] if token else ""


def _read(path: Path) -> list[str]:
    """What was written down; of a damaged file nothing."""
    try:
        with run_dir.explaining_damage(path):
            return [str(mark) for mark in run_dir.read_json(path)["ended"]]
    except RunError:
        return []
