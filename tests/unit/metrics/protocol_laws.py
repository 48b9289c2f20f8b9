"""What each published script does between two 8-bit images and its figure, written out again, and the law it makes.

Every script takes two (H, W, 3) uint8 RGB images, restored and truth, and a folder with seeded weights.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch

from gfpbench import assets
from gfpbench.metrics import load, protocols, pyiqa_networks
from gfpbench.metrics.niqe import PRISTINE_FILE
from gfpbench.metrics.set_measures import SET_METRICS
from gfpbench.types import BadInput, Metric
from tests.unit.metrics import mediapipe_oracles, pyiqa_oracles
from tests.unit.metrics import network_oracles as networks
from tests.unit.metrics import per_image_laws as laws

basicsr = laws.oracles.basicsr
Script = Callable[[Any, Any, Path], float | None]


def bgr(image: Any) -> Any:
    return np.ascontiguousarray(image[..., ::-1])


def basicsr_psnr(restored: Any, truth: Any, _: Path) -> float:
    return float(basicsr().calculate_psnr(bgr(restored), bgr(truth), crop_border=0))


def basicsr_ssim(restored: Any, truth: Any, _: Path) -> float:
    return float(basicsr().calculate_ssim(bgr(restored), bgr(truth), crop_border=0))


def basicsr_niqe(restored: Any, _: Any, __: Path) -> float:
    return float(basicsr().calculate_niqe(bgr(restored), crop_border=0))


def _corrected(restored: Any, truth: Any) -> tuple[Any, Any]:
    """VQFR: single precision, shift and stretch and both once more, one channel after the other."""
    ours, theirs = (bgr(image).astype(np.float32) / 255.0 for image in (restored, truth))
    for channel in range(3):
        plane = ours[:, :, channel]
        for _ in range(2):
            plane = plane - plane.mean() + theirs[:, :, channel].mean()
            plane = plane / plane.std() * theirs[:, :, channel].std()
        ours[:, :, channel] = plane
    return ours * 255, theirs * 255


def vqfr_psnr(restored: Any, truth: Any, _: Path) -> float:
    ours, theirs = _corrected(restored, truth)
    return float(basicsr().calculate_psnr(theirs, ours, crop_border=0))


def vqfr_ssim(restored: Any, truth: Any, _: Path) -> float:
    ours, theirs = _corrected(restored, truth)
    return float(basicsr().calculate_ssim(theirs, ours, crop_border=0))


def lpips_of(restored: Any, truth: Any, folder: Path, network: str, *, order: int = 1, signed: bool = True) -> float:
    """The lpips package itself; ``order`` -1 leaves images as OpenCV reads them."""
    ours, theirs = (
        torch.from_numpy(np.ascontiguousarray(p[..., ::order].transpose(2, 0, 1)).astype(np.float32) / 255)[None]
        for p in (restored, truth)
    )
    if signed:
        ours, theirs = (ours - 0.5) / 0.5, (theirs - 0.5) / 0.5
    with torch.no_grad():
        return float(networks.lpips_network(network, folder)(ours, theirs))


@cache
def arcface(folder: Path) -> Any:
    network = networks.gfpgan_arcface()("IRBlock", [2, 2, 2, 2], use_se=False)
    network.load_state_dict(torch.load(networks.arcface_weights(folder), weights_only=True), strict=False)
    return network.eval()


def _arccos(first: Any, second: Any) -> float:
    first, second = first.astype(np.float64), second.astype(np.float64)
    return float(np.arccos(np.dot(first, second) / (np.linalg.norm(first) * np.linalg.norm(second))))


def cos_dist(restored: Any, truth: Any, folder: Path) -> float:
    """VQFR's load_image and cosin_metric: a grey PNG, 128 px, [-1, 1], degrees."""
    embedded = []
    for image in (restored, truth):
        _, file = cv2.imencode(".png", bgr(image))
        decoded: Any = cv2.imdecode(file, 0)
        grey = cv2.resize(decoded, (128, 128), interpolation=cv2.INTER_LINEAR)
        with torch.no_grad():
            embedded.append(arcface(folder)(torch.from_numpy((grey[None, None].astype(np.float32) - 127.5) / 127.5)))
    return _arccos(*(one.numpy()[0] for one in embedded)) / math.pi * 180


