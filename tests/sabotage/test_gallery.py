"""Galleries that teach what is not so: defects that are none, scores of something else. The laws notice each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gfpbench.gallery import CASES, Bench, GalleryCase, Shown, Untouched, defects, open_bench, shown, untouched
from gfpbench.gallery.defects import Material
from gfpbench.images import Bytes
from tests.unit.gallery.laws import keeps_its_promise, stays_in_its_place
from tests.unit.gallery.test_gallery import OUTSIDE

EYES, HAIR = (next(case for case in CASES if case.name == name) for name in ("mismatched-eyes", "odd-hair"))


@pytest.fixture(scope="module")
def bench() -> tuple[Bench, Untouched]:
    opened = open_bench(("eye_mismatch", "deg_dlib", "ssim_rgb"), draws=3)
    return opened, untouched(opened)


def made(case: GalleryCase, bench: tuple[Bench, Untouched]) -> Shown:
    opened, own = bench
    return shown(case, opened, own, own, own.restored)


def _nothing(face: Material) -> Bytes:
    return face.restored


def _in_the_truth(face: Material) -> Bytes:
    """Made on the truth, so that what the restorer did is repaired at the same time."""
    return defects.mismatched_eyes(replace(face, restored=face.truth))


def _both_eyes(face: Material) -> Bytes:
    once = defects.mismatched_eyes(face)
    mirrored = {"eye_right": face.places["eye_left"], "eye_left": face.places["eye_right"]}
    return defects.mismatched_eyes(replace(face, restored=once, places={**face.places, **mirrored}))


def _everywhere(face: Material) -> Bytes:
    grain = np.indices(face.restored.shape).sum(0) % 2 * 9
    return np.asarray(np.clip(face.restored.astype(int) + grain, 0, 255), np.uint8)


WRONG = [(EYES, _nothing), (EYES, _in_the_truth), (EYES, _both_eyes), (HAIR, _nothing), (HAIR, _everywhere)]


def test_the_true_cases_pass(bench: tuple[Bench, Untouched]) -> None:
    for case in (EYES, HAIR):
        one = made(case, bench)
        keeps_its_promise(one)
        stays_in_its_place(one, OUTSIDE[case.name])


@pytest.mark.parametrize(("case", "defect"), WRONG)
def test_a_defect_that_is_another_is_noticed(case: GalleryCase, defect: Any, bench: tuple[Bench, Untouched]) -> None:
    one = made(replace(case, defect=defect), bench)
    with pytest.raises(AssertionError):
        _checked(one)


def test_metrics_that_are_exchanged_are_noticed(bench: tuple[Bench, Untouched]) -> None:
    with pytest.raises(AssertionError, match="does not see it"):
        keeps_its_promise(made(replace(EYES, sees=EYES.blind, blind=EYES.sees), bench))


def test_a_noise_that_is_none_is_noticed(bench: tuple[Bench, Untouched]) -> None:
    one = made(EYES, bench)
    still = {name: replace(score, noise=0.0) for name, score in one.scores.items()}
    with pytest.raises(AssertionError, match="no noise"):
        keeps_its_promise(replace(one, scores=still))


def test_images_in_the_wrong_order_are_noticed(bench: tuple[Bench, Untouched]) -> None:
    one = made(EYES, bench)
    exchanged = {
        name: replace(score, untouched=score.defect, defect=score.untouched) for name, score in one.scores.items()
    }
    with pytest.raises(AssertionError, match="the wrong way"):
        keeps_its_promise(replace(one, scores=exchanged))


def _checked(one: Shown) -> None:
    keeps_its_promise(one)
    stays_in_its_place(one, OUTSIDE[one.case.name])
