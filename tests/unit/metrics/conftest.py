"""The laws and the oracles of per-image metrics, for the tests in this folder."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def per_image_laws() -> Any:
    """The module beside this one, which pytest's importlib mode keeps off the path."""
    spec = importlib.util.spec_from_file_location("per_image_laws", Path(__file__).with_name("per_image_laws.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def pyiqa_metric() -> Callable[..., Any]:
    """pyiqa's metric of a name, on the CPU. Its import warns about other people's packages."""

    def create(name: str, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pyiqa

            return pyiqa.create_metric(name, device="cpu", **options)

    return create
