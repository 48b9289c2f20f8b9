"""Gives every test a cache of its own and a server that misbehaves on request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.assets import laws


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[laws.Server]:
    laws.fresh_cache(tmp_path, monkeypatch)
    with laws.Server() as running:
        yield running
