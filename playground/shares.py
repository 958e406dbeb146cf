"""Whose workspace it is, and what of the machine they may use."""

from __future__ import annotations

from dataclasses import dataclass, field

from playground.limits import Limits
from playground.queue import TrainingQueue
from playground.turns import Turns


@dataclass(frozen=True)
class Share:
    """One visitor's share; on one's own machine it is nobody's, and everything.

    `turns` is one for all visitors of an app; `linked` has the token of the link that shows a run to others,
    `only` names the one run that a spectator is shown.
    """

    visitor: str = ""
    limits: Limits | None = None
    queue: TrainingQueue | None = None
    turns: Turns = field(default_factory=Turns)
    linked: dict[str, str] = field(default_factory=dict)
    only: str = ""

    @property
    def is_shown(self) -> bool:
        """Whether whoever looks may only look."""
        return bool(self.only)
