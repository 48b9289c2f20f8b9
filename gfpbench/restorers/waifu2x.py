"""waifu2x's networks for photographs: twice as large, with noise and JPEG artefacts reduced by a chosen level."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from gfpbench import assets
from gfpbench.assets.converters import WAIFU2X_NOISE
from gfpbench.options import Options
from gfpbench.restorers.checkpoint_file import file_sha256, find_weights, fit
from gfpbench.restorers.face_network import FaceNetwork, placed, read_reduction, read_settings
from gfpbench.types import Json

NAME = "waifu2x-photo"
SEES_PX = 7
"""How far a pixel of the answer sees: the network has no padding of its own and takes so much more on each side."""
WIDTHS = (3, 16, 32, 64, 128, 128, 256)


class UpConv7(nn.Module):
    """(B, 3, H, W) in [0, 1] to (B, 3, 2H, 2W): ``upconv_7`` of nagadomi/waifu2x.

    The image is continued by its edge, as waifu2x-ncnn-vulkan does.
    """

    def __init__(self) -> None:
        super().__init__()
        for number in range(1, 7):
            self.add_module(f"conv{number}", nn.Conv2d(WIDTHS[number - 1], WIDTHS[number], 3))
        self.conv7 = nn.ConvTranspose2d(WIDTHS[-1], 3, 4, stride=2, padding=3)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = F.pad(pixels, (SEES_PX,) * 4, mode="replicate")
        for number in range(1, 7):
            x = F.leaky_relu(self.get_submodule(f"conv{number}")(x), 0.1)
        enlarged: torch.Tensor = self.conv7(x)
        return enlarged


def waifu2x_photo(*, device: str = "cpu", **given: str) -> FaceNetwork:
    """waifu2x for photographs: enlarged twice with less noise (?noise=none or 0 to 3), then brought back to its size.

    It knows no faces. Options: ``noise`` (3 by default), ``reduce`` (2: see the image at half its size), ``dtype``,
    ``batch``, ``layout``, ``compile``. Raises AssetMissing where its weights were not fetched.
    """
    options = Options(NAME, given)
    settings = read_settings(options, device)
    noise = options.choice("noise", ("3", *(level for level in WAIFU2X_NOISE if level != "3")))
    reduce = read_reduction(options)
    options.finished()
    path = assets.path(NAME, needed_by=NAME)
    weights = find_weights(path).weights
    network = UpConv7()
    prefix = f"noise_{noise}."
    own = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    fit(network, own, path, "waifu2x's upconv_7")
    found = assets.status(NAME).asset
    identity: dict[str, Json] = {
        "architecture": "upconv_7",
        "noise_reduction": noise,
        "beyond_the_edge": f"{SEES_PX} px, the edge repeated",
        "weights": path.name,
        "weights_sha256": file_sha256(path),
        "licence": found.licence,
        "source": found.source,
    }
    return FaceNetwork(
        options.spelled,
        placed(network, settings),
        settings,
        takes="unit",
        size_px=None,
        scale=2,
        reduce=reduce,
        identity=identity,
    )
