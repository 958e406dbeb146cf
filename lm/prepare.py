"""From a request to a run that can train: text → tokenizer → tokens on disk → `config.json`.

`prepare` does it once, at the start of a run; `load` reads it back, for the loop, for a resumed run, for anyone who
wants to know what a run was made of. `config.json` names files and numbers, never a path of this machine.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from lm import batches, checkpoint, initial, memory, run_dir
from lm.classes import export_note
from lm.config import LENGTH_SETTINGS, RESUME_SETTINGS, DataConfig, ModelConfig, TrainConfig
from lm.corpus import Corpus, read_corpus
from lm.costs import active_parameters, count_parameters
from lm.device import HALVES, choose_device, choose_precision, free_bytes
from lm.errors import RunError
from lm.evaluate import pair_entropy
from lm.model import GPT
from lm.rehearsal import tokens_read
from lm.run_dir import RunDir
from lm.settings import check, from_dict, to_dict
from lm.tokenizer import Tokenizer, load_tokenizer, make_tokenizer

MOST_THREADS, MOST_VOCABULARY, MOST_COUNT = (
    1 << 16,
    1 << 24,
    1 << 48,
)  # what a damaged config.json may say and no machine has. assumed
VERSIONED_PACKAGES = ("torch", "numpy", "tiktoken", "tokenizers", "safetensors")


@dataclass(frozen=True)
class Request:
    """What a person asks for: these texts, these settings."""

    sources: tuple[Path, ...]
    recipe: str
    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    init_from: Path | None = None  # a folder whose weights and tokenizer to begin from; `model` then fits it


@dataclass(frozen=True)
class Setup:
    """What `config.json` says of a prepared run, with everything that `auto` left open decided."""

    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    device: torch.device
    precision: str
    threads: int
    grad_accum_steps: int
    train_tokens: int
    val_tokens: int


def prepare(run: RunDir, request: Request, say: Callable[[str], None] = lambda text: None) -> Setup:
    """Write the tokenizer, the tokens and `config.json` of `run`; the text itself is not kept."""
    check(request.data, request.model, request.train)
    if note := export_note(request.model):
        say(note)
    device = choose_device(request.train.device)
    corpus, tokenizer, counts = _write_tokens(run, request, say)
    if request.init_from is not None:
        model = replace(request.model, vocab_size=tokenizer.vocab_size)
        initial.save(request.init_from, run.initial, model, tokenizer)
    described = _describe(request, corpus, tokenizer, counts, device)
    if request.model.arch == "bigram":
        floor = pair_entropy(batches.open_tokens(run.train_tokens, tokenizer.vocab_size), tokenizer.vocab_size)
        described |= dict(bigram_floor=floor)
        say(f"no bigram can reach a lower training loss here than {floor:.4f}, the conditional entropy of the pairs")
    run_dir.write_json(run.config, described)
    setup = load(run)
    if setup.grad_accum_steps > max(1, request.train.grad_accum_steps):
        say(f"batches of {setup.train.batch_size} in {setup.grad_accum_steps} parts, to fit the memory")
    free = described["memory"]["free_bytes"]
    if warning := memory.warning(setup.model, setup.train, setup.grad_accum_steps, free):
        say(warning)
    return setup


def _write_tokens(
    run: RunDir, request: Request, say: Callable[[str], None]
) -> tuple[Corpus, Tokenizer, tuple[int, int]]:
    """Read the sources, and write the tokenizer and the tokens; how many to train on and how many held out."""
    for leftover in (run.train_tokens, run.val_tokens):  # of an attempt that did not get further
        leftover.unlink(missing_ok=True)
    clean_text = run.path / "corpus.tmp"
    try:
        corpus = read_corpus(request.sources, clean_text, aozora=request.data.aozora, column=request.data.column)
        for file in corpus.files:
            say("; ".join((f"{file.name}: {file.encoding}", *file.notes)))
        say(f"{corpus.name}: {corpus.statistics.characters:,} characters, {len(corpus.alphabet):,} distinct")
        tokenizer = _tokenizer(request, corpus, say)
        counts = batches.write_tokens(corpus, tokenizer, request.data.val_fraction, run.train_tokens, run.val_tokens)
    finally:
        clean_text.unlink(missing_ok=True)
    batches.check_enough(*counts, request.model.block_size)
    say(f"{tokenizer.name}: vocabulary {tokenizer.vocab_size:,}, {counts[0]:,} training tokens, {counts[1]:,} held out")
    tokenizer.save(run.path)
    return corpus, tokenizer, counts


def first_model(run: RunDir, setup: Setup) -> GPT:
    """The model before its first step: drawn from PyTorch's global state, or what `--init-from` brought."""
    return checkpoint.load_model(run.initial).train() if run.initial.exists() else GPT(setup.model)


