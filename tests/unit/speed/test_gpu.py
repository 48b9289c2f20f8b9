"""Speed and memory on a real GPU: events, peaks of the allocator, the device's own folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from gfpbench.baselines.speed import compare_speed
from gfpbench.run.environment import device_key
from gfpbench.speed import measure_speed
from gfpbench.types import Case

LARGER = """
import torch
from gfpbench.restorers import load
from gfpbench.types import ImageBatch

def restorer(device: str = "cpu"):
    return Larger(device)

class Larger:
    def __init__(self, device):
        self.nano = load("nano", device=device)
        self.held = torch.ones(256 * 2**20, dtype=torch.uint8, device=device)

    def __call__(self, batch: ImageBatch) -> ImageBatch:
        return self.nano(batch)
"""


@pytest.mark.gpu
def test_time_and_memory_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "larger_model.py").write_text(LARGER)
    monkeypatch.syspath_prepend(tmp_path)
    sound = measure_speed(Case("embedded", "paper", "nano"), device="cuda")
    again = measure_speed(Case("embedded", "paper", "nano"), device="cuda")
    larger = measure_speed(Case("embedded", "paper", "python:larger_model:restorer"), device="cuda")
    assert sound.environment["device"] == "cuda"
    assert device_key(sound.environment).startswith(str(sound.environment["device_name"]).split()[0].lower())
    assert 0 < sound.low <= sound.ratio <= sound.high
    assert sound.batch_size == 8
    assert sound.processor_ratio is None
    assert sound.peak_mib is not None
    assert larger.peak_mib is not None
    assert again.peak_mib == pytest.approx(sound.peak_mib, abs=1)  # the allocator's count, not a sample
    assert larger.peak_mib - sound.peak_mib == pytest.approx(256, abs=2)
    found = compare_speed(larger, sound)
    assert [verdict.metric for verdict in found.failures if verdict.metric == "memory"] == ["memory"]
