"""What a model costs before there is one: its parameters, the operations of a token, the memory of a training.

Counted from the settings alone, or from modules that hold no numbers; `tests/test_model.py` holds it to real models.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from lm.attention import keeps_weights
from lm.config import ModelConfig, TrainConfig
from lm.model import GPT, MLP


def count_parameters(config: ModelConfig) -> int:
    """`GPT(config).parameter_count()` without the memory for it."""
    with torch.device("meta"):
        return GPT(config, is_blank=True).parameter_count()  # drawing meta weights would import torch._dynamo: 2 s


def active_parameters(config: ModelConfig) -> int:
    """Of `count_parameters` those that one token meets: of the experts only the chosen ones."""
    total = count_parameters(config)
    if not config.has_experts:
        return total
    with torch.device("meta"):
        expert = sum(parameter.numel() for parameter in MLP(config).parameters())
    return total - config.n_layer * (config.n_experts - config.n_experts_per_token) * expert


def matrix_parameters(config: ModelConfig) -> int:
    """Weights that every token is multiplied with: blocks and head; a table that is only looked up costs nothing."""
    if config.arch == "bigram":
        return 0
    kv_width = config.kv_heads * config.head_size
    attention = config.n_embd * (2 * config.n_embd + 2 * kv_width)  # query and out, key and value
    n_mlp = config.n_experts_per_token if config.n_experts else 1
    mlp = 2 * n_mlp * config.n_embd * config.inner + config.n_experts * config.n_embd  # experts and router
    return config.n_layer * (attention + mlp) + config.vocab_size * config.n_embd


def flops_per_token(config: ModelConfig) -> int:
    """Floating-point operations to train on one token of a full context: 6 N + 12 n_layer C T.

    PaLM (Chowdhery et al. 2022), appendix B: N the weights in matrix products, 2 operations forward and 4 backward
    each, and attention's two products of T × C; like there, the causal half is not deducted. A forward pass is a third.
    """
    if config.arch == "bigram":
        return 0
    return 6 * matrix_parameters(config) + 12 * config.n_layer * config.n_embd * config.block_size


def memory_estimate(model: ModelConfig, train: TrainConfig) -> int:
    """Bytes that training in float32 takes at its peak: weights, gradients, optimizer state, and what backward needs.

    Counted from the tensors that PyTorch keeps; the interpreter and the libraries come on top. bf16 autocast needs less
    for activations and a second copy of the weights.
    """
    n_parameters = count_parameters(model)
    states = 2 * n_parameters
    if train.optimizer == "muon" and model.arch != "bigram":  # one moment for the hidden matrices
        n_mlp = max(1, model.n_experts)
        dense = matrix_parameters(replace(model, n_experts=0)) - model.vocab_size * model.n_embd
        states -= dense + model.n_layer * (n_mlp - 1) * 2 * model.n_embd * model.inner
    tokens = train.batch_size // max(1, train.grad_accum_steps) * model.block_size
    return 4 * (2 * n_parameters + states + tokens * activations_per_token(model, train.recompute))


def activations_per_token(config: ModelConfig, is_recomputed: bool = False) -> int:
    """Numbers kept per token until backward; of recomputed blocks one at a time. The widths are counted, not derived: a
    test holds them to the truth."""
    if config.arch == "bigram":
        return 3 * config.vocab_size
    is_by_hand = keeps_weights(config.block_size, config.dropout) and config.kv_heads == config.n_head  # not on CUDA
    widths = 8 if config.arch == "gpt2" else 10 if is_by_hand else 13
    per_block = widths * config.n_embd + 2 * config.inner
    if is_by_hand or config.dropout:  # lm.fast_block, or attention that drops
        per_block += config.n_head * config.block_size
    if config.n_experts:  # each expert keeps what it read, thought and said; and all running sums are alike
        per_block += config.n_experts_per_token * (2 * config.n_embd + 2 * config.inner) - 2 * config.inner
        per_block += 3 * config.n_experts
    if config.dropout:  # what stays: of both branches, and of the weights of attention
        per_block += 2 * config.n_embd + config.n_head * config.block_size
    blocks = config.n_layer * config.n_embd + per_block if is_recomputed else config.n_layer * per_block
    return blocks + 2 * config.n_embd + 3 * config.vocab_size  # logits, their softmax, its gradient
