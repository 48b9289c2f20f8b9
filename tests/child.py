"""Processes that tests start: functions of test modules that fork or kill, and a browser. None of them stays."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_CALL = """
import importlib, pathlib, sys
import gfpbench  # before the checkout is on the path: the installed one is tested
sys.path.insert(0, sys.argv[1])
getattr(importlib.import_module(sys.argv[2]), sys.argv[3])(*map(pathlib.Path, sys.argv[4:]))
"""

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""Chromium, where it is installed."""


def run(module: str, function: str, *paths: Path, timeout: float) -> str:
    """What a function prints that is called with paths in a fresh interpreter (a fork of the preloaded one, where the
    test uses ``forked_processes``); where that fails, so does the test."""
    command = [sys.executable, "-P", "-c", _CALL, str(Path(__file__).parents[1]), module, function, *map(str, paths)]
    done = run_group(command, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_group(words: Sequence[str], timeout: float, **how: Any) -> subprocess.CompletedProcess[str]:
    """``subprocess.run`` with captured text, which leaves no process behind: not of the command, not of its children.

    ``subprocess.run`` itself ends the command only when its time is over; a child of the command that holds the pipe
    then keeps the caller waiting without an end.

    Args:
        words: the command.
        timeout: in seconds; then the test fails with TimeoutExpired.
        how: further arguments of ``subprocess.Popen``.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(words, **{**pipes, **how}) as process:
        try:
            out, errors = process.communicate(timeout=timeout)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(words, process.returncode, out, errors)
