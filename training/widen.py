"""Widens a network while preserving its function (Net2Net), so that training continues with more capacity.

Net2Net's idea (Chen, Goodfellow and Shlens 2016, arXiv:1511.05641) in its simplest form: channels that are new take
part in nothing old, their outgoing weights being zero, and begin as any layer begins. The first step gives those
weights a gradient.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

Tensor = torch.Tensor
DECODER = "stylegan_decoder."


def widened(weights: Mapping[str, Tensor], fresh: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a GFPGANv1Clean for a wider one of the same side, styles and layers.

    Args:
        weights: of the narrower network, under the authors' names.
        fresh: the initial weights of the wider one.

    Returns:
        Weights with the shapes of ``fresh``. Where a tensor is not wider, or is only in one of the two, it is given
        back as it is: what does not fit is left for the caller to refuse.
    """
    return {name: _into(name, tensor, fresh.get(name)) for name, tensor in weights.items()}


def _into(name: str, narrow: Tensor, fresh: Tensor | None) -> Tensor:
    if fresh is None or narrow.ndim != fresh.ndim or any(a > b for a, b in zip(narrow.shape, fresh.shape, strict=True)):
        return narrow
    styles = 0 if name.startswith("final_linear") else 1 if ".modulation.weight" in name else None
    if narrow.shape == fresh.shape or (styles is not None and narrow.shape[styles] != fresh.shape[styles]):
        return narrow
    places = [_places(name, *sizes) for sizes in zip(narrow.shape, fresh.shape, strict=True)]
    wide = fresh.detach().clone()
    inputs = _input_axis(name, narrow.ndim)
    if inputs is not None:
        # Old outputs, from all inputs: the new ones say nothing to them.
        wide[_grid([*places[:inputs], torch.arange(wide.shape[inputs]), *places[inputs + 1 :]])] = 0
    wide[_grid(places)] = narrow
    return wide


def _input_axis(name: str, dimensions: int) -> int | None:
    """The axis over a layer's inputs. None for what has none: biases, constants, and styles, which stay."""
    if name.startswith(DECODER):
        return 2 if name.endswith("modulated_conv.weight") else None
    return 1 if dimensions > 1 else None


def _places(name: str, narrow: int, wide: int) -> Tensor:
    """Where the channels of the narrower network stand in the wider one.

    Conditions change the second half of the decoder's channels at each size (channel-split SFT): halves stay halves.
    """
    places = torch.arange(narrow)
    if name.startswith(DECODER):
        places[narrow // 2 :] += wide // 2 - narrow // 2
    return places


def _grid(places: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.meshgrid(*places, indexing="ij")
