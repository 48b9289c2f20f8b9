"""Initial weights of training: a prior, a restorer of equal or smaller width, or the packaged network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gfpbench.nano.networks import channels_last
from gfpbench.restorers.checkpoint_file import fit, read_weights
from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.restorers.nano import WEIGHTS
from gfpbench.types import BadInput
from training.widen import widened

DISCRIMINATOR = "discriminator."


@dataclass(frozen=True, slots=True)
class Start:
    """A file's weights.

    Args:
        path: of the file.
        kind: ``prior`` or ``restorer``.
        weights: float32, under the authors' names.
        discriminator: what came with a prior; may be empty.
        mean_latent: of a prior: the w of its mean face.
    """

    path: Path
    kind: str
    weights: Mapping[str, torch.Tensor]
    discriminator: Mapping[str, torch.Tensor]
    mean_latent: torch.Tensor | None

    def put_into(self, network: Any) -> None:
        """Into GFPGANv1Clean. A prior goes into its decoder, and the U-Net is set to ask for the mean face.

        A restorer with fewer channels is widened, and restores as it did.

        Raises:
            BadInput: where the sizes differ otherwise.
        """
        if self.kind == "restorer":
            self._refuse_another_form(network)
            fit_copied(network, widened(self.weights, network.state_dict()), self.path)
            return
        fit_copied(network.stylegan_decoder, self.weights, self.path)
        with torch.no_grad():
            if self.mean_latent is not None:
                network.final_linear.weight.mul_(0.1)
                copies = network.final_linear.out_features // len(self.mean_latent)
                network.final_linear.bias.copy_(self.mean_latent.repeat(copies))
            for scale, shift in zip(network.condition_scale, network.condition_shift, strict=True):
                for layer, value in ((scale[2], 1.0), (shift[2], 0.0)):  # at first the prior's features pass unchanged
                    nn.init.zeros_(layer.weight)
                    nn.init.constant_(layer.bias, value)

    def _refuse_another_form(self, network: Any) -> None:
        """Raise BadInput, with what to set, where more differs than the number of channels."""
        own, wanted = (
            {"size_px": sizes.out_px, "style": sizes.style, "mlp": sizes.mlp}
            for sizes in (Sizes.of(weights, self.path) for weights in (self.weights, network.state_dict()))
        )
        differs = [name for name in own if own[name] != wanted[name]]
        if differs:
            has, instead = (", ".join(f"{name} = {of[name]}" for name in differs) for of in (own, wanted))
            raise BadInput(
                f"{self.path} does not fit the network of this config: it has {has} and not {instead}; write "
                f"[network] with {has} into a TOML file that has the config's name as over, and give that by --config"
            )

    def put_into_discriminator(self, discriminator: nn.Module) -> None:
        """The prior's discriminator goes on judging, where it has the same sizes."""
        wanted = {name: tensor.shape for name, tensor in discriminator.state_dict().items()}
        if wanted == {name: tensor.shape for name, tensor in self.discriminator.items()}:
            discriminator.load_state_dict(dict(self.discriminator))


def read_start(name_or_path: str) -> Start:
    """``nano`` for the embedded network, or a file written by either stage.

    Raises:
        BadInput: for a file that is not there, or holds neither.
    """
    path = WEIGHTS if name_or_path == "nano" else Path(name_or_path).expanduser()
    weights = read_weights(path)
    judge = {k.removeprefix(DISCRIMINATOR): v for k, v in weights.items() if k.startswith(DISCRIMINATOR)}
    rest = {name: tensor for name, tensor in weights.items() if not name.startswith((DISCRIMINATOR, "mean_latent"))}
    if "conv_body_first.weight" in rest:
        return Start(path, "restorer", rest, judge, None)
    if "constant_input.weight" in rest:
        return Start(path, "prior", rest, judge, weights.get("mean_latent"))
    raise BadInput(f"{path} holds neither a GFP-GAN network nor a prior made by this program")


def fit_copied(network: Any, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Copy weights into a network that will be trained. Raises BadInput where sizes or names differ."""
    copies = {name: tensor.detach().clone() for name, tensor in weights.items()}
    fit(network, copies, path, "the network of this config")
    channels_last(network)
