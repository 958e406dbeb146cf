"""What the lens shows is what the model does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from models import lively

from lm import lens, prepare
from lm.config import PAST_CONTEXT, ModelConfig, SampleConfig
from lm.model import GPT, Attention
from lm.tokenizer import SPLIT_PATTERN, BPETokenizer, CharTokenizer

CHARACTERS = CharTokenizer("abcdefghij ")
BYTES = BPETokenizer("bpe", SPLIT_PATTERN, {bytes([byte]): byte for byte in range(256)})
TEXT = "a bad cab had a deaf jade " * 6
SHAPES = {
    "gpt2": dict(arch="gpt2"),
    "modern": dict(arch="modern"),
    "grouped": dict(arch="modern", n_kv_head=2),
    "experts": dict(arch="modern", n_experts=3, n_experts_per_token=1),
    "bigram": dict(arch="bigram"),
}


def made(shape: str = "modern", vocab_size: int = CHARACTERS.vocab_size, block_size: int = 16) -> GPT:
    """A model whose weights are large enough to have opinions."""
    sizes = dict(vocab_size=vocab_size, block_size=block_size, n_layer=2, n_head=4, n_embd=32, dropout=0.1)
    return lively(ModelConfig(**sizes | SHAPES[shape]), scale=0.3).train()


# ---------------------------------------------------------------------------------------------- attention


@pytest.mark.parametrize("shape", ["gpt2", "modern", "grouped", "experts"])
def test_the_attention_shown_is_the_attention_that_acts(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, ids = made(shape).eval(), CHARACTERS.encode(TEXT)[:16].tolist()
    with torch.inference_mode():
        expected = model(torch.tensor([ids]))
    shown = iter(torch.from_numpy(lens.attention(model, ids)))

    def acting(layer: Attention, x, rotary, cache, last_only=False):
        v = layer.qkv(x).split(layer.widths, -1)[2].view(1, len(ids), -1, layer.head_size).transpose(1, 2)
        weights = next(shown)[None]
        v = v.repeat_interleave(weights.size(1) // v.size(1), dim=1)
        return layer.out((weights @ v).transpose(1, 2).reshape(x.shape))

    monkeypatch.setattr(Attention, "forward", acting)
    with torch.inference_mode():
        assert torch.allclose(model(torch.tensor([ids])), expected, atol=1e-4)


def test_no_token_looks_ahead_and_every_look_sums_to_one() -> None:
    weights = lens.attention(made(), CHARACTERS.encode(TEXT)[:12].tolist())
    assert weights.shape == (2, 4, 12, 12)
    assert np.allclose(weights.sum(axis=-1), 1.0, atol=1e-5) and not np.triu(weights, 1).any()


def test_a_bigram_has_no_attention_to_show() -> None:
    assert lens.attention(made("bigram"), [1, 2, 3]).shape == (0, 0, 3, 3)


def test_a_long_text_is_looked_at_as_far_as_the_bound() -> None:
    model = made(block_size=128)
    assert lens.attention(model, [1] * 500).shape[-1] == lens.MOST_ATTENTION_TOKENS


# ---------------------------------------------------------------------------------------------- surprise


@pytest.mark.parametrize("shape", SHAPES)
def test_surprise_is_the_loss_of_each_token(shape: str) -> None:
    model, ids = made(shape).eval(), CHARACTERS.encode(TEXT)[:17].astype(np.int64)
    with torch.inference_mode():
        logits = model(torch.from_numpy(ids[:-1])[None])[0]
    expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(ids[1:]), reduction="none")
    assert np.allclose(lens.token_losses(model, ids), expected.numpy(), atol=1e-5)


def test_every_token_of_a_long_text_is_predicted_from_at_least_half_a_context() -> None:
    model, ids = made().eval(), CHARACTERS.encode(TEXT)[:61].astype(np.int64)
    losses, window = lens.token_losses(model, ids), model.config.block_size
    for i in (20, 37, 60):
        contexts = range(window // 2, window + 1)
        with torch.inference_mode():
            seen = [model(torch.from_numpy(ids[max(0, i - n) : i])[None])[0, -1] for n in contexts]
        nats = [-float(logits.log_softmax(-1)[ids[i]]) for logits in seen]
        assert min(abs(losses[i - 1] - one) for one in nats) < 1e-5
    assert len(losses) == 60 and (losses > 0).all()


@pytest.mark.parametrize("text", ["", "a", "ab", "é日🎉b", "日" * 40])
def test_surprise_gives_the_text_back_in_whole_characters(text: str) -> None:
    model = made(vocab_size=256)
    found = lens.surprise(model, BYTES, text)
    assert "".join(one.text for one in found) == text
    assert [one.n_tokens for one in found] == [len(character.encode()) for character in text]
    assert [one.nats is None for one in found] == [i == 0 for i in range(len(text))]
    losses = lens.token_losses(model, BYTES.encode(text))
    known = sum(one.nats or 0.0 for one in found)
    assert known == pytest.approx(losses[len(text[:1].encode()) - 1 :].sum() if text else 0.0)


def test_the_lens_leaves_the_mode_and_the_random_state_alone() -> None:
    model, ids = made().train(), CHARACTERS.encode(TEXT)[:10].tolist()
    before = torch.get_rng_state()
    lens.attention(model, ids), lens.surprise(model, CHARACTERS, TEXT), lens.next_tokens(model, CHARACTERS, ids)
    lens.alternatives(model, CHARACTERS, ids, SampleConfig())
    assert model.training and torch.equal(torch.get_rng_state(), before)


# ---------------------------------------------------------------------------------------------- next tokens


def test_alternatives_are_drawn_as_often_as_they_say() -> None:
    from lm.generate import generate

    model, config = made(), SampleConfig(max_new_tokens=1, temperature=1.2, top_k=5, num_samples=4000, seed=5)
    found = lens.alternatives(model, CHARACTERS, CHARACTERS.encode("a bad").tolist(), config)
    written = [sample.completion for sample in generate(model, CHARACTERS, "a bad", config)]
    for choice in found:
        assert written.count(choice.text) / 4000 == pytest.approx(choice.drawn, abs=0.03)
    assert sum(choice.drawn for choice in found) == pytest.approx(1.0) and len([c for c in found if c.drawn]) == 5


def test_alternatives_stand_in_order_and_hold_the_chosen_one() -> None:
    ids = CHARACTERS.encode("a bad").tolist()
    last = lens.alternatives(made(), CHARACTERS, ids, SampleConfig())[-1].id
    found = lens.alternatives(made(), CHARACTERS, ids, SampleConfig(), most=3, chosen=last)
    shares = [choice.probability for choice in found]
    assert len(found) == 4 and found[-1].id == last and shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("past_context", PAST_CONTEXT)
def test_past_the_context_alternatives_are_those_that_were_drawn_from(past_context: str) -> None:
    from lm.generate import stream

    model, given = made(), CHARACTERS.encode("a bad").tolist()
    greedy = SampleConfig(max_new_tokens=60, temperature=0.0, past_context=past_context)
    ids = [i for piece in stream(model, CHARACTERS, given, greedy, is_exact=True) for i in piece.ids]
    for n, chosen in enumerate(ids):
        found = lens.alternatives(model, CHARACTERS, [*given, *ids[:n]], greedy, prompt=len(given))
        assert found[0].id == chosen


def test_without_heat_one_token_has_it_all() -> None:
    found = lens.alternatives(made(), CHARACTERS, [1, 2], SampleConfig(temperature=0.0))
    assert [choice.drawn for choice in found] == [1.0] + [0.0] * (len(found) - 1)


def test_tokens_that_are_never_written_are_no_alternative() -> None:
    model = made(vocab_size=CHARACTERS.vocab_size + 5)
    found = lens.alternatives(model, CHARACTERS, [1, 2], SampleConfig(), most=99)
    assert {choice.id for choice in found} == set(range(CHARACTERS.unk_id))
    assert len(lens.next_tokens(model, CHARACTERS, [1, 2]).ids) == CHARACTERS.unk_id


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
def test_few_numbers_hold_the_whole_distribution_at_any_temperature(temperature: float) -> None:
    wide = BPETokenizer("bpe", SPLIT_PATTERN, {bytes([b]): b for b in range(256)} | {
        bytes([a, b]): 256 + 60 * i + j for i, a in enumerate(range(60)) for j, b in enumerate(range(60))})  # fmt: skip
    model = made(vocab_size=wide.vocab_size)
    found = lens.next_tokens(model, wide, [1, 2, 3])
    with torch.inference_mode():
        logits = model.eval()(torch.tensor([[1, 2, 3]]))[0, -1].double()
    exact = (logits / temperature).softmax(-1)[found.ids].numpy()
    mass = np.exp(np.array(found.logits) / temperature)
    tail = sum(n * math.exp(score / temperature) for score, n in found.tail)
    assert np.allclose(mass / (mass.sum() + tail), exact, rtol=0.01)
    assert len(found.ids) + sum(n for _, n in found.tail) == wide.vocab_size


# ---------------------------------------------------------------------------------------------- tokens and their map


def test_tokens_spell_the_text_and_parts_of_a_character_nothing() -> None:
    assert lens.spelled(BYTES, BYTES.encode("é日b")) == ["", "é", "", "", "日", "b"]
    assert lens.spelled(BYTES, BYTES.encode("b日")[:-1]) == ["b", "", "\ufffd"]
    assert lens.named(BYTES, "é".encode()[0]) == "⟨C3⟩" and lens.named(BYTES, 98) == "b"


def test_the_map_keeps_as_much_as_two_axes_can() -> None:
    dice = np.random.default_rng(0)
    table = dice.normal(size=(50, 2)) @ dice.normal(size=(2, 16))  # a plane in 16 dimensions
    noise = dice.normal(size=(50, 16)) * 0.01
    flat, noisy = lens.maps([table, table + noise], range(50))
    centred = table - table.mean(axis=0)
    distances = lambda rows: np.linalg.norm(rows[:, None] - rows[None], axis=-1)  # noqa: E731
    assert np.allclose(distances(flat.points), distances(centred), atol=0.1) and flat.explained > 0.99
    assert noisy.points.shape == (50, 2) and noisy.neighbours.shape == (50, lens.NEIGHBOURS)


def test_what_stays_stays_where_it_is_and_neighbours_point_the_same_way() -> None:
    table = np.random.default_rng(1).normal(size=(20, 8))
    table[7] = 2 * (table[3] - table.mean(axis=0)) + table.mean(axis=0)
    first, second = lens.maps([table, table], range(20))
    assert np.array_equal(first.points, second.points)
    assert first.neighbours[3][0] == 7


@pytest.mark.parametrize("shape", ["gpt2", "bigram"])
def test_the_embedding_has_a_row_for_each_token(shape: str) -> None:
    assert len(lens.embedding(made(shape))) == CHARACTERS.vocab_size


def test_the_first_embedding_is_the_one_that_training_began_with(shared_fox) -> None:
    setup = prepare.load(shared_fox)
    torch.manual_seed(setup.train.seed)  # as the trainer does
    assert np.array_equal(lens.first_embedding(shared_fox), lens.embedding(prepare.first_model(shared_fox, setup)))
