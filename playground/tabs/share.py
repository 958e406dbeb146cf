"""The Share tab: a model on the Hub with its card and a demo, or taken along as a zip, a report or a folder."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import gradio as gr

from lm.errors import LMError
from playground import equivalents, markup, takeaway, text, transfer, views
from playground.edge import Edge
from playground.look import Look
from playground.markup import escape
from playground.takeaway import choices, chosen
from playground.text import say
from playground.transfer import Work
from playground.translate import translated
from playground.visitor import Visitor, is_on_space, must_type_token, name_of, sign_in_button, visitor
from playground.workspace import Workspace

# What texts here are mostly written in; any other code of ISO 639-1 may be typed.
LANGUAGES = (("English", "en"), ("日本語", "ja"), ("中文", "zh"), ("한국어", "ko"), ("Español", "es"), ("Français", "fr"),
             ("Deutsch", "de"))  # fmt: skip
PICTURE = "assets/loss.png"


@dataclass(frozen=True)
class Asked:
    """What stands in the form, in the order of its widgets (`build`)."""

    run: str | None
    which: str
    repo: str
    private: bool
    with_corpus: bool
    license: str | None
    languages: list[str] | None
    card: str = ""
    previewed: str = ""
    with_demo: bool = False

    @property
    def is_edited(self) -> bool:
        """Whether the card is more than what was written for the form."""
        return self.card.strip() not in ("", self.previewed.strip())


FOLLOWS = ("run", "note")


def follow(look: Look) -> dict[str, Any]:
    """What the tab shows of the disk, by the names of `FOLLOWS`."""
    runs = choices(look.space)
    return dict(run=list(zip(runs, runs)), note=note(look.space, look.language))


def note(space: Workspace, language: str) -> str:
    """What can be taken along, or when there will be something."""
    words = say("share.say" if space.checkpoints() else "share.empty", language)
    return f'<p class="teach">{escape(words)}</p>'


# ---------------------------------------------------------------------------------------------- the form


def introduce(who: Visitor, owner: str, run: str | None, repo: str) -> tuple[Any, ...]:
    """The tab is opened.

    Inputs: the person's name on the Hub as far as it is known, the run, the repository in the form.
    Outputs: that name, the repository where it is to be another, whether a token is to be typed.
    """
    owner = owner or name_of(who)
    wanted = _name(owner, run) if repo in ("", run or "") else repo
    return owner, gr.skip() if wanted == repo else wanted, gr.update(visible=must_type_token())


def suggest(space: Workspace, owner: str, run: str | None, language: str) -> tuple[Any, ...]:
    """Another run is to be shared.

    Inputs: the person's name on the Hub, the run. Outputs: best or last, repository, licences, languages, then those
    of `preview` and of a push, emptied.
    """
    empty = ("", "", "", gr.update(visible=False), "", "", gr.update(visible=False), "")
    if not run or run not in choices(space):
        return (gr.skip(), "", gr.skip(), gr.skip(), *empty)
    from lm.card import LICENSES, guess_languages

    kinds = [(say(f"generate.{which}", language), which) for name, which in space.checkpoints() if name == run]
    return (
        gr.update(choices=kinds, value=kinds[0][1]),
        _name(owner, run),
        gr.update(choices=[("–", ""), *((name, name) for name in LICENSES)]),
        list(guess_languages(chosen(space, run, language))),
        *empty,
    )


def _name(owner: str, run: str | None) -> str:
    return f"{owner}/{run}" if owner and run else run or ""


def preview(space: Workspace, asked: Asked, language: str) -> tuple[Any, ...]:
    """Inputs: the form. Outputs: the card to edit, the same to compare with, its look, its box, what is wrong."""
    try:
        written = _written(space, asked, language)
    except LMError as error:
        return gr.skip(), gr.skip(), gr.skip(), gr.skip(), transfer.refusal(error, language)
    return written, written, look(space, asked.run, written), gr.update(visible=True), ""


def rewrite(space: Workspace, asked: Asked, language: str) -> tuple[Any, ...]:
    """The form has changed: so does a card that is shown and was not edited. Outputs: those of `preview`."""
    if not asked.card or asked.is_edited:
        return (gr.skip(),) * 5
    shown = preview(space, asked, language)
    return (gr.skip(),) * 5 if shown[0] == asked.card else shown  # what is typed meanwhile stays


def look(space: Workspace, run: str | None, card: str) -> str:
    """Inputs: the run, a card. Outputs: the card as the Hub shows it, in Markdown, its picture drawn in."""
    from lm.figure import loss_png

    body = card.split("\n---", 1)[-1].strip("-\n") if card.startswith("---") else card
    if run and f"({PICTURE})" in body:
        data = base64.b64encode(loss_png(chosen(space, run, "en"))).decode("ascii")
        body = body.replace(f"({PICTURE})", f"(data:image/png;base64,{data})")
    return body


def _written(space: Workspace, asked: Asked, language: str) -> str:
    from lm.push import preview as card_of

    return card_of(chosen(space, asked.run, language), _config(asked))


def _config(asked: Asked) -> Any:
    from lm.push import PushConfig

    return PushConfig(
        repo=asked.repo.strip() or asked.run or "",
        checkpoint=asked.which or "best",
        private=True if asked.private else None,
        with_corpus=asked.with_corpus,
        license=asked.license or "",
        languages=tuple(asked.languages or ()),
    )


# ---------------------------------------------------------------------------------------------- to the Hub


def push(space: Workspace, who: Visitor, asked: Asked, language: str) -> Iterator[tuple[Any, ...]]:
    """Push a run, and its demo after it where that was asked for.

    Inputs: who asks, the form. Outputs, again and again: the token box, emptied; how far it is, then the links or what
    went wrong, as HTML; whether the buttons for pushing, a demo, cancelling can be used; the repository.
    """
    from lm.push import push as send

    def work(progress: Any, should_stop: Any) -> Any:
        run, card = chosen(space, asked.run, language), asked.card if asked.is_edited else ""
        moving = dict(token=who.token, progress=progress, should_stop=should_stop)
        pushed = send(run, _config(asked), card_text=card, **moving)
        if not asked.with_demo:
            return pushed, ""
        try:
            return pushed, _published(_demo(space, pushed.repo, asked.run, language, moving), language)
        except LMError as error:  # the model has arrived all the same
            return pushed, transfer.refusal(error, language)

    def arrived(sent: tuple[Any, str]) -> tuple[str, str]:
        pushed, demo = sent
        key = "share.pushed" if pushed.is_changed else "share.unchanged"
        words = say(key, language, who=say("share.only_you" if pushed.is_private else "share.everyone", language))
        return _arrival(words, pushed.url) + demo, pushed.repo

    yield from _travel(space, who, work, arrived, language)


def publish(space: Workspace, who: Visitor, repo: str, run: str | None, language: str) -> Iterator[tuple[Any, ...]]:
    """Make or renew the demo of a pushed repository. Inputs: who asks, the repository, its run. Outputs: as `push`."""

    def work(progress: Any, should_stop: Any) -> Any:
        moving = dict(token=who.token, progress=progress, should_stop=should_stop)
        return _demo(space, repo, run, language, moving)

    yield from _travel(space, who, work, lambda published: (_published(published, language), repo), language)


def _demo(space: Workspace, repo: str, run: str | None, language: str, moving: dict[str, Any]) -> Any:
    """Make or renew the demo of `repo`; its box begins with the prompt of the run's samples."""
    from lm.space import publish as send

    prompt = views.latest_sample(chosen(space, run, language)).get("prompt", "")
    return send(repo, prompt=str(prompt), **moving)


