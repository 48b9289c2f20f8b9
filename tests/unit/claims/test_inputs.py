"""Which CelebA-Test a Result was measured on, by its input row or by the folder's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gfpbench import claims
from gfpbench.assets.datasets import INPUTS
from gfpbench.types import Result
from tests.unit.claims import results as made

OWN, DAEFR = "celeba_512_validation_lq", "self_celeba_512_v2"


def results(psnr: float, named: str | None = None, count: int = 3000) -> tuple[Result, ...]:
    """GFP-GAN, CodeFormer, the input and the truth on CelebA-Test, whose input row has this PSNR."""
    values = np.random.default_rng(2).normal(0, 2, count)
    values -= values.mean()
    given: dict[str, Any] = {"faces": "celeba-test", "degradation": "stored"}
    told = []
    for name, mean in (("gfpgan-1", 25.08), ("codeformer", 25.15), ("input", psnr)):
        told.append(made.result(name, {"psnr_rgb": (values + mean).tolist()}, **given))
    told.append(made.result("truth", {"psnr_rgb": [float("inf")] * count}, **given))
    record = {"name": "stored", **({"inputs": named} if named else {})}
    return tuple(replace(one, degradation=record) for one in told)


def statuses(given: tuple[Result, ...]) -> dict[str, str]:
    judged = claims.judge_numbers(given, elsewhere=False)
    return {outcome.id: outcome.status for _, row, outcome in judged if outcome.id.endswith("/PSNR")}


GFPGAN, INPUT, TRUTH = (f"gfpgan-2021/celeba-test/{row}/PSNR" for row in ("GFP-GAN", "Input", "Ground truth"))


@pytest.mark.parametrize(
    ("psnr", "named", "held", "statuses_of"),
    [
        (25.35, None, OWN, ("held", "held", "held")),
        (25.35, DAEFR, OWN, ("held", "held", "held")),  # a folder is soon renamed: the figures decide
        (22.10, None, None, ("open", "failed", "held")),
        (22.10, OWN, None, ("open", "failed", "held")),
        (22.10, DAEFR, DAEFR, ("open", "open", "held")),
    ],
)
def test_the_input_row_decides(psnr: float, named: str | None, held: str | None, statuses_of: tuple[str, ...]) -> None:
    given = results(psnr, named)
    assert claims.held_inputs(given[0], given[2]).inputs == held
    told = statuses(given)
    assert (told[GFPGAN], told[INPUT], told[TRUTH]) == statuses_of
    assert len(claims.judged(given).inputs) == 1
    assert f"PSNR {psnr:.4g}, published 25.35" in claims.judged(given).inputs[0]


@pytest.mark.parametrize("named", [None, OWN, DAEFR])
def test_without_a_whole_input_row_the_name_of_the_folder_does(named: str | None) -> None:
    for given in (results(22.1, named)[:2], results(22.1, named, count=100)):
        held = claims.held_inputs(given[0], given[2] if len(given) > 2 else None)
        assert held.inputs == named
        assert held.not_inputs == ()
        assert "whole input row" in held.words
        assert named is None or named in held.words
    assert statuses(results(22.1, named)[:2])[GFPGAN] == ("open" if named == DAEFR else "held")


def test_no_number_is_held_to_a_table_of_the_other_set() -> None:
    """CodeFormer's figures on DAEFR's images stand in one table, on GFP-GAN's in another."""
    for psnr, named, waiting, about in ((25.35, None, "osdface-2025", DAEFR), (22.1, DAEFR, "pmrf-2024", OWN)):
        reasons = {
            row.id: outcome.reason
            for _, row, outcome in claims.judge_numbers(results(psnr, named), elsewhere=False)
            if row.restorer == "codeformer"
        }
        assert reasons[f"{waiting}/celeba-test/CodeFormer"].startswith(f"waits for {INPUTS[about]}: here are ")


def test_other_face_sets_have_one_kind_of_inputs() -> None:
    assert claims.judged([made.result("input", {"psnr_rgb": [25.0] * 5})]).inputs == ()
