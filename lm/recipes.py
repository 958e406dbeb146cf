"""Named starting points: the quick start, every system of the chapters, nanoGPT's two runs.

A recipe is three configurations and words about them; every setting can be overridden. It never names a corpus as a
condition, only the text its source used, and it stands beside what its source published: `published` are numbers with
their names, `curve` is the loss curve, `differs` says where our measure is another and why ours is the honest one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lm.config import LENGTH_SETTINGS, DataConfig, ModelConfig, TrainConfig
from lm.errors import ConfigError
from lm.settings import Config, picked, settings

DURATIONS = ("seconds", "minutes", "hours", "days")
# Every recipe but the verdict's: what the sources' measures have in common, and what is wrong with it.
RANDOM_EVALUATION = (
    "The source measures on a few windows drawn at random, so its losses are noisy; ours predicts the same held-out "
    "tokens every time."
)


@dataclass(frozen=True)
class Recipe:
    """`text` is the sample text (see `lm.texts`) that the recipe's source trains on.

    `published` holds (what, number), losses in nats a token; `curve` (step, train loss, validation loss). `duration` is
    the order of time on two processor cores, by the operations that training takes.
    """

    name: str
    title: str
    about: str
    source: str
    text: str
    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    duration: str = "minutes"  # one of DURATIONS
    published: tuple[tuple[str, float], ...] = ()
    curve: tuple[tuple[int, float, float], ...] = ()
    differs: str = ""


# What the chapters leave to PyTorch: AdamW's default β₂, a constant rate, gradients that are not clipped.
_PLAIN = TrainConfig(schedule="constant", warmup=0.0, beta2=0.999, grad_clip=0.0)
# The memo's schedule and early stopping. Batches of 256 go in as few parts as fit.
_LLM0 = TrainConfig(
    steps=1000, batch_size=256, grad_accum_steps=0, lr=6e-4, label_smoothing=0.1, eval_interval=200, patience=5,
    min_steps=1000, min_delta=0.005,
)  # fmt: skip
_LLM0_MODEL = ModelConfig(block_size=256, n_layer=4, n_head=4, n_embd=256, dropout=0.1)
_GPT2_SMALL = ModelConfig(block_size=1024, n_layer=12, n_head=12, n_embd=768, dropout=0.1, gelu="tanh")
# nanoGPT, config/train_shakespeare_char.py; bias=False is its train.py's.
_NANOGPT = TrainConfig(
    steps=5000, batch_size=64, grad_accum_steps=0, lr=1e-3, warmup=100, beta2=0.99, eval_interval=250
)
_NANOGPT_MODEL = ModelConfig(block_size=256, n_layer=6, n_head=6, n_embd=384, dropout=0.2, bias=False, qkv_bias=False)

_ALL = (
    Recipe(
        name="quickstart",
        title="Quick start: the best model in a few minutes",
        about="A small modern GPT over characters, or over byte pairs where the text is long or seldom read, tuned for two "
        "processor cores and a few minutes.",
        source="this project",
        text="tales",
        data=DataConfig(tokenizer="auto", vocab_size=512),
        model=ModelConfig(arch="modern", block_size=128, n_layer=4, n_head=2, n_embd=128, dropout=0.1, tie_weights=False),
        train=TrainConfig(
            steps=0, minutes=2.0, batch_size=8, short_windows=0.5, optimizer="muon", lr=0.01, muon_lr=0.035,
            muon_momentum=0.9, embedding_lr=0.15, warmup=0.03, schedule="linear", min_lr_ratio=0.0, weight_decay=0.0,
            dropout_after=3.0, eval_windows=128, sample_tokens=120,
        ),
    ),
    Recipe(
        name="chapter19",
        title="Transformer from scratch, chapter 19",
        about="Six narrow blocks over OpenAI's cl100k_base, of which the ids up to the text's largest are kept.",
        source="Transformer from scratch, chapter 19; github.com/waylandzhang/Transformer-from-scratch",
        text="sales-textbook",
        data=DataConfig(tokenizer="cl100k_base", keep_ids="max"),
        model=ModelConfig(
            block_size=128, n_layer=6, n_head=4, n_embd=80, dropout=0.1, qkv_bias=False, tie_weights=False,
            first_weights="pytorch",
        ),
        train=replace(
            _PLAIN, steps=500, batch_size=2, lr=1e-3, weight_decay=0.01, eval_interval=50, eval_windows=20,
            sample_tokens=50,
        ),
        published=(
            ("train loss at step 0", 10.847),
            ("validation loss at step 0", 10.852),
            ("train loss at step 499, on titles of pull requests", 2.798),
            ("validation loss at step 499, on titles of pull requests", 3.145),
            ("step 0 on sales-textbook, says its repository", 11.68),
            ("after 5,000 steps of its larger set-up, says its repository", 2.8),
        ),
        curve=((0, 10.847, 10.852), (150, 4.312, 4.387), (400, 2.987, 3.287), (499, 2.798, 3.145)),
        differs=(
            f"{RANDOM_EVALUATION} The chapter's own curve is of titles of pull requests, 324,523 characters, and a "
            "loss per token compares only on the same text: compare bits per byte. (The 77,919 tokens that it counts "
            "are those of the sales textbook, 460,319 characters.) The chapter's activation is ReLU, its "
            "positions are sines and its head has a bias; here they are GELU, learned positions and no such bias, and "
            "weight decay spares embeddings, biases and norms."
        ),
    ),
    Recipe(
        name="verdict",
        title="Build a Large Language Model: The Verdict",
        about="GPT-2 124M over a short story: it learns it by heart while the held-out loss barely falls.",
        source="S. Raschka, Build a Large Language Model (From Scratch), chapter 5",
        text="the-verdict",
        data=DataConfig(tokenizer="gpt2"),
        model=ModelConfig(
            block_size=256, n_layer=12, n_head=12, n_embd=768, dropout=0.1, qkv_bias=False, gelu="tanh",
            tie_weights=False, first_weights="pytorch",
        ),
        train=replace(
            _PLAIN, steps=0, epochs=10, batch_size=2, sampling="epochs", lr=4e-4, eval_interval=5, eval_windows=10,
            sample_at="epochs", sample_prompt="Every effort moves you", sample_tokens=50, seed=123,
        ),
        published=(
            ("characters", 20_479),
            ("tokens", 5_145),
            ("train loss before training", 10.988),
            ("validation loss before training", 10.981),
            ("train loss at the end, least", 0.39),
            ("train loss at the end, most", 0.57),
            ("validation loss at the end, least", 6.37),
            ("validation loss at the end, most", 6.45),
            ("best validation loss, near step 50", 6.12),
        ),
        # As the book prints it; what it calls step 0 comes after its first step.
        curve=(
            (0, 10.988, 10.981), (1, 9.781, 9.933), (6, 8.111, 8.339), (11, 6.661, 7.048), (16, 5.961, 6.616),
            (21, 5.726, 6.600), (26, 5.201, 6.348), (31, 4.417, 6.278), (36, 4.069, 6.226), (41, 3.732, 6.160),
            (46, 2.850, 6.179), (51, 2.427, 6.141), (56, 2.104, 6.134), (61, 1.882, 6.233), (66, 1.320, 6.238),
            (71, 0.985, 6.242), (76, 0.717, 6.293), (81, 0.541, 6.393), (86, 0.391, 6.452),
        ),
        differs=(
            "The book measures five batches at most, of two windows that fit whole: the last tokens of the held-out "
            "text count here too. The run keeps its best step, the book its last, which has learnt the story by heart. "
            "Without a tied head the network called 124M has 162 million parameters. Samples are drawn at temperature 0.8; "
            "the book takes the likeliest token. Its curve is one draw of many: a program like the book's follows it to "
            "the second digit with the book's own seed (55 steps were compared), and with other orders of the same "
            "batches three runs ended at training losses of 0.87 to 1.2 and validation losses of 6.2 to 6.4."
        ),
    ),
    Recipe(
        name="bigram",
        title="The bigram baseline",
        about="A table of what follows what: the least a language model can know.",
        source="the llm0 memo, on Tiny Shakespeare",
        text="tinyshakespeare",
        data=DataConfig(tokenizer="char"),
        model=ModelConfig(arch="bigram", block_size=8),
        train=TrainConfig(
            steps=1000, batch_size=1024, lr=0.03, schedule="constant", warmup=0.0, weight_decay=0.0, grad_clip=0.0
        ),
        duration="seconds",
        published=(("the memo's line for step 5,000, which belongs to another run", 1.4354),),
        differs=(
            "No table of pairs can get below the conditional entropy of the text's character pairs; the run states "
            "that floor before its first step (bigram_floor in config.json) and reaches it over the whole training "
            "text. The memo's number lies far below it. Its 200 to 5,000 steps of 8,192 pairs are here 1,000 of 1,024 "
            "windows of 8."
        ),
    ),
    Recipe(
        name="llm0",
        title="The llm0 transformer",
        about="Four layers, tied weights, dropout, label smoothing, early stopping, on Tiny Shakespeare.",
        source="the llm0 memo",
        text="tinyshakespeare",
        data=DataConfig(tokenizer="char"),
        model=_LLM0_MODEL,
        train=_LLM0,
        duration="hours",
        published=(
            ("after 1,000 steps, without dropout and smoothing", 1.4777),
            ("its perplexity", 4.38),
            ("over-fitted, without dropout and smoothing", 2.1766),
            ("with both, smoothing counted in the loss", 1.9594),
            ("with both and fixed windows, smoothing counted in the loss", 1.9319),
        ),
        differs=(
            "The memo's 1.9594 and 1.9319 hold the smoothing term, which even a perfect model pays: stand them beside "
            "val_smoothed_loss. val_loss is the true loss of the same weights, and 1.4777 is to be compared with it "
            "(--dropout 0 --label-smoothing 0). The memo's longer run is --steps 5000: there early stopping counts."
        ),
    ),
    Recipe(
        name="llm0-large",
        title="The llm0 transformer, large",
        about="Six layers over 512 characters, which the memo could not fit: each batch goes in parts that do.",
        source="the llm0 memo, which says of it: this does not run",
        text="tinyshakespeare",
        data=DataConfig(tokenizer="char"),
        model=replace(_LLM0_MODEL, block_size=512, n_layer=6, n_head=8, n_embd=512),
        train=replace(_LLM0, steps=2000, lr=3e-4),
        duration="days",
        differs="There is no number to stand beside: the memo ran out of memory. Settings it leaves open are llm0's.",
    ),
    Recipe(
        name="soseki",
        title="夏目漱石 by characters",
        about="Six layers over the characters of 吾輩は猫である.",
        source="a Japanese GPT chapter, after nanoGPT",
        text="wagahai",
        data=DataConfig(tokenizer="char", aozora="yes"),
        model=replace(_NANOGPT_MODEL, bias=True, qkv_bias=True),
        train=replace(_NANOGPT, sample_prompt="吾輩は"),
        duration="hours",
        differs=(
            "The chapter shows samples (吾輩は, 夏の; temperature 0.8, top-k 40) and no number. It draws its held-out "
            "windows at random and overlapping those it trains on, so what it measures leaks into training; here the "
            "end of the novel is held out whole. Batch size and β₂, which it leaves open, are nanoGPT's."
        ),
    ),
    Recipe(
        name="gpt-mini",
        title="GPT, mini",
        about="A thousand byte pairs, 128 wide, four layers: the smallest GPT that has everything.",
        source="the chapters' table of sizes",
        text="tinyshakespeare",
        data=DataConfig(tokenizer="bpe", vocab_size=1000),
        model=ModelConfig(block_size=128, n_layer=4, n_head=4, n_embd=128),
        train=TrainConfig(steps=2000, batch_size=16, lr=1e-3, warmup=100),
        published=(("parameters, says the text", 0.5e6),),
        differs="Counted, it has 0.94 million parameters: 0.79 in the blocks, 0.13 in the embedding of its vocabulary.",
    ),
    Recipe(
        name="gpt2-small",
        title="GPT-2, small",
        about="OpenAI's smallest GPT-2, from scratch: 124 million parameters over its own vocabulary.",
        source="Radford et al. 2019; rates as nanoGPT's train_gpt2",
        text="tinyshakespeare",
        data=DataConfig(tokenizer="gpt2"),
        model=_GPT2_SMALL,
        train=TrainConfig(steps=1000, batch_size=8, grad_accum_steps=0, lr=6e-4, eval_windows=32),
        duration="days",
        published=(("parameters", 124e6),),
        differs=(
            "OpenAI trained it on 40 GB of text. On a small one it over-fits within minutes: to write well, begin from "
            "the published weights (--init-from gpt2)."
        ),
    ),
    Recipe(
        name="nanogpt-cpu",
        title="nanoGPT on a laptop",
        about="The README's run for a processor: 2,000 short steps on Tiny Shakespeare.",
        source="github.com/karpathy/nanoGPT, README",
        text="tinyshakespeare",
        data=DataConfig(tokenizer="char"),
        model=replace(_NANOGPT_MODEL, block_size=64, n_layer=4, n_head=4, n_embd=128, dropout=0.0),
        train=replace(_NANOGPT, steps=2000, batch_size=12, grad_accum_steps=1, precision="float32"),
        published=(("validation loss after 2,000 steps", 1.88),),
        differs=f"{RANDOM_EVALUATION} nanoGPT draws 20 batches of 12 windows, from the generator that training uses.",
    ),
    Recipe(
        name="nanogpt-gpu",
        title="nanoGPT on a GPU",
        about="The README's run for a GPU: six layers, 5,000 steps on Tiny Shakespeare.",
        source="github.com/karpathy/nanoGPT, README",
        text="tinyshakespeare",
        data=DataConfig(tokenizer="char"),
        model=_NANOGPT_MODEL,
        train=_NANOGPT,
        duration="hours",
        published=(("best validation loss", 1.4697),),
        differs=f"{RANDOM_EVALUATION} nanoGPT draws 200 batches, and keeps the best of twenty such draws.",
    ),
)  # fmt: skip

# What `--init-from` starts from. Its model is OpenAI's smallest; the weights that are begun from bring their own.
FINE_TUNE = Recipe(
    name="fine-tune",
    title="Fine-tune trained weights",
    about="Small steps from weights that know much already: `lm train --init-from gpt2 --data FILE`.",
    source="nanoGPT, config/finetune_shakespeare.py: constant rate, 32 sequences a step",
    text="tinyshakespeare",
    data=DataConfig(tokenizer="gpt2"),
    model=replace(_GPT2_SMALL, dropout=0.0),
    train=TrainConfig(
        steps=20, batch_size=32, grad_accum_steps=32, lr=3e-5, schedule="constant", warmup=0.0, eval_interval=5,
        eval_windows=40,
    ),
)  # fmt: skip

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}
NAMES = (*RECIPES, FINE_TUNE.name)


def find(name: str) -> Recipe:
    """The recipe called so; `ConfigError` lists those there are."""
    if name not in NAMES:
        raise ConfigError(f"recipe={name!r} is unknown; use one of {', '.join(NAMES)}")
    return RECIPES.get(name, FINE_TUNE)


def override(recipe: Recipe, values: dict[str, Any]) -> tuple[DataConfig, ModelConfig, TrainConfig]:
    """The recipe's configurations with some settings replaced.

    The recipe's own length gives way as a whole: `--minutes 1` on a recipe of 5,000 steps means one minute.
    """
    if any(values.get(name) for name in LENGTH_SETTINGS):
        values = {name: 0 for name in LENGTH_SETTINGS} | values
    return _replace(recipe.data, values), _replace(recipe.model, values), _replace(recipe.train, values)


def changes(recipe: Recipe, data: DataConfig, model: ModelConfig, train: TrainConfig) -> dict[str, Any]:
    """What `override` needs to lead from the recipe to these settings: only what differs from it."""
    changed = {
        f.name: getattr(config, f.name)
        for base, config in ((recipe.data, data), (recipe.model, model), (recipe.train, train))
        for f in settings(config)
        if getattr(base, f.name) != getattr(config, f.name)
    }
    # A length that `override` clears by itself need not be spelt out.
    if any(changed.get(name) for name in LENGTH_SETTINGS):
        changed = {name: value for name, value in changed.items() if name not in LENGTH_SETTINGS or value}
        changed |= {name: getattr(train, name) for name in LENGTH_SETTINGS if getattr(train, name)}
    return changed


def flags(recipe: Recipe, data: DataConfig, model: ModelConfig, train: TrainConfig) -> list[str]:
    """`changes` as flags of `lm train`."""
    flags = ["--recipe", recipe.name]
    for name, value in changes(recipe, data, model, train).items():
        flags += flag(name, value)
    return flags


def flag(name: str, value: Any) -> list[str]:
    """One setting as it is typed: `--n-layer 6`, `--no-bias`."""
    dashed = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{dashed}" if value else f"--no-{dashed}"]
    return [f"--{dashed}={value}"] if str(value).startswith("-") or value == "" else [f"--{dashed}", f"{value}"]


def _replace(config: Config, values: dict[str, Any]) -> Config:
    return replace(config, **picked(config, values))
