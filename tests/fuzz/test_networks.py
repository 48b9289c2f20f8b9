"""Networks in files of strangers: damaged ONNX, TorchScript and torch.export files are refused, fail or answer truly.

Their parsers are compiled code. What ends the process of a reader is counted, and has to be one line for a person.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from gfpbench.run.isolated import Isolated
from gfpbench.types import BadInput
from tests.fuzz import mutations, outcome
from tests.fuzz.outcome import SECONDS_AT_MOST, Budget, fuzz, one_line
from tests.fuzz.reader import Reader

pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install gfpbench[onnx]")
onnx = pytest.importorskip("onnx", reason="needs onnx: pip install gfpbench[test]")

pytestmark = pytest.mark.usefixtures("forked_processes")


class Small(torch.nn.Module):
    """A blur within the range that it is given."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.zeros(3, 3, 3, 3)
        weight[range(3), range(3)] = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
        self.weight = torch.nn.Parameter(weight, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(x, self.weight, padding=1).clamp(-1, 1)


@cache
def good(form: str) -> bytes:
    """A small network of each form, which takes images of any size in [-1, 1]."""
    file = io.BytesIO()
    if form == "torchscript":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer torch calls torch.jit deprecated
            torch.jit.save(torch.jit.script(Small().eval()), file)
    elif form == "pt2":
        sides = {0: torch.export.Dim("batch", min=1, max=64), 2: torch.export.Dim("h", min=8, max=4096),
                 3: torch.export.Dim("w", min=8, max=4096)}  # fmt: skip
        program = torch.export.export(Small().eval(), (torch.rand(2, 3, 16, 24),), dynamic_shapes=(sides,))
        torch.export.save(program, file)
    else:
        return by_onnx()
    return file.getvalue()


def by_onnx() -> bytes:
    from onnx import helper, numpy_helper

    kept = [
        numpy_helper.from_array(Small().weight.numpy(), "weight"),
        numpy_helper.from_array(np.array(-1, dtype="float32"), "low"),
        numpy_helper.from_array(np.array(1, dtype="float32"), "high"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["blurred"], pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["blurred", "low", "high"], ["y"]),
    ]
    shape: list[str | int | None] = ["B", 3, "H", "W"]
    ends = [helper.make_tensor_value_info(name, 1, shape) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], kept)
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return made


SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt", "pt2": ".pt2"}
KINDS: dict[str, tuple[str, Callable[[Any], st.SearchStrategy[bytes]]]] = {
    "onnx": ("onnx", mutations.damaged),
    "torchscript": ("torchscript", mutations.archives),
    "torchscript, bytes": ("torchscript", mutations.damaged),
    "pt2": ("pt2", mutations.archives),
    "pt2, bytes": ("pt2", mutations.damaged),
}


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Reader]]:
    made, modules = {}, tmp_path_factory.mktemp("modules")
    for form, suffix in SUFFIXES.items():
        path = tmp_path_factory.mktemp("good") / f"net{suffix}"
        path.write_bytes(good(form))
        made[form] = Reader(f"{form}:{path}", modules)
    yield made
    for reader in made.values():
        reader.close()


def judged(answer: dict[str, Any], budget: Budget) -> bool:
    """Count what became of one file; True where it ended the process that read it."""
    budget.tried += 1
    budget.slowest_seconds = max(budget.slowest_seconds, answer.get("seconds", 0.0))
    assert "traceback" not in answer, answer["traceback"]
    for word in ("Traceback", "SystemError"):
        assert word not in answer["said"], answer["said"]
    if "ended" in answer:
        budget.crashed += 1
        return True
    if "refused" in answer:
        one_line(answer["refused"])
        budget.refused += 1
        return False
    for reason in answer["failures"].values():
        one_line(reason)
    assert not answer["wrong"], answer["wrong"]
    budget.answered += 1
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_networks(kind: str, tmp_path: Path, readers: dict[str, Reader]) -> None:
    form, mutated = KINDS[kind]
    path = tmp_path / f"net{SUFFIXES[form]}"
    ending: list[bytes] = []

    def one(data: bytes, budget: Budget) -> None:
        path.write_bytes(data)
        if judged(readers[form].ask(f"{form}:{path}", SECONDS_AT_MOST), budget):
            ending.append(data)

    fuzz(mutated([good(form)]), one)
    for data in ending[:1]:
        path.write_bytes(data)
        is_one_line_isolated(f"{form}:{path}")


def is_one_line_isolated(spec: str) -> None:
    """What ends a process is a refusal, or the failure of its images, where the restorer has a process of its own."""
    from gfpbench.restorers import checked
    from gfpbench.types import ImageBatch

    try:
        _, failures = checked(Isolated(spec), ImageBatch(torch.rand(2, 3, 32, 32), ("a", "b")))
    except BadInput as error:
        failures = {"": str(error)}
    assert failures, f"{spec} ended one process and not another"
    for reason in failures.values():
        one_line(reason)


def test_what_ends_its_process_is_counted_and_is_one_line(
    readers: dict[str, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, budget = readers["onnx"], Budget()
    (reader.modules / "ends_at_once.py").write_text("import ctypes\nctypes.string_at(0)\n")
    monkeypatch.syspath_prepend(reader.modules)
    assert judged(reader.ask("python:ends_at_once:restorer", SECONDS_AT_MOST), budget)
    assert not judged(reader.ask(reader.warm, SECONDS_AT_MOST), budget)  # the next file has a process again
    assert (budget.tried, budget.crashed, budget.answered) == (2, 1, 1)
    is_one_line_isolated("python:ends_at_once:restorer")


def test_the_good_files_are_read(readers: dict[str, Reader]) -> None:
    for reader in readers.values():
        budget = Budget()
        judged(reader.ask(reader.warm, SECONDS_AT_MOST), budget)
        assert budget.answered == 1


@pytest.mark.parametrize(
    ("way", "times", "said"),
    [("while True: pass", 300, "within 1 s of processor time"), ("time.sleep(60)", 2, "within 2 s$")],
    ids=["computes", "waits"],
)
def test_what_does_not_end_is_said(
    way: str, times: int, said: str, readers: dict[str, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = readers["onnx"]
    (reader.modules / "does_not_end.py").write_text(f"import time\n{way}\n")
    assert not judged(reader.ask(reader.warm, SECONDS_AT_MOST), Budget())
    monkeypatch.setattr(outcome, "TIMES_BY_THE_CLOCK", times)
    with pytest.raises(AssertionError, match=said):
        reader.ask("python:does_not_end:restorer", 1)
