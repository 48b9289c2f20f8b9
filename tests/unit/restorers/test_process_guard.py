"""What a model does to the process it runs in stays with the model."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from gfpbench.restorers.process_guard import contained


def test_a_model_cannot_end_the_process() -> None:
    real = os._exit
    with pytest.raises(SystemExit, match=r"os._exit\(0\)"), contained():
        os._exit(0)
    assert os._exit is real


def test_the_working_folder_and_the_default_type_come_back(tmp_path: Path) -> None:
    here = Path.cwd()
    with contained():
        os.chdir(tmp_path)
        torch.set_default_dtype(torch.float64)
    assert Path.cwd() == here
    assert torch.get_default_dtype() == torch.float32


def test_a_folder_that_is_gone_is_no_reason_to_fail(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    code = (
        "import os, sys\nfrom gfpbench.restorers.process_guard import contained\n"
        "os.rmdir(sys.argv[1])\nwith contained():\n    pass\nprint('fine')"
    )
    gone.mkdir()
    done = subprocess.run([sys.executable, "-c", code, str(gone)], cwd=gone, capture_output=True, text=True, check=True)
    assert done.stdout == "fine\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_may_end_and_may_not_come_back(tmp_path: Path) -> None:
    came_back = tmp_path / "came back"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of a fork beside threads
        with contained():
            ending = os.fork()
            if ending == 0:
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(ending, 0)[1]) == 7
            child = os.fork()
        if child == 0:  # not reached: this would be a second test run
            came_back.touch()
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert not came_back.exists()
