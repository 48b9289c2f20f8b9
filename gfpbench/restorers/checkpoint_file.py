"""Loads the weights of one network from a file; a file that does not fit gives a one-line error."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from gfpbench import assets
from gfpbench.assets.nested_weights import NESTS, shown
from gfpbench.types import BadInput, Json

Weights = dict[str, torch.Tensor]


def read_weights(path: Path) -> Weights:
    """Named tensors of a checkpoint in float32, averaged weights (``params_ema``) before plain ones.

    Under the names of a face-restoration architecture where these can be told; see ``spellings``.

    Raises:
        BadInput: for everything that ``find_weights`` refuses.
    """
    told = spellings(find_weights(path).weights)
    return next((one.weights for one in told if recognised(one.weights)), told[0].weights)


COUNTERS = frozenset(
    {
        "n_averaged",
        "num_updates",
        "num_batches",
        "decay",
        "step",
        "steps",
        "global_step",
        "epoch",
        "iter",
        "iteration",
        "initted",
    }
)
"""Single numbers that people save as tensors beside the weights, as ``torch.optim.swa_utils`` does (n_averaged), and as
classes of moving averages do."""


def find_weights(path: Path, key: str = "") -> assets.FoundWeights:
    """The same under the names that the file has, with where in the file they lay.

    Args:
        path: of the file.
        key: the table in it, where its own names do not tell.

    Raises:
        BadInput: for everything ``assets.find_weights`` refuses, and for weights that are NaN or infinite.
    """
    found = assets.find_weights(path, key=key) if key else assets.find_weights(path)
    weights: Weights = {}
    counters = [name for name, tensor in found.weights.items() if name in COUNTERS and tensor.ndim == 0]
    for name, tensor in found.weights.items():
        if name in counters:
            continue
        weights[name] = tensor.float() if tensor.is_floating_point() else tensor
        if not bool(torch.isfinite(weights[name]).all()):
            count = int((~torch.isfinite(weights[name])).sum())
            raise BadInput(
                f"{path} is damaged: {count} of {tensor.numel()} values of {shown(name)!r} are NaN or infinite"
            )
    return replace(found, weights=weights, left_out=(*found.left_out, *counters))


@dataclass(frozen=True, slots=True)
class Spelling:
    """Weights under names they may be known by.

    Args:
        weights: name to tensor.
        prefix: what was taken away from the beginning of every name.
        left_out: tensors of the file that are not among them, because their names begin otherwise.
    """

    weights: Weights
    prefix: str = ""
    left_out: int = 0

    def record(self) -> dict[str, Json]:
        """For a provenance: nothing where the weights are as the file has them."""
        return {
            **({"prefix_of_names": self.prefix} if self.prefix else {}),
            **({"weights_left_out": self.left_out} if self.left_out else {}),
        }


def spellings(weights: Weights) -> list[Spelling]:
    """The same weights under the names they may be known by: as they are, then with what all names begin with taken
    away, then those of one network where a file holds several under prefixes (``generator.``, ``discriminator.``).

    As they are comes first: networks whose own names begin with ``model.`` exist.
    """
    whole = _unwrapped(Spelling(weights))
    told = list(whole)
    for base in whole:
        for nest in NESTS:
            names = [name for name in base.weights if name.startswith(f"{nest}.") and name != f"{nest}."]
            if names and len(names) < len(base.weights):
                part = {name.removeprefix(f"{nest}."): base.weights[name] for name in names}
                told += _unwrapped(Spelling(part, f"{base.prefix}{nest}.", len(base.weights) - len(part)))
    return told


def _unwrapped(first: Spelling) -> list[Spelling]:
    """Without what every name begins with, one part after the other, as long as there is such a part.

    It is there where a network was saved from within something, and may be called anything: ``module.`` (several GPUs),
    ``_orig_mod.`` (torch.compile), ``model.`` (Lightning), ``ema_model.``, ``student.``.
    """
    told = [first]
    while True:
        last = told[-1]
        heads = {name.partition(".")[0] for name in last.weights}
        shorter = {name.partition(".")[2]: tensor for name, tensor in last.weights.items()}
        if len(heads) != 1 or "" in shorter:
            return told
        told.append(Spelling(shorter, f"{last.prefix}{heads.pop()}.", last.left_out))


def recognised(weights: Mapping[str, torch.Tensor]) -> str:
    """The face-restoration architecture whose weights these are, or an empty string.

    GFPGANv1 and GFPGANv1Clean share most names; the styled layers of the first keep their bias inside an activation.
    """
    has = weights.keys().__contains__
    if has("stylegan_decoder.constant_input.weight") and has("condition_scale.0.0.weight"):
        if has("conv_body_first.weight") or has("conv_body_down.0.conv1.weight"):
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
    refuse_other_numbers(wanted, weights, path)
    missing = [name for name in wanted if name not in weights]
    unknown = [name for name in weights if name not in wanted]
    shapes = [name for name in wanted if name in weights and wanted[name].shape != weights[name].shape]
    reasons = []
    if missing:
        reasons.append(f"{len(missing)} of {len(wanted)} weights are missing (first: {shown(missing[0])})")
    if unknown:
        reasons.append(f"{len(unknown)} are not known there (first: {shown(unknown[0])})")
    if shapes:
        first = shapes[0]
        sizes = f"{tuple(weights[first].shape)}, not {tuple(wanted[first].shape)}"
        reasons.append(f"{len(shapes)} have another shape (first: {shown(first)} is {sizes})")
    if reasons:
        raise BadInput(f"{path} does not fit {architecture}: {'; '.join(reasons)}")
    network.load_state_dict(dict(weights), strict=True, assign=True)


def refuse_other_numbers(wanted: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Raise BadInput where a file holds whole numbers for what a network keeps as fractions.

    torch converts them without a word: a network of truncated weights would be measured. The other way round nothing is
    lost: who converts every tensor to half precision converts counters too.
    """
    for name, tensor in wanted.items():
        given = weights.get(name)
        if given is not None and tensor.is_floating_point() and not given.is_floating_point():
            kinds = [str(one.dtype).removeprefix("torch.") for one in (given, tensor)]
            raise BadInput(
                f"{path}: {shown(name)!r} is {kinds[0]}, where the network has {kinds[1]}: save the weights as float32"
            )


def file_sha256(path: Path) -> str:
    """Hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
