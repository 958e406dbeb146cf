"""Text in, tokens out: how fast characters are encoded, byte pairs learnt, and a gigabyte becomes tokens on disk.

    python benchmarks/text.py [--text FILE] [--rounds 5] [--learn-megabytes 100] [--encode-megabytes 1000]

Large texts are the given one (Tiny Shakespeare), its lines shuffled anew again and again. The peer of the character
encoder is the list comprehension of nanoGPT's `prepare.py`; both must give the same ids. A gigabyte is encoded in a
process of its own, which reports its peak memory and how many cores it kept busy; its floor is as many zeros written
to the same disk, before (which also makes a virtual machine's host hand out the memory) and after.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lm import texts
from lm.batches import write_tokens
from lm.config import DataConfig
from lm.corpus import Corpus, read_corpus
from lm.tokenizer import CharTokenizer, learn, load_tokenizer, make_tokenizer
from sidebyside import Spread, finish, ratio, table, take_turns

VOCABULARY, VAL_FRACTION, MEGABYTE = 4096, 0.1, 10**6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, help="the text [Tiny Shakespeare]")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant [5]")
    parser.add_argument("--learn-megabytes", type=int, default=100, help="0 leaves it out [100]")
    parser.add_argument("--encode-megabytes", type=int, default=1000, help="0 leaves it out [1000]")
    parser.add_argument("--encode", nargs=2, metavar=("TEXT", "TOKENIZER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.encode:
        print(json.dumps(encode(*map(Path, arguments.encode))))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(arguments.text or texts.locate("tinyshakespeare"), Path(scratch), arguments)
    print(table(("what", "measured"), list(found.items())))
    finish("text", found=found)
    return 0


def measure(source: Path, scratch: Path, arguments: argparse.Namespace) -> dict:
    corpus = read_corpus([source], scratch / "clean.txt")
    text = corpus.path.read_text(encoding="utf-8")
    found = character_speeds(text, arguments.rounds)
    learning = take_turns({"learn": lambda: seconds(lambda: learn(corpus, VOCABULARY))}, arguments.rounds)
    found["BPE learnt from the text, seconds"] = Spread.of(learning["learn"])
    if size := arguments.learn_megabytes:
        large = read_corpus([enlarged(text, size, scratch)], scratch / "clean-large.txt")
        found[f"BPE learnt from {size} MB, seconds"] = round(seconds(lambda: learn(large, VOCABULARY)), 1)
    if size := arguments.encode_megabytes:
        large_file = enlarged(text, size, scratch)
        for kind in ("char", "bpe"):
            make_tokenizer(DataConfig(tokenizer=kind, vocab_size=VOCABULARY), corpus).save(scratch)
            command = [sys.executable, __file__, "--encode", str(large_file), str(scratch)]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[f"{size} MB → tokens on disk, {kind}"] = json.loads(said)
    return found


def character_speeds(text: str, rounds: int) -> dict:
    """Megabytes of UTF-8 a second, ours and nanoGPT's way."""
    tokenizer, size = CharTokenizer(text), len(text.encode("utf-8")) / MEGABYTE
    table_of = {character: i for i, character in enumerate(sorted(set(text)))}
    assert tokenizer.encode(text).tolist() == [table_of[c] for c in text]
    speeds = take_turns(
        {
            "ours": lambda: size / seconds(lambda: tokenizer.encode(text)),
            "theirs": lambda: size / seconds(lambda: [table_of[c] for c in text]),
        },
        rounds,
    )
    return {
        "characters encoded, MB/s": Spread.of(speeds["ours"]),
        "by a list comprehension, MB/s": Spread.of(speeds["theirs"]),
        "ratio": ratio(speeds["ours"], speeds["theirs"]),
    }


def enlarged(text: str, megabytes: int, scratch: Path) -> Path:
    """A file of so many megabytes: the lines of the text, in another order each time."""
    lines, path, generator = text.splitlines(keepends=True), scratch / f"{megabytes}MB.txt", random.Random(0)
    with open(path, "w", encoding="utf-8", newline="") as file:
        while file.tell() < megabytes * MEGABYTE:
            generator.shuffle(lines)
            file.write("".join(lines))
    return path


def encode(source: Path, tokenizer: Path) -> dict:
    """Read, encode and write the whole text as `lm train` does, in this process."""
    folder, size = source.parent, source.stat().st_size
    before = seconds(lambda: write_zeros(folder / "zeros.bin", 2 * size))
    started, cores = time.perf_counter(), time.process_time()
    corpus: Corpus = read_corpus([source], folder / "clean-encoded.txt")
    read, cores_reading = time.perf_counter() - started, time.process_time() - cores
    started, cores = time.perf_counter(), time.process_time()
    n_train, n_val = write_tokens(
        corpus, load_tokenizer(tokenizer), VAL_FRACTION, folder / "train.bin", folder / "val.bin"
    )
    wall, cores = time.perf_counter() - started, time.process_time() - cores
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    after = seconds(lambda: write_zeros(folder / "zeros.bin", (n_train + n_val) * 2))
    return dict(
        tokens=n_train + n_val,
        read_seconds=round(read, 1),
        read_cores_busy=round(cores_reading / read, 2),
        encode_seconds=round(wall, 1),
        encode_megabytes_per_second=round(size / MEGABYTE / wall, 1),
        cores_busy=round(cores / wall, 2),
        zeros_written_seconds=[round(before, 1), round(after, 1)],
        peak_megabytes=round(peak / MEGABYTE),
    )


def write_zeros(path: Path, size: int) -> None:
    """A file of so many bytes on the disk, and away again."""
    block = bytes(1 << 18)
    with open(path, "wb") as file:
        for _ in range(size // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
