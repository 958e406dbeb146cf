"""The time dial: more time, a larger model; a small text, a smaller one; always within the memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lm import dial, recipes
from lm.config import ModelConfig, TrainConfig
from lm.dial import Text
from lm.errors import ConfigError
from lm.settings import check

SHAKESPEARE = Text(1_115_394, 65)
TWO_CORES, LARGE_GPU = 8e10, 3e14  # operations a second; the quick start's step on two cores takes 60 ms


def machine(speed: float, memory: float = 1e18):
    """The clock of a machine of `speed` operations a second and room for so many weights."""

    def step_seconds(model: ModelConfig, train: TrainConfig) -> float:
        weights = 12 * model.n_layer * model.n_embd**2
        tokens = train.batch_size * model.block_size
        return 6 * weights * tokens / speed if weights < memory else 0.0

    return step_seconds


def weights(minutes: float, text: Text = SHAKESPEARE, speed: float = TWO_CORES, memory: float = 1e18) -> int:
    _, model, _ = dial.best_in(minutes, text, machine(speed, memory))
    return 12 * model.n_layer * model.n_embd**2


@pytest.mark.parametrize("speed", [TWO_CORES, LARGE_GPU])
def test_more_time_never_makes_a_smaller_model(speed: float) -> None:
    sizes = [weights(minutes, speed=speed) for minutes in dial.MINUTES]
    assert sizes == sorted(sizes) and sizes[-1] > sizes[0] or speed == LARGE_GPU


def test_a_minute_on_two_cores_is_the_quick_start() -> None:
    quick = recipes.find("quickstart")
    data, model, train = dial.best_in(1, SHAKESPEARE, machine(TWO_CORES))
    assert (data, model, train) == (
        replace(quick.data, tokenizer="bpe"),
        quick.model,
        replace(quick.train, minutes=1.0),
    )


def test_a_faster_machine_gets_a_larger_model() -> None:
    assert weights(5, speed=LARGE_GPU) > weights(5, speed=TWO_CORES)


def test_a_small_text_gets_no_model_that_it_cannot_feed() -> None:
    small = Text(20_000, 60)
    assert weights(60, small, LARGE_GPU) < weights(60, SHAKESPEARE, LARGE_GPU)
    assert dial.best_in(60, small, machine(LARGE_GPU))[1].dropout == dial.DROPOUT


def test_a_size_that_does_not_fit_the_memory_is_not_taken() -> None:
    assert weights(60, speed=LARGE_GPU, memory=1e6) < 1e6


def test_a_text_is_cut_into_byte_pairs_as_the_quick_start_cuts_it() -> None:
    for text in (SHAKESPEARE, Text(100_000_000, 120), Text(100_000_000, 3000), Text(400_000, 60), Text(249_000, 60)):
        data, model, train = dial.best_in(1, text, machine(TWO_CORES))
        read = 60 / machine(TWO_CORES)(model, train) * train.batch_size * model.block_size
        cut_by = recipes.find("quickstart").data.tokenizer_of(text.characters, text.distinct_characters, read)
        assert data.tokenizer == cut_by, text
    assert dial.best_in(1, Text(100_000_000, 120), machine(TWO_CORES))[0].vocab_size == 4096


def test_a_shorter_text_is_cut_into_byte_pairs_for_a_short_time_only() -> None:
    kinds = [dial.best_in(minutes, Text(400_000, 60), machine(TWO_CORES))[0].tokenizer for minutes in (0.2, 20)]
    assert kinds == ["bpe", "char"]


def test_a_text_whose_byte_pairs_would_be_read_too_often_is_read_by_characters() -> None:
    """A vocabulary of pairs makes a text short: what it would recite soon is learnt more slowly, and further."""
    assert dial.best_in(1, SHAKESPEARE, machine(TWO_CORES))[0].tokenizer == "bpe"
    assert dial.best_in(60, SHAKESPEARE, machine(TWO_CORES))[0].tokenizer == "char"


@pytest.mark.parametrize("characters", [300, 5_000, 1_000_000])
@pytest.mark.parametrize("minutes", dial.MINUTES)
def test_what_the_dial_says_can_be_trained(minutes: int, characters: int) -> None:
    text = Text(characters, 50)
    data, model, train = dial.best_in(minutes, text, machine(TWO_CORES))
    check(data, model, train)
    assert train.minutes == minutes and not (train.steps or train.epochs)
    assert model.block_size < characters * text.val_fraction and model.vocab_size == 0


def test_all_of_the_time_is_taken_and_the_more_is_dropped_the_oftener_a_text_is_read() -> None:
    quick = recipes.find("quickstart")
    for minutes, dropout in ((1, quick.model.dropout), (10, quick.model.dropout), (60, dial.DROPOUT)):
        _, model, train = dial.best_in(minutes, SHAKESPEARE, machine(2.3e11))
        assert (train.minutes, model.dropout, train.dropout_after) == (minutes, dropout, quick.train.dropout_after)
    assert quick.model.dropout < dial.DROPOUT


@pytest.mark.parametrize("minutes", [0, -1, 1e9])
def test_no_time_is_no_aim(minutes: float) -> None:
    with pytest.raises(ConfigError, match="cannot be aimed at"):
        dial.best_in(minutes, SHAKESPEARE, machine(TWO_CORES))
