"""Published evaluation protocols as data, so that one run is reported under several protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gfpbench.metrics import METRICS
from gfpbench.metrics import TABLE as _METRICS
from gfpbench.metrics.no_truth_protocols import NO_TRUTH_PROTOCOLS
from gfpbench.metrics.per_image import VS_INPUT
from gfpbench.metrics.protocol import Protocol
from gfpbench.metrics.set_measures import SET_METRICS
from gfpbench.metrics.set_measures import TABLE as _SET_METRICS
from gfpbench.registry import companion, listed, named_alike, unknown
from gfpbench.types import BadInput

__all__ = ["CONVENTIONS", "DEFAULT", "PROTOCOLS", "Protocol", "differences", "find", "metrics_of"]


_PAIRS = "pairs match by name; the script pairs two sorted folders by position"
_BYTES = "saved as 8-bit PNG and read again"
_FFHQ50K = "FID against 50,000 FFHQ images at 512 px, not the paired truth: the paper's ground-truth row reads 43.43"

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "ours",
            "What gfpbench recommends: pairs, identity and colour by name, sets against their own truth.",
            "this package, gfpbench/metrics/protocols.py",
            {
                "PSNR": "psnr_rgb",
                "PSNR-Y": "psnr_y",
                "SSIM": "ssim_rgb",
                "SSIM-Y": "ssim_y",
                "MS-SSIM": "ms_ssim",
                "GMSD": "gmsd",
                "LPIPS": "lpips_vgg",
                "NIQE": "niqe",
                "PIQE": "piqe",
                "Deg": "deg_arcface",
                "Deg (dlib)": "deg_dlib",
                "LMD (dlib)": "lmd_dlib",
                "eye mismatch": "eye_mismatch",
                "hallucination": "hallucination",
                "colour shift": "colour_shift",
                "FID": "fid_clean_vs_truth",
                "KID": "kid_clean_vs_truth",
            },
            (
                _BYTES,
                "pairs match by name; a missing image is an error",
                "every mean has an interval over images; a failed restoration has no number",
                "without a reference: NIQE from 192 px on, PIQE from 64 px on",
                "FID and KID against the truth of the run: 0 is reachable, and no download of a dataset is needed",
            ),
        ),
        Protocol(
            "gfpgan-paper",
            "The scripts to which GFP-GAN's author sends people, without fitted colours.",
            "Wang et al. 2021 (CVPR), Table 2; BasicSR@8d56e3a scripts/metrics; TencentARC/VQFR@239c77a metric_paper",
            {
                "PSNR": "psnr_rgb",
                "SSIM": "ssim_rgb",
                "LPIPS": "lpips_vgg",
                "FID": "fid_legacy_vs_ffhq50k",
                "NIQE": "niqe",
                "Deg": "deg_arcface",
            },
            (_BYTES, _PAIRS, _FFHQ50K, "colours are not fitted", "Deg is the mean over every pair, in degrees"),
        ),
        Protocol(
            "vqfr",
            "VQFR's scripts as they run: colours fitted before PSNR and SSIM, the nearest pairs not in Deg.",
            "TencentARC/VQFR@239c77a metric_paper",
            {
                "PSNR": "psnr_rgb_fitted",
                "SSIM": "ssim_rgb_fitted",
                "LPIPS": "lpips_vgg",
                "FID": "fid_legacy_vs_ffhq50k",
                "NIQE": "niqe",
                "Deg": "deg_arcface_vqfr",
                "LMD": "lmd_awing",
            },
            (
                _BYTES,
                _PAIRS,
                _FFHQ50K,
                "each channel of the output gets the truth's mean and standard deviation before PSNR and SSIM, always",
                "pairs closer than 1 degree leave the mean of Deg",
                "at most 3,000 images count for FID",
                "LMD: 98 points of AWing on the whole crop, in pixels, divided by nothing",
            ),
        ),
        Protocol(
            "restoreformer",
            "RestoreFormer's scripts: BGR where RGB is meant, identity in radians.",
            "wzhouxiff/RestoreFormer@294cf95 scripts/metrics",
            {
                "PSNR": "psnr_rgb",
                "SSIM": "ssim_rgb",
                "LPIPS": "lpips_vgg_bgr",
                "LPIPS [0, 1]": "lpips_vgg_bgr_01",
                "FID": "fid_legacy_vs_ffhq50k",
                "IDD": "rad_arcface_bgr",
            },
            (
                _BYTES,
                "files are read as BGR and never turned: PSNR and SSIM do not see it, LPIPS and identity do",
                "a missing output is skipped while the sum is still divided by all; here it is an error",
                "LPIPS is printed twice, for [0, 1] and for [-1, 1]",
                _FFHQ50K,
                "identity: RGB weights on BGR, [0, 1] where the network was trained on [-1, 1], radians",
            ),
        ),
        Protocol(
            "pmrf",
            "PMRF's script: FID against the 70,000 images of FFHQ.",
            "ohayonguy/PMRF@dc2ec0d evaluation/compute_metrics_blind.py",
            {
                "PSNR": "psnr_rgb_cap80",
                "SSIM": "ssim_rgb",
                "LPIPS": "lpips_vgg",
                "NIQE": "niqe",
                "Deg": "deg_arcface_vqfr",
                "LMD": "lmd_awing",
            },
            (
                _BYTES,
                "names are compared before anything is measured",
                "PSNR adds 1e-8 to the error: at most 80 dB",
                "FID, KID and precision against all 70,000 FFHQ images at 512 px by torch-fidelity, which resizes as "
                "TensorFlow 1 did (no half-pixel offset, no antialiasing)",
                "pairs closer than 1 degree leave the mean of Deg, as in VQFR's script",
            ),
            {
                "FID": "needs the 70,000 images of FFHQ at 512 px; nobody publishes their statistics for this resize",
                "KID": "needs the 70,000 images of FFHQ at 512 px",
                "precision": "needs the 70,000 images of FFHQ at 512 px",
            },
        ),
        Protocol(
            "difface",
            "DifFace's tables: FID against the paired truth.",
            "Yue and Loy 2022 (arXiv 2212.06512), synthetic CelebA-Test; the repository publishes no metric script",
            {"PSNR": "psnr_rgb", "SSIM": "ssim_rgb", "FID": "fid_legacy_vs_truth"},
            ("FID against the ground truth of the test set, so that equal images read 0",),
            {
                "LPIPS": "its network is not published; measure lpips_alex or lpips_vgg under their own names",
                "IDS": "an angle between ArcFace embeddings whose script is not published; deg_arcface is the nearest",
            },
        ),
        Protocol(
            "report-2021",
            "The 2021 reproduction report: 100 images, FID against their own truth.",
            "the reproduction report of 2021, its tables on 100 images",
            {"PSNR": "psnr_rgb", "SSIM": "ssim_rgb", "FID": "fid_legacy_vs_truth"},
            (
                "100 images: far fewer than the 2048 dimensions of FID, which is then mostly bias",
                "FID against the truth of the same 100 images, so that the ground-truth row reads 0",
            ),
        ),
        Protocol(
            "pyiqa-default",
            "What `pyiqa.create_metric(name)` gives when nothing else is said.",
            "chaofengc/IQA-PyTorch v0.1.16, default_model_configs.py",
            {
                "psnr": "psnr_rgb_cap80",
                "psnry": "psnr_yiq_cap80",
                "ssim": "ssim_yiq",
                "lpips": "lpips_alex",
                "niqe": "niqe_yiq",
                "fid": "fid_clean_vs_truth",
            },
            (
                "luma is the Y of YIQ, 0..255, where the field uses BT.601, 16..235",
                "PSNR adds 1e-8 to the error: at most 80 dB",
                "SSIM on rounded luma, negative contrast-structure terms cut to 0",
                "LPIPS on AlexNet, FID with the clean resize",
            ),
        ),
        *NO_TRUTH_PROTOCOLS,
    )
}
"""The table. Adding a protocol is one entry here (of sets without a truth: in no_truth_protocols.py)."""

DEFAULT = "ours"

CONVENTIONS: dict[str, Mapping[str, str]] = {
    "psnr_rgb": {"channels": "R, G, B", "colours": "as restored", "largest value": "infinite"},
    "psnr_rgb_fitted": {
        "channels": "R, G, B",
        "colours": "each channel fitted to the truth's mean and deviation",
        "largest value": "infinite",
    },
    "psnr_rgb_cap80": {"channels": "R, G, B", "colours": "as restored", "largest value": "80 dB (1e-8 added)"},
    "psnr_y": {"channels": "BT.601 luma, 16..235", "colours": "as restored", "largest value": "infinite"},
    "psnr_yiq_cap80": {
        "channels": "YIQ luma, 0..255",
        "colours": "as restored",
        "largest value": "80 dB (1e-8 added)",
    },
    "ssim_rgb": {"channels": "R, G, B", "colours": "as restored", "negative terms": "kept"},
    "ssim_rgb_fitted": {
        "channels": "R, G, B",
        "colours": "each channel fitted to the truth's mean and deviation",
        "negative terms": "kept",
    },
    "ssim_y": {"channels": "BT.601 luma, 16..235", "colours": "as restored", "negative terms": "kept"},
    "ssim_yiq": {"channels": "YIQ luma, rounded", "colours": "as restored", "negative terms": "cut to 0"},
    "niqe": {"luma": "BT.601, 16..235"},
    "niqe_yiq": {"luma": "Y of YIQ, 0..255 (0.15 lower or higher)"},
    "lpips_alex": {"network": "AlexNet", "channel order": "RGB", "range": "[-1, 1]"},
    "lpips_vgg": {"network": "VGG-16", "channel order": "RGB", "range": "[-1, 1]"},
    "lpips_vgg_bgr": {"network": "VGG-16", "channel order": "BGR", "range": "[-1, 1]"},
    "lpips_vgg_bgr_01": {"network": "VGG-16", "channel order": "BGR", "range": "[0, 1]"},
    "deg_arcface": {"unit": "degrees", "input": "grey 8-bit in [-1, 1]", "pairs": "all"},
    "deg_arcface_vqfr": {"unit": "degrees", "input": "grey 8-bit in [-1, 1]", "pairs": "those under 1 degree dropped"},
    "rad_arcface_bgr": {"unit": "radians", "input": "RGB weights on BGR in [0, 1]", "pairs": "all"},
    "lmd_awing": {"points": "98 of AWing", "box": "the whole crop"},
    "lmd_dlib": {"points": "68 of dlib", "box": "of the face found in the truth"},
    "fid_legacy_vs_ffhq50k": {"resize": "bilinear in the network", "reference": "50,000 of FFHQ"},
    "fid_legacy_vs_truth": {"resize": "bilinear in the network", "reference": "the truth of the run"},
    "fid_clean_vs_ffhq70k": {"resize": "antialiased bicubic", "reference": "70,000 of FFHQ"},
    "fid_clean_vs_truth": {"resize": "antialiased bicubic", "reference": "the truth of the run"},
}
"""Metric -> what it does where its relatives do something else. Two metrics compare only where all of it is equal."""


def find(name: str) -> Protocol:
    """The protocol of a name. Raises BadInput with near names for one that does not exist."""
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS)
    protocol = PROTOCOLS[name]
    named_alike("protocol", name, protocol.name, "PROTOCOLS in gfpbench/metrics/protocols.py")
    for figure, metric in protocol.figures.items():
        if metric not in SET_METRICS:
            base = metric.removesuffix(VS_INPUT)
            companion(METRICS, base, f"{figure} of protocol {name!r}", f"{_METRICS} (or {_SET_METRICS})")
    return protocol


def metrics_of(names: Sequence[str]) -> tuple[str, ...]:
    """The metrics that several protocols need, each once: they are measured in one pass.

    Raises:
        BadInput: for an unknown name, and for one given twice.
    """
    if len(set(listed("protocol", names))) != len(names):
        raise BadInput(f"each protocol is named once, not {', '.join(names)}")
    return tuple(dict.fromkeys(metric for name in names for metric in find(name).metrics))


def differences(a: str, b: str) -> dict[str, tuple[str, str]]:
    """The steps in which two metrics differ: what each does there. Empty for one metric, or where nothing is known."""
    first, second = CONVENTIONS.get(a, {}), CONVENTIONS.get(b, {})
    return {step: (first[step], second[step]) for step in first if step in second and first[step] != second[step]}
