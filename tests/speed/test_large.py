"""Results of many images: reading them, how much memory their rows keep, and the report of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gfpbench import report, results
from tests import child
from tests.speed.large import large

FEW = 2500
"""Images where nothing is timed."""


def images_of(benchmark: Any, images: int) -> int:
    return min(images, FEW) if benchmark.disabled else images


def kept_by_rows(path: Path) -> None:
    """Prints by how many KiB this process grows where it reads the Results of a file."""
    import gc

    results.read(path.with_name("one.json"))  # imports what reading needs
    before = _resident_kib()
    held = results.read(path)
    gc.collect()
    print(_resident_kib() - before, len(held[0].rows))


def _resident_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


@pytest.mark.benchmark(group="reading a results.json with 10 metrics")
@pytest.mark.parametrize("images", [1_000, 10_000, 100_000])
def test_reading(benchmark: Any, tmp_path: Path, images: int) -> None:
    """With the memory that the rows keep, in KiB for each, in ``extra_info``."""
    number, path = images_of(benchmark, images), tmp_path / "results.json"
    results.write([large(number)], path)
    results.write([large(1)], path.with_name("one.json"))
    found = benchmark.pedantic(results.read, (path,), rounds=1)
    assert len(found[0].rows) == number
    if Path("/proc/self/status").exists():
        grown, rows = map(int, child.run(__name__, "kept_by_rows", path, timeout=600).split())
        assert rows == number
        benchmark.extra_info["kib_a_row"] = round(grown / number, 2)


@pytest.mark.benchmark(group="the report of input and one restorer, 10 metrics")
@pytest.mark.parametrize("images", [10_000, 100_000])
def test_the_report(benchmark: Any, tmp_path: Path, images: int) -> None:
    number = images_of(benchmark, images)
    both = [large(number, "input"), large(number)]
    page = benchmark.pedantic(report.write_report, (both, tmp_path), {"store": None}, rounds=1)
    assert page.stat().st_size < 1_000_000  # without images; those have a bound of their own
    assert (tmp_path / "rows-1.js").stat().st_size < 300 * number
