"""Whose workspace it is: on one's own machine there is one; on a machine that many share, every visitor has their own.

A visitor is known by the sign-in (Hugging Face, or `--auth`), else by the cookie that `playground.door` handed out. Only
a hash of either is kept, and it names the visitor's folder below `visitors`: no name comes from a user. What was made
before signing in moves along as soon as nothing of it trains. A link for spectators shows one run of a workspace, read
only. Who does not come back for `Limits.idle_days` is forgotten, except for what is pinned or being trained. A clock
that is set while the app runs, or a machine that slept, makes nobody idle: the visits are moved with it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from lm import library, run_dir
from lm.errors import LMError, RunError
from lm.names import check_name
from lm.scratch import remove, sweep
from playground import limits
from playground.door import VISITOR
from playground.limits import ANONYMOUS, SIGNED_IN, Limits
from playground.queue import TrainingQueue
from playground.shares import Share
from playground.signed_out import SignedOut
from playground.text import language_of, say
from playground.workspace import Workspace

LINKS = "links"  # beside the visitors' folders
WATCH = "watch"  # in the page's address, before the token of a link for spectators
SIGN_OUT = "/logout"  # Gradio's own address
LINK = re.compile(r"[\w-]{22,64}")
SEEN_SECONDS = 60.0  # a visit is written down at most this often
CLEAN_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
LEAP_SECONDS = 600.0  # by which the clock must be off before it counts as set. assumed
MOST_IN_MEMORY = 500  # workspaces whose runs are remembered as far as they were read. assumed


@dataclass(frozen=True)
class Person:
    """One visitor; `key` is a hash that names their folder."""

    key: str
    is_signed_in: bool

    @property
    def limits(self) -> Limits:
        return SIGNED_IN if self.is_signed_in else ANONYMOUS


def persons(scope: Mapping[str, Any], username: str | None = None) -> list[Person]:
    """Who asks, the surest first: the one who signed in, then the one with the cookie."""
    info = (scope.get("session") or {}).get("oauth_info") or {}
    name = (info.get("userinfo") or {}).get("sub")
    found = [Person(_key("hub", name), True)] if name else []
    found += [Person(_key("login", username), True)] if username else []
    return [*found, *([Person(_key("cookie", scope[VISITOR]), False)] if scope.get(VISITOR) else [])]


class Workspaces:
    """The workspaces of this app's visitors: `own` for everyone or, with a queue, one for each below `visitors`."""

    def __init__(self, own: Workspace, visitors: Path | None = None, queue: TrainingQueue | None = None) -> None:
        self.own, self.visitors, self.queue = own, visitors, queue
        self._turns = own.share.turns
        self._signed_out = SignedOut(visitors.parent / "signed-out.json") if visitors else None
        self._spaces: OrderedDict[str, Workspace] = OrderedDict()
        self._seen: dict[str, float] = {}
        self._brought: dict[str, tuple[float, int]] = {}  # since when, by a clock that nobody sets; how many bytes
        self._clocks = time.time(), time.monotonic()
        self._lock = threading.RLock()

    @property
    def is_shared(self) -> bool:
        return self.visitors is not None

    def of(self, request: gr.Request | None) -> Workspace:
        """The workspace of the visitor who asks; `RunError` when it cannot be told who that is."""
        if not self.is_shared:
            return self.own
        language = language_of(request.headers)
        if token := request.query_params.get(WATCH):
            return self._watched(str(token), language)
        found = persons(request.request.scope, request.username)
        if not found:
            raise RunError(say("visitor.no_cookie", language))
        with self._lock:
            return self._of(found)

    def may_bring(self, scope: Mapping[str, Any], n_bytes: int, is_file: bool, language: str) -> None:
        """Raise a `LimitError` when a visitor may not send so much at once, or in a day."""
        if n_bytes <= 0 or not (found := persons(scope)):
            return
        who = found[0]
        limits.check_upload(who.limits, n_bytes, language)
        if is_file:
            with self._lock:
                now = time.monotonic()
                since, brought = self._brought.get(who.key, (now, 0))
                since, brought = (since, brought) if now - since < DAY_SECONDS else (now, 0)
                limits.check_disk(who.limits, brought, n_bytes, language)
                self._brought[who.key] = (since, brought + n_bytes)

    def check_sign_in(self, scope: MutableMapping[str, Any]) -> None:
        """Take a sign-in that was ended out of a visitor's session; end it where they ask to sign out."""
        if self._signed_out is None or not (session := scope.get("session")):
            return
        if scope["path"] == SIGN_OUT:
            with suppress(OSError):  # a full disk: what is remembered in memory holds until the app ends
                self._signed_out.end(session)
        else:
            self._signed_out.check(session)

    # ------------------------------------------------------------------------------------------ one's own

    def _of(self, found: list[Person]) -> Workspace:
        who, *others = found
        if others and not self._folder(who.key).exists() and self._folder(others[0].key).exists():
            if self.queue.is_busy(others[0].key):  # trainers know where it lies: it moves when they have ended
                return self._open(Person(others[0].key, True))
            os.rename(self._folder(others[0].key), self._folder(who.key))
            self._spaces.pop(others[0].key, None)
        return self._open(who)

    def _open(self, who: Person) -> Workspace:
        space = self._spaces.get(who.key)
        if space is None or space.share.limits != who.limits:
            share = Share(who.key, who.limits, self.queue, self._turns, self._linked(who.key))
            folder = self._folder(who.key)
            space = self._spaces[who.key] = Workspace(folder / "workspace", folder / "runs", share)
            space.device = self.own.device
        self._spaces.move_to_end(who.key)
        if len(self._spaces) > MOST_IN_MEMORY:
            self._spaces.popitem(last=False)
        self._note_visit(who)
        return space

    def _note_visit(self, who: Person) -> None:
        """Write down when and as whom they came: `clean` goes by it."""
        if time.monotonic() - self._seen.get(who.key, -SEEN_SECONDS) < SEEN_SECONDS:
            return
        with suppress(OSError):  # a full or read-only disk may be looked at; it is asked again at the next event
            self._follow_clock()
            folder = self._folder(who.key)
            folder.mkdir(parents=True, exist_ok=True)
            _write_visit(folder, time.time(), who.is_signed_in)
            self._seen[who.key] = time.monotonic()

    def _follow_clock(self) -> None:
        """Where the clock was set since the last look, set the visits by as much: nobody was away for what it skipped."""
        before, self._clocks = self._clocks, (time.time(), time.monotonic())
        leap = (self._clocks[0] - before[0]) - (self._clocks[1] - before[1])
        if abs(leap) > LEAP_SECONDS:
            for folder in self._folders():
                if visit := _visit(folder):
                    _write_visit(folder, visit["at"] + leap, visit["is_signed_in"])

    def _folders(self) -> list[Path]:
        there = self.visitors.iterdir() if self.visitors.is_dir() else ()
        return [path for path in there if path.is_dir() and not path.name.startswith(".")]

    def _folder(self, key: str) -> Path:
        assert self.visitors is not None, "only visitors have folders"
        return self.visitors / key

    # ------------------------------------------------------------------------------------------ spectators

    def show(self, space: Workspace, run: str) -> str:
        """The token of a link that shows `run` to whoever has it, for as long as the run is there."""
        if not space.library.has(run):
            raise RunError(f"{run!r} is not a run in this library; choose one there")
        record = dict(visitor=space.share.visitor, run=run)
        for path in self._links().glob("*.json"):
            if _link(path) == record:
                return path.stem
        token = secrets.token_urlsafe(24)
        run_dir.write_json(self._links() / f"{token}.json", record)
        space.share.linked[run] = token
        return token

    def hide(self, space: Workspace, run: str) -> None:
        """Links to `run` show nothing from now on."""
        for path in self._links().glob("*.json"):
            if _link(path) == dict(visitor=space.share.visitor, run=run):
                path.unlink(missing_ok=True)
                self._spaces.pop(f"{WATCH}:{path.stem}", None)
        space.share.linked.pop(run, None)

    def shows(self, token: str) -> bool:
        """Whether a link with this token shows a run; on one's own machine links mean nothing, and none is refused."""
        record = self._record(token) if self.is_shared else None
        is_there = record is not None and (self._folder(record["visitor"]) / "runs" / record["run"]).is_dir()
        return is_there or not self.is_shared

    def is_gone(self, request: gr.Request) -> bool:
        """Whether a spectator asks whose link shows nothing any more: it was taken back, or the run is gone."""
        token = request.query_params.get(WATCH)
        return bool(token) and not self.shows(str(token))

    def _record(self, token: str) -> dict[str, str] | None:
        return _link(self.visitors.parent / LINKS / f"{token}.json") if LINK.fullmatch(token) else None

    def _watched(self, token: str, language: str) -> Workspace:
        record = self._record(token)
        if record is None:
            raise RunError(say("visitor.no_link", language))
        with self._lock:
            key = f"{WATCH}:{token}"
            if key not in self._spaces:
                self._spaces[key] = self._shown(record)
            self._spaces.move_to_end(key)
            return self._spaces[key]

    def _shown(self, record: Mapping[str, str]) -> Workspace:
        runs_dir = self._folder(record["visitor"]) / "runs"
        return Workspace(self._links() / "nothing", runs_dir, Share(limits=ANONYMOUS, only=record["run"]))

    def _linked(self, visitor: str) -> dict[str, str]:
        """A visitor's runs that links show, each with its token."""
        there = (self.visitors.parent / LINKS).glob("*.json")  # on a read-only disk there may be no such folder
        records = ((path.stem, _link(path)) for path in there)
        return {record["run"]: token for token, record in records if record and record["visitor"] == visitor}

    def _links(self) -> Path:
        assert self.visitors is not None, "only on a shared machine"
        folder = self.visitors.parent / LINKS
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # ------------------------------------------------------------------------------------------ those who left

    def keep_clean(self) -> None:
        """`clean` again and again, in a thread of its own."""
        while True:
            with suppress(LMError, OSError):  # a file that cannot be read now may be an hour later
                self.clean()
            time.sleep(CLEAN_SECONDS)

    def clean(self) -> None:
        """Remove what visitors left who did not come back, and links that show nothing any more.

        Runs that say that they wait, and lost their place when an app died or the disk was full, are said to be stopped.
        """
        with self._lock:
            self._follow_clock()
        for folder in (self.visitors, self._links()):
            sweep(folder)
        for folder in self._folders():
            Workspace(folder / "workspace", folder / "runs").clean()
            with self._lock:
                if _is_idle(folder) and not self.queue.is_busy(folder.name):
                    self._spaces.pop(folder.name, None)
                    _empty(folder)
            for run in run_dir.list_runs(folder / "runs"):
                self.queue.settle(run)
        for path in self._links().glob("*.json"):
            record = _link(path)
            if record is None or not run_dir.is_run(self._folder(record["visitor"]) / "runs" / record["run"]):
                with suppress(OSError):  # what is no file, or no longer there
                    path.unlink()
        self._forget()

    def _forget(self) -> None:
        """What was written down of visits and uploads that counts no more."""
        with self._lock:
            self._seen = {key: at for key, at in self._seen.items() if time.monotonic() - at < SEEN_SECONDS}
            self._brought = {
                key: (since, n) for key, (since, n) in self._brought.items() if time.monotonic() - since < DAY_SECONDS
            }


