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

from gfpbench.images import to_bgr
from gfpbench.lazy import LazyModule
from gfpbench.report.formatting import brief, plural, printable, shown
from gfpbench.report.model import Group, Line
from gfpbench.report.selection import FULL, Drawn, fitting, of_many
from gfpbench.report.summary import measured
from gfpbench.run.recorder import image_file, image_path
from gfpbench.types import Row, UnreadableFace

if TYPE_CHECKING:
    import cv2
else:
    cv2 = LazyModule("cv2")

Kind: TypeAlias = Literal["degraded", "restored", "truth"]
KINDS: tuple[Kind, ...] = ("degraded", "restored", "truth")

Stores: TypeAlias = Path | Sequence[Path] | Mapping[str, Path]
"""Where runs kept images: a folder, several, or one for each label of a Result."""

FIRST, WORST = 24, 8


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
    """One face: its images side by side. ``places`` holds its place in each order of ``Strips.orders``.

    ``why`` says what it stands for among the many of a large table: worst, median, best, sample; else it is empty.
    """

    id: str
    size_px: tuple[int, int]
    images: tuple[Image, ...]
    parameters: tuple[tuple[str, str], ...]
    attributes: tuple[tuple[str, str], ...]
    places: tuple[int, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Strips:
    """The faces shown of one table, the orders to choose from, a sentence on what is not shown, a filter to try."""

    strips: tuple[Strip, ...]
    orders: tuple[str, ...]
    note: str
    example: str = "id"


def any_of(stores: Stores) -> tuple[Path, ...]:
    """All the folders, each once."""
    found = [stores] if isinstance(stores, Path) else stores.values() if isinstance(stores, Mapping) else stores
    return tuple(dict.fromkeys(found))


def images_of(store: Path, case_id: str, row_id: str) -> dict[Kind, Path]:
    """The images that a run kept of one face: ``degraded``, ``restored``, ``truth``, those that are there."""
    paths: dict[Kind, Path] = {kind: image_path(store / case_id, row_id, kind) for kind in KINDS}
    return {kind: path for kind, path in paths.items() if path.is_file()}


def kept_files(folder: Path, names: Sequence[str]) -> dict[str, dict[Kind, Path]]:
    """``images_of`` for many images of one case, by one look into its folder."""
    try:
        there = {one.name for one in (folder / "images").iterdir()}
    except OSError:
        return {}
    found = {}
    for name in names if there else ():
        files = {kind: image_file(name, kind) for kind in KINDS}
        paths: dict[Kind, Path] = {kind: folder / "images" / file for kind, file in files.items() if file in there}
        if paths := {kind: path for kind, path in paths.items() if path.is_file()}:
            found[name] = paths
    return found


def data_uri(path: Path, drawn: Drawn = FULL) -> str | None:
    """An image as text: the file itself up to ``drawn.exact_side_px``, else WebP of at most ``side_px``. None if
    unreadable."""
    from gfpbench.decode import KEPT_LIMITS, decode  # loads Pillow, and most reports show no images

    try:
        encoded = path.read_bytes()
        decoded = decode(encoded, str(path), KEPT_LIMITS)
    except (OSError, UnreadableFace):
        return None
    pixels = to_bgr(decoded.rgb)
    side = max(pixels.shape[:2])
    kind = "png"
    if side > drawn.exact_side_px or decoded.format != "PNG":
        if side > drawn.side_px:
            scale = drawn.side_px / side
            pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        _, buffer = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, drawn.quality])
        encoded, kind = buffer.tobytes(), "webp"
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode('ascii')}"


def files_of(group: Group, stores: Stores) -> dict[tuple[str, str], dict[Kind, Path]]:
    """What was kept: label of a line and name of an image -> its files; nothing where there are none."""
    files: dict[tuple[str, str], dict[Kind, Path]] = {}
    owners: dict[tuple[str, tuple[Path, ...]], str] = {}  # of one case and folder there are images of one line only
    for line in group.lines:
        own = stores.get(line.result.label) if isinstance(stores, Mapping) else None
        where = any_of(stores) if own is None else (own,)
        if owners.setdefault((line.result.case.id, where), line.label) == line.label:
            for store in where:
                found = kept_files(store / line.result.case.id, line.result.image_ids)
                files |= {(line.label, name): paths for name, paths in found.items() if (line.label, name) not in files}
    return files


class Uris:
    """The kept images as text, each read once."""

    def __init__(self, files: Mapping[tuple[str, str], Mapping[Kind, Path]], drawn: Drawn = FULL) -> None:
        self.files = files
        self.drawn = drawn
        self._made: dict[Path, str | None] = {}

    def of(self, path: Path | None) -> str | None:
        if path is not None and path not in self._made:
            self._made[path] = data_uri(path, self.drawn)
        return self._made[path] if path is not None else None

    def restored(self, line: Line, name: str) -> str | None:
        return self.of(self.files.get((line.label, name), {}).get("restored"))

    def common(self, group: Group, kind: Kind, name: str) -> str | None:
        """The degraded image and the truth are the same for every row of a table: the first that was kept."""
        paths = (self.files.get((line.label, name), {}).get(kind) for line in group.lines)
        return self.of(next((path for path in paths if path is not None), None))

    def size(self, group: Group, names: Sequence[str]) -> int:
        """How many characters the images of these take in a page."""
        found = [self.common(group, kind, name) for kind in ("degraded", "truth") for name in names]
        found += [self.restored(line, name) for line in group.restorers for name in names]
        return sum(len(uri or "") for uri in found)


