"""Which class of `transformers` computes what a model does, known before it is trained; `lm.convert` fills it.

Most settings have one. A mixture of experts is met there only with the rest of `modern` around it: no class has
learned positions and GELU around experts (gpt2's), and none of those with experts caps its logits as ours does. Such a
model trains and writes here; it cannot be exported or pushed, and `export_note` says so while that can be changed.
"""

from __future__ import annotations

from lm.config import ModelConfig

GPT2, NANOCHAT, QWEN = "GPT2LMHeadModel", "NanoChatForCausalLM", "Qwen3MoeForCausalLM"


def class_of(config: ModelConfig) -> str:
    """The name of the class; empty where none fits."""
    if not config.has_experts:
        return NANOCHAT if config.arch == "modern" else GPT2
    return QWEN if config.arch == "modern" and not config.logit_softcap else ""


def cures(config: ModelConfig) -> list[str]:
    """What may be set otherwise, each alone enough, so that a class fits; empty where one does."""
    if class_of(config):
        return []
    return ["n_experts=0", "arch=modern" if config.arch != "modern" else "logit_softcap=0"]


def export_note(config: ModelConfig) -> str:
    """What to know before training: that nobody else could load this model, and what to change; empty if they can."""
    if class_of(config):
        return ""
    capped = f" with logit_softcap={config.logit_softcap:g}" if config.logit_softcap else ""
    return (
        f"no class of transformers holds arch={config.arch} with n_experts={config.n_experts}{capped}: this model will "
        f"write here, but can be neither exported nor shared; for that use {' or '.join(cures(config))}"
    )
