"""Loading by name, and the settings of torch during a run."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from gfpbench import metrics as metric_table
from gfpbench import run
from gfpbench.types import AssetMissing, BadInput, Case, GfpbenchError, Json, Metric
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


UNDECLARED: dict[str, tuple[dict[str, Any], str]] = {
    "name 5": ({"name": 5}, r"a metric \(Odd\): name has to be a text that is not empty, not 5"),
    "no unit": ({"unit": None}, "metric 'odd': unit has to be a text, not None"),
    "a source of two": ({"source": ["a", "b"]}, "metric 'odd': source has to be a text, not \\['a', 'b'\\]"),
    "better up": ({"better": "up"}, "metric 'odd': better has to be 'higher' or 'lower', not 'up'"),
    "best NaN": ({"best": math.nan}, "metric 'odd': best has to be a number, or None where there is none, not nan"),
    "tolerance text": ({"tolerance": "1e-3"}, "metric 'odd': tolerance has to be a number, 0 or more, not '1e-3'"),
    "tolerance below 0": ({"tolerance": -1}, "metric 'odd': tolerance has to be a number, 0 or more, not -1"),
    "side text": ({"minimum_side_px": "48"}, "metric 'odd': minimum_side_px has to be a number of pixels, .* not '48'"),
    "needs_truth text": ({"needs_truth": "no"}, "metric 'odd': needs_truth has to be True or False, not 'no'"),
    "needs_input text": ({"needs_input": "no"}, "metric 'odd': needs_input has to be True or False, not 'no'"),
}


class Odd(laws.ToyMetric):
    """A metric that says of itself whatever it is told to."""

    def __init__(self, **said: Any) -> None:
        super().__init__("odd", laws.mae)
        for name, value in said.items():
            object.__setattr__(self, name, value)


@pytest.mark.parametrize("which", UNDECLARED)
def test_a_metric_says_about_itself_what_it_has_to(which: str) -> None:
    """In one line, before anything is measured."""
    said, line = UNDECLARED[which]
    with pytest.raises(BadInput, match=line):
        laws.Toy().but(metrics=(Odd(**said),)).parts()


def test_what_a_metric_lacks_is_named_and_two_of_one_name_are_refused() -> None:
    with pytest.raises(BadInput, match=r"a metric \(ToyMetric\) lacks 'name', which has to be a text"):
        laws.Toy().but(metrics=(laws.ToyMetric,)).parts()
    with pytest.raises(BadInput, match="two metrics are called 'odd'"):
        laws.Toy().but(metrics=(Odd(), Odd())).parts()
    assert laws.Toy().but(metrics=(Odd(minimum_side_px=48.0, best=None, tolerance=0),)).parts().metrics


class OddIdentity(Odd):
    def identity(self) -> dict[str, Json]:
        return {"of": 1 // self.tolerance}


def odd_restorer(attribute: str, value: object, **more: Any) -> laws.Smooth:
    """A restorer with a class of its own, of which one attribute is another."""
    kind: type[laws.Smooth] = type("Odd", (laws.Smooth,), {attribute: value})
    return kind(**more)


def fails(*given: object) -> NoReturn:
    raise KeyError("weights")


IN_A_CALL = {
    "restorer 'smooth': read_record failed: KeyError: 'weights'": odd_restorer("read_record", fails),
    "restorer 'smooth': attempt failed: KeyError: 'weights'": odd_restorer("attempt", fails, opaque=True),
    "restorer 'smooth': expect failed: KeyError: 'weights'": odd_restorer("expect", fails),
    "restorer 'smooth': unused failed: KeyError: 'weights'": odd_restorer("unused", fails),
    "the files of restorer 'smooth' failed: KeyError: 'weights'": odd_restorer("files_read", fails),
    "the files of restorer 'smooth' must hold JSON values only": odd_restorer("files_read", lambda self: {"a": {1}}),
    r"restorer 'smooth': unused has to give names of files, not 5": odd_restorer("unused", lambda self, ids: [5]),
    "restorer 'smooth' failed: TypeError: cannot unpack": odd_restorer("attempt", lambda *given: None, opaque=True),
}
"""What is said -> the restorer one of whose methods raises, or returns what it may not."""


class Mute(laws.ToyFaces):
    """Faces that fail to say one thing."""

    def source(self) -> dict[str, Json]:
        raise KeyError("licence")


class Nameless(laws.ToyFaces):
    def ids(self) -> tuple[str, ...]:
        raise KeyError("names")


class Undescribed(laws.ToyNoise):
    def describe(self) -> dict[str, Json]:
        raise KeyError("ranges")


def test_what_a_part_fails_to_say_is_one_line(tmp_path: Path) -> None:
    class Silent(laws.Smooth):
        def provenance(self) -> dict[str, Json]:
            raise KeyError("weights")

    failing: list[tuple[dict[str, Any], str]] = [
        ({"metrics": (OddIdentity(tolerance=0),)}, "the identity of metric 'odd' failed: ZeroDivisionError"),
        ({"restorer": Silent()}, "the provenance of restorer 'smooth' failed: KeyError: 'weights'"),
        ({"faces": Mute()}, "faces 'toy': source failed: KeyError: 'licence'"),
        ({"faces": Nameless()}, "faces 'toy': ids failed: KeyError: 'names'"),
        ({"degradation": Undescribed()}, "degradation 'noise': describe failed: KeyError: 'ranges'"),
        *(({"restorer": which}, line) for line, which in IN_A_CALL.items()),
    ]
    for parts, line in failing:
        with pytest.raises(GfpbenchError, match=line):
            laws.Toy().but(**parts).measure(tmp_path)