def badness_of(group: Group, metric: str) -> dict[str, float]:
    """How bad each image is by one metric: the worst answer of any restorer decides, a failure being the worst."""
    column = next(column for column in group.columns if column.metric == metric)
    badness: dict[str, float] = {}
    for line in group.restorers or group.lines:
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
    return badness


def ranking(group: Group, metric: str) -> list[str]:
    """Faces from worst to best by one metric."""
    badness = badness_of(group, metric)
    names = [name for name in group.image_ids if name in badness]
    return sorted(names, key=lambda name: -badness[name])  # stable: ties stay as listed


def chosen(kept: Sequence[str], worst: Sequence[str]) -> list[str]:
    """The first 24 faces and the 8 worst of the others, as listed."""
    first = list(kept[:FIRST])
    others = set(kept[FIRST:])
    extra = set([name for name in worst if name in others][:WORST])
    return first + [name for name in kept[FIRST:] if name in extra]


def strips_of(group: Group, stores: Stores, room: int | None = None) -> Strips:
    """The images of one table, read from the stores of its runs; bounded in number whatever was kept.

    Args:
        room: of a large table, how many characters its images may take: it shows a selection of a few kinds.
    """
    files = files_of(group, stores)
    ids = group.image_ids
    kept = [name for name in ids if any((line.label, name) in files for line in group.lines)]
    by = [column.metric for column in group.columns if column.better is not None]
    rankings = [ranking(group, metric) for metric in by]
    uris, tried = Uris(files), dict[Drawn, Uris]()
    if room is None:
        names = dict.fromkeys(chosen(kept, rankings[0] if rankings else []), "")
    else:
        picked = of_many(kept, badness_of(group, by[0]) if by else {}, group.case.seed)
        names, drawn = fitting(
            picked, lambda some, drawn: tried.setdefault(drawn, Uris(files, drawn)).size(group, some), room
        )
        uris = tried[drawn]
    orders = [{name: place for place, name in enumerate(names)}]
    for ranked in rankings:
        place = {name: number for number, name in enumerate(ranked)}
        ordered = sorted(names, key=lambda name, place=place: place.get(name, len(place)))  # type: ignore[misc]
        orders.append({name: number for number, name in enumerate(ordered)})
    shown_ones = set(names)
    rows = {line.label: {row.id: row for row in line.result.rows if row.id in shown_ones} for line in group.lines}
    strips = tuple(
        _strip(group, name, rows, uris, tuple(one[name] for one in orders), why) for name, why in names.items()
    )
    first = "as listed" if room is None else "by kind"
    note = _note(len(ids), names, len(kept), by, many=room is not None)
    return Strips(strips, (first, *(f"worst {metric}" for metric in by)), note, _example(strips))


def _note(total: int, names: Mapping[str, str], kept: int, by: Sequence[str], *, many: bool) -> str:
    """What is shown and what is not."""
    if len(names) == total:
        return f"All {plural(total, 'image')}."
    note = f"{len(names)} of {plural(total, 'image')}"
    if many and names:
        said = ("the {} worst", "{} nearest the median", "the {} best", "a sample of {}")
        numbers = [list(names.values()).count(why) for why in ("worst", "median", "best", "sample")]
        counts = [text.format(number) for text, number in zip(said, numbers, strict=True) if number]
        return f"{note}, of {kept:,} whose images were kept: {', '.join(counts)}; by {by[0] if by else 'order'}."
    if len(names) < kept:
        note += f": the first {FIRST} and the {len(names) - FIRST} worst of the rest by {by[0] if by else 'order'}"
        return f"{note}; {plural(total - len(names), 'image')} not shown."
    return f"{note}; no images of the other {total - len(names):,} were kept."


def strip_of(group: Group, name: str, store: Path) -> Strip:
    """The images of one face of a table, whichever its run kept below this store."""
    files = {(line.label, name): images_of(store, line.result.case.id, name) for line in group.lines}
    rows = {line.label: {row.id: row for row in line.result.rows if row.id == name} for line in group.lines}
    return _strip(group, name, rows, Uris(files), (), "")


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
    all_rows: Mapping[str, Mapping[str, Row]],
    uris: Uris,
    places: tuple[int, ...],
    why: str,
) -> Strip:
    rows = {line.label: all_rows[line.label].get(name) for line in group.lines}

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
    images = [image(by_role.get("input"), "degraded", given, uris.common(group, "degraded", name))]
    images += [
        image(line, "restored", line.label, uris.restored(line, name))
        for line in group.restorers
        if rows[line.label] is not None
    ]
    if group.case.has_truth:
        images.append(image(by_role.get("truth"), "truth", "ground truth", uris.common(group, "truth", name)))
    row = next(row for line in sorted(group.lines, key=lambda line: line.role == "truth") if (row := rows[line.label]))
    return Strip(
        id=name,
        size_px=row.size_px,
        images=tuple(images),
        parameters=tuple((printable(key), brief(value)) for key, value in sorted(row.parameters.items())),
        attributes=tuple((printable(key), brief(value)) for key, value in sorted(row.attributes.items())),
        places=places,
        why=why,
    )
