"""Reports and pairings that would print another number, and the golden case that notices."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gfpbench import images
from gfpbench.metrics import psnr
from gfpbench.report import junit
from gfpbench.restorers import outputs
from gfpbench.run import engine
from tests.unit import test_golden as golden_case

# The package's function `summary` hides the module of the same name.
summary = sys.modules["gfpbench.report.summary"]


def _worst_face_left_out(patch: pytest.MonkeyPatch) -> None:
    real = summary.measured

    def measured(result: Any, metric: str) -> dict[str, float]:
        found = real(result, metric)
        return {name: value for name, value in found.items() if value > min(found.values())} or found

    for module in (summary, junit):
        patch.setattr(module, "measured", measured)


def _pairs_by_order(patch: pytest.MonkeyPatch) -> None:
    """The sorted files one after the other, whatever they are called."""

    def find(self: Any, face_id: str) -> str:
        return str(self.files[sorted(golden_case.PSNR).index(face_id) % len(self.files)])

    patch.setattr(outputs.Outputs, "find", find)


def _not_rounded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(images, "quantized", lambda batch: batch)
    patch.setattr(psnr, "to_uint8", lambda batch: (batch.pixels * 255).to(torch.uint8))  # the fraction is cut off


def _last_batch_counted_otherwise(patch: pytest.MonkeyPatch) -> None:
    real = engine.measure_batch

    def measure(batch: Any, *given: Any) -> Any:
        found = real(batch, *given)
        if len(batch.faces) > 1:
            return found
        return dataclasses.replace(
            found, rows=tuple(dataclasses.replace(row, scores=dict.fromkeys(row.scores, 20.0)) for row in found.rows)
        )

    patch.setattr(engine, "measure_batch", measure)


@pytest.mark.parametrize(
    "sabotage", [_worst_face_left_out, _pairs_by_order, _not_rounded, _last_batch_counted_otherwise]
)
def test_another_number_is_noticed(
    sabotage: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    sabotage(monkeypatch)
    made = golden_case.Golden(tmp_path)
    with pytest.raises(AssertionError):
        golden_case.test_the_golden_case_is_shown_alike_everywhere((made, made.run()))
