"""A run directory that came from anywhere: what is no number is not counted with, and a run beside it is shown."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fabricated_runs import fabricate

from lm import prepare, run_dir, settings_file
from lm.errors import ConfigError, RunError
from lm.run_dir import RunDir
from playground import views
from playground.app import WATCHER
from playground.tabs import compare
from playground.workspace import Workspace

LINE = '{"step": 1, "loss": %s}'


@pytest.mark.parametrize("loss", ['"x"', "null", "true", "[]", "{}", "1e999", "-1e400", "1" + "0" * 400, "NaN"])
def test_a_line_whose_number_is_none_is_damaged(tmp_path: Path, loss: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(LINE % loss + "\n", encoding="utf-8")
    with pytest.raises(RunError, match="damaged line.*delete that line"):
        run_dir.read_metrics(tmp_path)


@pytest.mark.parametrize(
    "line", ['{"step": -1}', '{"step": 1.5}', '{"step": "1"}', '{"step": 1, "expert_shares": [0.5, "x"]}']
)
def test_a_step_is_a_count_and_the_use_of_experts_is_rows_of_numbers(tmp_path: Path, line: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(RunError, match="damaged line"):
        run_dir.read_metrics(tmp_path)


def test_names_that_nobody_knows_are_passed_on(tmp_path: Path) -> None:
    record = dict(step=1, loss=2.5, of_a_later_version=dict(any="thing"), expert_shares=[[0.25, 0.75]])
    run_dir.append_record(tmp_path / "metrics.jsonl", record)
    assert run_dir.read_metrics(tmp_path)[0] == [record]


def test_a_sample_is_a_step_and_texts(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text('{"step": 1, "prompt": "a", "text": ["b"]}\n', encoding="utf-8")
    with pytest.raises(RunError, match="damaged line"):
        run_dir.read_samples(path)


def spoilt(path: Path, damage: str) -> None:
    """Put something else where the file was."""
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("this system has no named pipes")
        os.mkfifo(path)
    elif damage == "loop":
        path.symlink_to(path)
    else:
        path.write_text(damage, encoding="utf-8")


ODD = dict(
    recipe=[1], parameters="many", corpus=dict(name={}), model=[], tokens=dict(train="x"), data=dict(tokenizer=7),
    forked_from=dict(run=[], step="x"),
)  # fmt: skip
DAMAGES = ("folder", "pipe", "loop", "", "[]", "7", '{"step": "x", "loss": {}, "val_loss": []}\n', json.dumps(ODD))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["config.json", "status.json", "metrics.jsonl", "samples.jsonl", "log.txt"])
def test_a_run_beside_a_damaged_one_is_shown(tmp_path: Path, name: str, damage: str) -> None:
    space = Workspace(tmp_path / "workspace", tmp_path / "runs")
    fabricate(space.runs_dir, "calm")
    spoilt(fabricate(space.runs_dir, "odd").path / name, damage)
    for shown in ("odd", "calm"):
        assert "calm" in str(WATCHER.choose(space, shown, "en"))
    assert "calm" in str(compare.show(space, ["calm", "odd"], {}, "en")[2])


def test_a_file_of_settings_that_nests_without_end_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[" * 900_000, encoding="utf-8")
    with pytest.raises(ConfigError, match="is not JSON"):
        settings_file.read(tmp_path / "x.json")


def test_a_file_of_settings_that_never_ends_is_refused_before_memory_is_spent(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b" " * (settings_file.MOST_BYTES + 1))
    for path in filter(Path.exists, (tmp_path / "x.json", Path("/dev/zero"))):
        with pytest.raises(ConfigError, match="too large"):
            settings_file.read(path)


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [("model", "vocab_size", 0), ("model", "vocab_size", 2**70), ("model", "vocab_size", None), ("", "threads", 2**70),
     ("tokens", "train", 2**70), ("", "grad_accum_steps", -1)],
)  # fmt: skip
def test_a_run_whose_settings_count_what_no_machine_has_is_refused_in_words(
    fox: RunDir, group: str, name: str, value: Any
) -> None:
    said = run_dir.read_json(fox.config)
    (said[group] if group else said)[name] = value
    run_dir.write_json(fox.config, said)
    with pytest.raises(RunError, match="is damaged.*restore it from a copy"):
        prepare.load(fox)


def test_a_log_that_leads_elsewhere_shows_no_more_than_its_end(tmp_path: Path) -> None:
    run = fabricate(tmp_path, "odd")
    run.log.write_bytes(b"x" * 100_000)
    assert len(views.log_tail(run)) <= views.LOG_BYTES
