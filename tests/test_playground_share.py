"""The Share tab and the way in from the Hub: whose token travels, what is sent, and what a person is told."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import gradio.oauth
import pytest
from hub_server import Hub
from huggingface_hub import constants

from lm.errors import HubError
from lm.run_dir import RunDir
from playground import app as page
from playground import takeaway, transfer, writing
from playground.drafts import Draft
from playground.tabs import generate, share
from playground.tabs.share import Asked
from playground.visitor import Visitor, has_own_token, keep_own_token, must_type_token, name_of, visitor
from playground.workspace import FETCHED, Workspace
from playground.workspaces import Workspaces

ALICE = Visitor("page", "hf_alice")
REQUEST = SimpleNamespace(session_hash="page")
SIGNED_IN = gr.OAuthToken(token="hf_alice", scope="", expires_at=2**40)


@pytest.fixture
def space(fox: RunDir, tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace", fox.path.parent)


@pytest.fixture
def on_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Space, with a token of its owner in its secrets."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    monkeypatch.setenv("SPACE_ID", "lab/playground")
    monkeypatch.setenv("HF_TOKEN", "hf_owner")
    keep_own_token()


def asked(repo: str = "alice/fox", **changes) -> Asked:
    form = dict(run="fox", which="best", private=False, with_corpus=False, license="mit", languages=["en"])
    return Asked(repo=repo, **form | changes)


def push(space: Workspace, who: Visitor = ALICE, repo: str = "alice/fox", **changes) -> list[tuple]:
    return list(share.push(space, who, asked(repo, **changes), "en"))


def told(space: Workspace, *words, **changes) -> str:
    return push(space, *words, **changes)[-1][1]


def fetched(space: Workspace, source: str) -> str:
    return list(generate.fetch(space, REQUEST, source, "en"))[-1][1]


# ---------------------------------------------------------------------------------------------- whose token


def test_a_machine_with_a_token_asks_for_none_and_uses_none_that_was_typed(hub: Hub, monkeypatch) -> None:
    assert must_type_token() and visitor(REQUEST, " hf_typed\n").token == "hf_typed"
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    assert not must_type_token() and visitor(REQUEST, "hf_typed").token is None
    assert name_of(visitor(REQUEST)) == "alice"


def test_without_a_token_nobody_is_asked_for_a_name(hub: Hub) -> None:
    assert name_of(visitor(REQUEST)) == "" and not hub.requests


def test_a_token_that_is_no_good_does_not_stop_the_tab(hub: Hub) -> None:
    assert name_of(Visitor("page", "hf_wrong")) == ""


def test_on_a_space_a_visitor_acts_as_who_signed_in(hub: Hub, space: Workspace, on_space: None) -> None:
    assert not must_type_token() and not has_own_token()
    who = visitor(REQUEST, "hf_typed", SIGNED_IN)
    assert name_of(who) == "alice"
    assert f"{hub.endpoint}/alice/fox" in told(space, who)


def test_on_a_space_a_stranger_is_asked_to_sign_in_and_nothing_is_sent(
    hub: Hub, space: Workspace, on_space: None
) -> None:
    who = visitor(REQUEST, "hf_typed", None)
    assert "Sign in" in told(space, who) and name_of(who) == "" and not hub.requests


def test_on_a_space_the_owners_token_never_fetches_for_a_stranger(hub: Hub, space: Workspace, on_space: None) -> None:
    hub.add_repo("lab/secret", {"config.json": b"{}"}, private=True)
    assert "no repository lab/secret" in fetched(space, "lab/secret")
    assert not any("authorization" in request.headers for request in hub.requests)


def test_where_many_visit_a_machine_nobody_acts_with_its_own_token(hub: Hub, space: Workspace, monkeypatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    keep_own_token()  # as `--multi-user` does
    hub.add_repo("alice/secret", {"config.json": b"{}"}, private=True)
    assert must_type_token() and name_of(visitor(REQUEST)) == ""
    assert "no token" in told(space, visitor(REQUEST)) and "no repository alice/secret" in fetched(space, "alice/secret")
    assert not any("authorization" in request.headers for request in hub.requests)
    assert f"{hub.endpoint}/alice/fox" in told(space, visitor(REQUEST, "hf_alice"))


def test_a_space_has_a_button_to_sign_in_and_a_machine_has_not(space: Workspace, monkeypatch) -> None:
    def has_button() -> bool:
        return any(isinstance(block, gr.LoginButton) for block in page.build_app(Workspaces(space)).blocks.values())

    assert not has_button()
    for name, value in dict(SPACE_ID="lab/playground", SYSTEM="spaces").items():
        monkeypatch.setenv(name, value)
    provider = dict(OAUTH_CLIENT_ID="1", OAUTH_CLIENT_SECRET="2", OAUTH_SCOPES="openid write-repos")
    for name, value in (provider | dict(OPENID_PROVIDER_URL="http://127.0.0.1:9")).items():
        monkeypatch.setattr(gradio.oauth, name, value)  # which read the environment at import
    assert has_button()


def test_a_visitor_does_not_show_the_token() -> None:
    assert "hf_alice" not in repr(ALICE)


# ---------------------------------------------------------------------------------------------- pushing


def test_every_answer_empties_the_token_box(hub: Hub, space: Workspace) -> None:
    answers = push(space) + push(space, Visitor("page", "hf_wrong")) + push(space, Visitor("page"))
    assert {answer[0] for answer in answers} == {""} and len(answers) >= 6


def test_a_push_ends_with_its_link_and_a_demo_to_publish(hub: Hub, space: Workspace) -> None:
    *_, (_, words, _, demo, _, repo) = push(space)
    assert f'href="{hub.endpoint}/alice/fox"' in words and "everyone" in words
    assert demo["visible"] and repo == "alice/fox"


def test_a_private_push_says_so_and_a_repeated_one_too(hub: Hub, space: Workspace) -> None:
    assert "only you" in told(space, private=True) and hub.repo("alice/fox").private
    assert "Nothing had changed" in told(space, private=True)


def test_the_choices_arrive(hub: Hub, space: Workspace) -> None:
    push(space, license="cc-by-4.0", languages=["en", "ja"], with_corpus=True, which="last")
    files = hub.repo("alice/fox").files
    assert b"license: cc-by-4.0" in files["README.md"] and b"- ja" in files["README.md"]
    assert "corpus/train.txt" in files and files["model.safetensors"] == last_weights(space)


def last_weights(space: Workspace) -> bytes:
    return (space.checkpoint("fox", "last") / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("who", "repo", "words"),
    [
        (Visitor("page"), "alice/fox", "hf auth login"),
        (Visitor("page", "hf_wrong"), "alice/fox", "does not accept this token"),
        (Visitor("page", "hf_reader"), "alice/fox", "may only read"),
        (ALICE, "bob/fox", "alice/fox"),
        (ALICE, "alice/a b", "for example alice/a-b"),
    ],
)
def test_what_cannot_be_is_told_beside_the_button(
    hub: Hub, space: Workspace, who: Visitor, repo: str, words: str
) -> None:
    shown = told(space, who, repo)
    assert words in shown and 'class="note wrong"' in shown and not hub.repos


def test_a_push_without_a_run_says_what_to_choose(hub: Hub, space: Workspace) -> None:
    assert "Choose a run" in told(space, run=None) and "Choose a run" in told(space, run="../fox")


def test_a_closed_browser_halves_nothing(hub: Hub, space: Workspace) -> None:
    held = hub.fault("PUT /upload/", hold=threading.Event())
    pushing = share.push(space, ALICE, asked(), "en")
    answer = next(answer for answer in pushing if "sending" in answer[1])
    assert "alice/fox" not in answer[1]
    pushing.close()  # as Gradio does when the browser is gone
    held.hold.set()
    for thread in [thread for thread in threading.enumerate() if thread.name == "transfer"]:
        thread.join(30)
    assert "model.safetensors" in hub.repo("alice/fox").files


def test_cancelling_ends_only_the_transfer_of_this_page(hub: Hub, space: Workspace) -> None:
    held = hub.fault("PUT /upload/", hold=threading.Event())
    pushing = share.push(space, ALICE, asked(), "en")
    next(answer for answer in pushing if "sending" in answer[1])
    share.cancel(space, SimpleNamespace(session_hash="another page"))
    generate.cancel(space, REQUEST)
    assert not any(moving.is_cancelled for moving in space.transfers._watched.values())
    share.cancel(space, REQUEST)
    *_, last = pushing
    held.hold.set()
    assert 'class="note attention"' in last[1] and "is still empty" in last[1]
    assert not space.transfers._watched


def test_a_demo_is_published_with_the_prompt_of_the_run(hub: Hub, space: Workspace) -> None:
    push(space)
    *_, last = share.publish(space, ALICE, "alice/fox", "fox", "ja")
    assert f'href="{hub.endpoint}/spaces/alice/fox-demo"' in last[1]
    assert "app.py" in hub.repo("alice/fox-demo", "space").files


def test_one_press_can_send_the_model_and_its_demo(hub: Hub, space: Workspace) -> None:
    shown = told(space, with_demo=True)
    assert f'href="{hub.endpoint}/alice/fox"' in shown and f'href="{hub.endpoint}/spaces/alice/fox-demo"' in shown
    assert "app.py" in hub.repo("alice/fox-demo", "space").files


def test_a_demo_that_cannot_be_leaves_the_link_of_the_model(hub: Hub, space: Workspace) -> None:
    hub.fault("POST /api/spaces/.*/commit/", status=500)
    *_, last = push(space, with_demo=True)
    assert f'href="{hub.endpoint}/alice/fox"' in last[1] and 'class="note wrong"' in last[1] and last[-1] == "alice/fox"


def test_after_a_bug_the_buttons_can_be_used_again(hub: Hub, space: Workspace, monkeypatch) -> None:
    monkeypatch.setattr("lm.push.push", lambda *words, **named: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        for answer in share.push(space, ALICE, asked(), "en"):
            _, _, send, demo, cancel, _ = answer
    assert send["interactive"] and demo["interactive"] and not cancel["visible"]


def test_a_typed_token_names_its_owner_before_it_is_used(hub: Hub) -> None:
    assert share.introduce(visitor(REQUEST, "hf_alice"), "", "fox", "fox")[:2] == ("alice", "alice/fox")


def test_a_demo_of_a_private_model_says_what_its_owner_has_to_do(hub: Hub, space: Workspace) -> None:
    push(space, private=True)
    *_, last = share.publish(space, ALICE, "alice/fox", "fox", "en")
    assert "secrets" in last[1] and hub.repo("alice/fox-demo", "space").private


# ---------------------------------------------------------------------------------------------- the card


def test_the_card_looks_as_it_will_with_its_picture(space: Workspace) -> None:
    card, same, looks, box, _ = share.preview(space, asked(), "en")
    assert card == same and "license: mit" in card and box["visible"]
    assert "2 heads, width 16" in looks and "{" not in looks.split("## Training")[1]
    assert "license: mit" not in looks and "# fox" in looks and "(data:image/png;base64," in looks


def test_a_card_without_a_user_says_how_a_repository_is_called(space: Workspace) -> None:
    assert "user/name" in share.preview(space, asked("fox"), "en")[-1]


def test_a_changed_choice_rewrites_a_card_that_was_not_edited(space: Workspace) -> None:
    card = share.preview(space, asked(), "en")[0]
    again = share.rewrite(space, asked(license="cc0-1.0", card=card, previewed=card), "en")
    assert "license: cc0-1.0" in again[0]
    kept = share.rewrite(space, asked(license="cc0-1.0", card=card + "\nmine", previewed=card), "en")
    assert kept[0] == gr.skip()
    assert share.rewrite(space, asked(), "en")[0] == gr.skip()  # none was asked for yet


def test_an_edited_card_is_pushed_as_it_stands_and_another_is_written_anew(hub: Hub, space: Workspace) -> None:
    card = share.preview(space, asked(), "en")[0]
    push(space, card=card + "\nWritten by hand.\n", previewed=card)
    assert b"Written by hand." in hub.repo("alice/fox").files["README.md"]
    push(space, repo="alice/owl", card=card, previewed=card)
    assert b"# owl" in hub.repo("alice/owl").files["README.md"]


def test_a_card_with_bad_metadata_is_told(hub: Hub, space: Workspace) -> None:
    assert "metadata" in told(space, card="no metadata", previewed="x")
    assert not hub.repos


def test_a_run_brings_its_name_its_models_and_its_language(space: Workspace) -> None:
    which, repo, licences, languages, card, *_ = share.suggest(space, "alice", "fox", "ja")
    assert repo == "alice/fox" and languages == ["en"] and card == ""
    assert which["choices"] == [("最良", "best"), ("最新", "last")]
    assert ("mit", "mit") in licences["choices"]


def test_a_name_that_was_written_stays_when_the_tab_opens(hub: Hub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    assert share.introduce(visitor(REQUEST), "", "fox", "fox")[:2] == ("alice", "alice/fox")
    assert share.introduce(visitor(REQUEST), "", "fox", "lab/mine")[1] == gr.skip()


def test_a_report_is_a_page_that_may_be_served(space: Workspace) -> None:
    path = Path(takeaway.report(space, "fox", "ja"))
    page = path.read_text(encoding="utf-8")
    assert path.parent == space.downloads and "<h1>fox</h1>" in page and '<html lang="ja">' in page


# ---------------------------------------------------------------------------------------------- from the Hub


@pytest.mark.parametrize("source", ["alice/fox", "{endpoint}/alice/fox", "{endpoint}/alice/fox/tree/main"])
def test_a_repository_or_its_link_becomes_a_model_to_write_with(hub: Hub, space: Workspace, source: str) -> None:
    push(space)
    *_, (models, words, *_) = generate.fetch(space, REQUEST, source.format(endpoint=hub.endpoint), "en")
    assert models["value"] in dict(map(reversed, models["choices"])) and "press Write" in words
    assert ("alice/fox", models["value"]) in generate.choices(space, "en")
    defaults = [f.default for _, f in generate.FIELDS]
    [shown, *_] = list(writing.write(space, models["value"], "The ", Draft(), "en", *defaults))[-1]
    assert shown["samples"][0]["tokens"]


def test_a_folder_of_this_machine_stays_where_it_is(hub: Hub, space: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" / "my model"
    shutil.copytree(space.checkpoint("fox"), folder)
    fetched(space, f" {folder} ")
    again = Workspace(space.root, space.runs_dir)
    [(title, name)] = again.fetched()
    assert title == str(folder) and again.checkpoint(name, FETCHED) == folder
    shutil.rmtree(folder)
    assert again.fetched() == []
    with pytest.raises(Exception, match="fetch it again"):
        again.checkpoint(name, FETCHED)


def test_a_space_reads_no_folder(hub: Hub, space: Workspace, on_space: None) -> None:
    assert "yours" in fetched(space, str(space.checkpoint("fox"))) and space.fetched() == []


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.ckpt"])
def test_a_pickle_is_refused_wherever_it_lies(hub: Hub, space: Workspace, tmp_path: Path, name: str) -> None:
    hub.add_repo("bob/old", {"config.json": b"{}", name: b"x"})
    assert f"pickle ({name})" in fetched(space, "bob/old")
    (tmp_path / "old").mkdir()
    for file in ("config.json", name):
        (tmp_path / "old" / file).write_bytes(b"{}")
    assert 'class="note wrong"' in fetched(space, str(tmp_path / "old"))
    assert space.fetched() == []


@pytest.mark.parametrize(
    ("source", "words"), [("", "Nothing is named"), ("alice/none", "no repository"), ("ftp://x", "neither")]
)
def test_what_cannot_be_fetched_is_told(hub: Hub, space: Workspace, source: str, words: str) -> None:
    assert words in fetched(space, source)


def test_fetched_models_are_none_to_share(hub: Hub, space: Workspace) -> None:
    push(space)
    fetched(space, "alice/fox")
    assert share.choices(space) == ["fox"]


# ---------------------------------------------------------------------------------------------- words


def test_a_message_is_escaped_and_its_addresses_are_links() -> None:
    shown = transfer.refusal(
        HubError('no <b>; see https://huggingface.co/settings/tokens (hf_…) or "http://x/y?z".'), "en"
    )
    assert "&lt;b&gt;" in shown
    assert 'href="https://huggingface.co/settings/tokens"' in shown and 'href="http://x/y?z"' in shown


def test_a_fault_of_ours_is_not_told_as_the_users() -> None:
    broken = transfer.Transfer(lambda progress, should_stop: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        broken.result()
