"""Process guard: prevents user code from ending the process, changing its folder or returning from a fork."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from gfpbench.lazy import LazyModule

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


_MODULES = (os, sys.modules[os.name])
"""``os`` and what it is made of: ``posix`` or ``nt``. Both hold each of the functions below."""
_ENDINGS = ("_exit", "execv", "execve")
"""What ends or replaces this process at once. All other ``os.exec...`` call one of them."""

_lock = threading.Lock()
_entered = 0
_process = 0
_before: dict[tuple[ModuleType, str], Callable[..., NoReturn]] = {}
_left: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


@contextmanager
def contained() -> Iterator[None]:
    """While active, ``os._exit`` and ``os.exec...`` raise SystemExit; afterwards the working folder and torch's default
    type are as before, and threads that were started and keep the process from ending are known to ``threads_left``.

    A run that a model ended with ``os._exit(0)`` would pass for one that succeeded, without a report. Scripts of
    published models change the working folder, and whatever has a relative path would then be looked for elsewhere.
    Children of a forking model may end as they like; one that comes back from here would write a second run into the
    same folder, so it ends.

    The C library's own ``exit``, as compiled code calls it, cannot be refused within a process. Where that matters, see
    ``gfpbench.report.completion`` (what an ended process leaves is known to be unfinished), ``gfpbench.supervised``
    (the commands do not believe its exit code) and ``gfpbench.run.isolated`` (it costs one image, not the run).
    """
    process, default_type = os.getpid(), torch.get_default_dtype()
    folder, threads = _working_folder(), set(threading.enumerate())
    _refuse_endings()
    try:
        yield
    finally:
        if os.getpid() != process:
            _before[os, "_exit"](1)
        _allow_endings()
        if torch.get_default_dtype() != default_type:
            torch.set_default_dtype(default_type)
        if folder is not None and _working_folder() != folder:
            os.chdir(folder)
        _left.update(thread for thread in set(threading.enumerate()) - threads if not thread.daemon)


def threads_left() -> list[threading.Thread]:
    """Threads of models that still run and that Python waits for before the process ends."""
    return [thread for thread in list(_left) if thread.is_alive() and not thread.daemon]


def _refuse_endings() -> None:
    global _entered, _process
    with _lock:
        _entered += 1
        if _entered > 1:
            return
        _process = os.getpid()
        for module in _MODULES:
            for name in _ENDINGS:
                _before[module, name] = getattr(module, name)
                setattr(module, name, _refusing(name, _before[module, name]))


def _allow_endings() -> None:
    global _entered
    with _lock:
        _entered -= 1
        if not _entered:
            for (module, name), before in _before.items():
                setattr(module, name, before)


def _refusing(name: str, before: Callable[..., NoReturn]) -> Callable[..., NoReturn]:
    def refuse(*given: Any, **named: Any) -> NoReturn:
        # A model may keep this function, having imported it by name: outside of `contained` it does what it says.
        if os.getpid() != _process or not _entered:
            before(*given, **named)
        said = next(iter((*given, *named.values())), "")
        raise SystemExit(f"os.{name}({said!r})")

    return refuse


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # removed under our feet
        return None
