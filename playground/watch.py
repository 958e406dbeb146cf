"""One tick of the page: what changed on disk since this browser looked last, and nothing else.

Every part of the page that follows the disk has `FOLLOWS`, the names of its widgets that do, and `follow(look)`, their
values. A browser is told only what differs from what it was told before; `Cursor` holds that, on the server. Ticks read
the run directories, so it does not matter who started a run, how often the page was reloaded, or how many browsers look.
A tick of a page where nothing is trained and nothing was written costs a few `stat`s (`playground.glance`); of those who
follow the same training, spectators above all, one looks and the others are told what it saw.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import gradio as gr

from playground import pace, plots, timeline
from playground.glance import Glance, glance, is_at_rest
from playground.look import Look, look
from playground.workspace import Workspace

Cursor = dict[str, Any]
# Components that keep what they were told: a tick brings them what is new since their cursor, if anything.
STREAMS = {"train.chart": plots.follow, "train.timeline": timeline.follow}
# Choices of a model: never empty where there is one, and they move on to the selected run as soon as it has its own.
MOVING = ("generate.checkpoint", "inside.checkpoint", "share.run")
# What one browser saw of a training, others are told for so long. assumed: less than a tick, so that none misses one
SIGHT_SECONDS = 0.7


class Part(Protocol):
    """A module of the page that follows the disk."""

    FOLLOWS: tuple[str, ...]

    def follow(self, look: Look) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Sight:
    """A look, the glance before it, when it was, and what each part of the page shows of it."""

    look: Look
    glance: Glance
    at: float
    shown: dict[str, Any]

    def is_valid(self, now: Glance, seconds: float) -> bool:
        """Whether another look would show the same, or at most what a training wrote in the last `seconds`."""
        is_fresh = time.monotonic() - self.at < seconds
        return is_fresh and (self.glance == now or not is_at_rest(self.look))


class Watcher:
    """Follows the disk for `parts`, by their names on the page; `outputs` names what a tick may update, in order."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self.parts = parts
        self.names = tuple(f"{part}.{name}" for part, module in parts.items() for name in module.FOLLOWS)
        self.outputs = (*STREAMS, *self.names, "cursor")
        self._sights: WeakKeyDictionary[Workspace, dict[tuple[str, str], Sight]] = WeakKeyDictionary()

    def widgets(self, page: SimpleNamespace) -> list[gr.components.Component]:
        """The widgets of `outputs`."""
        places = [name.split(".") for name in self.outputs[:-1]]
        return [*(getattr(getattr(page, part), name) for part, name in places), page.cursor]

    def watch(
        self,
        space: Workspace,
        selected: str,
        cursor: Cursor,
        language: str,
        seconds: float = 0.0,
        deaf: Collection[str] = (),
    ) -> tuple[Any, ...]:
        """Look at the disk once, or take what another browser saw of a training in the last `seconds`.

        Inputs: the run that this browser shows (empty: none), what it was told before, its language.
        Outputs: `outputs`; `gr.skip()` for what is as it was, and for those of them that are `deaf`: told another time.
        """
        now = glance(space, selected, language)
        if cursor.get("glance") == now:
            return (gr.skip(),) * len(self.outputs)
        sight = self._sights.get(space, {}).get((selected, language))
        if sight is None or not sight.is_valid(now, seconds):
            sight = self._sight(space, selected, language, now)
        return self._told(sight, cursor, deaf)

    def _sight(self, space: Workspace, selected: str, language: str, now: Glance) -> Sight:
        seen = look(space, selected, language)
        shown = {f"{part}.{name}": v for part, module in self.parts.items() for name, v in module.follow(seen).items()}
        sight = Sight(seen, now, time.monotonic(), shown)
        others = self._sights.get(space, {}).items()
        fresh = {key: one for key, one in others if sight.at - one.at < SIGHT_SECONDS}
        self._sights[space] = fresh | {(selected, language): sight}
        return sight

    def _told(self, sight: Sight, cursor: Cursor, deaf: Collection[str]) -> tuple[Any, ...]:
        """What a browser that was told `cursor` is told of `sight`; the `deaf` are where they were."""
        seen, selected, before = sight.look, sight.look.selected, cursor.get("shown", {})
        shown = {name: before.get(name) if name in deaf else value for name, value in sight.shown.items()}
        updates, places = {}, {name: cursor.get(name, {}) for name in STREAMS}
        for name in STREAMS.keys() - set(deaf):
            value, places[name] = STREAMS[name](seen, places[name])
            updates |= {name: value} if value else {}
        updates |= {name: _update(value) for name, value in shown.items() if before.get(name) != value}
        updates |= {
            name: _moved(name, shown, selected) for name in MOVING if _has_arrived(name, shown, before, selected)
        }
        is_all = shown == sight.shown and not STREAMS.keys() & set(deaf)
        updates["cursor"] = places | dict(shown=shown, glance=sight.glance if is_all and is_at_rest(seen) else None)
        return tuple(updates.get(name, gr.skip()) for name in self.outputs)

    def leave(self) -> tuple[Any, ...]:
        """There is nothing to look at any more. Outputs: `outputs`."""
        return tuple(pace.OVER if name == "frame.pace" else gr.skip() for name in self.outputs)

    def open(self, space: Workspace, language: str, session: str = "") -> tuple[Any, ...]:
        """A page opens: show the run that is being trained, else the newest. Outputs: those of `choose`.

        The page learns Gradio's name of it, `session`, by which it asks for looks past Gradio (`playground.quick_look`).
        """
        run = space.library.default()
        told = dict(zip(self.outputs, self.watch(space, run, {}, language), strict=True))
        told["frame.pace"] = told["frame.pace"] | dict(session=session)  # the other one is what others are told, too
        return (run, *told.values())

    def choose(self, space: Workspace, run: str, language: str) -> tuple[Any, ...]:
        """Show another run, everywhere.

        Inputs: its name, or an empty text for a new one. Outputs: the name, then `outputs` from the beginning.
        """
        run = run if space.library.has(run) else ""
        told = dict(zip(self.outputs, self.watch(space, run, {}, language), strict=True))
        shown = told["cursor"]["shown"]
        # A run without a model leaves the choices as they are.
        told |= {name: _update(shown[name]) for name in MOVING if _own(shown[name], run) is None}
        return (run, *told.values())


def _update(value: Any) -> Any:
    """How a value reaches its widget: whether it is there, what there is to choose from, or what it shows."""
    if isinstance(value, bool):
        return gr.update(visible=value)
    return gr.update(choices=value) if isinstance(value, list) else value


def _own(choices: list[tuple[str, str]], run: str) -> str | None:
    """The first of `choices` (label, value) that belongs to `run`."""
    return next((value for _, value in choices if run and value.split("/")[0] == run), None)


def _has_arrived(name: str, shown: dict[str, Any], before: dict[str, Any], run: str) -> bool:
    """Whether the run has got its first model since this browser looked last, or there was none at all to choose."""
    known = before.get(name, [])
    return bool(shown[name] and not known) or (_own(shown[name], run) is not None and _own(known, run) is None)


def _moved(name: str, shown: dict[str, Any], run: str) -> Any:
    """The model of the run is chosen; where it has none, that of the newest run that has."""
    return gr.update(choices=shown[name], value=_own(shown[name], run) or shown[name][0][1])
