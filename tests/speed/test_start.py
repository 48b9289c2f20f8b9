"""Seconds until a command is done that touches no image, beside the import of torch that it does without; and what the
plugin costs a project that has nothing to do with gfpbench."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gfpbench import results
from gfpbench.types import Case, Result, Row

COMMAND = ("-m", "gfpbench")
COMMANDS: dict[str, tuple[str, ...]] = {
    "--help": (*COMMAND, "--help"),
    "list restorers": (*COMMAND, "list", "restorers"),
    "list metrics": (*COMMAND, "list", "metrics"),
    "compare": (*COMMAND, "compare", "new", "old"),
    "report": (*COMMAND, "report", "new", "--to", "page"),
    "python -c 'import torch'": ("-c", "import torch"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two reports of 16 faces, and a project with one test."""
    made = tmp_path_factory.mktemp("start")
    record = {"unit": "dB", "better": "higher", "best": float("inf"), "tolerance": 0.01, "minimum_side_px": 1}
    for name, better in (("old", 0.0), ("new", 0.5)):
        rows = [Row(f"face{n}", f"{n:064d}", (32, 32), {}, {}, {"psnr_rgb": 20.0 + n + better}) for n in range(16)]
        case = Case("embedded", "paper", "bicubic")
        results.write([Result(case, tuple(rows), {"psnr_rgb": record}, {}, {}, {}, {})], made / name / "results.json")
    (made / "pytest.ini").write_text("[pytest]\n")
    (made / "test_theirs.py").write_text("def test_theirs():\n    pass\n")
    return made


def start(folder: Path, words: tuple[str, ...]) -> None:
    ended = subprocess.run((sys.executable, *words), cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.benchmark(group="commands that touch no image, from start to end")
@pytest.mark.parametrize("command", COMMANDS)
def test_command(benchmark: Any, folder: Path, command: str) -> None:
    words = ("-c", "") if benchmark.disabled and command.startswith("python") else COMMANDS[command]
    benchmark.pedantic(start, (folder, words), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="a session of a project with one test")
@pytest.mark.parametrize("plugin", ["with gfpbench's plugin", "without"])
def test_session_of_another_project(benchmark: Any, folder: Path, plugin: str) -> None:
    without = () if plugin != "without" else ("-p", "no:gfpbench")
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *without)
    benchmark.pedantic(start, (folder, words), rounds=10, warmup_rounds=1)
