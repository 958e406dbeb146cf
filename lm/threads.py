"""How the processor is shared with everything else that runs on it.

torch's threads meet at a barrier after every operation, and by default the one that arrives first spins there. While
another program holds its core, everybody waits for a spinner: with a browser open on the run, training on two cores was
measured at 0.1 to 0.6 of its speed. A short spin and then sleep costs nothing measurable on an idle machine.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

SPINS = "1000"  # measured: as fast as libgomp's 300,000 on two idle cores, 2 to 8 times as fast on busy ones


def sleep_at_barriers(environment: MutableMapping[str, str] = os.environ) -> None:
    """Ask OpenMP for it, unless the environment says otherwise. Takes effect if torch has not been imported yet."""
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", SPINS)
