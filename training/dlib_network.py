"""dlib's face embedding as a torch network, so that a gradient can flow through it: eta of the identity term.

The paper takes ArcFace, which has to be downloaded; dlib's ResNet comes with a package. ``deg_dlib`` measures with the
same weights, as the paper's Deg measures with the ArcFace it trained by: whoever trains by it has to judge likeness by
something else too. Layout of the network: dnn_face_recognition_ex.cpp of davisking/dlib; the models are in the public
domain (davisking/dlib-models).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from gfpbench.metrics.identity import DlibEmbedder, dlib_embedder
from gfpbench.types import BadInput, PackageMissing
from training.data import Faces, Pairs

Tensor = torch.Tensor
CHIP_PX = 150
_PADDING = 0.25
_MEAN_RGB = (122.782, 117.001, 104.298)
# Corners of the eyes (right outer, inner, left outer, inner, as one looks at the image) and the nose, in the unit
# square of a chip without padding: get_face_chip_details in dlib/image_transforms/interpolation.h.
_MEAN_FACE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
_LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Channels, blocks, and whether the first of them halves the side."""


class Block(nn.Module):
    """Two convolutions with a shortcut; each followed by a scale and an offset (batch normalisation, frozen)."""

    def __init__(self, channels_in: int, channels: int, halves: bool) -> None:
        super().__init__()
        # dlib pads a convolution only where its stride is 1.
        stride, padding = (2, 0) if halves else (1, 1)
        self.first = nn.Conv2d(channels_in, channels, 3, stride, padding)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)
        self.halves = halves

    def forward(self, x: Tensor) -> Tensor:
        inner = self.second(F.relu(self.first(x)))
        return F.relu(_added(inner, F.avg_pool2d(x, 2) if self.halves else x))


