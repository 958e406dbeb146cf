"""What is measured of a model while it trains: its loss on held-out windows and as many of the training text, a sample.

Nothing here changes what is learnt: no number is drawn from the training's random state, and no weight moves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lm import batches
from lm.config import SampleConfig
from lm.decode import is_small
from lm.device import autocast
from lm.evaluate import evaluate
from lm.generate import first_words, generate
from lm.health import check_number
from lm.model import GPT
from lm.prepare import Setup
from lm.tokenizer import Tokenizer


class Observer:
    """The same windows, the same prompt and the same seed every time: one can watch the text become language."""

    def __init__(self, setup: Setup, tokenizer: Tokenizer, train_tokens: np.ndarray, val_tokens: np.ndarray) -> None:
        self.setup, self.config, self.tokenizer = setup, setup.train, tokenizer
        held_out = batches.evaluation_windows(len(val_tokens), setup.model.block_size, self.config.eval_windows)
        seen = batches.evaluation_windows(
            len(train_tokens), setup.model.block_size, self.config.eval_windows or len(held_out)
        )
        self.looks = ((val_tokens, held_out), (train_tokens, seen))
        self.can_measure = bool(held_out)
        self.prompt_tokens = val_tokens if len(val_tokens) else train_tokens

    def measure(self, model: GPT) -> dict[str, Any]:
        """An evaluation's part of a line of metrics.jsonl; `Diverged` if the loss is no number."""
        model.reset_expert_shares()
        held_out, seen = (
            evaluate(
                model, tokens, windows, self.tokenizer.id_sizes(),
                batch_size=max(1, self.config.batch_size // self.setup.grad_accum_steps),
                autocast=autocast(self.setup.device, self.setup.precision), label_smoothing=self.config.label_smoothing,
            )
            for tokens, windows in self.looks
        )  # fmt: skip
        check_number("validation loss", held_out.loss)
        extra = dict(expert_shares=shares) if (shares := model.expert_shares()) else {}
        extra |= dict(val_smoothed_loss=held_out.smoothed_loss) if self.config.label_smoothing else {}
        return extra | dict(
            val_loss=held_out.loss,
            train_loss=seen.loss,
            val_perplexity=held_out.perplexity,
            val_bits_per_byte=held_out.bits_per_byte,
        )

    def is_sample_due(self, at: str) -> bool:
        """Whether a sample is written at `evaluations` or `epochs`."""
        return self.config.sample_tokens > 0 and self.config.sample_at == at

    def sample(self, model: GPT) -> dict[str, str]:
        """A line of samples.jsonl, but for its step."""
        prompt = self.config.sample_prompt or first_words(self.prompt_tokens, self.tokenizer)
        wanted = SampleConfig(max_new_tokens=self.config.sample_tokens, seed=self.config.seed)
        is_exact = not is_small(model)  # a large one is not rounded for one text, after which its weights change
        [sample] = generate(model, self.tokenizer, prompt, wanted, is_exact=is_exact)
        return dict(prompt=prompt, text=sample.completion)
