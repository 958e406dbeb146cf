"""A run → the folder that others get: the model at its top, what it was made of in `training/`, a picture, a card.

    config.json  model.safetensors  tokenizer.json  tokenizer_config.json  generation_config.json  README.md
    training/config.json  training/metrics.jsonl  training/samples.jsonl  assets/loss.png
    corpus/…  only if asked for: the text, written back from the tokens     resume/…  only if asked for: to train on

Settings travel by a list of names, so that nothing of this machine goes along by accident: no path, user or host name.
A run may be in training meanwhile: its files are replaced, never changed, so links to them stay what they were.
"""

from __future__ import annotations

import codecs
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm import batches, checkpoint, convert, figure, run_dir
from lm.errors import HubError
from lm.run_dir import RunDir
from lm.tokenizer import load_tokenizer

TRAINING, RESUME, CORPUS, CARD = "training", "resume", "corpus", "README.md"
FOLDERS = (TRAINING, "assets", CORPUS, RESUME)  # what a later push of ours may remove again
SHARED_SETTINGS = (
    "schema", "recipe", "init_from", "forked_from", "lengths",
    "data", "model", "train", "seed", "device", "precision", "threads",
    "grad_accum_steps", "parameters", "active_parameters", "tokenizer", "tokens", "corpus", "versions",
)  # fmt: skip
SHARED_CORPUS = ("name", "sha256", "statistics", "files")
SHARED_FILE = ("name", "encoding", "bytes", "notes")
SHARED_STATUS = ("state", "step", "max_steps", "elapsed_seconds")
TOKENS_AT_ONCE = 1 << 20
RIGHTS = (
    "The text this model was trained on, written back from its tokens. Whoever published it here is responsible for "
    "having the right to do so; the licence of the model is not a licence of this text.\n"
)


@dataclass(frozen=True)
class Contents:
    """What goes into the bundle besides the model."""

    checkpoint: str = "best"
    with_corpus: bool = False
    with_resume: bool = False


def write(run: RunDir, to: Path, contents: Contents, card: str) -> None:
    """Fill the folder `to` (made if needed); `HubError` or `CheckpointError` if the run lacks what is asked for."""
    model = checkpoint.find_checkpoint(run.path, run.path.parent, contents.checkpoint)
    checkpoint.check(model)
    if not convert.has_class(config := checkpoint.load_config(model)):
        raise HubError(
            f"arch={config.arch} with n_experts={config.n_experts} and logit_softcap={config.logit_softcap:g} has no "
            "class in transformers, so nobody else could load it; train arch=modern without a cap to share it"
        )
    for folder in (to / TRAINING, to / "assets"):
        folder.mkdir(parents=True, exist_ok=True)
    if contents.with_resume:  # before the metrics: a state may lack their last lines, never the reverse
        _add_resume(run, to / RESUME, "last" if model == run.best else "best")
    for name in checkpoint.FILES:
        _take(model / name, to / name)
    if contents.with_corpus:
        _add_corpus(run, to / CORPUS)
    run_dir.write_json(to / TRAINING / "config.json", shared_settings(run) | dict(checkpoint=model.name))
    for log in (run.metrics, run.samples):
        records, _ = run_dir.read_records(log)
        (to / TRAINING / log.name).touch()
        for record in records:
            run_dir.append_record(to / TRAINING / log.name, record)
    (to / "assets" / "loss.png").write_bytes(figure.loss_png(run))
    (to / CARD).write_text(card, encoding="utf-8", newline="\n")


def shared_settings(run: RunDir) -> dict[str, Any]:
    """`config.json` of the run, reduced to what has a meaning elsewhere."""
    said = run_dir.read_json(run.config)
    with run_dir.explaining_damage(run.config):
        shared = {name: said[name] for name in SHARED_SETTINGS if name in said}
        corpus = {name: value for name, value in said.get("corpus", {}).items() if name in SHARED_CORPUS}
        files = corpus.get("files", [])
        corpus["files"] = [{name: file[name] for name in SHARED_FILE if name in file} for file in files]
        return shared | dict(corpus=corpus)


def corpus_text(run: RunDir, tokens: Path) -> Iterator[str]:
    """The text that `train.bin` or `val.bin` was made of, in pieces."""
    tokenizer = load_tokenizer(run.tokenizer)
    ids = batches.open_tokens(tokens, tokenizer.vocab_size)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for start in range(0, len(ids), TOKENS_AT_ONCE):
        yield decoder.decode(tokenizer.decode_bytes(ids[start : start + TOKENS_AT_ONCE]))
    yield decoder.decode(b"", final=True)


def _add_corpus(run: RunDir, to: Path) -> None:
    to.mkdir()
    (to / "README.md").write_text(RIGHTS, encoding="utf-8", newline="\n")
    for tokens, name in ((run.train_tokens, "train.txt"), (run.val_tokens, "validation.txt")):
        _must_exist(run, tokens, "its text")
        with open(to / name, "w", encoding="utf-8", newline="") as file:
            file.writelines(corpus_text(run, tokens))


def _add_resume(run: RunDir, to: Path, other: str) -> None:
    """The state, the tokens, where it stands, and the checkpoint that the bundle's top is not."""
    to.mkdir()
    state = run.resume / checkpoint.STATE
    for path in (state, run.train_tokens, run.val_tokens):
        _must_exist(run, path, "the state to go on from")
        _take(path, to / path.name)
    if (run.path / other / checkpoint.WEIGHTS).is_file():
        (to / other).mkdir()
        _take(run.path / other / checkpoint.WEIGHTS, to / other / checkpoint.WEIGHTS)
    status = run_dir.read_status(run)
    said = {name: getattr(status, name) for name in SHARED_STATUS}
    is_over = run_dir.state(run) == "finished"
    run_dir.write_json(to / "status.json", said | dict(state="finished" if is_over else "stopped"))


def _must_exist(run: RunDir, path: Path, what: str) -> None:
    if not path.exists():
        raise HubError(f"run {run.name!r} does not hold {what} ({path.name} is missing); share it without")


def _take(source: Path, to: Path) -> None:
    """A link to the file as it is now; a copy where there are no links."""
    try:
        os.link(source, to)
    except OSError:
        shutil.copyfile(source, to)
