"""The stage ``prior``: a StyleGAN2 generator of aligned faces, from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from gfpbench.nano import networks
from training import losses
from training.augment import diffaugment
from training.config import Config
from training.data import Pairs, torch_generator
from training.discriminators import Discriminator
from training.learning import Average, products
from training.restore import penalty

Tensor = torch.Tensor
MEAN_OF = 4096
TRUNCATION = 0.7


class Prior:
    """Everything that a step of this stage changes.

    Args:
        config: the settings.
        device, seed: of everything.
    """

    name, file, title, arch = "prior", "prior.safetensors", "nano's prior", "StyleGAN2GeneratorClean"

    def __init__(self, config: Config, device: str, seed: int) -> None:
        self.config, self.settings, self.seed, self.device = config, config.prior, seed, device
        sizes, base = config.network, config.prior["learning_rate"]
        self.network = networks.prior(config.sizes, seed).to(device)
        self.averaged = Average(self.network, self.settings["ema_decay"])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            judge = Discriminator(sizes["size_px"], sizes["discriminator_width"], sizes["discriminator_widest"])
        self.judge = judge.to(device)
        mlp = list(self.network.style_mlp.parameters())
        inside = {id(weight) for weight in mlp}
        rest = [weight for weight in self.network.parameters() if id(weight) not in inside]
        self.optimiser = torch.optim.Adam(
            [{"params": rest}, {"params": mlp, "lr": base * self.settings["mlp_rate"]}], lr=base, betas=(0.0, 0.99)
        )
        self.judge_optimiser = torch.optim.Adam(self.judge.parameters(), lr=base, betas=(0.0, 0.99))

    def step(self, pairs: Pairs, step: int, progress: float) -> dict[str, Tensor]:
        """Learn from one batch of true faces; the two losses, on the device: to read them is to wait for it."""
        truth = pairs.truth.contiguous(memory_format=torch.channels_last)
        with products(self.config.run["precision"], self.device):
            with torch.no_grad():
                made = self._made(len(truth), step, "for the discriminator")
            seen, true_seen = (self._augmented(p, step, w) for p, w in ((made, "made"), (truth, "true")))
            judging = losses.discriminate(self.judge(seen), self.judge(true_seen))
            every = self.settings["r1_every"]
            if step % every == 0:
                judging = judging + every * penalty(self.judge, true_seen, self.settings["r1_gamma"])
        self.judge_optimiser.zero_grad(set_to_none=True)
        judging.backward()  # type: ignore[no-untyped-call,unused-ignore]
        self.judge_optimiser.step()
        self.judge.requires_grad_(False)
        with products(self.config.run["precision"], self.device):
            made = self._made(len(truth), step, "for the generator")
            making = losses.adversarial(self.judge(self._augmented(made, step, "generator")))
        self.judge.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        making.backward()  # type: ignore[no-untyped-call,unused-ignore]
        self.optimiser.step()
        self.averaged.update(self.network, step)
        return {"generator": making.detach(), "discriminator": judging.detach()}

    def _made(self, count: int, step: int, purpose: str) -> Tensor:
        source = torch_generator(self.seed, step, purpose)
        z = torch.randn(2, count, self.config.sizes.style, generator=source).to(self.device, non_blocking=True)
        mixes = torch.rand(count, generator=source) < self.settings["style_mixing"]
        layers = self.network.num_latent
        turn = torch.where(mixes, torch.randint(1, layers, (count,), generator=source), torch.tensor(layers))
        first, second = (networks.mapped(self.network, part).float() for part in z)
        before = (torch.arange(layers) < turn[:, None]).to(self.device, non_blocking=True)
        latents = torch.where(before[..., None], first[:, None], second[:, None])
        noises = networks.drawn_noises(self.network, count, source)
        return networks.decoded(self.network, latents, noises=noises)

    def _augmented(self, images: Tensor, step: int, purpose: str) -> Tensor:
        if not self.settings["diffaugment"]:
            return images
        return diffaugment(images, torch_generator(self.seed, step, f"augmentation {purpose}"))

    @torch.no_grad()
    def sampled(self, count: int, truncation: float) -> Tensor:
        """Faces of the averaged weights, (count, 3, S, S): the same z and noise whenever asked."""
        return sampled(self.averaged.network, count, truncation, seed=0)

    def state(self) -> dict[str, Any]:
        """All that a later step depends on."""
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "judge": self.judge.state_dict(),
            "judge_optimiser": self.judge_optimiser.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``."""
        self.network.load_state_dict(state["network"])
        self.averaged.network.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.judge.load_state_dict(state["judge"])
        self.judge_optimiser.load_state_dict(state["judge_optimiser"])

    def facts(self) -> dict[str, Any]:
        """What the metadata says of the objective."""
        return {
            "losses": {"adversarial": 1.0, "r1_gamma": self.settings["r1_gamma"]},
            "settings": dict(self.settings),
        }


@torch.no_grad()
def mean_latent(network: Any) -> Tensor:
    """(style,) the mean w over fixed normal z: what truncation draws latents towards."""
    source = torch.Generator().manual_seed(0)
    z = torch.randn(MEAN_OF, network.num_style_feat, generator=source)
    return networks.mapped(network, z.to(network.constant_input.weight.device)).mean(0)


@torch.no_grad()
def sampled(network: Any, count: int, truncation: float, seed: int, first: int = 0) -> Tensor:
    """Faces of a prior, (count, 3, S, S) float32 on the CPU, clamped to [-1, 1]. Uses the noise it stores.

    Args:
        truncation: psi: w <- mean + psi (w - mean). 1 leaves it, smaller is safer and more alike.
        seed, first: face number n of a seed is the same however many are made at once.
    """
    device = network.constant_input.weight.device
    sources = [torch_generator(seed, first + number, "sampled face") for number in range(count)]
    z = torch.stack([torch.randn(network.num_style_feat, generator=source) for source in sources]).to(device)
    mean = mean_latent(network)
    latents = mean + truncation * (networks.mapped(network, z) - mean)
    return torch.cat([networks.decoded(network, part) for part in torch.split(latents, 16)]).float().clamp(-1, 1).cpu()
