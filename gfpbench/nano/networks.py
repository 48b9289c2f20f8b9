"""The generator of GFP-GAN for bf16 training: the authors' modules and names, with our own forward pass.

spandrel carries the authors' classes; they are built here for their initial weights and their names, so that what is
trained loads wherever GFP-GAN does. Their forward pass gives every image of a batch its own convolution weights
(see ``gfpbench.restorers.modulated``) and cannot run channels-last. These functions compute the same and do both.
A step of 8 faces of 128 px takes 0.84 of the authors' time on two CPU threads, and 0.54 in bf16
(tests/speed/test_nano.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import nn

from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.restorers.modulated import EPSILON, doubled

Tensor: TypeAlias = torch.Tensor
Network: TypeAlias = Any
"""A module of the authors' classes, which carry no types."""


def restorer(sizes: Sizes, seed: int) -> Network:
    """GFPGANv1Clean with initial weights that depend on the seed alone."""
    from spandrel.architectures.GFPGAN import GFPGAN

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return channels_last(GFPGAN(**sizes.config()))


def prior(sizes: Sizes, seed: int) -> Network:
    """The StyleGAN2 generator that GFP-GAN carries inside, with initial weights that depend on the seed alone."""
    from spandrel.architectures.GFPGAN import GFPGAN

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        whole = GFPGAN(**sizes.config())
        made: Network = type(whole.stylegan_decoder).__mro__[1](
            sizes.out_px, sizes.style, sizes.mlp, sizes.channel_multiplier, sizes.narrow
        )
    return channels_last(made)


def restored(network: Network, degraded: Tensor) -> tuple[Tensor, list[Tensor]]:
    """(B, 3, S, S) in [-1, 1] to the restored image and the U-Net's own at 8, 16, ... S px. Uses the stored noise."""
    latents, conditions, images = encoded(network, degraded)
    return decoded(network.stylegan_decoder, latents, conditions), images


def encoded(network: Network, degraded: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]], list[Tensor]]:
    """What the U-Net makes of an image: latents (B, L, style), a scale and shift for each size, its own images."""
    degraded = degraded.contiguous(memory_format=torch.channels_last)
    feature = F.leaky_relu(network.conv_body_first(degraded), 0.2)
    skips = []
    for down in network.conv_body_down:
        feature = down(feature)
        skips.append(feature)
    feature = F.leaky_relu(network.final_conv(feature), 0.2)
    latents = network.final_linear(feature.flatten(1)).float().unflatten(1, (-1, network.num_style_feat))
    conditions, images = [], []
    for level, up in enumerate(network.conv_body_up):
        feature = up(feature + skips[-1 - level])
        conditions.append((network.condition_scale[level](feature), network.condition_shift[level](feature)))
        images.append(network.toRGB[level](feature).float())
    return latents, conditions, images


def mapped(decoder: Network, z: Tensor) -> Tensor:
    """(B, style) normal numbers to latents w of the same shape."""
    w: Tensor = decoder.style_mlp(z)
    return w


def decoded(
    decoder: Network,
    latents: Tensor,
    conditions: Sequence[tuple[Tensor, Tensor]] = (),
    noises: Sequence[Tensor] | None = None,
) -> Tensor:
    """Latents to images (B, 3, S, S), about [-1, 1], float32.

    Args:
        latents: (B, style) for all layers, or (B, L, style).
        conditions: scale and shift for half of the channels, from 8 px upwards (channel-split SFT); none for the prior.
        noises: one (B or 1, 1, h, w) for each styled convolution; the stored ones unless given.
    """
    if latents.ndim == 2:
        latents = latents[:, None].expand(-1, decoder.num_latent, -1)
    if noises is None:
        noises = [getattr(decoder.noises, f"noise{layer}") for layer in range(decoder.num_layers)]
    out = decoder.constant_input.weight.expand(len(latents), -1, -1, -1).contiguous(memory_format=torch.channels_last)
    out = _styled(decoder.style_conv1, out, latents[:, 0], noises[0])
    rgb = _to_rgb(decoder.to_rgb1, out, latents[:, 1])
    for level, to_rgb in enumerate(decoder.to_rgbs):
        first = 2 * level + 1
        out = _styled(decoder.style_convs[first - 1], out, latents[:, first], noises[first])
        if level < len(conditions):
            scale, shift = conditions[level]
            same, steered = out.chunk(2, dim=1)
            out = torch.cat([same, steered * scale + shift], dim=1)
        out = _styled(decoder.style_convs[first], out, latents[:, first + 1], noises[first + 1])
        rgb = doubled(rgb) + _to_rgb(to_rgb, out, latents[:, first + 2])
    return rgb


def drawn_noises(decoder: Network, count: int, generator: torch.Generator) -> list[Tensor]:
    """Fresh noise for each styled convolution, drawn on the CPU so that every device draws the same."""
    stored = [getattr(decoder.noises, f"noise{layer}") for layer in range(decoder.num_layers)]
    return [
        torch.randn(count, *noise.shape[1:], generator=generator).to(noise.device, non_blocking=True)
        for noise in stored
    ]


def _styled(layer: Network, x: Tensor, latent: Tensor, noise: Tensor) -> Tensor:
    out = _modulated(layer.modulated_conv, x, latent, math.sqrt(2))  # makes up for an activation StyleGAN2 scaled
    return F.leaky_relu(out + (layer.weight * noise + layer.bias).to(out.dtype), 0.2)


def _to_rgb(layer: Network, x: Tensor, latent: Tensor) -> Tensor:
    rgb: Tensor = _modulated(layer.modulated_conv, x, latent, 1.0).float() + layer.bias
    return rgb


def _modulated(conv: Network, x: Tensor, latent: Tensor, gain: float) -> Tensor:
    weight = conv.weight[0]
    with torch.autocast(latent.device.type, enabled=False):  # the divisors' 1e-8 and small styles want float32
        style = F.linear(latent.float(), conv.modulation.weight, conv.modulation.bias)
        factors = torch.full_like(style[:, :1], gain)
        if conv.demodulate:
            factors = gain * torch.rsqrt(style.square() @ weight.square().sum((2, 3)).t() + EPSILON)
    x = x * style[:, :, None, None].to(x.dtype)
    out = F.conv2d(doubled(x) if conv.sample_mode == "upsample" else x, weight, padding=conv.padding)
    return out * factors[:, :, None, None].to(out.dtype)


def channels_last(network: Network) -> Network:
    """Convolution weights with their channels innermost, which bf16 products and tensor cores prefer."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
    return network
