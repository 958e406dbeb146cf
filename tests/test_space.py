"""The demo Space: three small files that really run, made once and renewed; and the network commands of the shell."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from hub_server import Hub
from runs import write_text
from startup import answers, free_port  # benchmarks/

from lm import run_dir, space
from lm.__main__ import main
from lm.errors import HubError
from lm.push import PushConfig, push
from lm.run_dir import RunDir
from lm.space import publish


@pytest.fixture
def pushed(hub: Hub, fox: RunDir) -> RunDir:
    push(fox, PushConfig("alice/fox"), token="hf_alice")
    return fox


def refusal(*words, token: str = "hf_alice", **named) -> str:
    with pytest.raises(HubError) as caught:
        publish(*words, token=token, **named)
    return str(caught.value)


def test_a_space_is_made_of_three_files(hub: Hub, pushed: RunDir) -> None:
    published = publish("alice/fox", token="hf_alice")
    made = hub.repo("alice/fox-demo", "space")
    assert set(made.files) == {".gitattributes", "app.py", "requirements.txt", "README.md"} and made.sdk == "gradio"
    assert published.url == f"{hub.endpoint}/spaces/alice/fox-demo" and published.is_new


def test_publishing_again_renews_the_same_space(hub: Hub, pushed: RunDir) -> None:
    publish("alice/fox", token="hf_alice")
    again = publish("alice/fox", token="hf_alice", prompt="The fox")
    assert not again.is_new and [kind for kind, _ in hub.repos].count("space") == 1
    assert b"'The fox'" in hub.repo("alice/fox-demo", "space").files["app.py"]


def test_the_app_is_short_and_the_front_matter_valid() -> None:
    files = space.files("alice/fox", 'a "prompt"\n\\')
    assert len(files["app.py"].splitlines()) < 60
    compile(files["app.py"], "app.py", "exec")
    front = yaml.safe_load(files["README.md"].split("---")[1])
    assert front["sdk"] == "gradio" and front["app_file"] == "app.py" and front["models"] == ["alice/fox"]
    assert len(front["short_description"]) <= 60


def test_the_app_runs_and_writes(hub: Hub, pushed: RunDir, tmp_path: Path) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    pytest.importorskip("transformers")
    publish("alice/fox", token="hf_alice")
    files = hub.repo("alice/fox-demo", "space").files
    (tmp_path / "app.py").write_bytes(files["app.py"])
    port = free_port()
    environment = os.environ | dict(
        HF_ENDPOINT=hub.endpoint, HF_HOME=str(tmp_path / "home"), GRADIO_SERVER_PORT=str(port), OMP_NUM_THREADS="1",
        GRADIO_ANALYTICS_ENABLED="False", PYTHONUTF8="1",
    )  # fmt: skip
    log = open(tmp_path / "log.txt", "w+b")
    app = subprocess.Popen(
        [sys.executable, "app.py"], cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        while not answers(port):
            assert app.poll() is None, (tmp_path / "log.txt").read_text(encoding="utf-8")
            time.sleep(0.1)
        client = gradio_client.Client(f"http://127.0.0.1:{port}", verbose=False, download_files=str(tmp_path))
        greedy = client.predict("The fox", 6, 0, 0, 1, 0, api_name="/write")
        drawn = [client.predict("The ", 6, 1.0, 0, 1, seed, api_name="/write") for seed in (1, 1, 2)]
    finally:
        app.kill(), app.wait(), log.close()
    assert greedy.startswith("The fox") and len(greedy) == len("The fox") + 6
    assert drawn[0] == drawn[1] and all(text.startswith("The ") for text in drawn)


def test_a_private_repository_gets_a_private_space_and_no_token_of_ours(hub: Hub, fox: RunDir) -> None:
    push(fox, PushConfig("alice/fox", private=True), token="hf_alice")
    published = publish("alice/fox", token="hf_alice")
    assert published.is_private and hub.repo("alice/fox-demo", "space").private and "secrets" in published.notes[0]
    assert not any(b"hf_alice" in data for data in hub.repo("alice/fox-demo", "space").files.values())


def test_what_holds_no_model_gets_no_space(hub: Hub) -> None:
    hub.add_repo("alice/empty")
    assert "lm push" in refusal("alice/empty")
    assert "no repository" in refusal("alice/none")
    assert not [kind for kind, _ in hub.repos if kind == "space"]


def test_another_space_of_that_name_is_spared(hub: Hub, pushed: RunDir) -> None:
    hub.add_repo("alice/fox-demo", {"app.py": b"x", "game.py": b"y"}, kind="space", sdk="gradio")
    assert "something else" in refusal("alice/fox") and hub.repo("alice/fox-demo", "space").files["app.py"] == b"x"


def test_an_account_that_may_have_no_space_is_told(hub: Hub, pushed: RunDir) -> None:
    hub.fault("POST /api/repos/create", status=402, message="Subscribe to PRO")
    assert "paying accounts (402)" in refusal("alice/fox")


def test_a_space_that_stays_empty_is_named(hub: Hub, pushed: RunDir) -> None:
    hub.fault("POST /api/spaces/.*/commit/", status=500)
    assert "spaces/alice/fox-demo exists" in refusal("alice/fox")


@pytest.mark.parametrize(("token", "words"), [("hf_reader", "may only read"), ("hf_wrong", "does not accept")])
def test_a_token_that_cannot_is_said(hub: Hub, pushed: RunDir, token: str, words: str) -> None:
    assert words in refusal("alice/fox", token=token)


# ---------------------------------------------------------------------------------------------- from the shell


def lm(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, out.getvalue(), err.getvalue()


def test_push_pull_and_space_from_the_shell(hub: Hub, fox: RunDir, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    code, out, err = lm("push", str(fox.path), "alice/fox", "--license", "mit", "--json")
    assert code == 0 and json.loads(out)["url"] == f"{hub.endpoint}/alice/fox" and "sending" in err
    code, out, _ = lm("pull", f"{hub.endpoint}/alice/fox", "--runs-dir", str(tmp_path / "there"))
    assert code == 0 and "lm generate fox" in out
    assert [run.name for run in run_dir.list_runs(tmp_path / "there")] == ["fox"]
    code, out, _ = lm(
        "generate", "fox", "--runs-dir", str(tmp_path / "there"), "--prompt", "The", "--max-new-tokens", "3"
    )
    assert code == 0 and out.startswith("The")
    code, out, _ = lm("space", "alice/fox")
    assert code == 0 and out.strip() == f"{hub.endpoint}/spaces/alice/fox-demo"


def test_a_card_is_previewed_edited_and_pushed(hub: Hub, fox: RunDir, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    code, text, _ = lm("push", str(fox.path), "alice/fox", "--preview")
    assert code == 0 and text.startswith("---\n") and not hub.requests
    (tmp_path / "card.md").write_text(text.replace("# fox", "# Reynard"), encoding="utf-8")
    assert lm("push", str(fox.path), "alice/fox", "--card", str(tmp_path / "card.md"))[0] == 0
    assert b"# Reynard" in hub.repo("alice/fox").files["README.md"]


def test_a_refusal_is_one_line_without_a_traceback(hub: Hub, fox: RunDir) -> None:
    code, out, err = lm("push", str(fox.path), "alice/fox")
    assert code == 2 and out == "" and "hf auth login" in err.splitlines()[-1] and "Traceback" not in err


def test_a_model_on_the_hub_writes_by_its_name_and_later_without_a_network(
    hub: Hub, pushed: RunDir, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    greedy = ("--prompt", "The fox", "--temperature", "0", "--max-new-tokens", "8", "--runs-dir", str(tmp_path))
    code, here, _ = lm("generate", str(pushed.best), *greedy)
    assert code == 0 and lm("generate", "alice/fox", *greedy)[:2] == (0, here)
    assert lm("generate", f"{hub.endpoint}/alice/fox", *greedy)[:2] == (0, here)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert lm("generate", "alice/fox", *greedy)[:2] == (0, here)


def test_what_lies_here_is_not_looked_for_on_the_hub(hub: Hub, pushed: RunDir, monkeypatch) -> None:
    before = len(hub.requests)
    monkeypatch.chdir(pushed.path.parent.parent)
    assert lm("generate", "runs/fox", "--max-new-tokens", "1")[0] == 0
    code, _, err = lm("generate", "runs/wolf")
    assert code == 2 and "no run named 'runs/wolf'" in err and len(hub.requests) == before


def test_weights_on_the_hub_are_begun_from_and_named_so(hub: Hub, pushed: RunDir, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    there = ("--runs-dir", str(tmp_path / "there"))
    text = write_text(tmp_path / "hill.txt")
    short = ("--steps", "2", "--sample-tokens", "0", "--eval-windows", "2")
    assert lm("train", "--data", str(text), "--name", "hill", "--init-from", "alice/fox", *short, *there)[0] == 0
    assert lm("train", "--data", str(text), "--name", "dale", "--init-from", "hill", *short, *there)[0] == 0
    said = [run_dir.read_json(tmp_path / "there" / name / "config.json")["init_from"] for name in ("hill", "dale")]
    assert said == ["alice/fox", "hill"]
