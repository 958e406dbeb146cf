"""`python -m lm …`, also installed as `lm`: flags in, one command out.

Flags are made from the fields of `lm.config`, the same that make the playground's widgets. argparse, because it answers
`--help` before anything else could have been imported. What the commands do stands in `lm.commands`, which is imported
only when one of them runs: torch takes a second to load.

With `--json` a command prints exactly one JSON value on stdout and everything else on stderr. A user's mistake is one
readable line and exit code 2; the traceback comes with `--debug`.
"""

from __future__ import annotations

import argparse
import atexit
import dataclasses
import difflib
import json
import math
import os
import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from lm.config import RESUME_SETTINGS, DataConfig, ModelConfig, SampleConfig, TrainConfig
from lm.errors import LMError
from lm.files import MOST_FETCHED_GIGABYTES, MOST_JSON_BYTES, SPARED_GIGABYTES, refusal
from lm.settings import settings
from lm.threads import set_up_threads

USER_ERROR, BUG, INTERRUPTED = 2, 1, 130
NETWORK_COMMANDS = ("push", "pull", "space")
PANELS = ("surprise", "next", "attention", "embeddings", "tokens", "pairs")  # of `lm look`, as in lm.commands_look


class UsageError(LMError):
    kind = "usage"


class Parser(argparse.ArgumentParser):
    """argparse that says one line, knows no abbreviations, and guesses what an unknown flag was meant to be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")

    def parse_args(self, args=None, namespace=None):  # noqa: ANN001, ANN201 - argparse's own signature
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = _flags_of(self, getattr(parsed, "command", None))
            meant = difflib.get_close_matches(unknown[0].split("=")[0], known, n=1)
            raise UsageError(f"unknown argument {unknown[0]!r}" + (f"; did you mean {meant[0]}?" if meant else ""))
        for name, value in vars(parsed).items():
            if value == []:  # `--prompt=--`: up to Python 3.12 argparse takes this value for a sign to itself
                setattr(parsed, name, "--")
        return parsed


def run() -> NoReturn:
    """The process of a command: `main`, then its end at once.

    Python would be taken apart piece by piece, for a second once PyTorch is loaded, when nothing is left to do.
    """
    code = main()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        sys.exit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - as multiprocessing ends its processes
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):  # nobody reads any more, or there is no room: Python has an exit code for it
        sys.exit(code)
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    set_up_threads()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console in another code page must not stop a Japanese sample
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        arguments = build_parser().parse_args(words)
        return _run(arguments)
    except BrokenPipeError:  # `lm runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (LMError, OSError) as error:
        if "--debug" in words:
            raise
        said = error if isinstance(error, LMError) else refusal(error)
        print(f"lm: {said}", file=sys.stderr)
        if "--json" in words:
            _print_json(dict(error=str(said), error_kind=said.kind))
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command in NETWORK_COMMANDS:
        from lm import commands_hub as commands
    elif arguments.command == "plan":
        from lm import commands_plan as commands
    elif arguments.command == "look":
        from lm import commands_look as commands
    else:
        from lm import commands
    if _is_follower() and arguments.command in ("train", "resume", "fork"):
        from lm import follow

        return follow.main()
    result = getattr(commands, arguments.command)(arguments)
    if arguments.json:
        _print_json(result)
    is_failed = isinstance(result, dict) and result.get("state") == "failed"
    return BUG if is_failed else 0


def _is_follower() -> bool:
    """Whether torchrun started this process to follow its first one, which alone speaks and writes."""
    return int(os.environ.get("RANK", 0)) > 0


def _print_json(value: Any) -> None:
    print(json.dumps(_finite(value), ensure_ascii=False, allow_nan=False), flush=True)


def _finite(value: Any) -> Any:
    """`value` with not-a-number as null, for JSON has none."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# ---------------------------------------------------------------------------------------------- the parser


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = Parser(prog="lm", description="Train a GPT on your own text, generate with it, measure it, share it.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    _add_training(commands)
    _add_using(commands)
    _add_showing(commands)
    _add_sharing(commands)
    return parser


def _add_training(commands: Any) -> None:
    """The commands that begin, continue and end a training."""
    train = _add(commands, "train", "train a model on one or more text files")
    train.add_argument(
        "--data", nargs="+", required=True, metavar="FILE", help="text files, or the name of a sample text"
    )
    train.add_argument("--name", help="what to call the run; by default it is made from the file's name")
    _add_reserved(train)
    _add_beginnings(train)
    train.add_argument(
        "--init-from",
        metavar="NAME",
        help="fine-tune: begin from the weights and tokenizer of a run, a folder, or a model on the Hub: gpt2, user/repo",
    )
    _add_processes(train)
    _add_settings(train, DataConfig, ModelConfig, TrainConfig)

    plan = _add(commands, "plan", "say what a training would come to on this machine, without starting it")
    plan.add_argument("--data", nargs="+", required=True, metavar="FILE", help="as for train")
    _add_beginnings(plan)
    _add_settings(plan, DataConfig, ModelConfig, TrainConfig)

    resume = _add(commands, "resume", "go on with a run that was stopped, failed or killed", run=True)
    _add_processes(resume)
    _add_settings(resume, TrainConfig, only=RESUME_SETTINGS)

    fork = _add(commands, "fork", "branch off a run: the same text and settings, but for those you give", run=True)
    fork.add_argument("--name", help="what to call the branch; by default NAME-fork")
    _add_reserved(fork)
    fork.add_argument(
        "--checkpoint", choices=("best", "last", "none"), default="best", help="the weights to begin from; none: fresh"
    )
    _add_processes(fork)
    _add_settings(fork, ModelConfig, TrainConfig)

    stop = _add(commands, "stop", "end a running training after its current step; everything is saved", run=True)
    stop.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="how long to wait for its end")


