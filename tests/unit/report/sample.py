"""A small real bench for the report to show: crops of a portrait, degraded, sharpened again, and measured."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from gfpbench.images import Bytes, write_png
from gfpbench.run.recorder import image_path
from gfpbench.types import Case, Problem, Result, Row

HOSTILE = "<script>alert(1)</script>\"'`|*@all\u202egpj.exe\x1b[31m\n" + "very-long-name " * 20

METRICS: dict[str, dict[str, Any]] = {
    "psnr_rgb": {
        "unit": "dB",
        "better": "higher",
        "best": float("inf"),
        "tolerance": 0.01,
        "tolerance_reason": "threads and batch sizes move an 8-bit image by less",
        "minimum_side_px": 1,
        "source": "scikit-image peak_signal_noise_ratio, all channels of the 8-bit image",
    },
    "ssim_rgb": {
        "unit": "",
        "better": "higher",
        "best": 1.0,
        "tolerance": 1e-4,
        "tolerance_reason": "as above",
        "minimum_side_px": 11,
        "source": "Wang et al. 2004, equation 13, gaussian window",
    },
    "mae_rgb": {
        "unit": "grey levels",
        "better": "lower",
        "best": 0.0,
        "tolerance": 0.01,
        "tolerance_reason": "as above",
        "minimum_side_px": 1,
        "source": "mean absolute error of the 8-bit image",
    },
    "niqe": {
        "unit": "",
        "better": "lower",
        "best": None,
        "tolerance": 0.01,
        "tolerance_reason": "float32",
        "minimum_side_px": 192,
        "source": "Mittal et al. 2013",
    },
}
NOT_MEASURED = {
    "niqe": "needs faces of at least 192 px, and these are 96 px",
    "lpips": "run `gfpbench fetch lpips-vgg`",
}
Restore = Callable[[Bytes], Bytes]


def crops(count: int, side: int = 96) -> dict[str, Bytes]:
    """Real faces of one person: the portrait's head, shifted and mirrored."""
    head = astronaut()[0:240, 110:350]
    found = {}
    for number in range(count):
        shift = 3 * (number // 2)
        crop = head[shift : shift + 200, shift : shift + 200]
        crop = crop[:, ::-1] if number % 2 else crop
        found[f"astronaut-{number:02d}"] = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return found


def drawn(number: int) -> dict[str, object]:
    return {"blur_sigma_px": 0.5 + 0.4 * number, "downscale": 1.5 + 0.3 * number, "jpeg_quality": 95 - 5 * number}


def degraded(truth: Bytes, parameters: Mapping[str, object]) -> Bytes:
    side = truth.shape[0]
    blurred = cv2.GaussianBlur(truth, (0, 0), float(str(parameters["blur_sigma_px"])))
    small = cv2.resize(blurred, (int(side / float(str(parameters["downscale"]))),) * 2)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(str(parameters["jpeg_quality"]))])
    decoded: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    enlarged: Any = cv2.resize(decoded, (side, side))
    return enlarged


def sharpen(amount: float) -> Restore:
    def restore(image: Bytes) -> Bytes:
        soft = cv2.GaussianBlur(image, (0, 0), 1.5)
        sharpened: Any = cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
        return sharpened

    return restore


def scores(restored: Bytes, truth: Bytes) -> dict[str, float | None]:
    equal = np.array_equal(restored, truth)
    psnr = float("inf") if equal else float(peak_signal_noise_ratio(truth, restored))
    ssim = float(structural_similarity(truth, restored, channel_axis=2, gaussian_weights=True))
    error = float(np.abs(restored.astype(float) - truth.astype(float)).mean())
    return {"psnr_rgb": psnr, "ssim_rgb": ssim, "mae_rgb": error, "niqe": None}


