"""What the page sees at one look at the disk: the runs there are, and the one that this browser shows."""

from __future__ import annotations

from dataclasses import dataclass

from lm.run_dir import RunDir
from playground.views import Curve, Row
from playground.workspace import Workspace


@dataclass(frozen=True)
class Look:
    """One look over one workspace. `row` and `curve` are of the selected run; None where none is, or it is gone."""

    space: Workspace
    selected: str
    language: str
    rows: list[Row]
    row: Row | None = None
    curve: Curve | None = None

    @property
    def run(self) -> RunDir | None:
        return self.curve.run if self.curve else None


def look(space: Workspace, selected: str, language: str) -> Look:
    """Look at the disk once; `selected` may be a run that is gone, or empty."""
    rows = space.library.rows()
    row = next((row for row in rows if row.name == selected), None)
    return Look(space, selected, language, rows, row, space.library.curve(selected) if row else None)
