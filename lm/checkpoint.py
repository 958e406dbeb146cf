"""Tensors ↔ disk: a checkpoint that stands alone, and the private state from which a run goes on.

A checkpoint is a folder that `transformers` loads as it is (`AutoModelForCausalLM.from_pretrained`): `config.json`,
`generation_config.json`, `tokenizer.json`, `tokenizer_config.json` and `model.safetensors`. During a run only the last
one changes, and it carries the step and the loss in its header, so a reader never sees two files that do not belong
together. A resume state is one file for the same reason, with the one before it kept beside it. `lm.tensors` writes both
kinds: whole or not at all, and with a sha256 that tells a damaged one when it is loaded.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor

from lm import convert, run_dir
from lm import tensors as tensor_file
from lm.config import ModelConfig, SampleConfig
from lm.errors import CheckpointError, RunError
from lm.model import GPT
from lm.run_dir import RunDir
from lm.scratch import scratch
from lm.tensors import explaining_failure
from lm.tokenizer import Tokenizer

CONFIG, WEIGHTS, GENERATION = "config.json", "model.safetensors", "generation_config.json"
FILES = (CONFIG, WEIGHTS, GENERATION, "tokenizer.json", "tokenizer_config.json")
STATE, PREVIOUS = "state.safetensors", "previous.safetensors"
FACTS = {"step": int, "val_loss": float}
SHOWN_FAULTS = 5


class Facts(NamedTuple):
    """What a checkpoint says of itself; None where it does not (a foreign one, or a run without held-out text)."""

    step: int | None
    val_loss: float | None


# ---------------------------------------------------------------------------------------------- checkpoints


def save_model(directory: Path, model: GPT, tokenizer: Tokenizer, *, step: int, val_loss: float | None) -> None:
    """Write or renew the checkpoint `directory` in float32.

    `CheckpointError` if the disk refuses; the weights of before then stay.
    """
    directory = Path(directory)
    said = {"step": str(step)} | ({} if val_loss is None else {"val_loss": repr(float(val_loss))})
    config = convert.to_transformers_config(model.config)
    with explaining_failure("write", directory):
        directory.mkdir(parents=True, exist_ok=True)
        if _read_json_or_none(directory / CONFIG) != config:
            (directory / WEIGHTS).unlink(missing_ok=True)  # another model's: it must not meet this one's settings
            _write_settings(directory, config, tokenizer)
        weights = {name: tensor.detach().cpu().float() for name, tensor in model.state_dict().items()}
        tensor_file.write(directory / WEIGHTS, convert.to_transformers(model.config, weights), said)


def load_model(directory: Path, device: torch.device | str = "cpu") -> GPT:
    """The model of a checkpoint, ours or a plain gpt2 or nanochat of `transformers`, in evaluation mode.

    Shapes are compared before memory is spent. `CheckpointError` names what is missing, or does not fit.
    """
    path, config = _weights_of(Path(directory)), load_config(directory)
    with explaining_failure("read", path), safe_open(path, framework="pt") as file:
        found = {_full_name(name, config): name for name in file.keys()}
        _compare(path, convert.shapes(config), {full: file.get_slice(name).get_shape() for full, name in found.items()})
        tensor_file.check(path)
        tensors = {name: file.get_tensor(found[name]) for name in convert.shapes(config)}
        model = GPT(config, is_blank=True)
        model.load_state_dict(convert.from_transformers(config, tensors))
    return model.to(device).eval()


def load_config(directory: Path) -> ModelConfig:
    """The settings of a checkpoint's model; `CheckpointError` if they describe none that fits here."""
    return convert.from_transformers_config(_read_config(Path(directory)))


def facts(directory: Path) -> Facts:
    """The step and the validation loss at which a checkpoint was written."""
    path = _weights_of(Path(directory))
    header = tensor_file.read_header(path)
    try:
        return Facts(*(kind(header[name]) if name in header else None for name, kind in FACTS.items()))
    except ValueError:
        raise CheckpointError(f"the header of {path} is damaged: it says {header}; restore it from a copy") from None


