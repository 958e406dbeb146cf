"""Does the time dial beat the fixed quick start? Both train for the same minutes on the same text; last line JSON.

    python benchmarks/dial.py                               # 1 and 5 minutes of Tiny Shakespeare: 12 minutes
    python benchmarks/dial.py --data my.txt --minutes 10
    python benchmarks/dial.py --minutes 5 --sizes           # every size near the dial's choice too: what it rests on

Runs take turns (dial, quick start, dial, …) with the same seed, on a machine that does nothing else. The measure is the
fixed-window evaluator over the whole held-out text, in bits per byte, of the best checkpoint.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lm import dial
from lm.recipes import flag
from sidebyside import finish

Result = dict[str, Any]
TRIED_SIZES = 5  # the smallest ones: those that a few minutes on two cores may come to


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="tinyshakespeare", help="a text, or the name of a sample [tinyshakespeare]")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 5.0], help="[1 5]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1337], help="[1337]")
    parser.add_argument("--sizes", action="store_true", help="train the neighbouring sizes too")
    arguments = parser.parse_args()
    results = []
    for minutes in arguments.minutes:
        ways = {"dial": ["--best-in", f"{minutes:g}"], "quickstart": ["--minutes", f"{minutes:g}"]}
        if arguments.sizes:
            ways |= {f"{w}x{n}": _sized(w, n, h, minutes) for w, n, h in dial.SIZES[:TRIED_SIZES]}
        for seed in arguments.seeds:
            for way, flags in ways.items():
                results.append(measure(arguments.data, [*flags, "--seed", str(seed)]) | dict(way=way, minutes=minutes))
                print(line(results[-1]), flush=True)
    finish("dial", data=arguments.data, results=results)
    return 0


def measure(data: str, flags: list[str]) -> Result:
    """Train in a process of its own and measure its best checkpoint."""
    with tempfile.TemporaryDirectory() as scratch:
        where = ["--runs-dir", scratch, "--json"]
        trained = _lm("train", "--data", data, "--name", "measured", *flags, *where)
        said = json.loads((Path(scratch) / "measured" / "config.json").read_text(encoding="utf-8"))
        measured = _lm("eval", "measured", *where)
    model = said["model"]
    return dict(
        bits_per_byte=measured["bits_per_byte"],
        parameters=said["parameters"],
        size=f"{model['n_embd']}x{model['n_layer']}, T={model['block_size']}, {said['tokenizer']}",
        steps=trained["steps"],
        tokens_per_second=trained["tokens_per_second"],
    )


def line(result: Result) -> str:
    """One training, for a person."""
    return (
        f"{result['minutes']:5g} min  {result['way']:10}  {result['bits_per_byte']:.4f} bits/byte  "
        f"{result['size']:22} {result['parameters']:>10,} parameters  {result['steps']:>6,} steps  "
        f"{result['tokens_per_second']:>8,.0f} tokens/s"
    )


def _sized(width: int, layers: int, heads: int, minutes: float) -> list[str]:
    """The quick start in another size."""
    chosen = dict(n_embd=width, n_layer=layers, n_head=heads, minutes=minutes)
    return [word for name, value in chosen.items() for word in flag(name, value)]


def _lm(*words: str) -> Result:
    said = subprocess.run([sys.executable, "-m", "lm", *words], stdout=subprocess.PIPE, check=True)
    return json.loads(said.stdout.decode("utf-8").splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
