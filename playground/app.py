"""The playground: a Gradio page over the run directories. This file lays out the frame and connects its events.

What a widget does stands in `playground.tabs`, what a run looks like in `playground.markup`, how the page follows the
disk in `playground.watch`.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import urllib.parse
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm.threads import sleep_at_barriers
from playground import markup, settings_form, text, theme, watch
from playground.edge import at_edge
from playground.plots import plotly_bundle
from playground.tabs import corpus, generate, share, train
from playground.visitor import is_on_space, keep_own_token, visitor
from playground.workspace import Workspace

TICK_SECONDS = 1.0
MAX_FILE_SIZE = "1gb"  # LM_MAX_FILE_SIZE says otherwise
FIRST_SAMPLES = dict(en="tales", ja="tales_ja")
# Gradio keeps copies of uploads and downloads: look every hour, delete what is a day old.
CACHE_SECONDS = (3600, 86_400)
QUIET = dict(show_progress="hidden", api_visibility="private")


def build_app(space: Workspace) -> gr.Blocks:
    """The whole page over one workspace; `launch_options` belongs to its `launch`."""
    frame_js = theme.asset("frame.js").read_text(encoding="utf-8")
    with gr.Blocks(title="LM Playground", fill_width=True, analytics_enabled=False, delete_cache=CACHE_SECONDS) as app:
        page = SimpleNamespace(language=gr.State("en"), cursor=gr.State({}), selected=gr.State(""))
        with gr.Column(elem_id="frame"):
            page.header = gr.HTML(
                markup.header("", "en"), js_on_load=frame_js, elem_id="header", apply_default_css=False
            )
            page.library = gr.HTML("", js_on_load=frame_js, elem_id="library", apply_default_css=False)
            with gr.Column(elem_id="work"), gr.Tabs(selected="train", elem_id="tabs"):
                for name, tab in dict(corpus=corpus, train=train, generate=generate, share=share).items():
                    with gr.Tab(text.label(f"tab.{name}"), id=name, render_children=True) as opened:
                        setattr(page, name, tab.build())
                        getattr(page, name).tab = opened
            page.status_bar = gr.HTML("", js_on_load=frame_js, elem_id="status-bar", apply_default_css=False)
        page.timer = gr.Timer(TICK_SECONDS, active=False)  # until the page knows what it shows
        page.watched = _watched(page)
        _connect_frame(app, page, space)
        _connect_corpus(page, space)
        _connect_train(page, space)
        _connect_generate(page, space)
        _connect_share(page, space)
    return app


def launch_options(space: Workspace) -> dict[str, Any]:
    """What `launch` needs besides the address: look, languages, files that may be served, manners."""
    gr.set_static_paths([plotly_bundle().parent])
    bundle = urllib.parse.quote(plotly_bundle().as_posix())
    return dict(
        theme=theme.theme(),
        css=settings_form.symbols_css([*train.FIELDS, *generate.FIELDS]),
        css_paths=[theme.asset("style.css")],
        head=f'<script src="gradio_api/file={bundle}" defer></script>',
        i18n=text.translations(),
        favicon_path=theme.asset("icon.svg"),
        allowed_paths=[str(space.downloads.resolve())],
        max_file_size=os.environ.get("LM_MAX_FILE_SIZE", MAX_FILE_SIZE),
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
    )


def enter(space: Workspace, accept_language: str) -> tuple[Any, ...]:
    """A page opens.

    Inputs: the browser's Accept-Language. Outputs: its language, the texts there are, what the tabs teach,
    then those of `choose` for the run that is being trained, else the newest.
    """
    language = text.language_of(accept_language)
    if not space.names():
        corpus.read_sample(space, FIRST_SAMPLES[language])
    names = space.names()
    return (
        language,
        gr.update(choices=names, value=names[0]),
        _tokenizers_title(language),
        generate.empty(language),
        *watch.choose(space, space.library.default(), language),
    )


# ---------------------------------------------------------------------------------------------- events


def _watched(page: SimpleNamespace) -> list[gr.components.Component]:
    """The widgets that a tick updates, in the order of `watch.OUTPUTS`."""
    own = dict(checkpoint=page.generate.checkpoint, share_run=page.share.run, share_note=page.share.note)
    return [own.get(name) or getattr(page, name, None) or getattr(page.train, name) for name in watch.OUTPUTS]


def _chosen(page: SimpleNamespace) -> list[gr.components.Component]:
    """The outputs of `watch.choose`."""
    return [page.selected, *page.watched]


def _connect_frame(app: gr.Blocks, page: SimpleNamespace, space: Workspace) -> None:
    def load(request: gr.Request) -> tuple[Any, ...]:
        return *enter(space, request.headers.get("accept-language", "")), gr.Timer(active=True)

    def select(language: str, event: gr.EventData) -> tuple[Any, ...]:
        return watch.choose(space, str(event.run), language)

    entered = [page.language, page.corpus.corpus, page.corpus.title, page.generate.page]
    app.load(at_edge(load), None, [*entered, *_chosen(page), page.timer], **QUIET)
    for source in (page.library, page.status_bar):
        source.select(select, page.language, _chosen(page), **QUIET)
    tick = [page.selected, page.cursor, page.language]
    page.timer.tick(
        partial(watch.watch, space), tick, page.watched, concurrency_limit=None, trigger_mode="once", **QUIET
    )


def _connect_corpus(page: SimpleNamespace, space: Workspace) -> None:
    w, language = page.corpus, page.language

    def offered(name: str) -> Any:
        return gr.update(choices=space.names(), value=name)

    def read_sample(sample: str, progress: gr.Progress = gr.Progress()) -> Any:
        return offered(corpus.read_sample(space, sample, progress))

    reading = dict(api_visibility="private", show_progress_on=w.shown)
    w.read_files.click(
        at_edge(lambda *values: offered(corpus.read_files(space, *values))),
        [w.files, w.aozora, w.column, language], w.corpus, **reading,
    )  # fmt: skip
    w.read_pasted.click(
        at_edge(lambda *values: offered(corpus.read_pasted(space, *values))), [w.pasted, language], w.corpus, **reading
    )
    w.read_sample.click(at_edge(read_sample), w.sample, w.corpus, **reading)
    w.corpus.change(at_edge(partial(corpus.show, space)), [w.corpus, language], w.shown, **QUIET)
    w.compare.click(
        at_edge(partial(corpus.compare, space)), [w.corpus, w.vocab_size, language], w.cuts, api_visibility="private"
    )


def _connect_train(page: SimpleNamespace, space: Workspace) -> None:
    w, language, chosen = page.train, page.language, page.corpus.corpus
    asked = [chosen, w.recipe, w.name, language, *w.settings]
    w.recipe.input(at_edge(train.recipe_values), w.recipe, w.settings, **QUIET)
    for source in (w.recipe, chosen):
        source.change(at_edge(partial(train.about_recipe, space)), [chosen, w.recipe, language], w.about, **QUIET)
    for source in (w.recipe, chosen, w.name, *w.settings):
        source.change(at_edge(partial(train.command, space)), asked, w.command, trigger_mode="always_last", **QUIET)

    def start(*values: Any) -> tuple[Any, ...]:
        return watch.choose(space, train.start(space, *values), values[3])

    w.go.click(at_edge(start), asked, _chosen(page), **QUIET)
    for button, act in ((w.stop, train.stop), (w.resume, train.resume)):
        button.click(at_edge(_then_look(act, space)), [page.selected, page.cursor, language], page.watched, **QUIET)


def _then_look(act: Callable[[Workspace, str], None], space: Workspace) -> Callable[..., tuple[Any, ...]]:
    """A handler that acts on the selected run and shows at once what came of it."""

    def handler(selected: str, cursor: watch.Cursor, language: str) -> tuple[Any, ...]:
        act(space, selected)
        return watch.watch(space, selected, cursor, language)

    return handler


def _connect_generate(page: SimpleNamespace, space: Workspace) -> None:
    w = page.generate
    asked = [w.checkpoint, w.prompt, page.language, *w.settings]
    writing = gr.on(
        [w.go.click, w.prompt.submit], at_edge(partial(generate.write, space)), asked, [w.page, w.told], **QUIET
    )
    w.stop.click(None, cancels=writing, **QUIET)

    def fetch(source: str, language: str, request: gr.Request) -> Iterator[Any]:
        yield from generate.fetch(space, request.session_hash, source, language)

    def cancel(request: gr.Request) -> None:
        generate.cancel(space, request.session_hash)

    fetched = [w.checkpoint, w.fetched, w.fetch, w.cancel]
    gr.on([w.fetch.click, w.source.submit], at_edge(fetch), [w.source, page.language], fetched, **QUIET)
    w.cancel.click(cancel, None, None, **QUIET)


def _connect_share(page: SimpleNamespace, space: Workspace) -> None:
    w, language = page.share, page.language

    def made(file: Callable[..., str]) -> Callable[..., Any]:
        return at_edge(lambda run, language: gr.update(value=file(space, run, language), visible=True))

    w.zip.click(made(share.zip_run), [w.run, language], w.file, api_visibility="private")
    w.report.click(made(share.report), [w.run, language], w.file, api_visibility="private")
    w.export.click(at_edge(partial(share.export, space)), [w.run, w.folder, language], w.exported, **QUIET)
    _connect_card(page, space)
    _connect_hub(page, space)


def _connect_card(page: SimpleNamespace, space: Workspace) -> None:
    """The form of the Share tab and the card that is written for it."""
    w, form = page.share, [*page.share.form, page.language]

    def introduce(
        request: gr.Request, signed_in: gr.OAuthToken | None, owner: str, run: str | None, repo: str
    ) -> tuple[Any, ...]:
        return share.introduce(visitor(request, "", signed_in), owner, run, repo)

    def of_form(act: Callable[..., Any]) -> Callable[..., Any]:
        return at_edge(lambda *values: act(space, share.Asked(*values[:-1]), values[-1]))

    w.tab.select(at_edge(introduce), [w.owner, w.run, w.repo], [w.owner, w.repo, w.token], **QUIET)
    w.run.change(at_edge(partial(share.suggest, space)), [w.owner, w.run, page.language], w.suggested, **QUIET)
    w.preview.click(of_form(share.preview), form, w.previews, **QUIET)
    for choice in (w.which, w.repo, w.with_corpus, w.license, w.languages):
        choice.change(of_form(share.rewrite), form, w.previews, trigger_mode="always_last", **QUIET)
    w.look_tab.select(at_edge(partial(share.look, space)), [w.run, w.card], w.look, **QUIET)


def _connect_hub(page: SimpleNamespace, space: Workspace) -> None:
    """What travels from the Share tab. A typed token is an input here and nowhere else."""
    w, language = page.share, page.language

    def push(request: gr.Request, signed_in: gr.OAuthToken | None, token: str, *values: Any) -> Iterator[Any]:
        *form, language = values
        yield from share.push(space, visitor(request, token, signed_in), share.Asked(*form), language)

    def publish(request: gr.Request, signed_in: gr.OAuthToken | None, token: str, *values: Any) -> Iterator[Any]:
        yield from share.publish(space, visitor(request, token, signed_in), *values)

    def cancel(request: gr.Request) -> None:
        share.cancel(space, request.session_hash)

    w.push.click(at_edge(push), [w.token, *w.form, language], [w.token, w.told, *w.travelling], **QUIET)
    told = [w.token, w.demo_told, *w.travelling]
    w.demo.click(at_edge(publish), [w.token, w.pushed, w.run, language], told, **QUIET)
    w.cancel.click(cancel, None, None, **QUIET)


def _tokenizers_title(language: str) -> str:
    title, about = (text.say(f"corpus.tokenizers{part}", language) for part in ("", "_say"))
    return f'<h3>{markup.escape(title)}</h3><p class="teach">{markup.escape(about)}</p>'


# ---------------------------------------------------------------------------------------------- the command line


def main(argv: Sequence[str] | None = None) -> None:
    """`python app.py`: open the playground and stay until it is ended. Trainings go on without it."""
    arguments = _parser().parse_args(argv)
    sleep_at_barriers()
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if is_on_space():
        keep_own_token()
    space = Workspace(arguments.runs_dir.parent / "workspace", arguments.runs_dir)
    threading.Thread(target=space.look_at_device, daemon=True).start()
    app = build_app(space)
    host = arguments.host or os.environ.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if is_on_space() else "127.0.0.1")
    _, address, _ = app.queue(default_concurrency_limit=4).launch(
        server_name=host,
        server_port=arguments.port,
        auth=_logins(arguments.auth),
        prevent_thread_lock=True,
        quiet=True,
        **launch_options(space),
    )
    print(f"LM Playground is open at {address}  (runs: {space.runs_dir.resolve()}; Ctrl-C closes it)", flush=True)
    if not (arguments.no_browser or is_on_space()) and _has_screen():
        webbrowser.open(address)
    app.block_thread()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app.py", description="Train a GPT on your own text, in your browser.")
    parser.add_argument(
        "--host", default="", help="address to listen on (GRADIO_SERVER_NAME; 127.0.0.1: this machine only)"
    )
    parser.add_argument(
        "--port", type=int, help="port to listen on (GRADIO_SERVER_PORT; the first free one from 7860 on)"
    )
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), help="where the runs are kept")
    parser.add_argument(
        "--auth", default="", metavar="NAME:PASSWORD", help="ask for a name and a password; several: a:b,c:d"
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
