"""Infers the size of a GFP-GAN network from the shapes of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from gfpbench.assets.nested_weights import shown
from gfpbench.types import BadInput

_MOST_LEVELS = 10
"""Doublings from 4 px on: to 4,096 px. The published networks have 7."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The widths of a GFP-GAN network.

    Args:
        out_px: side of the images, a power of two.
        style: numbers in a style vector.
        mlp: layers that map styles; unused at inference, but in the files.
        decoder, unet: channels by side in pixels, from 4 to ``out_px``.
        narrow, channel_multiplier: the arguments of the authors' constructor that give these.
    """

    out_px: int
    style: int
    mlp: int
    decoder: Mapping[int, int]
    unet: Mapping[int, int]
    narrow: float
    channel_multiplier: int

    @property
    def sides(self) -> list[int]:
        """8, 16, ... ``out_px``."""
        return [side for side in self.decoder if side > 4]

    @property
    def latents(self) -> int:
        """Style vectors the decoder takes: one for each convolution and one for the last image."""
        return 2 * len(self.sides) + 2

    @classmethod
    def made(cls, out_px: int, style: int, mlp: int, narrow: float, channel_multiplier: int) -> Sizes:
        """The widths that the authors' constructor gives for these arguments."""
        sides = [4 << step for step in range(out_px.bit_length() - 2)]

        def widths(narrow: float) -> dict[int, int]:
            # 512 channels up to 32 px; from 64 px on half as many at each step, times the multiplier.
            return {s: int(512 * narrow) if s <= 32 else int(16384 // s * channel_multiplier * narrow) for s in sides}

        return cls(out_px, style, mlp, widths(narrow), widths(narrow * 0.5), narrow, channel_multiplier)

    @classmethod
    def of(cls, weights: Mapping[str, torch.Tensor], path: Path) -> Sizes:
        """Read them from the weights of a file. Raises BadInput for no GFP-GAN, or none of the published form."""
        decoder = "stylegan_decoder."
        try:
            style = weights[f"{decoder}style_conv1.modulated_conv.modulation.weight"].shape[1]
            constant = weights[f"{decoder}constant_input.weight"].shape[1]
            latents = weights["final_linear.weight"].shape[0]
            levels = max(int(n.split(".")[2]) for n in weights if n.startswith(f"{decoder}to_rgbs.")) + 1
            layers = [n for n in weights if n.startswith(f"{decoder}style_mlp.") and n.endswith(".weight")]
            last = weights[f"{decoder}to_rgbs.{levels - 1}.modulated_conv.weight"].shape[2]
            shift = weights[f"condition_shift.{levels - 1}.2.weight"].shape[0]
            if not (1 <= levels <= _MOST_LEVELS and constant > 0 and style > 0):
                raise ValueError(f"{levels} levels, {constant} channels, styles of {style}")
        except (KeyError, ValueError, IndexError) as error:
            raise BadInput(
                f"{path} does not hold the weights of a GFP-GAN network (looked for {shown(str(error))})"
            ) from error
        out_px = 4 << levels
        narrow = constant / 512
        multiplier = max(1, round(last / (16384 // out_px * narrow))) if out_px > 32 else 2
        if latents != (2 * levels + 2) * style or shift * 2 != last:
            raise BadInput(
                f"{path} is a GFP-GAN network of a form that was never published "
                "(one style for all layers, or conditions on all channels): gfpbench cannot run it"
            )
        return cls.made(out_px, style, len(layers), narrow, multiplier)

    def config(self) -> dict[str, int | float | bool]:
        """The arguments of the authors' constructor, as a provenance records them."""
        return {
            "out_size": self.out_px,
            "num_style_feat": self.style,
            "channel_multiplier": self.channel_multiplier,
            "num_mlp": self.mlp,
            "narrow": self.narrow,
            "input_is_latent": True,
            "different_w": True,
            "sft_half": True,
        }
