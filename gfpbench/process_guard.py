"""Process guard: user code cannot end the process, change its folder, output and defaults, or return from a fork."""

from __future__ import annotations

import builtins
import hashlib
import inspect
import json
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, GfpbenchError

if TYPE_CHECKING:
    import numpy as np
    import torch
else:
    np = LazyModule("numpy")
    torch = LazyModule("torch")

_T = TypeVar("_T")

_MODULES = (os, sys.modules[os.name])
"""``os`` and what it is made of: ``posix`` or ``nt``. Both hold each of the functions below."""
_ENDINGS = ("_exit", "execv", "execve")
"""What ends or replaces this process at once. All other ``os.exec...`` call one of them."""

_RELIED_ON = (builtins, hashlib, json, os, os.path, time)
"""Modules whose functions a model may replace, for as long as it runs: the run's output, files and clock need them."""

_lock = threading.Lock()
_entered = 0
_process = 0
_before: dict[tuple[ModuleType, str], Callable[..., NoReturn]] = {}
_left: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class NotAnException(Exception):
    """User code raised what ``except Exception`` does not catch, such as pytest's skip: it is the cause of this one."""


@contextmanager
def contained() -> Iterator[None]:
    """While active, ``os._exit`` and ``os.exec...`` raise SystemExit; afterwards the working folder, torch's default
    type and device, ``sys.stdout`` and ``sys.stderr``, the files behind descriptors 1 and 2, the umask, the functions
    of ``_RELIED_ON``, OpenCV's choice of code and what numpy does about a floating-point error are as before, nothing
    is gone from ``sys.path``, the recursion limit is no lower, and threads that were started and keep the process from
    ending are known to ``threads_left``.

    A run that a model ended with ``os._exit(0)`` would pass for one that succeeded, without a report. Scripts of
    published models change the working folder, and whatever has a relative path would then be looked for elsewhere.
    Children of a forking model may end as they like; one that comes back from here would write a second run into the
    same folder, so it ends.

    The C library's own ``exit``, as compiled code calls it, cannot be refused within a process. Where that matters, see
    ``gfpbench.completion`` (what an ended process leaves is known to be unfinished), ``gfpbench.supervised``
    (the commands do not believe its exit code) and ``gfpbench.run.isolated`` (it costs one image, not the run).
    """
    process, put_back = os.getpid(), _settings()
    outputs = [(number, copy) for number in (1, 2) if (copy := _copy_of(number)) is not None]
    folder, threads = _working_folder(), set(threading.enumerate())
    _refuse_endings()
    try:
        yield
    except (Exception, SystemExit):
        raise
    except BaseException as error:
        asked = _asked_to_stop(error)
        if asked is error:
            raise
        raise asked or NotAnException(f"{type(error).__name__}: {text_of(error)}") from error
    finally:
        put_back()
        for number, copy in outputs:
            _reopen(number, copy)
        if os.getpid() != process:
            _before[os, "_exit"](1)
        _allow_endings()
        if folder is not None and _working_folder() != folder:
            os.chdir(folder)
        _left.update(thread for thread in set(threading.enumerate()) - threads if not thread.daemon)


