"""Image files: damaged ones are refused in a line, and what is accepted is what another reader sees."""

from __future__ import annotations

import io
import warnings
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from gfpbench.decode import Limits
from gfpbench.decode.reader import decode
from tests.fuzz import mutations
from tests.fuzz.outcome import Budget, fuzz, outcome

SIDE = 40
LIMITS = Limits()


def painted() -> Any:
    """(40, 40, 3) uint8: smooth with a little noise, so that every format has something to say."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    smooth = np.stack([x * 6, y * 6, (x + y) * 3], axis=-1)
    return np.clip(smooth + np.random.default_rng(0).integers(-9, 9, smooth.shape), 0, 255).astype(np.uint8)


def saved(kind: str, image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def good_files() -> dict[str, bytes]:
    """One small file of each format, and of the variants that readers treat differently."""
    rgb = painted()
    image = Image.fromarray(rgb)
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = io.BytesIO()
    tifffile.imwrite(deep, rgb.astype(np.uint16) * 257, photometric="rgb", compression="zlib")
    floats = io.BytesIO()
    tifffile.imwrite(floats, (rgb / 255).astype(np.float32), photometric="rgb")
    found, png16 = cv2.imencode(".png", rgb[..., ::-1].astype(np.uint16) * 257)
    assert found
    return {
        "png": saved("PNG", image),
        "png, palette": saved("PNG", image.quantize(16)),
        "png, alpha": saved("PNG", Image.merge("RGBA", [*image.split(), image.getchannel(0)])),
        "png, grey": saved("PNG", image.convert("L")),
        "png, 16 bits": png16.tobytes(),
        "jpeg": saved("JPEG", image),
        "jpeg, turned": saved("JPEG", image, exif=turned),
        "jpeg, progressive": saved("JPEG", image, progressive=True),
        "jpeg, CMYK": saved("JPEG", image.convert("CMYK")),
        "webp": saved("WEBP", image),
        "webp, lossless": saved("WEBP", image, lossless=True),
        "webp, animated": saved("WEBP", image, save_all=True, append_images=[image.rotate(90)]),
        "bmp": saved("BMP", image),
        "tiff": saved("TIFF", image),
        "tiff, 16 bits": deep.getvalue(),
        "tiff, floats": floats.getvalue(),
        "gif": saved("GIF", image),
        "ppm": saved("PPM", image),
        "tga": saved("TGA", image),
        "sgi": saved("SGI", image),
        "pcx": saved("PCX", image),
        "jpeg 2000": saved("JPEG2000", image),
    }


FILES = good_files()


@pytest.mark.parametrize("kind", FILES)
def test_damaged_files(kind: str) -> None:
    def one(data: bytes, budget: Budget) -> None:
        found = outcome(lambda: decode(data, "x.png", LIMITS), budget)
        if found is None:
            return
        rgb = found.rgb
        assert rgb.dtype == np.uint8
        assert rgb.ndim == 3
        assert rgb.shape[2] == 3
        assert min(rgb.shape[:2]) >= LIMITS.minimum_side_px
        assert rgb.shape[0] * rgb.shape[1] <= LIMITS.maximum_pixels
        again = decode(data, "x.png", LIMITS).rgb
        assert np.array_equal(rgb, again), "the same bytes gave two images"
        if not found.treatment and found.bits == 8 and found.orientation == 1 and found.frames == 1:
            assert np.array_equal(rgb, by_pillow(data)), "Pillow alone reads another image"

    fuzz(mutations.damaged([FILES[kind]]), one)


def by_pillow(data: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("kind", FILES)
def test_the_good_files_are_read(kind: str) -> None:
    budget = Budget()
    outcome(lambda: decode(FILES[kind], "x.png", LIMITS), budget)
    assert budget.answered == 1 or "animated" in kind
