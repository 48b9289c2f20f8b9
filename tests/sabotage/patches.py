"""Bugs put into gfpbench's own source, as a careless commit would, and the tests that have to notice each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("gfpbench", "tests", "baselines", "fixtures", "docs", "conftest.py", "pyproject.toml", "tox.ini", "README.md")
IGNORED = shutil.ignore_patterns("__pycache__", "mutants", ".*")


@dataclass(frozen=True)
class Patch:
    """``old`` replaced by ``new`` in ``file``; ``tests`` are those that somebody who works there runs first."""

    name: str
    kind: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


PATCHES: tuple[Patch, ...] = (
    Patch(
        "JPEG at quality - 5",
        "degradation",
        "degrade/jpeg.py",
        "int(cv2.IMWRITE_JPEG_QUALITY), quality]",
        "int(cv2.IMWRITE_JPEG_QUALITY), max(1, quality - 5)]",
        ("tests/degradation/test_upstream.py",),
    ),
    Patch(
        "sigma not scaled with the crop",
        "degradation",
        "degrade/blur.py",
        "uniform(source, self.sigma_px_at_512) * scale for",
        "uniform(source, self.sigma_px_at_512) for",
        ("tests/degradation/test_draws.py",),
    ),
    Patch(
        "kernel not normalised",
        "degradation",
        "degrade/blur.py",
        "np.asarray(weight / np.sum(weight))",
        "np.asarray(weight / (np.sum(weight) - 0.01))",
        ("tests/unit/degrade/test_blur.py",),
    ),
    Patch(
        "noise after JPEG",
        "degradation",
        "degrade/chain.py",
        "jpeg.compressed(noise.noisy(shrink(planes, record), record), record)",
        "noise.noisy(jpeg.compressed(shrink(planes, record), record), record)",
        ("tests/degradation/test_upstream.py",),
    ),
    Patch(
        "noise divided by 256",
        "degradation",
        "degrade/noise.py",
        "added /= 255.0",
        "added /= 256.0",
        ("tests/degradation/test_upstream.py",),
    ),
    Patch(
        "seed left out of the key",
        "degradation",
        "degrade/rng.py",
        "json.dumps([seed, face_id, step])",
        "json.dumps([0, face_id, step])",
        ("tests/unit/degrade/test_rng.py", "tests/degradation/test_draws.py"),
    ),
    Patch(
        "PSNR with a peak of 254",
        "metric",
        "metrics/psnr.py",
        "PEAK = 255.0",
        "PEAK = 254.0",
        ("tests/unit/metrics/test_psnr.py",),
    ),
    Patch(
        "PSNR cut at 30 dB",
        "metric",
        "metrics/psnr.py",
        "return 10 * torch.log10(PEAK**2 / mean_squared_error)",
        "return (10 * torch.log10(PEAK**2 / mean_squared_error)).clamp(max=30)",
        ("tests/unit/metrics/test_psnr.py",),
    ),
    Patch(
        "SSIM with a window of 7",
        "metric",
        "metrics/ssim.py",
        "WINDOW_PX = 11",
        "WINDOW_PX = 7",
        ("tests/unit/metrics/test_ssim.py",),
    ),
    Patch(
        "SSIM of a data range of 1",
        "metric",
        "metrics/ssim.py",
        "C1 = (0.01 * 255) ** 2\nC2 = (0.03 * 255) ** 2",
        "C1 = 0.01**2\nC2 = 0.03**2",
        ("tests/unit/metrics/test_ssim.py",),
    ),
    Patch(
        "luma of BT.709",
        "metric",
        "images/colour.py",
        "BT601_LUMA = (65.481, 128.553, 24.966)",
        "BT601_LUMA = (46.559, 156.629, 15.812)",
        ("tests/unit/metrics/test_psnr.py",),
    ),
    Patch(
        "LPIPS in [0, 1]",
        "metric",
        "metrics/lpips.py",
        "image_by_image(one, to_signed(quantized(restored)), to_signed(quantized(truth)))",
        "image_by_image(one, quantized(restored).pixels, quantized(truth).pixels)",
        ("tests/unit/metrics/test_lpips.py",),
    ),
    Patch(
        "FID with n for n - 1",
        "metric",
        "metrics/fid.py",
        "(features - mean) / (len(features) - 1) ** 0.5",
        "(features - mean) / len(features) ** 0.5",
        ("tests/unit/metrics/test_fid.py",),
    ),
    Patch(
        "KID with pairs of a feature with itself",
        "metric",
        "metrics/kid.py",
        "(among_x - _self_kernel(first)).sum() / (n * (n - 1))",
        "among_x.sum() / (n * n)",
        ("tests/unit/metrics/test_kid.py",),
    ),
    Patch(
        "NIQE without rounding",
        "metric",
        "metrics/niqe.py",
        "to_rounded_luma_255(restored)",
        "__import__('gfpbench.images').images.to_luma_255(restored)",
        ("tests/unit/metrics/test_niqe.py",),
    ),
    Patch(
        "Deg in radians",
        "metric",
        "metrics/identity.py",
        "torch.rad2deg(2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1)))",
        "2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1))",
        ("tests/unit/metrics/test_identity.py",),
    ),
    Patch(
        "GMSD with a constant of 160",
        "metric",
        "metrics/gmsd.py",
        "C = 170.0",
        "C = 160.0",
        ("tests/unit/metrics/test_gmsd.py",),
    ),
    Patch(
        "[0, 1] fed to GFP-GAN",
        "range",
        "restorers/face_network.py",
        'pixels = to_signed(given) if self.takes == "signed" else in_range(given, self.takes)',
        'pixels = given.pixels if self.takes == "signed" else in_range(given, self.takes)',
        ("tests/unit/restorers/test_face_network.py", "tests/unit/restorers/test_nano.py"),
    ),
    Patch(
        "BGR read as RGB",
        "colour",
        "images/opencv.py",
        "for channel, plane in zip(planes[::-1], cv2.split(bgr, list(levels)), strict=True):",
        "for channel, plane in zip(planes, cv2.split(bgr, list(levels)), strict=True):",
        ("tests/degradation/test_upstream.py", "tests/unit/degrade"),
    ),
    Patch(
        "resized with corners aligned",
        "geometry",
        "images/batches.py",
        'mode="bicubic", align_corners=False, antialias=True',
        'mode="bicubic", align_corners=True, antialias=True',
        ("tests/unit/test_images.py",),
    ),
    Patch(
        "a restorer's input accepted as its answer",
        "gate",
        "restorers/checked.py",
        "UNCHANGED_WITHIN_LEVELS and not may_copy:",
        "UNCHANGED_WITHIN_LEVELS and False:",
        ("tests/unit/restorers/test_checked.py",),
    ),
    Patch(
        "pairs by place, not by name",
        "pairing",
        "run/engine.py",
        "clean, given = (only(batch, restored.ids) for",
        "clean, given = (ImageBatch(batch.pixels[: len(restored)], restored.ids) for",
        ("tests/unit/run/test_case.py",),
    ),
    Patch(
        "changes pass the gate",
        "gate",
        "baselines/comparison.py",
        '("worse", "missing", "changed")\n"""Verdicts',
        '("worse", "missing")\n"""Verdicts',
        ("tests/unit/baselines/test_decide.py",),
    ),
    Patch(
        "better and worse exchanged",
        "gate",
        "baselines/scores.py",
        'sign = 1.0 if record["better"] == "higher" else -1.0',
        'sign = -1.0 if record["better"] == "higher" else 1.0',
        ("tests/unit/baselines/test_decide.py",),
    ),
    Patch(
        "noise allowed fifty times over",
        "gate",
        "baselines/comparison.py",
        "SAFETY = 2.0",
        "SAFETY = 50.0",
        ("tests/unit/baselines/test_decide.py",),
    ),
    Patch(
        "evidence without correction",
        "gate",
        "baselines/scores.py",
        "[min(1.0, p * context.questions) for p in holm([float(p) for p in evidence.p_value])]",
        "[float(p) for p in evidence.p_value]",
        ("tests/unit/baselines/test_decide.py",),
    ),
    Patch(
        "a failed restoration scored as its input",
        "cheating",
        "run/engine.py",
        "    good = () if restored is None else restored.ids\n",
        "    restored, failures = (degraded if restored is None else restored), {}\n    good = restored.ids\n",
        ("tests/unit/run/test_case.py",),
    ),
    Patch(
        "torch loaded for words",
        "front door",
        "types/images.py",
        "if TYPE_CHECKING:\n    import torch\n",
        "import torch\n",
        ("tests/unit/test_lazy.py",),
    ),
    Patch(
        "numpy loaded for names",
        "front door",
        "metrics/kid.py",
        '    np, torch = LazyModule("numpy"), LazyModule("torch")\n',
        '    import numpy as np\n\n    torch = LazyModule("torch")\n',
        ("tests/unit/test_lazy.py",),
    ),
    Patch(
        "all verbs loaded for one",
        "front door",
        "cli/__init__.py",
        "VERBS if verb is None else (verb,)",
        "VERBS",
        ("tests/unit/test_lazy.py",),
    ),
    Patch(
        "a number left a text",
        "front door",
        "cli/subcommand.py",
        "return value if kind in PLAIN and type(value) is kind else UNKNOWN",
        "return value",
        ("tests/unit/cli/test_subcommand.py",),
    ),
    Patch(
        "an argument that is missing and not asked for",
        "front door",
        "cli/subcommand.py",
        "taken is UNKNOWN or (missing and parameter.required)",
        "taken is UNKNOWN",
        ("tests/unit/cli/test_subcommand.py",),
    ),
    Patch(
        "garbage that stays for good",
        "front door",
        "cli/__init__.py",
        "    gc.enable()\n",
        "",
        ("tests/unit/test_lazy.py",),
    ),
    Patch(
        "a module hides the function of its name",
        "front door",
        "lazy.py",
        'if not (isinstance(value, ModuleType) and name in self.__dict__["_exports"]):',
        "if True:",
        ("tests/unit/test_lazy.py",),
    ),
    Patch(
        "floats taken for 8-bit images",
        "front door",
        "images/levels.py",
        "    if not isinstance(given, np.ndarray) or dtype != np.uint8 or",
        "    if isinstance(given, np.ndarray) and given.dtype.kind == 'f':\n"
        "        given, dtype = given.astype(np.uint8), np.uint8\n"
        "    if not isinstance(given, np.ndarray) or dtype != np.uint8 or",
        ("tests/unit/test_notebook.py",),
    ),
    Patch(
        "one folder for the images of all that is measured",
        "front door",
        "notebook.py",
        "Path(tempfile.mkdtemp(dir=_session()))",
        "Path(_session())",
        ("tests/unit/test_notebook.py",),
    ),
)


