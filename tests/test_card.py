"""The model card: valid metadata, the run's own numbers, nothing that breaks out of its place."""

from __future__ import annotations

import dataclasses
import math
import re
import shlex
import shutil
import time
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as some
from runs import metrics, request, write_text

from lm import card, run_dir, trainer
from lm.__main__ import build_parser, main
from lm.card import Choices, card_text, checked, guess_languages
from lm.config import DataConfig
from lm.errors import HubError
from lm.figure import loss_png, smoothed
from lm.recipes import find, override
from lm.run_dir import RunDir


def test_the_metadata_is_what_the_hub_knows(shared_fox: RunDir) -> None:
    data = ModelCard(card_text(shared_fox, "alice/fox", Choices("mit", ("en",)))).data
    assert (data.library_name, data.pipeline_tag, data.license, data.language) == (
        "transformers",
        "text-generation",
        "mit",
        ["en"],
    )
    assert data.model_name == "fox" and "lm-playground" in data.tags


def test_what_was_not_chosen_is_not_said(shared_fox: RunDir) -> None:
    data = ModelCard(card_text(shared_fox, "alice/fox")).data.to_dict()
    assert "license" not in data and "language" not in data


def test_the_results_are_those_of_the_shared_checkpoint(shared_fox: RunDir) -> None:
    best = run_dir.best_record(shared_fox)
    found = {r.metric_type: r.metric_value for r in ModelCard(card_text(shared_fox, "alice/fox")).data.eval_results}
    assert found == pytest.approx(
        dict(loss=best["val_loss"], perplexity=math.exp(best["val_loss"]), bits_per_byte=best["val_bits_per_byte"]),
        abs=1e-5,
    )


def test_the_numbers_in_the_text_are_the_runs(shared_fox: RunDir) -> None:
    text, said = card_text(shared_fox, "alice/fox"), run_dir.read_json(shared_fox.config)
    best = run_dir.best_record(shared_fox)
    for number in (
        f"{said['parameters']:,} parameters", f"{best['val_loss']:.4f} nats", f"{best['val_bits_per_byte']:.4f}",
        said["corpus"]["sha256"], f"{said['corpus']['statistics']['characters']:,}",
        f"{said['tokens']['val']:,} held out",
    ):  # fmt: skip
        assert number in text


def test_no_place_is_left_empty(shared_fox: RunDir) -> None:
    text = card_text(shared_fox, "alice/fox")
    assert "More Information Needed" not in text and not re.search(r"\{\w*\}|None|\bnan\b", text)


def test_samples_of_the_start_and_of_the_end_are_shown(shared_fox: RunDir) -> None:
    text, samples = card_text(shared_fox, "alice/fox"), card.samples(shared_fox)
    assert "Step 0:" in text and f"Step {samples[-1]['step']}:" in text
    assert samples[0]["text"] in text and samples[-1]["text"] in text


def test_the_command_makes_the_same_settings(shared_fox: RunDir) -> None:
    text, said = card_text(shared_fox, "alice/fox"), run_dir.read_json(shared_fox.config)
    [line] = re.findall(r"^lm train .*$", text, re.MULTILINE)
    asked = vars(build_parser().parse_args(shlex.split(line)[1:]))
    data, model, train = override(find(asked["recipe"]), asked)
    assert (
        asked["data"] == ["fox.txt"]
        and dataclasses.asdict(train) == said["train"]
        and dataclasses.asdict(data) == said["data"]
    )
    assert dataclasses.asdict(model) | dict(vocab_size=said["model"]["vocab_size"]) == said["model"]


def commands_of(run: RunDir) -> list[str]:
    """The lines of the card that train it again."""
    return re.findall(
        r"^(?:lm (?:train|resume|fork)|#) .*$", card_text(run, "alice/fox").split("trains it again")[1], re.M
    )


def test_a_run_that_went_on_is_told_as_the_sequence_that_it_was(fox: RunDir) -> None:
    trainer.train(fox, changes=dict(steps=16))
    trainer.train(fox, changes=dict(epochs=1.0))
    first, *then = commands_of(fox)
    assert "--steps 12" in first and "--epochs" not in first
    assert then == ["lm resume fox --steps 16  # from step 12 on", "lm resume fox --epochs 1.0  # from step 16 on"]


