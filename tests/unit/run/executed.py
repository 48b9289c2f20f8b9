"""Runs the gfpbench command under a profiler and writes which files of the package had a function executed.

``python executed.py OUT WORD...``. What runs while a module is imported is not counted.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import gfpbench
from gfpbench.cli import main

PACKAGE = Path(gfpbench.__file__).parent
found: set[str] = set()
importing = threading.local()


def heard(frame: FrameType, event: str, _: Any) -> None:
    if event not in ("call", "return"):
        return
    code = frame.f_code
    if code.co_name == "<module>":
        importing.depth = getattr(importing, "depth", 0) + (1 if event == "call" else -1)
    elif event == "call" and not getattr(importing, "depth", 0):
        found.add(code.co_filename)


if __name__ == "__main__":
    out, sys.argv = Path(sys.argv[1]), ["gfpbench", *sys.argv[2:]]
    threading.setprofile(heard)
    sys.setprofile(heard)
    try:
        main()
    finally:
        sys.setprofile(None)
        inside = [Path(name) for name in found if name.endswith(".py") and Path(name).is_relative_to(PACKAGE)]
        out.write_text(json.dumps(sorted(path.relative_to(PACKAGE).as_posix() for path in inside)))