def cos_dist_of_the_mean(restored: Any, truth: Any, folder: Path) -> float | None:
    """What goes into VQFR's mean: nothing for a pair under 1 degree."""
    degrees = cos_dist(restored, truth, folder)
    return None if degrees < 1 else degrees


def identity_distance(restored: Any, truth: Any, folder: Path) -> float:
    """RestoreFormer's gray_resize_for_identity on images as OpenCV reads them, in [0, 1]; radians."""
    embedded = []
    for image in (restored, truth):
        out = torch.from_numpy(bgr(image).astype(np.float32) / 255).permute(2, 0, 1)[None]
        grey = (0.2989 * out[:, 0] + 0.5870 * out[:, 1] + 0.1140 * out[:, 2]).unsqueeze(1)
        grey = torch.nn.functional.interpolate(grey, (128, 128), mode="bilinear", align_corners=False)
        with torch.no_grad():
            embedded.append(arcface(folder)(grey).numpy()[0])
    return _arccos(*embedded)


def landmark_distance(restored: Any, truth: Any, folder: Path) -> float:
    """VQFR's get_landmark_distance on facexlib's points; images as OpenCV reads them."""
    ours, theirs = (networks.facexlibs_landmarks(image, folder) for image in (restored, truth))
    return float(np.sqrt(((theirs - ours) ** 2).sum(1)).mean())


ADAFACE_REFERENCE = [
    [30.29459953, 51.69630051],
    [65.53179932, 51.50139999],
    [48.02519989, 71.73660278],
    [33.54930115, 92.3655014],
    [62.72990036, 92.20410156],
]


def adaface_crop(rgb: Any, points: Any) -> Any:
    """The challenge's warp_and_crop_face at 112 x 112: cp2tform's similarity, fitted from reference to points."""
    reference = np.array([[x + 8, y] for x, y in ADAFACE_REFERENCE], np.float32).astype(float)
    ours = np.array(points, np.float32).astype(float)
    ones, zeros = np.ones(5), np.zeros(5)
    x, y = reference.T
    system = np.vstack([np.stack([x, y, ones, zeros], 1), np.stack([y, -x, zeros, ones], 1)])
    c, s, right, down = np.linalg.lstsq(system, ours.T.reshape(-1), rcond=None)[0]
    backwards = np.array([[c, -s, 0], [s, c, 0], [right, down, 1]])
    return cv2.warpAffine(rgb, np.linalg.inv(backwards)[:, :2].T, (112, 112))


def adaface_cosine(restored: Any, truth: Any, folder: Path, points: Any = None) -> float:
    """The challenge's inference_face: RGB crops, to_input in BGR, the product of normalised features."""
    if points is None:
        mean = [[192.98138, 239.94708], [318.90277, 240.1936], [256.63416, 314.01935]]
        points = np.array([*mean, [201.26117, 371.41043], [313.08905, 371.15118]]) * len(truth) / 512
    features = []
    for image in (restored, truth):
        crop = adaface_crop(image, points)
        given = torch.tensor((((crop[:, :, ::-1] / 255.0) - 0.5) / 0.5).transpose(2, 0, 1)[None].copy()).float()
        feature = networks.adaface_by_hand(networks.adaface_weights(folder), given)
        features.append(feature / feature.norm(dim=1, keepdim=True))
    return (features[0] @ features[1].T).item()


def psnr_pt(restored: Any, truth: Any, _: Path) -> float:
    ours, theirs = (laws.oracles.as_tensor(image) for image in (restored, truth))
    from basicsr.metrics.psnr_ssim import calculate_psnr_pt

    return float(calculate_psnr_pt(ours, theirs, crop_border=0))


def pyiqa(name: str) -> Script:
    @cache
    def metric() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pyiqa as package

            return package.create_metric(name, device="cpu")

    return lambda restored, truth, _: float(metric()(*(laws.oracles.as_tensor(image) for image in (restored, truth))))


