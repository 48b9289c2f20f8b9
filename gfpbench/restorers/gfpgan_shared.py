"""GFP-GAN 1.2 and later, written for batches: the authors' weights and results, with shared convolutions."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.restorers.modulated import Modulated, convolved_doubled, doubled, halved, is_channels_last


class Residual(nn.Module):
    """Two convolutions around a change of size, with a 1 x 1 shortcut (ResBlock of gfpganv1_clean_arch.py)."""

    def __init__(self, channels_in: int, channels_out: int, up: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_in, 3, padding=1)
        self.conv2 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.skip = nn.Conv2d(channels_in, channels_out, 1, bias=False)
        self.up = up

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = F.leaky_relu_(self.conv1(x), 0.2)
        second = self.conv2
        inner = convolved_doubled(inner, second.weight, second.bias) if self.up else second(halved(inner))
        inner = F.leaky_relu_(inner, 0.2)
        # A 1 x 1 convolution and an interpolation commute: do the convolution where the image is small.
        return inner.add_(doubled(self.skip(x)) if self.up else self.skip(halved(x)))


class Styled(nn.Module):
    """A modulated convolution with noise, bias and activation (StyleConv of stylegan2_clean_arch.py)."""

    def __init__(self, channels_in: int, channels_out: int, style: int, up: bool) -> None:
        super().__init__()
        self.modulated_conv = Modulated(channels_in, channels_out, 3, style)
        self.weight = nn.Parameter(torch.empty(1))
        self.bias = nn.Parameter(torch.empty(1, channels_out, 1, 1))
        self.up = up

    def forward(self, x: torch.Tensor, latent: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        conv = self.modulated_conv
        style = conv.style(latent)
        x = conv.scaled(x, style)  # before enlarging, where it costs a quarter
        out = convolved_doubled(x, conv.shared) if self.up else F.conv2d(x, conv.shared, padding=1)
        offset = self._offset(noise, is_channels_last(out)).to(out.dtype)
        # sqrt 2: the clean layers make up for an activation that StyleGAN2 scaled.
        return F.leaky_relu_(torch.addcmul(offset, out, conv.divided(style, math.sqrt(2)).to(out.dtype)), 0.2)

    def _offset(self, noise: torch.Tensor, channels_last: bool) -> torch.Tensor:
        """Noise and bias, (1, C, H, W). torch gives a sum the layout of its first summand: in another one than the
        features', every layer behind it would copy them, and enlarge them ten times slower on a CPU."""
        if not channels_last:
            return noise * self.weight + self.bias
        return (noise.movedim(1, 3) * self.weight + self.bias.movedim(1, 3)).movedim(3, 1)


class ToRgb(nn.Module):
    """Features to RGB, added to what the smaller sizes gave. Its sums are kept in float32."""

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.modulated_conv = Modulated(channels, 3, 1, style)
        self.bias = nn.Parameter(torch.empty(1, 3, 1, 1))

    def forward(self, x: torch.Tensor, latent: torch.Tensor, smaller: torch.Tensor | None) -> torch.Tensor:
        rgb = self.modulated_conv.to_rgb(x, latent).add_(self.bias)
        return rgb if smaller is None else rgb.add_(doubled(smaller))


