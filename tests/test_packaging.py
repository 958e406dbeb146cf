"""What hosting and installing need: one list of dependencies, a README that makes a Space, files that ship."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from lm.__main__ import build_parser

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="Python 3.10 has no TOML reader of its own")

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def front_matter() -> dict:
    return yaml.safe_load(README.split("---")[1])


def test_requirements_are_the_dependencies() -> None:
    wanted = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    assert wanted == PROJECT["dependencies"]


def test_every_dependency_has_its_reason_in_the_readme() -> None:
    reasons = README.split("## Dependencies")[1]
    for dependency in PROJECT["dependencies"]:
        assert f"`{re.split(r'[^a-z-]', dependency)[0]}`" in reasons, dependency


def test_the_readme_makes_a_gradio_space() -> None:
    space = front_matter()
    assert space["sdk"] == "gradio" and (ROOT / space["app_file"]).is_file()
    [gradio] = [d for d in PROJECT["dependencies"] if d.startswith("gradio")]
    assert space["sdk_version"].startswith(re.search(r">=(\d+\.\d+)", gradio).group(1))
    assert space["hf_oauth"] is True and "write-repos" in space["hf_oauth_scopes"]
    assert len(space["short_description"]) <= 60


def test_every_command_in_the_readme_exists() -> None:
    shown = set(re.findall(r"\blm ([a-z]+) ", README.split("## From the command line")[1].split("From Python")[0]))
    [commands] = [action.choices for action in build_parser()._actions if action.dest == "command"]
    assert shown | {"recipes"} == set(commands)


def test_every_room_in_the_readme_exists() -> None:
    rooms = README.split("### Rooms")[1].split("### The run directory")[0]
    named = re.findall(r"`((?:lm|playground|assets)/[\w.]*|app\.py)`", rooms)
    assert len(named) > 20 and all((ROOT / name).exists() for name in named)
    files = {f"lm/{path.name}" for path in (ROOT / "lm").glob("*.py")} - {"lm/__init__.py"}
    assert files <= set(named), files - set(named)


def test_every_file_that_a_promise_names_exists() -> None:
    promises = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    keepers = re.findall(r"`((?:lm|playground|benchmarks)/\w+\.py)`", promises)
    tests = [f"tests/{name}" for name in re.findall(r"`((?:browser/)?test_\w+\.py)`", promises)]
    assert len(keepers) > 15 and len(tests) > 30
    assert [name for name in keepers + tests if not (ROOT / name).is_file()] == []


def test_a_wheel_carries_the_page_and_the_sample_texts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "lm/__main__.py",
        "playground/tabs/train.py",
        "lm_playground_assets/tales.txt",
        "lm_playground_assets/style.css",
    ):
        assert name in names