def _add_using(commands: Any) -> None:
    """The commands that do something with a model or its tokenizer."""
    evaluate = _add(commands, "eval", "measure a checkpoint on its held-out text, or on any other", model=True)
    evaluate.add_argument("--data", nargs="+", metavar="FILE", help="another text to measure it on")
    evaluate.add_argument(
        "--batch-size", type=_whole, default=16, metavar="N", help="changes the speed, not the result"
    )
    _add_settings(evaluate, TrainConfig, only=("eval_windows", "device"))
    _add_checkpoint_choice(evaluate)

    generate = _add(commands, "generate", "let a checkpoint write", model=True)
    generate.add_argument("--prompt", default="", help="the text to go on from")
    _add_settings(generate, SampleConfig)
    _add_settings(generate, TrainConfig, only=("device",))
    _add_checkpoint_choice(generate)

    look = _add(commands, "look", "look inside: what a checkpoint makes of a text", model=True)
    look.add_argument("text", help="the text, in quotes")
    look.add_argument("--panel", choices=PANELS, default=PANELS[0], help="what to look at (default: %(default)s)")
    _add_checkpoint_choice(look)

    tokenize = _add(commands, "tokenize", "show how a text is cut into tokens")
    tokenize.add_argument("text", nargs="?", help="the text; read from --data when left out")
    tokenize.add_argument("--run", metavar="NAME", help="use the tokenizer of this run")
    tokenize.add_argument("--data", nargs="+", metavar="FILE", help="text files: what to cut, and what bpe learns from")
    _add_settings(tokenize, DataConfig, only=("tokenizer", "vocab_size", "keep_ids", "aozora", "column"))


def _add_showing(commands: Any) -> None:
    """The commands that list, draw and hand out what there is."""
    _add(commands, "runs", "list the runs, the newest first")
    _add(commands, "recipes", "list the named settings")
    export = _add(
        commands,
        "export",
        "write a checkpoint as others read it: for transformers, llama.cpp, or a browser",
        model=True,
    )
    export.add_argument(
        "--to", required=True, metavar="PATH", help="the folder (transformers) or file (gguf, html) to make"
    )
    export.add_argument(
        "--format", choices=("transformers", "gguf", "html"), default="transformers",
        help="transformers: a folder. gguf: a file for llama.cpp (gpt2 with byte pairs). html: a report of the run",
    )  # fmt: skip
    export.add_argument("--language", choices=("en", "ja"), default="en", help="of the report: English or Japanese")
    _add_checkpoint_choice(export)

    plot = _add(commands, "plot", "draw the losses of a run over its epochs and tokens, as the books do", run=True)
    plot.add_argument("--to", required=True, metavar="FILE", help="a .png, .svg or .pdf to make")

    doctor = _add(commands, "doctor", "say what this machine can do, and what to begin with on it")
    doctor.add_argument(
        "--network", action=argparse.BooleanOptionalAction, default=True, help="ask whether the Hub can be reached"
    )


