"""Starts a program: in a fork of the preloaded interpreter where that is the same, as the interpreter itself otherwise.

Run as ``python -I -S launcher.py SOCKET ALIKE WORDS...`` in place of ``python WORDS...``. This process stands for the
program: it has its process id, passes signals on to it, and ends as it ended. It imports little: each start pays.
"""

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any

ACTING = (
    "ATEN_", "CUDA_", "GLIBC_", "GOMP_", "KMP_", "LANG", "LC_", "LD_", "MALLOC_", "MKL_", "NUMEXPR_", "NVIDIA_", "OMP_",
    "OPENBLAS_", "OPENCV_", "PYTHON", "PYTORCH_", "TORCH", "TZ",
)  # fmt: skip
"""Beginnings of environment variables that act where an interpreter starts or a heavy package is imported."""
REPLACED = ("PYTHONPATH", "PYTHONIOENCODING", "TORCHINDUCTOR_CACHE_DIR")
"""Those of them that a fork can follow: the last is read by torch's compiler, which is imported after the fork, and
which sets it in the process of tests once one of them has imported it."""
MODULE = (".py", ".pyc", ".so")
"""Endings of a file that is a module: a project has a pytest.ini."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def state(environment: Mapping[str, str]) -> dict[str, Any]:
    """What a process inherits and a fork of another one would not: an equal state makes the two starts equal."""
    with open("/proc/self/status") as told:  # noqa: PTH123  # pathlib takes longer to import than all of this
        ignored = [line for line in told if line.startswith("SigIgn")]
    with open("/proc/self/limits") as told:  # noqa: PTH123
        limits = told.read()
    mask = os.umask(0)
    os.umask(mask)
    acting = {key: value for key, value in environment.items() if key.startswith(ACTING) and key not in REPLACED}
    return {"acting": acting, "ignored": ignored, "limits": limits, "umask": mask, "nice": os.nice(0)}


def options(words: list[str]) -> tuple[set[str], list[str]]:
    """Those options that come first and that a fork can follow, and what comes after them: ``-u``, as pytest-xdist
    starts its workers, and ``-P``, as gfpbench starts processes of its own. A fork's streams and path are as they say;
    only ``sys.flags`` cannot be."""
    given = set()
    while words[:1] in (["-u"], ["-P"]):
        given.add(words[0])
        words = words[1:]
    return given, words


def module_or_code(words: list[str]) -> tuple[str, str, list[str]] | None:
    """``-m`` or ``-c``, its argument, and what follows; None for anything else."""
    match words:
        case [("-m" | "-c") as how, what, *rest]:
            return how, what, rest
        case [word, *rest] if word[:2] in ("-m", "-c") and len(word) > 2:
            return word[:2], word[2:], rest
    return None


def hidden_by(folders: list[str], names: list[str]) -> bool:
    """Whether a folder has a module of a name that is imported already, or one that every start imports."""
    known = {*names, "sitecustomize", "usercustomize"}
    for folder in folders:
        with contextlib.suppress(OSError):
            for name in os.listdir(folder or "."):  # noqa: PTH208
                stem, dot, _ = name.partition(".")
                module = name.endswith(MODULE) if dot else os.path.exists(f"{folder or '.'}/{name}/__init__.py")  # noqa: PTH110
                if stem in known and module:
                    return True
    return False


def handed_over(address: str, known: str, words: list[str]) -> int | None:
    """The wait status of the program, run by the preloaded interpreter; None where it has to be started itself."""
    given_options, plain = options(words)
    told = module_or_code(plain)
    if not all(os.path.exists(f"/proc/self/fd/{number}") for number in range(3)):  # noqa: PTH110
        return None
    with open(known) as stored:  # noqa: PTH123
        alike = json.load(stored)
    if told is None or state(os.environ) not in alike["states"]:
        return None
    given = os.environ.get("PYTHONPATH", "")
    folders = [*(given.split(os.pathsep) if given else []), *([] if "-P" in given_options else ["."])]
    if hidden_by(folders, alike["modules"]):
        return None
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    open_files = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
    kept = [number for number in open_files if number <= 2 or _inherited(number)]
    how, what, rest = told
    request = {
        "how": how, "what": what, "rest": rest, "words": words, "environment": dict(os.environ), "files": kept,
        "options": sorted(given_options), "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    }  # fmt: skip
    line = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [b"%10d" % len(line)], [here, *kept])
        server.sendall(line)
        os.close(here)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in kept:  # a pipe that the program closes is closed
            os.dup2(nowhere, number)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda number, _: server.sendall(b"%3d" % number))
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what the program blocks waits there
        said = b""
        while piece := server.recv(64):
            said += piece
    return int(said) if said else signal.SIGKILL  # that of a process which was killed, with the preloaded interpreter


def _inherited(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:  # that of the listing itself
        return False


def main() -> None:
    address, known, *words = sys.argv[1:]
    try:
        status = handed_over(address, known, words)
    except (FileNotFoundError, ConnectionRefusedError):  # it has ended, or could not start
        status = None
    if status is None:
        os.execv(sys.executable, [sys.executable, *words])
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        signal.signal(number, signal.SIG_DFL) if number not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
