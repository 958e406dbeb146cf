"""Our weights and settings ↔ those of `transformers`: the same numbers under the names that others read.

`gpt2` becomes `GPT2LMHeadModel` (whose Conv1D keeps matrices transposed, and which always has biases: missing ones are
zeros), `modern` becomes `NanoChatForCausalLM` (query, key and value apart). A `bigram` becomes a GPT-2 without blocks:
its embedding is the identity, its last norm undoes the normalisation of a one-hot vector, its head is the table. A
`modern` mixture of experts becomes `Qwen3MoeForCausalLM`: the norm after the embedding is worked into its rows, a
QK-norm without weights commutes with rotation, the other way round is a sign, and relu(x) · x is ReLU². What has no
class there (see `lm.classes`) keeps our names in its checkpoints, for us alone.

Pure arithmetic: nothing here opens a file. Works on meta tensors too, which is how a checkpoint's shapes are known
before memory is spent. Not covered: other activations, norms or rotary variants than ours; they are refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lm.classes import class_of
from lm.config import ModelConfig
from lm.errors import CheckpointError, ConfigError
from lm.model import GPT, LAYER_NORM_EPS, RMS_NORM_EPS
from lm.settings import check, from_dict, to_dict

MOST_VOCABULARY = 1 << 24  # a bigram table of it has 2⁴⁸ numbers, which can still be counted in bytes. assumed
OUR_KEY = "lm_playground"  # of config.json: what only we read

GPT2_NAMES = {
    "token_embedding": "transformer.wte",
    "position_embedding": "transformer.wpe",
    "blocks": "transformer.h",
    "norm1": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "norm2": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
    "final_norm": "transformer.ln_f",
    "head": "lm_head",
}
NANOCHAT_NAMES = {
    "token_embedding": "model.embed_tokens",
    "blocks": "model.layers",
    "attention.qkv": "self_attn.{}_proj",
    "attention.out": "self_attn.o_proj",
    "mlp.up": "mlp.fc1",
    "mlp.down": "mlp.fc2",
    "head": "lm_head",
}
QWEN_NAMES = NANOCHAT_NAMES | {"mlp.router": "mlp.gate", "up": "up_proj", "down": "down_proj"}
OUR_TYPE = "lm_playground"  # the model_type of what has no class there
# What a foreign config.json must say, or leave unsaid where our value is also the default there.
GPT2_MUST = {
    "layer_norm_epsilon": LAYER_NORM_EPS,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}
GELUS = {"exact": "gelu", "tanh": "gelu_new"}
GELUS_THERE = {"gelu": "exact", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}  # two spellings of one function
NANOCHAT_MUST = {"hidden_act": "relu2", "rms_norm_eps": RMS_NORM_EPS, "attention_bias": False}


# ---------------------------------------------------------------------------------------------- settings


def to_transformers_config(config: ModelConfig) -> dict[str, Any]:
    """What config.json says: the settings in the words of `transformers`, and ours under their own key."""
    if not has_class(config):
        theirs = dict(model_type=OUR_TYPE)
    elif config.has_experts:
        theirs = _qwen_config(config)
    else:
        theirs = _nanochat_config(config) if config.arch == "modern" else _gpt2_config(config)
    special = dict(bos_token_id=None, eos_token_id=None, pad_token_id=None)
    return theirs | special | {"dtype": "float32", OUR_KEY: {"model": to_dict(config)}}


def has_class(config: ModelConfig) -> bool:
    """Whether a class of `transformers` computes what this model does."""
    return bool(class_of(config))


def _gpt2_config(config: ModelConfig) -> dict[str, Any]:
    is_bigram = config.arch == "bigram"
    return GPT2_MUST | dict(
        architectures=[class_of(config)],
        model_type="gpt2",
        activation_function=GELUS[config.gelu],
        vocab_size=config.vocab_size,
        n_positions=config.block_size,
        n_embd=config.vocab_size if is_bigram else config.n_embd,
        n_layer=0 if is_bigram else config.n_layer,
        n_head=1 if is_bigram else config.n_head,
        n_inner=config.inner,
        embd_pdrop=config.dropout,
        attn_pdrop=config.dropout,
        resid_pdrop=config.dropout,
        tie_word_embeddings=config.tie_weights and not is_bigram,
    )


def _nanochat_config(config: ModelConfig) -> dict[str, Any]:
    return NANOCHAT_MUST | dict(
        architectures=[class_of(config)],
        model_type="nanochat",
        vocab_size=config.vocab_size,
        max_position_embeddings=config.block_size,
        hidden_size=config.n_embd,
        intermediate_size=config.inner,
        num_hidden_layers=config.n_layer,
        num_attention_heads=config.n_head,
        num_key_value_heads=config.kv_heads,
        attention_dropout=config.dropout,
        rope_parameters=dict(rope_type="default", rope_theta=config.rope_theta),
        final_logit_softcapping=config.logit_softcap or None,
        tie_word_embeddings=config.tie_weights,
    )


def _qwen_config(config: ModelConfig) -> dict[str, Any]:
    taken_over = ("vocab_size", "max_position_embeddings", "hidden_size", "intermediate_size", "num_hidden_layers",
                  "num_attention_heads", "num_key_value_heads", "attention_dropout", "rope_parameters")  # fmt: skip
    nanochat = _nanochat_config(config)
    return {name: nanochat[name] for name in taken_over} | dict(
        architectures=[class_of(config)],
        model_type="qwen3_moe",
        hidden_act="relu",
        rms_norm_eps=RMS_NORM_EPS,
        head_dim=config.head_size,
        attention_bias=False,
        num_experts=config.n_experts,
        num_experts_per_tok=config.n_experts_per_token,
        moe_intermediate_size=config.inner,
        decoder_sparse_step=1,
        mlp_only_layers=[],
        norm_topk_prob=True,
        tie_word_embeddings=False,
    )


def from_transformers_config(theirs: dict[str, Any]) -> ModelConfig:
    """The settings that a config.json describes, ours or that of any gpt2 or nanochat; `CheckpointError` otherwise."""
    ours = theirs.get(OUR_KEY)
    if isinstance(ours, dict) and isinstance(ours.get("model"), dict):
        config = from_dict(ModelConfig, ours["model"])
    elif theirs.get("model_type") == "gpt2":
        config = _from_gpt2(theirs)
    elif theirs.get("model_type") == "nanochat":
        config = _from_nanochat(theirs)
    else:
        raise CheckpointError(
            f"model_type={theirs.get('model_type')!r} is no model that fits here; it must be gpt2 or nanochat"
        )
    if type(config.vocab_size) is not int or not 0 < config.vocab_size <= MOST_VOCABULARY:
        raise CheckpointError(
            f"vocab_size={config.vocab_size!r} is not a whole number from 1 to {MOST_VOCABULARY}; config.json is damaged"
        )
    try:
        check(config)
    except ConfigError as error:
        raise CheckpointError(f"config.json describes a model that cannot be built: {error}") from None
    return config


def _from_gpt2(theirs: dict[str, Any]) -> ModelConfig:
    gelu = theirs.get("activation_function", "gelu_new")
    _demand(theirs | {"activation_function": gelu}, {"activation_function": tuple(GELUS_THERE)} | GPT2_MUST)
    return ModelConfig(
        arch="gpt2",
        vocab_size=theirs.get("vocab_size", 50257),
        block_size=theirs.get("n_positions", 1024),
        n_layer=theirs.get("n_layer", 12),
        n_head=theirs.get("n_head", 12),
        n_embd=theirs.get("n_embd", 768),
        n_inner=theirs.get("n_inner") or 0,
        dropout=theirs.get("resid_pdrop", 0.1),
        gelu=GELUS_THERE[gelu],
        tie_weights=theirs.get("tie_word_embeddings", True),
    )


def _from_nanochat(theirs: dict[str, Any]) -> ModelConfig:
    _demand(theirs, NANOCHAT_MUST)
    rope = theirs.get("rope_parameters") or {}
    if not isinstance(rope, dict) or rope.get("rope_type", "default") != "default":
        raise CheckpointError(f"rope_parameters={rope!r} cannot be held here; the rope_type must be 'default'")
    softcap = theirs.get("final_logit_softcapping", 15.0)
    return ModelConfig(
        arch="modern",
        vocab_size=theirs.get("vocab_size", 50304),
        block_size=theirs.get("max_position_embeddings", 2048),
        n_layer=theirs.get("num_hidden_layers", 12),
        n_head=theirs.get("num_attention_heads", 6),
        n_kv_head=theirs.get("num_key_value_heads") or 0,
        n_embd=theirs.get("hidden_size", 768),
        n_inner=theirs.get("intermediate_size", 8192),
        dropout=theirs.get("attention_dropout", 0.0),
        tie_weights=theirs.get("tie_word_embeddings", False),
        logit_softcap=softcap or 0.0,
        rope_theta=rope.get("rope_theta", theirs.get("rope_theta", 10_000.0)),
    )


def _demand(theirs: dict[str, Any], must: dict[str, Any]) -> None:
    """Refuse a model whose arithmetic differs from ours, naming every difference; a tuple holds what is all allowed."""
    allowed = {key: value if isinstance(value, tuple) else (value,) for key, value in must.items()}
    wrong = [
        f"{key}={theirs[key]!r} (must be {' or '.join(map(repr, values))})"
        for key, values in allowed.items()
        if key in theirs and theirs[key] not in values
    ]
    if wrong:
        raise CheckpointError(f"this model computes what ours cannot: {', '.join(wrong)}; take one that fits")


# ---------------------------------------------------------------------------------------------- weights


def to_transformers(config: ModelConfig, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A model's `state_dict` → the tensors of its `transformers` class."""
    if config.arch == "bigram":
        return _bigram_as_gpt2(config, weights["table.weight"])
    if not has_class(config):
        return dict(weights)
    theirs = {}
    for name, tensor in weights.items():
        names = _their_names(config, name)
        parts = tensor.split(_qkv_rows(config)) if len(names) > 1 else [tensor]
        for their_name, part in zip(names, parts, strict=True):
            theirs[their_name] = (part.mT if _is_transposed(config, name) else part).contiguous()
    if config.arch == "gpt2":
        for name in (name for name in weights if name.endswith(".weight") and _has_bias_there(name)):
            bias = _their_names(config, name.removesuffix("weight") + "bias")[0]
            theirs.setdefault(bias, weights[name].new_zeros(weights[name].size(0)))
    return _as_qwen(config, theirs) if config.has_experts else theirs


