"""Functions of test modules that need an interpreter of their own, because they fork or kill."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_CALL = """
import importlib, pathlib, sys
import gfpbench  # before the checkout is on the path, -P keeps the working folder off it: the installed one is tested
sys.path.insert(0, sys.argv[1])
getattr(importlib.import_module(sys.argv[2]), sys.argv[3])(*map(pathlib.Path, sys.argv[4:]))
"""


def run(module: str, function: str, *paths: Path, timeout: float) -> str:
    """What a function prints that is called with paths in a fresh interpreter; where that fails, so does the test."""
    command = [sys.executable, "-P", "-c", _CALL, str(Path(__file__).parents[1]), module, function, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