def _is_idle(folder: Path) -> bool:
    """Whether nobody came for too long; a folder without a word about it is not ours."""
    visit = _visit(folder)
    if visit is None:
        return False
    if visit["at"] > time.time():  # written while the clock was ahead: it would never be long ago
        _write_visit(folder, time.time(), visit["is_signed_in"])
    most = (SIGNED_IN if visit["is_signed_in"] else ANONYMOUS).idle_days
    return time.time() - visit["at"] > most * DAY_SECONDS


def _visit(folder: Path) -> dict[str, Any] | None:
    """When the visitor was last `at` the page, in seconds since the epoch, and as whom; a damaged note counts as now."""
    seen = folder / "seen.json"
    if not seen.is_file():
        return None
    try:
        with run_dir.explaining_damage(seen):
            said = run_dir.read_json(seen)
            return dict(at=float(said["at"]), is_signed_in=bool(said["is_signed_in"]))
    except RunError:
        _write_visit(folder, time.time(), is_signed_in=True)
        return dict(at=time.time(), is_signed_in=True)


def _write_visit(folder: Path, at: float, is_signed_in: bool) -> None:
    run_dir.write_json(folder / "seen.json", dict(at=at, is_signed_in=is_signed_in))


def _link(path: Path) -> dict[str, str] | None:
    """What a link shows: a visitor's run; None where there is no such link, or one that was damaged."""
    try:
        with run_dir.explaining_damage(path):
            said = run_dir.read_json(path)
            return dict(visitor=str(said["visitor"]), run=check_name(str(said["run"])))
    except RunError:
        return None


def _empty(folder: Path) -> None:
    """Remove a workspace, but for what is pinned or being trained."""
    runs_dir = folder / "runs"
    pinned = library.pins(runs_dir)
    runs = run_dir.list_runs(runs_dir)
    kept = [run for run in runs if run.name in pinned or run_dir.state(run) in run_dir.ACTIVE_STATES]
    if not kept:
        remove(folder)
        return
    for path in [folder / "workspace", *(run.path for run in runs if run not in kept)]:
        remove(path)


def _key(kind: str, secret: str) -> str:
    """A name for a folder: the same for the same visitor, and nothing can be learnt from it."""
    return hashlib.sha256(f"{kind}:{secret}".encode()).hexdigest()[:40]
