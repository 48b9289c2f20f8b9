"""The preloaded interpreter: imports what is heavy once, and forks itself for each program that a launcher hands over.

Run as ``python server.py SOCKET ALIKE MODULES``. It has one thread and touches no device, so that a fork of it is what
a fresh interpreter would be after the same imports. It ends when its standard input does, and ends what it started.
"""

from __future__ import annotations

import atexit
import builtins
import codecs
import contextlib
import ctypes
import fcntl
import gc
import importlib
import importlib.machinery
import io
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import children  # type: ignore[import-not-found]  # beside this file, which is a program
import launcher  # type: ignore[import-not-found]

OWN = ("children", "launcher", "__main__")

PLACE = tuple(sys.argv[1:3])
"""The socket, and the file of what is alike."""
KEPT: dict[str, types.ModuleType] = {}
"""Modules that were imported before the fork, and stay as they are until its end."""
STATUS: list[int] = []
"""That of a fork's program, once it is known."""
HIGH = 512
"""Where descriptors wait while those that a program expects are put in their places."""


class Program:
    """One that was forked: its process, and the connection to the launcher that stands for it."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.handle = os.pidfd_open(pid)
        self.connection = connection
        self.ended = False

    def tell(self) -> None:
        """It has ended: say how. Its process group stays known by it until the launcher has ended too."""
        result = os.waitid(os.P_PIDFD, self.handle, os.WEXITED | os.WNOWAIT)
        assert result is not None
        killed = result.si_code != os.CLD_EXITED
        self.ended = True
        with contextlib.suppress(OSError):
            self.connection.sendall(b"%d" % (result.si_status & 0x7F if killed else result.si_status << 8))
            self.connection.shutdown(socket.SHUT_WR)

    def hear(self) -> bool:
        """A signal to pass on; where the launcher has ended, so does the whole process group, and False is returned."""
        with contextlib.suppress(OSError):
            if said := self.connection.recv(3):
                if not self.ended:
                    os.kill(self.pid, int(said))
                return True
        self.kill()
        os.waitpid(self.pid, 0)
        self.close()
        return False

    def kill(self) -> None:
        """The process, and its group; it has not been waited for, so that both numbers are still its own."""
        for ended in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError):
                ended(self.pid, signal.SIGKILL)

    def close(self) -> None:
        os.close(self.handle)
        self.connection.close()


def received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, files, _, _ = socket.recv_fds(connection, 10, 64)
    left, line = int(head), b""
    while left - len(line) > 0:
        piece = connection.recv(left - len(line))
        if not piece:
            raise ConnectionResetError
        line += piece
    return json.loads(line), files


def serve(listener: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork for each request. Returns None when the owner has ended, and in each fork the request that it is for."""
    programs: dict[int, Program] = {}
    while True:
        waiting = [program.handle for program in programs.values() if not program.ended]
        talking = {program.connection.fileno(): program for program in programs.values()}
        everything: list[Any] = [0, listener, *waiting, *talking]
        ready, _, _ = select.select(everything, [], [])
        if 0 in ready:
            for program in programs.values():
                program.kill()
            return None
        for number in ready:
            if number in programs and not programs[number].ended:
                programs[number].tell()
            elif number in talking and not talking[number].hear():
                programs = {handle: program for handle, program in programs.items() if program is not talking[number]}
        if listener in ready:
            connection, _ = listener.accept()
            try:
                request, files = received(connection)
            except (OSError, ValueError):  # the launcher was killed meanwhile
                connection.close()
                continue
            pid = os.fork()
            if not pid:
                os.setsid()
                for program in programs.values():
                    program.close()
                connection.close()
                listener.close()
                return request, files
            for number in files:
                os.close(number)
            program = Program(pid, connection)
            programs[program.handle] = program