def load(run: RunDir) -> Setup:
    """Read `config.json` back; `RunError` when the run died before its set-up was complete."""
    if not run.config.exists():
        raise RunError(
            f"run {run.name!r} ended before its set-up was complete, so there is nothing to resume; "
            "start it again under another name"
        )
    said = run_dir.read_json(run.config)
    try:
        _count(said["model"]["vocab_size"], least=1, most=MOST_VOCABULARY)
        setup = Setup(
            data=from_dict(DataConfig, said["data"]),
            model=from_dict(ModelConfig, said["model"]),
            train=from_dict(TrainConfig, said["train"]),
            device=torch.device(said["device"]),
            precision={name: name for name in ("float32", *HALVES)}[said["precision"]],
            threads=_count(said["threads"], most=MOST_THREADS),
            grad_accum_steps=_count(said.get("grad_accum_steps") or said["train"]["grad_accum_steps"] or 1),
            train_tokens=_count(said["tokens"]["train"]),
            val_tokens=_count(said["tokens"]["val"]),
        )
    except (AttributeError, KeyError, TypeError, RuntimeError, ValueError) as error:
        raise RunError(f"{run.config} is damaged: {error!r}; restore it from a copy, or delete the run") from None
    check(setup.data, setup.model, setup.train)
    return setup


def _count(value: Any, least: int = 0, most: int = MOST_COUNT) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r} is no count")
    return value


def extend(run: RunDir, changes: dict[str, Any]) -> Setup:
    """Give a prepared run another length, or others of `RESUME_SETTINGS`; the rest of its set-up stays as it is."""
    setup, said = load(run), run_dir.read_json(run.config)
    assert changes.keys() <= set(RESUME_SETTINGS), "another training is another run"
    if changes.keys() & set(LENGTH_SETTINGS):  # a length gives way as a whole
        changes = {"steps": 0, "minutes": 0.0, "epochs": 0.0} | changes
        before = {name: getattr(setup.train, name) for name in LENGTH_SETTINGS}
        with run_dir.explaining_damage(run.config):
            said["lengths"] = [*said.get("lengths", []), dict(until_step=run_dir.read_status(run).step, **before)]
    train = replace(setup.train, **changes)
    check(train)
    if "grad_accum_steps" in changes:
        free = free_bytes(setup.device)
        said["grad_accum_steps"] = train.grad_accum_steps or memory.fewest_parts(setup.model, train, free)
    run_dir.write_json(run.config, said | dict(train=to_dict(train)))
    return load(run)


def _tokenizer(request: Request, corpus: Corpus, say: Callable[[str], None]) -> Tokenizer:
    """Made for the text, or that of the weights to begin from."""
    if request.init_from is None:
        return make_tokenizer(request.data, corpus, tokens_read(corpus, request.data, request.model, request.train))
    tokenizer = load_tokenizer(request.init_from)
    if unknown := tokenizer.unknown("".join(corpus.alphabet)):
        say(f"the vocabulary lacks characters of this text ({len(unknown)}): {' '.join(unknown[:20])}")
    return tokenizer


def _describe(
    request: Request, corpus: Corpus, tokenizer: Tokenizer, counts: Sequence[int], device: torch.device
) -> dict[str, Any]:
    """The contents of `config.json`."""
    model = replace(request.model, vocab_size=tokenizer.vocab_size)
    return decided(model, request.train, device) | dict(
        schema=run_dir.SCHEMA,
        recipe=request.recipe,
        init_from=initial.name_of(request.init_from) if request.init_from else None,
        data=to_dict(request.data),
        tokenizer=tokenizer.name,
        tokens=dict(train=counts[0], val=counts[1]),
        corpus=dict(
            name=corpus.name,
            sha256=corpus.statistics.sha256,
            statistics=asdict(corpus.statistics),
            files=[asdict(file) for file in corpus.files],
        ),
    )


def decided(model: ModelConfig, train: TrainConfig, device: torch.device) -> dict[str, Any]:
    """The part of `config.json` that is decided on this machine, with the settings that decided it."""
    free = free_bytes(device)
    parts = train.grad_accum_steps or memory.fewest_parts(model, train, free)
    rows = train.batch_size // parts * model.block_size
    versions = {package: importlib.metadata.version(package) for package in VERSIONED_PACKAGES}
    return dict(
        model=to_dict(model),
        train=to_dict(train),
        seed=train.seed,
        device=device.type,
        precision=choose_precision(train.precision, device, rows, model.n_embd),
        threads=train.threads or torch.get_num_threads(),
        grad_accum_steps=parts,
        memory=dict(needed_bytes=memory.needed_bytes(model, train, parts), free_bytes=free),
        parameters=count_parameters(model),
        active_parameters=active_parameters(model),
        versions=dict(python=platform.python_version()) | versions,
    )
