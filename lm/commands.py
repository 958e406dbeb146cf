"""What each command of `lm` does: arguments in, a JSON-able result out, and words for a person on the way.

One function per command, named as the command. Words go to stderr when `--json` keeps stdout for the result.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import textwrap
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lm import recipes as recipe_book
from lm import run_dir
from lm.commands_plan import asked, source
from lm.config import LENGTH_SETTINGS, RESUME_SETTINGS, DataConfig, ModelConfig, SampleConfig, TrainConfig
from lm.corpus import read_corpus
from lm.errors import CorpusError, RunError, TokenizerError
from lm.names import free_name
from lm.settings import check, picked
from lm.terminal import ProgressBar, Result, ending, say, warn


def train(arguments: argparse.Namespace) -> Result:
    """Make a run and train it to its end in this process."""
    from lm import initial
    from lm.prepare import Request

    folder = arguments.init_from and _weights(arguments)
    sources = tuple(source(name) for name in arguments.data)
    recipe, data, model, train_config = asked(arguments, sources, "fine-tune" if folder else "quickstart")
    if folder:
        model = initial.fitted(folder, vars(arguments))
    check(data, model, train_config)
    name = arguments.name or free_name(arguments.runs_dir, f"{sources[0].stem}-{recipe.name}")
    run = run_dir.create(arguments.runs_dir, name, arguments.reserved)
    request = Request(sources, recipe.name, data, model, train_config, folder or None)
    try:
        return _trained(arguments, run, request=request)
    finally:
        run_dir.discard_unprepared(run)


def resume(arguments: argparse.Namespace) -> Result:
    """Go on where a run stopped, or further than it was meant to go."""
    run = run_dir.find(arguments.runs_dir, arguments.run)
    if run.config.exists() and not run.train_tokens.exists():
        raise RunError(
            f"run {run.name!r} has no training tokens, as one that was shared without them; pull one that was pushed with "
            f"--resume, or begin from its weights with `lm train --init-from {run.name} --data FILE`"
        )
    changes = {name: vars(arguments)[name] for name in RESUME_SETTINGS if name in vars(arguments)}
    if run_dir.state(run) == "finished" and not changes.keys() & set(LENGTH_SETTINGS):
        raise RunError(
            f"run {run.name!r} is finished (step {run_dir.read_status(run).step}); "
            f"to train it further give it a new length, for example `lm resume {run.name} --steps 10000`"
        )
    return _trained(arguments, run, changes=changes)


def fork(arguments: argparse.Namespace) -> Result:
    """Branch off a run: its text, its settings but for those that are given, its weights or fresh ones."""
    from lm.ending import recording_failure
    from lm.fork import fork as branch

    given = vars(arguments)
    parent = run_dir.find(arguments.runs_dir, arguments.run)
    asked = picked(ModelConfig, given) | picked(TrainConfig, given)
    name = arguments.name or free_name(arguments.runs_dir, f"{parent.name}-fork")
    run = run_dir.create(arguments.runs_dir, name, arguments.reserved)
    try:
        with recording_failure(run):
            branch(run, parent, arguments.checkpoint, asked)
        return _trained(arguments, run)
    finally:
        run_dir.discard_unprepared(run)


def stop(arguments: argparse.Namespace) -> Result:
    """Ask a trainer to end and wait for it."""
    run = run_dir.find(arguments.runs_dir, arguments.run)
    if run_dir.state(run) in run_dir.ACTIVE_STATES:
        run_dir.request_stop(run)
        deadline = time.monotonic() + arguments.timeout
        while run_dir.state(run) in run_dir.ACTIVE_STATES and time.monotonic() < deadline:
            time.sleep(0.05)
    state, step = run_dir.state(run), run_dir.read_status(run).step
    ending = " (it ends after its current step)" if state in run_dir.ACTIVE_STATES else ""
    say(arguments, f"{run.name}: {state} at step {step}{ending}")
    return dict(name=run.name, run_dir=str(run.path), state=state, steps=step)


def runs(arguments: argparse.Namespace) -> list[Result]:
    """All runs, the newest first."""
    found = [run_dir.summary(run) for run in run_dir.list_runs(arguments.runs_dir)]
    for run in found:
        bits = run["best_val_bits_per_byte"]
        best = f"{bits:.3f} bits/byte at {run['best_step']:,}" if bits is not None else "not evaluated yet"
        say(arguments, f"{run['name']:32} {run['state']:9} step {run['step']:>7,}  {best}")
    if not found:
        say(arguments, f"no runs in {arguments.runs_dir} yet; `lm train --data FILE` makes one")
    return found


def eval(arguments: argparse.Namespace) -> Result:  # noqa: A001 - named as the command
    """Measure a checkpoint with the fixed-window evaluator, in float32."""
    from lm import batches, checkpoint
    from lm.device import choose_device
    from lm.evaluate import evaluate
    from lm.tokenizer import load_tokenizer

    directory = _model(arguments)
    device = choose_device(vars(arguments).get("device", "auto"))
    model, tokenizer = checkpoint.load_model(directory).to(device), load_tokenizer(directory)
    if arguments.data:
        ids, unknown = _encode_files(arguments, tokenizer)
    else:
        ids, unknown = batches.open_tokens(_held_out_tokens(directory), model.config.vocab_size), []
    windows = batches.evaluation_windows(len(ids), model.config.block_size, vars(arguments).get("eval_windows", 0))
    if not windows:
        raise CorpusError(f"{len(ids)} tokens are too few to measure: the first predicts the second; give more text")
    measured = evaluate(model, ids, windows, tokenizer.id_sizes(), batch_size=max(1, arguments.batch_size))
    say(
        arguments,
        f"loss {measured.loss:.4f} nats/token   perplexity {measured.perplexity:.2f}   "
        f"{measured.bits_per_byte:.4f} bits/byte   {measured.bits_per_character:.4f} bits/character   "
        f"over {measured.tokens:,} tokens",
    )
    if unknown:
        say(arguments, f"the vocabulary lacks characters of this text ({len(unknown)}): {' '.join(unknown[:20])}")
    return dataclasses.asdict(measured) | dict(checkpoint=str(directory), unknown_characters=unknown)


def generate(arguments: argparse.Namespace) -> Result:
    """Write, streaming to the terminal when there is one text to write."""
    from lm import checkpoint
    from lm.device import choose_device
    from lm.generate import stream
    from lm.tokenizer import load_tokenizer

    given = vars(arguments)
    config = SampleConfig(**picked(SampleConfig, given))
    check(config)
    directory = _model(arguments)
    model = checkpoint.load_model(directory).to(choose_device(given.get("device", "auto")))
    tokenizer = load_tokenizer(directory)
    unknown = tokenizer.unknown(arguments.prompt)
    if unknown:
        warn(f"the vocabulary lacks {' '.join(map(repr, unknown))}: read as unknown characters")

    texts, first, seconds = _written(arguments, config, stream(model, tokenizer, arguments.prompt, config))
    return dict(
        samples=[dict(text=text, seed=config.seed + i) for i, text in enumerate(texts)],
        tokens_per_second=round(config.num_samples * config.max_new_tokens / seconds, 1),
        first_token_seconds=round(first, 4),
        prompt=arguments.prompt,
        unknown_characters=unknown,
        checkpoint=str(directory),
    )


def tokenize(arguments: argparse.Namespace) -> Result:
    """Cut a text into tokens, by a run's tokenizer or by one made for the occasion."""
    if arguments.text is None and not arguments.data:
        raise CorpusError("there is nothing to cut: give a text, or --data FILE")
    tokenizer, text = _to_cut(arguments)
    ids = tokenizer.encode(text)
    pieces = [tokenizer.decode([i]) for i in ids[:200]]
    per_token = len(text.encode("utf-8", errors="replace")) / max(1, len(ids))
    say(arguments, f"{tokenizer.name}: {len(ids):,} tokens, {per_token:.2f} bytes each, of {tokenizer.vocab_size:,}")
    say(arguments, "|".join(piece.replace("\n", "⏎") for piece in pieces) + ("|…" if len(ids) > 200 else ""))
    return dict(
        tokenizer=tokenizer.name,
        vocab_size=tokenizer.vocab_size,
        tokens=len(ids),
        bytes_per_token=round(per_token, 4),
        ids=[int(i) for i in ids[:10_000]],
        unknown_characters=tokenizer.unknown(text),
    )


