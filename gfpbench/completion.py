"""Whether a report is complete: a marker file lies in its folder until everything is written.

A process that measures may end at any moment, with status 0 too. What lies in its folder then is from before, or half.
Nothing heavy is imported here before it is needed: pytest marks a report when a session starts.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

MARK = ".unfinished"
PART = "part.json"
"""Lies in the folder of a share of a run, which is no result before it is joined with the others."""


def is_unfinished(folder: Path) -> bool:
    """Whether the last run that wrote into a folder was stopped before its end, so that a new one may go on from it."""
    return (folder / MARK).exists()


def mark(folder: Path) -> None:
    """Mark a report folder as unfinished; made where it is missing. Raises OSError where the disk refuses."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text(f"process {os.getpid()}, since {now}\n", encoding="utf-8")


def begin(folder: Path) -> None:
    """Mark a report folder as unfinished; made where it is missing.

    Raises:
        DiskRefused: where the disk refuses.
    """
    from gfpbench.disk import disk

    with disk(folder):
        mark(folder)


def complete(folder: Path) -> None:
    """Take the mark away: everything that the report consists of is on the disk. Raises DiskRefused as ``begin``."""
    from gfpbench.disk import disk

    with disk(folder):
        unmark(folder)


def unmark(folder: Path) -> None:
    """Take the mark away, where there is one. Raises OSError where the disk refuses."""
    (folder / MARK).unlink(missing_ok=True)


def refuse_unfinished(folder: Path) -> None:
    """Raises BadInput where the run that writes into a folder has not come to its end, or is a part of one."""
    from gfpbench.types import BadInput

    path = folder / MARK
    if path.exists():
        said = path.read_text(encoding="utf-8", errors="replace").strip()[:200]
        raise BadInput(
            f"{folder}: the run that writes here has not finished ({said}): its results are incomplete or older ones; "
            f"run the same command to its end, or remove {path} where these results are the ones you mean"
        )
    if (folder / PART).exists():
        raise BadInput(
            f"{folder}: holds a part of a run (gfpbench run --shard), which is no result: join all parts first, with "
            "gfpbench merge PART... --report DIR"
        )
