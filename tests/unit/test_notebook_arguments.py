"""The front door given arguments of another kind: one line that names them, no traceback and no letter of a name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gfpbench
from gfpbench.types import BadInput

TRUTH = np.random.default_rng(0).integers(0, 256, (3, 48, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"metrics": "psnr_rgb"}, r"metric: names are given as a list, \['NAME', ...\], not 'psnr_rgb'"),
        ({"metrics": [None]}, "no metric named None: a name is a text"),
        ({"metrics": 3}, "metric: names are given as a list"),
        ({"protocols": "gfpgan-paper"}, "protocol: names are given as a list"),
        ({"limit": 1.5}, "limit has to be an int, not 1.5"),
        ({"draws": 1.5}, "draws has to be an int"),
        ({"size_px": "64"}, "size_px has to be an int"),
        ({"degradation": None}, "not NoneType"),
    ],
)
def test_arguments_of_another_kind_are_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        gfpbench.measure("bicubic", **{"metrics": ["psnr_rgb"], **given})


def test_other_functions_name_them_too() -> None:
    for seed in ("x", 1.5, None, True, np.int64(3)):
        with pytest.raises(BadInput, match="seed has to be an int"):
            gfpbench.degrade(TRUTH, seed=seed)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="a degradation is a name"):
        gfpbench.degrade(TRUTH, 3)  # type: ignore[call-overload]
    with pytest.raises(BadInput, match="criterion: names are given as a list"):
        gfpbench.collapse("bicubic", criteria="identity")


def test_what_is_no_result_and_no_folder_is_named() -> None:
    with pytest.raises(BadInput, match=r"compare: result is a str; give a Result, as gfpbench\.measure returns it or"):
        gfpbench.compare("old/results.json", "new/results.json")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"^stored:/nowhere: no such folder"):
        gfpbench.degrade(TRUTH, "stored:/nowhere")
