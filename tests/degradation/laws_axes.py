"""What must hold for every axis of severity: each law takes an axis and raises AssertionError where it is broken."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gfpbench.degrade import load
from gfpbench.degrade.axes import Axis, faces_to_restore, load_at
from gfpbench.images import pixels_sha256, to_rgb_arrays
from gfpbench.registry import companion
from gfpbench.types import Face, ImageBatch
from tests.degradation.image_cases import batch, face, flat, pattern
from tests.degradation.laws_draw import global_randomness

Size = tuple[int, int]
LADDER = (0.0, 0.08, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)

PROMISED_TABLE = "PROMISED in tests/degradation/laws_axes.py"

# What every axis promises: harmless, hardest, unit, the paper's range, what it acts on.
PROMISED: Mapping[str, tuple[float, float, str, tuple[float, float] | None, str]] = {
    "blur": (0, 40, "px at 512", (0.2, 10), "image"),
    "noise": (0, 120, "grey levels", (0, 15), "image"),
    "jpeg": (100, 1, "quality", (60, 100), "image"),
    "downscale": (1, 32, "times smaller", (1, 8), "image"),
    "all": (0, 2.4, "times the paper's range", (0, 1), "image"),
    "motion-blur": (0, 120, "px at 512", None, "image"),
    "double-jpeg": (100, 1, "quality", None, "image"),
    "face-scale": (100, 10, "% of the frame's side", None, "scene"),
    "roll": (0, 90, "degrees", None, "scene"),
    "yaw": (0, 40, "degrees", None, "scene"),
    "pitch": (0, 40, "degrees", None, "scene"),
    "misalignment": (0, 30, "% of the crop", None, "scene"),
    **{
        f"occlusion-{shape}": (0, most, "% of the face", None, "scene")
        for shape, most in {
            "eyes": 60,
            "nose": 60,
            "mouth": 60,
            "half": 75,
            "bar": 75,
            "glasses": 45,
            "mask": 70,
            "hand": 60,
        }.items()
    },
    "side-light": (0, 8, "stops across the crop", None, "scene"),
    "overexposure": (0, 5, "stops", None, "image"),
    "underexposure": (0, -6, "stops", None, "image"),
    "gamma-dark": (1, 4, "gamma", None, "image"),
    "gamma-bright": (1, 0.2, "gamma", None, "image"),
    "colour-warm": (0, 4, "stops of red over blue", None, "image"),
    "colour-cool": (0, -4, "stops of red over blue", None, "image"),
    "asymmetry-light": (0, 6, "stops between the halves", None, "scene"),
    "asymmetry-detail": (0, 40, "px at 512", None, "image"),
    "asymmetry-shape": (0, 10, "% of the crop", None, "scene"),
}


def plain(axis: Axis) -> str:
    """The axis's name without its base."""
    return axis.name.partition("+")[0]


def images(size: Size) -> ImageBatch:
    return batch(face(*size), pattern(*size), face(*size)[:, ::-1].copy())


def same(one: ImageBatch, other: ImageBatch) -> bool:
    return one.ids == other.ids and torch.equal(one.pixels, other.pixels)


def changed(axis: Axis, clean: ImageBatch, severity: float, seed: int = 0) -> list[NDArray[np.float64]]:
    """The effect alone, in levels: no base."""
    records = [axis.draw(severity, name, seed, clean.size) for name in clean.ids]
    return (
        [image.astype(np.float64) for image in to_rgb_arrays(axis.on("none").degraded(clean, severity, seed))]
        if (axis.acts_on == "image")
        else [image.astype(np.float64) for image in to_rgb_arrays(axis.applied(clean, records))]
    )


