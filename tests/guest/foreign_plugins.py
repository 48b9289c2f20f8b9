"""gfpbench beside the plugins that people have: run by `tox run -e guest`, in an environment that holds them all.

Every one of them is loaded in every session below. Two of them define options that gfpbench has too (pytest-playwright
`--device`, pytest-reporter `--report`), which once kept pytest from starting in any project of such an environment.
"""

from __future__ import annotations

import importlib.metadata
import xml.etree.ElementTree as ElementTree

import pytest

PLUGINS = (
    "pytest-asyncio",
    "pytest-benchmark",
    "pytest-cov",
    "pytest-django",
    "pytest-html",
    "pytest-mpl",
    "pytest-playwright",
    "pytest-randomly",
    "pytest-regressions",
    "pytest-reporter",
    "pytest-rerunfailures",
    "pytest-xdist",
    "syrupy",
)
MEASURE = ("--restorer", "bicubic", "--limit", "2", "--protocol", "report-2021", "--gfpbench-device", "cpu")
GATE = """
    def test_gate(restoration, comparison):
        assert restoration.rows
        assert comparison.passed
"""


def test_all_of_them_are_here() -> None:
    assert [name for name in PLUGINS if not importlib.metadata.version(name)] == []


def test_a_project_of_somebody_else_starts(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing():\n    pass\n")
    outcome = pytester.runpytest_subprocess()
    outcome.assert_outcomes(passed=1)
    outcome.stdout.no_fnmatch_line("gfpbench: *")


def test_fixtures_of_those_plugins_work_beside_ours(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_mode = auto\n")
    pytester.makepyfile(
        """
        import pytest

        async def test_asyncio():
            pass

        def test_syrupy(snapshot):
            assert "text" == snapshot

        def test_regressions(data_regression):
            data_regression.check({"key": [1, 2]})

        def test_benchmark(benchmark):
            benchmark(sum, [1, 2])

        @pytest.fixture
        def baseline():
            return "theirs"

        def test_theirs(baseline):
            assert baseline == "theirs"
        """
    )
    options = ("--snapshot-update", "--force-regen", "--cov=.", "--html=out.html", "--junitxml=out.xml", "--mpl")
    pytester.runpytest_subprocess(*options)  # writes the snapshots, and fails the regression that it generates
    outcome = pytester.runpytest_subprocess(*options[2:])
    outcome.assert_outcomes(passed=5)
    assert len(list(ElementTree.parse(pytester.path / "out.xml").getroot().iter("testcase"))) == 5


@pytest.mark.parametrize("extra", [(), ("-n", "2"), ("--reruns", "1", "--html=out.html", "--cov=.")])
def test_a_gate_works_among_them(pytester: pytest.Pytester, extra: tuple[str, ...]) -> None:
    pytester.makepyfile(GATE)
    made = pytester.runpytest_subprocess(*MEASURE, "--baseline-update-new", "--gfpbench-report", "out", *extra)
    made.assert_outcomes(passed=1)
    lines = [line for line in made.outlines if line.startswith("gfpbench: ")]
    assert len(lines) == 1
    assert "--gfpbench-device" in lines[0]
    assert "--gfpbench-report" in lines[0]
    assert (pytester.path / "out" / "index.html").exists()
    assert (pytester.path / "out" / "junit.xml").exists()
    pytester.runpytest_subprocess(*MEASURE, *extra).assert_outcomes(passed=1)


def test_order_and_seeds_of_others_change_nothing(pytester: pytest.Pytester) -> None:
    """pytest-randomly shuffles tests and seeds the global generators; every draw of ours is keyed, and stays."""
    pytester.makepyfile(
        """
        import json
        from pathlib import Path

        def test_one(restoration, degraded_input):
            scores = [restoration.scores("psnr_rgb"), degraded_input.scores("psnr_rgb")]
            with Path("told.json").open("a") as file:
                file.write(json.dumps(scores) + "\\n")

        def test_two(ground_truth):
            assert ground_truth.rows
        """
    )
    for seed in ("1", "2"):
        pytester.runpytest_subprocess(*MEASURE, f"--randomly-seed={seed}").assert_outcomes(passed=2)
    one, two = (pytester.path / "told.json").read_text().splitlines()
    assert one == two
