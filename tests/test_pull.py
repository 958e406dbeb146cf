"""Pulling: what was pushed comes back, here and in `transformers`; what could harm is refused; offline too."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tokenizers
from hub_server import Hub, User, serve
from huggingface_hub import constants
from runs import metrics, request, weights, write_text

from lm import checkpoint, run_dir, trainer
from lm.__main__ import main
from lm.config import DataConfig, SampleConfig
from lm.errors import HubError, LMError
from lm.generate import generate
from lm.hub import Cancelled
from lm.pull import Source, parse, pull
from lm.push import PushConfig, push
from lm.run_dir import RunDir
from lm.tokenizer import load_tokenizer

ROOT = Path(__file__).parent.parent


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def arrived(shared_fox: RunDir) -> dict[bool, dict[str, bytes]]:
    """What a push of the run makes arrive, without and with its resume state; really pushed, once."""
    with serve() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", server.endpoint)
        server.tokens = {"hf_alice": User("alice")}
        for with_resume in (False, True):
            push(shared_fox, PushConfig(f"alice/{with_resume}", with_resume=with_resume), token="hf_alice")
        return {with_resume: server.repo(f"alice/{with_resume}").files for with_resume in (False, True)}


@pytest.fixture
def pushed(hub: Hub, fox: RunDir, arrived) -> RunDir:
    """A run, and its repository alice/fox."""
    hub.add_repo("alice/fox", arrived[False])
    return fox


def text_of(folder: Path) -> str:
    [sample] = generate(checkpoint.load_model(folder), load_tokenizer(folder), "The ", SampleConfig(max_new_tokens=20))
    return sample.text


def refusal(source: str, **words) -> str:
    with pytest.raises(LMError) as caught:
        pull(source, **words)
    return str(caught.value)


# ---------------------------------------------------------------------------------------------- there and back


def test_what_is_pulled_writes_the_same_text(hub: Hub, pushed: RunDir, cache: Path) -> None:
    pulled = pull("alice/fox", cache=cache)
    assert text_of(pulled.path) == text_of(pushed.best) and pulled.commit == hub.repo("alice/fox").commits[-1][0]


def test_a_pushed_run_comes_back_as_a_run(hub: Hub, pushed: RunDir, cache: Path, tmp_path: Path) -> None:
    pulled = pull("alice/fox", tmp_path / "elsewhere" / "fox", cache=cache)
    here, there = run_dir.summary(pushed), run_dir.summary(RunDir(pulled.path))
    same = ("name", "state", "step", "best_val_loss", "corpus", "parameters", "recipe")
    assert pulled.is_run and not pulled.is_resumable and [here[key] for key in same] == [there[key] for key in same]
    assert metrics(RunDir(pulled.path)) == metrics(pushed) and weights(RunDir(pulled.path), "best") == weights(
        pushed, "best"
    )
    assert checkpoint.find_checkpoint("fox", pulled.path.parent) == pulled.path / "best"


@pytest.mark.parametrize("state", ["stopped", "finished"])
def test_training_goes_on_elsewhere_bit_for_bit(hub: Hub, tmp_path: Path, cache: Path, state: str) -> None:
    source = write_text(tmp_path / "fox.txt")
    here = run_dir.create(tmp_path / "runs", "fox")
    stop_at = 7 if state == "stopped" else 99

    def stop(record: dict, status: run_dir.Status) -> None:
        if record["step"] == stop_at:
            run_dir.request_stop(here)

    trainer.train(here, request(source), on_record=stop)
    push(here, PushConfig("alice/fox", with_resume=True), token="hf_alice")
    pulled = pull("alice/fox", tmp_path / "elsewhere" / "fox", token="hf_alice", cache=cache)
    there = RunDir(pulled.path)
    assert pulled.is_resumable and run_dir.state(there) == state
    assert weights(there, "last") == weights(here, "last") and weights(there, "best") == weights(here, "best")
    changes = None if state == "stopped" else dict(steps=20)
    results = [trainer.train(run, changes=changes) for run in (here, there)]
    assert results[0]["steps"] == results[1]["steps"] == (12 if state == "stopped" else 20)
    assert weights(there) == weights(here) and metrics(there) == metrics(here)


def test_transformers_computes_and_writes_the_same(hub: Hub, tmp_path: Path) -> None:
    """In a process of its own, pointed at the Hub by its address alone: the same logits, the same greedy text."""
    pytest.importorskip("transformers")
    source, runs = write_text(tmp_path / "fox.txt"), {}
    for arch, n_experts in (("gpt2", 0), ("modern", 0), ("modern", 4), ("bigram", 0)):
        for kind in ("char", "bpe"):
            name = f"{arch}-{n_experts}-{kind}"
            run = runs[f"alice/{name}"] = run_dir.create(tmp_path / "runs", name)
            wanted = request(source, model=dict(arch=arch, n_experts=n_experts), lr=0.01)
            trainer.train(run, dataclasses.replace(wanted, data=DataConfig(tokenizer=kind, vocab_size=300)))
            push(run, PushConfig(f"alice/{name}"), token="hf_alice")
    code = (
        "import json, sys, torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\nfound = {}\nfor repo "
        "in sys.argv[1:]:\n    model, tokenizer = AutoModelForCausalLM.from_pretrained(repo), "
        "AutoTokenizer.from_pretrained(repo)\n    ids = tokenizer('The fox\\n', return_tensors='pt').input_ids\n    "
        "written = model.generate(ids, max_new_tokens=6, do_sample=False)\n    found[repo] = [ids[0].tolist(), "
        "model(ids).logits[0].tolist(), tokenizer.decode(written[0])]\nprint(json.dumps(found))\n"
    )
    environment = os.environ | dict(HF_ENDPOINT=hub.endpoint, HF_HOME=str(tmp_path / "home"), OMP_NUM_THREADS="1")
    done = subprocess.run(
        [sys.executable, "-c", code, *runs], env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    for repo, (ids, logits, text) in json.loads(done.stdout).items():
        model, tokenizer = checkpoint.load_model(runs[repo].best), load_tokenizer(runs[repo].best)
        assert tokenizer.encode("The fox\n").tolist() == ids, repo
        ours = model(trainer.torch.tensor([ids])).detach()[0]
        assert np.abs(ours.numpy() - np.array(logits)).max() < 1e-4, repo
        greedy = SampleConfig(max_new_tokens=6, temperature=0.0)
        assert generate(model, tokenizer, "The fox\n", greedy)[0].text == text, repo


def test_a_revision_is_fetched_as_it_was(hub: Hub, pushed: RunDir, cache: Path) -> None:
    first = hub.repo("alice/fox").commits[-1][0]
    push(pushed, PushConfig("alice/fox", checkpoint="last", license="mit"), token="hf_alice")
    assert pull("alice/fox", cache=cache).commit != first
    assert pull("alice/fox", revision=first, cache=cache).commit == first
    assert pull(f"{hub.endpoint}/alice/fox/tree/{first}", cache=cache).commit == first


def test_a_folder_of_this_machine_serves_too(fox: RunDir) -> None:
    assert pull(str(fox.best)).path == fox.best and pull(str(fox.path)).path == fox.best


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("alice/fox", Source(repo="alice/fox")),
        ("https://huggingface.co/alice/fox", Source(repo="alice/fox")),
        ("https://huggingface.co/alice/fox/tree/v1", Source(repo="alice/fox", revision="v1")),
        ("huggingface.co/alice/fox/blob/main/README.md", Source(repo="alice/fox")),
        ("hf.co/alice/fox?download=true", Source(repo="alice/fox")),
        ("hf://alice/fox", Source(repo="alice/fox")),
        (" alice/fox\n", Source(repo="alice/fox")),
    ],
)
def test_a_repository_can_be_named_in_many_ways(text: str, source: Source) -> None:
    assert parse(text) == source


@pytest.mark.parametrize(
    "text", ["", "fox", "https://example.com/alice/fox", "alice/fox/../..", "alice/", "file:///etc/passwd"]
)
def test_what_names_no_repository_is_refused(text: str) -> None:
    with pytest.raises(HubError, match="user/"):
        parse(text)


@pytest.mark.parametrize("kind", ["gpt2", "nanochat"])
def test_a_model_that_transformers_made_writes_the_same_here(hub: Hub, cache: Path, tmp_path: Path, kind: str) -> None:
    transformers = pytest.importorskip("transformers")
    words = tokenizers.ByteLevelBPETokenizer()
    words.train_from_iterator([write_text(tmp_path / "fox.txt").read_text(encoding="utf-8")], vocab_size=300)
    there = transformers.PreTrainedTokenizerFast(tokenizer_object=words._tokenizer)  # noqa: SLF001
    if kind == "gpt2":
        config = transformers.GPT2Config(vocab_size=300, n_positions=16, n_embd=16, n_layer=2, n_head=2)
    else:
        config = transformers.NanoChatConfig(
            vocab_size=300, max_position_embeddings=16, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=2, intermediate_size=64,
        )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(tmp_path / kind), there.save_pretrained(tmp_path / kind)
    hub.add_repo(f"bob/{kind}", {path.name: path.read_bytes() for path in (tmp_path / kind).iterdir()})
    pulled = pull(f"bob/{kind}", tmp_path / "runs" / kind, cache=cache)
    ids = there("The fox", return_tensors="pt").input_ids
    written = model.eval().generate(ids, max_new_tokens=6, do_sample=False, eos_token_id=-1, pad_token_id=0)
    [sample] = generate(
        checkpoint.load_model(pulled.path),
        load_tokenizer(pulled.path),
        "The fox",
        SampleConfig(max_new_tokens=6, temperature=0.0),
    )
    assert not pulled.is_run and sample.text == there.decode(written[0])


# ---------------------------------------------------------------------------------------------- cache and network


def test_what_was_pulled_works_without_a_network(
    hub: Hub, pushed: RunDir, cache: Path, monkeypatch, tmp_path: Path
) -> None:
    online = pull("alice/fox", tmp_path / "a" / "fox", cache=cache)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        offline = pull("alice/fox", tmp_path / "b" / "fox", cache=cache)
        assert offline.commit == online.commit and text_of(offline.path / "best") == text_of(pushed.best)
        assert "was never pulled" in refusal("alice/wolf", cache=cache)


def test_what_was_pulled_works_in_offline_mode(hub: Hub, pushed: RunDir, cache: Path, monkeypatch) -> None:
    online = pull("alice/fox", cache=cache)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    assert pull("alice/fox", cache=cache).commit == online.commit and not hub.requests


def test_what_was_pulled_is_not_fetched_again(hub: Hub, pushed: RunDir, cache: Path) -> None:
    pull("alice/fox", cache=cache)
    hub.requests.clear()
    pull("alice/fox", cache=cache)
    assert not hub.asked("GET /signed") and not hub.asked("GET .*tokenizer")


def test_a_dropped_download_goes_on_where_it_was(hub: Hub, pushed: RunDir, cache: Path, monkeypatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    hub.fault("GET /signed", breaks_after=5000)
    hub.fault("GET .*tokenizer.json", drop_after=0)
    assert text_of(pull("alice/fox", cache=cache).path) == text_of(pushed.best)
    starts = [int(re.search(r"\d+", asked.headers.get("range", "bytes=0-"))[0]) for asked in hub.asked("GET /signed")]
    assert starts[0] == 0 < starts[1] <= 5000


def test_a_cancelled_pull_leaves_nothing_but_the_cache(hub: Hub, pushed: RunDir, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        pull("alice/fox", tmp_path / "to" / "fox", cache=cache, should_stop=lambda: True)
    assert not (tmp_path / "to").exists()


def test_the_hub_is_told_nothing_of_the_machine(hub: Hub, pushed: RunDir, cache: Path) -> None:
    pull("alice/fox", cache=cache)
    told = {request.headers["user-agent"] for request in hub.requests}
    assert told and not any("torch" in one or "agent/" in one for one in told)


def test_the_token_does_not_follow_to_the_storage(hub: Hub, pushed: RunDir, cache: Path) -> None:
    hub.requests.clear()
    pull("alice/fox", token="hf_alice", cache=cache)
    for asked in hub.requests:
        assert ("authorization" in asked.headers) == (not asked.target.startswith("/signed"))
    assert not any(b"hf_alice" in path.read_bytes() for path in cache.rglob("*") if path.is_file())


# ---------------------------------------------------------------------------------------------- what is refused


def test_a_missing_and_a_private_repository_are_said(hub: Hub, fox: RunDir, cache: Path) -> None:
    assert "no repository alice/wolf" in refusal("alice/wolf", cache=cache)
    push(fox, PushConfig("alice/fox", private=True), token="hf_alice")
    assert "private" in refusal("alice/fox", cache=cache)


def test_a_missing_revision_is_said(hub: Hub, pushed: RunDir, cache: Path) -> None:
    assert "no such revision" in refusal("alice/fox", revision="v9", cache=cache)


def test_a_wrong_token_is_said(hub: Hub, pushed: RunDir, cache: Path) -> None:
    assert "does not accept this token" in refusal("alice/fox", token="hf_wrong", cache=cache)


def test_a_pickle_is_refused_with_the_reason_and_never_fetched(hub: Hub, pushed: RunDir, cache: Path) -> None:
    bomb = pickle.dumps(pytest.fail)
    hub.add_repo("alice/old", {"config.json": hub.repo("alice/fox").files["config.json"], "pytorch_model.bin": bomb})
    assert "runs the code of whoever wrote it" in refusal("alice/old", cache=cache)
    assert not hub.asked("pytorch_model|signed")


def test_only_known_files_are_fetched(hub: Hub, pushed: RunDir, cache: Path) -> None:
    files = hub.repo("alice/fox").files | {
        "modeling_fox.py": b"raise SystemExit",
        "optimizer.pt": b"x",
        "a/b.json": b"{}",
    }
    files["config.json"] = json.dumps(
        json.loads(files["config.json"]) | {"auto_map": {"AutoModel": "modeling_fox.Fox"}}
    ).encode()
    hub.add_repo("alice/odd", files)
    pull("alice/odd", cache=cache)
    assert not hub.asked("alice/odd/resolve.*(modeling_fox|optimizer|a/b)")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": None}, "no config.json"),
        ({"model.safetensors": None}, "no model.safetensors"),
        ({"model.safetensors": None, "model.safetensors.index.json": b"{}"}, "several files"),
        ({"config.json": b"[1]"}, "no settings"),
        ({"config.json": b"{"}, "damaged"),
        ({"model.safetensors": b"short"}, "do not belong together"),
        ({"tokenizer.json": b"{}"}, "tokenizer"),
    ],
)
def test_what_holds_no_model_is_said(hub: Hub, pushed: RunDir, cache: Path, files: dict, words: str) -> None:
    changed = hub.repo("alice/fox").files | files
    hub.add_repo("alice/odd", {path: data for path, data in changed.items() if data is not None})
    assert words in refusal("alice/odd", cache=cache)


@pytest.mark.parametrize(
    "changes", [dict(n_layer=10**9), dict(n_embd=12_000), dict(vocab_size=10**12), dict(model_type="llama")]
)
def test_settings_out_of_bounds_are_refused_before_the_weights_are_fetched(
    hub: Hub, pushed: RunDir, cache: Path, changes
) -> None:
    files = dict(hub.repo("alice/fox").files)
    config = json.loads(files["config.json"]) | changes
    del config["lm_playground"]
    hub.add_repo("alice/odd", files | {"config.json": json.dumps(config).encode()})
    refusal("alice/odd", cache=cache)
    assert not hub.asked("signed|alice/odd/resolve.*safetensors")


def test_a_repository_larger_than_allowed_is_refused_before_it_is_fetched(
    hub: Hub, pushed: RunDir, cache: Path
) -> None:
    assert "--most-gigabytes" in refusal("alice/fox", most_gigabytes=1e-6, cache=cache)
    assert not hub.asked("resolve|signed")


def test_what_would_fill_the_disk_is_refused_before_it_is_fetched(
    hub: Hub, pushed: RunDir, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=200_000_100))
    assert "0.20 GB are free" in refusal("alice/fox", cache=cache) and not hub.asked("resolve|signed")


def test_who_has_no_room_for_it_is_told_its_size_before_it_is_fetched(hub: Hub, pushed: RunDir, cache: Path) -> None:
    asked = []

    def refuse(n_bytes: int) -> None:
        asked.append(n_bytes)
        raise LMError("no room")

    assert refusal("alice/fox", cache=cache, check_room=refuse) == "no room" and not hub.asked("resolve|signed")
    files = hub.repo("alice/fox").files
    assert asked == [sum(len(files[name]) for name in checkpoint.FILES if name in files)]


def test_a_disk_that_refuses_is_said(hub: Hub, pushed: RunDir, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "cannot read or write" in refusal("alice/fox", to=tmp_path / "file" / "fox", cache=cache)


def test_a_place_that_is_taken_is_spared(hub: Hub, pushed: RunDir, cache: Path) -> None:
    before = {path: path.read_bytes() for path in pushed.path.rglob("*") if path.is_file()}
    assert "exists already" in refusal("alice/fox", to=pushed.path, cache=cache)
    assert before == {path: path.read_bytes() for path in pushed.path.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("training/config.json", b"{}"),
        ("training/config.json", b"3"),
        ("training/metrics.jsonl", b"no json\n"),
        ("resume/train.bin", b"\xff\xff" * 50),
        ("resume/status.json", b"["),
    ],
)
def test_a_run_that_is_damaged_is_said_and_nothing_stays(hub: Hub, arrived, cache, tmp_path, path, data) -> None:
    hub.add_repo("alice/odd", arrived[True] | {path: data})
    refusal("alice/odd", to=tmp_path / "to" / "odd", cache=cache)
    assert not list((tmp_path / "to").iterdir())


def test_a_hostile_status_stays_within_its_kinds(hub: Hub, arrived, cache: Path, tmp_path: Path) -> None:
    status = dict(state="running", step="many", pid=1, error="<script>")
    hub.add_repo("alice/odd", arrived[True] | {"resume/status.json": json.dumps(status).encode()})
    pulled = pull("alice/odd", tmp_path / "odd", cache=cache)
    found = run_dir.read_status(RunDir(pulled.path))
    harmless = run_dir.Status("stopped", step=12, max_steps=12, seconds_left=0.0)
    assert dataclasses.replace(found, elapsed_seconds=0.0) == harmless


def test_a_run_from_another_device_trains_on_what_is_here(hub: Hub, fox: RunDir, cache: Path, tmp_path: Path) -> None:
    run_dir.write_json(fox.config, run_dir.read_json(fox.config) | dict(device="mps", precision="bf16"))
    push(fox, PushConfig("alice/fox", with_resume=True), token="hf_alice")
    pulled = pull("alice/fox", tmp_path / "there" / "fox", token="hf_alice", cache=cache)
    if sys.platform == "darwin":
        pytest.skip("mps may be here")
    assert "not bit for bit" in pulled.notes[0]
    assert trainer.train(RunDir(pulled.path), changes=dict(steps=14))["steps"] == 14


def test_a_pulled_run_without_its_state_says_that_it_cannot_go_on(
    hub: Hub, pushed: RunDir, cache: Path, tmp_path, capsys
) -> None:
    pulled = pull("alice/fox", tmp_path / "there" / "fox", cache=cache)
    assert (
        main(["resume", str(pulled.path), "--steps", "20"]) == 2 and "pushed with --resume" in capsys.readouterr().err
    )