def export(arguments: argparse.Namespace) -> Result:
    """A folder for `transformers`, a file for llama.cpp, or a report of the run as one page."""
    from lm import checkpoint

    to = Path(arguments.to)
    if arguments.format == "html":
        from lm import report

        run = run_dir.find(arguments.runs_dir, arguments.run)
        report.write(run, to, arguments.language)
        say(arguments, f"{to}: open it in a browser; it needs no network")
        return dict(run_dir=str(run.path), to=str(to), files=[to.name])
    directory = _model(arguments)
    if arguments.format == "gguf":
        from lm import gguf

        gguf.export(directory, to)
        say(arguments, f"{to}: llama-completion -m {to} --ignore-eos -p …")
        return dict(checkpoint=str(directory), to=str(to), files=[to.name])
    checkpoint.export(directory, to)
    say(arguments, f"exported to {to}; transformers loads it with AutoModelForCausalLM.from_pretrained({str(to)!r})")
    return dict(checkpoint=str(directory), to=str(to), files=sorted(path.name for path in to.iterdir()))


def plot(arguments: argparse.Namespace) -> Result:
    """The losses of a run as the books draw them."""
    from lm import figure

    run = run_dir.find(arguments.runs_dir, arguments.run)
    figure.write(run, Path(arguments.to))
    say(arguments, str(arguments.to))
    return dict(run_dir=str(run.path), to=str(arguments.to))


def doctor(arguments: argparse.Namespace) -> Result:
    """What this machine can do, and what to begin with on it."""
    from lm import doctor as physician

    found = physician.examine(arguments.runs_dir, ask_hub=arguments.network)
    advice = physician.advise(found)
    say(arguments, physician.in_words(found, advice))
    return dataclasses.asdict(found) | dict(advice=dataclasses.asdict(advice))


