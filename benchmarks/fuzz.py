"""Hostile bytes for every reader and every command: words each time, never a traceback, never a hang, bounded memory.

    python benchmarks/fuzz.py                 # 3,000 cases
    python benchmarks/fuzz.py --cases 20000 --seed 7

A case is a file that somebody could hand over: a text, table, record or page made to confuse its reader; a checkpoint,
tokenizer, run directory or settings file with bytes flipped, cut, swapped or replaced by what JSON allows and nobody
expects; a runs directory with such a run in it, which the page shows all the same, its other runs too; a link with
settings; what a shared machine wrote down of its visitors; or a command line of such words. It passes if the reader returns or raises an `LMError`, a command ends with a
known exit code and no traceback, and neither takes longer than `MOST_SECONDS`. The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from lm import card, checkpoint, figure, prepare, report, run_dir, settings_file, trainer
from lm.__main__ import main as command
from lm.config import DataConfig, ModelConfig, TrainConfig
from lm.corpus import read_corpus
from lm.errors import LMError
from lm.prepare import Request
from lm.run_dir import RunDir
from lm.tokenizer import load_tokenizer
from playground import elsewhere
from playground.app import WATCHER
from playground.queue import Entry, TrainingQueue
from playground.tabs import compare
from playground.workspace import Workspace
from playground.workspaces import Workspaces

MOST_SECONDS = 10.0  # a hang, on any machine: the slowest honest case takes a tenth of a second
SUFFIXES = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".html", ".xhtml", ".md", "")
AWKWARD = ["", "\0", "\ud800", "\u202e", "\ufeff", "🎉", "が", "<img src=x onerror=alert(1)>", "../../etc/passwd", "%s%n",
           "CON", "x" * 400, "-", "--", "=", "{}", "[]", "\r\n", "1e999", "nan", "-1", "0", str(2**70), "٣", "1_0"]  # fmt: skip
SEEDS = ["[", "]", "{", "}", '"', ",", "\n", "\r", "\t", ":", "<", ">", "<!--", "<a b='", "<svg>", "</p>", "&#x110000;", "&",
         "《", "》", "｜", "※［＃", "］", "［＃「", "1-1-1", "底本：", "-" * 12, "U+D800", "\\u", "\\ud800", "\0", "a", "1",
         "null", "NaN", "-----", "【テキスト中に現れる記号について】", "\x1b$B", "\ufeff", "\ufffd", " "]  # fmt: skip
BYTES = [b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x00\x00\xfe\xff", b"\x1b$B", b"\x82\xa0", b"\x80", b"\xed\xa0\x80",
         b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\0" * 9, b"%PDF-", b"\x1f\x8b"]  # fmt: skip
ODD_VALUES: list[Any] = [None, True, -1, 0, 2**70, 1e308, float("nan"), "", "x", [], {}, [[]], {"a": []}, "\ud800"]
COMMANDS = ("train", "plan", "resume", "fork", "stop", "runs", "eval", "generate", "tokenize", "export", "plot", "push", "pull",
            "space", "recipes", "doctor")  # fmt: skip
OF_A_RUN = ("resume", "fork", "stop", "eval", "generate", "export", "plot", "push")
SHOWN = (
    "config.json",
    "status.json",
    "metrics.jsonl",
    "samples.jsonl",
    "log.txt",
    "best/config.json",
    "tokenizer.json",
)
OWNER = "a" * 40  # a visitor's folder
EXIT_CODES = (0, 1, 2)  # 1: the result is a run that failed
Case = Callable[[], None]


# ---------------------------------------------------------------------------------------------- making cases


def hostile_text(dice: random.Random) -> bytes:
    """The bytes of a file made to confuse: pieces of notation, repeated, in some encoding, with damage."""
    kind = dice.randrange(4)
    if kind == 0:  # one piece many times: what makes a careless pattern slow
        text = dice.choice(SEEDS) * dice.choice([1, 100, 20_000]) + dice.choice(SEEDS)
    elif kind == 1:
        text = "".join(dice.choices(SEEDS, k=dice.randrange(400)))
    else:
        text = "".join(dice.choices([*SEEDS, *AWKWARD, "the fox ", "吾輩は"], k=dice.randrange(200)))
    data = text.encode(dice.choice(["utf-8", "utf-16", "cp932", "utf-32", "euc_jp"]), "replace")
    return mutated(data, dice) if kind == 3 else data


def mutated(data: bytes, dice: random.Random) -> bytes:
    """`data` with some bytes flipped, cut out, doubled or replaced."""
    for _ in range(dice.randint(1, 4)):
        i, j = sorted((dice.randint(0, len(data)), dice.randint(0, len(data))))
        j = min(j, i + 64)
        middle = dice.choice([b"", data[i:j] * 2, dice.choice(BYTES), dice.randbytes(dice.randrange(9))])
        data = data[:i] + middle + data[j if dice.random() < 0.9 else len(data) :]
    return data


def mutated_json(data: bytes, dice: random.Random) -> bytes:
    """A JSON file with one value somewhere in it replaced, dropped or made many."""
    value = json.loads(data)
    place: Any = value
    while isinstance(place, (dict, list)) and place:
        key = dice.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], (dict, list)) or not place[key] or dice.random() < 0.4:
            if dice.random() < 0.2:
                del place[key]
            else:
                place[key] = dice.choice(ODD_VALUES)
            break
        place = place[key]
    return json.dumps(value).encode("utf-8", "replace")


class Cases:
    """Cases over a small trained run, each in a folder of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.dice = Path(folder), random.Random(seed)
        self.run = _trained(self.folder / "seed")
        self.kinds: tuple[tuple[str, Callable[[Path], Case]], ...] = (
            ("corpus", self.corpus), ("tokenizer", self.tokenizer), ("checkpoint", self.checkpoint),
            ("run directory", self.run_directory), ("resume", self.resume), ("command", self.command_line),
            ("settings", self.settings), ("page", self.page), ("told", self.told), ("shared", self.shared),
        )  # fmt: skip

    def draw(self, n: int) -> tuple[str, Case, Path]:
        """The `n`-th case: its kind, what to do, and the folder to remove afterwards."""
        kind, make = self.kinds[n % len(self.kinds)]
        place = self.folder / f"case-{n}"
        place.mkdir()
        return kind, make(place), place

    def corpus(self, place: Path) -> Case:
        source = place / f"file{self.dice.choice(SUFFIXES)}"
        source.write_bytes(hostile_text(self.dice))
        aozora, column = self.dice.choice(["auto", "yes", "no"]), self.dice.choice(["", "", "text", "\0"])
        return lambda: read_corpus([source], place / "clean.txt", aozora=aozora, column=column)

    def tokenizer(self, place: Path) -> Case:
        shutil.copytree(self.run.best, place / "best")
        self._spoil(place / "best" / self.dice.choice(["tokenizer.json", "tokenizer_config.json"]))

        def use() -> None:
            tokenizer = load_tokenizer(place / "best")
            tokenizer.decode(tokenizer.encode("the fox がsings\0"))

        return use

    def checkpoint(self, place: Path) -> Case:
        shutil.copytree(self.run.best, place / "best")
        self._spoil(place / "best" / self.dice.choice(["config.json", "config.json", "model.safetensors"]))
        return lambda: (checkpoint.load_model(place / "best"), checkpoint.facts(place / "best"))

    def run_directory(self, place: Path) -> Case:
        run = RunDir(Path(shutil.copytree(self.run.path, place / "run")))
        self._spoil(run.path / self.dice.choice(["config.json", "status.json", "metrics.jsonl", "samples.jsonl"]))
        return lambda: (
            run_dir.summary(run),
            run_dir.list_runs(place),
            run_dir.read_metrics(run.path),
            prepare.load(run),
        )

    def resume(self, place: Path) -> Case:
        run = RunDir(Path(shutil.copytree(self.run.path, place / "run")))
        names = [
            "config.json",
            "status.json",
            "metrics.jsonl",
            "resume/state.safetensors",
            "train.bin",
            "tokenizer.json",
        ]
        self._spoil(run.path / self.dice.choice(names))
        return self._command(["resume", str(run.path), "--steps", "4"])

    def settings(self, place: Path) -> Case:
        """A file of settings, and a link that carries some."""
        path = place / "x.settings.json"
        path.write_bytes(self.run.config.read_bytes())
        self._spoil(path)
        names = [f.name for kind in (DataConfig, ModelConfig, TrainConfig) for f in fields(kind)]
        given = {self.dice.choice(names): self.dice.choice([*AWKWARD, "3"]) for _ in range(self.dice.randrange(4))}
        link = dict(recipe=self.dice.choice(["quickstart", "quickstart", *AWKWARD])) | given
        return self.dice.choice([lambda: settings_file.read(path), lambda: elsewhere.read_link(link)])

    def page(self, place: Path) -> Case:
        """What the page shows of a runs directory in which one run is not as it should be: the other one is there."""
        runs_dir = place / "runs"
        for name in ("calm", "odd"):
            shutil.copytree(self.run.path, runs_dir / name)
        self._spoil_or_replace(runs_dir / "odd" / self.dice.choice(SHOWN))
        space, language = Workspace(place / "workspace", runs_dir), self.dice.choice(["en", "ja"])

        def look() -> None:
            for run in ("odd", "calm"):
                told = WATCHER.choose(space, run, language)
                assert "calm" in str(told), "a run beside a damaged one is not shown"
            compare.show(space, ["calm", "odd"], {}, language)

        return look

    def told(self, place: Path) -> Case:
        """What others get of a run: its card, its page, its picture."""
        run = RunDir(Path(shutil.copytree(self.run.path, place / "run")))
        self._spoil_or_replace(run.path / self.dice.choice(SHOWN))
        return self.dice.choice(
            [
                lambda: card.card_text(run, "alice/x"),
                lambda: report.write(run, place / "run.html"),
                lambda: figure.loss_png(run),
            ]
        )

    def shared(self, place: Path) -> Case:
        """The notes of a machine that many share, one of them spoilt: who waits, visits, links. All others count."""
        home = place / "visitors" / OWNER
        run = RunDir(Path(shutil.copytree(self.run.path, home / "runs" / "fox")))
        entry = Entry(OWNER, str(run.path.resolve()), ("--steps", "1"), 1.0, time.time())
        notes = {
            place / "queue.json": dict(served={OWNER: 1.0}, entries=[asdict(entry)]),
            home / "seen.json": dict(at=time.time(), is_signed_in=False),
            place / "links" / f"{'x' * 32}.json": dict(visitor=OWNER, run="fox"),
        }
        for path, value in notes.items():
            path.parent.mkdir(exist_ok=True)
            run_dir.write_json(path, value)
        self._spoil_or_replace(self.dice.choice([*notes, home / "runs" / "fox" / "status.json"]))

        def begin() -> None:
            with contextlib.redirect_stderr(io.StringIO()):
                line = TrainingQueue(place / "queue.json", slots=0)
            line.step()
            Workspaces(Workspace(place / "workspace", place / "runs"), place / "visitors", line).clean()
            assert run.path.is_dir(), "a visitor's run is gone"

        return begin

    def command_line(self, place: Path) -> Case:
        (place / "file.txt").write_bytes(hostile_text(self.dice))
        words = [self.dice.choice(COMMANDS)]
        values = [*AWKWARD, str(place / "file.txt"), str(self.run.path), str(place), "tales", "alice/x"]
        flags = ["--name", "--runs-dir", "--data", "--steps", "--lr", "--prompt", "--to", "--json", "--tokenizer", "--run",
                 "--temperature", "--vocab-size", "--preview", "--card", "--format", "--checkpoint", "--recipe"]  # fmt: skip
        for _ in range(self.dice.randrange(7)):
            words += self.dice.choices([*flags, *values], k=1)
        if words[0] in OF_A_RUN and self.dice.random() < 0.5:
            words.insert(1, str(self.run.path))
        if words[0] in ("train", "resume", "fork", "plan"):
            words += ["--steps", "1"]
        if words[0] in ("train", "plan"):
            words += ["--block-size", "8", "--n-layer", "1", "--sample-tokens", "0"]
        if words[0] == "doctor":
            words.insert(1, "--no-network")
        if "--runs-dir" not in words:
            words += ["--runs-dir", str(place)]
        return self._command(words, place)

    def _command(self, words: Sequence[str], place: Path | None = None) -> Case:
        def run() -> None:
            before = os.getcwd()
            if place is not None:
                os.chdir(place)  # `--to x` and `--runs-dir ../y` stay below the case's folder
            try:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as told:
                    code = command(words)
            except SystemExit as end:  # --help
                code = end.code or 0
            finally:
                os.chdir(before)
            assert code in EXIT_CODES, f"exit code {code} of {words}"
            assert "Traceback" not in told.getvalue(), told.getvalue()[-2000:]

        return run

    def _spoil_or_replace(self, path: Path) -> None:
        """Spoil a file, or put there what is none: nothing, a folder, a link to elsewhere, a pipe that nobody fills."""
        if self.dice.random() < 0.8:
            return self._spoil(path)
        path.unlink()
        kind = self.dice.choice(["nothing", "folder", "link", "loop", *["pipe"] * hasattr(os, "mkfifo")])
        if kind == "folder":
            path.mkdir()
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind != "nothing":
            with contextlib.suppress(OSError):  # Windows lets only some make links
                path.symlink_to(path if kind == "loop" else Path(__file__))

    def _spoil(self, path: Path) -> None:
        data = path.read_bytes()
        if path.suffix == ".json" and self.dice.random() < 0.7:
            path.write_bytes(mutated_json(data, self.dice))
        else:
            path.write_bytes(mutated(data, self.dice))