def become(request: dict[str, Any], files: list[int], path: list[str]) -> None:
    """In the fork: be a process that was started with this environment, folder, words and open files."""
    here, *given = [_moved_up(number) for number in files]
    os.fchdir(here)
    os.close(here)
    for number, wanted in zip(given, request["files"], strict=True):
        os.dup2(number, wanted)
        os.close(number)
    os.environ.clear()
    os.environ.update(request["environment"])
    signal.pthread_sigmask(signal.SIG_SETMASK, request["blocked"])
    asked = os.environ.get("PYTHONIOENCODING", "")
    unbuffered = "-u" in request["options"]
    if asked or unbuffered:
        _encode_streams(*asked.partition(":")[::2], unbuffered=unbuffered)
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.write_through:
        sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    folders = os.environ.get("PYTHONPATH", "")
    added = [os.path.abspath(folder) for folder in folders.split(os.pathsep)] if folders else []  # noqa: PTH100
    sys.path[:] = dict.fromkeys([*added, *path])
    if "-P" not in request["options"]:
        sys.path.insert(0, os.getcwd() if request["how"] == "-m" else "")  # noqa: PTH109
    importlib.invalidate_caches()
    sys.orig_argv[:] = [sys.orig_argv[0], *request["words"]]
    sys.argv[:] = [request["how"], *request["rest"]]
    for name in OWN:
        del sys.modules[name]
    setattr(subprocess.Popen, children.METHOD, children.starting(launched))
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    vars(main).update(__annotations__={}, __builtins__=builtins, __loader__=importlib.machinery.BuiltinImporter)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):  # past the destructors of what was loaded before the fork: a quarter of a second
        libc.on_exit(libc._exit, None)
    tempfile.tempdir = None
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _encode_streams(encoding: str, errors: str, *, unbuffered: bool) -> None:
    """Standard streams as an interpreter creates them: of an encoding, with ``-u`` unbuffered."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        old = getattr(sys, name)
        if old is None:
            continue
        # With PYTHONUNBUFFERED there is nothing between the text and the file.
        through = unbuffered or old.write_through
        buffering = 0 if mode == "w" and through else -1
        buffer: Any = open(number, mode + "b", buffering, closefd=False)  # noqa: SIM115
        getattr(buffer, "raw", buffer).name = old.name
        handled = "backslashreplace" if name == "stderr" else errors or ("strict" if encoding else old.errors)
        stream: Any = io.TextIOWrapper(
            buffer, codecs.lookup(encoding).name if encoding else old.encoding, handled, newline="\n",
            line_buffering=old.line_buffering and not unbuffered, write_through=through,
        )  # fmt: skip
        stream.mode = mode
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def launched(words: Sequence[str]) -> list[str]:
    """The command that a program's own process is started with: it is forked too."""
    return [sys.executable, "-I", "-S", launcher.__file__, *PLACE, *words[1:]]


def _moved_up(number: int) -> int:
    new = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, HIGH)
    os.close(number)
    return new


def end() -> None:
    """Ends a fork after all that its program registered to be called at the end, and before what the imported modules
    did. The interpreter is not taken apart: for that it writes into most pages that it shares with the others, which
    takes longer than a short program. Where there is more to say than a status, it goes the usual way."""
    with contextlib.suppress(Exception):
        vars(sys.modules["__main__"]).clear()  # files that were left open are written
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
        if STATUS:
            os._exit(STATUS[0] & 0xFF)


@contextlib.contextmanager
def told_to_end() -> Iterator[None]:
    """Keeps the status that the program ends with; none where a signal ends it."""
    try:
        yield
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            STATUS.append(leaving.code or 0)
        else:
            STATUS.append(1)
        raise
    except KeyboardInterrupt:
        raise
    except BaseException:
        STATUS.append(1)
        raise
    STATUS.append(0)


def forget() -> None:
    """What was imported before the fork is not taken apart, object by object, at the end of each: half a second."""
    for name in KEPT:
        sys.modules.pop(name, None)


def start() -> tuple[dict[str, Any], list[int], list[str]]:
    """Import, say what is alike, and serve; returns in the forks only."""
    address, alike, modules = sys.argv[1:]
    atexit.register(forget)  # what is registered first is called last
    path = sys.path[1:]  # without the folder of this file
    states, environment = [launcher.state(os.environ)], dict(os.environ)
    for name in modules.split(","):
        importlib.import_module(name)
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        sys.exit("not preloaded: an import has started a thread")
    KEPT.update(item for item in sys.modules.items() if item[0].partition(".")[0] not in sys.stdlib_module_names)
    for name in OWN:
        del KEPT[name]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(KEPT))
    names = sorted({name.partition(".")[0] for name in sys.modules} - {*OWN})
    os.close(os.pidfd_open(os.getpid()))  # a kernel without it ends this here, and nothing is forked
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    atexit.register(end)
    states.append(launcher.state(os.environ))  # cv2 sets a variable, which its program's own processes inherit
    Path(alike).write_text(json.dumps({"states": states, "modules": names}))
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    forked = serve(listener)
    if forked is None:
        os._exit(0)
    request, files = forked
    request["environment"] |= {key: value for key, value in os.environ.items() if environment.get(key) != value}
    return request, files, path


if __name__ == "__main__":
    REQUEST, FILES, BASE = start()
    become(REQUEST, FILES, BASE)
    with told_to_end():
        if REQUEST["how"] == "-m":
            runpy._run_module_as_main(REQUEST["what"])  # type: ignore[attr-defined]  # what -m calls
        else:
            exec(compile(REQUEST["what"], "<string>", "exec"), vars(sys.modules["__main__"]))
