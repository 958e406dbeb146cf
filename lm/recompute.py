"""Activation checkpointing: a block's activations are dropped after the forward pass and computed again in the backward
pass. Chen et al. 2016, with one checkpoint a block: what must be kept per token falls from some 16 C numbers a block to
C, for about a third more arithmetic. The gradients are the same bit for bit, dropout too: the random state of the forward pass
comes back for the second one (`torch.utils.checkpoint`, the variant without re-entrance).

The blocks keep their names and parameters. Evaluation and generation are as before: they keep nothing anyway.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lm.model import GPT, Block


def recompute(model: GPT) -> None:
    """Have every block of `model` computed twice when it trains; a bigram has none."""
    for block in model.blocks if model.config.arch != "bigram" else ():
        block.forward = partial(_twice, block, block.forward)


def _twice(block: Block, forward: Callable[..., Tensor], *inputs: object) -> Tensor:
    """`forward(*inputs)`, keeping only its inputs and computing the rest again in the backward pass."""
    if not torch.is_grad_enabled():
        return forward(*inputs)
    if not hasattr(block.mlp, "balance"):
        return checkpoint(forward, *inputs, use_reentrant=False)  # torch.compile takes no contexts of one's own
    contexts = lambda: (contextlib.nullcontext(), _keeping_balance(block))  # noqa: E731 - for the first and second pass
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts)


@contextlib.contextmanager
def _keeping_balance(block: Block) -> Iterator[None]:
    """The balance loss that a second pass notes would hold that pass's activations until the next step."""
    kept = block.mlp.balance
    try:
        yield
    finally:
        block.mlp.balance = kept