def _trained(folder: Path) -> RunDir:
    folder.mkdir(parents=True)
    (folder / "fox.txt").write_text("The fox sees a lamp.\nIt sings softly.\n" * 40, encoding="utf-8")
    run = run_dir.create(folder / "runs", "fox")
    run.log.write_text("training fox\n", encoding="utf-8")
    model = ModelConfig(block_size=8, n_layer=1, n_head=1, n_embd=8)
    config = TrainConfig(steps=3, batch_size=2, eval_windows=4, sample_tokens=4, threads=1, precision="float32")
    trainer.train(run, Request((folder / "fox.txt",), "quickstart", DataConfig(), model, config))
    return run


# ---------------------------------------------------------------------------------------------- judging them


def judge(case: Case) -> tuple[str, str]:
    """(verdict, words): read, refused, or what is a fault: traceback, hang."""
    started = time.perf_counter()
    try:
        case()
        verdict, words = "read", ""
    except LMError as error:
        verdict, words = ("refused", "") if str(error).strip() else ("traceback", "an error without words")
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what this looks for
        if isinstance(error, KeyboardInterrupt):
            raise
        verdict, words = "traceback", traceback.format_exc()
    seconds = time.perf_counter() - started
    return ("hang", f"{seconds:.0f} s") if seconds > MOST_SECONDS else (verdict, words)


