"""Trained weights to begin from (`--init-from`): a folder's network and vocabulary, fitted to what is asked for.

The folder is a checkpoint of ours, or any gpt2 or nanochat of `transformers` with its tokenizer.json: OpenAI's GPT-2 is
one. It decides the network and the tokenizer. What may be asked for is another dropout rate and a shorter context,
which keeps the first positions (nanoGPT's `crop_block_size`). Embedding rows beyond the tokenizer's ids, with which
other libraries pad, are dropped.

The fitted weights lie in the run's `initial/`, so the run needs the folder no more. Not covered: a longer context,
another vocabulary than the folder's, frozen layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm import checkpoint, run_dir
from lm.config import DataConfig, ModelConfig
from lm.errors import ConfigError
from lm.model import GPT
from lm.settings import settings
from lm.tokenizer import Tokenizer

FREE = ("dropout", "block_size")  # what may be asked for; the weights decide the rest
TOKENIZER_SETTINGS = ("tokenizer", "vocab_size", "keep_ids")


def fitted(directory: Path, asked: Mapping[str, Any]) -> ModelConfig:
    """The folder's network with the settings `asked` for by name; `ConfigError` names those that its weights refuse."""
    known = checkpoint.load_config(directory)
    names = {f.name for f in settings(ModelConfig)} & asked.keys()
    faults = [
        f"{name}={asked[name]} does not fit the weights, which have {name}={getattr(known, name)}; leave it out"
        for name in sorted(names - set(FREE))
        if asked[name] != getattr(known, name)
    ]
    if asked.get("block_size", 0) > known.block_size:
        faults.append(f"block_size={asked['block_size']} is more than the weights hold; use {known.block_size} or less")
    given = {f.name for f in settings(DataConfig)} & asked.keys() & set(TOKENIZER_SETTINGS)
    faults += [f"{name}={asked[name]} is not yours to choose: the weights bring their tokenizer" for name in given]
    if faults:
        raise ConfigError(f"--init-from {directory}: {'; '.join(faults)}")
    return replace(known, **{name: asked[name] for name in FREE if name in asked})


def name_of(directory: Path) -> str:
    """What a person calls the folder: the name of its run, user/repo of one from the Hub's cache, else its own.

    Never a path: `config.json` travels.
    """
    directory = Path(directory).resolve()
    if run_dir.is_run(directory.parent):
        return directory.parent.name
    cached = directory.parent.parent.name.split("--")  # models--user--repo/snapshots/COMMIT
    return "/".join(cached[1:]) if cached[0] == "models" and len(cached) > 1 else directory.name


def save(directory: Path, to: Path, config: ModelConfig, tokenizer: Tokenizer) -> None:
    """Write the folder's weights, cropped to `config`, as the checkpoint `to`; `ConfigError` if the ids do not fit."""
    trained = checkpoint.load_model(directory)
    if tokenizer.vocab_size > trained.config.vocab_size:
        raise ConfigError(
            f"{directory} has {trained.config.vocab_size:,} embeddings for a tokenizer of {tokenizer.vocab_size:,} "
            f"ids; put the tokenizer.json that its model was trained with there"
        )
    model = GPT(config, is_blank=True)
    blank = model.state_dict()
    weights = {name: tensor[: blank[name].size(0)] for name, tensor in trained.state_dict().items()}
    if config.arch == "bigram":
        weights["table.weight"] = weights["table.weight"][:, : config.vocab_size]
    model.load_state_dict(weights)
    checkpoint.save_model(to, model, tokenizer, step=0, val_loss=None)
