"""The short names of our fixtures, ``restoration`` and the like, where no other plugin has a fixture of that name.

A fixture of a conftest or a test file overrides a plugin's. Between plugins the one that is registered last wins: ours
are registered after all plugins and before the conftest files, and only where no plugin has a fixture of that name.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gfpbench.baselines import Comparison
    from gfpbench.baselines.speed_comparison import SpeedComparison
    from gfpbench.plugin.bench import Bench
    from gfpbench.plugin.collapse_bench import CollapseBench
    from gfpbench.plugin.parity_bench import ParityBench
    from gfpbench.types import Result


@pytest.fixture(scope="session")
def bench(gfpbench_bench: Bench) -> Bench:
    """The same as ``gfpbench_bench``."""
    return gfpbench_bench


@pytest.fixture(scope="session")
def restoration(gfpbench_result: Result) -> Result:
    """The same as ``gfpbench_result``."""
    return gfpbench_result


@pytest.fixture(scope="session")
def degraded_input(gfpbench_input: Result) -> Result:
    """The same as ``gfpbench_input``."""
    return gfpbench_input


@pytest.fixture(scope="session")
def ground_truth(gfpbench_truth: Result) -> Result:
    """The same as ``gfpbench_truth``."""
    return gfpbench_truth


@pytest.fixture(scope="session")
def baseline(gfpbench_baseline: Result) -> Result:
    """The same as ``gfpbench_baseline``."""
    return gfpbench_baseline


@pytest.fixture(scope="session")
def comparison(gfpbench_comparison: Comparison) -> Comparison:
    """The same as ``gfpbench_comparison``."""
    return gfpbench_comparison


@pytest.fixture(scope="session")
def collapse_point(gfpbench_collapse: CollapseBench) -> CollapseBench:
    """The same as ``gfpbench_collapse``."""
    return gfpbench_collapse


@pytest.fixture(scope="session")
def parity(gfpbench_parity: ParityBench) -> ParityBench:
    """The same as ``gfpbench_parity``."""
    return gfpbench_parity


@pytest.fixture(scope="session")
def speed(gfpbench_speed: SpeedComparison) -> SpeedComparison:
    """The same as ``gfpbench_speed``."""
    return gfpbench_speed


SHORT_NAMES = {
    "bench": bench,
    "restoration": restoration,
    "degraded_input": degraded_input,
    "ground_truth": ground_truth,
    "baseline": baseline,
    "comparison": comparison,
    "collapse_point": collapse_point,
    "parity": parity,
    "speed": speed,
}


def add_short_names(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register those short names that no plugin has; called after all plugins are loaded and before conftest files."""
    free = ModuleType(f"{__name__}.free", "The short names of our fixtures that no other plugin has.")
    taken = {name for plugin in pluginmanager.get_plugins() for name in _fixtures_in(plugin)}
    for name, fixture in SHORT_NAMES.items():
        if name not in taken:
            setattr(free, name, fixture)
    pluginmanager.register(free, "gfpbench-short-names")


def _fixtures_in(plugin: object) -> Iterator[str]:
    """The names of the fixtures of a plugin, a module or any object. Nothing is called or looked up on it."""
    holders = [plugin] if isinstance(plugin, ModuleType) else [plugin, *type(plugin).__mro__]
    attributes = [pair for holder in holders for pair in getattr(holder, "__dict__", {}).items()]
    for attribute, value in attributes:
        # The mark of a fixture: of pytest 8.4 and newer, else of older ones.
        for mark in ("_fixture_function_marker", "_pytestfixturefunction"):
            found = getattr(value, "__dict__", {}).get(mark)
            if found is not None:
                yield getattr(found, "name", None) or attribute
