"""Which tokens are read past the context, and how seldom they are all read."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from models import lively

from lm.config import PAST_CONTEXT, ModelConfig, SampleConfig
from lm.model import GPT
from lm.reader import READ_OFTEN, Reader, Window

CONFIG = ModelConfig(vocab_size=31, block_size=16, n_layer=2, n_head=2, n_embd=16)


def window(past_context: str, size: int, prompt: int) -> Window:
    return Window.of(replace(CONFIG, block_size=size), SampleConfig(past_context=past_context), prompt)


@pytest.fixture
def readings(monkeypatch) -> list[tuple[int, int]]:
    """The shapes (B, T) of all ids that a whole model is given."""
    found, plain = [], GPT.forward

    def forward(self, ids, *rest, **options):
        found.append(tuple(ids.shape))
        return plain(self, ids, *rest, **options)

    monkeypatch.setattr(GPT, "forward", forward)
    return found


@pytest.mark.parametrize("past_context", PAST_CONTEXT)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 1024])
@pytest.mark.parametrize("prompt", [1, 5, 16, 17, 3000])
def test_a_window_holds_what_fits_moves_forward_and_never_lets_go_of_more_than_half(past_context, size, prompt):
    found = window(past_context, size, prompt)
    starts = [found.start(length) for length in range(prompt, prompt + 3 * size + 5)]
    assert starts[0] == max(0, prompt - size) and starts == sorted(starts)
    for length, start in enumerate(starts, start=prompt):
        assert min(length, size - size // 2) <= length - start <= min(length, size)
    assert {later - start for start, later in zip(starts, starts[1:])} <= {0, found.step}


def test_sliding_reads_all_that_fits():
    found = window("slide", 8, 3)
    assert [length - found.start(length) for length in range(3, 14)] == [3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 8]


def test_shifting_lets_go_of_the_older_half_when_no_more_fits():
    found = window("shift", 8, 3)
    assert [found.start(length) for length in range(3, 18)] == [0] * 6 + [4] * 4 + [8] * 4 + [12]


@pytest.mark.parametrize(("past_context", "expected"), [("shift", 1 + 4), ("slide", 1 + 28)])
def test_how_often_a_window_is_read(past_context, expected, readings):
    """Forty-four tokens after a prompt of four and sixteen places: sixteen fit, the others by eights or one by one."""
    reader = Reader(lively(CONFIG), 1, window(past_context, 16, 4), use_cache=True, is_exact=False)
    ids = torch.randint(31, (1, 44), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for length in range(4, 45):
            reader.read(ids[:, :length])
    lengths = [length for _, length in readings]
    assert len(lengths) == expected and lengths[0] == 4 and set(lengths[1:]) == {9 if past_context == "shift" else 16}


@pytest.mark.parametrize("use_cache", [True, False])
def test_the_rounded_matrices_are_kept_when_windows_are_read_often(use_cache):
    reader = Reader(lively(CONFIG), 1, window("slide", 16, 16), use_cache, is_exact=False)
    if reader.half is None:
        pytest.skip("this PyTorch or processor has no FBGEMM")
    kept = []
    reader.half.keep = lambda: kept.append(reader._readings)
    ids = torch.zeros(1, 16 + READ_OFTEN, dtype=torch.int64)
    with torch.inference_mode():
        for length in range(16, 17 + READ_OFTEN):
            reader.read(ids[:, :length])
    assert kept == [READ_OFTEN, READ_OFTEN + 1]


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("is_exact", [True, False])
def test_one_prompt_of_several_texts_is_read_once(use_cache, is_exact, readings):
    reader = Reader(lively(CONFIG), 3, window("shift", 16, 9), use_cache, is_exact)
    ids = torch.randint(31, (1, 9), generator=torch.Generator().manual_seed(0)).repeat(3, 1)
    with torch.inference_mode():
        first = reader.read(ids).clone()
        assert readings == [(1, 9)] and first.shape == (3, 31) and torch.equal(first, first[:1].expand(3, -1))
        other = torch.cat((ids, torch.tensor([[4], [5], [6]])), dim=1)
        torch.testing.assert_close(reader.read(other), reader.model(other)[:, -1], atol=1e-5, rtol=1e-4)


def test_a_text_that_others_went_on_with_is_read_anew():
    """A text may grow by many tokens between two looks, also to where the cache would seem to end."""
    model = lively(CONFIG)
    ids = torch.randint(31, (1, 60), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for first in range(1, 40):
            reader = Reader(model, 1, window("shift", 16, 1), use_cache=True, is_exact=True)
            for length in (first, first + 1, first + 10, first + 11, first + 13, first + 22):
                expected = model(ids[:, reader.window.start(length) : length])[:, -1]
                torch.testing.assert_close(reader.read(ids[:, :length]), expected, atol=1e-5, rtol=1e-4)
