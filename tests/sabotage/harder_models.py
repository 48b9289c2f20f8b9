"""Harder bugs in the network itself: other weights, other arithmetic, a layer that does something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from gfpbench import degrade, faces
from gfpbench.types import ImageBatch
from tests.sabotage.saboteurs import FULL, Saboteur, network

Change = Callable[[torch.nn.Module], None]


def weights(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [weight for weight in module.parameters() if weight.ndim >= 4]


def noisy(relative: float) -> Change:
    def add(module: torch.nn.Module) -> None:
        source = torch.Generator().manual_seed(7)
        for weight in module.parameters():
            weight.mul_(1 + relative * torch.randn(weight.shape, generator=source))

    return add


def in_int8(per_channel: bool) -> Change:
    def quantise(module: torch.nn.Module) -> None:
        for weight in weights(module):
            axes = tuple(range(weight.ndim - 3, weight.ndim)) if per_channel else None
            largest = weight.abs().amax(axes, keepdim=True) if axes else weight.abs().max()
            step = largest.clamp_min(1e-12) / 127
            weight.copy_((weight / step).round() * step)

    return quantise


def trained_on(steps: int, rate: float) -> Change:
    """The same network some steps of training later, as a checkpoint of another moment, or the raw for the averaged."""

    def train(module: torch.nn.Module) -> None:
        known = faces.load("embedded", draws=4)
        clean = ImageBatch(torch.stack([known.load(name).pixels for name in known.ids()]), known.ids())
        chain = degrade.load("paper")
        given = chain.apply(clean, [chain.draw(name, 99, clean.size) for name in clean.ids])
        parameters = list(module.parameters())
        with torch.enable_grad():
            for weight in parameters:
                weight.requires_grad_(True)
            optimiser = torch.optim.SGD(parameters, lr=rate)
            for _ in range(steps):
                optimiser.zero_grad()
                restored, _ = module(given.pixels * 2 - 1, return_rgb=False, randomize_noise=False)
                F.l1_loss(restored, clean.pixels * 2 - 1).backward()
                optimiser.step()
        for weight in parameters:
            weight.requires_grad_(False).grad = None

    return train


def hooked(chosen: Callable[[str, torch.nn.Module], bool], change: Callable[[torch.Tensor], torch.Tensor]) -> Change:
    """The output of one module changed: the first that is chosen by name."""

    def hook(module: torch.nn.Module) -> None:
        for name, part in module.named_modules():
            if chosen(name, part):
                part.register_forward_hook(lambda _, given, out: change(out))
                return
        raise AssertionError("no such module")

    return hook


def convolution(name: str, part: torch.nn.Module) -> bool:
    return isinstance(part, torch.nn.Conv2d) and part.kernel_size == (3, 3)


def slopes(module: torch.nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, torch.nn.LeakyReLU):
            part.negative_slope = 0.19


def padded_by_reflection(module: torch.nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d) and part.padding == (1, 1):
            part.padding_mode = "reflect"
            part._reversed_padding_repeated_twice = [1, 1, 1, 1]
            return


def smallest_bias_dropped(module: torch.nn.Module) -> None:
    biases = [weight for name, weight in module.named_parameters() if name.endswith("bias") and weight.ndim == 1]
    min(biases, key=lambda weight: float(weight.abs().max()) or 1e9).zero_()


def one_filter_zero(module: torch.nn.Module) -> None:
    chosen = weights(module)[-1]
    chosen.view(-1)[: chosen.shape[-1] * chosen.shape[-2]] = 0


def noise_drawn(module: torch.nn.Module) -> None:
    forward = module.forward

    def call(*given: Any, **named: Any) -> Any:
        return forward(*given, **{**named, "randomize_noise": True})

    for name, weight in module.named_parameters():
        if name.endswith("weight") and weight.numel() == 1:  # strengths of StyleGAN's noise: zero until trained
            weight.fill_(0.05)
    module.forward = call


def in_training_mode(module: torch.nn.Module) -> None:
    """A dropout of 1 % that nobody switched off."""
    hooked(convolution, lambda x: F.dropout(x, 0.01, training=True))(module)


def autocast_bf16(module: torch.nn.Module) -> None:
    forward = module.forward

    def call(*given: Any, **named: Any) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            image, rest = forward(*given, **named)
        return image.float(), rest

    module.forward = call


def row(name: str, change: Change, kind: str = "model") -> Saboteur:
    return Saboteur(name, kind, network(change), case=FULL)


MODELS: tuple[Saboteur, ...] = (
    row("weights with 0.1 % noise", noisy(1e-3)),
    row("weights with 0.01 % noise", noisy(1e-4)),
    row("a checkpoint one step of training younger", trained_on(1, 0.01)),
    row("a checkpoint ten steps younger", trained_on(10, 0.02)),
    row("raw weights for the averaged ones: a hundredth of a step", trained_on(1, 1e-4)),
    row("weights of 8 bits, one scale a layer", in_int8(False), "precision"),
    row("weights of 8 bits, one scale a channel", in_int8(True), "precision"),
    row("bf16 by autocast", autocast_bf16, "precision"),
    row("one layer's sums in bf16", hooked(convolution, lambda x: x.bfloat16().float()), "precision"),
    row("one layer's sums in fp16", hooked(convolution, lambda x: x.half().float()), "precision"),
    row("leaky slope 0.19 for 0.2", slopes),
    row("one convolution padded by reflection", padded_by_reflection),
    row("the smallest bias dropped", smallest_bias_dropped),
    row("one filter of the last layer zero", one_filter_zero),
    row("one layer's output moved by a pixel", hooked(convolution, lambda x: x.roll(1, 3))),
    row("StyleGAN's noise drawn at each call", noise_drawn, "state"),
    row("dropout of 1 % left on", in_training_mode, "state"),
)
"""Each has to be caught, or is argued where the table is written."""
