"""Whose token goes to the Hub: this machine's own, the visitor's sign-in on a Space, or one typed for a single use.

Where strangers visit, on a Space or with `--multi-user`, the machine's token is that of its owner, and no visitor may
act with it: `keep_own_token` takes it out of reach of the client there. A typed token lives as long as the one transfer
it was typed for, and only in memory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import gradio as gr
from huggingface_hub import constants, get_token

from lm import hub
from lm.errors import LMError
from playground.text import say


@dataclass(frozen=True)
class Visitor:
    """One page in one browser, and the token that its person acts with; None: this machine's own."""

    page: str
    token: str | None = field(default=None, repr=False)
    may_push: bool = True


def is_on_space() -> bool:
    """Whether this app is a Space on the Hub, where strangers visit."""
    return "SPACE_ID" in os.environ


def sign_in_button(elem_id: str, visible: bool | str = True) -> gr.LoginButton:
    """Gradio's button to sign in and, once that is done, out; `assets/again.js` says it in the page's language."""
    return gr.LoginButton(logout_value=say("gradio.sign_out", "en").format(x="{}"), elem_id=elem_id, visible=visible)


def keep_own_token() -> None:
    """From now on the client sends a token only where one is handed to it."""
    constants.HF_HUB_DISABLE_IMPLICIT_TOKEN = True


def has_own_token() -> bool:
    """Whether this machine has a token (`HF_TOKEN` or `hf auth login`) that its visitors act with."""
    return not (is_on_space() or constants.HF_HUB_DISABLE_IMPLICIT_TOKEN) and get_token() is not None


def must_type_token() -> bool:
    """Whether a person has to bring a token along: nobody signs in here, and this machine has none."""
    return not (is_on_space() or has_own_token())


def visitor(request: gr.Request, typed: str = "", signed_in: gr.OAuthToken | None = None) -> Visitor:
    """Who presses a button: signed in on a Space, else with the machine's token, else with the typed one."""
    if is_on_space():
        return Visitor(request.session_hash, signed_in.token if signed_in else None, signed_in is not None)
    return Visitor(request.session_hash, None if has_own_token() else typed.strip() or None)


def name_of(who: Visitor) -> str:
    """What the Hub calls this person; empty where it cannot be asked."""
    if not (who.token or has_own_token()):
        return ""
    try:
        with hub.explaining("your account"):
            return hub.account(hub.connect(who.token)).name
    except LMError:  # no network, or a token that is no good: whoever pushes is told then
        return ""
