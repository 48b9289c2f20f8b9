"""Every test here expects laws to fail, so pytest explains no failed comparison."""

import pytest


@pytest.fixture(autouse=True)
def _no_explanations(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CI and with -v, pytest compares the two sides by difflib: minutes for files of 300 KB, read by nobody here."""
    monkeypatch.setattr("_pytest.assertion.util._reprcompare", None)
