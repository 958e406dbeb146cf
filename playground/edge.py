"""The UI's edge: an `LMError` becomes a message with its text as it stands; anything else is a bug and stays one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from lm.errors import LMError
from playground.markup import escape

MESSAGE_SECONDS = 30


def at_edge(handler: Callable[..., Any]) -> Callable[..., Any]:
    """`handler`, its `LMError`s shown to the person; nothing that was typed is lost. Works for generators too."""
    if inspect.isgeneratorfunction(getattr(handler, "func", handler)):

        def guarded(*args: Any) -> Iterator[Any]:
            with _shown():
                yield from handler(*args)

    else:

        def guarded(*args: Any) -> Any:
            with _shown():
                return handler(*args)

    return functools.update_wrapper(guarded, handler)  # Gradio reads the parameters of what is wrapped


@contextmanager
def _shown() -> Iterator[None]:
    try:
        yield
    except LMError as error:
        words = escape(error).replace("\n", "<br>")
        raise gr.Error(words, duration=MESSAGE_SECONDS, title="", print_exception=False) from error
