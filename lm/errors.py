"""What can go wrong in the *user's* situation, in words that say the value, the rule and the cure.

An `LMError` reaches a person as it stands: one line on the command line (exit code 2), a message beside the widget in
the playground. A bug of ours is an `assert` or an ordinary exception and keeps its traceback.
"""

from __future__ import annotations


class LMError(Exception):
    """The user's situation does not allow what was asked; the text says why and what to do."""

    kind = "error"


class ConfigError(LMError):
    """One or more settings do not fit together; the text lists every one of them."""

    kind = "config"


class CorpusError(LMError):
    """A file cannot be read as text, or holds too little of it."""

    kind = "corpus"


class TokenizerError(LMError):
    """A tokenizer cannot be built, loaded or downloaded."""

    kind = "tokenizer"


class RunError(LMError):
    """A run directory is missing, taken, incomplete, or in another state than the command needs."""

    kind = "run"


class CheckpointError(LMError):
    """A checkpoint is missing, damaged, or not one that this library can hold."""

    kind = "checkpoint"


class TrainingError(LMError):
    """Training cannot go on: the loss is not finite, the memory or the disk is full."""

    kind = "training"


class HubError(LMError):
    """The Hub, the network, a token or a repository does not allow what was asked; nothing local was changed."""

    kind = "hub"
