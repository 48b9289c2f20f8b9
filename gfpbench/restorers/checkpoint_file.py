"""Weights of one network from a file, and a plain line about any file that does not fit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch

from gfpbench import assets
from gfpbench.types import BadInput

Weights = dict[str, torch.Tensor]


def read_weights(path: Path) -> Weights:
    """Named tensors of a checkpoint in float32, averaged weights (``params_ema``) before plain ones.

    Raises:
        BadInput: for everything ``assets.load_weights`` refuses, and for weights that are NaN or infinite.
    """
    weights: Weights = {}
    for name, tensor in assets.load_weights(path).items():
        weights[name] = tensor.float() if tensor.is_floating_point() else tensor
        if not bool(torch.isfinite(weights[name]).all()):
            count = int((~torch.isfinite(weights[name])).sum())
            raise BadInput(f"{path} is damaged: {count} of {tensor.numel()} values of {name!r} are NaN or infinite")
    # Left behind by training on several GPUs; spandrel takes it away as well.
    if all(name.startswith("module.") for name in weights):
        weights = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    return weights


def recognised(weights: Mapping[str, torch.Tensor]) -> str:
    """The face-restoration architecture whose weights these are, or an empty string.

    GFPGANv1 and GFPGANv1Clean share most names; the styled layers of the first keep their bias inside an activation.
    """
    has = weights.keys().__contains__
    if has("stylegan_decoder.constant_input.weight") and has("condition_scale.0.0.weight"):
        if has("conv_body_first.weight"):
            return "GFPGANv1Clean"
        if has("conv_body_first.0.weight") and has("conv_body_down.0.conv2.1.weight"):
            return "GFPGANv1"
        return "GFPGANBilinear" if has("conv_body_first.0.weight") else ""
    if has("position_emb") and has("idx_pred_layer.1.weight") and has("encoder.blocks.0.weight"):
        return "CodeFormer"
    if has("quantize.embedding.weight") and has("encoder.conv_in.weight") and has("quant_conv.weight"):
        return "RestoreFormer"
    return ""


def refuse_other(path: Path, weights: Mapping[str, torch.Tensor], wanted: str) -> None:
    """Raise BadInput where the weights are another architecture's, by name where that is known."""
    found = recognised(weights)
    if found and found != wanted:
        raise BadInput(f"{path} holds weights of {found}, not of {wanted}")


def fit(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], path: Path, architecture: str) -> None:
    """Put weights into a network: every one of them, and no others. They become the network's own tensors.

    Raises:
        BadInput: with the first weight that is missing, unknown or of another shape, and how many there are.
    """
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in weights]
    unknown = [name for name in weights if name not in wanted]
    shapes = [name for name in wanted if name in weights and wanted[name].shape != weights[name].shape]
    reasons = []
    if missing:
        reasons.append(f"{len(missing)} of {len(wanted)} weights are missing (first: {missing[0]})")
    if unknown:
        reasons.append(f"{len(unknown)} are not known there (first: {unknown[0]})")
    if shapes:
        first = shapes[0]
        sizes = f"{tuple(weights[first].shape)}, not {tuple(wanted[first].shape)}"
        reasons.append(f"{len(shapes)} have another shape (first: {first} is {sizes})")
    if reasons:
        raise BadInput(f"{path} does not fit {architecture}: {'; '.join(reasons)}")
    network.load_state_dict(dict(weights), strict=True, assign=True)


def file_sha256(path: Path) -> str:
    """Hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
