"""Weights from a safetensors file whose hash is known beforehand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from gfpbench.types import BadInput


def read_safetensors(path: Path, sha256: str, remedy: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file, after its bytes have been checked.

    Args:
        path: the file.
        sha256: what the bytes must hash to, in hexadecimal.
        remedy: what a person can do where they do not.

    Raises:
        BadInput: where the file is absent, cannot be read or is not the one that was expected.
    """
    from safetensors.torch import load

    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot read the weights ({error.strerror}): {remedy}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise BadInput(f"{path}: sha256 is {found[:16]}..., not {sha256[:16]}...; the weights are damaged: {remedy}")
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return load(data), dict(header.get("__metadata__", {}))
