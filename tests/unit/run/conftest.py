"""Makes the small parts and the laws of a run importable as ``run_laws``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if "run_laws" not in sys.modules:
    spec = importlib.util.spec_from_file_location("run_laws", Path(__file__).with_name("laws.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["run_laws"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["run_laws"])
