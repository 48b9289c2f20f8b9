"""The options that gfpbench adds to pytest."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the group `gfpbench`, as `pytest --help` shows it."""
    group = parser.getgroup("gfpbench", "face restoration benchmark (gfpbench)")
    group.addoption(
        "--restorer",
        action="append",
        metavar="NAME",
        help="what to test, repeatable: a name or form that `gfpbench list restorers` shows (default: nano)",
    )
    group.addoption(
        "--faces",
        default="embedded",
        metavar="NAME|PATH",
        help="clean faces: a name of `gfpbench list faces` or a folder",
    )
    group.addoption("--degradation", default="paper", metavar="NAME", help="a name of `gfpbench list degradations`")
    group.addoption(
        "--protocol",
        action="append",
        metavar="NAME",
        help="measure as a paper does, repeatable: a name of `gfpbench list protocols` (default: ours)",
    )
    group.addoption("--limit", type=int, metavar="N", help="use the first N faces only")
    group.addoption("--seed", type=int, default=0, metavar="N", help="the seed every draw is keyed by (default: 0)")
    group.addoption("--device", default="auto", metavar="auto|cpu|cuda", help="where restorers run (default: auto)")
    group.addoption("--size", type=int, metavar="PX", help="side of the face crops (default: as the faces are)")
    group.addoption(
        "--draws",
        type=int,
        metavar="N",
        help="degrade each face N times, differently (default: 8 for embedded, else 1)",
    )
    group.addoption("--report", metavar="DIR", help="leave index.html, junit.xml and results.json in DIR")
    group.addoption(
        "--baselines", metavar="DIR", help="where baselines lie (default: baselines/quality below pytest's root folder)"
    )
    group.addoption(
        "--baseline-update", action="store_true", help="rewrite the baseline of every case that a test compares"
    )
    group.addoption(
        "--baseline-update-new", action="store_true", help="write baselines where there is none, and touch no other"
    )
    group.addoption(
        "--speed-gate",
        action="store_true",
        help="run the tests that measure speed and memory (fixture `speed`); they are left out otherwise",
    )
    group.addoption(
        "--strict-speed", action="store_true", help="a device without a baseline of speed fails, where it would skip"
    )
    group.addoption(
        "--strict-assets", action="store_true", help="a test that would skip for want of an asset or a GPU fails"
    )
