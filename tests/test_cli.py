"""The command line, as a person and as a program use it: real files, one JSON value, one readable line when it fails.

Commands run in this process, where torch is loaded already; trainings that are stopped or killed, and what must hold of
a fresh process, have processes of their own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from runs import write_text

from lm import launch, run_dir
from lm.__main__ import build_parser, main

ROOT = Path(__file__).parent.parent
TINY = "--block-size 16 --n-layer 1 --n-head 2 --n-embd 16 --batch-size 4 --threads 1 --precision float32".split()
BRIEF = [*TINY, "--steps", "6", "--eval-interval", "3", "--sample-tokens", "8"]
TRAIN_KEYS = {
    "run_dir", "steps", "elapsed_seconds", "tokens_per_second", "parameters", "rollbacks", "train_loss", "val_loss", "val_perplexity",
    "val_bits_per_byte", "best_step", "best_val_loss", "state",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text and one trained run in it."""
    folder = tmp_path_factory.mktemp("desk")
    write_text(folder / "fox.txt")
    assert lm(folder, "train", "--data", "fox.txt", "--name", "fox", *BRIEF).returncode == 0
    return folder


def lm(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Run `lm WORDS` in `folder`."""
    out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words)
    finally:
        os.chdir(before)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def process(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """The same in a process of its own, as a shell runs it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-m", "lm", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        encoding="utf-8",
    )  # fmt: skip