def pyiqa_niqe(restored: Any, _: Any, __: Path) -> float:
    """pyiqa's arithmetic on the pristine model that basicsr has; pyiqa would download the same as a MATLAB file."""
    from pyiqa.archs.niqe_arch import calculate_niqe

    model = np.load(PRISTINE_FILE)
    pristine = (torch.from_numpy(model[name]) for name in ("mu_pris_param", "cov_pris_param"))
    return float(calculate_niqe(laws.oracles.as_tensor(restored), 0, True, "yiq", *pristine))


def of(network: str, **settings: Any) -> Script:
    return lambda restored, truth, folder: lpips_of(restored, truth, folder, network, **settings)


LPIPS_VGG = of("vgg")
DEG_BOUND = 0.1  # OpenCV reads a PNG as grey with a rounding of its own: bytes differ by one step here and there

BY_PYIQA = {figure: pyiqa_oracles.value(f"pyiqa_{figure.lower()}") for figure in ("CLIPIQA", "MANIQA", "MUSIQ")}
"""pyiqa's own metrics, as small networks of the same kind with seeded weights."""

SCRIPTS: dict[tuple[str, str], tuple[Script, float]] = {
    ("gfpgan-paper", "PSNR"): (basicsr_psnr, 1e-9),
    ("gfpgan-paper", "SSIM"): (basicsr_ssim, 1e-9),
    ("gfpgan-paper", "LPIPS"): (LPIPS_VGG, 1e-5),
    ("gfpgan-paper", "NIQE"): (basicsr_niqe, 0.005),
    ("gfpgan-paper", "Deg"): (cos_dist, DEG_BOUND),
    ("vqfr", "PSNR"): (vqfr_psnr, 1e-4),
    ("vqfr", "SSIM"): (vqfr_ssim, 1e-5),
    ("vqfr", "LPIPS"): (LPIPS_VGG, 1e-5),
    ("vqfr", "NIQE"): (basicsr_niqe, 0.005),
    ("vqfr", "Deg"): (cos_dist_of_the_mean, DEG_BOUND),
    ("vqfr", "LMD"): (landmark_distance, 1e-9),
    ("restoreformer", "PSNR"): (basicsr_psnr, 1e-9),
    ("restoreformer", "SSIM"): (basicsr_ssim, 1e-9),
    ("restoreformer", "LPIPS"): (of("vgg", order=-1), 1e-5),
    ("restoreformer", "LPIPS [0, 1]"): (of("vgg", order=-1, signed=False), 1e-5),
    ("restoreformer", "IDD"): (identity_distance, 1e-4),
    ("pmrf", "PSNR"): (psnr_pt, 1e-4),
    ("pmrf", "SSIM"): (basicsr_ssim, 1e-9),
    ("pmrf", "LPIPS"): (LPIPS_VGG, 1e-5),
    ("pmrf", "NIQE"): (basicsr_niqe, 0.005),
    ("pmrf", "Deg"): (cos_dist_of_the_mean, DEG_BOUND),
    ("pmrf", "LMD"): (landmark_distance, 1e-9),
    ("difface", "PSNR"): (basicsr_psnr, 1e-9),
    ("difface", "SSIM"): (basicsr_ssim, 1e-9),
    ("report-2021", "PSNR"): (basicsr_psnr, 1e-9),
    ("report-2021", "SSIM"): (basicsr_ssim, 1e-9),
    **{(f"ntire-{year}", figure): (script, 0.0) for figure, script in BY_PYIQA.items() for year in (2025, 2026)},
    ("ntire-2025", "AdaFace"): (adaface_cosine, 5e-5),
    ("ntire-2026", "AdaFace"): (adaface_cosine, 5e-5),
    ("ntire-2025", "NIQE"): (pyiqa_niqe, 0.03),
    ("ntire-2026", "NIQE"): (pyiqa_niqe, 0.03),
    ("pyiqa-default", "niqe"): (pyiqa_niqe, 0.03),
    ("pyiqa-default", "psnr"): (pyiqa("psnr"), 1e-4),
    ("pyiqa-default", "psnry"): (pyiqa("psnry"), 1e-4),
    ("pyiqa-default", "ssim"): (pyiqa("ssim"), 1e-4),
    ("pyiqa-default", "lpips"): (of("alex"), 1e-5),
}
"""(protocol, figure) -> its script, and how far apart the two may be. Sets have laws of their own."""


