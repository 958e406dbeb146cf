"""The fixed-window evaluator: deterministic, exact, and without a trace in the training."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lm.batches import evaluation_windows
from lm.config import ModelConfig
from lm.evaluate import evaluate, smoothing_nats
from lm.lens import token_losses
from lm.model import GPT

V, T = 11, 8
ONE_BYTE = (np.ones(V, np.int64), np.ones(V, np.int64))


@pytest.fixture
def tokens() -> np.ndarray:
    return np.random.default_rng(0).integers(0, V, 103).astype(np.uint16)


@pytest.fixture
def model() -> GPT:
    torch.manual_seed(0)
    model = GPT(ModelConfig(vocab_size=V, block_size=T, n_layer=2, n_head=2, n_embd=16, dropout=0.5))
    return model.train()


def test_every_token_but_the_first_is_predicted_once(model: GPT, tokens: np.ndarray) -> None:
    windows = evaluation_windows(len(tokens), T)
    targets = [target for start, end in windows for target in range(start + 1, end + 1)]
    assert targets == list(range(1, len(tokens)))
    assert evaluate(model, tokens, windows, ONE_BYTE, batch_size=4).tokens == len(tokens) - 1


def test_the_loss_is_the_mean_of_what_the_model_gives_each_token(model: GPT, tokens: np.ndarray) -> None:
    nats = []
    model.eval()
    for start, end in evaluation_windows(len(tokens), T):
        ids = torch.from_numpy(tokens[start : end + 1].astype(np.int64))
        shares = model(ids[None, :-1]).detach().double().softmax(-1)[0]
        nats += [-math.log(shares[t, ids[t + 1]]) for t in range(len(ids) - 1)]
    measured = evaluate(model, tokens, evaluation_windows(len(tokens), T), ONE_BYTE, batch_size=3)
    assert measured.loss == pytest.approx(sum(nats) / len(nats), abs=1e-6)
    assert measured.perplexity == pytest.approx(math.exp(measured.loss))
    assert measured.bits_per_byte == pytest.approx(measured.loss / math.log(2))


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_the_batch_size_changes_only_the_rounding(model: GPT, tokens: np.ndarray, batch_size: int) -> None:
    windows = evaluation_windows(len(tokens), T)
    assert evaluate(model, tokens, windows, ONE_BYTE, batch_size=batch_size).loss == pytest.approx(
        evaluate(model, tokens, windows, ONE_BYTE, batch_size=7).loss, abs=1e-6
    )


def test_evaluation_draws_no_random_number_and_restores_the_mode(model: GPT, tokens: np.ndarray) -> None:
    before = torch.get_rng_state()
    first = evaluate(model, tokens, evaluation_windows(len(tokens), T), ONE_BYTE, batch_size=4)
    assert torch.equal(before, torch.get_rng_state()) and model.training
    assert first == evaluate(model, tokens, evaluation_windows(len(tokens), T), ONE_BYTE, batch_size=4)


def test_the_mode_is_restored_when_the_model_fails(model: GPT, tokens: np.ndarray) -> None:
    with pytest.raises(ValueError):
        evaluate(model, tokens, [(0, T + 5)], ONE_BYTE, batch_size=1)
    assert model.training


def test_bits_per_byte_and_per_character_count_what_was_predicted(model: GPT, tokens: np.ndarray) -> None:
    sizes = (np.arange(V, dtype=np.int64) + 1, np.full(V, 2, np.int64))
    measured = evaluate(model, tokens, evaluation_windows(len(tokens), T), sizes, batch_size=4)
    bits = measured.loss * measured.tokens / math.log(2)
    assert measured.bits_per_byte == pytest.approx(bits / int((tokens[1:].astype(int) + 1).sum()))
    assert measured.bits_per_character == pytest.approx(bits / (2 * measured.tokens))


def test_a_model_that_knows_nothing_pays_ln_v(tokens: np.ndarray) -> None:
    model = GPT(ModelConfig(arch="bigram", vocab_size=V, block_size=T))
    torch.nn.init.zeros_(model.table.weight)
    measured = evaluate(model, tokens, evaluation_windows(len(tokens), T), ONE_BYTE, batch_size=4)
    assert measured.loss == pytest.approx(math.log(V))


def test_the_smoothed_loss_is_the_objective_that_training_minimises() -> None:
    logits, targets = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 4, 2, 2, 1, 3])
    objective = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.2)
    true = torch.nn.functional.cross_entropy(logits, targets)
    ours = 0.8 * true + 0.2 * smoothing_nats(logits[None]) / 6
    assert float(ours) == pytest.approx(float(objective), abs=1e-6)


class Waits(TorchDispatchMode):
    """Counts how often Python asks for a number, for which it would have to wait for a GPU."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_a_gpu_is_asked_for_the_sum_and_not_after_every_batch(model: GPT, tokens: np.ndarray, label_smoothing) -> None:
    windows = evaluation_windows(len(tokens), T)
    with Waits() as waits:
        evaluate(model, tokens, windows, ONE_BYTE, batch_size=2, label_smoothing=label_smoothing)
    assert waits.count <= 2 < len(windows) / 2


class AppleGPU(TorchDispatchMode):
    """Makes of PyTorch's meta device one that has no float64, and gives zeros to whoever fetches a result from it."""

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("device") == torch.device("cpu") and isinstance(args[0], torch.Tensor) and args[0].is_meta:
            return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        made = function(*args, **kwargs)
        if isinstance(made, torch.Tensor) and made.is_meta and made.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64")
        return made


def test_a_device_without_float64_is_measured_on_too(tokens: np.ndarray) -> None:
    config = ModelConfig(arch="modern", vocab_size=V, block_size=T, n_layer=2, n_head=2, n_embd=16)
    mixture = replace(config, n_experts=3)
    with AppleGPU():
        with torch.device("meta"):
            model, experts = GPT(config, is_blank=True), GPT(mixture, is_blank=True)
        windows = evaluation_windows(len(tokens), T)
        measured = evaluate(model, tokens, windows, ONE_BYTE, batch_size=4, label_smoothing=0.1)
        assert measured.tokens == len(tokens) - 1
        assert len(token_losses(model, tokens)) == len(tokens) - 1
        assert experts.expert_shares() == [[0.0] * 3] * 2
