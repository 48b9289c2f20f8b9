"""Has the processes that a process starts through ``subprocess`` begin as forks of the preloaded interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

METHOD = "_execute_child"


def starting(words: Callable[[Sequence[str]], Sequence[str]]) -> Callable[..., Any]:
    """What stands for ``Popen._execute_child``, where ``words`` says how a command of this interpreter is started."""
    alone = getattr(subprocess.Popen, METHOD)

    def start(self: Any, args: Any, executable: Any, *more: Any) -> Any:
        if executable is None and isinstance(args, (list, tuple)) and args[:1] in ([sys.executable], (sys.executable,)):
            args = words([str(word) for word in args])
        return alone(self, args, executable, *more)

    return start