def _add_sharing(commands: Any) -> None:
    """The commands that talk to the Hugging Face Hub; the token is that of HF_TOKEN or `hf auth login`."""
    push = _add(commands, "push", "share a run on the Hugging Face Hub", run=True)
    push.add_argument("repo", metavar="USER/REPO", help="the repository to make or to renew")
    push.add_argument(
        "--private", action=argparse.BooleanOptionalAction, help="who may see a new repository; with --resume only you"
    )
    push.add_argument("--with-corpus", action="store_true", help="add the text it was trained on; mind its rights")
    push.add_argument(
        "--resume", action="store_true", help="add what training elsewhere goes on from; holds the text too"
    )
    push.add_argument("--license", default="", metavar="ID", help="the model's licence, for example mit or cc-by-4.0")
    push.add_argument("--language", nargs="+", metavar="CODE", help="the text's languages, for example en or ja")
    push.add_argument("--message", default="", metavar="TEXT", help="what the commit says")
    push.add_argument("--card", type=Path, metavar="FILE", help="a model card of your own; see --preview")
    push.add_argument("--preview", action="store_true", help="print the model card and push nothing")
    _add_checkpoint_choice(push)

    pull = _add(commands, "pull", "fetch a model from the Hub; one of ours becomes a run again")
    pull.add_argument("source", metavar="USER/REPO", help="a repository, or a link to one")
    pull.add_argument("--revision", default="", metavar="REV", help="a branch, a tag or a commit")
    pull.add_argument("--to", metavar="DIR", help="the folder to make; by default it is made where the runs live")
    most = MOST_FETCHED_GIGABYTES
    pull.add_argument(
        "--most-gigabytes", type=_number, default=most, metavar="X", help=f"[{most:g}] refuse to fetch more GB than this"
    )
    pull.epilog = (
        f"The weights must be one file of safetensors, each file of JSON has at most {MOST_JSON_BYTES / 1e6:.0f} MB, "
        f"and {SPARED_GIGABYTES:g} GB of the disk stay free."
    )

    space = _add(commands, "space", "publish a demo Space of a pushed repository")
    space.add_argument("repo", metavar="USER/REPO", help="the pushed repository")
    space.add_argument("--name", default="", metavar="USER/SPACE", help="what to call it; by default USER/REPO-demo")
    space.add_argument("--private", action=argparse.BooleanOptionalAction, help="by default as the repository is")


def _add(commands: Any, name: str, help: str, *, run: bool = False, model: bool = False) -> argparse.ArgumentParser:
    """One command with what all of them share."""
    parser = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    if run or model:
        elsewhere = ", or a model on the Hub, as user/repo" if model else ""
        parser.add_argument("run", metavar="NAME", help=f"a run, a run directory, or an exported folder{elsewhere}")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="where the runs live")
    parser.add_argument("--json", action="store_true", help="print exactly one JSON value on stdout")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _add_beginnings(parser: argparse.ArgumentParser) -> None:
    """Where the settings come from that no flag names; one of these at the most."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--recipe", help="the named settings to start from, [quickstart]; see `lm recipes`")
    where.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="the settings of a file: one the page wrote, or a run's config.json",
    )
    where.add_argument(
        "--best-in",
        type=_number,
        metavar="MINUTES",
        help="choose size and schedule for this text, time and machine; less time where more would teach it by heart",
    )


def _add_processes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--processes",
        type=_whole,
        default=1,
        metavar="N",
        help="share each batch among so many processes; see torchrun",
    )


def _add_reserved(parser: argparse.ArgumentParser) -> None:
    """Not for people: `lm.launch` says with it that the folder of the run is made."""
    parser.add_argument("--reserved", action="store_true", help=argparse.SUPPRESS)


def _add_checkpoint_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint", choices=("best", "last"), default="best", help="of a run: its best weights, or its last"
    )


def _add_settings(parser: argparse.ArgumentParser, *configs: type, only: Sequence[str] = ()) -> None:
    """A flag for every setting of these configurations; one that is not given stays out of the namespace."""
    for config in configs:
        for f in settings(config):
            if not only or f.name in only:
                _add_setting(parser, f)


def _add_setting(parser: argparse.ArgumentParser, f: dataclasses.Field) -> None:
    flag, kind = f"--{f.name.replace('_', '-')}", type(f.default)
    default = f"[{f.default}] " if f.default not in ("", 0) or kind is bool else ""
    words = dict(dest=f.name, default=argparse.SUPPRESS, help=(default + f.metadata["help"]).replace("%", "%%"))
    if kind is bool:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, **words)
    else:
        parser.add_argument(flag, type={int: _whole, float: _number, str: str}[kind], metavar=_metavar(f), **words)


def _metavar(f: dataclasses.Field) -> str:
    kind = {int: "N", float: "X", str: "TEXT"}[type(f.default)]
    return "|".join(filter(None, f.metadata["choices"])) if 0 < len(f.metadata["choices"]) <= 4 else kind


def _whole(word: str) -> int:
    """A whole number as people write it: 2000, 2_000, 2e3."""
    if re.fullmatch(r"[+-]?\d+(_\d+)*", word):
        return int(word)
    value = _number(word)
    if not value.is_integer():
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number")
    return int(value)


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{word!r} is not a finite number")
    return value


def _flags_of(parser: argparse.ArgumentParser, command: str | None) -> list[str]:
    """The flags of a command, by its parser."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to list them
        if isinstance(action, argparse._SubParsersAction) and command in action.choices:  # noqa: SLF001
            parser = action.choices[command]
    return [flag for action in parser._actions for flag in action.option_strings]  # noqa: SLF001


if __name__ == "__main__":
    run()
