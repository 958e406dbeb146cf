"""Values → HTML, where several places need it: pure functions, the language last.

Everything that came from a person, a file or a model passes through `escape` before it reaches a page.
"""

from __future__ import annotations

import html
import re

from lm.run_dir import Status
from playground.text import say
from playground.translate import translated


def escape(text: object) -> str:
    """`text` as it may stand in HTML, between tags and inside quotes."""
    return html.escape(str(text), quote=True)


# ---------------------------------------------------------------------------------------------- numbers for people


def count(number: float) -> str:
    return f"{number:,.0f}"


def large(number: float) -> str:
    """`26,880`, `1.8 M`."""
    return count(number) if number < 100_000 else f"{number / 1e6:.1f} M"


def duration(seconds: float) -> str:
    """`0:43`, `12:05`, `3:07:00`."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


# ---------------------------------------------------------------------------------------------- parts of a page


def note(kind: str, words: str, cause: str = "") -> str:
    """Sentences, their addresses as links. `wrong` and `attention` carry a coloured edge; `cause` stands as it is."""
    role = "alert" if kind == "wrong" else "note"
    lines = "".join(f"<p>{linked(line)}</p>" for line in words.splitlines() if line.strip())
    more = f"<pre>{escape(cause)}</pre>" if cause and cause != words else ""
    return f'<div class="note {kind}" role="{role}">{lines}{more}</div>'


def fine(words: str) -> str:
    """A remark in small print; without words nothing at all."""
    return f'<p class="fine">{escape(words)}</p>' if words else ""


def fault(error: Exception, language: str) -> str:
    """What went wrong, in its own words."""
    return note("wrong", translated(error, language))


def linked(words: str) -> str:
    """`words` escaped, the web addresses in them to be followed."""
    link = r'<a href="\g<0>" target="_blank" rel="noopener">\g<0></a>'
    return re.sub(r"https?://[^\s&()<>]*[\w/]", link, escape(words))


def bar(share: float | None) -> str:
    """A progress bar; without a share it is empty."""
    percent = round(100 * (share or 0.0), 1)
    filled = f'<u style="width:{percent}%"></u>'
    return f'<span class="progress" role="progressbar" aria-label="{percent:.0f} %" aria-valuenow="{percent:.0f}">{filled}</span>'


def step_words(status: Status, language: str) -> str:
    if status.max_steps:
        return say("status.step_of", language, step=count(status.step), steps=count(status.max_steps))
    return say("status.step", language, step=count(status.step))


def written(prompt: str, text: str, is_writing: bool = False) -> str:
    """A text of the model. `text` goes on after `prompt`; a caret stands at its end while it is being written."""
    caret = '<i class="caret"></i>' if is_writing else ""
    return f'<div class="written"><span class="given">{escape(prompt)}</span>{escape(text)}{caret}</div>'
