"""Runs that come back after the disk is gone: pushed to a private repository, restored from it, resumed bit for bit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hub_server import Hub
from runs import metrics, request, weights, write_text

from lm import backup, run_dir, trainer
from lm.backup import Backup
from lm.errors import HubError
from lm.run_dir import RunDir, Status


@pytest.fixture
def home(fox: RunDir, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run in it, and a token that may write."""
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    return fox.path.parent.parent


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in backup.LEFT_OUT
    }


def test_what_was_pushed_comes_back_on_an_empty_disk(hub: Hub, home: Path, tmp_path: Path) -> None:
    assert Backup("alice/keep", home).push() == len(files(home / "runs"))
    assert hub.repo("alice/keep").private
    elsewhere = tmp_path / "elsewhere"
    assert Backup("alice/keep", elsewhere).restore() == len(files(home / "runs"))
    assert files(elsewhere) == {f"runs/{name}": data for name, data in files(home / "runs").items()}


def test_a_run_that_died_with_its_machine_goes_on_bit_for_bit(hub: Hub, home: Path, tmp_path: Path) -> None:
    source = write_text(tmp_path / "story.txt")
    whole, broken = (run_dir.create(home / "runs", name) for name in ("whole", "broken"))
    trainer.train(whole, request(source))
    stop = lambda record, status: run_dir.request_stop(broken) if record["step"] >= 5 else None  # noqa: E731
    trainer.train(broken, request(source), on_record=stop)
    run_dir.write_status(broken, Status(state="running", step=5, heartbeat=1.0))
    Backup("alice/keep", home).push()
    shutil.rmtree(home / "runs")
    Backup("alice/keep", home).restore()
    assert run_dir.state(broken) == "dead"
    trainer.train(broken)
    assert metrics(broken) == metrics(whole) and weights(broken) == weights(whole)


def test_only_what_changed_is_sent_and_what_was_deleted_goes(hub: Hub, home: Path) -> None:
    kept = Backup("alice/keep", home)
    kept.push()
    assert kept.push() == 0
    n_commits = len(hub.repo("alice/keep").commits)
    run_dir.append_record(home / "runs" / "fox" / "metrics.jsonl", dict(step=99))
    (home / "runs" / "fox" / "log.txt").unlink(missing_ok=True)
    assert kept.push() >= 1 and len(hub.repo("alice/keep").commits) == n_commits + 1
    assert b'"step": 99' in hub.repo("alice/keep").files["runs/fox/metrics.jsonl"]
    shutil.rmtree(home / "runs" / "fox")
    kept.push()
    assert not [name for name in hub.repo("alice/keep").files if name.startswith("runs/fox")]


def test_the_history_is_made_one_commit_now_and_then_and_nothing_is_lost(
    hub: Hub, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "SQUASH_COMMITS", 3)
    kept, lengths = Backup("alice/keep", home), []
    for step in range(9):
        run_dir.append_record(home / "runs" / "fox" / "metrics.jsonl", dict(step=100 + step))
        kept.push()
        lengths.append(len(hub.repo("alice/keep").commits))
    assert lengths == [1, 2, 3, 4, 1, 2, 3, 4, 1]
    Backup("alice/keep", tmp_path / "elsewhere").restore()
    assert files(tmp_path / "elsewhere") == {f"runs/{name}": data for name, data in files(home / "runs").items()}


def test_a_history_that_may_not_be_rewritten_is_kept_and_so_are_the_runs(hub: Hub, home: Path) -> None:
    hub.fault("super-squash", status=403, message="no")
    kept = Backup("alice/keep", home)
    assert kept.push() > 0 and kept.push() == 0
    assert len(hub.repo("alice/keep").commits) == 2


def test_a_file_that_is_here_is_never_overwritten(hub: Hub, home: Path) -> None:
    Backup("alice/keep", home).push()
    (home / "runs" / "fox" / "metrics.jsonl").write_text("mine\n", encoding="utf-8")
    Backup("alice/keep", home).restore()
    assert (home / "runs" / "fox" / "metrics.jsonl").read_text(encoding="utf-8") == "mine\n"


@pytest.mark.parametrize(
    "name", ["../evil", "runs/../../evil", "/etc/evil", "runs/a\\..\\evil", "app.py", "runs/C:evil", "runs"]
)
def test_no_name_in_a_repository_leads_out_of_its_folders(hub: Hub, home: Path, name: str) -> None:
    assert not Backup("alice/keep", home)._is_ours(name)


def test_a_public_repository_is_refused_both_ways(hub: Hub, home: Path) -> None:
    hub.add_repo("alice/open", private=False)
    for act in (Backup("alice/open", home).push, Backup("alice/open", home).restore):
        with pytest.raises(HubError, match="is public.*make it private"):
            act()


def test_a_run_that_ends_is_pushed_at_once_and_a_refusal_ends_nothing(hub: Hub, home: Path) -> None:
    run, said = RunDir(home / "runs" / "fox"), []
    kept = Backup("alice/keep", home)
    states = iter([{run.path}, set(), {run.path}, set()])
    kept._active = lambda: next(states)
    hub.fault("POST /api/models/alice/keep/commit", status=403, message="no")
    looks = iter([False, False, False, True])
    kept.keep(lambda seconds: next(looks), said.append)
    assert "were not backed up" in said[0] and "runs/fox/config.json" in hub.repo("alice/keep").files


def test_without_the_setting_nothing_is_asked(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(backup.SETTING, raising=False)
    assert backup.start(home / "runs") is None and not hub.requests


def test_a_hub_that_does_not_answer_leaves_the_page_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setenv(backup.SETTING, "no-name")
    assert backup.start(home / "runs", told.append) is None and "no backup" in told[0]
