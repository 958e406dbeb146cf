"""The way to the Hugging Face Hub: one client, one account, and every refusal in words that say what to do.

`connect` gives the Hub's own client, `attended` runs what may take long in a thread that can be given up, `patiently`
tries again what a moment can heal, `promptly` asks what is answered at once or not at all, and `explaining` turns what
the client raises into a `HubError`. What each single request has to hold to is the business of `lm.wire`, what travels
there and back that of `lm.push`, `lm.pull` and `lm.space`.

A token comes from an argument, `HF_TOKEN` or `hf auth login`. It is handed to the client, which puts it into the
authorization header, and to nobody else: it is not stored, logged, or told in an error.

Large files take the plain HTTP road, not Xet: only there can a transfer be counted and cancelled with the client's
public interface (huggingface_hub 2.4).
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any, TypeVar

import huggingface_hub
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from lm import wire
from lm.errors import HubError

TOKENS_PAGE = "https://huggingface.co/settings/tokens"
PUBLIC_ENDPOINT = "https://huggingface.co"
# Waits before the second, third and fourth attempt at what may heal by itself. Large files have the client's own,
# longer.
BACKOFF_SECONDS = (1.0, 2.0, 4.0)
POLL_SECONDS = 0.1
PROMPT_SECONDS = 60.0  # for a short question, with all that is tried again. assumed
GIVE_UP_SECONDS = 3.0  # how long a cancelled transfer may take to end properly before it is left alone
PASSING_STATUSES = (408, 429, 500, 502, 503, 504)
FAILURES = (
    HTTPError,
    OSError,
    ValueError,
    RuntimeError,
)  # what the client raises; those without words here are raised on

Progress = Callable[[str, int, int], None]  # (what is going on, bytes done, bytes in all)
T = TypeVar("T")


class Cancelled(HubError):
    """The user gave up; the text says what exists and how to go on."""

    kind = "cancelled"


@dataclass(frozen=True)
class Account:
    """Whose token it is, and which names it may write under."""

    name: str
    namespaces: tuple[str, ...]
    can_write: bool


def silence(words: str, done: int, total: int) -> None:
    """A `Progress` that reports nothing."""


def never() -> bool:
    """A `should_stop` that never stops anything."""
    return False


# ---------------------------------------------------------------------------------------------- client and account


def endpoint() -> str:
    """The address of the Hub, or of the mirror that `HF_ENDPOINT` names."""
    return os.environ.get("HF_ENDPOINT", PUBLIC_ENDPOINT).rstrip("/")


def _homes() -> tuple[str, ...]:
    """The addresses that may see a token: a mirror, and the Hub that it mirrors."""
    return endpoint(), PUBLIC_ENDPOINT


def connect(token: str | None = None) -> HfApi:
    """The Hub's client. Without a token it uses `HF_TOKEN` or that of `hf auth login`, if there is one."""
    if token is not None and not re.fullmatch(r"[!-~]+", token.strip()):
        raise HubError(f"this is no token: a token is one word, as {TOKENS_PAGE} shows it (hf_…)")
    wire.guard(_homes)
    constants.HF_HUB_DISABLE_XET = True
    # The client read the variable when it was imported; else it would tell what runs here besides.
    constants.HF_HUB_DISABLE_TELEMETRY = os.environ.get("HF_HUB_DISABLE_TELEMETRY", "1") != "0"
    return HfApi(endpoint=endpoint(), token=token.strip() if token else None, library_name="lm-playground")


def account(api: HfApi, should_stop: Callable[[], bool] = never) -> Account:
    """Whose token this is; fails at once where there is none, a wrong one, or no network."""
    if api.token is None and constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:  # `whoami` would take the machine's own token
        raise LocalTokenNotFoundError
    return promptly(lambda: _account(api.whoami()), should_stop)


def _account(said: dict[str, Any]) -> Account:
    token = said.get("auth", {}).get("accessToken", {})
    organisations = tuple(org["name"] for org in said.get("orgs", []) if org.get("roleInOrg") != "read")
    return Account(said["name"], (said["name"], *organisations), token.get("role") != "read")


