"""Enlarges the background of a photo by a super-resolution network, as GFP-GAN's script does with Real-ESRGAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from gfpbench.images import moved
from gfpbench.photos.paste import Levels
from gfpbench.restorers import load as load_restorer
from gfpbench.restorers.face_network import FaceNetwork
from gfpbench.types import BadInput, ImageBatch, Json

TILE_PX, PADDING_PX = 400, 10
"""As inference_gfpgan.py has them (``bg_tile`` and ``tile_pad``, TencentARC/GFPGAN@7552a77)."""


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A super-resolution network over a whole photo, tile by tile.

    Args:
        network: one that enlarges.
        device: where its tiles go.
    """

    network: FaceNetwork
    device: str = "cpu"

    def enlarged(self, colour: Levels, upscale: int) -> Levels:
        """The photo ``upscale`` times larger: by the network's own factor, then Lanczos to the size that is wanted.

        Args:
            colour: (H, W, 3) uint8 or uint16 RGB.
            upscale: 1 or more; the network's own factor needs no resampling.

        Returns:
            (upscale H, upscale W, 3) in the same type.
        """
        full = float(np.iinfo(colour.dtype).max)
        scale = self.network.scale or 1
        height, width = colour.shape[:2]
        whole = np.empty((height * scale, width * scale, 3), np.float32)
        for top in range(0, height, TILE_PX):
            for left in range(0, width, TILE_PX):
                bottom, right = min(top + TILE_PX, height), min(left + TILE_PX, width)
                above, before = max(top - PADDING_PX, 0), max(left - PADDING_PX, 0)
                tile = colour[above : bottom + PADDING_PX, before : right + PADDING_PX].astype(np.float32) / full
                answer = self._enlarged(tile)
                y, x = (top - above) * scale, (left - before) * scale
                inside = answer[y : y + (bottom - top) * scale, x : x + (right - left) * scale]
                whole[top * scale : bottom * scale, left * scale : right * scale] = inside
        if upscale != scale:
            size = (width * upscale, height * upscale)
            whole = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_LANCZOS4), np.float32)
        return np.rint(whole.clip(0, 1) * full).astype(colour.dtype)

    def _enlarged(self, tile: np.ndarray) -> np.ndarray:
        """(h, w, 3) float32 in [0, 1] to (s h, s w, 3)."""
        pixels = torch.from_numpy(np.ascontiguousarray(tile.transpose(2, 0, 1)))[None]
        answer = self.network.enlarged(moved(ImageBatch(pixels, ("tile",)), self.device))
        found: np.ndarray = answer.pixels[0].permute(1, 2, 0).cpu().numpy()
        return found

    def provenance(self) -> Mapping[str, Json]:
        """JSON: the network and its tiles."""
        return {"background": {**self.network.provenance(), "tile_px": TILE_PX, "padding_px": PADDING_PX}}


def load_background(name: str, *, device: str = "cpu") -> Background:
    """A network that enlarges, by its restorer: ``realesrgan-x4plus``, ``waifu2x-photo`` or ``checkpoint:PATH``.

    Raises:
        BadInput: for a restorer that is no super-resolution network.
        AssetMissing: where its weights are not here.
    """
    network = load_restorer(name, device=device)
    if not isinstance(network, FaceNetwork) or network.size_px is not None or (network.scale or 1) < 2:
        raise BadInput(
            f"--background {name}: is no network that enlarges any image; realesrgan-x4plus and waifu2x-photo are"
        )
    return Background(network, device)