def _published(published: Any, language: str) -> str:
    notes = "".join(markup.note("attention", translated(note, language)) for note in published.notes)
    return _arrival(say("share.published", language), published.url) + notes


def equivalent(
    run: str | None,
    repo: str,
    which: str,
    private: bool,
    with_corpus: bool,
    license: str | None,
    languages: list[str] | None,
    language: str,
) -> str:
    """Inputs: the form. Outputs: the command and the Python lines that push the same, as HTML."""
    if not run:
        return ""
    asked = dict(checkpoint=which or "best", private=private, with_corpus=with_corpus, license=license or "",
                 languages=tuple(languages or ()))  # fmt: skip
    usual = dict(checkpoint="best", private=False, with_corpus=False, license="", languages=())
    changed = {name: value for name, value in asked.items() if value != usual[name]}
    return equivalents.of_push(run, repo or f"USER/{run}", changed, language)


def cancel(space: Workspace, request: gr.Request) -> None:
    """Inputs: who asks. Outputs: none; the transfer ends by itself and says what exists."""
    space.transfers.cancel((request.session_hash, "share"))


def _travel(
    space: Workspace, who: Visitor, work: Work, arrived: Callable[[Any], tuple[str, str]], language: str
) -> Iterator[tuple[Any, ...]]:
    """The outputs of `push` while `work` is under way, and at its end; `arrived(result)` is (HTML, repository)."""
    if not who.may_push:
        yield "", markup.note("attention", say("share.sign_in_first", language)), *_buttons(False, "")
        return
    told, repo, is_watched = "", "", True
    try:
        for moving in space.transfers.follow((who.page, "share"), work):
            yield "", transfer.under_way(moving, language), *_buttons(True, "")
        told, repo = arrived(moving.result())
    except LMError as error:
        told = transfer.refusal(error, language)
    except GeneratorExit:  # the browser is gone
        is_watched = False
        raise
    finally:  # also when a bug is on its way to the edge: the buttons can be used again
        if is_watched:
            yield "", told, *_buttons(False, repo)


