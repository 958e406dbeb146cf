"""How good in how much time: our quick start beside nanoGPT's README run on a CPU, on any text.

    python benchmarks/quality.py --nanogpt DIR [--text FILE ...] [--parts theirs fifth same]

Theirs is the command of nanoGPT's README, timed from the start of its process to its last line. Ours is `lm train` with
the quick start's settings in a fifth of that time and in the same time, also from start to end. All three models are
then measured alike: every held-out token predicted once (`lm.evaluate`), the split that of nanoGPT's `prepare.py`. A long
text our quick start cuts into byte pairs, nanoGPT into characters: what compares is the loss of the whole held-out text
over its characters, or its bytes.
What `lm train` needs beside its training (imports, reading, the last evaluation, saving) a short one tells before, so
that the others end when they shall.
With `--seconds S` theirs is not run again but taken to have needed S seconds. `--minutes M` adds a longer run of ours.
"""

from __future__ import annotations

import argparse
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from lm import batches, checkpoint, texts
from lm.corpus import read_corpus
from lm.evaluate import LN2, Evaluation, evaluate
from lm.tokenizer import CharTokenizer, load_tokenizer
from sidebyside import finish, nanogpt, quietly, table

ROOT = Path(__file__).parent.parent
README_RUN = (  # github.com/karpathy/nanoGPT, README, "I only have a macbook"
    "--device=cpu --compile=False --eval_iters=20 --log_interval=1 --block_size=64 --batch_size=12 --n_layer=4 "
    "--n_head=4 --n_embd=128 --max_iters=2000 --lr_decay_iters=2000 --dropout=0.0"
).split()
SHORT_SECONDS = 3.0  # of a training that tells what it takes beside itself
SPARE_SECONDS = 0.3  # by which a later one may take longer
VAL_FRACTION = 0.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--nanogpt", type=Path, required=True, metavar="DIR", help="a clone of nanoGPT")
    parser.add_argument("--text", type=Path, nargs="+", help="texts to train on [Tiny Shakespeare]")
    parser.add_argument("--parts", nargs="+", choices=("theirs", "fifth", "same"), default=["theirs", "fifth", "same"])
    parser.add_argument("--seconds", type=float, help="how long theirs took, when it is not run again")
    parser.add_argument("--minutes", type=float, help="a longer run of ours, too")
    parser.add_argument("--flags", default="", help="more flags for `lm train`, in quotes")
    arguments = parser.parse_args()
    rows = []
    for text in arguments.text or [texts.locate("tinyshakespeare")]:
        rows += compare(text, arguments)
    head = ("text", "who", "seconds", "nats per character", "bits per byte")
    print(table(head, [[row[name] for name in head] for row in rows]))
    finish("quality", runs=rows)
    return 0


def compare(text: Path, arguments: argparse.Namespace) -> list[dict]:
    """The rows of one text."""
    rows, budget = [], arguments.seconds
    with tempfile.TemporaryDirectory() as scratch:
        if "theirs" in arguments.parts:
            budget, measured = train_theirs(text, arguments.nanogpt, Path(scratch))
            rows.append(row(text, "nanoGPT's README run", budget, measured))
        if budget is None:
            sys.exit("give --seconds when theirs is not run")
        lengths = {"fifth": ("ours, a fifth of the time", budget / 5), "same": ("ours, the same time", budget)}
        wanted = [lengths[part] for part in arguments.parts if part != "theirs"]
        if arguments.minutes:
            wanted.append((f"ours, {arguments.minutes:g} minutes", 60 * arguments.minutes))
        flags = arguments.flags.split()
        around = train_ours(text, SHORT_SECONDS, flags, Path(scratch))[0] - SHORT_SECONDS + SPARE_SECONDS
        for who, seconds in wanted:
            took, measured = train_ours(text, seconds - around, flags, Path(scratch))
            rows.append(row(text, who, took, measured))
    return rows


def row(text: Path, who: str, seconds: float, measured: Evaluation) -> dict:
    numbers = {"nats per character": LN2 * measured.bits_per_character, "bits per byte": measured.bits_per_byte}
    return dict(text=text.name, who=who, seconds=round(seconds, 1)) | {k: round(v, 4) for k, v in numbers.items()}


