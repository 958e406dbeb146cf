"""A run that branches off another: the same tokens and tokenizer, the same settings but for those that are changed.

It begins from the parent's weights (`best`, `last`), or from fresh ones (`none`): two such runs with one seed differ in
what was changed and in nothing else, a paired race. The fork keeps copies of all it needs, so the parent may be deleted;
`config.json` says where it came from (`forked_from`). Not covered: another text or tokenizer, which is `--init-from`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm import checkpoint, initial, prepare, run_dir
from lm.batches import check_enough
from lm.config import LENGTH_SETTINGS, ModelConfig, TrainConfig
from lm.device import choose_device
from lm.errors import ConfigError, RunError
from lm.run_dir import RunDir
from lm.settings import check, picked
from lm.tokenizer import load_tokenizer

FRESH = "none"  # begins with weights of its own
CHECKPOINTS = ("best", "last", FRESH)


def fork(run: RunDir, parent: RunDir, which: str = "best", asked: Mapping[str, Any] | None = None) -> prepare.Setup:
    """Make `run`, which is still empty, a branch of `parent`, ready for `trainer.train(run)`.

    `asked` holds settings by name (of ModelConfig and TrainConfig) that are to differ. A new length replaces the
    parent's. `RunError` when the parent has no tokens or no such checkpoint, `ConfigError` when the settings do not
    fit its weights.
    """
    model, train, folder = fitting(parent, which, asked)
    for name in (parent.tokenizer.name, parent.train_tokens.name, parent.val_tokens.name):
        shutil.copyfile(parent.path / name, run.path / name)
    if folder:
        initial.save(folder, run.initial, model, load_tokenizer(run.path))
    origin = dict(run=parent.name, checkpoint=folder.name if folder else FRESH, step=_step(folder))
    said = run_dir.read_json(parent.config) | prepare.decided(model, train, choose_device(train.device))
    said.pop("lengths", None)  # how the parent was prolonged is its own story
    run_dir.write_json(run.config, said | dict(forked_from=origin, init_from=None))
    return prepare.load(run)


def fitting(
    parent: RunDir, which: str = "best", asked: Mapping[str, Any] | None = None
) -> tuple[ModelConfig, TrainConfig, Path | None]:
    """What such a branch would be: its network, its training, the checkpoint it begins from (None: fresh weights).

    Nothing is written; the errors are those of `fork`.
    """
    asked = dict(asked or {})
    before = prepare.load(parent)
    if not (parent.train_tokens.exists() and parent.val_tokens.exists()):
        raise RunError(
            f"run {parent.name!r} has no training tokens, as one that was shared without them; begin from its weights "
            f"on a text of yours instead: lm train --init-from {parent.name} --data FILE"
        )
    train = _changed(before.train, asked)
    folder = None if which == FRESH else checkpoint.find_checkpoint(parent.path, parent.path.parent, which)
    model = initial.fitted(folder, asked) if folder else _changed(before.model, asked)
    check(before.data, model, train)
    check_enough(before.train_tokens, before.val_tokens, model.block_size)
    return model, train, folder


def _changed(before: Any, asked: Mapping[str, Any]) -> Any:
    """The configuration with what was asked for; the vocabulary belongs to the tokenizer and stays."""
    if "vocab_size" in asked:
        raise ConfigError(
            "vocab_size is not a fork's to choose: it keeps its parent's tokenizer; start a new run instead"
        )
    changes = picked(before, asked)
    if isinstance(before, TrainConfig) and changes.keys() & set(LENGTH_SETTINGS):
        changes = dict.fromkeys(LENGTH_SETTINGS, 0) | changes
    return replace(before, **changes)


def _step(folder: Path | None) -> int:
    """How far the parent was when it had these weights."""
    return checkpoint.facts(folder).step if folder else 0
