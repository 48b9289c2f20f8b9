"""Loading by name, and the settings of torch during a run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest
import torch

from gfpbench import metrics as metric_table
from gfpbench import run
from gfpbench.types import AssetMissing, BadInput, Case, Metric
from tests.unit.run import laws

CASE = Case("embedded", "paper", "bicubic")


def test_a_metric_without_its_asset_is_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    original = metric_table.load

    def load(names: Sequence[str] | None = None) -> tuple[Metric, ...]:
        if names == ["gmsd"]:
            raise AssetMissing("gmsd-weights", "gmsd")
        return original(names)

    monkeypatch.setattr(metric_table, "load", load)
    parts = run.load(CASE, device="cpu", metrics=["psnr_y", "gmsd", "ssim_y"])
    assert [metric.name for metric in parts.metrics] == ["psnr_y", "ssim_y"]
    assert "gfpbench fetch gmsd-weights" in parts.unavailable["gmsd"]


def test_all_default_metrics_are_loaded_where_none_are_named() -> None:
    assert [metric.name for metric in run.load(CASE, device="cpu").metrics] == list(metric_table.DEFAULT)


def test_the_truth_needs_no_restorer() -> None:
    assert run.load(Case("embedded", "paper", run.TRUTH), device="cpu").restorer is None


def test_names_listed_twice_are_refused() -> None:
    class Twice(laws.ToyFaces):
        def ids(self) -> tuple[str, ...]:
            return ("face 0000", "face 0000")

    with pytest.raises(BadInput, match="a name is listed twice"):
        laws.Toy(Twice()).parts().ids(laws.CASE)


SCRIPT = """
import torch, warnings
warnings.simplefilter("error")
from gfpbench.devices import repeatable
{before}
def state():
    return torch.backends.cudnn.benchmark, torch.is_grad_enabled(), {read}
then = state()
with repeatable():
    assert not torch.is_grad_enabled() and not torch.backends.cudnn.benchmark
    assert {off}
assert state() == then, (then, state())
"""
OLDER = "torch.backends.cuda.matmul.allow_tf32", "not torch.backends.cuda.matmul.allow_tf32"
NEWER = "torch.backends.cuda.matmul.fp32_precision", "torch.backends.cuda.matmul.fp32_precision == 'ieee'"
OVERALL = "torch.get_float32_matmul_precision()", "torch.get_float32_matmul_precision() == 'highest'"


@pytest.mark.usefixtures("forked_processes")
@pytest.mark.parametrize(
    ("before", "read", "off"),
    [
        ("torch.backends.cuda.matmul.allow_tf32 = True", *OLDER),
        # torch 2.9 and later refuse to read the older switch once the newer was used.
        pytest.param(
            "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
            *NEWER,
            marks=pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="older torch"),
        ),
        ("torch.set_float32_matmul_precision('high')", *OVERALL),
        ("torch.set_float32_matmul_precision('medium')", *OVERALL),
        pytest.param(
            "torch.backends.fp32_precision = 'tf32'",
            "torch.backends.fp32_precision",
            "torch.backends.cuda.matmul.fp32_precision == 'ieee'",
            marks=pytest.mark.skipif(not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="older torch"),
        ),
    ],
)
def test_a_model_s_own_precision_is_set_aside_and_given_back(before: str, read: str, off: str) -> None:
    script = SCRIPT.format(before=before, read=read, off=off)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
