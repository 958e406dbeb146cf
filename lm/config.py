"""Every setting, declared once: its default, help, symbol, bounds. Flags, widgets and checks are made from it.

`DataConfig` says how text becomes tokens, `ModelConfig` what the network is, `TrainConfig` how it learns and
`SampleConfig` how it writes. All four are frozen values. What a declaration is stands in `lm.settings`; here are the
declarations, and the rules that more than one of them is part of.

This module imports nothing heavy: `lm --help` must answer at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lm.settings import setting

ARCHITECTURES = ("gpt2", "modern", "bigram")
PUBLISHED_ENCODINGS = ("gpt2", "r50k_base", "p50k_base", "cl100k_base", "o200k_base")
TOKENIZERS = ("char", "bpe", "auto", *PUBLISHED_ENCODINGS)
# What `tokenizer="auto"` looks at: how many distinct characters a writing has whose characters say a syllable or a word each; how
# long a text is that feeds byte pairs however often it is read, how long one that does if it is read seldom, and how often
# that is. 512 byte pairs stand for so many characters each. `benchmarks/LOG.md` has the measurements.
LARGE_ALPHABET, LONG_TEXT_CHARACTERS, SHORT_TEXT_CHARACTERS, SELDOM = 1000, 500_000, 250_000, 15
CHARACTERS_PER_PAIR = 2.0
LENGTH_SETTINGS = ("steps", "minutes", "epochs")
PAST_CONTEXT = ("shift", "slide")
# What a run may be given anew when it goes on. Another number here would not be the same training.
RESUME_SETTINGS = (*LENGTH_SETTINGS, "grad_accum_steps", "recompute", "on_nan", "track")


@dataclass(frozen=True)
class DataConfig:
    """How text becomes tokens on disk."""

    tokenizer: str = setting(
        "char",
        "char: one token a character. bpe: byte pairs learnt from this text. auto: bpe for a text of fewer than a thousand "
        "different characters that is long, or that the training reads a few times only; else char. The others are OpenAI's "
        "vocabularies.",
        label="Tokenizer", group="Text", symbol="tokenizer", choices=TOKENIZERS,
    )  # fmt: skip
    vocab_size: int = setting(
        1024, "How many tokens a bpe tokenizer may learn; the other tokenizers ignore it.",
        label="Vocabulary size (bpe)", group="Text", symbol="V", low=257, high=200_000, scale="log",
    )  # fmt: skip
    keep_ids: str = setting(
        "all",
        "Which ids of a published vocabulary to keep: all; max: up to the text's largest id (chapter 19); "
        "used: only those that occur, renumbered.",
        label="Vocabulary to keep", group="Text", choices=("all", "max", "used"),
    )  # fmt: skip
    val_fraction: float = setting(
        0.1, "The share of the text, taken from its end, that is never trained on and measures the model.",
        label="Held-out share", group="Text", low=0.0, high=0.5,
    )  # fmt: skip
    aozora: str = setting(
        "auto", "Remove Aozora Bunko's header, footer, ruby 《…》 and notes ［＃…］; auto does so when it finds them.",
        label="Aozora Bunko cleaning", group="Text", choices=("auto", "yes", "no"),
    )  # fmt: skip
    column: str = setting(
        "", "The column of a .csv/.tsv file, or the field of a .jsonl file, that holds the text.",
        label="Column or field", group="Text",
    )  # fmt: skip

    def tokenizer_of(self, characters: int, distinct_characters: int, tokens_read: float = math.inf) -> str:
        """The tokenizer of a text of so many characters: the one that is asked for, or what `auto` comes to for a training
        that reads so many tokens."""
        if self.tokenizer != "auto":
            return self.tokenizer
        if distinct_characters >= LARGE_ALPHABET or characters < SHORT_TEXT_CHARACTERS:
            return "char"
        is_seldom_read = tokens_read <= SELDOM * self.training_pairs(characters)
        return "bpe" if characters >= LONG_TEXT_CHARACTERS or is_seldom_read else "char"

    def training_pairs(self, characters: int) -> float:
        """About how many byte pairs the part of such a text is that is trained on, if 512 are learnt."""
        return (1 - self.val_fraction) * characters / CHARACTERS_PER_PAIR


@dataclass(frozen=True)
class ModelConfig:
    """What the network is. `vocab_size` comes from the tokenizer, never from a flag."""

    arch: str = setting(
        "gpt2",
        "gpt2: the chapters' model (LayerNorm, learned positions, GELU). modern: RoPE, QK-norm, RMSNorm, ReLU². "
        "bigram: a table of next-token scores.",
        label="Architecture", group="Model", choices=ARCHITECTURES,
    )  # fmt: skip
    vocab_size: int = 0
    block_size: int = setting(
        256, "How many tokens the model sees at once.",
        label="Context length (tokens)", group="Model", symbol="T", low=1, high=65_536, scale="log",
    )  # fmt: skip
    n_layer: int = setting(4, "How many blocks are stacked.", label="Layers", group="Model", symbol="N", low=1, high=96)
    n_head: int = setting(
        4, "How many attention heads share the width.", label="Heads", group="Model", symbol="H", low=1, high=128
    )
    n_kv_head: int = setting(
        0, "How many key/value heads (modern only); 0 means as many as heads.",
        label="Key/value heads", group="Model", low=0, high=128,
    )  # fmt: skip
    n_embd: int = setting(
        256, "The width: numbers per token inside the model.",
        label="Width", group="Model", symbol="C", low=1, high=12_288, scale="log",
    )  # fmt: skip
    n_inner: int = setting(
        0, "Width of the hidden layer of each MLP; 0 means four times the width.",
        label="MLP width", group="Model", low=0, high=65_536,
    )  # fmt: skip
    n_experts: int = setting(
        0, "How many MLPs a router chooses from for each token (a mixture of experts); 0 means one MLP for all tokens.",
        label="Experts", group="Model", symbol="E", low=0, high=256,
    )  # fmt: skip
    n_experts_per_token: int = setting(
        2, "How many of the experts each token meets; ignored without experts.",
        label="Experts per token", group="Model", symbol="k", low=1, high=256,
    )  # fmt: skip
    dropout: float = setting(
        0.0, "The share of activations dropped while training; helps small texts against memorising.",
        label="Dropout", group="Model", symbol="p", low=0.0, high=0.9,
    )  # fmt: skip
    bias: bool = setting(True, "Biases in linear layers and norms (gpt2 only).", label="Biases", group="Model")
    qkv_bias: bool = setting(
        True, "Biases of query, key and value (gpt2 only; Raschka's book leaves them out).",
        label="Query/key/value biases", group="Model",
    )  # fmt: skip
    gelu: str = setting(
        "exact",
        "The MLPs' activation (gpt2 only): exact GELU, or its tanh formula, with which OpenAI's weights were trained.",
        label="GELU", group="Model", choices=("exact", "tanh"),
    )  # fmt: skip
    tie_weights: bool = setting(
        True, "One matrix for reading and for predicting tokens.", label="Tied embeddings", group="Model"
    )
    first_weights: str = setting(
        "paper",
        "How weights are drawn before training: paper, as GPT-2's and nanochat's authors do; pytorch, as PyTorch's layers "
        "do by themselves and as the books leave it (embeddings far larger; tied ones start with huge losses).",
        label="First weights", group="Model", choices=("paper", "pytorch"),
    )  # fmt: skip
    logit_softcap: float = setting(
        0.0, "Squash logits smoothly into ± this value (modern only); 0 leaves them alone.",
        label="Logit soft cap", group="Model", low=0.0, high=1000.0,
    )  # fmt: skip
    rope_theta: float = setting(
        10_000.0, "The base of the rotary frequencies (modern only): the larger, the more slowly positions turn.",
        label="RoPE base", group="Model", symbol="θ", low=1.0, high=1e9, scale="log",
    )  # fmt: skip

    @property
    def kv_heads(self) -> int:
        return self.n_kv_head or self.n_head

    @property
    def inner(self) -> int:
        return self.n_inner or 4 * self.n_embd

    @property
    def has_experts(self) -> bool:
        return self.n_experts > 0 and self.arch != "bigram"

    @property
    def head_size(self) -> int:
        return self.n_embd // self.n_head

    def rules(self) -> list[str]:
        """The faults that involve more than one field, in words; empty when the network can be built."""
        if self.arch == "bigram":
            return []
        found = []
        if self.n_embd % self.n_head:
            near = max(self.n_head, round(self.n_embd / self.n_head) * self.n_head)
            found.append(
                f"n_embd={self.n_embd} is not divisible by n_head={self.n_head}; "
                f"use a multiple of {self.n_head}, for example {near}"
            )
        elif self.arch == "modern" and self.head_size % 2:
            found.append(
                f"n_embd/n_head={self.head_size} is odd, and rotary positions turn pairs; "
                f"use n_embd={self.n_embd + self.n_head}"
            )
        if self.n_experts and self.n_experts_per_token >= self.n_experts:
            found.append(
                f"n_experts={self.n_experts} leaves a router no choice of "
                f"n_experts_per_token={self.n_experts_per_token}; use n_experts={2 * self.n_experts_per_token}, or 0"
            )
        if self.arch == "modern" and self.n_head % self.kv_heads:
            found.append(
                f"n_kv_head={self.n_kv_head} does not divide n_head={self.n_head}; use 1, {self.n_head} or a divisor"
            )
        if self.arch == "gpt2" and self.kv_heads != self.n_head:
            found.append(f"n_kv_head={self.n_kv_head} needs arch=modern; leave it at 0 for gpt2")
        if self.arch == "gpt2" and self.logit_softcap:
            found.append(f"logit_softcap={self.logit_softcap} needs arch=modern; leave it at 0 for gpt2")
        return found


@dataclass(frozen=True)
class TrainConfig:
    """How the model learns, for how long, and what is recorded on the way."""

    steps: int = setting(
        2000, "Optimizer steps. 0 lets the minutes decide alone.",
        label="Steps", group="Length", low=0, high=100_000_000, scale="log",
    )  # fmt: skip
    minutes: float = setting(
        0.0, "Stop after this many minutes; the schedule then follows the clock. 0 means no limit.",
        label="Minutes", group="Length", low=0.0, high=100_000.0,
    )  # fmt: skip
    epochs: float = setting(
        0.0, "Stop after this many passes over the training text; 0 means no limit.",
        label="Epochs", group="Length", low=0.0, high=100_000.0,
    )  # fmt: skip
    batch_size: int = setting(
        16, "Sequences in each optimizer step.",
        label="Batch size", group="Batches", symbol="B", low=1, high=65_536, scale="log",
    )  # fmt: skip
    grad_accum_steps: int = setting(
        1, "Cut each batch into this many parts that are summed: the same step in less memory. 0: as few as fit.",
        label="Gradient accumulation", group="Batches", low=0, high=65_536,
    )  # fmt: skip
    recompute: bool = setting(
        False, "Keep no activations inside the blocks but compute them twice: far less memory, a third more time.",
        label="Recompute activations", group="Batches",
    )  # fmt: skip
    sampling: str = setting(
        "random",
        "random: windows drawn anywhere (nanoGPT, chapter 19). epochs: each window once per epoch, shuffled (the books).",
        label="Windows", group="Batches", choices=("random", "epochs"),
    )  # fmt: skip
    stride: int = setting(
        0, "Tokens between the starts of two windows of an epoch; 0 means the context length.",
        label="Stride", group="Batches", low=0, high=65_536,
    )  # fmt: skip
    short_windows: float = setting(
        0.0, "For this share of the run each window is read as two of half its length, which a short run learns more from.",
        label="Short windows (share)", group="Batches", low=0.0, high=1.0,
    )  # fmt: skip
    lr: float = setting(
        1e-3, "The highest learning rate of the schedule.",
        label="Learning rate", group="Optimizer", symbol="η", low=1e-8, high=10.0, scale="log",
    )  # fmt: skip
    optimizer: str = setting(
        "adamw", "adamw, or muon for the matrices with adamw for the rest.",
        label="Optimizer", group="Optimizer", choices=("adamw", "muon"),
    )  # fmt: skip
    muon_lr: float = setting(
        0.02, "The learning rate of the matrices when the optimizer is muon.",
        label="Muon learning rate", group="Optimizer", low=1e-6, high=10.0, scale="log",
    )  # fmt: skip
    muon_momentum: float = setting(
        0.95, "What Muon's running mean of the gradient keeps at each step; less follows a short run sooner.",
        label="Muon momentum", group="Optimizer", symbol="μ", low=0.0, high=0.9999,
    )  # fmt: skip
    embedding_lr: float = setting(
        0.0, "The learning rate of the token embedding where the head has weights of its own; 0: as all others.",
        label="Embedding learning rate", group="Optimizer", low=0.0, high=10.0,
    )  # fmt: skip
    schedule: str = setting(
        "cosine", "How the rate falls after warm-up: cosine, linear, or constant.",
        label="Schedule", group="Optimizer", choices=("cosine", "linear", "constant"),
    )  # fmt: skip
    warmup: float = setting(
        0.05, "Linear warm-up: a share of the run when below 1, else a number of steps.",
        label="Warm-up", group="Optimizer", low=0.0, high=1_000_000.0,
    )  # fmt: skip
    min_lr_ratio: float = setting(
        0.1, "The learning rate at the end, as a share of the highest.",
        label="Final rate (share)", group="Optimizer", low=0.0, high=1.0,
    )  # fmt: skip
    weight_decay: float = setting(
        0.1, "Pull of the matrices towards zero; biases, norms and embeddings are spared.",
        label="Weight decay", group="Optimizer", symbol="λ", low=0.0, high=10.0,
    )  # fmt: skip
    beta1: float = setting(
        0.9, "What Adam's running mean of the gradient keeps at each step.",
        label="Adam β₁", group="Optimizer", symbol="β₁", low=0.0, high=0.9999,
    )  # fmt: skip
    beta2: float = setting(
        0.95, "What Adam's running mean of the squared gradient keeps at each step.",
        label="Adam β₂", group="Optimizer", symbol="β₂", low=0.0, high=0.99999,
    )  # fmt: skip
    grad_clip: float = setting(
        1.0, "The largest norm of the gradient; a larger one is scaled down to it. 0 turns clipping off.",
        label="Gradient clipping", group="Optimizer", low=0.0, high=1e6,
    )  # fmt: skip
    label_smoothing: float = setting(
        0.0, "Share of each target spread over all tokens while training; never in the reported validation loss.",
        label="Label smoothing", group="Optimizer", symbol="ε", low=0.0, high=0.9,
    )  # fmt: skip
    dropout_after: float = setting(
        0.0,
        "Drop nothing until the training text has been read so often, then more and more over one reading; 0: all from the "
        "first step.",
        label="Dropout after (readings)", group="Optimizer", low=0.0, high=100_000.0,
    )  # fmt: skip
    balance_weight: float = setting(
        0.01, "Weight of the loss that spreads tokens evenly over experts; never in a reported loss, 0 turns it off.",
        label="Expert balance", group="Optimizer", low=0.0, high=10.0,
    )  # fmt: skip
    eval_interval: int = setting(
        0, "Steps between evaluations; 0 makes about twenty of them.",
        label="Evaluate every (steps)", group="Evaluation", low=0, high=10_000_000,
    )  # fmt: skip
    eval_windows: int = setting(
        0, "Validation windows per evaluation, the same ones each time, evenly spaced; 0 means all of them.",
        label="Evaluation windows", group="Evaluation", low=0, high=100_000_000,
    )  # fmt: skip
    patience: int = setting(
        0, "Stop after this many evaluations without a better validation loss; 0 never does.",
        label="Patience (evaluations)", group="Evaluation", low=0, high=100_000,
    )  # fmt: skip
    min_delta: float = setting(
        0.0, "How much lower the validation loss must be to count as better, in nats.",
        label="Smallest gain (nats)", group="Evaluation", low=0.0, high=10.0,
    )  # fmt: skip
    min_steps: int = setting(
        0, "Patience is not counted before this step.",
        label="Earliest stop (steps)", group="Evaluation", low=0, high=100_000_000,
    )  # fmt: skip
    sample_prompt: str = setting(
        "", "What the samples while training continue; empty: the first words of the held-out text.",
        label="Sample prompt", group="Evaluation",
    )  # fmt: skip
    sample_at: str = setting(
        "evaluations", "When a sample is written while training: at the evaluations, or after each epoch.",
        label="Sample at", group="Evaluation", choices=("evaluations", "epochs"),
    )  # fmt: skip
    sample_tokens: int = setting(
        200, "Length of these samples; 0 writes none.",
        label="Sample length (tokens)", group="Evaluation", low=0, high=10_000,
    )  # fmt: skip
    log_interval: int = setting(
        1, "Steps between the lines of metrics.jsonl.",
        label="Log every (steps)", group="Evaluation", low=1, high=100_000,
    )  # fmt: skip
    on_nan: str = setting(
        "stop",
        "When the loss explodes or is no number any more: stop at the last good state, or roll back to it and go on at "
        "half the rate.",
        label="On divergence", group="Machine", choices=("stop", "rollback"),
    )  # fmt: skip
    checkpoint_interval: int = setting(
        0, "Steps between saved resume states; 0 saves one at each evaluation.",
        label="Save every (steps)", group="Machine", low=0, high=10_000_000,
    )  # fmt: skip
    seed: int = setting(
        1337, "The one number every random draw of the run comes from.",
        label="Seed", group="Machine", low=0, high=2**31 - 1,
    )  # fmt: skip
    device: str = setting(
        "auto", "auto takes cuda, then mps, then cpu.",
        label="Device", group="Machine", choices=("auto", "cpu", "cuda", "mps"),
    )  # fmt: skip
    precision: str = setting(
        "auto",
        "bf16 is faster where the processor has it; auto times both at the start. fp16 is for older NVIDIA GPUs. "
        "float32 is exact.",
        label="Precision", group="Machine", choices=("auto", "float32", "bf16", "fp16"),
    )  # fmt: skip
    compile: str = setting(
        "auto", "Fuse the model's operations by a compiler, which takes a while at the start; auto does so on CUDA only.",
        label="Compile", group="Machine", choices=("auto", "on", "off"),
    )  # fmt: skip
    shard: bool = setting(
        False, "Spread the model and its optimizer over the processes (FSDP2): for models that do not fit one device.",
        label="Shard", group="Machine",
    )  # fmt: skip
    threads: int = setting(
        0, "Processor threads; 0 leaves the choice to PyTorch. The same number gives the same run.",
        label="Threads", group="Machine", low=0, high=1024,
    )  # fmt: skip
    track: str = setting(
        "", "Show the run in this tracker too; it follows the run and can neither slow nor break it. Empty: in none.",
        label="Tracker", group="Machine", choices=("", "trackio", "wandb", "tensorboard"),
    )  # fmt: skip

    def rules(self) -> list[str]:
        """The faults that involve more than one field, in words."""
        found = []
        if not (self.steps or self.minutes or self.epochs):
            found.append("steps, minutes and epochs are all 0, so the run would never end; set one of them")
        if self.batch_size % max(1, self.grad_accum_steps):
            found.append(
                f"batch_size={self.batch_size} is not divisible by grad_accum_steps={self.grad_accum_steps}; "
                f"use a divisor of {self.batch_size}"
            )
        if self.shard and self.optimizer == "muon":
            found.append("shard=True spreads matrices that optimizer=muon needs whole; use optimizer=adamw")
        if self.shard and self.compile == "on":
            found.append("compile=on does not reach into a sharded model; use compile=auto, or shard=False")
        if self.stride and self.sampling != "epochs":
            found.append(f"stride={self.stride} needs sampling=epochs; random windows have no stride")
        return found


@dataclass(frozen=True)
class SampleConfig:
    """How the model writes."""

    max_new_tokens: int = setting(
        200, "How many tokens to write.", label="Length (tokens)", group="Sampling", low=1, high=100_000
    )
    temperature: float = setting(
        0.8, "Below 1 bolder, above 1 wilder; 0 always takes the likeliest token.",
        label="Temperature", group="Sampling", symbol="τ", low=0.0, high=10.0,
    )  # fmt: skip
    top_k: int = setting(
        40, "Choose among this many likeliest tokens; 0 means all.",
        label="Top-k", group="Sampling", symbol="k", low=0, high=1_000_000,
    )  # fmt: skip
    top_p: float = setting(
        1.0, "Choose among the fewest tokens that together hold this probability; 1 means all.",
        label="Top-p", group="Sampling", symbol="p", low=0.0, high=1.0,
    )  # fmt: skip
    min_p: float = setting(
        0.0, "Drop tokens less likely than this share of the likeliest; 0 drops none.",
        label="Min-p", group="Sampling", low=0.0, high=1.0,
    )  # fmt: skip
    repetition_penalty: float = setting(
        1.0, "Above 1 makes tokens that already stand in the context less likely.",
        label="Repetition penalty", group="Sampling", low=0.1, high=10.0,
    )  # fmt: skip
    past_context: str = setting(
        "shift",
        "What is read of a text that is longer than the context. shift: its older half is let go each time it is full, many "
        "times as fast. slide: the last tokens that fit, all read anew for every token, as nanoGPT does.",
        label="Past the context", group="Sampling", choices=PAST_CONTEXT,
    )  # fmt: skip
    seed: int = setting(
        1337, "The same seed, prompt and settings write the same text.",
        label="Seed", group="Sampling", low=0, high=2**31 - 1,
    )  # fmt: skip
    num_samples: int = setting(
        1, "How many texts to write at once.", label="Samples", group="Sampling", low=1, high=256
    )