def answer(folder: Path, *words: str) -> Any:
    """The one JSON value that a command prints."""
    done = lm(folder, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(folder: Path, *words: str) -> str:
    """The readable line that a command ends with."""
    done = lm(folder, *words)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr and done.stdout == ""
    return done.stderr


def test_train_ends_with_the_memos_line(folder: Path) -> None:
    done = lm(folder, "train", "--data", "fox.txt", "--name", "line", *BRIEF)
    last = done.stdout.splitlines()[-1]
    for word in ("[Finished]", "steps=6", "final_loss=", "elapsed=", "val_loss=", "val_ppl=", "val_bpb="):
        assert word in last


def test_train_as_json_is_one_object_with_the_promised_keys(folder: Path) -> None:
    done = process(folder, "train", "--data", "fox.txt", "--name", "json", *BRIEF, "--json")
    result = json.loads(done.stdout)
    assert set(result) == TRAIN_KEYS and result["steps"] == 6 and result["state"] == "finished"
    assert result["val_bits_per_byte"] == pytest.approx(result["val_loss"] / 0.6931, rel=1e-3)


def test_a_run_without_a_name_gets_one_from_its_file(folder: Path) -> None:
    first = answer(folder, "train", "--data", "fox.txt", *BRIEF)
    second = answer(folder, "train", "--data", "fox.txt", *BRIEF)
    assert Path(first["run_dir"]).name == "fox-quickstart" and Path(second["run_dir"]).name == "fox-quickstart-2"


def test_runs_are_listed(folder: Path) -> None:
    listed = answer(folder, "runs")
    [fox] = [run for run in listed if run["name"] == "fox"]
    assert fox["state"] == "finished" and fox["step"] == 6 and fox["best_val_bits_per_byte"] > 0
    assert "fox" in lm(folder, "runs").stdout


@pytest.mark.parametrize("place", ["fox", "runs/fox", "runs/fox/best", "exported"])
def test_a_checkpoint_is_found_by_name_by_path_and_as_an_exported_folder(folder: Path, place: str) -> None:
    if place == "exported" and not (folder / place).exists():
        assert "config.json" in answer(folder, "export", "fox", "--to", place)["files"]
    measured = answer(folder, "eval", place, "--data", "fox.txt")
    assert measured["tokens"] == 3999 and 0 < measured["bits_per_byte"] == pytest.approx(measured["bits_per_character"])
    written = answer(folder, "generate", place, "--prompt", "The", "--max-new-tokens", "5")
    assert len(written["samples"][0]["text"]) == len("The") + 5


def test_eval_repeats_what_the_run_measured(folder: Path) -> None:
    measured = answer(folder, "eval", "fox", "--checkpoint", "last", "--eval-windows", "128")
    [fox] = [run for run in answer(folder, "runs") if run["name"] == "fox"]
    records, _ = run_dir.read_metrics(folder / "runs" / "fox")
    assert measured["loss"] == pytest.approx(records[-1]["val_loss"], abs=1e-6)
    assert fox["best_val_loss"] <= records[-1]["val_loss"]


def test_generate_is_the_same_for_the_same_seed_and_each_sample_can_be_had_alone(folder: Path) -> None:
    three = answer(folder, "generate", "fox", "--prompt", "The fox", "--num-samples", "3", "--seed", "5")["samples"]
    assert [sample["seed"] for sample in three] == [5, 6, 7] and len({sample["text"] for sample in three}) == 3
    alone = answer(folder, "generate", "fox", "--prompt", "The fox", "--seed", "6")
    assert alone["samples"] == [three[1]]
    assert alone["tokens_per_second"] > 0 and alone["first_token_seconds"] > 0


def test_a_character_outside_the_vocabulary_is_reported_and_never_a_crash(folder: Path) -> None:
    done = lm(folder, "generate", "fox", "--prompt", "The 狐 and 🦊", "--max-new-tokens", "4")
    assert done.returncode == 0 and "狐" in done.stderr and "🦊" in done.stderr
    assert done.stdout.startswith("The 狐 and 🦊")


def test_resume_of_a_finished_run_asks_for_a_length_and_takes_it(folder: Path) -> None:
    answer(folder, "train", "--data", "fox.txt", "--name", "longer", *BRIEF)
    assert "--steps" in refusal(folder, "resume", "longer")
    assert answer(folder, "resume", "longer", "--steps", "9")["steps"] == 9


def test_stop_ends_a_launched_run_and_resume_finishes_it(folder: Path) -> None:
    words = ["--data", str(folder / "fox.txt"), *TINY, "--steps", "4000", "--eval-interval", "2000"]
    run = launch.start(folder / "runs", "stopped", words)
    while run_dir.read_status(run).step < 5:
        assert run_dir.state(run) in run_dir.ACTIVE_STATES, run.log.read_text(encoding="utf-8")
        time.sleep(0.02)
    assert "another process" in refusal(folder, "resume", "stopped")
    ended = answer(folder, "stop", "stopped")
    assert ended["state"] == "stopped" and 5 <= ended["steps"] < 4000
    assert answer(folder, "resume", "stopped", "--steps", str(ended["steps"] + 2))["steps"] == ended["steps"] + 2
    assert answer(folder, "stop", "stopped")["state"] == "finished"  # nothing to stop is no error


@pytest.mark.parametrize("command", ["train", "fork"])
def test_a_stop_that_comes_before_the_trainer_has_begun_is_heard(folder: Path, command: str) -> None:
    words, begun = {
        "train": (["--data", str(folder / "fox.txt"), *TINY], ("train",)),
        "fork": ([], ("fork", str(folder / "runs" / "fox"))),
    }[command]
    run = launch.start(folder / "runs", f"early-{command}", [*words, "--steps", "4000"], begun)
    launch.stop(run)
    while run_dir.state(run) in run_dir.ACTIVE_STATES:
        time.sleep(0.02)
    assert run_dir.state(run) == "stopped", run_dir.last_words(run)
    assert run_dir.read_status(run).step == 1


def test_a_killed_run_is_shown_as_dead_and_can_be_resumed(folder: Path) -> None:
    words = ["--data", str(folder / "fox.txt"), *TINY, "--steps", "4000", "--checkpoint-interval", "5"]
    run = launch.start(folder / "runs", "killed", words)
    while run_dir.read_status(run).step < 12:
        assert run_dir.state(run) in run_dir.ACTIVE_STATES, run.log.read_text(encoding="utf-8")
        time.sleep(0.02)
    assert launch.kill(run)
    while run_dir.is_owned(run):
        time.sleep(0.02)
    assert {r["name"]: r["state"] for r in answer(folder, "runs")}["killed"] == "dead"
    assert not launch.kill(run)
    assert answer(folder, "resume", "killed", "--steps", "4")["steps"] >= 5


def test_tokenize_shows_the_pieces(folder: Path) -> None:
    cut = answer(folder, "tokenize", "--data", "fox.txt", "--tokenizer", "bpe", "--vocab-size", "300")
    assert cut["vocab_size"] <= 300 and cut["tokens"] == len(cut["ids"]) < 4000
    assert answer(folder, "tokenize", "The fox", "--run", "fox")["tokens"] == 7


def test_recipes_are_listed(folder: Path) -> None:
    assert {"quickstart", "chapter19", "llm0"} <= {recipe["name"] for recipe in answer(folder, "recipes")}


def test_a_taken_name_is_refused_and_the_old_run_is_untouched(folder: Path) -> None:
    before = (folder / "runs" / "fox" / "metrics.jsonl").read_bytes()
    assert "already exists" in refusal(folder, "train", "--data", "fox.txt", "--name", "fox", *BRIEF)
    assert (folder / "runs" / "fox" / "metrics.jsonl").read_bytes() == before


BAD_FILES = {
    "empty.txt": b"",
    "picture.txt": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 8,
    "ten.txt": b"ten bytes.",
    "blank.txt": b" \n\t\n  \n" * 50,
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_trained_on_is_one_line_and_leaves_nothing(folder: Path, name: str) -> None:
    (folder / name).write_bytes(BAD_FILES[name])
    lines = refusal(folder, "train", "--data", name, "--name", "bad", *BRIEF).splitlines()
    assert lines[-1].startswith("lm: ") and not any(line.startswith(" ") for line in lines)
    assert not (folder / "runs" / "bad").exists()


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (["--n-embd", "130", "--n-head", "4"], "128"),
        (["--block-size", "9000"], "block_size"),
        (["--n-layr", "2"], "--n-layer"),
        (["--steps", "many"], "not a number"),
        (["--lr", "nan"], "finite"),
        (["--recipe", "slowstart"], "quickstart"),
        (["--name", "../up"], "for example"),
        (["--tokenizer", "words"], "char"),
    ],
)
def test_a_setting_that_cannot_work_is_one_line_with_the_cure(folder: Path, words: list[str], cure: str) -> None:
    line = refusal(folder, "train", "--data", "fox.txt", "--name", "bad", *BRIEF, *words)
    assert cure in line and not (folder / "runs" / "bad").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "nobody"],
        ["eval", "nobody"],
        ["resume", "nobody"],
        ["stop", "nobody"],
        ["export", "nobody", "--to", "x"],
    ],
)
def test_an_unknown_run_is_one_line(folder: Path, words: list[str]) -> None:
    assert "nobody" in refusal(folder, *words)


