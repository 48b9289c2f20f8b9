"""The record of the machine tells how it rounds, beside the names of its processor and packages."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch

from gfpbench.run import environment
from gfpbench.run.environment import _rounding


@pytest.fixture(autouse=True)
def _computed_anew() -> Iterator[None]:
    _rounding.cache_clear()
    yield
    _rounding.cache_clear()


def test_threads_do_not_round_otherwise() -> None:
    before, found = torch.get_num_threads(), set()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            _rounding.cache_clear()
            found.add(environment("cpu")["rounding"])
    finally:
        torch.set_num_threads(before)
    assert len(found) == 1


def test_opencv_without_its_tuned_code_rounds_otherwise() -> None:
    tuned = environment("cpu")["rounding"]
    if not cv2.useOptimized():
        pytest.skip("this OpenCV has no tuned code")
    cv2.setUseOptimized(False)
    try:
        assert environment("cpu")["rounding"] != tuned
    finally:
        cv2.setUseOptimized(True)
    assert environment("cpu")["rounding"] == tuned


def test_products_that_add_in_another_order_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another BLAS, or another of its kernels, would."""
    before = environment("cpu")["rounding"]
    _rounding.cache_clear()
    multiply = np.matmul
    monkeypatch.setattr(np, "matmul", lambda a, b: multiply(a[:, ::-1].copy(), b[::-1].copy()))
    assert environment("cpu")["rounding"] != before