class Decoder(nn.Module):
    """The StyleGAN2 half, modulated by the U-Net's features at every size (channel-split SFT, paper Eq. 3)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        style, channels = sizes.style, sizes.decoder
        # Never used (the U-Net gives the latent), but part of every published file.
        mlp = [part for _ in range(sizes.mlp) for part in (nn.Linear(style, style), nn.LeakyReLU(0.2))]
        self.style_mlp = nn.Sequential(nn.Identity(), *mlp)
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

    def forward(
        self, latents: torch.Tensor, scales: list[torch.Tensor], shifts: list[torch.Tensor], dtype: torch.dtype
    ) -> torch.Tensor:
        # shape[0] and not len(): an exporter takes what len() gives for a constant.
        out = self.constant_input["weight"].to(dtype).expand(latents.shape[0], -1, -1, -1)
        out = self.style_conv1(out, latents[:, 0], self.noises.noise0)
        rgb: torch.Tensor = self.to_rgb1(out, latents[:, 1], None)
        for level, (scale, shift) in enumerate(zip(scales, shifts, strict=True)):
            first = 2 * level + 1
            noises = [getattr(self.noises, f"noise{first + step}") for step in (0, 1)]
            out = self.style_convs[first - 1](out, latents[:, first], noises[0])
            steered = out[:, out.shape[1] // 2 :]
            steered.mul_(scale).add_(shift)  # the other half of the channels stays the prior's
            out = self.style_convs[first](out, latents[:, first + 1], noises[1])
            rgb = self.to_rgbs[level](out, latents[:, first + 2], rgb)
        return rgb


class GfpganShared(nn.Module):
    """GFPGANv1Clean for inference: (B, 3, S, S) in [-1, 1] to the same, deterministic, with the noise it stores.

    Loads the authors' weights under their names. Call ``prepare`` once when they are in. The U-Net's toRGB layers,
    which only training reads, are kept and not run.

    Args:
        sizes: of the network; ``Sizes.of(weights)`` reads them from a file.

    Source: gfpgan/archs/gfpganv1_clean_arch.py and stylegan2_clean_arch.py of TencentARC/GFPGAN@7552a77, with
    input_is_latent, different_w and sft_half, as in all published files.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        unet = sizes.unet
        self.conv_body_first = nn.Conv2d(3, unet[sizes.out_px], 1)
        self.conv_body_down = nn.ModuleList(Residual(unet[s], unet[s // 2], up=False) for s in reversed(sizes.sides))
        self.final_conv = nn.Conv2d(unet[4], unet[4], 3, padding=1)
        self.conv_body_up = nn.ModuleList(Residual(unet[s // 2], unet[s], up=True) for s in sizes.sides)
        self.toRGB = nn.ModuleList(nn.Conv2d(unet[s], 3, 1) for s in sizes.sides)
        self.final_linear = nn.Linear(unet[4] * 16, sizes.latents * sizes.style)
        self.stylegan_decoder = Decoder(sizes)
        self.condition_scale = nn.ModuleList(_condition(unet[s], sizes.decoder[s] // 2) for s in sizes.sides)
        self.condition_shift = nn.ModuleList(_condition(unet[s], sizes.decoder[s] // 2) for s in sizes.sides)
        self.dtype = torch.float32

    def prepare(self, dtype: torch.dtype = torch.float32, channels_last: bool = False) -> GfpganShared:
        """Convert the convolutions to a type and layout. Styles, their divisors and the image's sums stay float32."""
        self.dtype = dtype
        for module in self.modules():
            if isinstance(module, Modulated):
                module.prepare(dtype, channels_last)
            elif isinstance(module, nn.Conv2d):
                module.to(dtype)
                if channels_last:
                    module.to(memory_format=torch.channels_last)
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        feature = F.leaky_relu_(self.conv_body_first(x.to(self.dtype)), 0.2)
        skips = []
        for down in self.conv_body_down:
            feature = down(feature)
            skips.append(feature)
        feature = F.leaky_relu_(self.final_conv(feature), 0.2)
        latents = self.final_linear(feature.flatten(1).float()).unflatten(1, (self.sizes.latents, self.sizes.style))
        scales, shifts = [], []
        for level, up in enumerate(self.conv_body_up):
            feature = up(feature + skips[-1 - level])
            scales.append(self.condition_scale[level](feature))
            shifts.append(self.condition_shift[level](feature))
        rgb: torch.Tensor = self.stylegan_decoder(latents, scales, shifts, self.dtype)
        return rgb


def _condition(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_in, 3, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
    )