def find_checkpoint(name_or_path: str | Path, runs_dir: Path, which: str = "best") -> Path:
    """The checkpoint folder meant by a run's name, a run directory, or a checkpoint or exported folder.

    A run that was never evaluated has no `best`; its `last` is taken. `RunError` or `CheckpointError` if there is none.
    """
    path = Path(name_or_path)
    if (path / CONFIG).is_file() and not run_dir.is_run(path):
        return path
    run = run_dir.find(runs_dir, name_or_path)
    for found in (run.path / which, run.last):
        if (found / WEIGHTS).is_file():
            return found
    raise CheckpointError(
        f"run {run.name!r} has no checkpoint yet: it is {run_dir.state(run)} at step {run_dir.read_status(run).step}; "
        f"one is written at the first evaluation and at the end"
    )


def find_sound(
    name_or_path: str | Path, runs_dir: Path, which: str = "best", say: Callable[[str], None] = print
) -> Path:
    """`find_checkpoint`, but of a run whose weights are damaged the other ones, and a sentence about it to `say`."""
    found = find_checkpoint(name_or_path, runs_dir, which)
    other = found.with_name("last" if found.name == "best" else "best")
    fault = damage(found)
    if not fault or not run_dir.is_run(found.parent) or not (other / WEIGHTS).is_file():
        return found  # whoever loads it learns of the fault
    check(other)
    say(f"{fault}; took {other.name}/, of step {facts(other).step}, instead")
    return other


def check(directory: Path) -> None:
    """`CheckpointError` if the weights in `directory` are not those that were written there."""
    tensor_file.check(_weights_of(Path(directory)))


def damage(directory: Path) -> str:
    """What is wrong with the weights in `directory`, in words; nothing if they are whole, or not there."""
    try:
        if (directory / WEIGHTS).is_file():
            check(directory)
    except CheckpointError as fault:
        return str(fault)
    return ""


def export(directory_from: Path, to: Path) -> None:
    """Copy a checkpoint to `to`, whole or not at all.

    `CheckpointError` rather than overwrite what is no export, or write what `transformers` cannot load.
    """
    source, to = Path(directory_from).resolve(), Path(to).resolve()
    check(source)
    if not convert.has_class(config := load_config(source)):
        raise CheckpointError(
            f"arch={config.arch} with n_experts={config.n_experts} and logit_softcap={config.logit_softcap:g} has no "
            f"class in transformers; generate with the run as it is, or train arch=modern without a cap to export it"
        )
    if source == to:
        raise CheckpointError(f"{to} is the checkpoint itself; choose another directory")
    if to.is_dir() and (foreign := {entry.name for entry in to.iterdir()} - set(FILES)):
        raise CheckpointError(f"{to} is not empty (it holds {min(foreign)!r}); choose a directory that is not there")
    with explaining_failure("write", to):
        to.parent.mkdir(parents=True, exist_ok=True)
        with scratch(to.parent) as place:
            (place / "made").mkdir()
            for path in (source / name for name in FILES):
                if path.exists():
                    shutil.copyfile(path, place / "made" / path.name)
            if to.is_dir():
                os.rename(to, place / "before")
            os.rename(place / "made", to)


def _write_settings(directory: Path, config: dict[str, Any], tokenizer: Tokenizer) -> None:
    """Everything but the weights; config.json last, for it is the sign that the others are there."""
    sampling = SampleConfig()
    generation = dict(
        do_sample=True,
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        max_new_tokens=sampling.max_new_tokens,
        **({} if tokenizer.unk_id is None else {"suppress_tokens": [tokenizer.unk_id]}),
    )
    tokenizer.save(directory)
    run_dir.write_json(directory / GENERATION, generation)
    run_dir.write_json(directory / CONFIG, config)


def _weights_of(directory: Path) -> Path:
    """model.safetensors of a checkpoint; `CheckpointError` says what is there instead."""
    path = directory / WEIGHTS
    if path.is_file():
        return path
    if (directory / f"{WEIGHTS}.index.json").exists():
        raise CheckpointError(f"{directory} holds its weights in several files; save it with max_shard_size='100GB'")
    if any(directory.glob("*.bin")) or any(directory.glob("*.pt")):
        raise CheckpointError(
            f"{directory} holds its weights as a pickle, which runs code when it is read; "
            f"save it again with save_pretrained(…, safe_serialization=True)"
        )
    raise CheckpointError(f"{directory} has no {WEIGHTS}; name a run, or a folder that `lm export` wrote")


