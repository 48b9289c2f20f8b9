"""FFDNet: a small general denoiser that is told how strong the noise is."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from gfpbench import assets
from gfpbench.options import Options
from gfpbench.restorers.checkpoint_file import file_sha256, find_weights, fit
from gfpbench.restorers.face_network import FaceNetwork, placed, read_settings
from gfpbench.types import Json

NAME = "ffdnet"
SIGMA = 15.0
"""The strongest noise of the paper's degradation (Eq. 7 draws 0 to 15)."""


class FFDNet(nn.Module):
    """(B, 3, H, W) in [0, 1], and the standard deviation of its noise in parts of 1, to the same without the noise.

    The colour network of Zhang, Zuo and Zhang (2018): pixels of 2 x 2 become channels, 12 convolutions, and back. An
    odd side is padded by its last row or column.
    """

    def __init__(self, channels: int = 96, convolutions: int = 12) -> None:
        super().__init__()
        widths = [13, *[channels] * (convolutions - 1), 12]
        layers: list[nn.Module] = []
        for wide, narrow in pairwise(widths):
            layers += [nn.Conv2d(wide, narrow, 3, padding=1), nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1])

    def forward(self, pixels: torch.Tensor, sigma: float) -> torch.Tensor:
        height, width = pixels.shape[2:]
        even = F.pad(pixels, (0, width % 2, 0, height % 2), mode="replicate")
        channels = F.pixel_unshuffle(even, 2)
        strength = torch.full_like(channels[:, :1], sigma)
        clean = F.pixel_shuffle(self.model(torch.cat([channels, strength], 1)), 2)
        return clean[..., :height, :width]


def ffdnet(*, device: str = "cpu", **given: str) -> FaceNetwork:
    """FFDNet: general denoising; ffdnet?sigma=25 says how strong the noise is, of 255 levels (15 by default).

    It knows no faces, and removes no blur. Options: ``sigma`` (0 to 75, as it was trained), ``dtype``, ``batch``,
    ``layout``, ``compile``. Raises AssetMissing where its weights were not fetched.
    """
    options = Options(NAME, given)
    settings = read_settings(options, device)
    sigma = options.number("sigma", SIGMA, 0.0, 75.0)
    options.finished()
    path = assets.path(NAME, needed_by=NAME)
    network = FFDNet()
    fit(network, find_weights(path).weights, path, "FFDNet")
    placed(network, settings)

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        clean: torch.Tensor = network(pixels, sigma / 255)
        return clean

    found = assets.status(NAME).asset
    identity: dict[str, Json] = {
        "architecture": "FFDNet, colour",
        "sigma_levels": sigma,
        "odd_sides": "padded by the last row or column",
        "weights": path.name,
        "weights_sha256": file_sha256(path),
        "licence": found.licence,
        "source": found.source,
    }
    return FaceNetwork(options.spelled, forward, settings, takes="unit", size_px=None, identity=identity)
