"""Changes that change nothing a person would see: each is a real run through the engine that the gate must let pass.

Those of one process are functions of a patch, a case and a folder; those that take a process of their own are settings
of its environment. Both give Results of the same cases, to be compared with a baseline made as usual.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
import tifffile
import torch

from gfpbench import faces, images, results, run
from gfpbench.degrade import chain
from gfpbench.types import Case, ImageBatch, Result
from tests.sabotage.saboteurs import Reversed

CASES: tuple[Case, ...] = (
    Case("embedded", "paper", "nano", draws=3),
    Case("embedded", "upstream", "nano", draws=3),
    Case("embedded", "report", "nano", seed=5, draws=3),
    Case("embedded", "paper", "classical", seed=1, draws=3),
    Case("embedded", "upstream", "classical", draws=3),
    Case("embedded", "paper", "bicubic", seed=2, draws=3),
    Case("embedded", "report", "input", seed=3, draws=3),
    Case("embedded", "none", "nano", draws=2),
)
FULL_SIZE = Case("embedded", "paper", "nano", size_px=512, draws=1)
"""At 512 px; the other cases are at the embedded faces' 128."""

Measure = Callable[[pytest.MonkeyPatch, Case, Path], Result]


@dataclass(frozen=True)
class Innocent:
    """A change of one process.

    Args:
        name: in the table.
        measure: the case measured with the change at work.
        bytes_move: whether it stands for other hardware, so that bytes may move where that is recorded as such. It is
            then compared with a baseline from elsewhere only.
    """

    name: str
    measure: Measure
    bytes_move: bool = False


def plain(case: Case, store: Path, **settings: Any) -> Result:
    return run.measure(case, store=store, keep_images=0, **settings)


