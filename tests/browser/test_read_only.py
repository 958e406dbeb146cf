"""A folder that can only be read: what is there is looked at, and whoever wants more is told what stands in the way."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import running, visiting
from fabricated_runs import fabricate

WHY = "Read-only file system|Permission denied"


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder with one run in which nobody, not even an administrator, can write."""
    fabricate(tmp_path / "runs", "fox", steps=80)
    if os.name == "nt":
        pytest.skip("whoever made a folder may write to it there")
    if is_root := os.geteuid() == 0:
        try:
            subprocess.run(["mount", "--bind", tmp_path, tmp_path], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("an administrator writes anywhere, and nothing may be mounted here")
        subprocess.run(["mount", "-o", "remount,ro,bind", tmp_path], check=True)
    else:
        subprocess.run(["chmod", "-R", "a-w", tmp_path], check=True)
    yield tmp_path
    undo = ["umount", "-l"] if is_root else ["chmod", "-R", "u+w"]
    subprocess.run([*undo, tmp_path], check=True)


def test_a_page_over_a_folder_that_can_only_be_read_shows_what_is_there_and_says_why_not_more(
    browser, read_only: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running(read_only, TMPDIR=str(tmp_path_factory.mktemp("temporary"))) as app, visiting(browser, app) as visitor:
        page = visitor.page
        page.click("#runs [data-run=fox]")
        visitor.wait("Number(document.querySelector('#chart .plot')?.dataset.points || 0) >= 79")
        page.click("#library .new")
        page.click("#train")
        page.wait_for_selector("#choice-told .wrong:has-text('read one on the Corpus tab')")
        visitor.screenshot("read-only-train")
        visitor.tab("corpus")
        said = page.wait_for_selector("#text-limits .wrong").inner_text()
        assert re.search(f"cannot write to .*corpora: ({WHY}); choose another --runs-dir", said)
        visitor.screenshot("read-only-corpus")
        page.set_input_files("#files input[type=file]", read_only / "runs" / "fox" / "log.txt")
        page.wait_for_selector("#files >> text=log.txt")
        page.click("#read-files")
        said = page.wait_for_selector("#read-told .wrong").inner_text()
        assert re.search(f"cannot write to .*corpora: ({WHY})", said)
        assert page.eval_on_selector("#read-told .wrong", "note => note.scrollWidth <= note.clientWidth"), "a long path"
        visitor.screenshot("read-only-upload")
        page.click("#runs [data-more=fox]")
        page.click(".menu [data-deed=pin]")
        page.wait_for_selector("#library-told .wrong:has-text('runs/library.json:')")
        page.click("#runs [data-more=fox]")
        page.click(".menu [data-deed=delete]")
        page.wait_for_selector("#library-told .wrong:has-text('make it writable')")
        visitor.screenshot("read-only-delete")
        assert page.is_visible("#runs [data-run=fox]")