def patched(patch: Patch, folder: Path) -> Path:
    """A copy of the checkout with the bug in it. Fails where the source no longer holds what is to be replaced."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=IGNORED)
        elif source.exists():
            shutil.copy2(source, folder / name)
    (folder / "gfpbench" / patch.file).write_text(with_the_bug(patch), encoding="utf-8")
    return folder


def with_the_bug(patch: Patch) -> str:
    """The file with the bug in it. Fails where the source no longer holds what is to be replaced."""
    text = (ROOT / "gfpbench" / patch.file).read_text(encoding="utf-8")
    if text.count(patch.old) != 1:
        raise AssertionError(f"{patch.name}: {patch.file} holds {patch.old!r} {text.count(patch.old)} times, not once")
    return text.replace(patch.old, patch.new)


def noticed_by(folder: Path, tests: Sequence[str]) -> str:
    """The first test that fails in a copy, or empty where the suite passes; pytest's own errors are raised."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    there = [name for name in tests if (folder / name).exists()]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--benchmark-disable", "-rfE"]
    done = subprocess.run([*command, *there], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    found = re.findall(r"^(?:FAILED|ERROR) (\S+::\S+)", done.stdout, flags=re.MULTILINE)  # not a file that is not read
    if not found:
        raise AssertionError(
            f"pytest in {folder} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-500:]}"
        )
    return found[0]
