"""What the training stages share: averaged weights, learning-rate schedules, precision and atomic checkpoints."""

from __future__ import annotations

import copy
import math
import os
import pickle
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gfpbench.types import BadInput


class Average:
    """Weights averaged over time: w' <- d w' + (1 - d) w, d rising to ``decay`` so that early ones are forgotten.

    After n updates with a constant d, w' = d^n w0 + (1 - d^n) w for constant w.

    Args:
        network: whose weights are averaged; a copy is made of it.
        decay: d in the long run. In step n it is at most (1 + n) / (10 + n).
    """

    def __init__(self, network: Any, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, network: Any, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged = dict(self.network.named_parameters())
        for name, weight in network.named_parameters():
            averaged[name].lerp_(weight, 1 - decay)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What learning rates are multiplied by: a rise, 1, then half a cosine.

    Args:
        warmup_steps: of the rise; in the first steps Adam knows too little of a gradient's size to be let go.
        flat_until: share of the run at which the rate begins to fall.
        least_rate: where it ends.
    """

    warmup_steps: int
    flat_until: float
    least_rate: float

    def at(self, step: int, progress: float) -> float:
        """The factor in a step, counted from 0; ``progress`` is 0 at the start of the run and 1 at its end."""
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        if progress <= self.flat_until:
            return 1.0
        falling = min(1.0, (progress - self.flat_until) / (1 - self.flat_until))
        return self.least_rate + (1 - self.least_rate) * (1 + math.cos(math.pi * falling)) / 2


def products(precision: str, device: str) -> AbstractContextManager[None]:
    """Arithmetic of the networks: ``auto`` is bf16 products on CUDA and float32 elsewhere. Losses stay in float32."""
    kind = torch.device(device).type
    wanted = precision == "bf16" or (precision == "auto" and kind == "cuda")
    context: AbstractContextManager[None] = torch.autocast(kind, dtype=torch.bfloat16, enabled=wanted)
    return context


def prepare_device(device: str) -> None:
    """Let CUDA use TF32 and choose its convolutions by trying; says nothing to a CPU."""
    if torch.device(device).type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True


def save_whole(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint, or leave the one that is there: a temporary file, synced and renamed."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with partial.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_whole(path: Path) -> dict[str, Any]:
    """A checkpoint of ours. Raises BadInput for a file that is none."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise BadInput(f"{path} is no checkpoint that can be gone on from: delete it to begin again") from error
    if not isinstance(state, dict) or "step" not in state:
        raise BadInput(f"{path} is no checkpoint of this program: delete it to begin again")
    return state
