"""Starts a process of this package with two pipes to it, reads what it sends in a thread, and ends it for certain."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias

from gfpbench.run.messages import BrokenMessage, receive
from gfpbench.types import Json

if TYPE_CHECKING:
    import torch

Message: TypeAlias = "tuple[dict[str, Json], torch.Tensor | None]"
"""As ``messages.receive`` gives it."""

_PROGRAM = """
import importlib, json, os, sys
incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
nowhere = os.open(os.devnull, os.O_RDONLY)
os.dup2(nowhere, 0)
os.close(nowhere)
os.dup2(2, 1)
sys.path[:] = json.loads(sys.argv.pop())
module = importlib.import_module(sys.argv.pop())
from gfpbench.run.messages import Unheard
try:
    module.serve(incoming, outgoing)
except Unheard:
    os._exit(1)
"""
START = ("-P", "-c", _PROGRAM)
# Python looks first in the folder where the command was typed, which may hold a json.py of the user's: not with -P.
# Before anything else is imported, standard input and output are moved out of reach: whatever a restorer prints, itself
# or through a process of its own, goes to standard error, and input() finds nothing. Where nobody awaits an answer any
# more (the command has ended, or was stopped), the process ends without a word and flushes nothing.

SECONDS_TO_END = 5
"""That a process which has closed its output has, to tell how it ends."""


class Lost(Exception):
    """The process ended, or gave no answer in time. The text says which, for a person."""


class Process(Protocol):
    """What a run needs of a process that measures its batches, wherever it is: see ``ChildProcess``."""

    where: str
    """For a person: where it is."""

    def written(self, write: Callable[[IO[bytes]], None]) -> None: ...

    def ended_with(self) -> int | None: ...

    def how_it_ended(self) -> str: ...

    def hang_up(self) -> None: ...

    def end(self) -> None: ...


class ChildProcess:
    """A process that runs ``serve(incoming, outgoing)`` of a module, and a thread that reads from it: a pipe can be
    waited for with a limit in no other way that works everywhere.

    It has a session of its own, so that a Ctrl-C does not reach it and its own children end with it. It is ended when
    this object is forgotten; where this process is killed, its pipe ends.

    Args:
        module: its full name.
        deliver: called in the thread with each message, and at the end with a BrokenMessage.
        paths: where it looks for modules; where this process does unless told.
    """

    where = "a worker process"

    def __init__(
        self, module: str, deliver: Callable[[Message | BrokenMessage], None], paths: Sequence[str] = ()
    ) -> None:
        self._child = subprocess.Popen(
            (sys.executable, *START, module, json.dumps(list(paths or sys.path))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        threading.Thread(target=_read, args=(self._child.stdout, deliver), daemon=True).start()
        self._finalizer = weakref.finalize(self, _end, self._child)

    @property
    def pid(self) -> int:
        return self._child.pid

    def written(self, write: Callable[[IO[bytes]], None]) -> None:
        """Write into its pipe. Raises Lost where it reads no more."""
        assert self._child.stdin is not None
        try:
            write(self._child.stdin)
        except OSError as error:
            raise Lost(self.how_it_ended()) from error

    def ended_with(self) -> int | None:
        """Its exit status, negative for a signal; None where it runs on after it closed its output."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(SECONDS_TO_END)
        return self._child.returncode

    def how_it_ended(self) -> str:
        """In words, once its pipe has ended."""
        code = self.ended_with()
        if code is None:
            return "its process closed its output, and was ended"
        if code < 0:
            return f"its process was ended by signal {-code} ({signal.strsignal(-code)})"
        return f"its process ended with status {code} before it had answered"

    def hang_up(self) -> None:
        """Close the pipe that it reads from: it ends by itself, and ends what it has started."""
        with contextlib.suppress(OSError, ValueError):
            if self._child.stdin is not None:
                self._child.stdin.close()

    def kill(self) -> None:
        """The same as ``end``, without waiting for it: for a process that ends itself next."""
        _kill(self._child)

    def end(self) -> None:
        """Kill it with all of its children that are in its session."""
        self._finalizer()


def _read(pipe: Any, deliver: Callable[[Message | BrokenMessage], None]) -> None:
    with pipe:
        while True:
            try:
                deliver(receive(pipe))
            except (BrokenMessage, ValueError, OSError) as error:
                deliver(error if isinstance(error, BrokenMessage) else BrokenMessage("the pipe ended"))
                return


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()


def _end(child: subprocess.Popen[bytes]) -> None:
    _kill(child)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(10)
    # The other pipe is closed by the thread that reads it. To close it here would be to wait for its end, which a
    # process of the restorer's that left the session, as services do, may keep away for ever.
    with contextlib.suppress(OSError, ValueError):
        if child.stdin is not None:
            child.stdin.close()
