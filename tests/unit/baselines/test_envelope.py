"""Under which changes the noise of a restorer is measured."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gfpbench import restorers, run
from gfpbench.baselines import envelope
from gfpbench.restorers import arithmetic
from gfpbench.types import Case


class Net(torch.nn.Module):
    """Sums that depend on their order: a convolution, a mean, another convolution."""

    def __init__(self, rounds: bool = False) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(0)
        self.weights = [torch.randn(shape, generator=source) * 0.1 for shape in ((48, 3, 5, 5), (3, 48, 5, 5))]
        self.rounds = rounds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.conv2d(x, self.weights[0], padding=2)
        if self.rounds and self.weights[0].is_contiguous() and arithmetic_is_watched():
            y = y + 0.05
        y = torch.tanh(y * y.mean((2, 3), keepdim=True))
        return x + 0.1 * F.conv2d(y, self.weights[1], padding=2)


def arithmetic_is_watched() -> bool:
    from torch.overrides import _get_current_function_mode

    return _get_current_function_mode() is not None


@pytest.fixture
def case() -> Case:
    return Case("embedded", "paper", "python:mine:net", draws=2)


def measured(case: Case, net: torch.nn.Module, store: Any) -> tuple[Any, run.Parts]:
    class Mine:
        name = case.restorer

        def __call__(self, degraded: Any) -> Any:
            return restorers.from_module(net, signed=False)(degraded)

        def provenance(self) -> dict[str, str]:
            return {"restorer": case.restorer}

    bare = run.load(dataclasses.replace(case, restorer="bicubic"), device="cpu", metrics=["psnr_rgb"])
    parts = dataclasses.replace(bare, restorer=Mine())
    return run.run_case(case, parts, store=store, keep_images=0), parts


def test_a_network_is_measured_by_other_arithmetic_too(tmp_path: Any, case: Case) -> None:
    result, parts = measured(case, Net(), tmp_path)
    repeat = envelope.measure_envelope(result, parts=parts)["repeat"]
    for how in ("sums in float64", "convolutions channels last", "other convolutions"):
        assert how in repeat["how"]
    assert 0 <= repeat["places_moved"] < 0.05
    assert torch.backends.mkldnn.enabled  # put back


def test_other_arithmetic_that_gives_other_images_is_no_noise(tmp_path: Any, case: Case) -> None:
    """What is allowed for noise must not hide a change."""
    result, parts = measured(case, Net(rounds=True), tmp_path)
    repeat = envelope.measure_envelope(result, parts=parts)["repeat"]
    assert "sums in float64" not in repeat["how"]
    assert "other convolutions" in repeat["how"]
    assert repeat["restored"]["thumbnail_rgb"] <= 1


def test_other_arithmetic_is_rounding(case: Case) -> None:
    x = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    expected = Net()(x)
    with arithmetic.in_float64() as mode:
        other = Net()(x)
    assert mode.count == 3
    assert other.dtype == torch.float32
    assert not torch.equal(other, expected)
    torch.testing.assert_close(other, expected, atol=1e-5, rtol=0)
    for way in arithmetic.IN_TORCH:
        with arithmetic.computed(way):
            torch.testing.assert_close(Net()(x), expected, atol=1e-5, rtol=0)


def test_batches_and_threads_are_those_it_says(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One image alone is another path through a network than two: no measured noise may leave it out."""
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
