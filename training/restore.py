"""The stage ``restore``: a U-Net and the StyleGAN2 prior it steers, trained to take degradations away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from torch import nn

from gfpbench.nano import networks
from training import losses
from training.augment import diffaugment
from training.config import Config
from training.data import Faces, Pairs, torch_generator
from training.discriminators import COMPONENTS, Discriminator, LocalDiscriminator, component
from training.learning import Average, Schedule, products
from training.start import Start

Tensor = torch.Tensor


class Answer(NamedTuple):
    """What a network makes of degraded images: restored ones, the U-Net's own of every size, and its latents."""

    restored: Tensor
    images: list[Tensor]
    latents: Tensor


class Restore:
    """Everything that a step of this stage changes.

    Args:
        config: the settings.
        faces: what is trained on; the identity network looks for their landmarks once.
        device, seed: of everything.
        start: weights to begin with; None begins at random.
    """

    name, file, title, arch = "restore", "nano.safetensors", "nano", "GFPGANv1Clean"

    def __init__(self, config: Config, faces: Faces, device: str, seed: int, start: Start | None) -> None:
        self.config, self.settings, self.seed, self.device = config, config.restore, seed, device
        self.network = self._begun(start).to(device)
        self.averaged = Average(self.network, self.settings["ema_decay"])
        self.optimiser = torch.optim.Adam(self._groups(), betas=(self.settings["beta_1"], 0.99))
        self.schedule = Schedule(*(config.restore[key] for key in ("warmup_steps", "flat_until", "least_rate")))
        self.judges = self._judges(start) if self._is_judged() else None
        if self.judges is not None:
            judge_rate = self.settings["discriminator_learning_rate"]
            self.judge_optimiser = torch.optim.Adam(
                [{"params": list(self.judges.parameters()), "lr": judge_rate, "base": judge_rate}], betas=(0.0, 0.99)
            )
        self.identity = self._identity(faces)

    def _begun(self, start: Start | None) -> Any:
        """The network as it is before the first step."""
        network = networks.restorer(self.config.sizes, self.seed)
        if start is not None:
            start.put_into(network)
        return network

    def _groups(self) -> list[dict[str, Any]]:
        """What learns, and how fast."""
        decoder = list(self.network.stylegan_decoder.parameters())
        inside = {id(weight) for weight in decoder}
        unet = [weight for weight in self.network.parameters() if id(weight) not in inside]
        base = self.settings["learning_rate"]
        return [
            {"params": unet, "lr": base, "base": base},
            {"params": decoder, "lr": base, "base": base * self.settings["decoder_rate"]},
        ]

    def answer(self, network: Any, degraded: Tensor) -> Answer:
        """What ``network``, the one that learns or its average, makes of (B, 3, S, S) in [-1, 1]."""
        latents, conditions, images = networks.encoded(network, degraded)
        return Answer(networks.decoded(network.stylegan_decoder, latents, conditions), images, latents)

    def _is_judged(self) -> bool:
        weights, features = self.config.losses, self.settings["features"]
        by_features = bool(weights.perceptual) and features == "discriminator"
        return bool(weights.adversarial or weights.local or weights.style) or by_features

    def _judges(self, start: Start | None) -> nn.ModuleDict:
        sizes = self.config.network
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + 1)
            whole = Discriminator(sizes["size_px"], sizes["discriminator_width"], sizes["discriminator_widest"])
            parts = {name: LocalDiscriminator(sizes["local_width"]) for name in COMPONENTS}
        if start is not None:
            start.put_into_discriminator(whole)
        return nn.ModuleDict({"whole": whole, **parts}).to(self.device)

    def _identity(self, faces: Faces) -> Any:
        if "dlib" not in (self.settings["features"], self.settings["identity"]):
            return None
        from training.dlib_network import AlignedDlib

        return AlignedDlib(faces, self.device)

    def step(self, pairs: Pairs, step: int, progress: float) -> dict[str, Tensor]:
        """Learn from one batch; the terms of the objective, on the device: to read them is to wait for it."""
        truth = pairs.truth.contiguous(memory_format=torch.channels_last)
        scale = self.schedule.at(step, progress)
        with products(self.config.run["precision"], self.device):
            answer = self.answer(self.network, pairs.degraded)
            restored = answer.restored
            judged = {} if self.judges is None else self._teach_judges(restored.detach(), truth, step, scale)
            terms = self._terms(restored, truth, pairs, step) | self._latent_terms(answer.latents, pairs)
            if self.config.losses.pyramid and progress <= self.settings["pyramid_until"]:
                terms["pyramid"] = losses.pyramid(answer.images, truth)
        self.optimiser.zero_grad(set_to_none=True)
        losses.total(terms, self.config.losses).backward()  # type: ignore[no-untyped-call,unused-ignore]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings["clip_norm"])
        _step(self.optimiser, scale)
        self.averaged.update(self.network, step)
        return {name: term.detach() for name, term in terms.items()} | judged

    def _latent_terms(self, latents: Tensor, pairs: Pairs) -> dict[str, Tensor]:
        """Terms of the latents themselves; none where nobody knows what they should be."""
        return {}

    def _terms(self, restored: Tensor, truth: Tensor, pairs: Pairs, step: int) -> dict[str, Tensor]:
        weights, terms = self.config.losses, {"l1": losses.l1(restored, truth)}
        if weights.edge:
            terms["edge"] = losses.edge(restored, truth)
        if weights.component_l1:
            parts = [losses.l1(component(restored, part), component(truth, part)) for part in COMPONENTS]
            terms["component_l1"] = torch.stack(parts).mean()
        if self.identity is not None:
            terms |= self._identity_terms(restored, truth, pairs)
        if self.judges is None:
            return terms
        self.judges.requires_grad_(False)
        whole: Any = self.judges["whole"]
        if weights.perceptual and self.settings["features"] == "discriminator":
            with torch.no_grad():
                theirs = whole.features(truth)
            terms["perceptual"] = losses.perceptual(_floats(whole.features(restored)), _floats(theirs))
        if weights.adversarial:
            seen = self._augmented([restored], step, "generator")[0]
            terms["adversarial"] = losses.adversarial(whole(seen))
        if weights.local or weights.style:
            logits, styles = [], []
            for part in COMPONENTS:
                logit, maps = self.judges[part](component(restored, part))
                with torch.no_grad():
                    _, true_maps = self.judges[part](component(truth, part))
                logits.append(logit)
                styles.append(losses.style(maps, true_maps))
            terms["local"], terms["style"] = losses.local(logits), torch.stack(styles).sum()
        self.judges.requires_grad_(True)
        return terms

    def _identity_terms(self, restored: Tensor, truth: Tensor, pairs: Pairs) -> dict[str, Tensor]:
        weights, terms = self.config.losses, {}
        maps, embedding = self.identity(restored, pairs)
        with torch.no_grad():
            true_maps, true_embedding = self.identity(truth, pairs)
        if weights.perceptual and self.settings["features"] == "dlib":
            terms["perceptual"] = losses.perceptual(_floats(maps), _floats(true_maps))
        if weights.identity:
            terms["identity"] = losses.identity(embedding.float(), true_embedding.float())
        return terms

    def _teach_judges(self, restored: Tensor, truth: Tensor, step: int, scale: float) -> dict[str, Tensor]:
        judges: Any = self.judges
        seen, true_seen = self._augmented([restored, truth], step, "discriminator")
        loss = losses.discriminate(judges["whole"](seen), judges["whole"](true_seen))
        for part in COMPONENTS if self.config.losses.local else ():
            ours, theirs = (judges[part](component(images, part))[0] for images in (restored, truth))
            loss = loss + losses.discriminate(ours, theirs) / 2
        every = self.settings["r1_every"]
        if step % every == 0:
            loss = loss + every * penalty(judges["whole"], true_seen, self.config.losses.r1_gamma)
        self.judge_optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
        _step(self.judge_optimiser, scale)
        return {"discriminator": loss.detach()}

    def _augmented(self, images: Sequence[Tensor], step: int, purpose: str) -> list[Tensor]:
        if not self.settings["diffaugment"]:
            return list(images)
        return [
            diffaugment(given, torch_generator(self.seed, step, f"{purpose} {number}"))
            for number, given in enumerate(images)
        ]

    @torch.no_grad()
    def shown(self, degraded: Tensor) -> Tensor:
        """(B, 3, S, S) in [-1, 1] restored by the averaged weights, in float32 and some at a time."""
        parts = [
            self.answer(self.averaged.network, part.to(self.device)).restored for part in torch.split(degraded, 16)
        ]
        return torch.cat(parts).float().cpu()

    def state(self) -> dict[str, Any]:
        """All that a later step depends on."""
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        if self.judges is not None:
            state |= {"judges": self.judges.state_dict(), "judge_optimiser": self.judge_optimiser.state_dict()}
        return state

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``."""
        self.network.load_state_dict(state["network"])
        self.averaged.network.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.judges is not None:
            self.judges.load_state_dict(state["judges"])
            self.judge_optimiser.load_state_dict(state["judge_optimiser"])

    def facts(self) -> dict[str, Any]:
        """What the metadata says of the objective."""
        return {
            "losses": {
                name: weight
                for name, weight in asdict(self.config.losses).items()
                if weight and (name != "r1_gamma" or self.judges is not None)
            },
            "perceptual_features": self.settings["features"] if self.config.losses.perceptual else "none",
            "identity_network": self.settings["identity"] if self.config.losses.identity else "none",
        }


def penalty(judge: Any, truth: Tensor, gamma: float) -> Tensor:
    """R1 of a discriminator at true images, in float32: second derivatives of bf16 products are too coarse."""
    truth = truth.detach().float().requires_grad_(True)
    with torch.autocast(truth.device.type, enabled=False):
        return losses.r1(judge(truth), truth, gamma)


def _step(optimiser: torch.optim.Optimizer, scale: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = group["base"] * scale
    optimiser.step()


def _floats(maps: Sequence[Tensor]) -> list[Tensor]:
    return [features.float() for features in maps]
