"""What runs, texts and exports may be called: one name that every file system takes and that leads nowhere else.

A name is letters and digits of any script, `-`, `_` and `.`; no separator, no `..`, no NUL, no leading dot, none of
Windows' devices. A `slug` is made from any text; what is to be called as a person said is checked, and refused with a
name that works.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from lm.errors import RunError

# On Windows these mean devices, whatever stands behind their first dot.
RESERVED_NAMES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")}
LONGEST_NAME, LONGEST_NAME_BYTES = 64, 192  # file systems end at 255 bytes, and temporary names are longer


def slug(text: str) -> str:
    """A name that is safe on every file system, as close to `text` as can be: letters and digits, - _ ."""
    text = unicodedata.normalize("NFC", text)  # macOS hands out が as か and a mark
    name = _shortened(re.sub(r"[^\w.-]+", "-", text, flags=re.UNICODE).strip("-._"))
    if not name:
        return "run"
    return _shortened(f"run-{name}") if name.split(".")[0].lower() in RESERVED_NAMES else name


def check_name(name: str) -> str:
    """`name` itself if a run may be called so, else a `RunError` with one that it may be."""
    if name != slug(name):
        raise RunError(
            f"{name!r} cannot name a run: use letters, digits, '-', '_' and '.', at most 64 of them; "
            f"for example {slug(name)!r}"
        )
    return name


def free_name(folder: Path, wanted: str) -> str:
    """`wanted` as a slug, with -2, -3, … appended while that name is taken in `folder`."""
    base, name, n = slug(wanted)[:58], slug(wanted), 1
    while (Path(folder) / name).exists():
        n += 1
        name = f"{base}-{n}"
    return name


def _shortened(name: str) -> str:
    data = name[:LONGEST_NAME].encode("utf-8")[:LONGEST_NAME_BYTES]
    return data.decode("utf-8", errors="ignore").rstrip("-._")
