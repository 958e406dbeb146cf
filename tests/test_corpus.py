"""Files of any kind and encoding become one clean text, or one clear message."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm import corpus as corpus_module
from lm import encodings, markup
from lm.corpus import Corpus, read_chunks, read_corpus, replacing, split_point
from lm.errors import CorpusError, LMError

JAPANESE = "　山の上に小さな駅がある。駅長は猫である。\n「今日も列車は来ませんね」と、猫は帽子をなおした。\nホームには誰もいない。\n"
FRENCH = "Où est la bibliothèque ? Les élèves étaient déjà là, près de la fenêtre.\nL'été s'achevait.\n"
GERMAN = "Die Straße führt über die Brücke. Der König heißt Jürgen; Mädchen, Öl, Übung.\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n"
AOZORA = """山の駅
名無しの作者

-------------------------------------------------------
【テキスト中に現れる記号について】

《》：ルビ
（例）駅長《えきちょう》
［＃］：入力者注
-------------------------------------------------------

［＃８字下げ］一［＃「一」は中見出し］

　古い｜停車場《ていしゃば》の駅長《えきちょう》は猫である。
［＃ここから２字下げ］
※［＃「足へん＋厨」、第3水準1-92-39］躇《ちゅうちょ》した［＃「※［＃「足へん＋厨」、第3水準1-92-39］」に傍点］。
［＃ここで字下げ終わり］
　［これは本文］である。

