"""Makes the sample bench and the laws importable for the tests of this folder."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

for _name in ("sample", "laws"):
    if f"report_{_name}" not in sys.modules:
        _spec = importlib.util.spec_from_file_location(f"report_{_name}", Path(__file__).with_name(f"{_name}.py"))
        assert _spec is not None
        assert _spec.loader is not None
        sys.modules[f"report_{_name}"] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[f"report_{_name}"])
