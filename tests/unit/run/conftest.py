"""Makes the small parts and the laws of a run importable as ``run_laws`` and ``run_damage``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

for name in ("laws", "damage"):
    if f"run_{name}" not in sys.modules:
        spec = importlib.util.spec_from_file_location(f"run_{name}", Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[f"run_{name}"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[f"run_{name}"])
