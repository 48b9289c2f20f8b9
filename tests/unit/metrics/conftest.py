"""The oracle of per-image metrics that several tests of this folder share."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def pyiqa_metric() -> Callable[..., Any]:
    """pyiqa's metric of a name, on the CPU. Its import warns about other people's packages."""

    def create(name: str, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pyiqa

            return pyiqa.create_metric(name, device="cpu", **options)

    return create