def test_an_error_as_json_is_still_one_object(folder: Path) -> None:
    done = lm(folder, "eval", "nobody", "--json")
    assert done.returncode == 2 and "nobody" in json.loads(done.stdout)["error"]


def test_debug_shows_the_traceback(folder: Path) -> None:
    done = process(folder, "eval", "nobody", "--debug")
    assert done.returncode != 0 and "Traceback" in done.stderr


def test_help_answers_without_loading_torch(folder: Path) -> None:
    code = "import sys; from lm.__main__ import main\ntry: main(['train', '--help'])\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "assert 'torch' not in sys.modules"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "--label-smoothing" in done.stdout


def test_a_prompt_of_two_dashes_is_a_prompt() -> None:
    assert build_parser().parse_args(["generate", "fox", "--prompt=--"]).prompt == "--"


def test_a_command_that_is_done_leaves_at_once_and_leaves_nothing_out(tmp_path: Path) -> None:
    """Python takes a second to take PyTorch apart; what was said and what was left for the end must not be lost by it."""
    code = (
        "import atexit, sys, time, torch, torch._dynamo, lm.__main__ as lm\n"
        "atexit.register(print, 'one thing more')\n"
        f"sys.argv = ['lm', 'runs', '--runs-dir', {str(tmp_path)!r}, '--json']\n"
        "lm.run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stdout.splitlines() == ["[]", "one thing more"]
    code = code.replace("'runs'", "'nonsense'")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT).returncode == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_command_whose_words_find_no_room_says_so_by_its_exit_code(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "lm", "runs", "--runs-dir", str(tmp_path), "--json"]
        assert subprocess.run(command, stdout=full, stderr=subprocess.DEVNULL, cwd=ROOT).returncode != 0
