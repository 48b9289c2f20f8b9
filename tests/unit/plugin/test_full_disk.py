"""pytest on a disk that is full: one line and an exit code that no failed test has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.preloaded import WITHOUT_THEIRS, Preloaded

LIMITED = "import resource, sys; sys.dont_write_bytecode = True; "
LIMITED += "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), -1)); "
LIMITED += "import pytest; sys.exit(pytest.main())"
OPTIONS = ("-p", "no:cacheprovider", "--restorer", "bicubic", "--limit", "2", "--protocol", "report-2021", "-q")
MINE = """
def test_restored(restoration):
    assert [row.failure for row in restoration.rows] == [None, None]

def test_unchanged(comparison):
    assert comparison.passed

def test_theirs():
    pass
"""


def with_little_space(limit: int, *options: str, cwd: Path, preloaded: Preloaded) -> subprocess.CompletedProcess[str]:
    """pytest where no file can grow beyond ``limit`` bytes, as on a disk that is nearly full."""
    (cwd / "test_mine.py").write_text(MINE)
    words = [sys.executable, "-c", LIMITED, str(limit), *OPTIONS, *options]
    how: Any = {"capture_output": True, "text": True, "timeout": 300, "check": False}
    return subprocess.run(preloaded.words(words), cwd=cwd, env={**os.environ, **WITHOUT_THEIRS}, **how)


@pytest.mark.parametrize(
    ("limit", "options", "file"),
    [
        (9_000, ("--report", "report", "-k", "restored"), "cases/bicubic"),  # its images
        (60_000, ("--report", "report", "-k", "restored"), "report/"),  # its page
    ],
)
def test_a_report_that_does_not_fit(
    tmp_path: Path, limit: int, options: tuple[str, ...], file: str, preloaded: Preloaded
) -> None:
    done = with_little_space(limit, *options, cwd=tmp_path, preloaded=preloaded)
    assert done.returncode == 2, done.stdout + done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("Exit: gfpbench: ")
    assert "cannot be written: File too large" in line
    assert file in line
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "report" / "index.html").exists()


def test_junit_xml_that_does_not_fit(tmp_path: Path, preloaded: Preloaded) -> None:
    """pytest writes it itself, and an error there would be a traceback and exit code 1."""
    refusing = "def pytest_sessionfinish():\n    raise OSError(28, 'No space left on device')\n"
    (tmp_path / "conftest.py").write_text(refusing)
    done = with_little_space(10_000_000, "--report", "report", "-k", "theirs", cwd=tmp_path, preloaded=preloaded)
    assert done.returncode == 2, done.stdout + done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.endswith("junit.xml: cannot be written: No space left on device")
    assert "Traceback" not in done.stdout + done.stderr


def test_a_baseline_that_does_not_fit(tmp_path: Path, preloaded: Preloaded) -> None:
    done = with_little_space(60_000, "--baselines", "b", "--baseline-update-new", cwd=tmp_path, preloaded=preloaded)
    assert done.returncode == 0, done.stdout
    (written,) = (tmp_path / "b").rglob("*.json")
    written.unlink()
    done = with_little_space(
        2_000, "--baselines", "b", "--baseline-update-new", "-k", "unchanged", cwd=tmp_path, preloaded=preloaded
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "cannot be written: File too large" in done.stderr.strip().splitlines()[-1]
    assert "baseline written" not in done.stdout
    assert not list((tmp_path / "b").rglob("*.json"))


def test_a_test_that_fails_is_still_exit_code_1(tmp_path: Path, preloaded: Preloaded) -> None:
    (tmp_path / "test_theirs.py").write_text("def test_it():\n    assert 'DiskRefused' == ''\n")
    done = with_little_space(10_000_000, "--report", "report", "-k", "test_it", cwd=tmp_path, preloaded=preloaded)
    assert done.returncode == 1, done.stdout + done.stderr
