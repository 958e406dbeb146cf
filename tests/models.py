"""Untrained models whose every weight takes part, for tests of what a model computes."""

from __future__ import annotations

import torch

from lm.config import ModelConfig
from lm.model import GPT


def lively(config: ModelConfig, scale: float = 0.2) -> GPT:
    """A model in evaluation mode with noise of deviation `scale` on every weight, so that none hides behind a zero."""
    model = GPT(config, torch.Generator().manual_seed(0)).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn(parameter.shape, generator=generator) * scale
    return model
