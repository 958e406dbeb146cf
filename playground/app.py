"""The playground: a Gradio page over the run directories. This file lays out the frame and connects its events.

What a widget does stands in `playground.tabs`, how events reach it in `playground.edge`, how the page follows the disk
in `playground.watch`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from lm import backup
from lm.errors import LMError, RunError
from lm.threads import set_up_threads
from playground import (
    choosing,
    frame,
    guest,
    installable,
    limits,
    markup,
    pace,
    quick_look,
    sessions,
    settings_form,
    shelf,
    text,
    theme,
)
from playground.door import Door
from playground.edge import Edge, situation
from playground.installable import Installable
from playground.no_link import NoLink
from playground.queue import TrainingQueue, slots_here
from playground.quick_look import QuickLook
from playground.spoken import Spoken
from playground.start_page import StartPage
from playground.statics import Statics, plotly_address
from playground.tabs import compare, corpus, generate, inside, share, train
from playground.visitor import is_on_space, keep_own_token, sign_in_button
from playground.watch import SIGHT_SECONDS, Watcher
from playground.workspace import SERVED, Workspace
from playground.workspaces import Workspaces

MAX_FILE_SIZE = "1gb"  # LM_MAX_FILE_SIZE says otherwise
# Of the address space; with 1.2 GB no thread begins and the page stays empty, with 2.5 GB it trains. measured on Linux
LEAST_ADDRESS_BYTES = 2_000_000_000
FIRST_SAMPLES = dict(en="tales", ja="tales_ja")
TABS = dict(corpus=corpus, train=train, generate=generate, compare=compare, inside=inside, share=share)
WATCHER = Watcher(
    dict(frame=frame, guest=guest, train=train, generate=generate, compare=compare, inside=inside, share=share)
)
# What Gradio is told before it makes its queue. Its statistics of events, which nobody reads here, took a pandas
# table of the last 10,000 events after each one.
QUIET_GRADIO = dict(
    GRADIO_ANALYTICS_ENABLED="False", GRADIO_ANALYTICS_CACHE_FREQUENCY="1000000000", GRADIO_ANALYTICS_MAX_EVENTS="100"
)
# Its queue looks for something to do a thousand times a second by itself. Measured with nobody there, it takes 66 ms a
# second, with a hundred times 20, with twenty 5.
QUEUE_LOOK_SECONDS, QUEUE_PROGRESS_SECONDS = 0.05, 0.5
STAY_SECONDS = 3600.0  # any length: Ctrl-C ends it
# Larger answers are compressed; Gradio would send its page of 410 kB as it is. Measured: 100 kB.
PACKED_BYTES = 10_000
# Gradio keeps copies of uploads and downloads: look every hour, delete what is a day old.
CACHE_SECONDS = (3600, 86_400)


def build_app(workspaces: Workspaces) -> gr.Blocks:
    """The whole page over the visitors' workspaces; `launch_options` belongs to its `launch`."""
    with gr.Blocks(title="LM Playground", fill_width=True, analytics_enabled=False, delete_cache=CACHE_SECONDS) as app:
        page = SimpleNamespace(language=gr.State("en"), cursor=gr.State({}), selected=gr.State(""), watcher=WATCHER)
        page.app, page.frame = app, SimpleNamespace()
        with gr.Column(elem_id="frame"):
            page.frame.header = frame.component("header", frame.header("", "en"))
            if is_on_space():  # that of the Share tab is drawn only when the tab is opened
                sign_in_button("account", visible="hidden")
            with gr.Column(elem_id="library"):
                page.frame.library = frame.component("runs")
                page.frame.told = gr.HTML(elem_id="library-told", apply_default_css=False)
                page.guest = guest.build()
            with gr.Column(elem_id="work"), gr.Tabs(selected="train", elem_id="tabs"):
                for name, tab in TABS.items():
                    with gr.Tab(text.label(f"tab.{name}"), id=name, render_children=True) as opened:
                        setattr(page, name, tab.build())
                        getattr(page, name).tab = opened
            page.frame.status_bar = frame.component("status-bar")
            page.frame.pace = pace.component()
        page.watched = WATCHER.widgets(page)
        quick_look.hear(page.watched)
        page.chosen = [page.selected, *page.watched]
        on = Edge(workspaces)
        _connect_frame(app, page, on)
        for tab in TABS.values():
            tab.connect(page, on)
    return app


