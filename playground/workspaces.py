"""Whose workspace it is: on one's own machine there is one, and everyone who may open the page shares it."""

from __future__ import annotations

import gradio as gr

from playground.workspace import Workspace


class Workspaces:
    """The workspaces of this app's visitors."""

    def __init__(self, own: Workspace) -> None:
        self.own = own

    def of(self, request: gr.Request | None) -> Workspace:
        """The workspace of the visitor who asks."""
        return self.own