class DlibNetwork(nn.Module):
    """(B, 3, 150, 150) face chips in [-1, 1] to five feature maps and (B, 128) embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 7, 2)
        channels, levels = 32, []
        for width, blocks, halves in _LEVELS:
            inputs = [channels] + [width] * (blocks - 1)
            levels.append(nn.Sequential(*(Block(c, width, halves and i == 0) for i, c in enumerate(inputs))))
            channels = width
        self.levels = nn.ModuleList(levels)
        self.last = nn.Linear(256, 128, bias=False)
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(_MEAN_RGB)[:, None, None], persistent=False)

    def forward(self, chips: Tensor) -> tuple[list[Tensor], Tensor]:
        x = ((chips + 1) * 127.5 - self.mean) / 256
        x = F.max_pool2d(F.relu(self.first(x)), 3, 2)
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps, self.last(x.mean((2, 3)))


def _added(inner: Tensor, shortcut: Tensor) -> Tensor:
    """The sum, with zeros where the smaller of them has no channel, row or column."""
    shape = [max(a, b) for a, b in zip(inner.shape, shortcut.shape, strict=True)]
    return _padded(inner, shape) + _padded(shortcut, shape)


def _padded(x: Tensor, shape: Sequence[int]) -> Tensor:
    missing = [want - have for want, have in zip(shape, x.shape, strict=True)]
    return F.pad(x, [0, missing[3], 0, missing[2], 0, missing[1]]) if any(missing) else x


def read_dlib(path: Path) -> DlibNetwork:
    """The network with dlib's weights; scales and offsets are multiplied into the convolutions.

    Raises:
        BadInput: for a file that does not hold this network.
    """
    network = DlibNetwork()
    tensors = list(_tensors(path.read_bytes()))
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if [len(t) for t in tensors] != [n for c in convolutions for n in _lengths(c)] + [256 * 128]:
        raise BadInput(f"{path} is not dlib's face recognition network")
    with torch.no_grad():
        for convolution, plain, affine in zip(convolutions, tensors[:-1:2], tensors[1:-1:2], strict=True):
            kernel, bias = (torch.from_numpy(part) for part in np.split(plain, [convolution.weight.numel()]))
            scale, offset = torch.from_numpy(affine).chunk(2)
            convolution.weight.copy_(kernel.view_as(convolution.weight) * scale[:, None, None, None])
            convolution.bias.copy_(bias * scale + offset)  # type: ignore[union-attr]
        network.last.weight.copy_(torch.from_numpy(tensors[-1]).view(256, 128).t())
    return network.requires_grad_(False).eval()


def _lengths(convolution: nn.Conv2d) -> tuple[int, int]:
    return convolution.weight.numel() + convolution.out_channels, 2 * convolution.out_channels


def _tensors(data: bytes) -> Iterator[NDArray[np.float32]]:
    """The tensors of a dlib file in order: a version (2), four sizes, little-endian floats. Small ones are left out.

    dlib writes a whole number as a byte with its length (and sign), then that many bytes.
    """
    position = 0
    while position < len(data) - 16:
        if data[position : position + 2] == b"\x01\x02":
            sizes, start = _sizes(data, position + 2)
            count = int(np.prod(sizes)) if sizes else 0
            if 64 <= count <= 1_000_000 and start + 4 * count <= len(data):
                values = np.frombuffer(data, "<f4", count, start)
                if np.isfinite(values).all() and np.abs(values).max() < 1e4:
                    yield values.copy()
                    position = start + 4 * count
                    continue
        position += 1


def _sizes(data: bytes, position: int) -> tuple[list[int], int]:
    sizes = []
    for _ in range(4):
        length = data[position]
        if not 1 <= length <= 4:
            return [], position
        sizes.append(int.from_bytes(data[position + 1 : position + 1 + length], "little"))
        position += 1 + length
    return (sizes if min(sizes) > 0 else []), position


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) turn, scale and shift that brings (N, 2) points nearest to others (Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    # As complex numbers a similarity is one product: the least-squares factor has a closed form.
    p, q = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    factor = (p.conj() @ q) / (p.conj() @ p)
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.hstack([turn, (target.mean(0) - turn @ source.mean(0))[:, None]])


def chip_points() -> NDArray[np.float64]:
    """(5, 2) where the landmarks lie in a chip, x and y in its pixels."""
    return (np.array(_MEAN_FACE) + _PADDING) / (2 * _PADDING + 1) * CHIP_PX


def chips(images: Tensor, landmarks: NDArray[np.float64]) -> Tensor:
    """(B, 3, H, W) and (B, 5, 2) landmarks to face chips (B, 3, 150, 150), bilinear, as dlib cuts them."""
    matrices = np.stack([similarity(chip_points(), points) for points in landmarks])
    # dlib lays the first and last of 150 pixels on the ends of a side of 150 s - 1 pixels, about the chip's middle.
    steps = (CHIP_PX - 1 / np.sqrt(np.linalg.det(matrices[:, :, :2]))) / (CHIP_PX - 1)
    offsets = np.arange(CHIP_PX) - (CHIP_PX - 1) / 2
    along = torch.from_numpy(CHIP_PX / 2 + offsets * steps[:, None]).to(images.device, torch.float32)
    matrix = torch.from_numpy(matrices).to(images.device, torch.float32)
    columns = along[:, None, :, None] * matrix[:, None, None, :, 0]
    where = columns + along[:, :, None, None] * matrix[:, None, None, :, 1] + matrix[:, None, None, :, 2]
    height, width = images.shape[2:]
    grid = where / torch.tensor([width - 1, height - 1], device=images.device) * 2 - 1
    return F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="border", align_corners=True)


def five_landmarks(embedder: DlibEmbedder, rgb: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """(5, 2) of the largest face, x and y in pixels; None where none is found."""
    rgb = np.ascontiguousarray(rgb)
    box = embedder.find(rgb)
    if box is None:
        return None
    return np.array([(point.x, point.y) for point in embedder.landmarks(rgb, box).parts()], np.float64)


class AlignedDlib:
    """The network on images of known faces: landmarks are found once, in the true image, and moved with it.

    Args:
        faces: all that pairs will be drawn from. A face that dlib does not find has the mean position of the others.
        device: where the network runs.

    Raises:
        PackageMissing: without dlib or its models.
    """

    def __init__(self, faces: Faces, device: str) -> None:
        embedder = dlib_embedder()
        found = [five_landmarks(embedder, image) for image in faces.images]
        known = [points for points in found if points is not None]
        if not known:
            raise BadInput("dlib finds no face in any of the images: restore.identity = none trains without")
        mean = np.mean(known, axis=0)
        self.landmarks = np.stack([mean if points is None else points for points in found])
        self.network = read_dlib(model_path()).to(device)

    def __call__(self, images: Tensor, pairs: Pairs) -> tuple[list[Tensor], Tensor]:
        points, moved = self.landmarks[pairs.index], pairs.moved
        points = np.einsum("bij,bpj->bpi", moved[:, :, :2], points) + moved[:, None, :, 2]
        # A mirror image exchanges the eyes.
        flipped = np.linalg.det(moved[:, :, :2]) < 0
        points[flipped] = points[flipped][:, [2, 3, 0, 1, 4]]
        answer: tuple[list[Tensor], Tensor] = self.network(chips(images, points))
        return answer


def model_path() -> Path:
    """Where dlib's weights are. Raises PackageMissing."""
    import importlib.util

    spec = importlib.util.find_spec("face_recognition_models")
    places: Any = (spec.submodule_search_locations if spec is not None else None) or []
    name = "dlib_face_recognition_resnet_model_v1.dat"
    path = next((found for place in places if (found := Path(place) / "models" / name).is_file()), None)
    if path is None:
        raise PackageMissing("face_recognition_models", "the identity network", "pip install gfpbench[identity]")
    return path