def launch_options(workspaces: Workspaces) -> dict[str, Any]:
    """What `launch` needs besides the address: look, languages, the door before it, manners."""
    packed = Middleware(GZipMiddleware, minimum_size=PACKED_BYTES, compresslevel=4)
    return dict(
        theme=theme.theme(),
        css=settings_form.symbols_css([*train.FIELDS, *generate.FIELDS]),
        css_paths=[theme.asset("style.css")],
        head=f'<script src="{plotly_address()}" defer></script>{installable.head()}',
        i18n=text.translations(),
        favicon_path=theme.asset("icon.svg"),
        app_kwargs=dict(
            middleware=[
                *map(Middleware, (Statics, Installable)),
                Middleware(Door, keeper=workspaces),
                Middleware(QuickLook, keeper=workspaces, watcher=WATCHER),
                Middleware(NoLink, keeper=workspaces),
                Middleware(StartPage),
                packed,
                Middleware(Spoken),
            ]
        ),
        max_file_size=os.environ.get("LM_MAX_FILE_SIZE", MAX_FILE_SIZE),
        footer_links=[],
        run_history=False,
        state_session_capacity=sessions.SESSIONS,
        show_error=False,
        ssr_mode=False,
    )


def enter(space: Workspace, language: str, session: str) -> tuple[Any, ...]:
    """A page opens.

    Inputs: the visitor's language, Gradio's name of the page. Outputs: the language, the texts there are, the samples, what
    the tabs teach, the dial and the plan, then those of `Watcher.open`.
    """
    told = markup.fine(limits.upload_words(space.share.limits, language))
    if not (space.names() or space.share.is_shown):
        try:
            corpus.read_sample(space, FIRST_SAMPLES[language])
        except (LMError, OSError) as error:  # where nothing can be written, what is there is looked at all the same
            told = markup.fault(situation(error), language)
    names = space.names()
    return (
        language,
        gr.update(choices=names, value=names[0] if names else None),
        gr.update(choices=corpus.sample_choices(language)),
        _tokenizers_title(language),
        told,
        generate.empty(language),
        *choosing.first_words(language),
        *WATCHER.open(space, language, session),
    )


# ---------------------------------------------------------------------------------------------- events


def _connect_frame(app: gr.Blocks, page: SimpleNamespace, on: Edge) -> None:
    watcher = page.watcher
    shelf.connect(page, on)
    guest.connect(page, on)

    def load(space: Workspace, request: gr.Request) -> tuple[Any, ...]:
        return enter(space, text.language_of(request.headers), request.session_hash)

    def select(space: Workspace, language: str, event: gr.EventData) -> tuple[Any, ...]:
        return watcher.choose(space, str(event.run), language)

    def tick(request: gr.Request, *seen: Any) -> tuple[Any, ...]:
        if on.workspaces.is_gone(request):
            return watcher.leave()
        return watcher.watch(on.workspaces.of(request), *seen, seconds=SIGHT_SECONDS)

    taught = [page.corpus.title, page.corpus.limits, page.generate.page, page.train.dial, page.train.plan]
    entered = [page.language, page.corpus.corpus, page.corpus.sample, *taught]
    on(app.load, load, None, [*entered, *page.chosen], is_look=True)
    runs = [page.frame.library.select, page.frame.status_bar.select]
    told = page.frame.told  # what was refused there is over when another run is looked at
    on(runs, select, page.language, page.chosen, told=told, is_look=True, trigger_mode="always_last")
    seen = [page.selected, page.cursor, page.language]
    manners = dict(queue=False, trigger_mode="once")  # outside the queue a tick is one request. assumed cheaper
    on(page.frame.pace.look, tick, seen, page.watched, is_look=True, **manners)


def _tokenizers_title(language: str) -> str:
    title, about = (text.say(f"corpus.tokenizers{part}", language) for part in ("", "_say"))
    return f'<h3>{markup.escape(title)}</h3><p class="teach">{markup.escape(about)}</p>'


# ---------------------------------------------------------------------------------------------- the command line


def main(argv: Sequence[str] | None = None) -> None:
    """`python app.py`: open the playground and stay until it is ended. Trainings go on without it."""
    arguments = _parser().parse_args(argv)
    _check_room()
    set_up_threads()
    for name, value in (QUIET_GRADIO | dict(HF_HUB_DISABLE_TELEMETRY="1")).items():
        os.environ.setdefault(name, value)
    if is_on_space() or arguments.multi_user:
        keep_own_token()
    backup.start(arguments.runs_dir)
    workspaces = _workspaces(arguments)
    space = workspaces.own
    app = build_app(workspaces)
    host = arguments.host or os.environ.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if is_on_space() else "127.0.0.1")
    _, address, _ = _queued(app).launch(
        server_name=host,
        server_port=arguments.port,
        auth=_logins(arguments.auth),
        prevent_thread_lock=True,
        quiet=True,
        **launch_options(workspaces),
    )
    threading.Thread(target=sessions.keep_few, args=(app,), daemon=True).start()
    print(f"LM Playground is open at {address}  (runs: {space.runs_dir.resolve()}; Ctrl-C closes it)", flush=True)
    if not (arguments.no_browser or is_on_space()) and _has_screen():
        webbrowser.open(address)
    _stay(app)


