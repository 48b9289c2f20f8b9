"""The parity page: one table of candidates with their verdicts, and the inputs on which each differs most."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gfpbench.disk import write_whole
from gfpbench.images import encode_png, to_rgb_arrays
from gfpbench.lazy import LazyModule
from gfpbench.parity import Compared, Difference, Measured, Parity, Shown, Timed
from gfpbench.report.formatting import own, pages, plural, printable, shown, write_page
from gfpbench.types import ImageBatch, Json

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

AMPLIFIED_TO = 255.0
"""The largest difference of an image becomes white in its map; the factor stands below it."""
LARGEST_FACTOR = 4096.0


@dataclass(frozen=True, slots=True)
class Worst:
    """One input of the page: images as data, and the factor by which the map of differences is amplified."""

    difference: Difference
    images: Mapping[str, str]
    factor: float
    figures: str


def write_parity(measured: Measured, directory: Path) -> Path:
    """Write ``parity.json`` and ``parity.html`` into a folder, each whole or not at all. Returns the page's path."""
    parity = measured.parity
    write_whole(directory / "parity.json", json.dumps(parity.to_json(), indent=1, allow_nan=False) + "\n")
    script = own("parity.js")
    digest = base64.b64encode(hashlib.sha256(str(script).encode()).digest()).decode()
    html = (
        pages(compact=compact, ran_on=ran_on, peak=peak)
        .get_template("parity.html")
        .render(
            title=f"Parity with {printable(parity.case.restorer, 60)}",
            parity=parity,
            batches=[one.batch_size for one in parity.reference_timed],
            counts={kind: sum(one.safety == kind for one in parity.candidates) for kind in ("safe", "look", "unsafe")},
            blocks=[(one, _blocks(one, measured.worst[one.name])) for one in parity.candidates],
            script=script,
            script_hash=digest,
        )
    )
    return write_page(html, directory / "parity.html")


def parity_table(parity: Parity) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table on a terminal: a candidate a row."""
    head = ["candidate", "verdict", "outcome", "precision", "ran on", "max", "mean", "over 1", "PSNR", "quality"]
    timed = bool(parity.reference_timed)
    head += [f"x time, batch {one.batch_size}" for one in parity.reference_timed] + (["MiB"] if timed else [])
    rows = []
    for one in parity.candidates:
        faces = [image for image in one.images if image.group == "face" and not image.failure]
        row = [
            printable(one.name, 48),
            one.safety,
            one.outcome,
            one.precision,
            ran_on(one.ran),
            compact(max((image.max_levels for image in faces), default=None)),
            compact(max((image.mean_levels for image in faces), default=None)),
            "–" if not faces else f"{max(image.over_1 for image in faces):.1%}",
            shown(_least_psnr(faces), 1),
            _quality(one),
        ]
        row += [f"{time.relative:.2f} [{time.low:.2f}, {time.high:.2f}]" for time in one.timed]
        row += [peak(one.timed)] if timed else []
        rows.append(row)
    return head, rows


def parity_lines(parity: Parity) -> list[str]:
    """What was compared and why each verdict is what it is, as lines for a terminal."""
    counted = ", ".join(plural(count, f"{group} input") for group, count in parity.inputs.items())
    lines = [
        f"{printable(parity.case.restorer, 80)} on {counted}; max, mean and share over 1 level are of the worst face"
    ]
    lines += [f"control: {one.name}: {one.found}" for one in parity.controls]
    for one in parity.candidates:
        lines.append(f"{one.safety}: {printable(one.name, 80)}: {one.outcome}")
        lines += [f"  {printable(reason, 300)}" for reason in one.reasons]
    lines += [
        f"x time is of the reference's {compact(one.seconds_an_image)} s an image in batches of {one.batch_size}, "
        f"which take {compact(one.peak_mib)} MiB"
        for one in parity.reference_timed
    ]
    lines += [f"left out: {printable(one.subject, 60)}: {printable(one.reason, 200)}" for one in parity.problems]
    lines += [f"not measured: {name}: {printable(why, 160)}" for name, why in parity.not_measured.items()]
    return lines


def ran_on(ran: Mapping[str, Json]) -> str:
    """Device and number types that were seen, or the execution provider with its share of the nodes."""
    nodes = ran.get("nodes")
    if nodes:
        return ", ".join(f"{name.removesuffix('ExecutionProvider')} {count} nodes" for name, count in nodes.items())
    if ran.get("providers"):
        return ", ".join(str(name).removesuffix("ExecutionProvider") for name in ran["providers"])
    products = ran.get("products") or {}
    return ", ".join(products) or f"{ran.get('device', '')}, not seen by torch"


def peak(timed: Sequence[Timed]) -> str:
    """The most memory at any size of a batch, in MiB."""
    return compact(max((one.peak_mib for one in timed if one.peak_mib is not None), default=None))


def compact(value: float | None) -> str:
    """Three digits, however small or large."""
    return "–" if value is None else "0" if value == 0 else f"{value:.3g}"


def _least_psnr(images: list[Difference]) -> float | None:
    found = [image.scores["psnr_rgb"] for image in images if "psnr_rgb" in image.scores]
    return min(found) if found else None


def _quality(one: Compared) -> str:
    if not one.quality:
        return "not measured"
    first = one.quality[0]
    unit = f" {first.unit}" if first.unit else ""
    return f"{first.metric} {first.difference:+.2g}{unit} [{first.low:+.2g}, {first.high:+.2g}]"


def _blocks(one: Compared, worst: Mapping[str, Shown]) -> list[Worst]:
    different = {image.id for image in one.images if not image.equal}
    return [_worst(one, name, seen) for name, seen in worst.items() if name in different]


def _worst(one: Compared, name: str, seen: Shown) -> Worst:
    found = next(image for image in one.images if image.id == name)
    shown_images = {"input": seen.given, "reference": seen.reference}
    factor = 0.0
    if seen.candidate is not None:
        shown_images["candidate"] = seen.candidate
        apart = (seen.candidate - seen.reference).abs()
        factor = min(LARGEST_FACTOR, AMPLIFIED_TO / max(found.max_levels, AMPLIFIED_TO / LARGEST_FACTOR))
        shown_images["difference"] = (apart * factor).clamp(0, 1)
    if seen.truth is not None:
        shown_images["truth"] = seen.truth
    figures = (
        found.failure
        or f"max {found.max_levels:.3g} levels, mean {found.mean_levels:.2g}; over 1, 2, 4 levels: "
        f"{found.over_1:.1%}, {found.over_2:.1%}, {found.over_4:.1%}"
        + "".join(f"; {metric} {value:.4g}" for metric, value in found.scores.items())
    )
    return Worst(found, {kind: _uri(pixels) for kind, pixels in shown_images.items()}, factor, figures)


def _uri(pixels: torch.Tensor) -> str:
    batch = ImageBatch(pixels[None].contiguous(), ("0",))
    encoded = encode_png(np.asarray(to_rgb_arrays(batch)[0]))
    return "data:image/png;base64," + base64.b64encode(encoded).decode()
