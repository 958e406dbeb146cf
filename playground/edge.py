"""The UI's edge: where Gradio's events meet plain handlers.

A handler is a plain function. If its first parameter is called `space` it is given the workspace of the visitor who
asks; `request: gr.Request`, `gr.EventData`, `gr.OAuthToken` and `gr.Progress` reach it as Gradio documents them. An
`LMError` becomes a message beside what caused it, in the visitor's language, and so does a disk that is full or
read-only; anything else is a bug and stays one.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from lm.errors import LMError
from lm.files import refusal
from playground.markup import escape, fault
from playground.same import are_plain, lightened
from playground.text import language_of
from playground.translate import translated
from playground.workspaces import Workspaces

MESSAGE_SECONDS = 30
QUIET = dict(show_progress="hidden", api_visibility="private")

Handler = Callable[..., Any]
Components = Sequence[gr.components.Component]


class OnlyLook(LMError):
    """A spectator's page caused an event that does more than look; nothing happens, and nothing needs to be said."""


class Edge:
    """Connects events to handlers, over the workspaces of all visitors."""

    def __init__(self, workspaces: Workspaces) -> None:
        self.workspaces = workspaces
        # Gradio marks the outputs of an event as pending and ready again, each a component to be drawn anew, though
        # nothing of it is shown; here it marks what nobody sees. Measured: a look costs the browser a third less.
        self.aside = gr.State()

    def __call__(
        self,
        when: Any,
        handler: Handler,
        inputs: Components | gr.components.Component | None = None,
        outputs: Components | gr.components.Component | None = None,
        *,
        told: gr.components.Component | None = None,
        is_look: bool = False,
        **manners: Any,
    ) -> Any:
        """On the event (or events) `when`, show what `handler` makes of `inputs` in `outputs`; Gradio's dependency.

        `told` is an HTML component beside the button: a user's mistake is explained there, and everything else stays as
        it is; the next press empties it. Without `told` it is a message in the corner. `is_look` says that it only looks:
        a spectator may cause it too. `manners` go to `gr.on`.
        """
        outputs = _listed(outputs)
        told_at = outputs.index(told) if told in outputs else None
        shown = self.guarded(handler, len(outputs), told_at, told is not None, is_look)
        if told is not None and told not in outputs:
            outputs = [*outputs, told]
        if are_plain(outputs):
            shown, manners = lightened(shown, outputs), dict(postprocess=False) | manners
        if "show_progress" not in manners:
            manners["show_progress_on"] = self.aside
        if isinstance(when, functools.partial):  # an event of a component's own script, which `gr.on` does not know
            return when(shown, inputs, outputs, **QUIET | manners)
        return gr.on(when if isinstance(when, list) else [when], shown, inputs, outputs, **QUIET | manners)

    def guarded(
        self, handler: Handler, n: int = 1, told_at: int | None = None, is_told: bool = False, is_look: bool = False
    ) -> Handler:
        """`handler` as Gradio calls it. Of its `n` outputs the one at `told_at`, or one after them, says what is wrong."""
        values = _Outputs(n, told_at, is_told)
        call, at = self._asked(handler, is_look)
        if inspect.isgeneratorfunction(_bare(handler)):

            def guarded(*args: Any) -> Iterator[Any]:
                try:
                    for made in call(*args):
                        yield values.of(made)
                except (LMError, OSError) as error:
                    yield values.wrong(situation(error), _language(args[at]))

        else:

            def guarded(*args: Any) -> Any:
                try:
                    return values.of(call(*args))
                except (LMError, OSError) as error:
                    return values.wrong(situation(error), _language(args[at]))

        return _with_parameters(guarded, call, handler)

    def _asked(self, handler: Handler, is_look: bool = False) -> tuple[Handler, int]:
        """`handler` with the visitor's request among its arguments, and at which place.

        Instead of its `space` that of the visitor is given to it; a spectator's only if it just looks.
        """
        parameters = list(inspect.signature(handler).parameters.values())
        has_space = bool(parameters) and parameters[0].name == "space"
        wanted = parameters[has_space:]
        names = [parameter.name for parameter in wanted]
        at = names.index("request") if "request" in names else 0

        def called(*args: Any) -> Any:
            own = args if "request" in names else args[1:]
            if not has_space:
                return handler(*own)
            space = self.workspaces.of(args[at])
            if space.share.is_shown and not is_look:
                raise OnlyLook("a spectator only looks")
            return handler(space, *own)

        request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
        called.__signature__ = inspect.Signature([*([] if "request" in names else [request]), *wanted])
        called.__annotations__ = typing.get_type_hints(_bare(handler)) | dict(request=gr.Request)
        return called, at


class _Outputs:
    """What a handler returned, as all outputs of its event."""

    def __init__(self, n: int, told_at: int | None, is_told: bool) -> None:
        self.n, self.told_at, self.is_told = n, told_at, is_told

    @property
    def _is_after(self) -> bool:
        return self.is_told and self.told_at is None

    def of(self, made: Any) -> Any:
        """`made`, and nothing wrong."""
        if not self._is_after:
            return made
        return ("",) if self.n == 0 else (*(made if self.n > 1 else (made,)), "")

    def wrong(self, error: LMError, language: str) -> Any:
        """The words of `error` where they belong; everything else as it is."""
        shown = [gr.skip()] * (self.n + self._is_after)
        if self.is_told and not isinstance(error, OnlyLook):
            shown[-1 if self.told_at is None else self.told_at] = fault(error, language)
        elif not isinstance(error, OnlyLook):
            words = escape(translated(error, language)).replace("\n", "<br>")
            raise gr.Error(words, duration=MESSAGE_SECONDS, title="", print_exception=False) from error
        return tuple(shown) if len(shown) > 1 else next(iter(shown), None)


def _language(request: gr.Request | None) -> str:
    return language_of(request.headers if request else {})


def situation(error: LMError | OSError) -> LMError:
    """A full or read-only disk is the visitor's situation, wherever it is met; any other failure is a bug of ours."""
    return error if isinstance(error, LMError) else refusal(error)


def _bare(handler: Handler) -> Handler:
    return handler.func if isinstance(handler, functools.partial) else handler


def _with_parameters(guarded: Handler, call: Handler, handler: Handler) -> Handler:
    """Gradio reads the parameters of what it calls, and their types."""
    guarded.__name__ = getattr(_bare(handler), "__name__", "handler")
    guarded.__signature__, guarded.__annotations__ = inspect.signature(call), call.__annotations__
    return guarded


def _listed(components: Any) -> list[Any]:
    if components is None:
        return []
    return list(components) if isinstance(components, (list, tuple)) else [components]