def _buttons(is_busy: bool, repo: str) -> tuple[Any, ...]:
    """Push, demo, cancel; then the repository, once there is one."""
    demo = gr.update(interactive=not is_busy, **(dict(visible=True) if repo else {}))
    return gr.update(interactive=not is_busy), demo, gr.update(visible=is_busy), repo or gr.skip()


def _arrival(words: str, url: str) -> str:
    link = f'<a href="{escape(url)}" target="_blank" rel="noopener">{escape(url)}</a>'
    return f'<div class="note arrived" role="status"><p>{escape(words)}</p><p class="link">{link}</p></div>'


# ---------------------------------------------------------------------------------------------- layout and events


def build() -> SimpleNamespace:
    """The widgets of the tab, by name; `form` are those of `Asked`, in its order."""
    w = SimpleNamespace(owner=gr.State(""), previewed=gr.State(""), pushed=gr.State(""))
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="side"):
            with gr.Column(elem_classes="card"):
                w.run = gr.Dropdown([], label=text.label("share.run"), elem_id="share-run", filterable=False)
                w.note = gr.HTML(elem_id="share-note", apply_default_css=False)
            w.along = takeaway.build()
        with gr.Column(elem_classes="main"):
            with gr.Column(elem_classes="card"):
                _to_the_hub(w)
            with gr.Column(elem_classes="card", visible=False) as w.card_box:
                _model_card(w)
    w.form = [w.run, w.which, w.repo, w.private, w.with_corpus, w.license, w.languages, w.card, w.previewed,
              w.with_demo]  # fmt: skip
    w.previews = [w.card, w.previewed, w.look, w.card_box, w.told]
    w.suggested = [w.which, w.repo, w.license, w.languages, *w.previews, w.demo_told, w.demo, w.pushed]
    w.travelling = [w.push, w.demo, w.cancel, w.pushed]
    return w


def _to_the_hub(w: SimpleNamespace) -> None:
    gr.Markdown(text.label("share.hub"), elem_classes="title")
    with gr.Row(elem_classes="fields"):
        w.repo = gr.Textbox(
            label=text.label("share.repo"), info=text.label("share.repo_info"), elem_id="repo", max_lines=1,
            max_length=96, html_attributes=gr.InputHTMLAttributes(spellcheck=False, autocomplete="off"),
        )  # fmt: skip
        w.which = gr.Dropdown(
            [], label=text.label("share.which"), info=text.label("share.which_info"), elem_id="share-which",
            filterable=False,
        )  # fmt: skip
        w.license = gr.Dropdown(
            [("–", "")], value="", label=text.label("share.license"), info=text.label("share.license_info"),
            elem_id="license", filterable=False,
        )  # fmt: skip
        w.languages = gr.Dropdown(
            list(LANGUAGES), multiselect=True, allow_custom_value=True, label=text.label("share.languages"),
            info=text.label("share.languages_info"), elem_id="languages",
        )  # fmt: skip
        w.private = gr.Checkbox(
            label=text.label("share.private"), info=text.label("share.private_info"), elem_id="private"
        )
        w.with_corpus = gr.Checkbox(
            label=text.label("share.with_corpus"), info=text.label("share.with_corpus_info"), elem_id="with-corpus"
        )
        w.with_demo = gr.Checkbox(
            label=text.label("share.with_demo"), info=text.label("share.with_demo_info"), elem_id="with-demo"
        )
    w.token = gr.Textbox(
        type="password", label=text.label("share.token"), info=text.label("share.token_info"), elem_id="token",
        visible=False, html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
    )  # fmt: skip
    if is_on_space():
        w.sign_in = sign_in_button("sign-in")
    with gr.Row(elem_classes="pair"):
        w.push = gr.Button(text.label("share.push"), variant="primary", elem_id="push")
        w.preview = gr.Button(text.label("share.preview"), elem_id="preview")
        w.cancel = gr.Button(text.label("share.cancel"), elem_id="cancel", visible=False)
    w.told = gr.HTML(elem_id="pushed", apply_default_css=False)
    w.demo = gr.Button(text.label("share.demo"), elem_id="demo", visible=False)
    w.demo_told = gr.HTML(elem_id="published", apply_default_css=False)
    w.elsewhere = equivalents.folded("push-elsewhere")