def recipes(arguments: argparse.Namespace) -> list[Result]:
    """The named settings."""
    for recipe in recipe_book.RECIPES.values():
        say(arguments, _recipe_in_words(recipe) + "\n")
    return [dataclasses.asdict(recipe) for recipe in recipe_book.RECIPES.values()]


def _recipe_in_words(recipe: recipe_book.Recipe) -> str:
    lines = [recipe.title, recipe.about, f"from {recipe.source}; takes {recipe.duration} on two cores"]
    lines += [f"published: {number:,.10g}  {what}" for what, number in recipe.published]
    lines += textwrap.wrap(recipe.differs, 100)
    return "\n".join(f"{recipe.name if n == 0 else '':12} {line}" for n, line in enumerate(lines))


# ---------------------------------------------------------------------------------------------- what they share


def _trained(arguments: argparse.Namespace, run: run_dir.RunDir, **asked: Any) -> Result:
    """Train `run` in as many processes as were asked for, say how it went, and return it."""
    from lm import trainer
    from lm.team import gathered

    with gathered(arguments.processes) as team, ProgressBar(run.name) as progress:
        result = trainer.train(run, on_record=progress.show, say=progress.say, team=team, **asked)
    say(arguments, ending(result))
    return result


def _weights(arguments: argparse.Namespace) -> Path:
    """The folder of the weights to begin from."""
    return find_model(arguments.init_from, arguments.runs_dir, "best")


def _model(arguments: argparse.Namespace) -> Path:
    """The folder of the checkpoint that NAME means."""
    return find_model(arguments.run, arguments.runs_dir, arguments.checkpoint)


def find_model(name: str, runs_dir: Path, which: str) -> Path:
    """A checkpoint of a run or a folder of this machine, else of a repository on the Hub, which is fetched."""
    from lm import checkpoint

    if not (Path(name).exists() or (Path(runs_dir) / name).exists()):
        from lm.commands_hub import fetched, is_on_hub

        if is_on_hub(name):
            return fetched(name)
    return checkpoint.find_sound(name, runs_dir, which, warn)


def _written(
    arguments: argparse.Namespace, config: SampleConfig, pieces: Iterable[Any]
) -> tuple[list[str], float, float]:
    """The texts, and after how many seconds the first token and the last one stood there; printed as they come."""
    is_live = config.num_samples == 1 and not arguments.json
    texts = [arguments.prompt] * config.num_samples
    started, first = time.perf_counter(), None
    if is_live:
        print(arguments.prompt, end="", flush=True)
    for piece in pieces:
        first = first or time.perf_counter() - started
        texts[piece.sample] += piece.text
        if is_live:
            print(piece.text, end="", flush=True)
    seconds = time.perf_counter() - started
    if is_live:
        print()
    elif not arguments.json:
        print("\n\n".join(f"--- seed {config.seed + i}\n{text}" for i, text in enumerate(texts)))
    return texts, first or seconds, seconds


def _to_cut(arguments: argparse.Namespace) -> tuple[Any, str]:
    """The run's tokenizer, or one made for the text; and the text that was given, or that of the files."""
    from lm import checkpoint
    from lm.tokenizer import load_tokenizer, make_tokenizer

    config = DataConfig(**picked(DataConfig, vars(arguments)))
    check(config)
    with tempfile.TemporaryDirectory() as scratch:
        sources = [source(name) for name in arguments.data] if arguments.data else [Path(scratch) / "text.txt"]
        if not arguments.data:
            sources[0].write_text(arguments.text, encoding="utf-8", errors="replace")
        corpus = read_corpus(sources, Path(scratch) / "clean.txt", aozora=config.aozora, column=config.column)
        if arguments.run:
            tokenizer = load_tokenizer(checkpoint.find_checkpoint(arguments.run, arguments.runs_dir))
        else:
            tokenizer = make_tokenizer(config, corpus)
        return tokenizer, corpus.path.read_text(encoding="utf-8") if arguments.text is None else arguments.text


def _held_out_tokens(checkpoint: Path) -> Path:
    """val.bin of the run that the checkpoint belongs to."""
    tokens = run_dir.RunDir(checkpoint.parent).val_tokens
    if not tokens.exists():
        raise CorpusError(f"{checkpoint} has no held-out text beside it; name a text with --data FILE")
    return tokens


def _encode_files(arguments: argparse.Namespace, tokenizer: Any) -> tuple[Any, list[str]]:
    """The token ids of the files and the characters that the vocabulary lacks."""
    with tempfile.TemporaryDirectory() as scratch:
        sources = [source(name) for name in arguments.data]
        corpus = read_corpus(sources, Path(scratch) / "clean.txt")
        text = corpus.path.read_text(encoding="utf-8")
    unknown = tokenizer.unknown(text)
    if unknown and tokenizer.unk_id is None:
        raise TokenizerError(f"the tokenizer cannot read {unknown[:5]}; measure it on a text of its own script")
    return tokenizer.encode(text), unknown
