"""Programs that tests start and that import torch: forked from an interpreter that has imported it already.

A fresh interpreter spends two to four seconds on torch, OpenCV, and SciPy. One of its own, for each process
of tests, imports them once (``server.py``); a program is then started through ``launcher.py``, which asks that process
for a fork with the program's own environment, folder, words, open files, and signals. What the program starts through
``subprocess`` is forked likewise (``children.py``). Nothing of gfpbench is imported before the fork. Where a fork
would not be the same (options of the interpreter, other limits, variables that act at the start or in torch, a module
that hides an imported one), the launcher becomes the interpreter itself.

Not for tests whose subject is the start: what is imported, how long it takes, memory, what a killed process leaves.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.preloaded import children

MODULES = ("torch", "cv2", "scipy.ndimage", "scipy.signal", "pytest")
"""Imported before the fork. Not the plugins of pytest, whose assertions pytest rewrites while it imports them; nor
spandrel, which brings a module that complains where it is not taken apart at the end."""
WITHOUT_THEIRS = {"PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:anyio"}
"""Environment of a session of pytest without the plugins that hypothesis and anyio bring along: importing these takes
as long as the rest of a short session. What other people's plugins do to ours is asked in tests/guest."""
HERE = Path(__file__).parent


class Preloaded:
    """The interpreter that is forked; it starts with the first program and ends with this process, if not before."""

    def __init__(self, folder: Path, modules: Sequence[str] = MODULES) -> None:
        """
        Args:
            folder: an empty folder of a short name: a socket's address has 108 bytes at most.
            modules: to import before the fork.
        """
        self._modules = modules
        self._socket = folder / "socket"
        self._alike = folder / "alike.json"
        self._log = folder / "log"
        self._process: subprocess.Popen[str] | None = None

    def words(self, words: Sequence[str]) -> list[str]:
        """The command that starts the same as ``words``, where these begin with this interpreter."""
        if words[0] != sys.executable or not hasattr(os, "pidfd_open"):
            return list(words)
        if self._process is None:
            self._process = self._started()
        launcher = [sys.executable, "-I", "-S", str(HERE / "launcher.py"), str(self._socket), str(self._alike)]
        return [*launcher, *words[1:]] if self._alike.exists() else list(words)

    def script(self, name: str, folder: Path) -> None:
        """Write into a folder, for the front of ``PATH``, what starts an installed script of this interpreter."""
        installed = Path(sys.executable).parent / name
        code = f"import runpy, sys; sys.path[0] = {str(installed.parent)!r}; "
        code += f"runpy.run_path({str(installed)!r}, run_name='__main__')"
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(self.words([sys.executable, "-c", code]))} "$@"\n')
        (folder / name).chmod(0o755)

    @contextlib.contextmanager
    def starts_children(self) -> Iterator[None]:
        """Meanwhile ``subprocess`` in this process starts programs of this interpreter as ``words`` says."""
        if self._process is None:
            self._process = self._started()
        alone = getattr(subprocess.Popen, children.METHOD)
        setattr(subprocess.Popen, children.METHOD, children.starting(self.words))
        try:
            yield
        finally:
            setattr(subprocess.Popen, children.METHOD, alone)

    def _started(self) -> subprocess.Popen[str]:
        """Its standard input ends with this process, however that ends, and it with its standard input."""
        # Each request brings its own of these; a fork whose request has none must not keep the server's.
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONIOENCODING")}
        command = [
            sys.executable,
            str(HERE / "server.py"),
            str(self._socket),
            str(self._alike),
            ",".join(self._modules),
        ]
        with self._log.open("w") as log:
            process = subprocess.Popen(
                command, env=environment, cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                text=True, start_new_session=True,
            )  # fmt: skip
        assert process.stdout is not None
        with process.stdout as told:
            told.readline()
        return process

    def end(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
            self._process.kill()
            self._process.wait()
