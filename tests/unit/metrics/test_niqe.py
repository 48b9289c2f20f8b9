"""NIQE against basicsr and pyiqa at full size, its halving against basicsr's, and where it is undefined."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import scipy.io
import torch
from skimage import data

from gfpbench import images
from gfpbench.metrics import niqe as subject
from gfpbench.metrics.niqe import niqe
from gfpbench.types import BadInput, ImageBatch
from tests.unit.metrics import per_image_laws


def scored(faces: ImageBatch) -> list[float]:
    return [float(value) for value in niqe(faces, faces)]


@pytest.fixture(scope="module")
def astronaut() -> ImageBatch:
    return images.batch_from_uint8([data.astronaut()], ("astronaut",))


def test_basicsr_at_512_px(astronaut: ImageBatch) -> None:
    """A photograph with flat black parts, sharp and blurred: the hardest case for single precision."""
    blurred = images.quantized(images.resized(images.resized(astronaut, (128, 128)), (512, 512)))
    for faces in (astronaut, blurred):
        expected = per_image_laws.oracles.basicsr().calculate_niqe(images.to_bgr_arrays(faces)[0], crop_border=0)
        assert scored(faces) == pytest.approx([expected], abs=0.005)


def test_pyiqa_on_the_same_luma(pyiqa_metric: Any, tmp_path: Path) -> None:
    """pyiqa computes in double precision: up to 0.02 on textured images, 0.06 where large parts are black."""
    faces = images.batch_from_uint8([data.chelsea()], ("cat",))
    model = subject.pristine()
    path = tmp_path / "pristine.mat"
    scipy.io.savemat(path, {"mu_prisparam": model.mean[None], "cov_prisparam": model.covariance})
    metric = pyiqa_metric("niqe", pretrained_model_path=str(path), color_space="ycbcr")
    assert scored(faces) == pytest.approx([metric(faces.pixels).item()], abs=0.03)


def test_luma_is_basicsrs() -> None:
    """The exact value rounded half up; basicsr's single precision decides a tie, one pixel in thousands, either way."""
    per_image_laws.oracles.basicsr()
    from basicsr.metrics.metric_util import to_y_channel

    colours = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    got = images.to_rounded_luma_255(images.batch_from_uint8([colours], ("one",)))[0, 0].numpy()
    exact = colours.astype(np.int64) @ np.array([65481, 128553, 24966]) + 16 * 255000
    np.testing.assert_array_equal(got, (2 * exact + 255000) // 510000)
    theirs = to_y_channel(colours[..., ::-1].astype(np.float32))[..., 0].round()
    assert (got != theirs).mean() < 1e-3
    assert np.abs(got - theirs).max() <= 1


def test_halving_is_matlabs() -> None:
    """basicsr's imresize, which follows MATLAB's, to the last bits of single precision; borders too."""
    per_image_laws.oracles.basicsr()
    from basicsr.utils.matlab_functions import imresize

    plane = np.random.default_rng(0).integers(16, 236, (96, 192)).astype(np.float32) / np.float32(255)
    expected = imresize(plane, scale=0.5, antialiasing=True)
    np.testing.assert_allclose(subject._halved(plane), expected, rtol=0, atol=5e-7)


@pytest.mark.parametrize("flat", [0, 192])
def test_basicsr_given_the_same_luma_and_halving(flat: int) -> None:
    """All but the halving is basicsr's arithmetic to six digits; half of the blocks flat, and undefined, too."""
    pixels = per_image_laws.truth().pixels.repeat(1, 1, 2, 2)[..., :384, :384].clone()
    pixels[..., :flat] = 0.25
    faces = images.quantized(ImageBatch(pixels, per_image_laws.truth().ids))
    per_image_laws.oracles.basicsr()
    from basicsr.metrics.niqe import niqe as calculate

    model = subject.pristine()
    window = np.outer(model.taps, model.taps)
    with warnings.catch_warnings(), patch("basicsr.metrics.niqe.imresize", lambda plane, **_: subject._halved(plane)):
        # basicsr's own warnings about flat blocks
        warnings.filterwarnings("ignore", "Mean of empty slice|invalid value", RuntimeWarning)
        planes = images.to_rounded_luma_255(faces)[:, 0].float().numpy()
        expected = [calculate(plane, model.mean[None], model.covariance, window) for plane in planes]
    assert scored(faces) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_flat_image_is_refused_by_name(level: float) -> None:
    pixels = torch.stack([per_image_laws.truth().pixels[0], torch.full((3, 209, 197), level)])
    with pytest.raises(BadInput, match="niqe is undefined for flat: 4 of its 4 blocks"):
        niqe(ImageBatch(pixels, ("face", "flat")), ImageBatch(pixels, ("face", "flat")))


def test_192_px_is_the_least() -> None:
    pixels = per_image_laws.truth().pixels
    with pytest.raises(BadInput, match=r"below 192 px .* 209 x 191 px"):
        scored(ImageBatch(pixels[..., :191], per_image_laws.truth().ids))


def test_another_pristine_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "niqe_pristine.npz"
    other.write_bytes(subject.PRISTINE_FILE.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(subject, "PRISTINE_FILE", other)
    subject.pristine.cache_clear()
    try:
        with pytest.raises(BadInput, match="sha256"):
            subject.pristine()
    finally:
        subject.pristine.cache_clear()
