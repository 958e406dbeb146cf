"""One visitor's share of a machine that belongs to many is stated in one table and held on the server."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import fields

import pytest

from lm import recipes
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.costs import count_parameters
from lm.errors import LMError
from playground import limits
from playground.limits import ANONYMOUS, SIGNED_IN, LimitError
from playground.turns import Turns

WITHIN = dict(data=DataConfig(), model=ModelConfig(), train=TrainConfig(minutes=1))


def check(**other: object) -> None:
    limits.check_training(ANONYMOUS, **WITHIN | other, characters=100, language="en")


def test_who_signed_in_has_a_larger_share_of_everything() -> None:
    assert all(getattr(SIGNED_IN, f.name) > getattr(ANONYMOUS, f.name) for f in fields(ANONYMOUS))


def test_the_quick_start_is_within_everybodys_limits() -> None:
    recipe = recipes.find("quickstart")
    asked = ANONYMOUS, recipe.data, recipe.model, recipe.train
    assert limits.check_training(*asked, characters=3000, language="en") is None  # refused otherwise


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (dict(train=TrainConfig(minutes=11)), "minutes=11 .* at most 10"),
        (dict(train=TrainConfig(batch_size=65_536)), "keep it at most 16,384"),
        (dict(model=ModelConfig(n_embd=4096, n_layer=96)), "one visitor may train 24,000,000"),
        (dict(model=ModelConfig(n_layer=2, n_experts=256)), "one visitor may train 24,000,000"),
        (dict(data=DataConfig(tokenizer="o200k_base")), "one visitor may train 24,000,000"),
        (dict(data=DataConfig(tokenizer="bpe", vocab_size=6000), model=ModelConfig(arch="bigram")), "24,000,000"),
    ],
)
def test_what_is_too_much_for_one_visitor_is_refused_with_the_limit(asked: dict, said: str) -> None:
    check()
    with pytest.raises(LimitError, match=said):
        check(**asked)


def test_on_ones_own_machine_nothing_is_refused() -> None:
    limits.check_training(None, DataConfig(), ModelConfig(n_embd=12_288, n_layer=96), TrainConfig(), 100, "en")
    limits.check_disk(None, 10**15, 10**15, "en")
    assert limits.training_words(None, "en") == limits.upload_words(None, "en") == ""


@pytest.mark.parametrize("arch", ["gpt2", "modern", "bigram"])
@pytest.mark.parametrize(
    "shape", [dict(), dict(tie_weights=False), dict(n_experts=4), dict(n_embd=96, n_inner=100, n_head=3)]
)
def test_parameters_are_never_counted_too_low(arch: str, shape: dict) -> None:
    model = ModelConfig(arch=arch, vocab_size=300, **shape)
    bound = limits._parameters(DataConfig(tokenizer="bpe", vocab_size=300), model, 0)
    assert count_parameters(model) <= bound <= 1.2 * count_parameters(model)


def test_every_limit_is_stated_before_it_bites_in_both_languages() -> None:
    for language in ("en", "ja"):
        training = limits.training_words(ANONYMOUS, language)
        assert all(figure in training for figure in ("10", "24", "16,384", "5"))
        assert all(figure in limits.writing_words(ANONYMOUS, language) for figure in ("2,000", "1"))
        assert all(figure in limits.upload_words(ANONYMOUS, language) for figure in ("20", "500", "1,000"))
        assert all(figure in limits.keeping_words(ANONYMOUS, 12_000_000, language) for figure in ("12", "500", "2"))


def test_no_limit_bites_that_is_not_stated() -> None:
    stated = [words(ANONYMOUS, "en") for words in (limits.training_words, limits.upload_words, limits.writing_words)]
    numbers = set(re.findall(r"\d[\d,]*", " ".join([*stated, limits.keeping_words(ANONYMOUS, 0, "en")])))
    units = dict(parameters=1e6, upload_bytes=1e6, disk_bytes=1e6)
    figures = {f.name: f"{getattr(ANONYMOUS, f.name) / units.get(f.name, 1):,.0f}" for f in fields(ANONYMOUS)}
    assert {name for name, figure in figures.items() if figure not in numbers} == set()


def test_an_upload_that_is_too_large_or_fills_the_disk_is_refused() -> None:
    limits.check_upload(ANONYMOUS, 20_000_000, "en")
    with pytest.raises(LimitError, match="21 MB"):
        limits.check_upload(ANONYMOUS, 21_000_000, "en")
    with pytest.raises(LimitError, match="499 MB of your 500 MB"):
        limits.check_disk(ANONYMOUS, 499_000_000, 2_000_000, "en")


def test_a_visitor_has_so_many_texts_written_at_once_and_more_when_one_has_ended() -> None:
    turns = Turns()
    with turns.writing("ann", ANONYMOUS, "en"):
        with pytest.raises(LimitError), turns.writing("ann", ANONYMOUS, "en"):
            pass
        with turns.writing("bob", ANONYMOUS, "en"):
            pass
    with turns.writing("ann", ANONYMOUS, "en"):
        pass


def test_a_text_that_nobody_waits_for_any_more_frees_its_place() -> None:
    turns = Turns()

    def write():
        with turns.writing("ann", ANONYMOUS, "en"):
            yield from turns.each(range(10))

    abandoned = write()
    assert next(abandoned) == 0
    abandoned.close()
    with turns.writing("ann", ANONYMOUS, "en"):
        assert list(turns.each("abc")) == ["a", "b", "c"]


def test_generations_take_turns() -> None:
    turns, order, ready = Turns(), [], threading.Barrier(3)

    def pieces(name: str):
        for _ in range(20):
            time.sleep(0.002)  # as computing a token takes
            order.append(name)
            yield name

    def write(name: str) -> None:
        ready.wait()
        for _ in turns.each(pieces(name)):
            pass

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = order[: len(order) // 2]
    assert max(together.count(name) for name in "abc") - min(together.count(name) for name in "abc") <= 12
    assert issubclass(LimitError, LMError)