def test_the_told_sequence_makes_the_same_run(shared_fox: RunDir, tmp_path: Path, monkeypatch) -> None:
    home = shared_fox.path.parent.parent
    copy = RunDir(Path(shutil.copytree(shared_fox.path, tmp_path / "runs" / "fox")))
    trainer.train(copy, changes=dict(steps=16))
    shutil.copy(home / "fox.txt", tmp_path / "fox.txt")
    monkeypatch.chdir(tmp_path)
    shutil.move(tmp_path / "runs", tmp_path / "before")
    for line in commands_of(RunDir(tmp_path / "before" / "fox")):
        assert main(shlex.split(line, comments=True)[1:]) == 0
    assert metrics(RunDir(tmp_path / "runs" / "fox")) == metrics(RunDir(tmp_path / "before" / "fox"))


def test_the_told_command_fine_tunes_the_same_run(fox: RunDir, tmp_path: Path, monkeypatch) -> None:
    write_text(tmp_path / "hill.txt", seed=5)
    monkeypatch.chdir(tmp_path)
    brief = "--steps 4 --batch-size 4 --grad-accum-steps 1 --eval-windows 2 --sample-tokens 0 --threads 1 --dropout 0"
    words = "train --data hill.txt --name hill --init-from fox --precision float32"
    assert main([*shlex.split(words), *shlex.split(brief)]) == 0
    first = RunDir(tmp_path / "runs" / "hill")
    [line] = commands_of(first)
    assert "--recipe fine-tune" in line and "--init-from fox" in line
    before = metrics(first)
    shutil.rmtree(first.path)
    assert main(shlex.split(line)[1:]) == 0
    assert metrics(first) == before


def test_what_a_run_began_from_is_told(fox: RunDir) -> None:
    said = run_dir.read_json(fox.config)
    run_dir.write_json(fox.config, said | dict(init_from="openai-community/gpt2"))
    assert "--init-from openai-community/gpt2" in commands_of(fox)[0]
    run_dir.write_json(fox.config, said | dict(forked_from=dict(run="wolf", checkpoint="best", step=40)))
    told = commands_of(fox)
    assert told[0] == "# begins with the best weights of run wolf, of its step 40"
    assert told[1].startswith("lm fork wolf --name fox --checkpoint best ") and "--recipe" not in told[1]


def test_the_told_command_of_a_branch_is_one_that_lm_understands(fox: RunDir) -> None:
    said = run_dir.read_json(fox.config)
    told = dict(forked_from=dict(run="wolf", checkpoint="best", step=40), data=said["data"] | dict(tokenizer="bpe"))
    run_dir.write_json(fox.config, said | told)
    asked = vars(build_parser().parse_args(shlex.split(commands_of(fox)[1])[1:]))
    assert (asked["run"], asked["name"]) == ("wolf", "fox") and "tokenizer" not in asked


def test_only_a_run_of_so_many_steps_on_a_cpu_promises_its_bits(fox: RunDir) -> None:
    said = run_dir.read_json(fox.config)
    assert card.BIT_FOR_BIT in card_text(fox, "alice/fox")
    for told in (dict(train=said["train"] | dict(minutes=2.0)), dict(device="cuda")):
        run_dir.write_json(fox.config, said | told)
        assert card.BIT_FOR_BIT not in card_text(fox, "alice/fox")


def test_a_tracker_is_nobody_elses_business(fox: RunDir) -> None:
    said = run_dir.read_json(fox.config)
    run_dir.write_json(fox.config, said | dict(train=said["train"] | dict(track="wandb")))
    assert "wandb" not in card_text(fox, "alice/fox")


def test_a_sample_cannot_leave_its_block(fox: RunDir) -> None:
    run_dir.append_record(fox.samples, dict(step=13, prompt="a", text="```\n# Not a heading\n````\n<script>"))
    text = card_text(fox, "alice/fox")
    start = text.index("# Not a heading")
    assert "`````text" in text[:start] and "`````" in text[start:].split("<script>")[1]


