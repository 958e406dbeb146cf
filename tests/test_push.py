"""Pushing, with the Hub's own client against a server that speaks its API: what arrives, and what goes wrong."""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import socket
import threading
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_server import Hub, User
from huggingface_hub import ModelCard
from runs import request, write_text

from lm import hub as way
from lm import push as pushing
from lm import checkpoint, run_dir, trainer
from lm.errors import HubError
from lm.hub import Cancelled
from lm.push import PushConfig, preview, push
from lm.run_dir import RunDir
from lm.tokenizer import load_tokenizer

PLAIN = {
    ".gitattributes", "README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
    "tokenizer_config.json", "training/config.json", "training/metrics.jsonl", "training/samples.jsonl",
    "assets/loss.png",
}  # fmt: skip


def send(run: RunDir, repo: str = "alice/fox", token: str | None = "hf_alice", card_text: str = "", **config):
    return push(run, PushConfig(repo, **config), token=token, card_text=card_text)


def refusal(run: RunDir, *words, **config) -> str:
    """What a push that cannot be says; the run is as it was."""
    before = contents(run.path)
    with pytest.raises(HubError) as caught:
        send(run, *words, **config)
    assert contents(run.path) == before and not list(run.path.parent.glob("lm-push-*"))
    return str(caught.value)


def contents(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's retries as they are, its pauses between them left out."""
    from huggingface_hub.utils import _http

    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda seconds: None, time=time.time))


# ---------------------------------------------------------------------------------------------- what arrives


def test_a_push_is_one_commit_of_exactly_the_promised_files(hub: Hub, fox: RunDir) -> None:
    pushed = send(fox)
    assert (
        set(hub.repo("alice/fox").files) == PLAIN and len(hub.repo("alice/fox").commits) == 2
    )  # the first is the Hub's
    assert pushed.url == f"{hub.endpoint}/alice/fox" and pushed.commit == hub.repo("alice/fox").commits[-1][0]
    assert pushed.is_new and pushed.is_changed and not pushed.is_private


def test_the_weights_arrive_byte_for_byte(hub: Hub, fox: RunDir) -> None:
    send(fox)
    assert hub.repo("alice/fox").files["model.safetensors"] == (fox.best / "model.safetensors").read_bytes()


def test_the_last_checkpoint_can_be_chosen(hub: Hub, fox: RunDir) -> None:
    model, tokenizer = checkpoint.load_model(fox.best), load_tokenizer(fox.best)
    checkpoint.save_model(fox.last, model, tokenizer, step=11, val_loss=None)
    send(fox, checkpoint="last")
    files = hub.repo("alice/fox").files
    assert (
        files["model.safetensors"]
        == (fox.last / "model.safetensors").read_bytes()
        != (fox.best / "model.safetensors").read_bytes()
    )
    assert json.loads(files["training/config.json"])["checkpoint"] == "last"


def test_nothing_of_this_machine_arrives(hub: Hub, fox: RunDir, tmp_path: Path) -> None:
    config = run_dir.read_json(fox.config)
    config |= dict(hostname=socket.gethostname(), source=str(tmp_path))
    config["corpus"] |= dict(path=str(tmp_path / "fox.txt"))
    config["corpus"]["files"][0] |= dict(path=str(tmp_path))
    run_dir.write_json(fox.config, config)
    send(fox, with_corpus=True, with_resume=True)
    private = [str(tmp_path), str(fox.path), str(Path.home()), "quintilian", "lm-push-"]
    private += [name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 3]
    for path, data in hub.repo("alice/fox").files.items():
        for word in private:
            assert word.encode() not in data, (path, word)
    for asked in hub.requests:
        assert not any(word in asked.target for word in private)


def test_the_text_goes_along_only_when_asked_and_is_the_text(hub: Hub, fox: RunDir) -> None:
    send(fox, with_corpus=True)
    files = hub.repo("alice/fox").files
    text = files["corpus/train.txt"] + files["corpus/validation.txt"]
    assert hashlib.sha256(text).hexdigest() == run_dir.read_json(fox.config)["corpus"]["sha256"]
    assert b"responsible" in files["corpus/README.md"] and b"`corpus/`" in files["README.md"]


def test_a_later_push_removes_what_it_leaves_out(hub: Hub, fox: RunDir) -> None:
    send(fox, with_corpus=True, private=True)
    send(fox, private=True)
    assert set(hub.repo("alice/fox").files) == PLAIN


def test_a_resume_state_makes_a_new_repository_private(hub: Hub, fox: RunDir) -> None:
    assert send(fox, with_resume=True).is_private and hub.repo("alice/fox").private
    assert {"resume/state.safetensors", "resume/train.bin", "resume/val.bin"} < set(hub.repo("alice/fox").files)


