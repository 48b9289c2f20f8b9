"""How far scores and images move when nothing changed: measured once, and stored with the baseline."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gfpbench import images, run
from gfpbench.baselines import inputs
from gfpbench.baselines.image_statistics import FEATURES, apart, image_statistics, places_moved, same_bytes
from gfpbench.lazy import LazyModule
from gfpbench.restorers import arithmetic
from gfpbench.types import ComputedTwoWays, Degradation, ImageBatch, Json, Parameters, Result

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

IMAGES = 16
DITHERED_SHARE = 0.1


@dataclass(slots=True)
class Dithered:
    """A degradation, one value in ten of whose images is off by one grey level, as if another library had rounded.

    Measured with OpenCV 4.9 and 5.0, NumPy 1.26 and 2.4, the embedded faces and every preset, not one value differs: a
    tenth is far more than releases differ by, and stands for what no one machine can measure.
    """

    inner: Degradation
    name: str = "dithered"

    def draw(self, face_id: str, seed: int, size: tuple[int, int]) -> Parameters:
        return self.inner.draw(face_id, seed, size)

    def apply(self, batch: ImageBatch, parameters: Sequence[Parameters]) -> ImageBatch:
        degraded = images.quantized(self.inner.apply(batch, parameters))
        steps = torch.stack([_steps(name, batch.size) for name in degraded.ids]).to(degraded.pixels.device)
        return images.quantized(ImageBatch((degraded.pixels + steps / 255).clamp(0, 1), degraded.ids))

    def describe(self) -> Mapping[str, Json]:
        return self.inner.describe()


def _steps(name: str, size: tuple[int, int]) -> torch.Tensor:
    """(3, H, W) of -1, 0 and 1, always the same for a name."""
    key = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    rng = np.random.default_rng(key)
    chosen = rng.random((3, *size)) < DITHERED_SHARE
    return torch.from_numpy(np.where(chosen, rng.choice([-1.0, 1.0], (3, *size)), 0.0).astype(np.float32))


def measure_envelope(
    result: Result, *, device: str = "cpu", parts: run.Parts | None = None, images_at_most: int = IMAGES
) -> dict[str, Json]:
    """Measure a Result's case again under innocent changes, and say how far its images move.

    Two envelopes: ``repeat`` for the same machine (batches of 1, 3 and 8; 1, 2 and all threads; of what may be a
    network also other arithmetic: sums in float64, other convolutions, another layout), and ``elsewhere`` for other
    versions and processors (the degradation by another implementation where there is one, and its images dithered).
    Other arithmetic that moves more of an image than rounding can is no noise, and left out.

    Args:
        result: as measured; the first ``images_at_most`` of its images are measured again.
        device: where the restorer works.
        parts: already loaded; loaded by the names in the case where None.

    Returns:
        ``images`` and, for both envelopes, ``how``, ``exact`` (not one byte of a restored image moved with batches
        and threads), ``bytes_moved`` (the largest share of the restored images that one change moved at all),
        ``places_moved`` (the largest share of all their blocks, likewise), ``once_more`` (that share by mere
        repetition), the largest move of one image in each metric (``scores``), and in each feature of ``degraded`` and
        ``restored`` images.
    """
    limit = min(len(result.rows), images_at_most)
    case = replace(result.case, limit=limit)
    parts = parts or run.load(case, device=device, metrics=tuple(result.metrics))
    now = torch.get_num_threads()
    settings = (("once more", 8, now), ("batches of 1 on 1 thread", 1, 1), ("batches of 3 on 2 threads", 3, 2))
    variants: dict[str, Degradation] = {"dithered": Dithered(parts.degradation)}
    if isinstance(parts.degradation, ComputedTwoWays):
        variants["the degradation in torch"] = parts.degradation.using("tensor")

    def again(with_parts: run.Parts, batch_size: int = 8, threads: int = now) -> Result:
        with _threads(threads), tempfile.TemporaryDirectory() as folder:
            return run.run_case(
                case, with_parts, store=Path(folder), device=device, batch_size=batch_size, keep_images=0
            )

    repeats = [(how, again(parts, batch_size, threads)) for how, batch_size, threads in settings]
    exact, once_more = _extent(result, repeats)["exact"], _extent(result, repeats[:1]).get("places_moved", 0.0)
    if inputs.sums_in_floats(result.restorer):
        repeats += _by_other_arithmetic(result, lambda: again(parts))
    others = [(how, again(replace(parts, degradation=variant))) for how, variant in variants.items()]
    return {
        "images": limit,
        "repeat": {**_extent(result, repeats), "exact": exact, "once_more": once_more},
        "elsewhere": _extent(result, [*repeats, *others]),
    }


def _by_other_arithmetic(result: Result, again: Callable[[], Result]) -> list[tuple[str, Result]]:
    """The same case by other arithmetic: of torch, or of onnxruntime where that computes. A way that the restorer does
    not survive (a failed restoration) tells nothing about noise and is left out, and so is one that gives other images:
    what is allowed for noise must not hide a change."""
    in_onnxruntime = str(result.restorer.get("implementation", "")).startswith("onnxruntime ")
    found = []
    for way in arithmetic.IN_ONNXRUNTIME if in_onnxruntime else arithmetic.IN_TORCH:
        with arithmetic.computed(way):
            found.append((way, again()))
    return [(how, one) for how, one in found if _is_rounding(result, one)]


def _is_rounding(result: Result, other: Result) -> bool:
    """Whether every restored image of ``other`` is that of ``result`` but for single levels here and there."""
    rows = {row.id: row for row in result.rows}
    before = image_statistics([rows[row.id] for row in other.rows if row.id in rows], "restored")
    after = image_statistics([row for row in other.rows if row.id in rows], "restored")
    if before is None or after is None:
        return False
    return all(bool((distance <= FEATURES[name]).all()) for name, distance in apart(before, after).items())


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _extent(result: Result, repeats: Sequence[tuple[str, Result]]) -> dict[str, Json]:
    """The largest moves over all repeats."""
    scores = dict.fromkeys(sorted(result.metrics), 0.0)
    images = {kind: dict.fromkeys(FEATURES, 0.0) for kind in ("degraded", "restored")}
    bytes_moved = places = 0.0
    counted = True  # whether every image has hashes of its blocks
    rows = {row.id: row for row in result.rows}
    for _, repeat in repeats:
        pairs = [(rows[row.id], row) for row in repeat.rows if row.id in rows]
        for before, after in pairs:
            for metric in scores:
                a, b = before.scores.get(metric), after.scores.get(metric)
                if a is not None and b is not None and a != b and np.isfinite(a - b):
                    scores[metric] = max(scores[metric], abs(a - b))
        for kind, extent in images.items():
            one, other = (image_statistics([pair[side] for pair in pairs], kind) for side in (0, 1))
            if one is None or other is None:
                continue
            for name, distance in apart(one, other).items():
                extent[name] = max(extent[name], round(float(distance.max()), 4))
            if kind == "restored":
                bytes_moved = max(bytes_moved, 1.0 - float(same_bytes(one, other).mean()))
                shares = places_moved(one, other)
                counted &= shares is not None
                places = max(places, 0.0 if shares is None else float(shares.mean()))
    return {
        "how": ", ".join(how for how, _ in repeats),
        "exact": bytes_moved == 0,
        "bytes_moved": round(bytes_moved, 4),
        **({"places_moved": round(places, 6)} if counted else {}),
        "scores": {metric: float(f"{value:.3g}") for metric, value in scores.items()},
        **images,
    }
