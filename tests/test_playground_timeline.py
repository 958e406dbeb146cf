"""The sample timeline: what a tick sends of it, and what of it can be taken along."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import pytest
from fabricated_runs import fabricate, write_lines
from PIL import Image

from lm import run_dir
from lm.errors import RunError
from lm.run_dir import Status
from playground import keepsake, timeline, views
from playground.theme import PALETTE
from playground.views import Library

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'{step}$x"


def written(n: int, text: str = "went down to the harbour") -> list[dict]:
    return [dict(step=i * 40, prompt="Mira ", text=f"{text} {i}") for i in range(n)]


# ---------------------------------------------------------------------------------------------- what a tick sends


def test_a_tick_brings_the_samples_since_the_last_one(tmp_path: Path) -> None:
    run = fabricate(tmp_path, "one", steps=80)
    library = Library(tmp_path)
    first, cursor = timeline.payload(library.samples("one"), {}, 200)
    assert (first["reset"], [step for step, _, _ in first["samples"]]) == (True, [40, 80])
    assert timeline.payload(library.samples("one"), cursor, 200) == (None, cursor)
    write_lines(run, 81, 120)
    second, _ = timeline.payload(library.samples("one"), cursor, 200)
    assert (second["reset"], [step for step, _, _ in second["samples"]]) == (False, [120])


def test_thousands_of_samples_are_thinned_to_the_first_the_last_and_some_between(tmp_path: Path) -> None:
    run = fabricate(tmp_path, "one", steps=1)
    lines = (json.dumps(sample) + "\n" for sample in written(5000))
    run.samples.write_text("".join(lines), encoding="utf-8")
    value, cursor = timeline.payload(Library(tmp_path).samples("one"), {}, 0)
    steps = [step for step, _, _ in value["samples"]]
    assert views.FIRST_SAMPLES - 2 < len(steps) <= views.FIRST_SAMPLES
    assert (steps[0], steps[-1]) == (0, 4999 * 40)
    assert cursor["seen"] == 5000


def test_a_long_sample_is_cut_and_says_so() -> None:
    assert timeline._row(dict(step=1, prompt="", text="a" * 10_000))[2].endswith("a …")


def test_a_resumed_run_begins_its_timeline_anew(tmp_path: Path) -> None:
    run = fabricate(tmp_path, "one", steps=80, pid=10)
    library = Library(tmp_path)
    _, cursor = timeline.payload(library.samples("one"), {}, 200)
    run_dir.truncate_records(run.samples, 40)
    run_dir.write_status(run, Status(state="running", pid=11))
    value, _ = timeline.payload(library.samples("one"), cursor, 200)
    assert (value["reset"], [step for step, _, _ in value["samples"]]) == (True, [40])


def test_a_damaged_line_leaves_what_stands_before_it(tmp_path: Path) -> None:
    run = fabricate(tmp_path, "one", steps=80)
    library = Library(tmp_path)
    assert len(library.samples("one").written) == 2
    with open(run.samples, "a", encoding="utf-8") as file:
        file.write("not json\n")
    assert len(library.samples("one").written) == 2


def test_the_last_sample_of_a_long_file_is_found_at_its_end(tmp_path: Path) -> None:
    run = fabricate(tmp_path, "one", steps=1)
    assert views.latest_sample(run) == {}
    lines = [json.dumps(sample) for sample in written(4000)]
    run.samples.write_text("\n".join(lines) + '\n{"step": 9, "te', encoding="utf-8")
    assert views.latest_sample(run)["text"].endswith(" 3999")


# ---------------------------------------------------------------------------------------------- what is taken along


def test_a_page_holds_every_sample_and_asks_nothing_of_a_network() -> None:
    page = keepsake.page("one", written(30), "en")
    [rows] = re.findall(r"const samples = (.*), title = ", page)
    assert [step for step, _, _ in json.loads(rows)] == [i * 40 for i in range(30)]
    assert "default-src 'none'" in page and not re.search(r"https?://|url\(|@import", page)


def test_hostile_samples_stay_text_in_a_page() -> None:
    page = keepsake.page(HOSTILE, [dict(step=1, prompt=HOSTILE, text=HOSTILE)] * 2, "ja")
    assert page.count("</script>") == 1 and "<img" not in page
    [rows] = re.findall(r"const samples = (.*), title = ", page)
    assert json.loads(rows)[0][2] == HOSTILE


def frames(data: bytes) -> list[Image.Image]:
    picture, found = Image.open(io.BytesIO(data)), []
    for i in range(picture.n_frames):
        picture.seek(i)
        found.append(picture.convert("RGB"))
    return found


def ink(picture: Image.Image) -> int:
    """How many pixels are dark."""
    return sum(value < 100 for value in picture.convert("L").tobytes())


def test_a_gif_plays_every_sample_and_rests_at_the_last() -> None:
    data = keepsake.gif("one", written(5), "en")
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.n_frames, picture.width) == ("GIF", 5, keepsake.FRAME_WIDTH)
    picture.seek(4)
    assert picture.info["duration"] == keepsake.LAST_MS
    first, *_, last = frames(data)
    paper = tuple(int(PALETTE["paper"][0][i : i + 2], 16) for i in (1, 3, 5))
    assert max(abs(a - b) for a, b in zip(first.getpixel((2, 2)), paper)) <= 8
    assert first.tobytes() != last.tobytes() and ink(last) > 200


def test_hundreds_of_samples_make_a_gif_of_bounded_length() -> None:
    data = keepsake.gif("one", written(300, text="and they sat down by the fire " * 9), "en")
    assert Image.open(io.BytesIO(data)).n_frames <= keepsake.MOST_FRAMES
    assert len(data) < 2_000_000


def test_japanese_is_drawn_with_a_font_that_has_it() -> None:
    if len(keepsake._font_files()) == 1:
        pytest.skip("no Japanese font on this machine; install Noto Serif CJK (Debian: fonts-noto-cjk)")
    texts = ["吾輩は猫である。名前はまだ無い。", "夏の日の光"]
    few, many = (frames(keepsake.gif("猫", [dict(step=1, prompt="", text=t)], "ja"))[0] for t in texts[::-1])
    assert ink(many) > ink(few) > 300


def test_without_a_font_that_has_the_text_the_page_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    latin = keepsake._font_files()[:1]
    monkeypatch.setattr(keepsake, "_font_files", lambda: latin)
    with pytest.raises(RunError, match="HTML"):
        keepsake.gif("one", [dict(step=1, prompt="", text="吾輩は猫である")], "en")


@pytest.mark.parametrize(
    "text", ["the fox sees a lamp on the hill " * 5, "吾輩は猫である。名前はまだ無い。" * 9, "a\n\nb\n" + "w" * 300]
)
def test_wrapping_loses_no_character_and_keeps_within_the_line(text: str) -> None:
    class Ruler:
        def getlength(self, line: str) -> int:
            return 10 * len(line)

    lines = list(keepsake._wrap(text, Ruler(), 300))
    assert "".join(line for _, line in lines).split() == text.split() or "w" * 300 in text
    assert all(text[start : start + len(line)] == line for start, line in lines)
    assert all(len(line.rstrip()) <= 31 for _, line in lines)
    assert not any(line.startswith(("。", "、")) for _, line in lines)


@pytest.mark.parametrize(("kind", "start"), [("gif", b"GIF89a"), ("html", b"<!doctype html>")])
def test_what_is_kept_is_the_file_itself(kind: str, start: bytes) -> None:
    value = keepsake.kept("one", written(3), kind, "en")
    assert value["name"] == f"one-timeline.{kind}"
    assert base64.b64decode(value["data"]).startswith(start)


def test_nothing_written_is_said() -> None:
    with pytest.raises(RunError, match="first measurement"):
        keepsake.kept("one", [], "gif", "en")
