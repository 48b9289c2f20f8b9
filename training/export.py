"""Exports trained weights as a half-precision safetensors file with their provenance."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import gfpbench
from gfpbench.run.environment import code_sha256
from gfpbench.types import Json

TRAINING = Path(__file__).parent


def write_weights(path: Path, weights: Mapping[str, torch.Tensor], metadata: Mapping[str, Json]) -> None:
    """Write float16 tensors and metadata, whole or not at all; the same bytes for the same weights."""
    from safetensors.torch import save

    halves = {name: weights[name].detach().cpu().contiguous().half() for name in sorted(weights)}
    text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in sorted(metadata.items())}
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_bytes(save(halves, text))
    partial.replace(path)


def about_run(device: str, seed: int, steps: int) -> dict[str, Json]:
    """What the metadata of either stage says of the run."""
    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "CPU"
    return {
        "steps": str(steps),
        "seed": str(seed),
        "device": f"{name}, torch {torch.__version__}",
        "code": f"gfpbench {gfpbench.__version__}, sha256 {code_sha256()[:16]}",
        "training_code": f"sha256 {code_sha256(TRAINING)[:16]}",
    }


def about_network(arch: str, config: Mapping[str, Any], about: Mapping[str, str]) -> dict[str, Json]:
    """What the metadata of either stage says of the network."""
    side = config["out_size"]
    return {
        **about,
        "arch": arch,
        "config": dict(config),
        "input": f"(B, 3, {side}, {side}) RGB in [-1, 1]",
        "output": f"(B, 3, {side}, {side}) RGB, clamp to [-1, 1]",
        "call": "randomize_noise=False, eval mode, float32",
        "source": "trained for gfpbench; no published checkpoint was used",
    }
