"""The stage ``steer``: a U-Net learns to steer the frozen generator of random-face, and nothing else learns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from gfpbench import assets
from gfpbench.images import from_signed, to_rgb_arrays
from gfpbench.types import BadInput
from training import losses
from training.config import Config
from training.data import Faces, Pairs, torch_generator
from training.mobile_prior import MobilePrior, ReadoutFit, read_prior
from training.restore import Answer, Restore
from training.start import Start
from training.steering import UNET, Steering, doublings

Tensor = torch.Tensor
ASSET = "random-face"
MADE = "made-faces.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class MadeFaces:
    """Faces of the prior at the size that is trained, with what made them.

    Args:
        images: (N, S, S, 3) uint8 RGB.
        latents: (N, style).
        readout: (12, C + 1), fitted to them (``ReadoutFit``).
    """

    images: Tensor
    latents: Tensor
    readout: Tensor

    def beside(self, faces: Faces, settings: Mapping[str, Any]) -> Faces:
        """Other faces, then these."""
        names = tuple(f"made {number}" for number in range(len(self.images)))
        source = {**faces.source, "count": len(faces) + len(names), "made_by_the_prior": dict(settings)}
        return Faces(np.concatenate([faces.images, self.images.numpy()]), faces.ids + names, source)


def made_faces(prior: MobilePrior, config: Config, seed: int, out: Path) -> MadeFaces:
    """Those of the folder, made once: the prior's own images, shrunk by areas; 3 s each on one core at 1,024 px.

    Raises:
        BadInput: where the prior has no features of half the size of the images.
    """
    wanted, levels, side = config.steer, doublings(config.sizes), config.sizes.out_px
    if levels >= len(prior.levels):
        raise BadInput(f"network.size_px = {side} is as large as the prior's own images, or larger")
    said = f"{prior_sha256(prior)} {seed} {side} {wanted['faces']} {wanted['truncation']}"
    key, path = hashlib.sha256(said.encode()).hexdigest(), out / MADE
    if path.is_file():
        held = load_file(path)
        if bytes(held["key"].tolist()).decode() == key:
            return MadeFaces(held["images"], held["latents"], held["readout"])
    latents = prior.drawn(wanted["faces"], wanted["truncation"], torch_generator(seed, 0, "faces of the prior"))
    fit, images = ReadoutFit(prior.channels[levels]), []
    for number, w in enumerate(torch.split(latents, 1)):
        whole, features = prior.image(w, at=levels)
        image = F.interpolate(whole.clamp(-1, 1), size=side, mode="area")
        fit.add(features, image)
        images.extend(to_rgb_arrays(from_signed(image.cpu(), (f"made {number}",))))
    made = MadeFaces(torch.from_numpy(np.stack(images)), latents.cpu(), fit.solved())
    partial = path.with_suffix(".part")
    tensors = {"images": made.images, "latents": made.latents, "readout": made.readout}
    save_file({**tensors, "key": torch.tensor(list(key.encode()), dtype=torch.uint8)}, partial)
    partial.replace(path)
    return made


def prior_sha256(prior: MobilePrior) -> str:
    """Of all its weights: a frozen prior keeps it."""
    parts = [tensor.detach().cpu().contiguous().numpy().tobytes() for tensor in prior.state_dict().values()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def fetched_prior() -> MobilePrior:
    """The generator of the asset. Raises AssetMissing where it was not fetched."""
    return read_prior(assets.path(ASSET, "the stage steer"))


class Steer(Restore):
    """As ``Restore``, but the network is ``Steering`` over a prior that no step changes.

    Args:
        faces: what is trained on: others first, then ``made``.
        prior: the frozen generator.
        made: its faces; their w is known.
    """

    name, file, title, arch = "steer", "nano-prior.safetensors", "nano-prior", "U-Net steering MobileStyleGAN"

    def __init__(
        self,
        config: Config,
        faces: Faces,
        device: str,
        seed: int,
        start: Start | None,
        prior: MobilePrior,
        made: MadeFaces,
    ) -> None:
        self.prior, self._readout = prior.to(device), made.readout
        self.prior_sha256 = prior_sha256(prior)
        self._others, self.latents = len(faces) - len(made.latents), made.latents
        self.variance = made.latents.var(0).mean().to(device)
        super().__init__(config, faces, device, seed, start)

    def _begun(self, start: Start | None) -> Steering:
        network = Steering(self.config.sizes, self.prior, self.config.steer["hidden"], self.seed, self._readout)
        if start is not None:
            _put_into(network, start)
        return network

    def _groups(self) -> list[dict[str, Any]]:
        base = self.settings["learning_rate"]
        return [{"params": list(self.network.parameters()), "lr": base, "base": base}]

    def answer(self, network: Any, degraded: Tensor) -> Answer:
        """What ``network`` and the prior make of (B, 3, S, S) in [-1, 1]."""
        restored, latents, images = network(self.prior, degraded)
        return Answer(restored, images, latents)

    def _latent_terms(self, latents: Tensor, pairs: Pairs) -> dict[str, Tensor]:
        if not self.config.losses.latent:
            return {}
        # A face that was mirrored or turned is another face of the prior, whose w nobody knows.
        still = (pairs.moved == np.eye(2, 3)).all((1, 2))
        known = np.flatnonzero(still & (pairs.index >= self._others))
        if not len(known):
            return {"latent": latents.sum() * 0}
        truth = self.latents[pairs.index[known] - self._others].to(latents.device)
        return {"latent": losses.latent(latents[known.tolist()], truth, self.variance)}

    def facts(self) -> dict[str, Any]:
        """As of ``Restore``, and which prior was steered."""
        return super().facts() | {"prior": ASSET, "prior_weights_sha256": self.prior_sha256}


def _put_into(network: Steering, start: Start) -> None:
    """The U-Net of a GFP-GAN network, or all of a file of this stage.

    Raises:
        BadInput: for a prior, and for other sizes.
    """
    own = network.state_dict()
    whole = set(own) <= set(start.weights)
    taken = {name: tensor for name, tensor in own.items() if whole or name.split(".")[0] in UNET}
    other = [name for name, tensor in taken.items() if getattr(start.weights.get(name), "shape", None) != tensor.shape]
    if other:
        raise BadInput(f"{start.path} does not fit the U-Net of this config ({other[0]} is absent or of another size)")
    network.load_state_dict(own | {name: start.weights[name].float() for name in taken})
