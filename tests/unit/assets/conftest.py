"""Makes the laws importable, and gives every test a cache of its own and a server that misbehaves on request."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if "asset_laws" not in sys.modules:
    spec = importlib.util.spec_from_file_location("asset_laws", Path(__file__).with_name("laws.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules["asset_laws"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["asset_laws"])

import asset_laws


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[asset_laws.Server]:
    asset_laws.fresh_cache(tmp_path, monkeypatch)
    with asset_laws.Server() as running:
        yield running
