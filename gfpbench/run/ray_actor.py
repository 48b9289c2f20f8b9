"""What runs on a node of a Ray cluster: an actor that starts a worker there and passes its messages on."""

from __future__ import annotations

import io
import os
import platform
import queue
import shutil
import sys
import tempfile
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from gfpbench.run.child_process import ChildProcess, Lost, Message
from gfpbench.run.environment import code_sha256
from gfpbench.run.key import packages
from gfpbench.run.messages import BrokenMessage, receive, send
from gfpbench.run.recorder import Features
from gfpbench.types import Json, PackageMissing

PREFIXES = ("prefix", "base_prefix", "exec_prefix")
"""The folders of an installation of Python, which may be another one on each node."""


def package() -> Any:
    """The package, with the little that it says of itself turned off. Raises PackageMissing."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else a warning of what it will change
    try:
        import ray
    except ImportError as error:
        raise PackageMissing("ray", "--engine ray", "pip install gfpbench[ray]") from error
    return ray


class Actor:
    """What runs on a node: it starts a worker process there, and passes on what is said to it and by it."""

    def __init__(self) -> None:
        self._started = threading.Event()
        self._child: ChildProcess | None = None
        self._heard: queue.SimpleQueue[Message | BrokenMessage] = queue.SimpleQueue()
        # Features of set metrics are written where they are computed: here that is a folder of this node alone.
        self._folder = Path(tempfile.gettempdir(), f"gfpbench-{uuid.uuid4().hex}")

    def begin(self, folder: str, paths: list[tuple[str, str]], variables: dict[str, str]) -> tuple[str, str, Json]:
        """Start the worker in a working folder.

        Args:
            paths: where it looks for modules, as ``module_paths`` tells of the command.
            variables: of the environment.

        Returns:
            the id of this node and its name; and what is installed here, or in words what is missing.
        """
        context = package().get_runtime_context()
        here = context.get_node_id(), platform.node()
        try:
            os.chdir(folder)
        except OSError as error:
            return *here, f"has no folder {folder} ({error.strerror}): every node has to see the same paths"
        os.environ.update(variables)
        known = [Path(getattr(sys, name), path) if name else Path(path) for name, path in paths]
        self._child = ChildProcess("gfpbench.run.worker", self._heard.put, [str(path) for path in known])
        self._started.set()
        return *here, installation()

    def ask(self, data: bytes) -> None:
        """Pass a message on to the worker. What it writes goes into a folder of this node."""
        child, (told, values) = self._process(), receive(io.BytesIO(data))
        if "folder" in told:
            told["folder"] = str(self._folder)
        with suppress(Lost):  # which the next answer tells
            child.written(lambda pipe: send(pipe, told, values))

    def answer(self) -> tuple[bytes | tuple[int | None, str], bytes | None]:
        """The next message of the worker, and the file of features that belongs to it; or how the worker ended."""
        child, heard = self._process(), self._heard.get()
        if isinstance(heard, BrokenMessage):
            ended = child.ended_with(), child.how_it_ended()
            child.end()
            shutil.rmtree(self._folder, ignore_errors=True)
            return ended, None
        told, values = heard
        held, features = io.BytesIO(), None
        send(held, told, values)
        if "measured" in told and told["measured"]["features_sha256"] is not None:
            features = Features(self._folder).path(told["measured"]["start"]).read_bytes()
            shutil.rmtree(self._folder)
        return held.getvalue(), features

    def hang_up(self) -> None:
        """End the worker, which ends what it has started."""
        if self._child is not None:
            self._child.hang_up()

    def _process(self) -> ChildProcess:
        self._started.wait()
        assert self._child is not None
        return self._child


def installation() -> dict[str, Json]:
    """What has to be the same on every node, and is known without loading anything."""
    return {"code": code_sha256()[:12], "python": platform.python_version(), "packages": dict(packages())}


def module_paths() -> list[tuple[str, str]]:
    """Where modules are looked for here, in order: below which folder of Python's installation, and where there; the
    name of that folder is empty for a path that is elsewhere, which is the same on every node."""
    found = []
    for text in sys.path:
        path = Path(text or ".").absolute()
        name = next((name for name in PREFIXES if path.is_relative_to(getattr(sys, name))), "")
        found.append((name, str(path.relative_to(getattr(sys, name)) if name else path)))
    return found