@pytest.mark.parametrize("config", [dict(with_resume=True), dict(private=True)])
def test_what_was_to_be_private_never_goes_into_a_public_repository(hub: Hub, fox: RunDir, config: dict) -> None:
    send(fox)
    before = len(hub.repo("alice/fox").commits)
    assert "is public" in refusal(fox, **config) and len(hub.repo("alice/fox").commits) == before


def test_the_same_push_again_makes_no_commit(hub: Hub, fox: RunDir) -> None:
    first = send(fox)
    again = send(fox)
    assert again.commit == first.commit and not again.is_changed and not again.is_new
    assert len(hub.repo("alice/fox").commits) == 2


def test_the_message_and_the_users_card_arrive(hub: Hub, fox: RunDir) -> None:
    text = preview(fox, PushConfig("alice/fox")).replace("# fox", "# The fox of the hill")
    send(fox, card_text=text, message="Show the fox")
    assert hub.repo("alice/fox").commits[-1][1] == "Show the fox"
    assert "# The fox of the hill" in hub.repo("alice/fox").files["README.md"].decode()


def test_the_card_names_licence_and_language(hub: Hub, fox: RunDir) -> None:
    send(fox, license="cc-by-4.0", languages=("en", "ja"))
    data = ModelCard(hub.repo("alice/fox").files["README.md"].decode()).data
    assert data.license == "cc-by-4.0" and data.language == ["en", "ja"]


def test_a_name_without_a_user_is_the_users_own(hub: Hub, fox: RunDir) -> None:
    assert send(fox, "fox").repo == "alice/fox"


def test_an_organisation_may_be_written_to(hub: Hub, fox: RunDir) -> None:
    assert send(fox, "lab/fox").repo == "lab/fox"


def test_a_push_while_the_run_trains_on_takes_one_state(hub: Hub, fox: RunDir) -> None:
    """The checkpoint is replaced between the hash and the upload of it."""
    first = (fox.best / "model.safetensors").read_bytes()

    def replace(words: str, done: int, total: int) -> None:
        if words.startswith("looking at"):
            run_dir.write_whole(fox.best / "model.safetensors", first.replace(b'"step":"12"', b'"step":"99"'))

    push(fox, PushConfig("alice/fox"), token="hf_alice", progress=replace)
    assert hub.repo("alice/fox").files["model.safetensors"] == first


def test_progress_grows_to_the_whole(hub: Hub, fox: RunDir) -> None:
    told = []
    pushed = push(fox, PushConfig("alice/fox"), token="hf_alice", progress=lambda *words: told.append(words))
    done = [n for _, n, total in told if total]
    assert done == sorted(done) and done[-1] == pushed.bytes == told[-1][2]


def test_files_of_the_same_content_are_sent_once_and_arrive_twice(hub: Hub, fox: RunDir) -> None:
    twice = (fox.best / "model.safetensors").read_bytes()
    (fox.last / "model.safetensors").write_bytes(twice)
    send(fox, with_resume=True)
    files = hub.repo("alice/fox").files
    assert files["model.safetensors"] == files["resume/last/model.safetensors"] == twice
    assert len(hub.asked(f"PUT /upload/{hashlib.sha256(twice).hexdigest()}")) == 1


@pytest.mark.parametrize("model", [dict(n_experts=4), dict(arch="modern", n_experts=4, logit_softcap=15.0)])
def test_what_transformers_has_no_class_for_is_not_pushed(hub: Hub, tmp_path: Path, model: dict) -> None:
    run = run_dir.create(tmp_path / "runs", "mixed")
    trainer.train(run, request(write_text(tmp_path / "fox.txt"), model=model, steps=2))
    assert "no class in transformers" in refusal(run) and not hub.repos


# ---------------------------------------------------------------------------------------------- what goes wrong


