"""The sample timeline to take along: one HTML page that plays it anywhere, or an animated GIF.

The page holds everything it needs and a content security policy that forbids it to fetch anything. The GIF is text drawn
by Pillow, with a font of this machine that has the characters: DejaVu comes with matplotlib, Japanese needs one that is
installed. Not covered: scripts that run from right to left, and emoji, which most fonts lack.
"""

from __future__ import annotations

import base64
import functools
import html
import io
import json
import re
import string
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lm.errors import RunError
from playground.text import say, words
from playground.theme import PALETTE, palette_css
from playground.timeline import SHOWN_CHARACTERS
from playground.views import spread

MOST_PAGES, MOST_FRAMES = 400, 48  # of the HTML page, of the GIF; measured: 48 frames are 0.4 MB
FRAME_WIDTH, MARGIN, TEXT_SIZE, TITLE_SIZE, LINE_HEIGHT = 720, 32, 20, 15, 32  # pixels
MOST_LINES = 12  # of a frame
FRAME_MS, LAST_MS = 380, 3000
COLOURS = 24  # paper, ink and the shades between them
# Parts of the file names of fonts with Japanese, the most bookish first: Linux, macOS, Windows.
JAPANESE_FONTS = (
    "notoserifcjk-regular", "notoserifjp", "ヒラギノ明朝", "yumin", "notosanscjk-regular", "notosansjp", "ヒラギノ角ゴ", "hiragino",
    "yugoth", "meiryo", "msmincho", "msgothic", "ipaexm", "ipam", "ipaexg", "ipag", "takao", "vl-gothic", "droidsansfallback", "unifont",
)  # fmt: skip
_HANGING = "、。，．」』）！？"  # never begin a line: they stand beyond its end instead
_PIECES = re.compile(r"\s+|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+|.")

Sample = dict[str, Any]

PAGE = string.Template("""\
<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>$run</title>
<style>
$palette
@media (prefers-color-scheme: dark) { :root { $dark color-scheme: dark; } }
body { margin: 0 auto; padding: 8vh 1.5rem; max-width: 44rem; background: var(--paper); color: var(--ink);
  font: 15px/1.6 "IBM Plex Sans", "Hiragino Sans", "Noto Sans JP", system-ui, sans-serif; }
h1 { font-size: 1rem; margin: 0; }
h2 { font-size: 1rem; font-weight: 400; color: var(--soft); margin: 0 0 1rem; }
.scrub { display: flex; gap: .8rem; align-items: center; }
input { flex: 1; accent-color: var(--blue); }
button { width: 2.4rem; height: 2.4rem; border-radius: 50%; border: 1px solid var(--edge); background: var(--panel); color: inherit; }
p { font: 1.25rem/1.8 Lora, "Hiragino Mincho ProN", "Noto Serif JP", "Noto Serif CJK JP", Georgia, serif; white-space: pre-wrap;
  overflow-wrap: anywhere; min-height: 40vh; }
p span { color: var(--soft); }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
</style>
</head>
<body>
<h1>$run</h1>
<h2></h2>
<div class="scrub"><button type="button" aria-label="$play">▶</button><input type="range" min="0" value="0" aria-label="$scrub"></div>
<p><span></span><b style="font-weight: inherit"></b></p>
<script>
const samples = $samples, title = $title;
const [play, slider] = [document.querySelector('button'), document.querySelector('input')];
slider.max = samples.length - 1;
let clock = null;
const show = (at) => {
  const [step, prompt, text] = samples[at];
  slider.value = at;
  document.querySelector('h2').textContent = title.replace('{step}', step.toLocaleString());
  document.querySelector('p span').textContent = prompt;
  document.querySelector('p b').textContent = text;
};
const pause = () => { clearInterval(clock); clock = null; play.textContent = '▶'; };
play.onclick = () => {
  if (clock) return pause();
  if (Number(slider.value) >= samples.length - 1) show(0);
  play.textContent = '❚❚';
  clock = setInterval(() => {
    if (Number(slider.value) >= samples.length - 1) return pause();
    show(Number(slider.value) + 1);
  }, Math.min(900, Math.max(120, 9000 / samples.length)));
};
slider.oninput = () => { pause(); show(Number(slider.value)); };
show(samples.length - 1);
</script>
</body>
</html>
""")


def kept(run: str, samples: Sequence[Sample], kind: str, language: str) -> dict[str, str]:
    """The timeline as a file that the browser keeps: its name, media type, bytes in base64, and words about it."""
    if not samples:
        raise RunError(say("timeline.nothing", language))
    is_gif = kind == "gif"
    data = gif(run, samples, language) if is_gif else page(run, samples, language).encode("utf-8")
    name, size = f"{run}-timeline.{'gif' if is_gif else 'html'}", f"{len(data) / 1e3:,.0f} kB"
    about = say("timeline.kept", language, name=name, size=size)
    media_type = "image/gif" if is_gif else "text/html"
    return dict(name=name, type=media_type, data=base64.b64encode(data).decode("ascii"), words=about)