def writable(name: str, who: Account) -> str:
    """`name` as user/repo if this account may write there, else a `HubError`; a bare name is the user's own."""
    if not who.can_write:
        raise HubError(
            f"the token of {who.name!r} may only read; make one with write permission at {TOKENS_PAGE} and use that"
        )
    full = check_repo(name if "/" in name else f"{who.name}/{name}")
    namespace, short = full.split("/")
    if namespace not in who.namespaces:
        raise HubError(
            f"the name {namespace!r} belongs to someone else; this token writes under {' or '.join(who.namespaces)}: "
            f"use for example {who.name}/{short}"
        )
    return full


def check_repo(name: str) -> str:
    """`name` itself if a repository may be called user/repo so, else a `HubError` with one that it may be."""
    is_valid = re.fullmatch(r"[\w-](?:[\w.-]*[\w-])?/[\w-](?:[\w.-]*[\w-])?", name, re.ASCII) is not None
    if is_valid and len(name) <= 96 and "--" not in name and ".." not in name and not name.endswith(".git"):
        return name
    parts = [re.sub(r"[^A-Za-z0-9_]+", "-", part).strip("-") for part in name.split("/")[-2:]]
    example = "/".join(part or "my-model" for part in (parts if len(parts) == 2 else ["user", *parts]))[:96]
    raise HubError(
        f"{name!r} cannot name a repository: it is user/name in letters, digits, '-', '_' and '.', at most 96 of them, "
        f"without '--' or '..' and not ending in '.git'; for example {example}"
    )


# ---------------------------------------------------------------------------------------------- patience


def patiently(
    call: Callable[..., T],
    *words: Any,
    heals: Callable[[BaseException], bool] | None = None,
    is_stopped: Callable[[], bool] = never,
    **named: Any,
) -> T:
    """`call(*words, **named)`, tried again after pauses of `BACKOFF_SECONDS` while its failure is one that `heals`.

    By default that is whatever `is_passing`. `Cancelled` as soon as `is_stopped` in a pause.
    """
    try:
        return _tried(call, words, named, heals or is_passing, is_stopped)
    except (AttributeError, KeyError, TypeError, JSONDecodeError) as error:  # the client trips over what it was sent
        raise HubError(_no_hub(error)) from error


def _tried(
    call: Callable[..., T],
    words: Sequence[Any],
    named: Mapping[str, Any],
    heals: Callable[[BaseException], bool],
    is_stopped: Callable[[], bool],
) -> T:
    for wait_seconds in BACKOFF_SECONDS:
        try:
            return call(*words, **named)
        except FAILURES as error:
            if not heals(error):
                raise
        deadline = time.monotonic() + wait_seconds
        while time.monotonic() < deadline:
            if is_stopped():
                raise Cancelled("cancelled")
            time.sleep(POLL_SECONDS)
    return call(*words, **named)


def promptly(call: Callable[..., T], should_stop: Callable[[], bool], *words: Any) -> T:
    """`call(*words)`, a short question, `patiently`; `HubError` when that takes longer than `PROMPT_SECONDS`."""
    deadline = time.monotonic() + PROMPT_SECONDS

    def ask(is_stopped: Callable[[], bool]) -> T:
        return patiently(call, *words, heals=is_busy, is_stopped=is_stopped)

    try:
        return attended(ask, lambda: should_stop() or time.monotonic() > deadline)
    except Cancelled:
        if time.monotonic() < deadline:
            raise
        raise HubError(_late()) from None


