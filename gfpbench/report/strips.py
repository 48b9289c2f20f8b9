"""Selects the faces that a report shows, with their images: degraded, restored and truth, matched by id."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from gfpbench.decode import KEPT_LIMITS, decode
from gfpbench.images import to_bgr
from gfpbench.lazy import LazyModule
from gfpbench.report.formatting import plural, printable, shown
from gfpbench.report.model import Group, Line
from gfpbench.report.summary import measured
from gfpbench.run.recorder import image_path
from gfpbench.types import Json, UnreadableFace

if TYPE_CHECKING:
    import cv2
else:
    cv2 = LazyModule("cv2")

Kind: TypeAlias = Literal["degraded", "restored", "truth"]
KINDS: tuple[Kind, ...] = ("degraded", "restored", "truth")

Stores: TypeAlias = Path | Sequence[Path] | Mapping[str, Path]
"""Where runs kept images: a folder, several, or one for each label of a Result."""

FIRST, WORST = 24, 8
EMBEDDED_SIDE_PX = 512
EXACT_SIDE_PX = 160
LOSSY_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Image:
    """An image with its numbers; ``uri`` is None where none was kept, ``failure`` says why there is none."""

    label: str
    kind: Kind
    restorer: str
    uri: str | None
    scores: tuple[tuple[str, str, float | None], ...]  # metric, as shown, exact
    failure: str | None


@dataclass(frozen=True, slots=True)
class Strip:
    """One face: its images side by side. ``places`` holds its place in each order of ``Strips.orders``."""

    id: str
    size_px: tuple[int, int]
    images: tuple[Image, ...]
    parameters: tuple[tuple[str, str], ...]
    attributes: tuple[tuple[str, str], ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Strips:
    """The faces shown of one table, the orders to choose from, a sentence on what is not shown, a filter to try."""

    strips: tuple[Strip, ...]
    orders: tuple[str, ...]
    note: str
    example: str = "id"


def images_of(store: Path, case_id: str, row_id: str) -> dict[Kind, Path]:
    """The images that a run kept of one face: ``degraded``, ``restored``, ``truth``, those that are there."""
    paths: dict[Kind, Path] = {kind: image_path(store / case_id, row_id, kind) for kind in KINDS}
    return {kind: path for kind, path in paths.items() if path.is_file()}


def data_uri(path: Path, exact_side_px: int = EXACT_SIDE_PX) -> str | None:
    """An image as text: the file itself up to so many px, else WebP of at most 512 px a side. None if unreadable."""
    try:
        encoded = path.read_bytes()
        decoded = decode(encoded, str(path), KEPT_LIMITS)
    except (OSError, UnreadableFace):
        return None
    pixels = to_bgr(decoded.rgb)
    side = max(pixels.shape[:2])
    kind = "png"
    if side > exact_side_px or decoded.format != "PNG":
        if side > EMBEDDED_SIDE_PX:
            scale = EMBEDDED_SIDE_PX / side
            pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        _, buffer = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, LOSSY_QUALITY])
        encoded, kind = buffer.tobytes(), "webp"
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode('ascii')}"


def ranking(group: Group, metric: str) -> list[str]:
    """Faces from worst to best by one metric: the worst answer of any restorer decides, a failure being the worst."""
    column = next(column for column in group.columns if column.metric == metric)
    lines = group.restorers or group.lines
    badness: dict[str, float] = {}
    for line in lines:
        values = measured(line.result, metric)
        for row in line.result.rows:
            value = values.get(row.id)
            if row.failure is not None:
                bad = math.inf
            elif value is None or column.better is None:
                bad = -math.inf  # nothing known: behind everything that is
            else:
                bad = -value if column.better == "higher" else value
            badness[row.id] = max(badness.get(row.id, -math.inf), bad)
    names = [name for name in group.image_ids if name in badness]
    return sorted(names, key=lambda name: -badness[name])  # stable: ties stay as listed


def chosen(kept: Sequence[str], worst: Sequence[str]) -> list[str]:
    """The first 24 faces and the 8 worst of the others, as listed."""
    first = list(kept[:FIRST])
    others = set(kept[FIRST:])
    extra = set([name for name in worst if name in others][:WORST])
    return first + [name for name in kept[FIRST:] if name in extra]


def any_of(stores: Stores) -> tuple[Path, ...]:
    """All the folders, each once."""
    found = [stores] if isinstance(stores, Path) else stores.values() if isinstance(stores, Mapping) else stores
    return tuple(dict.fromkeys(found))


def strips_of(group: Group, stores: Stores) -> Strips:
    """The images of one table, read from the stores of its runs; bounded in number whatever was kept."""
    files: dict[tuple[str, str], dict[Kind, Path]] = {}
    owners: dict[tuple[str, tuple[Path, ...]], str] = {}  # of one case and folder there are images of one line only
    for line in group.lines:
        own = stores.get(line.result.label) if isinstance(stores, Mapping) else None
        where = any_of(stores) if own is None else (own,)
        if owners.setdefault((line.result.case.id, where), line.label) == line.label:
            for name in line.result.image_ids:
                found = [images_of(store, line.result.case.id, name) for store in where]
                files[line.label, name] = next((paths for paths in found if paths), {})
    kept = [name for name in group.image_ids if any(files.get((line.label, name)) for line in group.lines)]

    by = [column.metric for column in group.columns if column.better is not None]
    rankings = [ranking(group, metric) for metric in by]
    names = chosen(kept, rankings[0] if rankings else [])
    orders = [{name: place for place, name in enumerate(names)}]
    for ranked in rankings:
        place = {name: number for number, name in enumerate(ranked)}
        ordered = sorted(names, key=lambda name, place=place: place.get(name, len(place)))  # type: ignore[misc]
        orders.append({name: number for number, name in enumerate(ordered)})
    cache: dict[Path, str | None] = {}
    strips = tuple(_strip(group, name, files, tuple(order[name] for order in orders), cache) for name in names)
    total = len(group.image_ids)
    note = f"All {plural(total, 'image')}." if len(names) == total else f"{len(names)} of {plural(total, 'image')}"
    if len(names) < len(kept):
        note += f": the first {FIRST} and the {len(names) - FIRST} worst of the rest by {by[0] if by else 'order'}"
        note += f"; {plural(total - len(names), 'image')} not shown."
    elif len(names) < total:
        note += f"; no images of the other {total - len(names):,} were kept."
    orders_shown = ("as listed", *(f"worst {metric}" for metric in by))
    return Strips(strips=strips, orders=orders_shown, note=note, example=_example(strips))


def strip_of(group: Group, name: str, store: Path) -> Strip:
    """The images of one face of a table, whichever its run kept below this store."""
    files = {(line.label, name): images_of(store, line.result.case.id, name) for line in group.lines}
    return _strip(group, name, files, (), {})


def _example(strips: Sequence[Strip]) -> str:
    """A condition for the page's filter that some of these strips fulfil: on a drawn parameter, else on a score."""
    values: dict[str, list[str]] = {}
    for strip in strips:
        scored = [(metric, text) for one in strip.images for metric, text, exact in one.scores if exact is not None]
        for name, text in (*strip.parameters, *scored[:1]):
            if re.fullmatch(r"\d+(\.\d+)?", text) and not re.search(r"\s", name):
                values.setdefault(name, []).append(text)
    varied = {name: sorted(texts, key=float) for name, texts in values.items() if len(set(texts)) > 1}
    drawn = [name for strip in strips[:1] for name, _ in strip.parameters if name in varied]
    for name in (*reversed(drawn), *varied):
        return f"{name}>={varied[name][len(varied[name]) // 2]}"
    return strips[0].id if strips else "id"