def _read_config(directory: Path) -> dict[str, Any]:
    try:
        config = run_dir.read_json(directory / CONFIG)
    except RunError as error:
        raise CheckpointError(str(error)) from None
    if not isinstance(config, dict):
        raise CheckpointError(f"{directory / CONFIG} is damaged: it holds no object; restore it from a copy")
    return config


def _read_json_or_none(path: Path) -> Any:
    try:
        return run_dir.read_json(path)
    except RunError:
        return None


def _full_name(name: str, config: ModelConfig) -> str:
    """The name with the prefix that a bare `GPT2Model` or `NanoChatModel` leaves out."""
    prefix = "model." if config.arch == "modern" else "transformer."
    if not convert.has_class(config):
        return name
    return name if name.startswith((prefix, "lm_head")) else prefix + name


def _compare(path: Path, expected: Mapping[str, Sequence[int]], found: Mapping[str, Sequence[int]]) -> None:
    """`CheckpointError` that lists what is missing, unknown or of another shape."""
    # GPT-2's causal masks once were saved as weights, and a head that is tied may be saved again.
    known = {name for name in found if not name.endswith((".attn.bias", ".attn.masked_bias", "lm_head.weight"))}
    faults = [f"{name} is missing" for name in expected if name not in found]
    faults += [f"{name} is unknown" for name in sorted(known - expected.keys())]
    faults += [
        f"{name} has shape {tuple(found[name])} where config.json means {tuple(shape)}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    if faults:
        more = f"; and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
        raise CheckpointError(f"{path} does not fit its config.json: {'; '.join(faults[:SHOWN_FAULTS])}{more}")


# ---------------------------------------------------------------------------------------------- going on


def flatten_state(model: GPT, optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Weights and optimizer state as one flat mapping: `model.NAME`, `optimizer.I.PARAMETER.KEY`.

    The settings of the optimizers are not in it; they come from the run's configuration.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for i, optimizer in enumerate(optimizers):
        for parameter, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{parameter}.{key}": value for key, value in state.items()}
    return tensors


def unflatten_state(tensors: Mapping[str, Tensor], model: GPT, optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Put back what `flatten_state` took out; other keys are left alone. `CheckpointError` if it is another model's."""
    states: list[dict[int, dict[str, Tensor]]] = [{} for _ in optimizers]
    weights = {}
    try:
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "model":
                weights[rest] = tensor
            elif kind == "optimizer":
                i, parameter, key = rest.split(".")
                states[int(i)].setdefault(int(parameter), {})[key] = tensor
        model.load_state_dict(weights)
        for optimizer, state in zip(optimizers, states, strict=True):
            optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    except (IndexError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"the saved state does not fit this run's settings: {error}") from None


def save_resume(run: RunDir, tensors: Mapping[str, Tensor], progress: dict[str, Any]) -> None:
    """Write all that the next step depends on as one file, and keep the state before it; safe at any instant."""
    said = json.dumps(progress, ensure_ascii=False, allow_nan=False)
    with explaining_failure("write", run.resume / STATE):
        run.resume.mkdir(exist_ok=True)
        tensor_file.write(run.resume / STATE, tensors, {"progress": said}, keep=run.resume / PREVIOUS)


def load_resume(run: RunDir) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The newest state that is whole, as (tensors, progress), or None if none was ever saved.

    When it is not the one that was written last, `progress["recovery"]` says so in a sentence. `CheckpointError` if
    there are states but all of them are damaged.
    """
    faults = []
    for path in (run.resume / STATE, run.resume / PREVIOUS):
        if not path.exists():
            faults.append(f"{path.name} is missing")
            continue
        try:
            tensors, said = tensor_file.read(path)
            progress = json.loads(said["progress"])
        except CheckpointError as error:
            faults.append(str(error))
        except (KeyError, ValueError, RecursionError):
            faults.append(f"{path.name} is damaged: it does not say where the training was")
        else:
            return tensors, progress | ({"recovery": f"{faults[0]}; took the state before it"} if faults else {})
    if all(fault.endswith("is missing") for fault in faults):
        return None
    raise CheckpointError(f"run {run.name!r} cannot be resumed: {'; '.join(faults)}; start it again under another name")
