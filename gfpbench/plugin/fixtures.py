"""The plugin's fixtures: restorations, their baselines, and the claims they are tested against.

Each has a name that nobody else takes, ``gfpbench_...``, and depends on others by those names only. The short names of
the README are added by ``gfpbench.plugin.short_names``, where no other plugin has a fixture of that name.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gfpbench.plugin.bench import KEY, Bench
from gfpbench.plugin.collapse_bench import CollapseBench
from gfpbench.plugin.parity_bench import ParityBench
from gfpbench.plugin.speed_bench import SpeedBench

if TYPE_CHECKING:
    from gfpbench.baselines import Comparison
    from gfpbench.baselines.speed_comparison import SpeedComparison
    from gfpbench.types import Result


@pytest.fixture(scope="session")
def gfpbench_bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Measures cases for this session: ``bench.measure(bench.case("nano"))`` gives a Result."""
    # Waiting threads that spin cost more than the work on small shared machines; no effect once torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    session: Bench = request.config.stash[KEY]
    session.used = True
    if session.store is None:
        session.store = tmp_path_factory.mktemp("gfpbench")
    return session


@pytest.fixture(scope="session")
def gfpbench_result(request: pytest.FixtureRequest, gfpbench_bench: Bench) -> Result:
    """The Result of each restorer named on the command line, one parametrized test for each."""
    return gfpbench_bench.measure(gfpbench_bench.case(_restorer(request, gfpbench_bench)))


@pytest.fixture(scope="session")
def gfpbench_input(gfpbench_bench: Bench) -> Result:
    """The Result of the degraded faces themselves: what a restorer has to improve on."""
    return gfpbench_bench.measure(gfpbench_bench.case("input"))


@pytest.fixture(scope="session")
def gfpbench_truth(gfpbench_bench: Bench) -> Result:
    """The Result of the clean faces against themselves: the best any restorer could score."""
    return gfpbench_bench.measure(gfpbench_bench.case("truth"))


@pytest.fixture(scope="session")
def gfpbench_baseline(gfpbench_result: Result, gfpbench_bench: Bench) -> Result:
    """The stored Result that ``gfpbench_result`` is compared with; the test fails where there is none."""
    return gfpbench_bench.baseline(gfpbench_result)[0]


@pytest.fixture(scope="session")
def gfpbench_comparison(gfpbench_result: Result, gfpbench_bench: Bench) -> Comparison:
    """``gfpbench_result`` beside its stored baseline: verdicts, what changed, how surely, and what it looks like."""
    return gfpbench_bench.compare(gfpbench_result)


@pytest.fixture(scope="session")
def gfpbench_collapse(gfpbench_bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> CollapseBench:
    """Searches for collapse points in this session: ``gfpbench_collapse("nano", "noise")`` gives a Collapse."""
    return CollapseBench(gfpbench_bench, tmp_path_factory.mktemp("collapse"))


@pytest.fixture(scope="session")
def gfpbench_parity(gfpbench_bench: Bench) -> ParityBench:
    """Compares converted restorers: ``gfpbench_parity("nano", "onnx:nano.onnx")`` says safe, look or unsafe."""
    return ParityBench(gfpbench_bench)


@pytest.fixture(scope="session")
def gfpbench_speed(request: pytest.FixtureRequest, gfpbench_bench: Bench) -> SpeedComparison:
    """Time and memory of each restorer named on the command line beside their baseline on this device.

    Tests that use it run with --speed-gate (or -m speed) and are left out otherwise.
    """
    return SpeedBench(gfpbench_bench)(_restorer(request, gfpbench_bench))


def _restorer(request: pytest.FixtureRequest, session: Bench) -> str:
    """The restorer that a fixture is asked about; with ``getfixturevalue`` pytest names none, and there must be one."""
    if hasattr(request, "param"):
        return str(request.param)
    if len(session.restorers) > 1:
        raise pytest.UsageError(
            f"{request.fixturename} is asked for while a test runs, and there are several restorers "
            f"({', '.join(session.restorers)}): name it as an argument of the test"
        )
    return session.restorers[0]
