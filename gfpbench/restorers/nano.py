"""``nano``: the small GFP-GAN that is packaged with gfpbench, usable without any download."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from gfpbench.options import Options
from gfpbench.restorers import gfpgan_files
from gfpbench.restorers.face_network import FaceNetwork, read_settings
from gfpbench.types import BadInput, Json

WEIGHTS = Path(__file__).parent / "weights" / "nano.safetensors"
WEIGHTS_SHA256 = "76aca07827aaf159bb560cfebb06f3b12a33fbb3ab14b34ef604cf9a5c4b65d8"


def nano(*, device: str = "cpu", **given: str) -> FaceNetwork:
    """A small GFP-GAN (3.2 M weights, 128 px) that comes with gfpbench: clean faces, fairly sharp.

    Trained on public-domain portraits without a generative prior; the file's metadata and docs/nano.md say how. It
    shows that the bench works and what a change does to a network; it is no match for a published model, and has seen
    portraits of adults only. Options: ``dtype``, ``batch``, ``channels_last``, ``compile``, ``code``, as of GFP-GAN 1.2
    and later. Unlike those it runs in gfpbench's own code, channels-last and on a CPU one image after another, unless
    ``code=authors`` asks for theirs: two thirds of the time, and within a thousandth of a grey level.

    Raises:
        BadInput: where the weights are absent or are not those that gfpbench was published with.
    """
    weights, metadata = read_safetensors(WEIGHTS, WEIGHTS_SHA256, "install gfpbench again")
    options = Options("nano", given)
    own = given.get("code") != "authors"
    # One by one on a CPU: the features of one image stay in its cache, and no image depends on those beside it.
    batch = 1 if own and torch.device(device).type == "cpu" else 8
    settings = read_settings(options, device, batch=batch, channels_last=own)
    identity: dict[str, Json] = {
        "weights": WEIGHTS.name,
        "weights_sha256": WEIGHTS_SHA256,
        "weights_version": metadata["version"],
        "licence": metadata["licence"],
        "training_data": metadata["training_data"],
    }
    whole = {name: tensor.float() for name, tensor in weights.items()}
    return gfpgan_files.clean(options, WEIGHTS, whole, settings, identity)


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
