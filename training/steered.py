"""What the stage ``steer`` has trained, as a restorer that a bench can run.

Example, in a file ``mine.py`` beside the checkout's ``training``, for ``gfpbench run --restorer python:mine:restore``:
    >>> from training.steered import Steered
    >>> restore = Steered("runs/steer/nano-prior.safetensors")
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from gfpbench.images import from_signed, moved, resized, to_signed
from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.types import BadInput, ImageBatch, Json
from training.mobile_prior import MobilePrior
from training.steer import Steer, fetched_prior, prior_sha256
from training.steering import Steering


class Steered:
    """A restorer (``types.Restorer``): the trained network over the frozen prior that it was trained on.

    Args:
        path: ``nano-prior.safetensors`` of a run.
        device: where it runs.
        prior: the generator; the asset's unless given.

    Raises:
        BadInput: for another file, or another prior.
        AssetMissing: where the generator was not fetched.
    """

    def __init__(self, path: str | Path, device: str = "cpu", prior: MobilePrior | None = None) -> None:
        place = Path(path)
        try:
            with safe_open(place, "pt") as opened:
                about: Mapping[str, str] = opened.metadata() or {}
                weights = {name: opened.get_tensor(name).float() for name in opened.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise BadInput(f"{place}: cannot read the weights ({' '.join(str(error).split())})") from error
        if about.get("arch") != Steer.arch:
            raise BadInput(f"{place} was not made by the stage steer")
        frozen = fetched_prior() if prior is None else prior
        if prior_sha256(frozen) != about["prior_weights_sha256"]:
            raise BadInput(f"{place} was trained over another prior than the one that is here")
        config = json.loads(about["config"])
        sizes = Sizes.made(
            *(config[key] for key in ("out_size", "num_style_feat", "num_mlp", "narrow", "channel_multiplier"))
        )
        readout = torch.zeros(12, weights["readout.weight"].shape[1] + 1)
        network = Steering(sizes, frozen, len(weights["latents.0.bias"]), 0, readout)
        network.load_state_dict(weights)
        self.name, self.side, self.device = f"steered:{place.name}", sizes.out_px, device
        self._network, self._prior = network.requires_grad_(False).eval().to(device), frozen.to(device)
        self._about = {
            "weights_sha256": hashlib.sha256(place.read_bytes()).hexdigest(),
            "steps": about["steps"],
            "prior_weights_sha256": about["prior_weights_sha256"],
        }

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        given = resized(moved(degraded, self.device), (self.side, self.side))
        with torch.no_grad():
            restored, _, _ = self._network(self._prior, to_signed(given))
        return moved(resized(from_signed(restored, degraded.ids), degraded.size), degraded.pixels.device)

    def provenance(self) -> Mapping[str, Json]:
        """Which weights, over which prior."""
        return {"restorer": self.name, "architecture": Steer.arch, "works_at_px": self.side, **self._about}
