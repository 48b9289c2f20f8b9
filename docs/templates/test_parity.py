"""Is a converted model still the same? Copy it into the tests of your own project and name your files below.

pytest test_parity.py --device cuda --faces my_faces --limit 64 --report report      # pages in report/parity
"""

from __future__ import annotations

import pytest

from gfpbench.plugin import ParityBench

REFERENCE = "gfpgan-1.4"
CANDIDATES = (
    "gfpgan-1.4?dtype=bf16",
    "onnx:gfpgan-1.4.onnx",  # gfpbench export gfpgan-1.4 --onnx gfpgan-1.4.onnx
    "onnx:gfpgan-1.4.onnx?provider=cuda",  # fails where CUDA is not what runs
)


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_it_is_still_the_same_model(parity: ParityBench, candidate: str) -> None:
    found = parity(REFERENCE, candidate)
    assert found.safety != "unsafe", str(found)  # "look": different, and no metric against the truth is worse
