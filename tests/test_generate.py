"""Writing: the same ids with and without cache, alone and in company, whole characters, and honest distributions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from models import lively

from lm.config import PAST_CONTEXT, ModelConfig, SampleConfig
from lm.errors import CheckpointError
from lm.generate import Piece, choose, generate, penalise, pick, probabilities, random_numbers, stream
from lm.model import GPT
from lm.tokenizer import BPETokenizer, CharTokenizer

CHARACTERS = CharTokenizer("abc def\n日本🎉")
BYTES = BPETokenizer("bytes", r"\s+|\S+", {bytes([byte]): byte for byte in range(256)})  # é is two tokens, 日 three
CONTEXT = 16
VARIANTS = {
    "gpt2": {},
    "modern": dict(arch="modern"),
    "modern grouped": dict(arch="modern", n_kv_head=2, logit_softcap=4.0),
    "bigram": dict(arch="bigram"),
}
every_variant = pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
LONG = SampleConfig(max_new_tokens=3 * CONTEXT, temperature=1.0, top_k=0, seed=5)


def made(tokenizer=CHARACTERS, **changes) -> GPT:
    """A model of strong opinions, so that what it writes depends on all that it reads."""
    config = ModelConfig(vocab_size=tokenizer.vocab_size, block_size=CONTEXT, n_layer=2, n_head=4, n_embd=32)
    return lively(replace(config, **changes), scale=0.3).train()


# ---------------------------------------------------------------------------------------------- the same text


@every_variant
@pytest.mark.parametrize("prompt", ["a", "abc def", "日本🎉" * 10], ids=["short", "some", "longer than the context"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("is_exact", [False, True], ids=["rounded", "exact"])
@pytest.mark.parametrize("past_context", PAST_CONTEXT)
def test_the_cache_writes_what_the_plain_model_writes_past_the_context_too(
    changes, prompt, temperature, is_exact, past_context
):
    model = made(**changes)
    config = replace(LONG, temperature=temperature, num_samples=2, past_context=past_context)
    cached, plain = (
        generate(model, CHARACTERS, prompt, config, use_cache=use_cache, is_exact=is_exact)
        for use_cache in (True, False)
    )
    assert cached == plain and len(cached[0].completion) == 3 * CONTEXT


@every_variant
@pytest.mark.parametrize("past_context", PAST_CONTEXT)
def test_greedy_is_the_likeliest_token_of_what_is_read(changes, past_context):
    """By hand: the last tokens that fit, or what has been left of them each time that no more did."""
    model = made(**changes).eval()
    ids = CHARACTERS.encode("abc").tolist()
    window = list(ids)
    for _ in range(3 * CONTEXT):
        with torch.no_grad():
            logits = model(torch.tensor([window]))[0, -1, :-1]  # the unknown token is the last
        ids.append(logits.argmax().item())
        window.append(ids[-1])
        if len(window) > CONTEXT:
            window = window[1:] if past_context == "slide" else window[CONTEXT // 2 :]
    greedy = SampleConfig(max_new_tokens=3 * CONTEXT, temperature=0.0, past_context=past_context)
    [sample] = generate(model, CHARACTERS, "abc", greedy, is_exact=True)
    assert sample.text == CHARACTERS.decode(ids)


@pytest.mark.parametrize("block_size", [1, 2, 3, 5])
@pytest.mark.parametrize("past_context", PAST_CONTEXT)
def test_a_context_of_a_few_tokens_moves_on_too(block_size, past_context):
    model, config = made(block_size=block_size), replace(LONG, past_context=past_context, max_new_tokens=20)
    cached, plain = (generate(model, CHARACTERS, "abc", config, use_cache=use_cache) for use_cache in (True, False))
    assert cached == plain and len(cached[0].completion) == 20


@pytest.mark.parametrize("past_context", PAST_CONTEXT)
@pytest.mark.parametrize("prompt", ["a", "日本🎉" * 10], ids=["short", "longer than the context"])
@pytest.mark.parametrize("written", [1, CONTEXT - 1, CONTEXT, CONTEXT + 3, 2 * CONTEXT])
def test_a_text_that_is_taken_up_again_goes_on_as_it_would_have(past_context, prompt, written):
    model, config = made(), replace(LONG, past_context=past_context)
    given = CHARACTERS.encode(prompt).tolist()
    whole = [i for piece in stream(model, CHARACTERS, given, config) for i in piece.ids]
    rest = replace(config, max_new_tokens=len(whole) - written)
    pieces = stream(model, CHARACTERS, [*given, *whole[:written]], rest, drawn=written)
    assert [i for piece in pieces for i in piece.ids] == whole[written:]


def test_every_sample_can_be_had_again_alone_by_its_seed():
    model = made()
    together = generate(model, CHARACTERS, "abc", replace(LONG, num_samples=4))
    alone = [generate(model, CHARACTERS, "abc", replace(LONG, seed=sample.seed))[0] for sample in together]
    assert alone == together and len({sample.text for sample in together}) == 4


def test_a_shorter_text_is_the_start_of_a_longer_one():
    model = made()
    short, long = (generate(model, CHARACTERS, "a", replace(LONG, max_new_tokens=n))[0].text for n in (9, 40))
    assert long.startswith(short)


def test_text_is_the_prompt_and_its_completion():
    [sample] = generate(made(), CHARACTERS, "abc", LONG)
    assert sample.text == "abc" + sample.completion and sample.seed == LONG.seed


# ---------------------------------------------------------------------------------------------- what it leaves alone


@pytest.mark.parametrize("was_training", [True, False])
def test_the_models_mode_is_restored_when_the_stream_ends_or_is_closed(was_training):
    model = made(dropout=0.5).train(was_training)
    generate(model, CHARACTERS, "a", LONG)
    assert model.training is was_training
    text = stream(model, CHARACTERS, "a", LONG)
    next(text)
    text.close()
    assert model.training is was_training


def test_dropout_is_off_while_writing():
    model = made(dropout=0.5).train()
    assert generate(model, CHARACTERS, "a", LONG) == generate(model, CHARACTERS, "a", LONG)


def test_writing_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    generate(made(), CHARACTERS, "a", LONG)
    assert torch.equal(torch.get_rng_state(), before)


def test_between_two_pieces_the_caller_can_still_train():
    text = stream(made(), CHARACTERS, "a", LONG)
    next(text)
    weight = torch.ones(2, requires_grad=True)
    (weight * weight).sum().backward()
    assert weight.grad is not None and not torch.is_inference_mode_enabled()


# ---------------------------------------------------------------------------------------------- streaming


@pytest.mark.parametrize("tokenizer", [CHARACTERS, BYTES], ids=["characters", "bytes"])
def test_the_pieces_make_up_the_text(tokenizer):
    model, config = made(tokenizer), replace(LONG, num_samples=3)
    texts = ["a", "a", "a"]
    for piece in stream(model, tokenizer, "a", config):
        texts[piece.sample] += piece.text
    assert texts == [sample.text for sample in generate(model, tokenizer, "a", config)]


def obedient(text: str, tokenizer=BYTES) -> GPT:
    """A model that writes `text` greedily: a bigram that knows the next byte of each (they must be distinct)."""
    model = GPT(ModelConfig(arch="bigram", vocab_size=tokenizer.vocab_size, block_size=CONTEXT))
    ids = tokenizer.encode(text).tolist()
    assert len(set(ids)) == len(ids)
    with torch.no_grad():
        model.table.weight.zero_()
        model.table.weight[ids[:-1], ids[1:]] = 10.0
    return model


def test_no_piece_holds_half_a_character():
    text = "aé日🎉b"  # one, two, three, four bytes
    pieces = list(stream(obedient(text), BYTES, "a", SampleConfig(max_new_tokens=10, temperature=0.0)))
    assert pieces == [Piece(0, character) for character in "é日🎉b"]


def test_a_text_cut_within_a_character_ends_in_a_replacement():
    [sample] = generate(obedient("a🎉"), BYTES, "a", SampleConfig(max_new_tokens=2, temperature=0.0))
    assert sample.completion == "\ufffd"


@pytest.mark.parametrize("seed", range(5))
def test_streamed_bytes_read_as_the_whole_would(seed):
    """Random bytes are mostly no UTF-8: the stream replaces what decoding all at once replaces."""
    model = GPT(ModelConfig(arch="bigram", vocab_size=256, block_size=CONTEXT), torch.Generator().manual_seed(seed))
    config = SampleConfig(max_new_tokens=200, temperature=1.0, top_k=0, seed=seed)
    ids = BYTES.encode("a").tolist()
    for number in random_numbers(seed, 0, 200):
        with torch.no_grad():
            logits = model(torch.tensor([ids[-1:]]))[:, -1]
        ids.append(choose(logits, torch.tensor([ids]), config, number.view(1, 1)).item())
    assert generate(model, BYTES, "a", config)[0].text == BYTES.decode(ids)


def test_it_stops_before_the_next_token_when_told_to():
    pieces = []
    for piece in stream(made(), CHARACTERS, "a", LONG, should_stop=lambda: len(pieces) == 4):
        pieces.append(piece)
    assert len(pieces) == 4


# ---------------------------------------------------------------------------------------------- prompts


@pytest.mark.parametrize("tokenizer", [CHARACTERS, BYTES, CharTokenizer("a b"), CharTokenizer("xyz")])
def test_an_empty_prompt_is_continued(tokenizer):
    [sample] = generate(made(tokenizer), tokenizer, "", replace(LONG, max_new_tokens=12))
    assert sample.text == sample.completion != ""


def test_an_empty_prompt_is_read_as_a_line_break():
    model = made()
    empty, line_break = (generate(model, CHARACTERS, prompt, LONG)[0] for prompt in ("", "\n"))
    assert empty.completion == line_break.completion


@pytest.mark.parametrize("past_context", PAST_CONTEXT)
def test_of_a_long_prompt_the_end_is_read(past_context):
    model, config = made(), replace(LONG, past_context=past_context)
    tail = "abc def 日本abc d"
    assert len(tail) == CONTEXT - 1
    long, cut = (generate(model, CHARACTERS, prompt + tail, config)[0] for prompt in ("fed" * 9, "d"))
    assert long.completion == cut.completion and long.text.startswith("fed" * 9)


def test_unknown_characters_are_read_and_never_written():
    model = made()
    with torch.no_grad():
        model.token_embedding.weight[CHARACTERS.unk_id] = 5.0  # it wants the unknown token wherever it can
    [sample] = generate(model, CHARACTERS, "aXç", replace(LONG, max_new_tokens=200))
    assert "\ufffd" not in sample.completion and len(sample.completion) == 200 and sample.text.startswith("aXç")


def test_ids_beyond_the_tokenizer_are_never_written():
    """Some models pad their vocabulary to a round number."""
    padded = made(vocab_size=CHARACTERS.vocab_size + 50)
    [sample] = generate(padded, CHARACTERS, "a", replace(LONG, max_new_tokens=100))
    assert len(sample.completion) == 100


def test_a_tokenizer_larger_than_the_model_is_refused():
    with pytest.raises(CheckpointError, match="the tokenizer has 256 tokens but the model only 12"):
        generate(made(vocab_size=12), BYTES, "a", LONG)


# ---------------------------------------------------------------------------------------------- distributions

HALVES = torch.tensor([[0.5, 0.25, 0.125, 0.0625, 0.0625]]).log()
PLAIN = SampleConfig(temperature=1.0, top_k=0)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (PLAIN, [0.5, 0.25, 0.125, 0.0625, 0.0625]),
        (replace(PLAIN, temperature=0.5), [n / 21.5 for n in (16, 4, 1, 0.25, 0.25)]),
        (replace(PLAIN, top_k=2), [2 / 3, 1 / 3, 0, 0, 0]),
        (replace(PLAIN, top_k=1), [1, 0, 0, 0, 0]),
        (replace(PLAIN, top_k=99), [0.5, 0.25, 0.125, 0.0625, 0.0625]),
        (replace(PLAIN, min_p=0.24), [4 / 7, 2 / 7, 1 / 7, 0, 0]),
        (replace(PLAIN, min_p=1.0), [1, 0, 0, 0, 0]),
        (replace(PLAIN, top_p=0.76), [4 / 7, 2 / 7, 1 / 7, 0, 0]),
        (replace(PLAIN, top_p=0.74), [2 / 3, 1 / 3, 0, 0, 0]),
        (replace(PLAIN, top_p=0.0), [1, 0, 0, 0, 0]),
        # after top-k the first token holds 4/7 of what is left, so that top-p=0.55 keeps it alone
        (replace(PLAIN, top_k=3, top_p=0.55), [1, 0, 0, 0, 0]),
        # temperature comes before min-p: at 2 the third token has half the first one's probability
        (replace(PLAIN, temperature=2.0, min_p=0.49), [1 / (1 + 2**-0.5 + 0.5) * n for n in (1, 2**-0.5, 0.5, 0, 0)]),
    ],
)
def test_filters_keep_what_they_say(config, expected):
    torch.testing.assert_close(probabilities(HALVES, config), torch.tensor([expected], dtype=torch.float32))


def test_a_tiny_temperature_is_greedy_and_finite():
    torch.testing.assert_close(probabilities(HALVES, replace(PLAIN, temperature=1e-30))[0, 0], torch.tensor(1.0))


def test_the_penalty_lowers_what_stands_in_the_context_and_nothing_else():
    logits = torch.tensor([[2.0, -1.0, 3.0, -4.0]])
    lowered = penalise(logits, torch.tensor([[0, 1, 0]]), 2.0)
    assert lowered.tolist() == [[1.0, -2.0, 3.0, -4.0]] and logits[0, 0] == 2.0


def test_the_penalty_looks_at_the_context_and_no_further():
    """A model that loves one letter writes it again as soon as its last one has left the context."""
    model = GPT(ModelConfig(arch="bigram", vocab_size=CHARACTERS.vocab_size, block_size=4))
    with torch.no_grad():
        model.table.weight.copy_(torch.linspace(2, 1, CHARACTERS.vocab_size).expand_as(model.table.weight))
    config = SampleConfig(max_new_tokens=10, temperature=0.0, repetition_penalty=10.0)
    [sample] = generate(model, CHARACTERS, "\n", config)
    in_order = CHARACTERS.characters
    assert sample.text == (in_order[:5] * 3)[:11]


def test_draws_follow_the_probabilities():
    count = 4000
    numbers = random_numbers(0, 0, count).unsqueeze(1)
    drawn = choose(HALVES.expand(count, -1), torch.zeros(count, 1, dtype=torch.int64), PLAIN, numbers)
    shares = torch.bincount(drawn, minlength=5) / count
    error = (HALVES.exp() * (1 - HALVES.exp()) / count).sqrt().squeeze(0)  # one standard deviation of each share
    assert ((shares - HALVES.exp().squeeze(0)).abs() < 4 * error).all()


@pytest.mark.parametrize(("number", "expected"), [(0.0, 1), (0.49, 1), (0.5, 3), (1 - 2**-53, 3)])
def test_the_least_and_the_greatest_number_pick_what_has_probability(number, expected):
    found = torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0]])
    assert pick(found, torch.tensor([[number]], dtype=torch.float64)).item() == expected


def test_what_has_no_probability_is_never_drawn():
    logits = torch.tensor([[-math.inf, 0.0, -math.inf, 0.0, -math.inf]]).expand(2000, -1)
    numbers = random_numbers(0, 0, 2000).unsqueeze(1)
    drawn = choose(logits, torch.zeros(2000, 1, dtype=torch.int64), PLAIN, numbers)
    assert set(drawn.tolist()) == {1, 3}


def test_a_row_is_drawn_alike_whatever_stands_beside_it():
    logits = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    context = torch.zeros(6, 1, dtype=torch.int64)
    config = replace(PLAIN, top_k=7, top_p=0.9, min_p=0.01, repetition_penalty=1.2)

    numbers = random_numbers(0, 0, 6).unsqueeze(1)
    together = choose(logits, context, config, numbers)
    alone = [choose(logits[i : i + 1], context[:1], config, numbers[i : i + 1]) for i in range(6)]
    assert torch.equal(together, torch.cat(alone))
