"""The authors' own degradation, driven with chosen draws or with its draws written down.

gfpgan 1.3.8 and basicsr 1.4.2 as installed; two things stand in their way today. basicsr imports a module that
torchvision dropped in 0.17: a stand-in with the one function asked for is there during the import and gone after it.
And OpenCV refuses a JPEG quality that is not a whole number: int(q), as VQFR and CodeFormer do.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gfpbench.degrade.noise import field

Bytes = NDArray[np.uint8]

GONE = "torchvision.transforms.functional_tensor"

# options/train_gfpgan_v1.yml of GFPGAN @7552a77, what concerns degradation; no flip, which is none.
OPTIONS: Mapping[str, Any] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "out_size": 512,
    "use_hflip": False,
    "blur_kernel_size": 41,
    "kernel_list": ["iso", "aniso"],
    "kernel_prob": [0.5, 0.5],
    "blur_sigma": [0.1, 10],
    "downsample_range": [0.8, 8],
    "noise_range": [0, 20],
    "jpeg_range": [60, 100],
    "color_jitter_prob": 0.3,
    "color_jitter_shift": 20,
    "color_jitter_pt_prob": 0.3,
    "gray_prob": 0.01,
}


@cache
def modules() -> tuple[ModuleType, type[Any]]:
    """(basicsr.data.degradations, FFHQDegradationDataset); skips the test where the upstream extra is not installed."""
    if importlib.util.find_spec("gfpgan") is None or importlib.util.find_spec("basicsr") is None:
        pytest.skip("needs gfpgan and basicsr: pip install gfpbench[upstream]")
    from torchvision.transforms.functional import rgb_to_grayscale

    stand_in = ModuleType(GONE)
    stand_in.rgb_to_grayscale = rgb_to_grayscale  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, {GONE: stand_in}), warnings.catch_warnings(), np.errstate():
        warnings.simplefilter("ignore")
        kept = set(sys.modules)
        from basicsr.data import degradations
        from gfpgan.data.ffhq_degradation_dataset import FFHQDegradationDataset

        imported = {name: module for name, module in sys.modules.items() if name not in kept}
    sys.modules.update(imported)  # patch.dict takes every new module away again, not the stand-in alone
    sys.modules.pop(GONE, None)
    return degradations, FFHQDegradationDataset


@contextmanager
def whole_quality() -> Iterator[list[int]]:
    """JPEG with int(q); yields the qualities used."""
    degradations, _ = modules()
    original, used = degradations.add_jpg_compression, []

    def with_int(img: Any, quality: float = 90) -> Any:
        used.append(int(quality))
        return original(img, int(quality))

    with mock.patch.object(degradations, "add_jpg_compression", with_int):
        yield used


def by_functions(rgb: Bytes, record: Mapping[str, Any], own_noise: bool = False) -> Bytes:
    """(H, W, 3) uint8 RGB, degraded by the authors' functions with a record's parameters, in their dataset's order.

    Args:
        rgb: the clean image.
        record: its parameters.
        own_noise: let them draw the noise field as they do, instead of giving them the record's.
    """
    degradations, dataset = modules()
    height, width = rgb.shape[:2]
    img: Any = np.ascontiguousarray(rgb[..., ::-1]).astype(np.float32) / 255.0
    kernel = degradations.bivariate_Gaussian(
        record["blur_kernel_size_px"],
        record["blur_sigma_x_px"],
        record["blur_sigma_y_px"],
        record["blur_angle_rad"],
        isotropic=record["blur_shape"] == "isotropic",
    )
    img = cv2.filter2D(img, -1, kernel)
    ratio = record["downsample_ratio"]
    img = cv2.resize(img, (int(width // ratio), int(height // ratio)), interpolation=cv2.INTER_LINEAR)
    theirs = np.random.randn
    with mock.patch(
        "numpy.random.randn", theirs if own_noise else lambda *shape: field(record["noise_key"], shape[:2])
    ):
        img = degradations.add_gaussian_noise(img, record["noise_std_grey_levels"], clip=True, rounds=False)
    img = degradations.add_jpg_compression(img, record["jpeg_quality"])
    img = cv2.resize(img, (width, height), interpolation=cv2.INTER_LINEAR)
    shift = np.array([record.get(f"shift_{name}_grey_levels", 0.0) / 255 for name in ("blue", "green", "red")])
    if shift.any():
        with mock.patch("numpy.random.uniform", return_value=shift):
            img = dataset.color_jitter(img, 20 / 255)
    if record.get("is_grey"):
        img = np.tile(cv2.cvtColor(img, cv2.COLOR_BGR2GRAY)[:, :, None], [1, 1, 3])
    tensor = torch.from_numpy(np.ascontiguousarray(img[..., ::-1].transpose(2, 0, 1)))
    if record.get("jitter_order"):
        names = ("brightness", "contrast", "saturation", "hue")
        order = record["jitter_order"].split(",")
        factors = iter([record["hue_shift_turns" if n == "hue" else f"{n}_factor"] for n in order])
        with (
            mock.patch("torch.randperm", return_value=torch.tensor([names.index(name) for name in order])),
            # They pass a number through a float32 tensor; ours came from such a tensor or is used as it is.
            mock.patch("torch.Tensor.uniform_", return_value=mock.Mock(item=lambda: next(factors))),
        ):
            tensor = dataset.color_jitter_pt(tensor, (0.5, 1.5), (0.5, 1.5), (0, 1.5), (-0.1, 0.1))
    levels = torch.clamp((tensor * 255.0).round(), 0, 255)
    return levels.to(torch.uint8).permute(1, 2, 0).numpy()


def by_dataset(image: Path, seed: int, options: Mapping[str, Any] = OPTIONS) -> tuple[Bytes, dict[str, Any]]:
    """One call of the authors' ``__getitem__`` on a folder of one image: what it made, its draws as a record of ours.

    Their three global generators are seeded and restored; ``randn`` alone is answered with the field of a key.
    """
    _, dataset = modules()
    key = f"{seed:032x}"
    uniforms: list[Any] = []
    picked: list[Any] = []
    jitter: list[float] = []
    order: list[int] = []
    uniform, choices, randperm, fill = np.random.uniform, random.choices, torch.randperm, torch.Tensor.uniform_

    def traced(store: list[Any], function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            value = function(*args, **kwargs)
            store.append(value)
            return value

        return call

    def traced_fill(self: torch.Tensor, *bounds: float) -> torch.Tensor:
        value = fill(self, *bounds)
        jitter.append(value.item())
        return value

    def traced_randperm(count: int) -> torch.Tensor:
        value = randperm(count)
        order.extend(value.tolist())
        return value

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    try:
        with (
            mock.patch("numpy.random.uniform", traced(uniforms, uniform)),
            mock.patch("random.choices", traced(picked, choices)),
            mock.patch("numpy.random.randn", lambda *shape: field(key, shape[:2])),
            mock.patch("torch.randperm", traced_randperm),
            mock.patch("torch.Tensor.uniform_", traced_fill),
            whole_quality() as qualities,
        ):
            made = dataset({**options, "dataroot_gt": str(image.parent), "io_backend": {"type": "disk"}})[0]
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
    levels = ((made["lq"] * 0.5 + 0.5) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    size = levels.shape[0], levels.shape[1]
    return levels, _as_record(options, size, key, picked[0][0], uniforms, qualities[0], order, jitter)


def _as_record(
    options: Mapping[str, Any],
    size: tuple[int, int],
    key: str,
    kind: str,
    uniforms: Sequence[Any],
    quality: int,
    order: Sequence[int],
    jitter: Sequence[float],
) -> dict[str, Any]:
    """Their draws, in the order they are made, under our names."""
    left = iter(uniforms)
    sigma_x = next(left)
    sigma_y, angle = (next(left), next(left)) if kind == "aniso" else (sigma_x, 0.0)
    ratio, std = next(left), next(left)
    next(left), next(left)  # the toss for grey noise, never won, and the float quality
    record: dict[str, Any] = {
        "height_px": size[0],
        "width_px": size[1],
        "blur_shape": "anisotropic" if kind == "aniso" else "isotropic",
        "blur_kernel_size_px": options["blur_kernel_size"],
        "blur_sigma_x_px": float(sigma_x),
        "blur_sigma_y_px": float(sigma_y),
        "blur_angle_rad": float(angle),
        "downsample_ratio": float(ratio),
        "noise_std_grey_levels": float(std),
        "noise_key": key,
        "jpeg_quality": quality,
    }
    shift = next(left) if next(left) < options["color_jitter_prob"] else np.zeros(3)
    for name, value in zip(("blue", "green", "red"), shift, strict=True):
        record[f"shift_{name}_grey_levels"] = float(value) * 255
    record["is_grey"] = bool(next(left) < options["gray_prob"])
    hit = next(left) < options["color_jitter_pt_prob"]
    names = ("brightness", "contrast", "saturation", "hue")
    drawn = dict(zip([names[place] for place in order], jitter, strict=True)) if hit else {}
    record["jitter_order"] = ",".join(drawn)
    for name in names:
        record["hue_shift_turns" if name == "hue" else f"{name}_factor"] = drawn.get(
            name, 0.0 if name == "hue" else 1.0
        )
    assert next(left, None) is None, "the authors' code drew something that was not understood"
    return record