def bench(
    store: Path,
    faces: Mapping[str, Bytes],
    restorers: Mapping[str, Restore],
    failing: Mapping[tuple[str, str], str] | None = None,
    case: Case | None = None,
    kept: Sequence[str] | None = None,
) -> tuple[Result, ...]:
    """Degrade, restore and measure; images lie in ``store`` as a run leaves them."""
    failing = failing or {}
    case = case or Case(faces="astronaut", degradation="sample", restorer="", seed=0)
    results = []
    every: dict[str, Restore] = {"input": lambda image: image, **restorers, "truth": lambda image: image}
    for name, restore in every.items():
        this = Case(case.faces, case.degradation, name, case.seed, case.size_px, case.limit)
        rows, problems = [], []
        for number, (face_id, truth) in enumerate(faces.items()):
            low = degraded(truth, drawn(number % 12))
            failure = failing.get((name, face_id))
            high = None if failure else truth if name == "truth" else restore(low)
            for kind, image in {"degraded": low, "restored": high, "truth": truth}.items():
                if image is not None and (kept is None or face_id in kept):
                    path = image_path(store / this.id, face_id, kind)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_png(path, image)
            blank: dict[str, float | None] = dict.fromkeys(METRICS)
            rows.append(
                Row(
                    id=face_id,
                    face_sha256=hashlib.sha256(truth.tobytes()).hexdigest(),
                    size_px=(truth.shape[0], truth.shape[1]),
                    attributes={"age": 30 + number} if number % 3 == 0 else {},
                    parameters=drawn(number % 12),
                    scores=blank if high is None else scores(high, truth),
                    failure=failure,
                )
            )
            if failure:
                problems.append(Problem("restore", face_id, failure))
        results.append(
            Result(
                case=this,
                rows=tuple(rows),
                metrics=METRICS,
                restorer={"kind": "unsharp mask", "weights_sha256": hashlib.sha256(name.encode()).hexdigest()},
                degradation={"blur_sigma_px": [0.5, 4.9], "downscale": [1.5, 4.8], "jpeg_quality": [40, 95]},
                faces={"source": "scikit-image, astronaut.png (NASA)", "licence": "public domain", "count": len(faces)},
                environment={"gfpbench": "0.1.0", "python": "3.11", "torch": "2.15.0", "device": "cpu"},
                problems=tuple(problems),
                not_measured=NOT_MEASURED,
            )
        )
    return tuple(results)


def numbers(count: int) -> tuple[Result, ...]:
    """Results of ``count`` faces without images, drawn from a fixed generator."""
    generator = np.random.default_rng(0)
    values = {
        "input": generator.normal(24, 2, count).tolist(),
        "a": generator.normal(25, 2, count).tolist(),
        "truth": [float("inf")] * count,
    }
    return tuple(scored(name, {"psnr_rgb": list(one)}) for name, one in values.items())


def scored(
    restorer: str, scores: Mapping[str, Sequence[float | None]], failures: Mapping[int, str] | None = None
) -> Result:
    """A Result from bare numbers: faces f0, f1, ... with one value for each metric."""
    failures = failures or {}
    count = len(next(iter(scores.values())))
    rows = tuple(
        Row(
            id=f"f{number}",
            face_sha256="0" * 64,
            size_px=(96, 96),
            attributes={},
            parameters={"r": 2.0},
            scores={metric: values[number] for metric, values in scores.items()},
            failure=failures.get(number),
        )
        for number in range(count)
    )
    return Result(Case("bare", "sample", restorer), rows, {name: METRICS[name] for name in scores}, {}, {}, {}, {})


def wide() -> tuple[Result, ...]:
    """Every per-image metric there is, as eight protocols at once want them; restorers with long names among others."""
    from gfpbench import metrics

    columns = {
        metric.name: {"unit": metric.unit, "better": metric.better, "best": metric.best, "source": metric.source}
        for metric in metrics.load(list(metrics.METRICS))
    }
    results = []
    for number, restorer in enumerate(("nano", "gfpgan-1.4?weight=0.5", "python:my_models.long.module:restore")):
        bare = scored(restorer, {"psnr_rgb": [0.0, 0.0]})
        values = {metric: 100.0 * number + place + 0.25 for place, metric in enumerate(columns)}
        rows = tuple(dataclasses.replace(row, scores=values) for row in bare.rows)
        results.append(dataclasses.replace(bare, rows=rows, metrics=columns))
    return tuple(results)
