"""Entry point of the `gfpbench` command: supervises the working process, whose success must be confirmed.

A restorer can end the process that it runs in, with status 0, at any moment and without a word. Here the first process
waits for the second to say that it came to its end: an exit code of 0 alone is not believed.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

VERBS = ("run", "photos", "collapse", "speed")
"""Those that run a user's model."""
VARIABLE = "GFPBENCH_WITNESS"
_SIGNALS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD") if hasattr(signal, name)}
ENDING_SECONDS = 10.0
"""How long a process may take to end after its work is done."""
SECOND = ("-P", "-c", "from gfpbench.supervised import main; main()")
"""What the second process runs: as `python -m gfpbench`, but with nothing out of the folder where the command is typed,
which may hold a ``gfpbench.py`` or a ``types.py`` of the user's."""
UNWITNESSED = 3
"""The exit code where the process ended before its work was done; as for an unexpected error, no gate has failed."""


def main() -> None:
    """Run the command, in a second process where it runs a model (on systems with POSIX pipes)."""
    witness = os.environ.pop(VARIABLE, "")
    if witness:
        _work(int(witness))
    elif os.name == "posix" and any(word in VERBS for word in sys.argv[1:2]):
        sys.exit(_supervise(sys.argv[1:]))
    else:
        gc.disable()  # until the verb's own work: what an import makes, stays
        from gfpbench.cli import main as command

        try:
            command(collect=True)
        finally:
            if "torch" not in sys.modules:  # nothing but words and numbers: the process ends, and with it all of them
                gc.freeze()


def _work(witness: int) -> None:
    """In the second process: do the work, then tell the first one its status. Ends with the first one."""
    os.set_inheritable(witness, False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_end_with_parent, args=(witness,), daemon=True).start()
    gc.disable()
    from gfpbench.cli import main as command

    status: object = 0
    try:
        command(collect=True)
    except SystemExit as ending:
        status = ending.code
        raise
    finally:
        with contextlib.suppress(OSError):
            os.write(witness, f"{status if isinstance(status, int) else 0 if status is None else 1}\n".encode())


def _end_with_parent(witness: int) -> None:
    """The other end of the socket is open for as long as the first process lives, which never writes to it."""
    with contextlib.suppress(OSError):
        while os.read(witness, 1):
            pass
        os.kill(os.getpid(), signal.SIGKILL)


def _supervise(words: Sequence[str]) -> int:
    """In the first process: the exit code of the second, where it said itself what that is."""
    try:
        here = os.getcwd()  # noqa: PTH109 - pathlib takes as long to import as the rest of this process
    except FileNotFoundError:  # in which torch ends the process
        _say("the folder where this was typed has been removed: change to another one")
        return 2
    # Python looks first in the folder where `python -m gfpbench` was typed, here and in the second process.
    typed_as_module = sys.path[:1] == [here]
    mine, theirs = socket.socketpair()
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    child = subprocess.Popen(
        (sys.executable, *(("-m", "gfpbench") if typed_as_module else SECOND), *words),
        pass_fds=(theirs.fileno(),),
        env={**os.environ, VARIABLE: str(theirs.fileno())},
    )
    theirs.close()
    mine.setblocking(False)
    with mine:
        code, said = _waited_for(child, mine)
    if code < 0:
        if said:
            return int(said)
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        _say(f"the work was ended by {name} before it was done; the same command goes on from there")
        return 128 - code
    if said.strip() != str(code).encode():
        _say(
            f"the process ended with status {code} before the work was done, so nothing was decided: a restorer ended "
            "it, closed files not its own, or took longer than --seconds-per-image (then where it was stands above); "
            "with --isolate such a restorer is reported as failed and the others are measured"
        )
        return UNWITNESSED
    return code


def _waited_for(child: subprocess.Popen[bytes], witness: socket.socket) -> tuple[int, bytes]:
    """The exit code of a process, once it has one, and what it said itself.

    Signals go on to it, but for a Ctrl-C, which reaches both. Where it has said that it is done and does not end, a
    thread that a restorer has started keeps it: it is ended.
    """
    said, until = b"", 0.0
    while child.poll() is None:
        if not hasattr(signal, "sigtimedwait"):
            child.wait()
            break
        with contextlib.suppress(BlockingIOError):
            said = said or witness.recv(64)
        until = until or (time.monotonic() + ENDING_SECONDS if said else 0.0)
        if said and time.monotonic() > until:
            child.kill()
        info = signal.sigtimedwait(_SIGNALS, 1.0)
        pressed = info is not None and info.si_signo == signal.SIGINT and info.si_code > 0  # sent by the terminal
        if info is not None and info.si_signo != signal.SIGCHLD and not pressed:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(info.si_signo)
    with contextlib.suppress(OSError):
        said = said or witness.recv(64)
    return child.returncode, said


def _say(line: str) -> None:
    print(f"gfpbench: {line}", file=sys.stderr)