def _stay(app: gr.Blocks) -> None:
    """Until Ctrl-C. Gradio's own way of waiting wakes up ten times a second."""
    try:
        while True:
            time.sleep(STAY_SECONDS)
    except KeyboardInterrupt:
        app.close(verbose=False)


def _queued(app: gr.Blocks) -> gr.Blocks:
    """`app` with its queue of events, which looks for them as often as a person would notice."""
    app.queue(default_concurrency_limit=4)
    app._queue.sleep_when_free, app._queue.progress_update_sleep_when_free = QUEUE_LOOK_SECONDS, QUEUE_PROGRESS_SECONDS
    return app


def _workspaces(arguments: argparse.Namespace) -> Workspaces:
    """One workspace beside the runs; one for each visitor on a Space, or where it was asked for."""
    home = arguments.runs_dir.parent
    if "GRADIO_TEMP_DIR" not in os.environ:
        os.environ["GRADIO_TEMP_DIR"] = _served((home / "workspace" / SERVED).resolve())
    own = Workspace(home / "workspace", arguments.runs_dir)
    own.clean()
    threading.Thread(target=own.look_at_device, daemon=True).start()
    if not (arguments.multi_user or is_on_space()):
        return Workspaces(own)
    queue = TrainingQueue(home / "queue.json", slots_here())
    try:
        queue.claim()
    except RunError as error:
        raise SystemExit(f"app.py: {error}") from None
    workspaces = Workspaces(own, home / "visitors", queue)
    for work in (queue.keep_going, workspaces.keep_clean):
        threading.Thread(target=work, daemon=True).start()
    return workspaces


def _check_room() -> None:
    """End with the reason where this process may have so little memory that its page would stay empty."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most not in (-1, resource.RLIM_INFINITY) and most < LEAST_ADDRESS_BYTES:
        raise SystemExit(
            f"app.py: `ulimit -v` leaves this process {most / 1e9:.1f} GB of memory, and the page takes "
            f"{LEAST_ADDRESS_BYTES / 1e9:.0f} GB, most of it only by name; raise the limit"
        )


def _served(folder: Path) -> str:
    """Where all lies that a browser brings or may fetch, each under a name that nobody can guess, and nothing else.

    That is `folder`; where it cannot be written to, one among the system's temporary files.
    """
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return str(folder) if os.access(folder, os.W_OK) else tempfile.mkdtemp(prefix="lm-playground-")


def _lasting() -> Path:
    """The folder whose files stay: the persistent storage of a Space that has one, else where we are."""
    return Path("/data") if is_on_space() and os.access("/data", os.W_OK) else Path()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app.py", description="Train a GPT on your own text, in your browser.")
    parser.add_argument(
        "--host", default="", help="address to listen on (GRADIO_SERVER_NAME; 127.0.0.1: this machine only)"
    )
    parser.add_argument(
        "--port", type=int, help="port to listen on (GRADIO_SERVER_PORT; the first free one from 7860 on)"
    )
    parser.add_argument("--runs-dir", type=Path, default=_lasting() / "runs", help="where the runs are kept")
    parser.add_argument(
        "--auth", default="", metavar="NAME:PASSWORD", help="ask for a name and a password; several: a:b,c:d"
    )
    parser.add_argument(
        "--multi-user",
        action="store_true",
        help="give every visitor a workspace of their own, and limits; as on a Space",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser tab")
    return parser


def _logins(auth: str) -> list[tuple[str, str]] | None:
    """`a:b,c:d` as pairs; a login without a password ends the program with a word about it."""
    pairs = [tuple(login.partition(":")[::2]) for login in auth.split(",") if login]
    if any(not (name and password) for name, password in pairs):
        raise SystemExit("app.py: --auth needs NAME:PASSWORD, for example --auth reader:correct-horse")
    return pairs or None


def _has_screen() -> bool:
    """Whether a browser tab can open here: a desktop, not a bare server."""
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return os.name == "nt" or sys.platform == "darwin" or bool(has_display)