def _model_card(w: SimpleNamespace) -> None:
    gr.Markdown(text.label("share.card"), elem_classes="title")
    with gr.Tabs(elem_classes="ways"):
        with gr.Tab(text.label("share.card_look"), render_children=True) as w.look_tab:
            w.look = gr.Markdown(elem_id="card-look", latex_delimiters=[])
        with gr.Tab(text.label("share.card_edit"), render_children=True):
            w.card = gr.Textbox(
                show_label=False, lines=18, max_lines=30, elem_id="card-text",
                html_attributes=gr.InputHTMLAttributes(spellcheck=False),
            )  # fmt: skip


def connect(page: SimpleNamespace, on: Edge) -> None:
    """The events of the tab."""
    w = page.share
    takeaway.connect(page, on)
    told = [w.run, w.repo, w.which, w.private, w.with_corpus, w.license, w.languages]
    changed = [one.change for one in told]
    on(changed, equivalent, [*told, page.language], w.elsewhere, trigger_mode="always_last")
    _connect_card(page, on)
    _connect_hub(page, on)


def _connect_card(page: SimpleNamespace, on: Edge) -> None:
    """The form and the card that is written for it."""
    w, form = page.share, [*page.share.form, page.language]

    def opened(
        request: gr.Request, signed_in: gr.OAuthToken | None, owner: str, run: str | None, repo: str
    ) -> tuple[Any, ...]:
        return introduce(visitor(request, "", signed_in), owner, run, repo)

    def named(
        request: gr.Request, signed_in: gr.OAuthToken | None, token: str, owner: str, run: str | None, repo: str
    ) -> tuple[Any, ...]:
        return introduce(visitor(request, token, signed_in), owner, run, repo)[:2]

    def of_form(act: Callable[..., Any]) -> Callable[..., Any]:
        return lambda space, *values: act(space, Asked(*values[:-1]), values[-1])

    on(w.tab.select, opened, [w.owner, w.run, w.repo], [w.owner, w.repo, w.token])
    on(w.token.blur, named, [w.token, w.owner, w.run, w.repo], [w.owner, w.repo])
    on(w.run.change, suggest, [w.owner, w.run, page.language], w.suggested)
    on(w.preview.click, of_form(preview), form, w.previews)
    choices = [choice.change for choice in (w.which, w.repo, w.with_corpus, w.license, w.languages)]
    on(choices, of_form(rewrite), form, w.previews, trigger_mode="always_last")
    on(w.look_tab.select, look, [w.run, w.card], w.look, trigger_mode="always_last")


def _connect_hub(page: SimpleNamespace, on: Edge) -> None:
    """What travels. A typed token is an input here and nowhere else."""
    w, language = page.share, page.language

    def send(
        space: Workspace, request: gr.Request, signed_in: gr.OAuthToken | None, token: str, *values: Any
    ) -> Iterator[Any]:
        yield from push(space, visitor(request, token, signed_in), Asked(*values[:-1]), values[-1])

    def show(
        space: Workspace, request: gr.Request, signed_in: gr.OAuthToken | None, token: str, *values: Any
    ) -> Iterator[Any]:
        yield from publish(space, visitor(request, token, signed_in), *values)

    on(w.push.click, send, [w.token, *w.form, language], [w.token, w.told, *w.travelling], told=w.told)
    told = [w.token, w.demo_told, *w.travelling]
    on(w.demo.click, show, [w.token, w.pushed, w.run, language], told, told=w.demo_told)
    on(w.cancel.click, cancel)