def is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later. One that was waited for in vain was waited for enough."""
    cause, hopeless = _cause(error), (HfHubHTTPError, *wire.LATE, *wire.ASTRAY)
    return is_busy(cause) or (isinstance(cause, HTTPError) and not isinstance(cause, hopeless))


def is_busy(error: BaseException) -> bool:
    """Whether the Hub answered that it is overloaded. (No answer to a first request means that there is no network.)"""
    return isinstance(error, HfHubHTTPError) and error.response.status_code in PASSING_STATUSES


def begun(work: Callable[[], T], name: str) -> Future[T]:
    """`work()` under way in a thread of its own that keeps no process alive; the future has what comes of it."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # broad: carried over to who asks for the result, and raised there
            outcome.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome


def attended(work: Callable[[Callable[[], bool]], T], should_stop: Callable[[], bool]) -> T:
    """`work(is_stopped)` in a thread of its own, while this one asks `should_stop`; its result or its exception.

    When the user gives up, `is_stopped` turns true, and the next thing that the thread asks of the Hub, or hears from
    it, ends it; one that does not notice within `GIVE_UP_SECONDS` (its connection neither moves nor breaks) is left
    behind. Either way `Cancelled` is raised. Ctrl-C counts as giving up.
    """
    is_stopped = threading.Event()

    def check() -> None:
        if is_stopped.is_set():
            raise Cancelled("cancelled")

    def heedful() -> T:
        with wire.heeding(check):
            return work(is_stopped.is_set)

    outcome = begun(heedful, "hub transfer")
    try:
        while not outcome.done() and not should_stop():
            wait([outcome], POLL_SECONDS)
    except KeyboardInterrupt:
        pass
    is_stopped.set()
    wait([outcome], GIVE_UP_SECONDS)
    if not outcome.done():
        raise Cancelled("cancelled")
    return outcome.result()


# ---------------------------------------------------------------------------------------------- refusals in words


@contextmanager
def explaining(repo: str) -> Iterator[None]:
    """Turn what the client raises into a `HubError`, without the request that it carries along."""
    try:
        yield
        return
    except FAILURES as error:
        failure = _cause(error)
    if isinstance(failure, HubError):
        raise failure from None
    words = in_words(failure, repo)
    if words is None:
        raise failure
    raise HubError(words) from None  # the context holds the request and its headers


def in_words(error: BaseException, repo: str) -> str | None:
    """What happened and what to do, or None for what no user could have caused."""
    error = _cause(error)
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words.format(repo=repo, endpoint=endpoint(), tokens=TOKENS_PAGE)
    if isinstance(error, HfHubHTTPError):
        return _status_in_words(error, repo)
    if isinstance(error, wire.LATE):
        return _late()
    if isinstance(error, wire.ASTRAY):
        return (
            f"{endpoint()} sends us astray ({type(error).__name__}): in circles, or to what is no web address; check "
            "HF_ENDPOINT and the network, a page to sign in at for one, and try again"
        )
    if isinstance(error, FileMetadataError) or _is_senseless(error):
        return _no_hub(error.__cause__ or error)
    if isinstance(error, HTTPError):
        return f"cannot reach {endpoint()} ({type(error).__name__}); check the network and try again"
    if isinstance(error, HFValidationError):
        return f"{repo!r} cannot name a repository: it is user/name, for example alice/tales"
    if isinstance(error, ValueError) and "Invalid metadata" in str(error):
        return f"the Hub refuses the card's metadata: {_server_lines(error)}; edit the lines between the two ---"
    if isinstance(error, ValueError) and "LFS batch API" in str(error):
        return _refused_upload("; ".join(dict.fromkeys(re.findall(r"`([^`\n]+)", str(error)))))
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return f"{repo} did not arrive as the Hub says it is: another length; try again, or choose another model"
    if isinstance(error, OSError) and error.errno:
        where = error.filename or "the cache"
        return f"cannot read or write {where}: {error.strerror}; free some space or choose another place"
    return None


