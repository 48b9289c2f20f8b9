"""Under which changes the noise of a restorer is measured."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gfpbench import run
from gfpbench.baselines import envelope
from gfpbench.types import Case


def test_batches_and_threads_are_those_it_says(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture alone is another path through a network than two: no measured noise may leave it out."""
    case = Case("embedded", "none", "bicubic", draws=2)
    result = run.measure(case, store=tmp_path, metrics=["psnr_rgb"], keep_images=0)
    asked: list[tuple[int, int, int]] = []
    run_case = run.run_case

    def listening(case: Case, parts: run.Parts, **named: Any) -> Any:
        asked.append((case.limit or 0, named["batch_size"], torch.get_num_threads()))
        return run_case(case, parts, **named)

    monkeypatch.setattr(run, "run_case", listening)
    before = torch.get_num_threads()
    found = envelope.measure_envelope(result)
    assert asked[:3] == [(4, 8, before), (4, 1, 1), (4, 3, 2)]
    assert asked[3:] == [(4, 8, before)]  # dithered; nothing is degraded, so no other implementation does it
    assert torch.get_num_threads() == before
    assert found["images"] == 4
    assert found["repeat"]["exact"] is True
    assert found["repeat"]["bytes_moved"] == 0
    assert found["elsewhere"]["bytes_moved"] == 1
    assert found["elsewhere"]["exact"] is False
