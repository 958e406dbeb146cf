"""A web page → the text that it shows, in one pass, in bounded memory, in time that grows with its length alone.

Blocks become lines or paragraphs; scripts, styles, titles, forms and furigana are left out. The scanner knows five
places that a character can be in (text, a tag, a quoted value, a comment, a script) and never goes back, so no page,
however hostile, makes it wait or forget where it ends. (`html.parser` of the standard library looks for the end of every
unclosed tag and comment anew: measured, 80 kB of `<!--` take it 5 s, and ten times as much a hundred times as long.)

As browsers do: what an unclosed tag, value or comment swallows is gone. Not covered: style sheets that hide text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

HIDDEN = frozenset("script style template noscript title rt rp svg math textarea select".split())
RAW = frozenset("script style title textarea noscript".split())  # hold no markup: only their own end tag ends them
LINES = frozenset("br div li tr dt dd section article header footer nav aside main figcaption option hr".split())
PARAGRAPHS = frozenset("p h1 h2 h3 h4 h5 h6 blockquote pre table ul ol dl".split())
DEEPEST = 64  # hidden elements inside one another that are kept count of
LONGEST_NAME = 32  # characters of a tag's name or of an entity; a longer one is none
_SPACE = re.compile(r"[ \t\n\r\f]+")
_TAG = re.compile(r"</?[A-Za-z][^\s/>]{0,%d}" % LONGEST_NAME)
_IN_TAG = re.compile(r"=\s*[\"']|>")
_HUGE_NUMBER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9A-Fa-f]{8,});?")  # no character; int() refuses 4,301 digits
_OPEN_ENTITY = re.compile(r"&#?[0-9A-Za-z]{0,%d}\Z" % LONGEST_NAME)


def visible_text(chunks: Iterable[str]) -> Iterator[str]:
    """What the page in `chunks` shows, in pieces; it ends with one line end."""
    page = _Page()
    for chunk in chunks:
        yield page.read(chunk)
    yield page.read("", is_end=True) + "\n"


class _Page:
    """Where the scanner is in a page, and what it owes: white space before the next word."""

    def __init__(self) -> None:
        self._rest = ""  # what was read and not yet understood: less than a tag's name or an entity
        self._step = self._in_text
        self._tag, self._end = "", re.compile("")
        self._hidden: list[str] = []
        self._n_pre = self._newlines = 0
        self._has_space = self._has_text = False
        self._out: list[str] = []

    def read(self, chunk: str, is_end: bool = False) -> str:
        """The text that is certain after `chunk`."""
        page, place = self._rest + chunk, 0
        while (after := self._step(page, place, is_end)) is not None:
            place = after
        self._rest = page[self._kept :]
        text = "".join(self._out)
        self._out.clear()
        return text

    # Each of these understands one thing from `start` on and says where it ends, or None when it needs more of the page;
    # `_kept` is then where to go on.

    def _in_text(self, page: str, start: int, is_end: bool) -> int | None:
        end = page.find("<", start)
        is_cut = end < 0
        end = len(page) if is_cut else end
        if is_cut and not is_end and (entity := _OPEN_ENTITY.search(page, max(start, end - LONGEST_NAME - 2))):
            end = entity.start()
        self._write(page[start:end])
        self._kept = end
        if is_cut or (len(page) - end <= LONGEST_NAME + 2 and not is_end):
            return None
        return self._open(page, end)

    def _open(self, page: str, start: int) -> int:
        if page.startswith("<!--", start):
            self._skip_to("-->")
            return start + 4
        if tag := _TAG.match(page, start):
            self._tag, self._step = tag[0][1:].lower(), self._in_tag
            return tag.end()
        if page[start + 1 : start + 2] in ("!", "?", "/"):
            self._skip_to(">")
            return start + 2
        self._write("<")
        return start + 1

    def _in_tag(self, page: str, start: int, is_end: bool) -> int | None:
        found = _IN_TAG.search(page, start)
        if found is None:
            self._kept = max(start, len(page) - LONGEST_NAME)
            return None
        if found[0] != ">":
            self._end, self._step = re.compile(found[0][-1]), self._in_value
        else:
            self._step = self._in_text
            self._obey(self._tag, is_closed=page[found.start() - 1 : found.start()] == "/")
        return found.end()

    def _in_value(self, page: str, start: int, is_end: bool) -> int | None:
        return self._after(page, start, self._in_tag)

    def _in_skipped(self, page: str, start: int, is_end: bool) -> int | None:
        return self._after(page, start, self._in_text)

    def _after(self, page: str, start: int, step) -> int | None:  # noqa: ANN001 - one of these methods
        found = self._end.search(page, start)
        if found is None:
            self._kept = max(start, len(page) - LONGEST_NAME)
            return None
        self._step = step
        return found.start() if found[0].startswith("</") else found.end()

    def _skip_to(self, end: str) -> None:
        self._end, self._step = re.compile(end, re.IGNORECASE), self._in_skipped

    def _obey(self, tag: str, is_closed: bool) -> None:
        """What a tag does to the text after it."""
        name = tag.removeprefix("/")
        if name in PARAGRAPHS or name in LINES:
            self._newlines = min(2, self._newlines + (2 if name in PARAGRAPHS else 1))
        if tag != name or is_closed:
            self._close(name)
        elif name in HIDDEN and len(self._hidden) < DEEPEST:
            self._hidden.append(name)
            if name in RAW:
                self._skip_to(f"</{name}")
        elif name == "pre":
            self._n_pre += 1

    def _close(self, name: str) -> None:
        if name == "ruby":  # its parts need no end of their own
            self._hidden = [hidden for hidden in self._hidden if hidden not in ("rt", "rp")]
        if name in self._hidden:
            while self._hidden.pop() != name:
                pass
        if name == "pre":
            self._n_pre = max(0, self._n_pre - 1)

    def _write(self, text: str) -> None:
        if self._hidden or not text:
            return
        text = html.unescape(_HUGE_NUMBER.sub("\ufffd", text))
        if self._n_pre:
            words, lead = text.strip("\n"), len(text) - len(text.lstrip("\n"))
            self._newlines = min(2, self._newlines + lead)
        else:
            text = _SPACE.sub(" ", text)
            words, self._has_space = text.strip(" "), self._has_space or text.startswith(" ")
        if not words:
            return
        if self._has_text:
            self._out.append("\n" * self._newlines or " " * self._has_space)
        self._out.append(words)
        self._has_text, self._has_space = True, not self._n_pre and text.endswith(" ")
        self._newlines = min(2, len(text) - len(text.rstrip("\n"))) if self._n_pre else 0
