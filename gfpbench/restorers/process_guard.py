"""Process guard: prevents user code from ending the process, changing its folder or returning from a fork."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch


@contextmanager
def contained() -> Iterator[None]:
    """Within it ``os._exit`` raises SystemExit; after it the working folder and torch's default type are as before.

    A run that a model ended with ``os._exit(0)`` would pass for one that succeeded, without a report. Scripts of
    published models change the working folder, and whatever has a relative path would then be looked for elsewhere.
    Children of a forking model may end as they like; one that comes back from here would write a second run into the
    same folder, so it ends.
    """
    process, leave, default_type = os.getpid(), os._exit, torch.get_default_dtype()
    folder = _working_folder()

    def refuse(status: int) -> None:
        if os.getpid() != process:
            leave(status)
        raise SystemExit(f"os._exit({status})")

    os._exit = refuse  # type: ignore[assignment]
    try:
        yield
    finally:
        if os.getpid() != process:
            leave(1)
        os._exit = leave
        if torch.get_default_dtype() != default_type:
            torch.set_default_dtype(default_type)
        if folder is not None and _working_folder() != folder:
            os.chdir(folder)


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # removed under our feet
        return None
