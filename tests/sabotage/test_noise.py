"""The noise that a baseline allows a small network: innocent arithmetic passes, and no real change hides behind it."""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gfpbench import baselines, restorers, run
from gfpbench.types import Case, ImageBatch, Result

CASE = Case("embedded", "paper", "python:mine:net", size_px=64)


class Net(nn.Module):
    """Residual convolutions with batch normalisation and a gate by each channel's mean, on [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.tail = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 3, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(32) for _ in range(4))
        self.mean: Callable[[torch.Tensor], torch.Tensor] = lambda x: x.mean((2, 3), keepdim=True)
        self.dtype, self.layout = torch.float32, torch.contiguous_format
        with torch.no_grad():
            for _ in range(2):  # running means and variances
                self(torch.rand(4, 3, 48, 48))
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.to(self.dtype, memory_format=self.layout)
        y = F.relu(self.head(x))
        for convolution, norm in zip(self.body, self.norms, strict=True):
            z = norm(convolution(y))
            y = F.relu(y + z * torch.sigmoid(self.mean(z)))
        return (x + 0.2 * torch.tanh(self.tail(y))).float()


def measured(net: nn.Module, **settings: Any) -> tuple[Result, run.Parts]:
    class Mine:
        name = CASE.restorer

        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            return restorers.from_module(net, signed=False)(degraded)

        def provenance(self) -> dict[str, str]:
            return {"restorer": CASE.restorer}

    bare = run.load(dataclasses.replace(CASE, restorer="bicubic"), device="cpu", metrics=["psnr_rgb", "ssim_rgb"])
    parts = dataclasses.replace(bare, restorer=Mine())
    with tempfile.TemporaryDirectory() as folder:
        return run.run_case(CASE, parts, store=Path(folder), keep_images=0, **settings), parts


@pytest.fixture(scope="module")
def baseline() -> Result:
    result, parts = measured(Net())
    return dataclasses.replace(result, envelope=baselines.measure_envelope(result, parts=parts))


def in_float64(net: Net) -> None:
    net.double()
    net.dtype = torch.float64


def folded(net: Net) -> None:
    net.body = nn.ModuleList(fuse_conv_bn_eval(a, b) for a, b in zip(net.body, net.norms, strict=True))  # type: ignore[type-var, arg-type]
    net.norms = nn.ModuleList(nn.Identity() for _ in net.body)


def mean_otherwise(net: Net) -> None:
    net.mean = lambda x: (x.sum(3) / x.shape[3]).sum(2)[..., None, None] / x.shape[2]


def channels_last(net: Net) -> None:
    net.to(memory_format=torch.channels_last)
    net.layout = torch.channels_last


def without_onednn(net: Net) -> None:
    forward = net.forward

    def call(x: torch.Tensor) -> torch.Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="TF32 acceleration on top of oneDNN")
            with torch.backends.mkldnn.flags(enabled=False, allow_tf32=False):
                return forward(x)

    net.forward = call  # type: ignore[method-assign]


def one_layer_in_bf16(net: Net) -> None:
    net.body[1].register_forward_hook(lambda module, given, out: out.bfloat16().float())


def weights_noisy(net: Net) -> None:
    source = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in (*net.tail.parameters(), *net.body[3].parameters()):
            weight.mul_(1 + 0.005 * torch.randn(weight.shape, generator=source))


def grain(net: Net) -> None:
    def add(module: nn.Module, given: Any, out: torch.Tensor) -> torch.Tensor:
        return out + 0.15 / 255 * torch.randn(out.shape[1:], generator=torch.Generator().manual_seed(5))

    net.register_forward_hook(add)


@pytest.mark.parametrize("change", [in_float64, folded, mean_otherwise, channels_last, without_onednn])
def test_innocent_arithmetic_passes(baseline: Result, change: Callable[[Net], None]) -> None:
    net = Net()
    change(net)
    comparison = baselines.compare(measured(net)[0], baseline)
    assert comparison.failures == ()
    assert comparison.kind == "same"


@pytest.mark.parametrize("change", [one_layer_in_bf16, weights_noisy, grain])
def test_a_small_change_is_caught(baseline: Result, change: Callable[[Net], None]) -> None:
    net = Net()
    change(net)
    comparison = baselines.compare(measured(net)[0], baseline)
    assert not comparison.passed


@pytest.mark.parametrize("change", [one_layer_in_bf16, weights_noisy, grain])
def test_a_small_change_in_another_file_is_never_the_same(baseline: Result, change: Callable[[Net], None]) -> None:
    net = Net()
    change(net)
    found = dataclasses.replace(measured(net)[0], restorer={**baseline.restorer, "weights_sha256": "another"})
    failing, judged = (baselines.compare(found, baseline, another_file=how) for how in ("fail", "judge"))
    assert any(verdict.reason.startswith("another file; 16 of 16") for verdict in failing.failures)
    assert judged.kind not in ("same", "better")