def _strip(
    group: Group,
    name: str,
    files: Mapping[tuple[str, str], Mapping[Kind, Path]],
    places: tuple[int, ...],
    cache: dict[Path, str | None],
) -> Strip:
    rows = {line.label: {row.id: row for row in line.result.rows}.get(name) for line in group.lines}

    def uri(path: Path | None) -> str | None:
        if path is not None and path not in cache:
            cache[path] = data_uri(path)
        return cache[path] if path is not None else None

    def common(kind: Kind) -> str | None:
        """The degraded image and the truth are the same for every row of a table: the first that was kept."""
        paths = (files.get((line.label, name), {}).get(kind) for line in group.lines)
        return uri(next((path for path in paths if path is not None), None))

    def image(line: Line | None, kind: Kind, label: str, shown_uri: str | None) -> Image:
        row = rows[line.label] if line is not None else None
        scores: list[tuple[str, str, float | None]] = []
        if row is not None and row.failure is None:
            values = [(column, row.scores.get(column.metric)) for column in group.columns]
            scores = [(column.metric, shown(value, column.decimals), value) for column, value in values]
        failure = row.failure if row is not None else None
        return Image(label, kind, line.label if line is not None else "", shown_uri, tuple(scores), failure)

    by_role = {line.role: line for line in reversed(group.lines)}
    given = "degraded" if group.case.has_truth else "input"
    images = [image(by_role.get("input"), "degraded", given, common("degraded"))]
    images += [
        image(line, "restored", line.label, uri(files.get((line.label, name), {}).get("restored")))
        for line in group.restorers
        if rows[line.label] is not None
    ]
    if group.case.has_truth:
        images.append(image(by_role.get("truth"), "truth", "ground truth", common("truth")))
    row = next(row for line in sorted(group.lines, key=lambda line: line.role == "truth") if (row := rows[line.label]))
    return Strip(
        id=name,
        size_px=row.size_px,
        images=tuple(images),
        parameters=tuple((printable(key), brief(value)) for key, value in sorted(row.parameters.items())),
        attributes=tuple((printable(key), brief(value)) for key, value in sorted(row.attributes.items())),
        places=places,
    )


def brief(value: Json) -> str:
    """A drawn value for a caption: four digits are enough to recognise it; results.json has all of them."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return printable(", ".join(map(brief, value)), 80)
    if isinstance(value, Mapping):
        return printable(", ".join(f"{key} {brief(item)}" for key, item in sorted(value.items())), 80)
    if re.fullmatch("[0-9a-f]{32,64}", str(value)):
        return f"{str(value)[:12]}…"
    return printable(value, 80)
