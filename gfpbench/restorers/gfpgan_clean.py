"""Runs a clean GFP-GAN network (version 1.2 and later, and nano) the way its authors do, and always the same way."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

from gfpbench.images import from_signed, moved, resized, to_signed
from gfpbench.restorers.precision import arithmetic
from gfpbench.types import BadInput, ImageBatch, Json


class GfpganClean:
    """A GFPGANv1Clean network as a Restorer.

    The network sees RGB in [-1, 1], contiguous, float32 without TF32, in evaluation mode and with the noise stored in
    its weights (``randomize_noise=False``; the architecture's default draws new noise at every call). It works at one
    size: images of another are resized to it and back, which the provenance says.

    Args:
        name: under which it is listed.
        network: GFPGANv1Clean, called as gfpgan/utils.py of TencentARC/GFPGAN@7552a77 does, except for the noise.
        size_px: the side the network works at.
        device: where it runs; restored images come back on the device of the degraded ones.
        identity: what else belongs in the provenance (hash of the weights, configuration).
    """

    def __init__(
        self, name: str, network: torch.nn.Module, size_px: int, device: str, identity: Mapping[str, Json]
    ) -> None:
        self.name = name
        self.size_px = size_px
        self.device = device
        self.network = network.requires_grad_(False).eval().to(device)
        self._identity = dict(identity)

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        """Restore (B, 3, H, W). Raises BadInput where the network's answer is not finite, and whatever torch raises."""
        fitted = resized(moved(degraded, self.device), (self.size_px, self.size_px))
        # .contiguous(): the network calls .view on a feature map, which a channels-last input would break.
        signed = to_signed(fitted).contiguous()
        with arithmetic("fp32", self.device, autocast=False):
            restored, _ = self.network(signed, return_rgb=False, randomize_noise=False)
        return moved(resized(from_signed(restored, degraded.ids), degraded.size), degraded.pixels.device)

    def provenance(self) -> Mapping[str, Json]:
        return {
            "restorer": self.name,
            "architecture": "GFPGANv1Clean",
            "implementation": f"spandrel {version('spandrel')}",
            "works_at_px": self.size_px,
            "other_sizes": "area when shrinking, bicubic when enlarging; the same on the way back",
            "precision": "float32, no TF32",
            "randomize_noise": False,
            **self._identity,
        }


def clean_network(config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """GFPGANv1Clean with these weights, in float32. Leaves torch's random state as it was.

    Args:
        config: the constructor's arguments (``out_size``, ``narrow``, ...).
        weights: every parameter and noise buffer under the authors' names, in any floating-point type.

    Raises:
        BadInput: where weights and configuration do not fit together.
    """
    from spandrel.architectures.GFPGAN import GFPGAN

    with torch.random.fork_rng(devices=[]):  # the constructor draws initial weights, which are replaced below
        network: torch.nn.Module = GFPGAN(**config)
    try:
        network.load_state_dict({name: tensor.float() for name, tensor in weights.items()}, strict=True)
    except RuntimeError as error:
        raise BadInput(
            f"the weights do not fit GFPGANv1Clean({dict(config)}): {' '.join(str(error).split())[:300]}"
        ) from error
    return network.eval()