def from_transformers(config: ModelConfig, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the `transformers` class → our `state_dict`, in float32; inverse of `to_transformers`.

    `CheckpointError` if a bias that the settings leave out is not zero.
    """
    if config.arch == "bigram":
        return {"table.weight": theirs["lm_head.weight"].T.float()}
    if not has_class(config):
        return {name: tensor.float() for name, tensor in theirs.items()}
    if config.has_experts:
        theirs = _from_qwen(config, theirs)
    ours = {}
    for name in blank(config):
        tensors = [theirs[their_name] for their_name in _their_names(config, name)]
        tensor = torch.cat(tensors) if len(tensors) > 1 else tensors[0]
        ours[name] = (tensor.mT if _is_transposed(config, name) else tensor).float()
    used = {their_name for name in ours for their_name in _their_names(config, name)}
    for name, tensor in theirs.items():
        if name not in used and tensor.any():
            raise CheckpointError(
                f"{name} is not zero but the model has no such bias; remove {OUR_KEY!r} from config.json to read it"
            )
    return ours


def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that the `transformers` class of this model has on disk."""
    return {name: tuple(tensor.shape) for name, tensor in to_transformers(config, blank(config)).items()}


def blank(config: ModelConfig) -> dict[str, Tensor]:
    """The `state_dict` of the model without its numbers, on the meta device."""
    with torch.device("meta"):
        return GPT(config, is_blank=True).state_dict()


def _their_names(config: ModelConfig, name: str) -> list[str]:
    """`blocks.3.mlp.up.weight` → [`transformer.h.3.mlp.c_fc.weight`]; nanochat's query, key and value are three."""
    modern = QWEN_NAMES if config.has_experts else NANOCHAT_NAMES
    for ours, theirs in (GPT2_NAMES if config.arch == "gpt2" else modern).items():
        name = f".{name}".replace(f".{ours}.", f".{theirs}.")[1:]
    return [name.format(part) for part in "qkv"] if "{}" in name else [name]


def _qkv_rows(config: ModelConfig) -> list[int]:
    return [config.n_embd, *2 * [config.kv_heads * config.head_size]]


def _is_transposed(config: ModelConfig, name: str) -> bool:
    return config.arch == "gpt2" and name.endswith(("qkv.weight", "out.weight", "up.weight", "down.weight"))


def _has_bias_there(name: str) -> bool:
    return name.startswith(("blocks", "final_norm"))


def _bigram_as_gpt2(config: ModelConfig, table: Tensor) -> dict[str, Tensor]:
    """A one-hot vector of V channels has mean 1/V and variance (1 - 1/V)/V; the norm's weight and bias undo that."""
    V = config.vocab_size
    spread = math.sqrt((1 - 1 / V) / V + LAYER_NORM_EPS)
    return {
        "transformer.wte.weight": torch.eye(V, dtype=table.dtype, device=table.device),
        "transformer.wpe.weight": table.new_zeros(config.block_size, V),
        "transformer.ln_f.weight": table.new_full((V,), spread),
        "transformer.ln_f.bias": table.new_full((V,), 1 / V),
        "lm_head.weight": table.T.contiguous(),
    }


# ---------------------------------------------------------------------------------------------- mixtures of experts


def _as_qwen(config: ModelConfig, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under `QWEN_NAMES` → those that compute the same there."""
    theirs = {name: _turned(config, name, tensor) for name, tensor in weights.items()}
    embedding = weights["model.embed_tokens.weight"]
    theirs["model.embed_tokens.weight"] = F.rms_norm(embedding, embedding.shape[-1:], eps=RMS_NORM_EPS)
    theirs.setdefault("lm_head.weight", embedding)
    for name in (name for name in weights if ".experts." in name and name.endswith("up_proj.weight")):
        theirs[name.replace("up_proj", "gate_proj")] = weights[name].clone()
    return theirs | {name: embedding.new_ones(size) for name, size in _qwen_norms(config).items()}


def _from_qwen(config: ModelConfig, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse, up to rounding in an untied embedding: a norm twice is a norm once."""
    foreign = [name for name in _qwen_norms(config) if (theirs[name] != 1).any()]
    gates = {name: name.replace("gate_proj", "up_proj") for name in theirs if name.endswith("gate_proj.weight")}
    foreign += [name for name, twin in gates.items() if not theirs[name].equal(theirs[twin])]
    if foreign:
        raise CheckpointError(f"{foreign[0]} is not what we wrote: it was trained further elsewhere; use it there")
    ours = {name: _turned(config, name, tensor) for name, tensor in theirs.items() if name not in gates}
    ours = {name: tensor for name, tensor in ours.items() if name not in _qwen_norms(config)}
    if config.tie_weights:
        ours["model.embed_tokens.weight"] = ours.pop("lm_head.weight")
    return ours


def _qwen_norms(config: ModelConfig) -> dict[str, int]:
    """The norms that have weights there, with their widths."""
    norms = {"model.norm.weight": config.n_embd}
    for block in (f"model.layers.{i}" for i in range(config.n_layer)):
        norms |= {f"{block}.{name}_layernorm.weight": config.n_embd for name in ("input", "post_attention")}
        norms |= {f"{block}.self_attn.{name}_norm.weight": config.head_size for name in "qk"}
    return norms


def _turned(config: ModelConfig, name: str, tensor: Tensor) -> Tensor:
    """Query and key with the second half of each head's channels negated, so that rotation goes the other way round."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return tensor
    first, second = tensor.view(-1, 2, config.head_size // 2, config.n_embd).unbind(dim=1)
    return torch.stack((first, -second), dim=1).view_as(tensor)
