"""A process that follows another in training: `python -m lm.follow`, or any but the first that torchrun starts.

It hears from its leader which run it is, prepares nothing and writes nothing: it computes its rows of every batch until
the leader says that the training is over, or is gone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lm import team
from lm.prepare import load
from lm.run_dir import RunDir
from lm.trainer import Trainer


def main() -> int:
    """Follow to the end; 1 if there was none, for the leader or this process failed."""
    with team.gathered() as together, team.following(together) as outcome:
        run = RunDir(Path(together.share()))
        Trainer(run, load(run), team=together).follow()
        outcome.is_complete = True
    return int(not outcome.is_complete)


if __name__ == "__main__":
    sys.exit(main())
