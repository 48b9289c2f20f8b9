"""GFP-GAN 1, the network of the paper, without compiled operations."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.restorers.modulated import Modulated, doubled
from gfpbench.restorers.stylegan2_layers import (
    Bias,
    Equalised,
    EqualisedLinear,
    Shrinking,
    enlarged,
    filtered,
    scaled_leaky_relu,
)


class Down(nn.Module):
    """Half the size: two convolutions and a filtered 1 x 1 shortcut (ResBlock of basicsr's StyleGAN2 discriminator)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = _convolution(channels_in, channels_in, 3)
        self.conv2 = nn.Sequential(
            Shrinking(3), Equalised(channels_in, channels_out, 3, bias=False, stride=2), Bias(channels_out)
        )
        self.skip = nn.Sequential(Shrinking(1), Equalised(channels_in, channels_out, 1, bias=False, stride=2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner: torch.Tensor = self.conv2(self.conv1(x))
        return inner.add_(self.skip(x)).div_(math.sqrt(2))


class Enlarging(nn.Module):
    """Bilinear enlargement, then a convolution (ConvUpLayer)."""

    def __init__(self, channels_in: int, channels_out: int, kernel_px: int, *, active: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, kernel_px, kernel_px))
        self.gain = 1 / math.sqrt(channels_in * kernel_px**2)
        self.padding = kernel_px // 2
        self.activation = Bias(channels_out) if active else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.conv2d(doubled(x), self.weight * self.gain, padding=self.padding)
        return out if self.activation is None else cast("torch.Tensor", self.activation(out))


class Up(nn.Module):
    """Twice the size: two convolutions and a 1 x 1 shortcut (ResUpBlock)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = _convolution(channels_in, channels_in, 3)
        self.conv2 = Enlarging(channels_in, channels_out, 3, active=True)
        self.skip = Enlarging(channels_in, channels_out, 1, active=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner: torch.Tensor = self.conv2(self.conv1(x))
        return inner.add_(self.skip(x)).div_(math.sqrt(2))


class Styled(nn.Module):
    """A modulated convolution with noise, bias and activation (StyleConv); enlarges by a transposed convolution."""

    def __init__(self, channels_in: int, channels_out: int, style: int, up: bool) -> None:
        super().__init__()
        self.modulated_conv = Modulated(channels_in, channels_out, 3, style, equalised=True)
        self.weight = nn.Parameter(torch.empty(1))
        self.activate = Bias(channels_out)
        self.up = up

    def forward(self, x: torch.Tensor, latent: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        conv = self.modulated_conv
        style = conv.style(latent)
        x = conv.scaled(x, style)
        if self.up:
            out = filtered(F.conv_transpose2d(x, conv.shared.transpose(0, 1), stride=2), 1, 1, gain=4.0)
        else:
            out = F.conv2d(x, conv.shared, padding=1)
        noise = (noise * self.weight).to(out.dtype)
        return cast("torch.Tensor", self.activate(torch.addcmul(noise, out, conv.divided(style).to(out.dtype))))


class ToRgb(nn.Module):
    """Features to RGB, added to what the smaller sizes gave."""

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.modulated_conv = Modulated(channels, 3, 1, style, equalised=True)
        self.bias = nn.Parameter(torch.empty(1, 3, 1, 1))

    def forward(self, x: torch.Tensor, latent: torch.Tensor, smaller: torch.Tensor | None) -> torch.Tensor:
        rgb = self.modulated_conv.to_rgb(x, latent).add_(self.bias)
        return rgb if smaller is None else rgb.add_(enlarged(smaller))


class Decoder(nn.Module):
    """The StyleGAN2 half, modulated by the U-Net's features at every size (channel-split SFT, paper Eq. 3)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        style, channels = sizes.style, sizes.decoder
        # Never used (the U-Net gives the latent), but part of the published file.
        self.style_mlp = nn.Sequential(nn.Identity(), *(nn.Linear(style, style) for _ in range(sizes.mlp)))
        self.constant_input = nn.ParameterDict({"weight": nn.Parameter(torch.empty(1, channels[4], 4, 4))})
        self.style_conv1 = Styled(channels[4], channels[4], style, up=False)
        self.to_rgb1 = ToRgb(channels[4], style)
        self.style_convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        for side in sizes.sides:
            self.style_convs.append(Styled(channels[side // 2], channels[side], style, up=True))
            self.style_convs.append(Styled(channels[side], channels[side], style, up=False))
            self.to_rgbs.append(ToRgb(channels[side], style))
        self.noises = nn.Module()
        for layer, side in enumerate([4, *(side for side in sizes.sides for _ in "12")]):
            self.noises.register_buffer(f"noise{layer}", torch.empty(1, 1, side, side))

    def forward(self, latents: torch.Tensor, scales: list[torch.Tensor], shifts: list[torch.Tensor]) -> torch.Tensor:
        out = self.constant_input["weight"].expand(latents.shape[0], -1, -1, -1)
        out = self.style_conv1(out, latents[:, 0], self.noises.noise0)
        rgb: torch.Tensor = self.to_rgb1(out, latents[:, 1], None)
        for level, (scale, shift) in enumerate(zip(scales, shifts, strict=True)):
            first = 2 * level + 1
            noises = [getattr(self.noises, f"noise{first + step}") for step in (0, 1)]
            out = self.style_convs[first - 1](out, latents[:, first], noises[0])
            prior, steered = out.chunk(2, dim=1)
            out = torch.cat([prior, steered * scale + shift], dim=1)
            out = self.style_convs[first](out, latents[:, first + 1], noises[1])
            rgb = self.to_rgbs[level](out, latents[:, first + 2], rgb)
        return rgb


class GfpganV1(nn.Module):
    """GFPGANv1 for inference: (B, 3, S, S) in [-1, 1] to the same, deterministic, with the noise it stores.

    Loads the authors' weights under their names. Call ``prepare`` once when they are in.

    Source: gfpgan/archs/gfpganv1_arch.py of TencentARC/GFPGAN@7552a77 with basicsr/archs/stylegan2_arch.py of
    XPixelGroup/BasicSR 1.4.2; input_is_latent, different_w and sft_half, as GFPGANer(arch="original") builds it.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        unet = sizes.unet
        self.conv_body_first = _convolution(3, unet[sizes.out_px], 1)
        self.conv_body_down = nn.ModuleList(Down(unet[s], unet[s // 2]) for s in reversed(sizes.sides))
        self.final_conv = _convolution(unet[4], unet[4], 3)
        self.conv_body_up = nn.ModuleList(Up(unet[s // 2], unet[s]) for s in sizes.sides)
        self.toRGB = nn.ModuleList(Equalised(unet[s], 3, 1, bias=True) for s in sizes.sides)
        self.final_linear = EqualisedLinear(unet[4] * 16, sizes.latents * sizes.style)
        self.stylegan_decoder = Decoder(sizes)
        self.condition_scale = nn.ModuleList(_condition(unet[s], sizes.decoder[s] // 2) for s in sizes.sides)
        self.condition_shift = nn.ModuleList(_condition(unet[s], sizes.decoder[s] // 2) for s in sizes.sides)

    def prepare(self, channels_last: bool = False) -> GfpganV1:
        """Work out what does not depend on the image."""
        for module in self.modules():
            if isinstance(module, Modulated):
                module.prepare(torch.float32, channels_last)
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        feature = self.conv_body_first(x)
        skips = []
        for down in self.conv_body_down:
            feature = down(feature)
            skips.append(feature)
        feature = self.final_conv(feature)
        latents = self.final_linear(feature.flatten(1)).unflatten(1, (self.sizes.latents, self.sizes.style))
        scales, shifts = [], []
        for level, up in enumerate(self.conv_body_up):
            feature = up(feature + skips[-1 - level])
            scales.append(self.condition_scale[level](feature))
            shifts.append(self.condition_shift[level](feature))
        rgb: torch.Tensor = self.stylegan_decoder(latents, scales, shifts)
        return rgb


class ScaledActivation(nn.Module):
    """The scaled activation as a layer of its own (ScaledLeakyReLU)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return scaled_leaky_relu(x)


def _convolution(channels_in: int, channels_out: int, kernel_px: int) -> nn.Sequential:
    return nn.Sequential(Equalised(channels_in, channels_out, kernel_px, bias=False), Bias(channels_out))


def _condition(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        Equalised(channels_in, channels_in, 3, bias=True),
        ScaledActivation(),
        Equalised(channels_in, channels_out, 3, bias=True),
    )
