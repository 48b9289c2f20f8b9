"""The published networks by name: fetched weights, the authors' range and size, their settings recorded."""

from __future__ import annotations

from pathlib import Path

from gfpbench import assets
from gfpbench.options import Options
from gfpbench.restorers import gfpgan_files, vq_networks
from gfpbench.restorers.checkpoint import of_file
from gfpbench.restorers.checkpoint_file import Weights, file_sha256, read_weights
from gfpbench.restorers.face_network import FaceNetwork, read_settings
from gfpbench.types import Json


def gfpgan_1(*, device: str = "cpu", **given: str) -> FaceNetwork:
    """GFP-GAN 1, the paper's network (512 px), in plain torch without its compiled CUDA operations.

    Options: ``dtype``, ``batch``, ``layout``, ``compile``. Raises AssetMissing where its weights were not fetched.
    """
    options = Options("gfpgan-1", given)
    settings = read_settings(options, device)
    return gfpgan_files.original(options, *_weights("gfpgan-1"), settings, _identity("gfpgan-1"))


def gfpgan_1_2(*, device: str = "cpu", **given: str) -> FaceNetwork:
    """GFP-GAN 1.2 (512 px): the first clean version; sharp, with make-up and beautified skin."""
    return _clean("gfpgan-1.2", device, given)


def gfpgan_1_3(*, device: str = "cpu", **given: str) -> FaceNetwork:
    """GFP-GAN 1.3 (512 px): more natural than 1.2, and less sharp."""
    return _clean("gfpgan-1.3", device, given)


def gfpgan_1_4(*, device: str = "cpu", **given: str) -> FaceNetwork:
    """GFP-GAN 1.4 (512 px): the authors' latest; a little more detail and identity than 1.3."""
    return _clean("gfpgan-1.4", device, given)


def restoreformer(*, device: str = "cpu", **given: str) -> FaceNetwork:
    """RestoreFormer (512 px), the weights that GFP-GAN's authors publish with their 1.3.4.

    Options: ``dtype``, ``batch``, ``compile``. Raises AssetMissing where its weights were not fetched.
    """
    options = Options("restoreformer", given)
    settings = read_settings(options, device)
    return vq_networks.restoreformer(options, *_weights("restoreformer"), settings, _identity("restoreformer"))


def codeformer(*, device: str = "cpu", **given: str) -> FaceNetwork:
    """CodeFormer (512 px); codeformer?w=0.7 sets its fidelity weight: 0 quality, 1 fidelity, 0.5 by default.

    Options: ``w``, ``dtype``, ``batch``, ``compile``. Raises AssetMissing where its weights were not fetched, and
    PackageMissing without spandrel-extra-arches, which holds its code (S-Lab licence, non-commercial).
    """
    options = Options("codeformer", given)
    settings = read_settings(options, device)
    return vq_networks.codeformer(options, *_weights("codeformer"), settings, _identity("codeformer"))


def realesrgan_x4plus(*, device: str = "cpu", **given: str) -> FaceNetwork:
    """Real-ESRGAN x4plus: super-resolution of any image, enlarged fourfold and brought back to the size it was given.

    As its authors' script with ``--outscale 1``, which takes minutes for 512 px on a CPU. With ``reduce=4`` it sees the
    image at a quarter of its size, as super-resolution was trained: sixteen times faster, and sharper where the image
    was enlarged before. On 8 generated faces of 128 px, degraded by ``paper``, LPIPS (alex) is .461 degraded, .254
    restored, .143 with ``reduce=2`` and .126 with 4; PSNR 23.7, 23.9, 22.9 and 21.6 dB. It knows no faces.
    Options: ``reduce``, ``dtype``, ``layout``. Raises AssetMissing where its weights were not fetched.
    """
    name = "realesrgan-x4plus"
    read_settings(Options(name, given), device)  # a bad option is told before weights are asked for
    path = assets.path(name, needed_by=name)
    found = assets.status(name).asset
    return of_file(path, Options(name, given), device, {"licence": found.licence, "source": found.source})


def _clean(name: str, device: str, given: dict[str, str]) -> FaceNetwork:
    options = Options(name, given)
    settings = read_settings(options, device)
    return gfpgan_files.clean(options, *_weights(name), settings, _identity(name))


def _weights(name: str) -> tuple[Path, Weights]:
    path = assets.path(name, needed_by=name)
    return path, read_weights(path)


def _identity(name: str) -> dict[str, Json]:
    asset = assets.find(name)
    return {
        "weights": asset.filename,
        "weights_sha256": file_sha256(assets.path(name, needed_by=name)),
        "licence": asset.licence,
        "source": asset.source,
    }
