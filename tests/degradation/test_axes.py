"""Every axis keeps every law, at any severity, seed and size."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gfpbench.degrade.axes import AXES, load_axis
from gfpbench.registry import companion
from tests.degradation import laws_axes as laws
from tests.degradation.laws_axes_physics import PHYSICS, masks_cover_what_they_say

SIZES = st.tuples(st.integers(32, 72), st.integers(32, 72))
SEVERITIES = st.floats(0, 1)
SEEDS = st.integers(0, 2**31)
FEW = settings(max_examples=5, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))

each_axis = pytest.mark.parametrize("name", sorted(AXES))


@each_axis
@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_laws(name: str, law: object) -> None:
    law(load_axis(name))  # type: ignore[operator]


@each_axis
def test_it_does_what_its_unit_says(name: str) -> None:
    law = companion(PHYSICS, name, f"axis {name!r}", "PHYSICS in tests/degradation/laws_axes_physics.py")
    law(load_axis(name))


@pytest.mark.parametrize("name", ["noise+middle", "blur+middle", "jpeg+middle", "overexposure+middle", "roll+none"])
@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_laws_on_another_base(name: str, law: object) -> None:
    law(load_axis(name))  # type: ignore[operator]


@each_axis
@FEW
@given(size=SIZES, seed=SEEDS)
def test_severity_0_is_identity(name: str, size: laws.Size, seed: int) -> None:
    laws.severity_0_is_identity(load_axis(name), size, seed)


@each_axis
@FEW
@given(severity=SEVERITIES, seed=SEEDS, size=SIZES)
def test_any_severity(name: str, severity: float, seed: int, size: laws.Size) -> None:
    axis = load_axis(name)
    laws.images_are_kept(axis, severity, seed, size)
    laws.other_images_do_not_matter(axis, severity, seed, size)
    laws.records_suffice(axis, severity, seed, size)


@pytest.mark.parametrize("name", sorted(name for name in AXES if name.startswith("occlusion")))
@FEW
@given(severity=SEVERITIES, size=SIZES)
def test_masks_cover_what_they_say(name: str, severity: float, size: laws.Size) -> None:
    masks_cover_what_they_say(load_axis(name), severity, size)


@each_axis
@settings(FEW, max_examples=30)
@given(one=SEVERITIES, other=SEVERITIES)
def test_the_value_is_monotone(name: str, one: float, other: float) -> None:
    axis = load_axis(name)
    low, high = sorted((one, other))
    step = (axis.value_at(high) - axis.value_at(low)) * (1 if axis.hardest > axis.harmless else -1)
    assert step >= 0
    assert step > 0 or high - low < 1e-9
