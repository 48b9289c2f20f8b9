"""Degraded images obey Eq. 6, for every preset, along each path on the CPU."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gfpbench.degrade import load
from gfpbench.types import Degradation
from tests.degradation import laws_apply


@pytest.mark.parametrize("law", laws_apply.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("preset", ["paper", "upstream", "report"])
def test_law(preset: str, law: Callable[[Degradation], None]) -> None:
    law(load(preset))