_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (LocalTokenNotFoundError, "no token: run `hf auth login`, set HF_TOKEN, or paste one that may write ({tokens})"),
    (OfflineModeIsEnabled, "HF_HUB_OFFLINE is set, so nothing can be sent or fetched; unset it and try again"),
    (LocalEntryNotFoundError, "cannot reach {endpoint}, and {repo} is not in the cache; pull it once while online"),
    (GatedRepoError, "{repo} is gated: ask for access at {endpoint}/{repo}, then try again with your token"),
    (RevisionNotFoundError, "{repo} has no such revision; name a branch, a tag or a whole commit hash of it"),
    (EntryNotFoundError, "{repo} lacks a file that was asked for; look at {endpoint}/{repo}"),
    (RepositoryNotFoundError, "there is no repository {repo}, or it is private and this token may not see it; check "
                              "the name at {endpoint}, or log in with `hf auth login`"),
)  # fmt: skip


def _status_in_words(error: HfHubHTTPError, repo: str) -> str:
    status, said = error.response.status_code, _said(error)
    if re.search(r"quota|storage|limit reached|exceed", said, re.IGNORECASE) and status in (400, 402, 403, 413, 507):
        return _refused_upload(said)
    if status == 401:
        return f"the Hub does not accept this token (401); it may be mistyped or revoked: make another at {TOKENS_PAGE}"
    if status == 402:
        return (
            f"the Hub asks for a paid plan (402): {said}; see {PUBLIC_ENDPOINT}/pricing, or run it on your own machine"
        )
    if status == 403:
        return (
            f"this token may not do that to {repo} (403): {said}; use one with write permission ({TOKENS_PAGE}), or "
            f"another name"
        )
    if status in (409, 412):
        return f"{repo} was changed by somebody else at the same moment ({status}); try again"
    if status == 413:
        return _refused_upload(said or "a file is too large")
    if status == 429:
        return f"the Hub asks to slow down (429): {said or 'too many requests'}; wait some minutes and try again"
    if status >= 500:
        return f"the Hub is in trouble ({status}); try again in some minutes (https://status.huggingface.co)"
    return f"the Hub refuses ({status}): {said or 'without a word'}; try again, or look at {endpoint()}/{repo}"


def _is_senseless(error: BaseException) -> bool:
    """Whether the client says that an answer has no sense, or cannot send again what was read already."""
    is_answer = isinstance(error, ValueError) and re.search(
        r"malformed|improperly formatted", str(error), re.IGNORECASE
    )
    return bool(is_answer) or (
        isinstance(error, RuntimeError) and type(error.__cause__).__name__ == "LocalProtocolError"
    )


def _late() -> str:
    return f"{endpoint()} took the connection and does not go on; try again in some minutes (https://status.huggingface.co)"


def _no_hub(error: BaseException) -> str:
    return (
        f"{endpoint()} does not answer as the Hub does ({type(error).__name__}); check HF_ENDPOINT and the network, a "
        "page to sign in at for one, and try again"
    )


def _refused_upload(said: str) -> str:
    return (
        f"the Hub does not take these files: {said}; leave out --with-corpus and --resume, or free space "
        f"({PUBLIC_ENDPOINT}/settings/billing)"
    )


def _cause(error: BaseException) -> BaseException:
    """The failure inside those that the client puts around it: of an upload, or of a look for what is not cached."""
    wrappers, known = (RuntimeError, LocalEntryNotFoundError), (*FAILURES, HubError)
    while isinstance(error, wrappers) and isinstance(error.__cause__, known):
        error = error.__cause__
    return error


def _said(error: HfHubHTTPError) -> str:
    """The server's own words, in one line, without what looks like a token."""
    return re.sub(r"\bhf_\w+", "hf_…", " ".join((error.server_message or "").split()))


def _server_lines(error: BaseException) -> str:
    lines = [line.strip("- ") for line in str(error).splitlines()[1:]]
    return "; ".join(line for line in lines if line)


@contextmanager
def quietly() -> Iterator[None]:
    """Without the client's own progress bars: ours are elsewhere."""
    was_quiet = huggingface_hub.utils.are_progress_bars_disabled()
    huggingface_hub.utils.disable_progress_bars()
    try:
        yield
    finally:
        if not was_quiet:
            huggingface_hub.utils.enable_progress_bars()