def test_no_network_is_said(hub: Hub, fox: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
    monkeypatch.setattr(way, "BACKOFF_SECONDS", (30.0,))  # it is said at once
    assert "cannot reach http://127.0.0.1" in refusal(fox)


def test_no_token_is_said(hub: Hub, fox: RunDir) -> None:
    assert "hf auth login" in refusal(fox, token=None)


def test_a_wrong_token_is_said(hub: Hub, fox: RunDir) -> None:
    assert "does not accept this token (401)" in refusal(fox, token="hf_wrong")


def test_a_token_that_is_none_is_said_and_not_repeated(hub: Hub, fox: RunDir) -> None:
    words = refusal(fox, token="my password\n")
    assert "no token" in words and "password" not in words


def test_a_read_only_token_is_said_before_anything_is_made(hub: Hub, fox: RunDir) -> None:
    assert "may only read" in refusal(fox, token="hf_reader") and not hub.repos


def test_a_name_of_someone_else_is_said_with_one_that_works(hub: Hub, fox: RunDir) -> None:
    assert "alice/fox" in refusal(fox, "bob/fox") and not hub.repos


@pytest.mark.parametrize("name", ["a b/c", "alice/föx", "alice/fox--den", "alice/.git", "a/b/c", "alice/" + "x" * 100])
def test_an_invalid_name_is_said_with_a_valid_one(hub: Hub, fox: RunDir, name: str) -> None:
    words = refusal(fox, name)
    assert "for example" in words and way.check_repo(words.split("for example ")[-1].split(" ")[0])


def test_a_repository_that_holds_something_else_is_spared(hub: Hub, fox: RunDir) -> None:
    hub.add_repo("alice/fox", {"pytorch_model.bin": b"x"})
    assert "something else" in refusal(fox) and hub.repo("alice/fox").files["pytorch_model.bin"] == b"x"


def test_a_full_account_is_said_and_the_empty_repository_named(hub: Hub, fox: RunDir) -> None:
    hub.free_bytes = 10
    words = refusal(fox)
    assert (
        "storage limit reached" in words
        and "was made and is still empty" in words
        and "hf repos delete alice/fox" in words
    )


def test_a_file_that_no_hub_takes_is_said_before_anything_is_made(hub: Hub, fox: RunDir, monkeypatch) -> None:
    monkeypatch.setattr(pushing, "MOST_FILE_BYTES", 1000)
    words = refusal(fox)
    assert "GB" in words and "Nothing on the Hub was changed" in words and not hub.repos


def test_a_request_that_is_too_large_is_said(hub: Hub, fox: RunDir) -> None:
    hub.fault("POST .*/commit/", status=413, message="payload too large")
    assert "does not take these files" in refusal(fox)


def test_a_moment_of_trouble_is_waited_out(hub: Hub, fox: RunDir) -> None:
    for where in ("whoami", "POST /api/repos/create", "POST .*/commit/"):
        hub.fault(where, status=500)
    hub.fault("GET /api/models", status=429, message="slow down")
    assert send(fox).is_changed


def test_lasting_trouble_is_said(hub: Hub, fox: RunDir) -> None:
    hub.fault("POST .*/commit/", status=503, times=9)
    words = refusal(fox)
    assert "in trouble (503)" in words and "pushing again completes it" in words


def test_too_many_requests_are_said(hub: Hub, fox: RunDir) -> None:
    hub.fault("whoami", status=429, times=9)
    assert "slow down (429)" in refusal(fox)


def test_a_dropped_upload_is_sent_again(hub: Hub, fox: RunDir) -> None:
    hub.fault("PUT /upload", drop_after=1000)
    send(fox)
    assert hub.repo("alice/fox").files["model.safetensors"] == (fox.best / "model.safetensors").read_bytes()


def test_after_a_broken_push_only_what_is_missing_is_sent(hub: Hub, fox: RunDir, impatient: None) -> None:
    weights = hashlib.sha256((fox.best / "model.safetensors").read_bytes()).hexdigest()
    hub.fault(f"PUT /upload/{weights}", drop_after=1000, times=6)  # the client tries six times
    words = refusal(fox)
    assert "cannot reach" in words and "push again to go on" in words
    assert [files for _, _, files in hub.repo("alice/fox").commits] == [
        {".gitattributes": hub.repo("alice/fox").files[".gitattributes"]}
    ]
    hub.requests.clear()
    send(fox)
    assert [asked.target.split("?")[0] for asked in hub.asked("^PUT /upload")] == [f"/upload/{weights}"]


def test_an_upload_that_arrives_damaged_is_refused(hub: Hub, fox: RunDir) -> None:
    hub.fault("PUT /upload", status=400, message="The bytes do not have this sha256", times=9)
    assert "do not have this sha256" in refusal(fox)


def test_a_lost_answer_makes_no_second_commit(hub: Hub, fox: RunDir) -> None:
    hub.fault("POST .*/commit/", loses_answer=True)
    pushed = send(fox)
    assert (
        len(hub.repo("alice/fox").commits) == 2
        and pushed.commit == hub.repo("alice/fox").commits[-1][0]
        and pushed.is_changed
    )


def test_a_repository_that_vanishes_is_said(hub: Hub, fox: RunDir) -> None:
    hub.fault("POST .*/preupload/", status=404, code="RepoNotFound")
    assert "no repository alice/fox" in refusal(fox)


def test_a_change_by_somebody_else_is_said(hub: Hub, fox: RunDir) -> None:
    hub.fault("POST .*/commit/", status=412, message="A commit has happened since")
    assert "changed by somebody else" in refusal(fox)


def test_a_token_that_loses_its_right_is_said(hub: Hub, fox: RunDir) -> None:
    hub.fault("POST .*/commit/", status=403, message="Forbidden: pass a token with write access")
    assert "write permission" in refusal(fox)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# only a title", "no metadata"),
        ("---\nlicense: [mit\n---\n# x", "no YAML"),
        ("---\n- a\n- b\n---\n# x", "cannot be read"),
        ("---\nlicense: {a: 1}\n---\n# x", "license="),
        ("---\nlicense: my-own\n---\n# x", "license"),
        ("---\nlanguage: Klingon!\n---\n# x", "language"),
    ],
)
def test_a_card_with_bad_metadata_is_said_before_anything_is_made(hub: Hub, fox: RunDir, text: str, words: str) -> None:
    said = refusal(fox, card_text=text)
    assert words in said and "edit the lines between the two ---" in said and not hub.repos


