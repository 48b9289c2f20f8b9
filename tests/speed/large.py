"""Made-up Results of many images, as a run leaves them: drawn parameters, fingerprints, ten metrics, a few failures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gfpbench.types import Case, Problem, Result, Row

METRICS = tuple(f"metric_{number}" for number in range(10))
FAILING = 1000
"""One image in so many is not restored."""


def large(images: int, restorer: str = "bicubic", *, seed: int = 0, metrics: Sequence[str] = METRICS) -> Result:
    """A Result of so many images: 2.3 KB each in results.json. Equal arguments give equal Results.

    What is drawn for an image depends on its number, what is scored on the restorer and ``seed`` too.
    """
    given, made = np.random.default_rng(0), np.random.default_rng([seed, *restorer.encode()])
    drawn = given.uniform(0, 1, (images, 4)).tolist()
    quality = given.integers(60, 100, images).tolist()
    degraded = _looks(given, images)
    scores = made.normal(25, 3, (images, len(metrics))).tolist()
    restored = _looks(made, images)
    rows, problems = [], []
    for number in range(images):
        name, failed = f"face-{number:06d}", number % FAILING == FAILING - 1
        sigma, ratio, noise, angle = drawn[number]
        if failed:
            problems.append(Problem("restore", name, "RuntimeError: no face found"))
        looks = {"degraded": degraded[number]} | ({} if failed else {"restored": restored[number]})
        rows.append(
            Row(
                id=name,
                face_sha256=f"{number:064x}",
                size_px=(512, 512),
                attributes={"pose": "profile" if number % 7 == 0 else "frontal"},
                parameters={
                    "blur_angle_rad": angle,
                    "blur_kernel_size_px": 41,
                    "blur_shape": "isotropic",
                    "blur_sigma_x_px": 10 * sigma,
                    "blur_sigma_y_px": 10 * sigma,
                    "downsample_ratio": 1 + 7 * ratio,
                    "height_px": 512,
                    "jpeg_quality": quality[number],
                    "noise_key": f"{number:032x}",
                    "noise_std_grey_levels": 15 * noise,
                    "width_px": 512,
                },
                scores=dict.fromkeys(metrics) if failed else dict(zip(metrics, scores[number], strict=True)),
                failure="RuntimeError: no face found" if failed else None,
                fingerprint=looks,
            )
        )
    record = {"unit": "dB", "better": "higher", "best": None, "tolerance": 0.001, "minimum_side_px": 1}
    return Result(
        case=Case("many", "paper", restorer),
        rows=tuple(rows),
        metrics=dict.fromkeys(metrics, record),
        restorer={"name": restorer, "weights_sha256": f"{seed:064x}"},
        degradation={"name": "paper"},
        faces={"name": "many", "count": images},
        environment={"gfpbench": "0"},
        problems=tuple(problems),
    )


def _looks(rng: np.random.Generator, images: int) -> list[dict[str, object]]:
    levels = rng.integers(0, 256_000, (images, 8)) / 1000
    bounds = rng.integers(0, 256, (images, 6)).tolist()
    return [
        {
            "sha256": thumbnail.tobytes()[:8].hex(),
            "mean_levels": own[:3],
            "std_levels": own[3:6],
            "lowest_levels": low_high[:3],
            "highest_levels": low_high[3:],
            "sharpness_levels": own[6],
            "noise_levels": own[7],
            "thumbnail_rgb": thumbnail.tobytes().hex(),
        }
        for own, low_high, thumbnail in zip(
            levels.tolist(), bounds, rng.integers(0, 256, (images, 192), np.uint8), strict=True
        )
    ]