底本：「山の全集」青空書房
入力：だれか
"""


def read(tmp_path: Path, content: bytes | str, name: str = "story.txt", **choices: str) -> Corpus:
    source = tmp_path / name
    source.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return read_corpus([source], tmp_path / "clean", **choices)


def text_of(corpus: Corpus) -> str:
    return corpus.path.read_bytes().decode("utf-8")


def refusal(tmp_path: Path, content: bytes | str, name: str = "story.txt", **choices: str) -> str:
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, content, name, **choices)
    assert not (tmp_path / "clean").exists()
    return str(caught.value)


# ---------------------------------------------------------------------------------------------- encodings


@pytest.mark.parametrize("length", [14, 30, len(JAPANESE), 40 * len(JAPANESE)])
@pytest.mark.parametrize(
    ("codec", "said"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with byte order mark"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16 without byte order mark"),
        ("utf-16-be", "UTF-16 without byte order mark"),
        ("utf-32", "UTF-32"),
        ("cp932", "Shift_JIS"),
        ("euc_jp", "EUC-JP"),
        ("iso2022_jp", "JIS (ISO-2022-JP)"),
    ],
)
def test_japanese_is_read_in_each_of_its_encodings(tmp_path: Path, codec: str, said: str, length: int) -> None:
    text = (JAPANESE * 40)[:length]
    corpus = read(tmp_path, text.encode(codec))
    assert (text_of(corpus), corpus.files[0].encoding) == (text, said)


@pytest.mark.parametrize("text", [FRENCH, GERMAN, FRENCH * 500, "plain words " * 200 + "and a café\n", "Größe"])
def test_latin_1_is_read(tmp_path: Path, text: str) -> None:
    corpus = read(tmp_path, text.encode("latin-1"))
    assert text_of(corpus) == text
    assert corpus.files[0].encoding.startswith("Latin-1")


@pytest.mark.parametrize("codec", ["cp1251", "koi8_r"])
def test_cyrillic_is_read(tmp_path: Path, codec: str) -> None:
    assert text_of(read(tmp_path, RUSSIAN.encode(codec))) == RUSSIAN


def test_the_first_foreign_byte_may_come_late(tmp_path: Path) -> None:
    text = "plain words\n" * (3 * encodings.BLOCK_BYTES // 12) + JAPANESE
    assert text_of(read(tmp_path, text.encode("cp932"))) == text


@pytest.mark.parametrize("from_border", range(-4, 3))
@pytest.mark.parametrize("codec", ["cp932", "euc_jp"])
def test_the_first_foreign_byte_may_stand_at_a_block_border(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str, from_border: int
) -> None:
    monkeypatch.setattr(encodings, "BLOCK_BYTES", 4096)
    text = "." * (4096 + from_border) + JAPANESE
    assert text_of(read(tmp_path, text.encode(codec))) == text


def test_a_cut_after_a_block_border_is_still_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "BLOCK_BYTES", len(JAPANESE.encode("utf-8")))
    assert text_of(read(tmp_path, JAPANESE.encode("utf-8") + "猫".encode()[:2])) == JAPANESE + "\ufffd"


def test_a_guess_is_told(tmp_path: Path) -> None:
    assert "guessed" in str(read(tmp_path, JAPANESE.encode("cp932")).files[0])


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "cp932"])
def test_line_ends_become_lf_across_block_borders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, codec: str
) -> None:
    monkeypatch.setattr(encodings, "BLOCK_BYTES", 101)  # prime, so that borders fall inside pairs and characters
    text = "一二三である\nab\n\nc\n" * 300
    corpus = read(tmp_path, text.replace("\n", ending).encode(codec))
    assert text_of(corpus) == text


def test_a_cut_last_character_is_counted_and_replaced(tmp_path: Path) -> None:
    corpus = read(tmp_path, JAPANESE.strip().encode("utf-8")[:-1])
    assert text_of(corpus) == JAPANESE.strip()[:-1] + "\ufffd"
    assert "1 unreadable character became \ufffd" in str(corpus.files[0])


def test_a_replacement_character_of_the_author_is_no_damage(tmp_path: Path) -> None:
    corpus = read(tmp_path, "what is \ufffd?\n")
    assert text_of(corpus) == "what is \ufffd?\n"
    assert corpus.files[0].notes == ()


def test_nul_characters_are_removed_and_counted(tmp_path: Path) -> None:
    corpus = read(tmp_path, "a long enough line of text\0" * 3)
    assert text_of(corpus) == "a long enough line of text" * 3
    assert "3 NUL characters removed" in str(corpus.files[0])


def test_half_surrogate_pairs_are_replaced(tmp_path: Path) -> None:
    assert text_of(read(tmp_path, '{"text": "a\\ud800b"}\n', "x.jsonl")) == "a\ufffdb\n"


# ---------------------------------------------------------------------------------------------- what is no text


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG image"),
        (b"%PDF-1.7\n", "PDF document"),
        (b"PK\x03\x04" + bytes(100), "ZIP archive"),
        (bytes(range(256)) * 40, "binary data"),
        (np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes(), "binary data"),
        (np.arange(-3000, 3000, dtype="<i2").tobytes(), "binary data"),
    ],
)
def test_a_binary_file_renamed_to_txt_is_named(tmp_path: Path, content: bytes, named: str) -> None:
    assert f"photo.txt is not text ({named}" in refusal(tmp_path, content, "photo.txt")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "is empty" in refusal(tmp_path, b"")


@pytest.mark.parametrize("content", [" \n\t\n　", b"\xef\xbb\xbf", "\0" + " " * 200])
def test_white_space_alone_is_refused(tmp_path: Path, content: bytes | str) -> None:
    assert "nothing but white space" in refusal(tmp_path, content)


def test_ten_bytes_are_a_text(tmp_path: Path) -> None:
    assert read(tmp_path, "ten bytes\n").statistics.characters == 10


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for source, cure in ((tmp_path / "nowhere.txt", "check the name"), (tmp_path, "name the files in it")):
        with pytest.raises(CorpusError, match=cure):
            read_corpus([source], tmp_path / "clean")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\n".join(["a pasted text"] * 40)])
def test_a_name_that_can_be_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError, match="cannot read|there is no file"):
        read_corpus([tmp_path / name], tmp_path / "clean")


@pytest.mark.parametrize(
    "start", ["RIFF raff, said the cat", "ID3 is a name", "BZh!", "PKs are three", "GIF8 it to me"]
)
def test_a_text_that_begins_like_an_archive_is_a_text(tmp_path: Path, start: str) -> None:
    assert text_of(read(tmp_path, start)) == start


def test_no_file_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no file was given"):
        read_corpus([], tmp_path / "clean")


# ---------------------------------------------------------------------------------------------- several files


@pytest.mark.parametrize(("first", "between"), [("one", "\n\n"), ("one\n", "\n"), ("one\n\n", "")])
@pytest.mark.parametrize("block_bytes", [1, encodings.BLOCK_BYTES])
def test_files_are_joined_by_a_blank_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, between: str, block_bytes: int
) -> None:
    monkeypatch.setattr(encodings, "BLOCK_BYTES", block_bytes)
    (tmp_path / "a.txt").write_bytes(first.encode())
    (tmp_path / "b.txt").write_bytes("deux à\n".encode("latin-1" if block_bytes > 1 else "utf-8"))
    corpus = read_corpus([tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "clean")
    assert text_of(corpus) == first + between + "deux à\n"
    assert corpus.name == "a.txt +1"
    assert len(corpus.files) == 2


def test_the_report_is_one_line_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\r\n")
    said: list[str] = []
    read_corpus([tmp_path / "a.txt"], tmp_path / "clean", report=said.append)
    assert said == ["a.txt: UTF-8, 10 bytes; CRLF line ends became LF"]


# ---------------------------------------------------------------------------------------------- tables and records


def test_the_one_text_column_of_a_table_is_chosen_and_told(tmp_path: Path) -> None:
    table = (
        'id,comment,stars\n1,"It was a long, quiet evening.",5\n'
        '2,"The second\nhas two lines.",4\n3,The third is simple again.,1\n'
    )
    corpus = read(tmp_path, table, "reviews.csv")
    assert text_of(corpus) == (
        "It was a long, quiet evening.\nThe second\nhas two lines.\n\nThe third is simple again.\n"
    )
    assert "column 'comment' chosen" in corpus.files[0].notes


def test_a_table_with_two_text_columns_asks_which(tmp_path: Path) -> None:
    table = "id\tquestion\tanswer\n1\tWhere does the river go?\tIt goes down to the sea.\n"
    assert "there are 'id', 'question', 'answer'" in refusal(tmp_path, table, "x.tsv")
    assert "has no column 'reply'" in refusal(tmp_path, table, "y.tsv", column="reply")
    assert text_of(read(tmp_path, table, "x.tsv", column="answer")) == "It goes down to the sea.\n"


def test_a_table_of_one_column_keeps_commas(tmp_path: Path) -> None:
    assert text_of(read(tmp_path, "text\nshort, and sweet\n\n", "x.csv")) == "short, and sweet\n"


def test_a_long_field_and_a_nul_do_not_stop_a_table(tmp_path: Path) -> None:
    before = csv.field_size_limit(1234)
    story = "once upon a time " * 20_000
    assert text_of(read(tmp_path, f'id;text\n1;"{story}\0"\n', "x.csv")) == story + "\n"
    assert csv.field_size_limit(before) == 1234


def test_the_text_field_of_records_is_chosen(tmp_path: Path) -> None:
    lines = [{"id": i, "lang": "en", "body": f"This is the story number {i}.\r\nIt ends."} for i in range(3)]
    records = "\n".join(map(json.dumps, lines)) + '\n{"id": 9}\n'
    corpus = read(tmp_path, records, "x.jsonl")
    assert text_of(corpus) == "".join(f"This is the story number {i}.\nIt ends.\n\n" for i in range(3))
    assert corpus.files[0].notes == ("field 'body' chosen", "1 record without text skipped")


def test_a_json_list_and_bare_strings_are_records_too(tmp_path: Path) -> None:
    assert text_of(read(tmp_path, json.dumps([{"t": "one"}, {"t": "two"}], indent=1), "x.json")) == "one\ntwo\n"
    assert text_of(read(tmp_path, '"one"\n"two"\n', "x.jsonl")) == "one\ntwo\n"


def test_a_broken_record_is_named_by_its_line(tmp_path: Path) -> None:
    assert "line 2 of x.jsonl is not JSON" in refusal(tmp_path, '{"text": "fine"}\n{"text": \n', "x.jsonl")


# ---------------------------------------------------------------------------------------------- web pages


def test_a_page_gives_what_it_shows(tmp_path: Path) -> None:
    page = """<html><head><title>no</title><style>p {}</style></head><body><h1>Tea &amp; time</h1>
    <p>The  <b>kettle</b>
    sang.<br>Twice.</p><script>if (a < b) { alert("</p>") }</script><ul><li>one<li>two</ul>
    <p><ruby>駅長<rp>(</rp><rt>えきちょう</rt><rp>)</rp></ruby>は猫</p></body></html>"""
    assert text_of(read(tmp_path, page, "x.html")) == (
        "Tea & time\n\nThe kettle sang.\nTwice.\n\none\ntwo\n\n駅長は猫\n"
    )


def test_a_page_is_read_in_the_encoding_it_declares(tmp_path: Path) -> None:
    page = '<meta charset="windows-1250"><p>Źródło, łódź</p>'.encode("cp1250")
    assert text_of(read(tmp_path, page, "x.html")) == "Źródło, łódź\n"


# ---------------------------------------------------------------------------------------------- Aozora Bunko

AOZORA_CLEAN = (
    "山の駅\n名無しの作者\n\n\n一\n\n　古い停車場の駅長は猫である。\n蹰躇した。\n　［これは本文］である。\n\n"
)


@pytest.mark.parametrize("codec", ["utf-8", "cp932"])
@pytest.mark.parametrize("aozora", ["auto", "yes"])
def test_aozora_notation_is_cleaned_and_told(tmp_path: Path, codec: str, aozora: str) -> None:
    corpus = read(tmp_path, AOZORA.replace("\n", "\r\n").encode(codec), aozora=aozora)
    assert text_of(corpus) == AOZORA_CLEAN
    assert "1 legend" in str(corpus.files[0])
    assert "1 colophon" in str(corpus.files[0])


def test_aozora_cleaning_can_be_refused(tmp_path: Path) -> None:
    assert text_of(read(tmp_path, AOZORA, aozora="no")) == AOZORA


def test_two_books_in_one_file_are_both_kept(tmp_path: Path) -> None:
    text = text_of(read(tmp_path, AOZORA + AOZORA))
    assert text.count("駅長は猫である") == 2
    assert "底本" not in text


@pytest.mark.parametrize(
    "text",
    [
        "《紅楼夢》は長い。｜という字も使う。\n",
        "a scene\n--------------------\nthe next scene\n--------------------\nthe end\n",
        "ここに［注］がある。\n底本：これは本文である\n",
    ],
)
def test_what_only_looks_like_aozora_is_left_alone(tmp_path: Path, text: str) -> None:
    assert text_of(read(tmp_path, text)) == text


def test_a_ruled_line_between_scenes_stays(tmp_path: Path) -> None:
    text = "第一場\n--------------------\n第二場\n--------------------\n"
    assert text_of(read(tmp_path, text, aozora="yes")) == text


def test_a_legend_that_never_ends_does_not_take_the_book(tmp_path: Path) -> None:
    body = "　本文である。\n" * 100
    text = "-" * 55 + f"\n{markup.LEGEND}\n" + body
    assert text_of(read(tmp_path, text)).count("本文") == 100 - markup.LONGEST_LEGEND_LINES


def test_a_rare_character_without_a_number_leaves_the_printers_stopgap(tmp_path: Path) -> None:
    text = "※［＃「何か」、12-3］と※［＃「何か」、U+20B9F、123-4］と※［＃「何か」、第3水準1-99-99］\n"
    assert text_of(read(tmp_path, text, aozora="yes")) == "〓と𠮟と〓\n"


@pytest.mark.parametrize("bad", ["［＃", "［＃［ａ］", "※［＃", "｜", "《", "［", "｜《", "［＃［＃"])
def test_hostile_notation_takes_linear_time(tmp_path: Path, bad: str) -> None:
    started = time.process_time()
    read(tmp_path, bad * 100_000 + "終\n", aozora="yes")
    assert time.process_time() - started < 5  # a quadratic one takes minutes


# ---------------------------------------------------------------------------------------------- statistics, chunks


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(st.sampled_from(["", "a", "b", "日本", "😀 x", "longer line"]), min_size=1, max_size=30))
def test_statistics_are_those_of_the_whole_text(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    text = "\n".join([*lines, "end"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "BLOCK_BYTES", 5)
        corpus = read(tmp_path_factory.mktemp("s"), text)
    filled = [line for line in text.split("\n") if line]
    said = corpus.statistics
    assert text_of(corpus) == text
    assert (said.characters, said.bytes, said.lines) == (len(text), len(text.encode()), len(text.splitlines()))
    assert corpus.alphabet == "".join(sorted(set(text)))
    assert said.distinct_characters == len(corpus.alphabet)
    assert said.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert said.duplicate_line_share == pytest.approx(1 - len(set(filled)) / len(filled))


def test_duplicate_lines_are_counted_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "COMPARED_LINES", 4)
    assert read(tmp_path, "a\nb\na\nc\na\na\na\n").statistics.duplicate_line_share == 0.25


@pytest.mark.parametrize("characters", [1, 3, 1000])
def test_chunks_put_together_are_the_text(tmp_path: Path, characters: int) -> None:
    text = "ab\u2028c\x85日本😀\n" * 7  # no character but LF may be taken for a line end
    chunks = list(read_chunks(read(tmp_path, text).path, characters))
    assert "".join(chunks) == text
    assert all(len(chunk) == characters for chunk in chunks[:-1])


def test_the_split_is_the_chapters(tmp_path: Path) -> None:
    said = read(tmp_path, "x" * 1_115_394).statistics
    assert split_point(said, 0.1) == 1_003_854
    assert split_point(said, 0.0) == 1_115_394


def test_a_line_of_twenty_megabytes_passes_in_linear_time(tmp_path: Path) -> None:
    started = time.process_time()
    corpus = read(tmp_path, b"word " * 4_000_000)
    assert corpus.statistics.lines == 1
    assert time.process_time() - started < 10  # measured: 0.4 s; a quadratic one takes minutes


# ---------------------------------------------------------------------------------------------- whole or not at all


def test_a_failed_reading_leaves_the_old_text(tmp_path: Path) -> None:
    read(tmp_path, "the old text")
    with pytest.raises(CorpusError):
        read_corpus([tmp_path / "story.txt", tmp_path / "missing.txt"], tmp_path / "clean")
    assert (tmp_path / "clean").read_text(encoding="utf-8") == "the old text"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean", "story.txt"]


def test_a_full_disk_is_told_in_numbers(tmp_path: Path) -> None:
    with pytest.raises(LMError, match=r"the disk is full: 3\.0 MB of .*train.bin were written and [\d.,]+ MB are free"):
        with replacing(tmp_path / "train.bin") as file:
            file.write(bytes(3_000_000))
            raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
