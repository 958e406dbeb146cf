"""A container's quota of processor time counts, not the processors that it is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lm import processors as module
from lm.processors import CGROUPS, quotas, visible_processors

V2_LINE, V1_LINES = "0::{}\n", "9:name=systemd:{0}\n3:memory:/elsewhere\n1:{1}:{0}\n0::/\n"


def group(folder: Path, **limits: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, limit in limits.items():
        (folder / name.replace("_max", ".max").replace("cfs", "cpu.cfs")).write_text(f"{limit}\n", encoding="ascii")


def member(tmp_path: Path, line: str) -> Path:
    (tmp_path / "cgroup").write_text(line, encoding="ascii")
    return tmp_path / "cgroup"


@pytest.mark.parametrize(("limit", "found"), [("200000 100000", [2.0]), ("150000 100000", [1.5]), ("max 100000", [])])
def test_the_quota_of_a_container_in_version_2(limit: str, found: list[float], tmp_path: Path) -> None:
    group(tmp_path, cpu_max=limit)
    assert quotas(tmp_path, member(tmp_path, V2_LINE.format("/"))) == found


@pytest.mark.parametrize(("limit", "found"), [("400000", [4.0]), ("-1", [])])
@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_the_quota_of_a_container_in_version_1(
    controllers: str, limit: str, found: list[float], tmp_path: Path
) -> None:
    group(tmp_path / controllers, cfs_quota_us=limit, cfs_period_us="100000")
    assert quotas(tmp_path, member(tmp_path, V1_LINES.format("/docker/2f", controllers))) == found


def test_the_quotas_of_the_groups_around_count_too(tmp_path: Path) -> None:
    group(tmp_path / "user" / "job", cpu_max="max 100000")
    group(tmp_path / "user", cpu_max="300000 100000")
    assert quotas(tmp_path, member(tmp_path, V2_LINE.format("/user/job"))) == [3.0]


@pytest.mark.parametrize("said", ["", "nonsense", "200000", "200000 0", "a b"])
def test_a_quota_that_cannot_be_read_is_none(said: str, tmp_path: Path) -> None:
    group(tmp_path, cpu_max=said)
    assert quotas(tmp_path, member(tmp_path, V2_LINE.format("/"))) == []


def test_a_system_without_groups_has_no_quota(tmp_path: Path) -> None:
    assert quotas(tmp_path, tmp_path / "nowhere") == []


@pytest.mark.parametrize(("found", "ours"), [([], 8), ([2.0], 2), ([3.9, 2.5], 2), ([0.5], 1), ([64.0], 8)])
def test_processors_are_whole_ones_that_the_quota_pays_for(
    found: list[float], ours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "visible_processors", lambda: 8)
    monkeypatch.setattr(module, "quotas", lambda: found)
    assert module.processors.__wrapped__() == ours


@pytest.mark.skipif(not os.access(CGROUPS / "cpu", os.W_OK), reason="needs the right to make a group")
@pytest.mark.skipif(visible_processors() < 2, reason="there is nothing to limit")
def test_a_real_group_with_the_time_of_one_processor_has_one_thread() -> None:
    """Entered by a process that then asks as the command line does."""
    folder = CGROUPS / "cpu" / f"lm-test-{os.getpid()}"
    folder.mkdir()
    try:
        for name, limit in dict(period="100000", quota="100000").items():
            (folder / f"cpu.cfs_{name}_us").write_text(limit, encoding="ascii")
        ask = (
            f"import os, pathlib; pathlib.Path({str(folder / 'tasks')!r}).write_text(str(os.getpid()))\n"
            "from lm.threads import set_up_threads; set_up_threads()\n"
            "import torch; print(torch.get_num_threads())"
        )
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        said = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
        assert said.stdout.split() == ["1"]
    finally:
        folder.rmdir()