def put_in(apply: Callable[[pytest.MonkeyPatch], None], **settings: Any) -> Measure:
    """A run with something patched."""

    def measure(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
        apply(patch)
        return plain(case, store, **settings)

    return measure


def set_for_the_run(setting: Callable[[Any], Any], value: Any, before: Callable[[], Any]) -> Measure:
    """A run under a global setting of a library, put back afterwards."""

    def measure(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
        kept = before()
        setting(value)
        try:
            return plain(case, store)
        finally:
            setting(kept)

    return measure


def resumed(after_batches: int) -> Measure:
    """Killed after some batches, and gone on with."""

    def measure(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
        left = [after_batches]

        def killed(done: int, total: int, what: str) -> None:
            left[0] -= 1
            if left[0] == 0 and done < total:
                raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt):
            plain(case, store, batch_size=2, progress=killed)
        return plain(case, store, batch_size=2)

    return measure


def saved_and_read(save: Callable[[np.ndarray], np.ndarray]) -> Measure:
    """Restored images written to a file of some lossless format and read again: (H, W, 3) RGB to the same."""

    def call(restorer: Any, degraded: ImageBatch) -> ImageBatch:
        restored = restorer(degraded)
        return images.batch_from_uint8([save(rgb) for rgb in images.to_rgb_arrays(restored)], restored.ids)

    def measure(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
        from gfpbench import restorers

        load = restorers.load
        patch.setattr(restorers, "load", lambda spec, **named: _Called(load(spec, **named), call))
        return plain(case, store)

    return measure


class _Called:
    def __init__(self, inner: Any, call: Callable[[Any, ImageBatch], ImageBatch]) -> None:
        self.inner, self.call, self.name = inner, call, inner.name

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        return self.call(self.inner, degraded)

    def provenance(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.inner.provenance()
        return found


def restoring(call: Callable[[Any, ImageBatch], ImageBatch]) -> Measure:
    """A run whose restorer, whichever it is, is called otherwise."""

    def measure(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
        from gfpbench import restorers

        load = restorers.load
        patch.setattr(restorers, "load", lambda spec, **named: _Called(load(spec, **named), call))
        return plain(case, store)

    return measure


def opencv(extension: str, *options: int) -> Callable[[np.ndarray], np.ndarray]:
    def save(rgb: np.ndarray) -> np.ndarray:
        data = cv2.imencode(extension, images.to_bgr(rgb), list(options))[1]
        return images.to_bgr(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)))

    return save


def pillow(kind: str, **options: Any) -> Callable[[np.ndarray], np.ndarray]:
    def save(rgb: np.ndarray) -> np.ndarray:
        stream = io.BytesIO()
        PIL.Image.fromarray(rgb).save(stream, kind, **options)
        return np.array(PIL.Image.open(io.BytesIO(stream.getvalue())).convert("RGB"))

    return save


def tiff(rgb: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    tifffile.imwrite(stream, rgb, photometric="rgb")
    return np.asarray(tifffile.imread(io.BytesIO(stream.getvalue())))


def rounding_noise(relative: float, key: int) -> Callable[[Any, ImageBatch], ImageBatch]:
    """Noise of so much on [-1, 1] on the restored image, before it is brought to 8 bits: another processor's sums."""
    source = torch.Generator().manual_seed(key)

    def call(restorer: Any, degraded: ImageBatch) -> ImageBatch:
        restored = restorer(degraded)
        if restored.pixels is degraded.pixels or restorer.provenance().get("identity"):
            return ImageBatch(restored.pixels, restored.ids)
        noise = torch.randn(restored.pixels.shape, generator=source) * relative / 2
        return ImageBatch((restored.pixels + noise).clamp(0, 1), restored.ids)

    return call


def shuffled(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
    class Shuffled(Reversed):
        def ids(self) -> tuple[str, ...]:
            return tuple(random.Random(3).sample(self.inner.ids(), len(self.inner.ids())))

    load = faces.load
    patch.setattr(faces, "load", lambda *given, **named: Shuffled(load(*given, **named)))
    return plain(case, store)


def reversed_order(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
    load = faces.load
    patch.setattr(faces, "load", lambda *given, **named: Reversed(load(*given, **named)))
    return plain(case, store)


def subset(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
    """The first few faces alone: their names and draws are those of the whole."""
    return plain(Case(**{**_fields(case), "limit": 4}), store)


def more(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
    """More draws of the same faces: the first ones are those of fewer."""
    return plain(Case(**{**_fields(case), "draws": (case.draws or 8) + 1}), store)


def _fields(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in Case.__slots__}


def elsewhere_in_the_tree(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
    store = store / "a folder with spaces, ü and 人"
    store.mkdir(parents=True)
    patch.chdir(store)
    return plain(case, Path("relative"))


def read_back(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
    """Written by another JSON library: other order of keys, other spaces, the same numbers."""
    found = plain(case, store)
    path = store / case.id / "result.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(data, indent=3, sort_keys=True), encoding="utf-8")
    assert results.read(path) == (found,)
    return results.read(path)[0]


def _seeded(patch: pytest.MonkeyPatch) -> None:
    random.seed(11)
    np.random.seed(11)
    torch.manual_seed(11)


def _without_onednn(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
    with warnings.catch_warnings():
        # torch sets its switch for TF32 along with the one that is meant, and warns of either value.
        warnings.filterwarnings("ignore", message="TF32 acceleration on top of oneDNN")
        with torch.backends.mkldnn.flags(enabled=False, allow_tf32=False):
            return plain(case, store)


def _copied(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    return copy.deepcopy(restorer)(degraded)


def _inference_mode(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    with torch.inference_mode():
        restored = restorer(degraded)
    return ImageBatch(restored.pixels.clone(), restored.ids)


def _channels_last(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    given = ImageBatch(degraded.pixels.contiguous(memory_format=torch.channels_last), degraded.ids)
    restored = restorer(given)
    return ImageBatch(restored.pixels.contiguous(memory_format=torch.channels_last), restored.ids)


def _sliced(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    """A view into a larger tensor: another stride, the same numbers."""
    wide = torch.zeros((*degraded.pixels.shape[:3], degraded.pixels.shape[3] + 3))
    wide[..., 3:] = degraded.pixels
    return restorer(ImageBatch(wide[..., 3:], degraded.ids))


def _alone(restorer: Any, degraded: ImageBatch) -> ImageBatch:
    parts = [restorer(images.select(degraded, [place])).pixels for place in range(len(degraded))]
    return ImageBatch(torch.cat(parts), degraded.ids)


def _path(name: str) -> Measure:
    def measure(patch: pytest.MonkeyPatch, case: Case, store: Path) -> Result:
        apply = chain.Chain.apply
        patch.setattr(chain.Chain, "apply", lambda self, batch, given: apply(self.using(name), batch, given))
        return plain(case, store)

    return measure


INNOCENT: tuple[Innocent, ...] = (
    Innocent("once more", put_in(lambda patch: None)),
    *(Innocent(f"batches of {size}", put_in(lambda patch: None, batch_size=size)) for size in (1, 2, 3, 5, 16)),
    *(
        Innocent(f"torch on {count} threads", set_for_the_run(torch.set_num_threads, count, torch.get_num_threads))
        for count in (1, 2, 3, 4)
    ),
    *(
        Innocent(f"OpenCV on {count} threads", set_for_the_run(cv2.setNumThreads, count, cv2.getNumThreads))
        for count in (1, 2, 4)
    ),
    Innocent("OpenCV without its tuned code", set_for_the_run(cv2.setUseOptimized, False, cv2.useOptimized), True),
    Innocent("faces in the opposite order", reversed_order),
    Innocent("faces shuffled", shuffled),
    Innocent("a few of the faces", subset),
    Innocent("more draws", more),
    Innocent("saved as PNG, not compressed", saved_and_read(opencv(".png", cv2.IMWRITE_PNG_COMPRESSION, 0))),
    Innocent("saved as PNG, compressed most", saved_and_read(opencv(".png", cv2.IMWRITE_PNG_COMPRESSION, 9))),
    Innocent("saved as PNG by Pillow", saved_and_read(pillow("PNG", optimize=True))),
    Innocent("saved as lossless WebP by OpenCV", saved_and_read(opencv(".webp", cv2.IMWRITE_WEBP_QUALITY, 101))),
    Innocent("saved as lossless WebP by Pillow", saved_and_read(pillow("WEBP", lossless=True))),
    Innocent("saved as TIFF", saved_and_read(tiff)),
    Innocent("saved as BMP", saved_and_read(opencv(".bmp"))),
    Innocent("killed after one batch and resumed", resumed(1)),
    Innocent("killed after two batches and resumed", resumed(2)),
    Innocent("images laid out channels last", restoring(_channels_last)),
    Innocent("images as slices of larger ones", restoring(_sliced)),
    Innocent("each image restored alone", restoring(_alone)),
    Innocent("the restorer copied at each call", restoring(_copied)),
    Innocent("inference mode", restoring(_inference_mode)),
    Innocent("global generators seeded", put_in(_seeded)),
    Innocent("denormal numbers flushed to zero", set_for_the_run(torch.set_flush_denormal, True, lambda: False)),
    Innocent(
        "deterministic algorithms asked for",
        set_for_the_run(torch.use_deterministic_algorithms, True, torch.are_deterministic_algorithms_enabled),
    ),
    Innocent(
        "float32 products at 'high'",
        set_for_the_run(torch.set_float32_matmul_precision, "high", torch.get_float32_matmul_precision),
    ),
    Innocent(
        "float32 products at 'medium'",
        set_for_the_run(torch.set_float32_matmul_precision, "medium", torch.get_float32_matmul_precision),
    ),
    Innocent("another working folder, odd names", elsewhere_in_the_tree),
    Innocent("the Result rewritten by hand", read_back),
    Innocent("without oneDNN", _without_onednn),
    Innocent("degradations along the exact path", _path("exact"), True),
    Innocent("degradations along the tensor path", _path("tensor"), True),
    *(
        Innocent(f"noise of {size:g} on [-1, 1], {key}", restoring(rounding_noise(size, key)), True)
        for size in (1e-6, 3e-6, 1e-5)
        for key in (1, 2)
    ),
)
"""None may be stopped."""


ENVIRONMENTS: tuple[tuple[str, Mapping[str, str], bool], ...] = (
    ("a fresh process", {}, False),
    ("hashes seeded with 1", {"PYTHONHASHSEED": "1"}, False),
    ("hashes seeded with 2", {"PYTHONHASHSEED": "2"}, False),
    ("locale C", {"LC_ALL": "C", "LANG": "C"}, False),
    ("locale C.UTF-8", {"LC_ALL": "C.UTF-8"}, False),
    ("Python without UTF-8 mode", {"PYTHONUTF8": "0", "LC_ALL": "POSIX"}, False),
    ("time zone of Kathmandu", {"TZ": "Asia/Kathmandu"}, False),
    ("time zone of Kiritimati", {"TZ": "Pacific/Kiritimati"}, False),
    ("python -O", {"PYTHONOPTIMIZE": "1"}, False),
    ("OpenMP on 1 thread", {"OMP_NUM_THREADS": "1"}, False),
    ("OpenMP on 3 threads", {"OMP_NUM_THREADS": "3"}, False),
    ("OpenMP with dynamic threads", {"OMP_DYNAMIC": "TRUE", "MKL_DYNAMIC": "TRUE"}, False),
    ("OpenMP with guided scheduling", {"OMP_SCHEDULE": "guided", "OMP_WAIT_POLICY": "ACTIVE"}, False),
    ("OpenMP with threads bound", {"OMP_PROC_BIND": "true"}, False),
    ("memory filled with garbage", {"MALLOC_PERTURB_": "165"}, False),
    ("OpenCV without IPP", {"OPENCV_IPP": "disabled"}, True),
    ("OpenCV without AVX-512", {"OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL"}, True),
    ("OpenCV without AVX2", {"OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL,AVX2,FMA3"}, True),
    ("NumPy without AVX-512", {"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}, True),
    ("OpenBLAS on 2 threads", {"OPENBLAS_NUM_THREADS": "2"}, False),
    ("OpenBLAS of Haswell", {"OPENBLAS_CORETYPE": "Haswell"}, True),
    ("OpenBLAS of Nehalem", {"OPENBLAS_CORETYPE": "Nehalem"}, True),
    ("torch on AVX2", {"ATEN_CPU_CAPABILITY": "avx2"}, True),
    ("torch without vectors", {"ATEN_CPU_CAPABILITY": "default"}, True),
    ("oneDNN on AVX2", {"ONEDNN_MAX_CPU_ISA": "AVX2"}, True),
    ("oneDNN on SSE4.1", {"ONEDNN_MAX_CPU_ISA": "SSE41"}, True),
    ("MKL on AVX2", {"MKL_ENABLE_INSTRUCTIONS": "AVX2", "MKL_CBWR": "AVX2"}, True),
    (
        "everything on AVX2",
        {
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "MKL_CBWR": "AVX2",
            "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL",
            "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        },
        True,
    ),
)
"""Name, variables of a process, and whether they turn the processor into another one: then bytes may move, and the
Results are compared with a baseline from elsewhere only."""

IN_A_PROCESS: tuple[Case, ...] = (CASES[0], CASES[1], CASES[3], CASES[5])

_CHILD = """
import json, sys
from pathlib import Path
from gfpbench import run
from gfpbench.types import Case
for fields in json.loads(sys.argv[1]):
    run.measure(Case(**fields), store=Path(sys.argv[2]), keep_images=0)
"""


def in_a_process(variables: Mapping[str, str], store: Path, cases: tuple[Case, ...] = IN_A_PROCESS) -> list[Result]:
    """The cases measured by a fresh interpreter under these variables, from another working folder."""
    store.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-c", _CHILD, json.dumps([_fields(case) for case in cases]), str(store)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **variables}
    done = subprocess.run(command, cwd=store, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{variables}: {done.stderr.strip()[-2000:]}")
    return [results.read(store / case.id / "result.json")[0] for case in cases]
