"""What a training would come to, asked of `lm plan` in a process of its own: the page never holds a tensor.

One rehearsal at a time on a machine, so that they do not time each other; the last answers are kept. A rehearsal is
worth nothing beside a training, and a training is worth more: `end` stops the one under way.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from lm import launch
from lm.errors import ConfigError

KEPT = 64
MOST_SECONDS = 120.0
NICENESS = 10  # of 19: a rehearsal waits for whatever else is being done


class Planner:
    """The rehearsals of one workspace."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], dict[str, Any]] = OrderedDict()
        self._process: subprocess.Popen | None = None
        self._asked: tuple[str, ...] = ()

    def known(self, argv: Sequence[str]) -> dict[str, Any] | None:
        """The answer to these flags of `lm plan`, if it was given before."""
        return self._known.get(tuple(argv))

    def plan(self, argv: Sequence[str]) -> dict[str, Any] | None:
        """The answer, from memory or measured now; None when it was ended. `ConfigError` for what `lm plan` refuses."""
        if (known := self.known(argv)) is not None:
            return known
        with _ONE_AT_A_TIME:
            told = self._ask(argv)
        if told is None:
            return None
        if "error" in told:
            raise ConfigError(told["error"])
        self.remember(argv, told)
        return told

    def remember(self, argv: Sequence[str], answer: dict[str, Any]) -> None:
        """`answer` is also that to these flags."""
        self._known[tuple(argv)] = answer
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def end(self, unless: Sequence[str] = ()) -> None:
        """End the rehearsal that is under way, if there is one and it is not that of the flags `unless`."""
        if self._process is not None and tuple(unless) != self._asked:
            self._process.kill()

    def _ask(self, argv: Sequence[str]) -> dict[str, Any] | None:
        self._asked = tuple(argv)
        command = [sys.executable, "-m", "lm", "plan", "--json", *argv]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **launch.apart()
        )
        launch.be_nice(self._process.pid, NICENESS)
        try:
            said, _ = self._process.communicate(timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, _ = self._process.communicate()
        self._process = None
        lines = said.decode("utf-8").splitlines()
        return json.loads(lines[-1]) if lines else None


_ONE_AT_A_TIME = threading.Lock()