@given(some.text(min_size=1), some.text())
def test_any_text_can_stand_in_a_card(prompt: str, text: str) -> None:
    shown = card._sample(dict(step=1, prompt=prompt, text=text))  # noqa: SLF001
    fence = re.match(r"Step 1:\n\n(`{3,})text\n", shown)[1]
    assert shown.count(fence) == 2 and shown.endswith(f"\n{fence}")


def test_a_corpus_name_cannot_break_the_table(fox: RunDir) -> None:
    config = run_dir.read_json(fox.config)
    config["corpus"]["name"] = "a|b: *c* 'd'\n.txt"
    run_dir.write_json(fox.config, config)
    text = card_text(fox, "alice/fox")
    assert checked(text) == text and "a\\|b" in text and ModelCard(text).data.eval_results[0].dataset_type


def test_a_run_without_held_out_text_has_a_card_without_results(tmp_path) -> None:
    run = run_dir.create(tmp_path / "runs", "all")
    wanted = request(write_text(tmp_path / "fox.txt"), steps=3)
    trainer.train(run, dataclasses.replace(wanted, data=DataConfig(val_fraction=0.0)))
    text = card_text(run, "alice/all")
    assert "model-index" not in text and "no text was held out" in text and checked(text)


@pytest.mark.parametrize(
    ("sentence", "languages"),
    [("猫は丘の上でないた。", ("ja",)), ("and the fox of the hill is here", ("en",)), ("xq zv", ())],
)
def test_a_plain_language_is_guessed_and_nothing_else(fox: RunDir, sentence: str, languages: tuple) -> None:
    fox.samples.write_text("", encoding="utf-8")
    run_dir.append_record(fox.samples, dict(step=1, prompt=sentence, text=sentence))
    assert guess_languages(fox) == languages


def test_a_card_that_is_not_one_is_refused() -> None:
    with pytest.raises(HubError, match="no metadata"):
        checked("# A title\n\n---\n")


@pytest.mark.parametrize(
    "text",
    [
        "---" + "\n" * 190_000 + "x", "---\na: b" + "\n" * 100_000 + "x\n---\n", "---\n" + "- " * 3_900 + "\n---\n",
        "---\nlicense: " + "[" * 7_900 + "\n---\n", "---\na: b\n" + "---x\n" * 30_000, "x" * 10_000_000,
        "---\nlicense: &a [x, x]\n" + "".join(f"k{i}: &{b} [*{a}, *{a}]\n" for i, (a, b) in enumerate(zip("abcdefghijkl", "bcdefghijklm"))) + "---\n",
    ],
    ids=["blank lines", "a late end", "a deep list", "brackets", "no end", "too long", "aliases"],
)  # fmt: skip
def test_a_hostile_card_is_refused_at_once(text: str) -> None:
    began = time.process_time()
    with pytest.raises(HubError):
        checked(text)
    assert time.process_time() - began < 5


def test_a_card_in_a_file_may_have_so_many_characters_and_none_more(tmp_path: Path) -> None:
    path, head = tmp_path / "card.md", "---\nlicense: mit\n---\n"
    text = head + "狐" * (card.MOST_CARD - len(head))
    path.write_text(text, encoding="utf-8", newline="\n")
    assert card.read_card(path) == text
    path.write_text(text + "x", encoding="utf-8", newline="\n")
    with pytest.raises(HubError, match=f"more than {card.MOST_CARD:,} characters; shorten it"):
        card.read_card(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no file here never ends")
def test_a_card_in_a_file_that_never_ends_is_refused_at_once() -> None:
    with pytest.raises(HubError, match="more than"):
        card.read_card(Path("/dev/zero"))


def test_the_picture_is_a_picture(shared_fox: RunDir) -> None:
    picture = loss_png(shared_fox)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n") and loss_png(shared_fox) == picture


def test_smoothing_keeps_a_straight_line_and_follows_a_fall() -> None:
    line = [3.0 - 0.01 * i for i in range(200)]
    assert smoothed(line) == pytest.approx(line) and smoothed([1.0]) == [1.0] and smoothed([]) == []