def per_image_figures() -> list[tuple[str, str]]:
    """Every per-image figure of a protocol that some script defines (ours is defined by this package)."""
    return [
        (protocol.name, figure)
        for protocol in protocols.PROTOCOLS.values()
        if protocol.name != protocols.DEFAULT
        for figure, metric in protocol.figures.items()
        if metric not in SET_METRICS
    ]


def different_proofs() -> list[tuple[str, str]]:
    """The figures, less those that compare a metric with a script that an earlier one compares it with."""
    seen: dict[tuple[str, Script], tuple[str, str]] = {}
    for (protocol, figure), (script, _) in SCRIPTS.items():
        seen.setdefault((protocols.find(protocol).figures[figure], script), (protocol, figure))
    return list(seen.values())


@contextmanager
def seeded_weights(folder: Path) -> Iterator[None]:
    """Assets are files with random weights, the same that the scripts are given."""
    files = {
        "dists": lambda: networks.dists_weights(folder),
        "vgg16": lambda: networks.backbone_weights("vgg", folder),
        "alexnet": lambda: networks.backbone_weights("alex", folder),
        "arcface-resnet18": lambda: networks.arcface_weights(folder),
        "faceres": lambda: networks.faceres_weights(folder),
        "mediapipe-mesh": lambda: mediapipe_oracles.weights_file("mesh", folder),
        "mediapipe-iris": lambda: mediapipe_oracles.weights_file("iris", folder),
        "awing-wflw98": lambda: networks.awing_weights(folder),
        "adaface-ir50": lambda: networks.adaface_weights(folder),
        "inception-fid": lambda: networks.inception_weights(folder),
    }
    for metric, row in pyiqa_networks.NETWORKS.items():
        for place, name in enumerate(row.assets):
            files[name] = partial(_of_pyiqa, metric, folder, place)
    with patch.object(assets, "path", lambda name, needed_by="": files[name]()):
        yield


def _of_pyiqa(metric: str, folder: Path, place: int) -> Path:
    return pyiqa_oracles.all_weights(metric, folder)[place]


@cache
def images() -> list[tuple[Any, Any]]:
    """Three pairs that differ in colour, contrast, blur and noise, and a pair so near that VQFR drops it."""
    whole = zip(laws.as_bytes(laws.restored()), laws.as_bytes(laws.truth()), strict=True)
    pairs = [(ours[:, 4:], theirs[:, 4:]) for ours, theirs in whole]  # 209 x 193
    near = pairs[0][1].copy()
    near[1::40, 1::40, 1] ^= 1
    return [*pairs, (near, pairs[0][1])]


def same_as_the_script(protocol: str, figure: str, folder: Path, metric: Metric | None = None) -> None:
    """The figure of a protocol is what its script gives, pair by pair: a number, or none where the script has none.

    Args:
        metric: in place of the one that the protocol names, for a saboteur.
    """
    script, bound = SCRIPTS[protocol, figure]
    with seeded_weights(folder), pyiqa_oracles.small() if figure in BY_PYIQA else nullcontext():
        metric = metric or load([protocols.find(protocol).figures[figure]])[0]
        pairs = images()
        if any(word in figure.lower() for word in ("lpips", "deg", "idd", "lmd", "adaface", "iqa", "musiq")):
            # Networks are slow, and these say as much: one pair far apart, one nearly equal, a quarter of the pixels.
            pairs = [(restored[-96:, -96:], truth[-96:, -96:]) for restored, truth in pairs[2:]]
        if figure == "LMD":
            pairs = pairs[:1]  # seconds each
        for place, (restored, truth) in enumerate(pairs):
            expected = script(restored, truth, folder)
            ours, theirs = (laws.batch([image.astype(np.float64)], ("one",)) for image in (restored, truth))
            try:
                got: float | None = float(metric(ours, theirs))
            except BadInput:
                got = None
            assert (got is None) == (expected is None), f"pair {place}: {got} is not {expected}"
            if got is not None and expected is not None and not math.isinf(expected):
                assert abs(got - expected) <= bound, f"{figure} @ {protocol}, pair {place}: {got!r} is not {expected!r}"
