"""The end of a pytest process, which a thread or an exit function of a restorer would change: it comes as without it.

Python waits for every thread that is no daemon. A job in CI would wait for such a thread until its own limit, after its
tests have passed. A function that a model registered for the end of the process may end it with a status of its own:
``os._exit(0)`` there spares some a crash of a GPU's driver, and would make a failed gate a success. The commands guard
against both too (``gfpbench.supervised``); within pytest nobody stands outside.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

ENDING_SECONDS = 10.0
"""How long threads of restorers may keep a process whose session is over and that nothing else keeps."""
_LOOK_SECONDS = 0.2
_GUARD = "gfpbench.process_guard"  # looked for only, because it loads torch


def end_despite_threads(session: pytest.Session) -> None:
    """Have this process ended in a while, where it is pytest's own and threads that restorers have started keep it.

    Args:
        session: at its end, with its exit status. Nothing is done where no restorer has left a thread, or where pytest
            runs within another program, which has an end and a status of its own.
    """
    guard = sys.modules.get(_GUARD)
    if guard is not None and guard.threads_left() and _is_pytests_own(session.config):
        leaving = threading.Event()
        threading.Thread(target=_end, args=(session, leaving), name="gfpbench: end", daemon=True).start()
        # Called as the first thing when the main thread is done: concurrent.futures waits there, before Python does.
        # It has no public name; where a later Python has none at all, the process waits as it would without us.
        getattr(threading, "_register_atexit", atexit.register)(leaving.set)


def keep_the_status(session: pytest.Session) -> None:
    """From here on ``os._exit(0)`` ends this process with the exit status of its tests.

    Args:
        session: at its end. Nothing is done where no restorer was run, or where pytest runs within another program.
    """
    if _GUARD not in sys.modules or not _is_pytests_own(session.config):
        return
    process, really = os.getpid(), os._exit

    def end(status: int) -> NoReturn:
        really(status or (int(session.exitstatus) if os.getpid() == process else 0))

    for module in (os, sys.modules[os.name]):
        vars(module)["_exit"] = end


def _is_pytests_own(config: pytest.Config) -> bool:
    if hasattr(config, "workerinput"):  # pytest-xdist ends its workers itself
        return False
    program = Path(sys.argv[0])
    named = program.name in ("pytest", "py.test", "pytest.exe") or program.parent.name == "pytest"
    return named and list(config.invocation_params.args) == sys.argv[1:]


def _end(session: pytest.Session, leaving: threading.Event) -> None:
    leaving.wait()
    until = time.monotonic() + ENDING_SECONDS
    while time.monotonic() < until or _others():
        if not sys.modules[_GUARD].threads_left():
            return
        time.sleep(_LOOK_SECONDS)
    names = ", ".join(sorted(thread.name for thread in sys.modules[_GUARD].threads_left()))
    with suppress(OSError, ValueError):
        print(
            f"gfpbench: a restorer has left threads that do not end ({names}): this process is ended after "
            f"{ENDING_SECONDS:g} s, with the exit status of its tests",
            file=sys.__stderr__,
        )
    atexit._run_exitfuncs()  # other people's, such as those that write what was covered
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()  # type: ignore[union-attr]
    os._exit(int(session.exitstatus))


def _others() -> bool:
    """Whether threads of other code keep the process alive too; they are waited for."""
    left = set(sys.modules[_GUARD].threads_left())
    return any(
        not thread.daemon and thread is not threading.main_thread() and thread not in left
        for thread in threading.enumerate()
    )
