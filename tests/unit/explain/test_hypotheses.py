"""Each hypothesis changes the step it says, checked against OpenCV, numpy and scikit-image, or a closed form."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from gfpbench import faces, images
from gfpbench.degrade import load as degradation
from gfpbench.explain import HYPOTHESES, Pipeline, chosen
from gfpbench.explain.pipeline import Loaded
from gfpbench.explain.pipeline import load as loaded
from gfpbench.images import Bytes
from gfpbench.types import BadInput, ImageBatch

KNOWN = {hypothesis.name: hypothesis for hypothesis in HYPOTHESES}
FACES = loaded(faces.load("embedded", size_px=96, draws=3), None)


def arrays(name: str | None, number: int = 0) -> tuple[Bytes, Bytes]:
    """The two images compared for one face."""
    pipeline = Pipeline() if name is None else KNOWN[name].change(Pipeline())
    pair = list(FACES.pairs(pipeline, 0))[number]
    return images.to_rgb_arrays(pair[0])[0], images.to_rgb_arrays(pair[1])[0]


DEGRADED, TRUTH = arrays(None)


def test_the_pipeline_as_described_is_the_papers() -> None:
    face = FACES.faces[0]
    paper = degradation("paper")
    expected = paper.apply(face, [paper.draw(face.ids[0], 0, face.size)])
    assert np.array_equal(DEGRADED, images.to_rgb_arrays(expected)[0])
    assert np.array_equal(TRUTH, images.to_rgb_arrays(face)[0])


EXPECTED: dict[str, Callable[[], tuple[Bytes, Bytes]]] = {
    "channels-swapped": lambda: (DEGRADED[..., ::-1], TRUTH),
    "shifted-1px": lambda: (DEGRADED[1:, 1:], TRUTH[:-1, :-1]),
    "shifted-2-percent": lambda: (DEGRADED[2:, 2:], TRUTH[:-2, :-2]),
    "shifted-10-percent": lambda: (DEGRADED[10:, 10:], TRUTH[:-10, :-10]),
    "mispaired": lambda: (DEGRADED, images.to_rgb_arrays(FACES.faces[1])[0]),
    "signed-range": lambda: (np.clip(2 * DEGRADED.astype(int) - 255, 0, 255).astype(np.uint8), TRUTH),
    "few-images": lambda: (DEGRADED, TRUTH),
    "fid-against-own-truth": lambda: (DEGRADED, TRUTH),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_compared_is_what_is_said(name: str) -> None:
    for got, expected in zip(arrays(name), EXPECTED[name](), strict=True):
        assert np.array_equal(got, expected)


def test_scaled_is_opencvs_area_or_cubic_resize_of_the_inner_square() -> None:
    got, against = arrays("scaled-2-percent")
    assert np.array_equal(got, DEGRADED)
    inner = cv2.resize(TRUTH[1:-1, 1:-1], (96, 96), interpolation=cv2.INTER_CUBIC)
    assert np.abs(inner.astype(float) - against).mean() < 1


@pytest.mark.parametrize(("name", "side"), [("compared-at-half-size", 48), ("compared-at-double-size", 192)])
def test_other_sizes(name: str, side: int) -> None:
    for got, before in zip(arrays(name), (DEGRADED, TRUTH), strict=True):
        assert got.shape == (side, side, 3)
        way = cv2.INTER_AREA if side < 96 else cv2.INTER_CUBIC
        assert np.abs(cv2.resize(before, (side, side), interpolation=way).astype(float) - got).mean() < 1.5


def test_the_small_image_is_the_one_that_is_enlarged() -> None:
    small, truth = arrays("not-enlarged")
    assert small.shape == truth.shape
    assert max(small.shape[:2]) < 96
    back = cv2.resize(small, (96, 96), interpolation=cv2.INTER_LINEAR)
    assert np.abs(back.astype(float) - DEGRADED).max() <= 1
    assert np.abs(cv2.resize(TRUTH, small.shape[1::-1], interpolation=cv2.INTER_AREA).astype(float) - truth).mean() < 4
    canvas, whole = arrays("small-on-black")
    assert np.array_equal(whole, TRUTH)
    assert np.array_equal(canvas[: small.shape[0], : small.shape[1]], small)
    assert not canvas[small.shape[0] :].any()
    assert not canvas[:, small.shape[1] :].any()


def test_noise_is_scaled_and_nothing_else() -> None:
    chain = degradation("paper")
    before = chain.draw("a", 0, (96, 96))
    for name, factor in (("noise-255-times", 255), ("noise-doubled", 2), ("noise-vanished", 1 / 255)):
        after = KNOWN[name].change(Pipeline()).chain.draw("a", 0, (96, 96))
        assert after["noise_std_grey_levels"] == pytest.approx(before["noise_std_grey_levels"] * factor)
        assert {k: v for k, v in after.items() if k != "noise_std_grey_levels"} == {
            k: v for k, v in before.items() if k != "noise_std_grey_levels"
        }


def test_the_short_kernel_is_the_reports() -> None:
    ours = KNOWN["short-kernel"].change(Pipeline()).chain
    assert ours.draw("a", 3, (512, 512)) == degradation("report").draw("a", 3, (512, 512))


def test_colour_jitter_is_upstreams_and_always_means_always() -> None:
    record = KNOWN["colour-jitter"].change(Pipeline()).chain.draw("a", 3, (96, 96))
    upstream = degradation("upstream").draw("a", 3, (96, 96))
    assert {k: record[k] for k in record if "factor" in k} == {k: upstream[k] for k in record if "factor" in k}
    chain = KNOWN["colour-jitter-always"].change(Pipeline()).chain
    records = [chain.draw(str(n), 0, (96, 96)) for n in range(20)]
    assert all(one["jitter_order"] and one["shift_red_grey_levels"] for one in records)


def test_degraded_twice_goes_through_two_draws() -> None:
    twice, truth = arrays("degraded-twice")
    chain = degradation("paper")
    name = f"{FACES.faces[0].ids[0]}, degraded again"
    once = images.batch_from_uint8([DEGRADED], (name,))
    assert np.array_equal(twice, images.to_rgb_arrays(chain.apply(once, [chain.draw(name, 0, (96, 96))]))[0])
    assert np.array_equal(truth, TRUTH)


def test_small_faces_have_no_detail_and_are_degraded_after_that() -> None:
    _, truth = arrays("small-faces-enlarged")
    small = cv2.resize(TRUTH, (24, 24), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(small, (96, 96), interpolation=cv2.INTER_CUBIC)
    assert np.abs(expected.astype(float) - truth).mean() < 2
    assert peak_signal_noise_ratio(TRUTH, truth) < 35


def test_two_together_do_both() -> None:
    pipeline = KNOWN["shifted-2-percent"].change(KNOWN["channels-swapped"].change(Pipeline()))
    compared, truth = next(FACES.pairs(pipeline, 0))
    assert np.array_equal(images.to_rgb_arrays(compared)[0], DEGRADED[2:, 2:, ::-1])
    assert np.array_equal(images.to_rgb_arrays(truth)[0], TRUTH[:-2, :-2])


def test_names_are_distinct_and_misspelt_ones_answered() -> None:
    assert len(KNOWN) == len(HYPOTHESES)
    assert all(hypothesis.words and "\n" not in hypothesis.words for hypothesis in HYPOTHESES)
    assert chosen(["mispaired", "mispaired"]) == (KNOWN["mispaired"],)
    with pytest.raises(BadInput, match="did you mean 'mispaired'"):
        chosen(["misspaired"])


def test_faces_of_other_sizes_can_be_mispaired() -> None:
    mixed = Loaded((FACES.faces[0], ImageBatch(torch.rand(1, 3, 64, 80), ("other",))))
    for compared, truth in mixed.pairs(KNOWN["mispaired"].change(Pipeline()), 0):
        assert compared.size == truth.size
