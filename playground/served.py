"""What browsers bring and fetch: copies in a folder of our own, that are forgotten when they are a day old.

Gradio forgets those that it made itself since it was started. What an app before this one had there, killed or ended,
nobody would ever remove: uploads, halves of uploads, zips.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

KEPT_SECONDS = 86_400.0  # assumed: a page that was open when its app was started again may still name a copy


def forget_old(folder: Path, kept_seconds: float = KEPT_SECONDS) -> None:
    """Remove the files below `folder` that are older, and the folders that are empty then."""
    since = time.time() - kept_seconds
    for where, _, files in os.walk(folder, topdown=False):
        with suppress(OSError):  # it went away by itself
            was_old = os.lstat(where).st_mtime < since
            for path in (Path(where) / name for name in files):
                if path.lstat().st_mtime < since:
                    path.unlink()
            if was_old and Path(where) != Path(folder) and not os.listdir(where):
                os.rmdir(where)