def _copy_of(descriptor: int) -> int | None:
    """Another descriptor of the same open file; None where it is closed, as by ``>&-``."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None


def _reopen(descriptor: int, copy: int) -> None:
    """Give a descriptor the open file that it had, where user code closed it or put another there; close the copy."""
    try:
        before = os.fstat(copy)
    except OSError:  # user code closed everything
        return
    try:
        same = os.path.samestat(os.fstat(descriptor), before)
    except OSError:
        same = False
    if not same:
        os.dup2(copy, descriptor)
    os.close(copy)


def raised(error: BaseException) -> BaseException:
    """What user code raised, where ``contained`` made something else of it."""
    return (error.__cause__ or error) if isinstance(error, NotAnException) else error


def text_of(error: BaseException) -> str:
    """The message of an exception of user code, in one line of at most 300 characters. Its own ``str`` may raise."""
    try:
        return " ".join(str(error).split())[:300] or "no message"
    except Exception:  # noqa: BLE001 - an exception whose own text raises is still one
        return "no message that could be read"


def called(what: str, function: Callable[..., _T], *arguments: object) -> _T:
    """Call foreign code: whatever it raises becomes one line that says whose error it is, and it can neither end the
    process nor pass for a skipped test (``contained``)."""
    try:
        with contained():
            return function(*arguments)
    except GfpbenchError:
        raise
    except (Exception, SystemExit) as error:
        own = raised(error)
        raise GfpbenchError(f"{what} failed: {type(own).__name__}: {text_of(own)}") from error


def refuse_unreadable(what: str, given: object, attributes: Iterable[str]) -> None:
    """Read attributes of an object that somebody made; any of them may be missing.

    Args:
        what: the object, in words.
        given: the object.
        attributes: their names, in the order in which they are read.

    Raises:
        BadInput: where one is a property that raises. Of one that raises AttributeError nobody could say whether it is
            offered: Python 3.11 takes it for missing, later versions do not.
        GfpbenchError: as a property raises it.
    """
    attribute = ""
    try:
        with contained():
            for attribute in attributes:
                held = inspect.getattr_static(given, attribute, None)
                missing = held is None or inspect.ismemberdescriptor(held)  # what has __slots__ may leave one empty
                getattr(given, attribute, *((None,) if missing else ()))
    except GfpbenchError:
        raise
    except (Exception, SystemExit) as error:
        own = raised(error)
        said = f"{type(own).__name__}: {text_of(own)}"
        raise BadInput(f"{what}: reading its attribute {attribute!r} failed: {said}") from error


def _asked_to_stop(error: BaseException) -> BaseException | None:
    """The exception by which somebody stops the run, or None: it is one of the model's own."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_asked_to_stop, error.exceptions)), None)
    # By name, because pytest is not imported here.
    of_pytest = not isinstance(error, Exception) and type(error).__name__ == "Failed"
    return error if of_pytest or isinstance(error, KeyboardInterrupt) else None


def _settings() -> Callable[[], None]:
    """What puts back settings of the process that user code changes and other code relies on.

    Paths that it adds and a higher recursion limit stay: its later calls need them.
    """
    default_type, default_device = torch.get_default_dtype(), torch.get_default_device()
    output, diagnostics = sys.stdout, sys.stderr
    paths, depth = list(sys.path), sys.getrecursionlimit()
    floating_point = np.geterr()
    opencv_optimized = _opencv_is_optimized()
    # It can be read only by changing it, while another thread may make a file: so to what it is as a rule.
    mask = os.umask(0o022)
    os.umask(mask)
    replaceable = [(vars(module), vars(module).copy()) for module in _RELIED_ON]
    for _, held in replaceable:
        for name in _ENDINGS:  # what ends the process is put back once the last of several blocks is left
            held.pop(name, None)

    def put_back() -> None:
        for names, before in replaceable:  # first, and by no function: any may have been replaced
            names.update(before)
        sys.stdout, sys.stderr = output, diagnostics
        np.seterr(**floating_point)
        os.umask(mask)
        if sys.getrecursionlimit() < depth:
            sys.setrecursionlimit(depth)
        if not set(paths) <= set(sys.path):
            sys.path[:] = [*paths, *(path for path in sys.path if path not in paths)]
        if _opencv_is_optimized() != opencv_optimized:  # its other code rounds otherwise: other degraded images
            sys.modules["cv2"].setUseOptimized(opencv_optimized)
        if torch.get_default_dtype() != default_type:
            torch.set_default_dtype(default_type)
        if torch.get_default_device() != default_device:
            # Not by the name "cpu": a default that is set stands in the way of every later call of torch.
            torch.set_default_device(None if default_device.type == "cpu" else default_device)

    return put_back


def _opencv_is_optimized() -> bool:
    """As OpenCV is before anybody asks for something else, where it is not loaded."""
    ask = getattr(sys.modules.get("cv2"), "useOptimized", None)
    return ask is None or bool(ask())


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
                setattr(module, name, _refusing(module, name, _before[module, name]))


def _allow_endings() -> None:
    global _entered
    with _lock:
        _entered -= 1
        if not _entered:
            for (module, name), before in _before.items():
                setattr(module, name, before)


def _refusing(module: ModuleType, name: str, before: Callable[..., NoReturn]) -> Callable[..., NoReturn]:
    def refuse(*given: Any, **named: Any) -> NoReturn:
        # A model may keep this function, having imported it by name: outside of `contained` it does what it says, as
        # whoever calls it by its module's name would see it done.
        if os.getpid() != _process:
            before(*given, **named)
        if not _entered:
            now = getattr(module, name)
            (before if now is refuse else now)(*given, **named)
        said = next(iter((*given, *named.values())), "")
        raise SystemExit(f"os.{name}({said!r})")

    return refuse


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # removed under our feet
        return None