def page(run: str, samples: Sequence[Sample], language: str) -> str:
    """The timeline of a run as one HTML page that fetches nothing; at most `MOST_PAGES` of its samples."""
    shown = [samples[i] for i in spread(len(samples), MOST_PAGES)]
    rows = [(s["step"], s["prompt"][:SHOWN_CHARACTERS], s["text"][:SHOWN_CHARACTERS]) for s in shown]
    said = words("timeline", language)
    return PAGE.substitute(
        language=language,
        run=html.escape(run),
        palette=palette_css(),
        dark=" ".join(f"--{name}: {dark};" for name, (_, dark) in PALETTE.items()),
        play=html.escape(said["play"]),
        scrub=html.escape(said["scrub"]),
        samples=_script(rows),
        title=_script(said["title"]),
    )


def gif(run: str, samples: Sequence[Sample], language: str) -> bytes:
    """The timeline of a run as an animated GIF; `RunError` where no font of this machine has its characters."""
    shown = [samples[i] for i in spread(len(samples), MOST_FRAMES)]
    texts = [_plain(s["prompt"]) + _plain(s["text"]) for s in shown]
    titles = [say("timeline.title", language, step=f"{s['step']:,}") for s in shown]
    fonts = _fonts("".join([run, *texts, *titles]), language)
    wrapped = [list(_wrap(text, fonts[0], FRAME_WIDTH - 2 * MARGIN))[:MOST_LINES] for text in texts]
    height = 2 * MARGIN + 48 + LINE_HEIGHT * max(map(len, wrapped))
    frames = [
        _frame(height, f"{run}  ·  {title}", (i + 1) / len(shown), lines, len(_plain(sample["prompt"])), fonts)
        for i, (sample, title, lines) in enumerate(zip(shown, titles, wrapped))
    ]
    pace = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=pace, loop=0, optimize=True)
    return file.getvalue()


# ---------------------------------------------------------------------------------------------- drawing text


def _frame(height: int, title: str, done: float, lines: Sequence[tuple[int, str]], given: int, fonts: tuple[Any, Any]):
    """One picture: title, how far it is, and the text, whose first `given` characters are the prompt."""
    from PIL import Image, ImageDraw

    paper, ink, soft, blue, line = (PALETTE[name][0] for name in ("paper", "ink", "soft", "blue", "line"))
    picture = Image.new("RGB", (FRAME_WIDTH, height), paper)
    draw, right, (font, small) = ImageDraw.Draw(picture), FRAME_WIDTH - MARGIN, fonts
    draw.text((MARGIN, MARGIN - 8), title, soft, small)
    draw.rectangle((MARGIN, MARGIN + 24, right, MARGIN + 26), line)
    draw.rectangle((MARGIN, MARGIN + 24, MARGIN + (right - MARGIN) * done, MARGIN + 26), blue)
    for i, (start, text) in enumerate(lines):
        y, cut = MARGIN + 48 + LINE_HEIGHT * i, min(len(text), max(0, given - start))
        draw.text((MARGIN, y), text[:cut], soft, font)
        draw.text((MARGIN + font.getlength(text[:cut]), y), text[cut:], ink, font)
    return picture.quantize(COLOURS)


def _wrap(text: str, font: Any, width: int) -> Iterator[tuple[int, str]]:
    """(where it begins in `text`, the line) of every line: words stay whole, Japanese breaks anywhere."""
    start, line, at = 0, "", 0
    for piece in _pieces(text):
        is_full = font.getlength((line + piece).rstrip()) > width and piece not in _HANGING
        if line and (is_full or piece == "\n"):
            yield start, line
            start, line = at, ""
        if piece == "\n" or (is_full and piece.isspace()):
            start = at + len(piece)
        else:
            line += piece
        at += len(piece)
    if line:
        yield start, line


def _pieces(text: str) -> Iterator[str]:
    """Words, spaces, line ends, single characters of Japanese; nothing is longer than a third of a line."""
    for line in re.split(r"(\n)", text):
        for piece in _PIECES.findall(line):
            yield from (piece[i : i + 20] for i in range(0, len(piece), 20))


def _plain(text: str) -> str:
    """`text` as far as it is shown, without what a font cannot draw: control characters."""
    return "".join(c for c in text[:SHOWN_CHARACTERS] if c == "\n" or unicodedata.category(c)[0] != "C")


def _fonts(text: str, language: str) -> tuple[Any, Any]:
    """The first font of this machine that has every character of `text`, for the text and for the line above it."""
    from PIL import ImageFont

    wanted = sorted({c for c in text if not c.isspace()} - {"\ufffd"})
    for path in _font_files():
        font = ImageFont.truetype(path, TEXT_SIZE)
        if _has(font, wanted):
            return font, ImageFont.truetype(path, TITLE_SIZE)
    raise RunError(say("timeline.no_font", language))


def _has(font: Any, characters: Sequence[str]) -> bool:
    """Whether the font draws each of them, and not the box that stands for what it lacks."""
    box = bytes(font.getmask("\uffff"))
    return all(bytes(font.getmask(character)) != box for character in characters)


@functools.cache
def _font_files() -> tuple[str, ...]:
    """DejaVu Serif, then every font of this machine that may have Japanese."""
    import matplotlib
    from matplotlib.font_manager import findSystemFonts

    own = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSerif.ttf")
    ranked = [
        (rank, path)
        for path in findSystemFonts()
        for rank, part in enumerate(JAPANESE_FONTS)
        if part in _file_name(path)
    ]
    return own, *(path for _, path in sorted(ranked))


def _file_name(path: str) -> str:
    return unicodedata.normalize("NFC", Path(path).name).lower()


def _script(value: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