# ---------------------------------------------------------------------------------------------- ours


def train_ours(text: Path, seconds: float, flags: list[str], scratch: Path) -> tuple[float, Evaluation]:
    """`lm train` for so many seconds: those from its start to its last line, and how good its last weights are."""
    runs = Path(tempfile.mkdtemp(dir=scratch))
    minutes = max(SHORT_SECONDS, seconds) / 60
    command = [sys.executable, "-m", "lm", "train", "--data", str(text), "--runs-dir", str(runs), "--name", "ours"]
    command += ["--minutes", f"{minutes:.4f}", "--json", *flags]
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took = time.perf_counter() - start
    model, tokenizer = checkpoint.load_model(runs / "ours" / "last"), load_tokenizer(runs / "ours" / "last")
    tokens = batches.open_tokens(runs / "ours" / "val.bin", model.config.vocab_size)
    return took, on_all(model, tokens, tokenizer, model.config.block_size)


def on_all(model: torch.nn.Module, tokens: np.ndarray, tokenizer: CharTokenizer, block_size: int) -> Evaluation:
    """Every held-out character, predicted once."""
    windows = batches.evaluation_windows(len(tokens), block_size)
    return evaluate(model, tokens, windows, tokenizer.id_sizes(), batch_size=16)


# ---------------------------------------------------------------------------------------------- theirs


class AllScores(torch.nn.Module):
    """nanoGPT's model with the scores of every position, as our evaluator wants them."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        ids = ids.contiguous()  # its loss views them as one row
        return self.model(ids, ids)[0]


def train_theirs(text: Path, directory: Path, scratch: Path) -> tuple[float, Evaluation]:
    """The README's run in a copy of nanoGPT: the seconds it took, and how good its checkpoint is."""
    copy, tokenizer, val = their_copy(directory, text, scratch)
    command = [sys.executable, "train.py", "config/train_shakespeare_char.py", *README_RUN]
    start = time.perf_counter()
    subprocess.run(command, cwd=copy, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took = time.perf_counter() - start
    module = nanogpt(copy)
    saved = torch.load(copy / "out-shakespeare-char" / "ckpt.pt", map_location="cpu", weights_only=True)
    model = quietly(lambda: module.GPT(module.GPTConfig(**saved["model_args"])))
    model.load_state_dict(saved["model"])
    return took, on_all(AllScores(model), val, tokenizer, saved["model_args"]["block_size"])


def their_copy(directory: Path, text: Path, scratch: Path) -> tuple[Path, CharTokenizer, np.ndarray]:
    """A copy of nanoGPT that trains on `text`, and what `write_their_data` gives."""
    copy = scratch / "nanogpt"
    shutil.copytree(directory, copy, ignore=shutil.ignore_patterns(".git", "out*", "assets", "*.ipynb"))
    return copy, *write_their_data(text, copy / "data" / "shakespeare_char", scratch)


def write_their_data(text: Path, folder: Path, scratch: Path) -> tuple[CharTokenizer, np.ndarray]:
    """What nanoGPT's `prepare.py` writes, of the text as we clean it, so that both learn from the same characters."""
    corpus = read_corpus([text], scratch / "clean.txt")
    tokenizer = CharTokenizer(corpus.alphabet)
    ids = tokenizer.encode(corpus.path.read_text(encoding="utf-8")).astype(np.uint16)
    middle = int(len(ids) * (1 - VAL_FRACTION))
    folder.mkdir(parents=True, exist_ok=True)
    ids[:middle].tofile(folder / "train.bin")
    ids[middle:].tofile(folder / "val.bin")
    letters = dict(enumerate(tokenizer.characters))
    meta = dict(vocab_size=len(letters), itos=letters, stoi={c: i for i, c in letters.items()})
    (folder / "meta.pkl").write_bytes(pickle.dumps(meta))
    return tokenizer, ids[middle:]


if __name__ == "__main__":
    sys.exit(main())