def test_a_cancelled_push_says_what_exists_and_can_go_on(hub: Hub, fox: RunDir) -> None:
    is_sending, is_noticed = threading.Event(), threading.Event()

    def show(words: str, done: int, total: int) -> None:
        if words.startswith("sending"):
            is_sending.set()
            is_noticed.wait(5)

    def should_stop() -> bool:
        if is_sending.is_set():
            is_noticed.set()
        return is_sending.is_set()

    with pytest.raises(Cancelled, match="was made and is still empty; push again"):
        push(fox, PushConfig("alice/fox"), token="hf_alice", progress=show, should_stop=should_stop)
    assert len(hub.repo("alice/fox").commits) == 1
    assert send(fox).is_changed and set(hub.repo("alice/fox").files) == PLAIN


def test_a_stalled_connection_can_be_given_up(hub: Hub, fox: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way, "GIVE_UP_SECONDS", 0.2)
    stalled = hub.fault("PUT /upload", hold=threading.Event(), times=9)
    started = time.monotonic()
    with pytest.raises(Cancelled, match="still empty"):
        push(fox, PushConfig("alice/fox"), token="hf_alice", should_stop=lambda: bool(hub.asked("PUT /upload")))
    assert time.monotonic() - started < 20  # it stalls for 30
    stalled.hold.set()
    for thread in threading.enumerate():
        if thread.name == "hub transfer":
            thread.join()
    assert len(hub.repo("alice/fox").commits) == 1  # what was left behind does not commit after all


def test_a_run_without_a_checkpoint_cannot_be_pushed(hub: Hub, tmp_path: Path) -> None:
    run = run_dir.create(tmp_path / "runs", "new")
    run_dir.write_status(run, run_dir.Status("stopped"))
    run_dir.write_json(run.config, {})
    with pytest.raises(run_dir.RunError.__base__, match="no checkpoint yet"):
        send(run)
    assert not hub.repos


# ---------------------------------------------------------------------------------------------- the token


def test_the_token_is_in_no_file_log_address_or_error(hub: Hub, fox: RunDir, tmp_path: Path, caplog, capfd) -> None:
    token = "hf_ZQx9kTneverseenelsewhere"
    hub.tokens[token] = User("alice")
    for logger in ("", "huggingface_hub"):
        caplog.set_level(logging.DEBUG, logger=logger)
    told = str(send(fox, token=token, with_corpus=True, with_resume=True)) + caplog.text + "".join(capfd.readouterr())
    assert "/api/whoami-v2" in told and token not in told
    assert not any(token.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for data in hub.repo("alice/fox").files.values():
        assert token.encode() not in data
    for asked in hub.requests:
        others = {name: text for name, text in asked.headers.items() if name != "authorization"}
        assert token not in asked.target and token not in str(others) and token.encode() not in asked.body
        assert ("authorization" in asked.headers) == (not asked.target.startswith("/upload")), asked.target


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500])
def test_a_server_that_repeats_the_token_is_not_quoted(hub: Hub, fox: RunDir, status: int, capfd) -> None:
    hub.fault("POST .*/commit/", status=status, message="the token hf_alice is not liked", times=4)
    with pytest.raises(HubError) as caught:
        send(fox)
    assert "hf_alice" not in str(caught.value) + "".join(capfd.readouterr())
    assert "hf_alice" not in "".join(traceback.format_exception(caught.value))
