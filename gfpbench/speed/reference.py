"""The reference workload of a speed measurement, which cancels the speed and load of the machine."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

NAME = "conv-1"
"""Part of every record. Other work needs another name: ratios to two different workloads do not compare."""

LAYERS = 6
CHANNELS = 64
CPU_SHAPE, GPU_SHAPE = (1, CHANNELS, 64, 64), (8, CHANNELS, 256, 256)
"""1.8 and 232 GFLOP: some 20 ms of one processor core, some 6 ms of a large GPU; less would time the calls alone."""


def reference_workload(device: str) -> Callable[[], object]:
    """Convolutions as restoration networks are made of: 3 x 3, 64 channels, float32, seeded, the same each time.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        A function without arguments that does the work once. On a GPU it returns before the work is done.
    """
    seeded = torch.Generator().manual_seed(0)
    fan_in = CHANNELS * 9
    shape = GPU_SHAPE if device.startswith("cuda") else CPU_SHAPE
    images = torch.randn(shape, generator=seeded).to(device)
    weights = [
        (torch.randn(CHANNELS, CHANNELS, 3, 3, generator=seeded) * (2 / fan_in) ** 0.5).to(device)
        for _ in range(LAYERS)
    ]

    def work() -> object:
        with torch.no_grad():
            features = images
            for weight in weights:
                features = F.leaky_relu(F.conv2d(features, weight, padding=1), 0.2)
            return features

    return work
