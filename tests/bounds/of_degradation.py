"""How far the fast and the tensor path of Eq. 6 are from the exact one: before JPEG, and outside of what JPEG moved."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from gfpbench.degrade import fast, noise, tensor
from gfpbench.degrade.blur import REFERENCE_SIDE_PX, scaled_kernel_size
from gfpbench.degrade.chain import Path, _blurred_then_downsampled
from gfpbench.degrade.presets import PAPER, UPSTREAM
from gfpbench.degrade.resample import small_size
from gfpbench.images import Floats, batch_from_uint8, bgr_of_planes, to_255, to_planes
from gfpbench.types import ImageBatch, Parameters
from tests.bounds.scenes import Scene, scenes, sides

BLOCK_PX = 16
"""Of the small image: a block of halved chroma, which holds four of luma."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """An image and what is done to it: blur in pixels of a 512-px crop, as the presets state their ranges."""

    scene: Scene
    window_px_at_512: int
    sigma_x_px_at_512: float
    sigma_y_px_at_512: float
    angle_rad: float
    ratio: float
    noise_std_levels: float
    quality: int
    key: int

    def batch(self) -> ImageBatch:
        return batch_from_uint8([self.scene.image()], ("scene",))

    def record(self, size: tuple[int, int]) -> Parameters:
        scale = min(size) / REFERENCE_SIDE_PX
        isotropic = self.sigma_x_px_at_512 == self.sigma_y_px_at_512
        return {
            **PAPER.draw("scene", 0, size),
            "blur_shape": "isotropic" if isotropic else "anisotropic",
            "blur_kernel_size_px": scaled_kernel_size(self.window_px_at_512, scale),
            "blur_sigma_x_px": self.sigma_x_px_at_512 * scale,
            "blur_sigma_y_px": self.sigma_y_px_at_512 * scale,
            "blur_angle_rad": 0.0 if isotropic else self.angle_rad,
            "downsample_ratio": self.ratio,
            "noise_std_grey_levels": self.noise_std_levels,
            "noise_key": f"{self.key:032x}",
            "jpeg_quality": self.quality,
        }


def samples() -> st.SearchStrategy[Drawn]:
    """Whatever `paper`, `upstream` and `report` can draw, on images of 32 to 512 px.

    Noise is never quite 0, which no preset draws: without it, where the small side divides the large one, values lie on
    rounding edges all over the image.
    """
    sigma = st.floats(0.1, 10.0)
    return st.builds(
        lambda isotropic, drawn: Drawn(
            **{**drawn, "sigma_y_px_at_512": drawn["sigma_x_px_at_512"]} if isotropic else drawn
        ),
        st.booleans(),
        st.fixed_dictionaries(
            {
                "scene": scenes(sides(32, 512), sides(32, 512)),
                "window_px_at_512": st.sampled_from((41, 41, 41, 3, 5, 7, 9, 11, 13, 15)),
                "sigma_x_px_at_512": sigma,
                "sigma_y_px_at_512": sigma,
                "angle_rad": st.floats(-np.pi, np.pi),
                "ratio": st.floats(0.8, 8.0),
                "noise_std_levels": st.floats(0.05, 20.0),
                "quality": st.integers(60, 100),
                "key": st.integers(0, 2**127),
            }
        ),
    )


def before_jpeg(sample: Drawn, path: Path) -> tuple[Floats, Floats]:
    """The small image with its noise, (h, w, 3) BGR in levels, not rounded: along the exact path and along this one."""
    clean = sample.batch()
    record, size = sample.record(clean.size), clean.size
    planes = to_planes(clean)[0]
    exact = noise.noisy(_blurred_then_downsampled(bgr_of_planes(planes), record), record)
    if path == "fast":
        return exact * 255, noise.noisy(fast.blurred_and_downsampled(planes, record), record) * 255
    small = [small_size(size, record["downsample_ratio"])]
    with ThreadPoolExecutor(1) as pool:
        drawn = tensor.Drawn(small, [record], clean.pixels, pool)
        pixels = tensor._noisy(tensor._resampled(tensor._blurred(clean.pixels, [record]), [size], small), drawn)
    return exact * 255, pixels[0].permute(1, 2, 0).numpy()[..., ::-1] * 255


def measured(sample: Drawn, path: Path) -> dict[str, float | None]:
    """How far the path is from the exact one.

    Returns:
        ``before JPEG``: the largest difference of the small image in levels, not rounded; ``tipped``: values per
        million that round the other way there; ``elsewhere``: the largest difference of the degraded image in levels
        outside of what the blocks of such values reach; ``levels`` and ``mean``: of the degraded image.
    """
    exact, other = before_jpeg(sample, path)
    tipped = np.rint(exact) != np.rint(other)
    clean = sample.batch()
    records = [sample.record(clean.size)]
    one, two = (to_255(UPSTREAM.using(way).apply(clean, records)) for way in ("exact", path))
    levels = (one - two).abs()[0].amax(0).numpy()
    return {
        "before JPEG": float(np.abs(exact - other).max()),
        "tipped": float(tipped.mean() * 1e6),
        "elsewhere": float((levels * ~_reached(tipped.any(2), clean.size)).max()),
        "levels": float(levels.max()),
        "mean": float((one - two).abs().mean()),
    }


def _reached(tipped: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) what a block of the small image with such a value can change, when it is enlarged."""
    reached = np.zeros(size, bool)
    for block in {(y // BLOCK_PX, x // BLOCK_PX) for y, x in np.argwhere(tipped).tolist()}:
        # Enlarging chroma reaches over its block by two pixels, enlarging the image by one more.
        rows, columns = (
            slice(max(0, int((at * BLOCK_PX - 3) * large / small)), int(((at + 1) * BLOCK_PX + 3) * large / small) + 1)
            for at, large, small in zip(block, size, tipped.shape, strict=True)
        )
        reached[rows, columns] = True
    return reached
