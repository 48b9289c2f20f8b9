"""Makes the sample importable as ``gate_sample``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if "gate_sample" not in sys.modules:
    spec = importlib.util.spec_from_file_location("gate_sample", Path(__file__).with_name("sample.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["gate_sample"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["gate_sample"])
