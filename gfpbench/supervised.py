"""The `gfpbench` command as a person starts it: the work is done in a second process, and success needs a witness.

A restorer can end the process that it runs in, with status 0, at any moment and without a word. Here the first process
waits for the second to say that it came to its end: an exit code of 0 alone is not believed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

VERBS = ("run", "photos", "collapse", "speed")
"""Those that run somebody's model."""
VARIABLE = "GFPBENCH_WITNESS"
_SIGNALS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD") if hasattr(signal, name)}
UNWITNESSED = 3
"""The exit code where the work ended before it was done. As of an error that nobody foresaw: no gate has failed."""


def main() -> None:
    """Run the command, in a second process where it runs a model (on systems with POSIX pipes)."""
    witness = os.environ.pop(VARIABLE, "")
    if witness:
        _work(int(witness))
    elif os.name == "posix" and any(word in VERBS for word in sys.argv[1:2]):
        sys.exit(_supervise(sys.argv[1:]))
    else:
        from gfpbench.cli import main as command

        command()


def _work(witness: int) -> None:
    """In the second process: do the work, then tell the first one its status. Ends with the first one."""
    os.set_inheritable(witness, False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_end_with_parent, args=(witness,), daemon=True).start()
    from gfpbench.cli import main as command

    status: object = 0
    try:
        command()
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
    import socket

    mine, theirs = socket.socketpair()
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    child = subprocess.Popen(
        (sys.executable, "-m", "gfpbench", *words),
        pass_fds=(theirs.fileno(),),
        env={**os.environ, VARIABLE: str(theirs.fileno())},
    )
    theirs.close()
    code = _waited_for(child)
    mine.setblocking(False)
    said = b""
    with contextlib.suppress(OSError):
        said = mine.recv(64)
    if code < 0:
        if said:
            return 128 - code
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        _say(f"the work was ended by {name} before it was done; the same command goes on from there")
        return 128 - code
    if said.strip() != str(code).encode():
        _say(
            f"the process ended with status {code} before the work was done, so nothing was decided: a restorer ended "
            "it; with --isolate such a restorer is reported as failed and the others are measured"
        )
        return UNWITNESSED
    return code


def _waited_for(child: subprocess.Popen[bytes]) -> int:
    """The exit code of a process, once it has one. Signals go on to it, but for a Ctrl-C, which reaches both."""
    while child.poll() is None:
        if not hasattr(signal, "sigtimedwait"):
            return child.wait()
        info = signal.sigtimedwait(_SIGNALS, 1.0)
        pressed = info is not None and info.si_signo == signal.SIGINT and info.si_code > 0  # sent by the terminal
        if info is not None and info.si_signo != signal.SIGCHLD and not pressed:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(info.si_signo)
    return child.returncode


def _say(line: str) -> None:
    print(f"gfpbench: {line}", file=sys.stderr)
