"""How many files of the package one run goes through: whoever follows it has to open each of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gfpbench.assets.datasets import FACES

AT_MOST = {"none": 90, "paper": 96}
"""By degradation. One more is a file more to read for everybody: raise it only where the list below shows why."""

PROGRAM = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
"""Executes a file in a process that may be a fork: no file of the package is imported before it."""


def executed(degradation: str, folder: Path) -> list[str]:
    """The files that a run of the bicubic restorer with one metric executes a function of."""
    program, out = Path(__file__).with_name("executed.py"), folder / "files.json"
    words = ["run", "--restorer", "bicubic", "--faces", "embedded", "--degradation", degradation]
    words += ["--metric", "psnr_rgb", "--limit", "2", "--device", "cpu", "--report", str(folder / "report")]
    command = [sys.executable, "-c", PROGRAM, str(program), str(out), *words]
    subprocess.run(command, check=True, timeout=600, capture_output=True)
    files: list[str] = json.loads(out.read_text())
    return files


@pytest.mark.usefixtures("forked_processes")
@pytest.mark.parametrize("degradation", AT_MOST)
def test_a_run_goes_through_few_files(degradation: str, tmp_path: Path) -> None:
    files = executed(degradation, tmp_path)
    listed = "\n".join(files)
    assert len(files) <= AT_MOST[degradation], f"{len(files)} files are executed:\n{listed}"
    assert {"cli/measure.py", "run/engine.py", "restorers/plain.py", "report/page.py"} <= set(files), listed
    assert ("degrade/chain.py" in files) == (degradation == "paper"), listed
    # Neither other face sets, nor what goes on with an unfinished run, nor other parts of a case.
    others = {row.loader.partition(":")[0] for name, row in FACES.items() if name != "embedded"}
    others = {f"{name.removeprefix('gfpbench.').replace('.', '/')}.py" for name in others}
    others |= {"run/resume.py", "run/isolated.py", "report/gate_view.py"}
    assert others & set(files) == set(), listed
    assert not [file for file in files if file.startswith(("photos/", "baselines/", "collapse/", "speed/"))], listed
