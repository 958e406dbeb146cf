"""A pushed repository → a demo that anyone can try in a browser: a small Gradio Space of three files.

The Space loads the repository with `transformers` and needs nothing from here. Publishing again renews the same Space.
A Space of a private repository is private too and asks for a token of its own, which its owner puts into its secrets:
ours never leaves this machine.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from lm import hub
from lm.errors import HubError
from lm.hub import Cancelled, Progress

GRADIO_VERSION = "6.31.0"  # the Space's own; measured: app.py below runs on it
FILES = {"app.py", "requirements.txt", "README.md"}
PAYMENT_REQUIRED = 402

README = string.Template("""\
---
title: $title
emoji: 📖
colorFrom: red
colorTo: blue
sdk: gradio
sdk_version: $gradio
app_file: app.py
models:
- $repo
tags:
- lm-playground
short_description: A small GPT trained from scratch
---

A demo of [$repo]($url), a small GPT trained from scratch with LM Playground.
""")
REQUIREMENTS = "torch>=2.9\ntransformers>=5,<6\n"
APP = string.Template('''\
"""A page where $repo goes on with what you begin."""

import threading

import gradio as gr
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

REPO = "$repo"

tokenizer = AutoTokenizer.from_pretrained(REPO)
model = AutoModelForCausalLM.from_pretrained(REPO).eval()
CONTEXT = model.config.max_position_embeddings


def write(prompt, tokens, temperature, top_k, top_p, seed):
    """Stream the prompt and what follows it, as far as the model's context reaches."""
    ids = tokenizer(prompt or "\\n", return_tensors="pt").input_ids[:, -(CONTEXT - 1) :]
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    settings = dict(max_new_tokens=int(min(tokens, CONTEXT - ids.shape[1])), streamer=streamer)
    if temperature > 0:
        settings |= dict(do_sample=True, temperature=temperature, top_k=int(top_k), top_p=top_p)
    else:
        settings |= dict(do_sample=False)
    torch.manual_seed(int(seed))
    thread = threading.Thread(target=model.generate, args=(ids,), kwargs=settings)
    thread.start()
    text = prompt
    for piece in streamer:
        text += piece
        yield text
    thread.join()


demo = gr.Interface(
    write,
    [
        gr.Textbox($prompt, label="Prompt", lines=3),
        gr.Slider(1, CONTEXT - 1, min(200, CONTEXT - 1), step=1, label="Length (tokens)"),
        gr.Slider(0, 2, 0.8, step=0.05, label="Temperature"),
        gr.Slider(0, 200, 40, step=1, label="Top-k (0: all)"),
        gr.Slider(0.05, 1, 1, step=0.05, label="Top-p"),
        gr.Number(0, label="Seed", precision=0),
    ],
    gr.Textbox(label="Text", lines=12),
    title=REPO,
    api_name="write",
)

if __name__ == "__main__":
    demo.queue(default_concurrency_limit=1).launch()
''')


@dataclass(frozen=True)
class Published:
    """`url` is the page of the Space; `notes` say what its owner still has to do."""

    space: str
    url: str
    commit: str
    is_private: bool
    is_new: bool
    notes: tuple[str, ...] = ()


def files(repo: str, prompt: str = "") -> dict[str, str]:
    """The Space's files by name."""
    said = dict(repo=repo, url=f"{hub.endpoint()}/{repo}", title=repo.split("/")[-1], gradio=GRADIO_VERSION)
    return {
        "app.py": APP.substitute(said, prompt=repr(prompt)),
        "requirements.txt": REQUIREMENTS,
        "README.md": README.substitute(said),
    }


def publish(
    repo: str,
    name: str = "",
    *,
    prompt: str = "",
    private: bool | None = None,
    token: str | None = None,
    progress: Progress = hub.silence,
    should_stop: Callable[[], bool] = hub.never,
) -> Published:
    """Make or renew the Space `name` (by default user/repo-demo) of the pushed `repo`.

    `prompt` is what stands in its box at first. `HubError` says what went wrong and what exists by then.
    """
    api = hub.connect(token)
    with hub.explaining(repo), hub.quietly():
        progress(f"signing in at {hub.endpoint()}", 0, 0)
        who = hub.account(api, should_stop)
        source = hub.check_repo(repo if "/" in repo else f"{who.name}/{repo}")
        space = hub.writable(name or f"{who.name}/{source.split('/')[1][:85]}-demo", who)
        return hub.attended(
            lambda is_stopped: _publish(api, source, space, prompt, private, progress, is_stopped), should_stop
        )


def _publish(
    api: HfApi,
    repo: str,
    space: str,
    prompt: str,
    private: bool | None,
    progress: Progress,
    is_stopped: Callable[[], bool],
) -> Published:
    model = hub.patiently(api.model_info, repo, is_stopped=is_stopped)
    _check_model(repo, [sibling.rfilename for sibling in model.siblings or ()])
    is_private = bool(model.private if private is None else private)
    is_new = _make(api, space, is_private, progress, is_stopped)
    progress(f"writing {space}", 0, 0)
    operations = [CommitOperationAdd(path, text.encode("utf-8")) for path, text in files(repo, prompt).items()]
    if is_stopped():
        raise Cancelled(
            f"cancelled. The Space {hub.endpoint()}/spaces/{space} exists; publish again to fill or renew it"
        )
    try:
        done = api.create_commit(space, operations, repo_type="space", commit_message=f"Show {repo}")
    except hub.FAILURES as error:
        words = hub.in_words(error, space)
        if words is None:
            raise
        raise HubError(
            f"{words}. The Space {hub.endpoint()}/spaces/{space} exists and may be empty; publish again to fill it"
        ) from None
    notes = () if not model.private else (
        f"{repo} is private: put a token that may read it into the Space's secrets as HF_TOKEN "
        f"({hub.endpoint()}/spaces/{space}/settings)",
    )  # fmt: skip
    return Published(space, f"{hub.endpoint()}/spaces/{space}", done.oid, is_private, is_new, notes)


def _check_model(repo: str, names: list[str]) -> None:
    if "config.json" not in names or "model.safetensors" not in names:
        raise HubError(f"{repo} holds no model yet; push one there first with `lm push NAME {repo}`")


def _make(api: HfApi, space: str, is_private: bool, progress: Progress, is_stopped: Callable[[], bool]) -> bool:
    """Make the Space unless it is there; whether it was made. `HubError` if it is someone's other Space."""
    progress(f"looking at {space}", 0, 0)
    try:
        info = hub.patiently(api.space_info, space, is_stopped=is_stopped)
    except RepositoryNotFoundError:
        info = None
    if info is not None:
        foreign = {sibling.rfilename for sibling in info.siblings or ()} - FILES - {".gitattributes"}
        if foreign:
            raise HubError(
                f"the Space {space} holds something else already ({min(foreign)}); choose another name with --name"
            )
        return False
    try:
        hub.patiently(
            api.create_repo, space, repo_type="space", space_sdk="gradio", private=is_private, exist_ok=True,
            is_stopped=is_stopped,
        )  # fmt: skip
    except HfHubHTTPError as error:
        if error.response.status_code != PAYMENT_REQUIRED:
            raise
        raise HubError(
            "the Hub runs Gradio Spaces only for paying accounts (402), so no Space was made; the model itself is "
            "shared, and `lm generate` or `python app.py` show it on your own machine"
        ) from None
    return True
