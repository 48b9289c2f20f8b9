"""The gate of speed on machines whose clocks are pretended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.speed.laws import LAWS


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_gate(tmp_path: Path, law: Callable[[Path], None]) -> None:
    law(tmp_path)