def psnr(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    error = float(((one - other) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


class OneFace:
    """A face set of one image."""

    name = "one"

    def __init__(self, rgb: NDArray[np.uint8], landmarks: Mapping[str, Any]) -> None:
        self.rgb, self.landmarks = rgb, landmarks

    def ids(self) -> tuple[str, ...]:
        return ("one",)

    def load(self, face_id: str) -> Face:
        attributes = {"subject": "nobody", "landmarks_px": dict(self.landmarks)}
        return Face(face_id, batch(self.rgb).pixels[0], attributes, pixels_sha256(self.rgb))

    def source(self) -> dict[str, Any]:
        return {"name": self.name}


def severity_0_is_identity(axis: Axis, size: Size = (64, 48), seed: int = 0) -> None:
    """Not one byte changes; on the middle base, exactly the middle of the paper's ranges is left; and 0 is no jump."""
    clean = images(size)
    bare, middle = axis.on("none"), axis.on("middle")
    assert same(bare.truth(clean, 0.0, seed), clean), "the truth at severity 0 is not the clean face"
    assert same(bare.degraded(clean, 0.0, seed), clean), "severity 0 without a base changes the image"
    scale = min(size) / 512
    window = 2 * max(0, round((41 * scale - 1) / 2)) + 1
    records = [
        {
            **load("paper").draw(name, seed, size),
            **{"blur_shape": "isotropic", "blur_kernel_size_px": window, "blur_angle_rad": 0.0},
            **{"blur_sigma_x_px": 5.1 * scale, "blur_sigma_y_px": 5.1 * scale, "downsample_ratio": 4.5},
            **{"noise_std_grey_levels": 7.5, "jpeg_quality": 80},
        }
        for name in clean.ids
    ]
    stepped = set(axis.effect.keys) & set(records[0])
    if not stepped:  # else the axis's own step is off, in the place of the base's
        assert same(middle.degraded(clean, 0.0, seed), load("paper").apply(clean, records)), (
            "severity 0 is not the base"
        )
    smooth = batch(face(*size))
    for got, rgb in zip(changed(axis, smooth, 1e-4, seed), to_rgb_arrays(smooth), strict=True):
        # A mask is a pixel here, a JPEG none; the others shrink in proportion, but for Eq. 6's downsampling:
        # it rounds the small size down, so that any ratio above 1 takes a pixel off each side.
        least = 25 if plain(axis) in ("downscale", "all") else 36
        assert psnr(got, rgb.astype(np.float64)) > least, "the image jumps as soon as severity leaves 0"


def values_are_as_promised(axis: Axis) -> None:
    """The stated ends, strictly monotone between them, invertible; the trained range where the paper has it."""
    harmless, hardest, unit, trained, acts_on = companion(
        PROMISED, plain(axis), f"axis {plain(axis)!r}", PROMISED_TABLE
    )
    got = (axis.value_at(0.0), axis.value_at(1.0), axis.unit, axis.trained_range, axis.acts_on)
    assert got == (harmless, hardest, unit, trained, acts_on), f"{got} is not what was promised"
    values = [axis.value_at(severity) for severity in np.linspace(0, 1, 201)]
    steps = np.diff(values) * (1 if hardest > harmless else -1)
    assert (steps > 0).all(), "the value does not grow with severity"
    for severity in (0.0, 0.1, 0.37, 0.5, 0.99, 1.0):
        assert abs(axis.severity_of(axis.value_at(severity)) - severity) < 1e-12, "severity_of does not invert value_at"
    low, high = axis.trained_severity
    if trained is None:
        assert (low, high) == (0, 0), "nothing was trained, but a range is shaded"
    else:
        ends = sorted(axis.value_at(severity) for severity in (low, high))
        assert np.allclose(ends, trained), f"the trained range is {ends}, not {trained}"
        assert 0 <= low < high < 1, "the axis ends within what was trained on"


def order_is_kept(axis: Axis, size: Size = (96, 96)) -> None:
    """More severity, more of it: lower PSNR for images; more covered, darker or further moved for scenes."""
    clean = batch(face(*size), face(*size)[:, ::-1].copy())
    rungs = [changed(axis, clean, severity) for severity in LADDER]
    for index, rgb in enumerate(to_rgb_arrays(clean)):
        truth = rgb.astype(np.float64)
        here = [rung[index] for rung in rungs]
        if axis.acts_on == "image":
            scores = [psnr(image, truth) for image in here]
            # Ratios without antialiasing and whole qualities make small ripples.
            ripple = {"downscale": 0.5, "all": 0.3, "jpeg": 0.1, "double-jpeg": 0.1}.get(plain(axis), 0.02)
            for worse, better in zip(scores[1:], scores, strict=False):
                assert worse <= better + ripple, f"PSNR rises with severity: {[round(score, 2) for score in scores]}"
            assert scores[-1] < 23, f"the hardest severity still has {scores[-1]:.1f} dB"
        elif "light" in axis.name:
            for darker, lighter in zip(here[1:], here, strict=False):
                assert (darker <= lighter).all(), "a pixel gets lighter with severity"
            assert here[-1].mean() < 0.6 * truth.mean(), "hardly any light is taken away"
        elif not hasattr(axis.effect, "moved"):
            for more, less in zip(here[1:], here, strict=False):
                differs = (less != truth).any(axis=2)
                assert (more != truth).any(axis=2)[differs].sum() >= 0.99 * differs.sum(), "what was covered comes back"
    if hasattr(axis.effect, "moved"):
        points = np.array([[0.37, 0.47], [0.62, 0.47], [0.5, 0.6], [0.41, 0.73], [0.59, 0.73]]) * size[0] - 0.5
        for name in clean.ids:
            moves = [axis.effect.moved(points, axis.draw(s, name, 0, size), size) - points for s in LADDER]
            lengths = [float(np.hypot(*move.T).mean()) for move in moves]
            assert all(more >= less for more, less in zip(lengths[1:], lengths, strict=False)), f"{lengths} goes back"
            assert lengths[0] == 0, "something moves at severity 0"
            assert lengths[-1] > 0.02 * size[0], f"the landmarks move by {lengths[-1]:.1f} px at most"


def draws_are_keyed(axis: Axis) -> None:
    """The same for the same face and seed, whatever ran before; others for others, wherever there is a choice."""
    size = (128, 128)
    degradation = axis.at(0.7)
    first, state = degradation.draw("a", 1, size), global_randomness()
    degradation.draw("b", 1, size)
    clean = images((32, 32))
    axis.degraded(clean, 0.7, 3)
    assert global_randomness() == state, "a global random generator is moved"
    assert degradation.draw("a", 1, size) == first, "a draw depends on what ran before it"
    assert axis.on("none").draw(0.7, "a", 1, size) == axis.on("middle").draw(0.7, "a", 1, size), "the base moves a draw"
    for keys in ([f"face {n}" for n in range(64)], list(range(64))):
        draws = [degradation.draw(*((key, 0) if isinstance(key, str) else ("a", key)), size) for key in keys]
        assert len({draw["noise_key"] for draw in draws}) == 64, "two images share a noise field"
        for name in axis.effect.keys:
            drawn = {draw[name] for draw in draws}
            if name.endswith("angle_rad") and not name.startswith("blur"):
                assert len(drawn) == 64, f"{name} is the same for several faces"
            elif name in ("occlusion_side", "half_shadow_side", "half_blur_side", "half_drop_side"):
                assert len(drawn) == 2, f"{name} is always {drawn}"
            elif name in ("roll_deg", "yaw_deg", "pitch_deg"):
                value = axis.value_at(0.7)
                assert drawn == {value, -value}, f"{name} is {drawn}, not either side of {value}"


def draws_are_consistent(axis: Axis) -> None:
    """One face meets the same direction, shape, field and side at every severity."""
    size = (512, 512)
    fixed = ("noise_key", "angle_rad", "side", "shape", "grid_shift_x", "grid_shift_y")
    signed = ("roll_deg", "yaw_deg", "pitch_deg")
    for name in ("a", "b", "c", "d"):
        records = [axis.at(severity).draw(name, 5, size) for severity in LADDER[1:]]
        for key in records[0]:
            values = [record[key] for record in records]
            if key.endswith(fixed):
                assert len(set(values)) == 1, f"{key} changes with severity: {values}"
            if key in signed:
                assert len({math.copysign(1, value) for value in values}) == 1, f"{key} changes sides: {values}"
        if "shift_x_px" in records[0]:
            angles = [math.atan2(r["shift_y_px"], r["shift_x_px"]) for r in records]
            turns = [abs(math.remainder(angle - angles[-1], 2 * math.pi)) for angle in angles]
            assert max(turns) < 0.1, f"the direction changes with severity: {angles}"
    grey = flat(128, 64, 64)
    fields = [(changed(axis, grey, severity)[0] - 128).ravel() for severity in (0.05, 0.1, 0.2)]
    if plain(axis) == "noise":
        for one in fields[1:]:
            assert np.corrcoef(fields[0], one)[0, 1] > 0.99, "noise is drawn anew at each severity"


def images_are_kept(axis: Axis, severity: float = 0.6, seed: int = 2, size: Size = (33, 47)) -> None:
    """Same names, size and type, whole levels; the clean batch and the records stay as they were."""
    clean = images(size)
    before = clean.pixels.clone()
    truth = axis.truth(clean, severity, seed)
    degradation = axis.at(severity)
    records = [dict(degradation.draw(name, seed, size)) for name in clean.ids]
    copies = [dict(record) for record in records]
    kept = truth.pixels.clone()
    got = degradation.apply(truth, records)
    for one in (truth, got):
        assert (one.ids, one.pixels.shape, one.pixels.dtype) == (clean.ids, clean.pixels.shape, torch.float32)
        assert torch.equal(one.pixels, (one.pixels * 255).round() / 255), "values are not whole levels"
    assert torch.equal(clean.pixels, before), "the clean batch was written to"
    assert torch.equal(truth.pixels, kept), "the truth was written to"
    assert records == copies, "a record was written to"
    if axis.acts_on == "image":
        assert same(truth, clean), "the truth of a fault of the image is the clean face"


def other_images_do_not_matter(axis: Axis, severity: float = 0.6, seed: int = 2, size: Size = (40, 36)) -> None:
    """The same bytes alone, in a batch, in any order and thread."""
    clean = images(size)
    together = axis.degraded(clean, severity, seed)

    def alone(index: int) -> torch.Tensor:
        one = ImageBatch(clean.pixels[index : index + 1], (clean.ids[index],))
        return axis.degraded(one, severity, seed).pixels[0]

    backwards = axis.degraded(ImageBatch(clean.pixels.flip(0), clean.ids[::-1]), severity, seed).pixels.flip(0)
    with ThreadPoolExecutor(3) as pool:
        threaded = list(pool.map(alone, range(len(clean))))
    for index in range(len(clean)):
        for other in (alone(index), threaded[index], backwards[index]):
            assert torch.equal(other, together.pixels[index]), "an image depends on the images it is degraded with"


def records_suffice(axis: Axis, severity: float = 0.6, seed: int = 2, size: Size = (48, 40)) -> None:
    """A record through JSON, given to the axis at another severity, makes the image again; a face carries its own."""
    clean = images(size)
    degradation = axis.at(severity)
    records = [json.loads(json.dumps(degradation.draw(name, seed, size), allow_nan=False)) for name in clean.ids]
    assert not any(isinstance(v, dict | list) for record in records for v in record.values()), "a record is not flat"
    for record in records:
        stated = record["axis"], record["axis_severity"], record["axis_value"]
        assert stated == (axis.name, severity, axis.value_at(severity)), f"the record says {stated}"
    truth = axis.truth(clean, severity, seed)
    if axis.acts_on == "scene":
        assert same(axis.applied(clean, records), truth), "the record does not make the truth again"
    again = axis.at(0.1).apply(truth, records)
    assert same(again, axis.degraded(clean, severity, seed)), "the record does not make the image again"
    loaded = load_at(degradation.name)
    assert same(loaded.apply(truth, records), again), f"{degradation.name} is another degradation when loaded"
    rgb = face(*size)
    point = {"nose": [size[1] / 2, size[0] * 0.6]}
    changed_face = faces_to_restore(axis, OneFace(rgb, point), severity, seed).load("one")
    lone = ImageBatch(batch(rgb).pixels, ("one",))
    assert torch.equal(changed_face.pixels, axis.truth(lone, severity, seed).pixels[0]), "faces() and truth() disagree"
    levels = to_rgb_arrays(ImageBatch(changed_face.pixels[None], ("one",)))[0]
    assert changed_face.sha256 == pixels_sha256(levels), "the hash is not of the image"
    if axis.acts_on == "scene":
        drawn = degradation.draw("one", seed, size)
        scene = changed_face.attributes["scene"]
        assert all(scene[key] == drawn[key] for key in axis.effect.keys), "the face and the run record other draws"


def lengths_scale_with_the_crop(axis: Axis) -> None:
    """Pixel lengths belong to 512 px; everything else to no size."""
    for name in ("a", "b", "c"):
        for severity in (0.15, 0.5, 1.0):
            at_512 = axis.draw(severity, name, 3, (512, 512))
            for side in (64, 128, 256, 300, 1024):
                here = axis.draw(severity, name, 3, (side, side))
                for key, value in at_512.items():
                    if not key.endswith("_px"):
                        assert here[key] == value, f"{key} changes with the size of the crop"
                        continue
                    # Whole numbers are rounded at 512 px and here; windows are odd, so rounded to two.
                    rounding = 0 if isinstance(value, float) else 3 if "kernel" in key else 1.5
                    slack = 1e-9 + rounding * max(1, side / 512)
                    assert abs(here[key] - value * side / 512) <= slack, f"{key} does not scale with the crop"


LAWS: tuple[Callable[[Axis], None], ...] = (
    severity_0_is_identity,
    values_are_as_promised,
    order_is_kept,
    draws_are_keyed,
    draws_are_consistent,
    images_are_kept,
    other_images_do_not_matter,
    records_suffice,
    lengths_scale_with_the_crop,
)


def with_effect(axis: Axis, **methods: Any) -> Axis:
    """The same axis with methods of its effect replaced by functions of (original method, *arguments)."""
    original = axis.effect
    names = ("draw", "apply", "moved")
    bound = {name: getattr(original, name) for name in names if hasattr(original, name)}
    body: dict[str, Any] = {name: staticmethod(method) for name, method in bound.items()}
    for name, method in methods.items():
        body[name] = staticmethod(lambda *args, _new=method, _old=bound[name]: _new(_old, *args))
    broken = type("Broken", (), {**body, "keys": original.keys})()
    return replace(axis, effect=broken)