def tell(words: str) -> None:
    print(words.encode("ascii", "backslashreplace").decode("ascii"), flush=True)


def fuzz(folder: Path, n_cases: int, seed: int, report: Callable[[str], None] = tell) -> dict[str, Any]:
    """Judge `n_cases`; every fault is reported as it is found."""
    cases, counted, slowest = Cases(folder, seed), Counter(), 0.0
    faults: list[str] = []
    for n in range(n_cases):
        kind, case, place = cases.draw(n)
        started = time.perf_counter()
        verdict, words = judge(case)
        slowest = max(slowest, time.perf_counter() - started)
        counted[verdict] += 1
        if verdict in ("traceback", "hang"):
            faults.append(f"case {n} ({kind}): {verdict}")
            report(f"case {n} ({kind}), {verdict}: {words}")
        shutil.rmtree(place, ignore_errors=True)
    return dict(cases=n_cases, seed=seed, **counted, faults=faults[:20], slowest_seconds=round(slowest, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1337)
    arguments = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"  # no request leaves the machine
    with tempfile.TemporaryDirectory() as folder:
        result = fuzz(Path(folder), arguments.cases, arguments.seed)
    result["machine"] = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    if sys.platform != "win32":
        import resource

        result["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    for name, value in result.items():
        print(f"{name:20} {value}")
    print(json.dumps(result))
    sys.exit(bool(result["faults"]))


if __name__ == "__main__":
    main()
