"""The fixtures that a test asks for by name: what was restored, and what it is held against."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gfpbench.plugin.bench import KEY, Bench
from gfpbench.plugin.collapse_bench import CollapseBench

if TYPE_CHECKING:
    from gfpbench.baselines import Comparison
    from gfpbench.types import Result

RESULT_FIXTURES = ("degraded_input", "ground_truth", "restoration")
"""Those whose value is a Result."""

COMPARISONS = ("gfpbench.baselines.comparison", "gfpbench.speed.compare")
"""Where the types of comparisons live; named, so that nothing is imported before a test asks for it."""


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Measures cases for this session: ``bench.measure(bench.case("nano"))`` gives a Result."""
    # Waiting threads that spin cost more than the work on small shared machines; no effect once torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    session: Bench = request.config.stash[KEY]
    if session.store is None:
        session.store = tmp_path_factory.mktemp("gfpbench")
    return session


@pytest.fixture(scope="session")
def restoration(request: pytest.FixtureRequest, bench: Bench) -> Result:
    """The Result of each restorer named on the command line, one parametrized test for each."""
    return bench.measure(bench.case(request.param))


@pytest.fixture(scope="session")
def degraded_input(bench: Bench) -> Result:
    """The Result of the degraded faces themselves: what a restorer has to improve on."""
    return bench.measure(bench.case("input"))


@pytest.fixture(scope="session")
def ground_truth(bench: Bench) -> Result:
    """The Result of the clean faces against themselves: the best any restorer could score."""
    return bench.measure(bench.case("truth"))


@pytest.fixture(scope="session")
def baseline(restoration: Result, bench: Bench) -> Result:
    """The stored Result that ``restoration`` is compared with; the test fails where there is none."""
    return bench.baseline(restoration)[0]


@pytest.fixture(scope="session")
def comparison(restoration: Result, bench: Bench) -> Comparison:
    """``restoration`` beside its stored baseline: verdicts, what changed, how surely, and what it looks like."""
    return bench.compare(restoration)


@pytest.fixture(scope="session")
def collapse_point(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> CollapseBench:
    """Searches for collapse points in this session: ``collapse_point("nano", "noise")`` gives a Collapse."""
    return CollapseBench(bench, tmp_path_factory.mktemp("collapse"))
