"""The named degradations: the paper's, its training code's, and the 2021 reproduction's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gfpbench.degrade.blur import Blur
from gfpbench.degrade.chain import Chain
from gfpbench.degrade.colour import Colour
from gfpbench.degrade.jpeg import Jpeg
from gfpbench.degrade.noise import Noise
from gfpbench.degrade.resample import Downsample
from gfpbench.types import NO_TRUTH, BadInput, ImageBatch, Json, Parameters

PAPER = Chain(
    name="paper",
    summary="Eq. 7 of the GFP-GAN paper: sigma 0.2-10 px at 512, r 1-8, noise 0-15, JPEG 60-100",
    source="Wang et al., GFP-GAN, CVPR 2021, Eq. 6 and 7; kernel window and shapes from GFPGAN @7552a77",
    blur=Blur(sigma_px_at_512=(0.2, 10.0)),
    downsample=Downsample(ratio=(1.0, 8.0)),
    noise=Noise(std_grey_levels=(0.0, 15.0)),
    jpeg=Jpeg(quality=(60, 100)),
)

# The float quality of @7552a77, at which OpenCV raises, is read as int(q), as VQFR and CodeFormer do: 60..99.
UPSTREAM = Chain(
    name="upstream",
    summary="GFP-GAN's own training code: sigma 0.1-10 px at 512, r 0.8-8, noise 0-20, JPEG 60-99, colour jitter",
    source="GFPGAN @7552a77, gfpgan/data/ffhq_degradation_dataset.py with options/train_gfpgan_v1.yml",
    blur=Blur(sigma_px_at_512=(0.1, 10.0)),
    downsample=Downsample(ratio=(0.8, 8.0)),
    noise=Noise(std_grey_levels=(0.0, 20.0)),
    jpeg=Jpeg(quality=(60, 99)),
    colour=Colour(
        shift_probability=0.3,
        shift_grey_levels=(-20.0, 20.0),
        grey_probability=0.01,
        jitter_probability=0.3,
        brightness=(0.5, 1.5),
        contrast=(0.5, 1.5),
        saturation=(0.0, 1.5),
        hue_turns=(-0.1, 0.1),
    ),
    on_cpu="exact",
)

REPORT = Chain(
    name="report",
    summary="the 2021 reproduction: as paper, with a blur window of 3-15 px at 512",
    source="2021 reproduction report of GFP-GAN: odd kernel size drawn from 3..15, otherwise as paper",
    blur=Blur(sigma_px_at_512=(0.2, 10.0), kernel_sizes_px_at_512=(3, 5, 7, 9, 11, 13, 15)),
    downsample=Downsample(ratio=(1.0, 8.0)),
    noise=Noise(std_grey_levels=(0.0, 15.0)),
    jpeg=Jpeg(quality=(60, 100)),
)


@dataclass(frozen=True, slots=True)
class Untouched:
    """The degradation that returns what it is given: clean faces, or inputs that are degraded as they come."""

    name: str = "none"
    summary: str = "no degradation: the clean face itself"

    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        """Nothing is drawn; the record holds the (height, width) alone."""
        return {"height_px": int(size[0]), "width_px": int(size[1])}

    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        """The batch itself. Raises BadInput where images and records differ in number."""
        if len(parameters) != len(batch):
            raise BadInput(f"{len(batch)} images need as many degradation records, not {len(parameters)}")
        return batch

    def describe(self) -> Mapping[str, Json]:
        return {"name": self.name, "summary": self.summary, "source": ""}


NONE = Untouched()
AS_THEY_ARE = Untouched(NO_TRUTH, "no degradation and no ground truth: the faces are low-quality inputs as they come")
