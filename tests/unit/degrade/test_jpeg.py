"""Both JPEG round trips use the quality said, and the one on tensors gives libjpeg's pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gfpbench.degrade import jpeg, jpeg_tensor
from gfpbench.degrade.dct import forward_dct, inverse_dct
from tests.degradation.image_cases import face, pattern


@pytest.mark.parametrize("quality", range(1, 101))
def test_the_stream_holds_the_tables_of_its_quality(quality: int) -> None:
    """Pillow reads the divisors of our stream, and writes the same ones at that quality."""
    ours = Image.open(io.BytesIO(jpeg.encode(face(32, 32), quality)))
    stream = io.BytesIO()
    Image.fromarray(face(32, 32)).save(stream, "JPEG", quality=quality, subsampling="4:2:0")
    theirs = Image.open(stream)
    assert ours.quantization == theirs.quantization  # type: ignore[attr-defined]
    bases = (jpeg_tensor.LUMINANCE, jpeg_tensor.CHROMINANCE)
    tables = [list(jpeg_tensor.quantisation_table(base, quality)) for base in bases]
    assert tables == [ours.quantization[0], ours.quantization[1]]  # type: ignore[attr-defined]
    assert [component[1:3] for component in ours.layer] == [(2, 2), (1, 1), (1, 1)]  # type: ignore[attr-defined]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 70), st.integers(1, 70), st.integers(1, 100)), min_size=1, max_size=4))
def test_tensors_come_out_as_from_libjpeg_at_every_size(cases: list[tuple[int, int, int]]) -> None:
    canvas = np.stack([(face, pattern)[number % 2](72, 72) for number in range(len(cases))])
    levels = torch.from_numpy(canvas).permute(0, 3, 1, 2).to(torch.int32)
    sizes, qualities = [(height, width) for height, width, _ in cases], [quality for *_, quality in cases]
    got = jpeg_tensor.round_trip(levels, sizes, qualities).permute(0, 2, 3, 1).numpy()
    for index, (height, width, quality) in enumerate(cases):
        bgr = np.ascontiguousarray(canvas[index, :height, :width, ::-1])
        expected = jpeg.round_trip(bgr, quality)[..., ::-1]
        np.testing.assert_array_equal(got[index, :height, :width], expected)


def test_tensors_survive_extreme_pixels_as_in_libjpeg() -> None:
    random = np.random.default_rng(0)
    extreme = (random.random((3, 64, 64, 3)) > 0.5).astype(np.uint8) * 255
    levels = torch.from_numpy(extreme).permute(0, 3, 1, 2).to(torch.int32)
    got = jpeg_tensor.round_trip(levels, [(64, 64)] * 3, [3, 60, 100]).permute(0, 2, 3, 1).numpy()
    for image, rgb, quality in zip(got, extreme, (3, 60, 100), strict=True):
        expected = jpeg.round_trip(np.ascontiguousarray(rgb[..., ::-1]), quality)[..., ::-1]
        np.testing.assert_array_equal(image, expected)


def test_the_whole_number_transform_is_the_cosine_transform() -> None:
    samples = torch.from_numpy(np.random.default_rng(1).integers(-128, 128, (50, 8, 8), dtype=np.int32))
    exact = scipy.fft.dctn(samples.numpy().astype(np.float64), axes=(1, 2), norm="ortho")
    coefficients = forward_dct(samples)
    assert np.abs(coefficients.numpy() / 8 - exact).max() < 0.4
    assert (inverse_dct(torch.from_numpy(np.rint(exact))) - samples).abs().max() <= 3


def test_rounding_is_half_to_even_as_in_opencv() -> None:
    halves = np.array([[[0.5, 1.5, 2.5]]], np.float32) / 255
    np.testing.assert_array_equal(jpeg.to_bytes(np.asarray(halves, np.float32)), [[[0, 2, 2]]])
