"""Lists of five landmarks per face: the CSV that a challenge publishes beside its images."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Protocol, TypeAlias, runtime_checkable

from gfpbench.decode.files import printable
from gfpbench.types import BadInput, Json

Five: TypeAlias = tuple[tuple[float, float], ...]
"""(x, y) of left eye, right eye, nose, left and right corner of the mouth; left and right are the viewer's."""

SIDE_PX = 512
"""Side of the images that the points of a list are measured in."""
POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
COLUMNS = ("filename", "dataset", *(f"{point}_{axis}" for point in POINTS for axis in "xy"))
"""What the head of a list has, in any order, beside the box (x1, y1, x2, y2), which nothing here needs."""
EYES_PX = (160, 360)
"""Between these the eyes of aligned faces of 512 px lie in the median: 240 px in FFHQ's crops, 262 in CelebA's."""
_SLACK = 0.25  # a face that is cut off by the border has points a little outside
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class PointList:
    """Five points of many images.

    Args:
        file: its name.
        sha256: of its bytes.
        rows: an image's name without its suffix -> the set it belongs to -> its points in pixels of 512.
    """

    file: str
    sha256: str
    rows: Mapping[str, Mapping[str, Five]]

    def of(self, face_id: str) -> tuple[str, Five]:
        """Set and points of an image, which may lie in a folder of its set.

        Raises:
            BadInput: where the list has no row for it, where it has several and no folder tells which, and where its
                folder is another set of the list.
        """
        path = PurePosixPath(face_id)
        found, folder = self.rows.get(path.name, {}), path.parent.name
        if not found:
            raise BadInput(f"{self.file} has no row for {face_id}")
        if folder in found:
            return folder, found[folder]
        sets = " and ".join(found)
        if len(found) > 1:
            raise BadInput(f"{self.file} has {path.name} in {sets}: the image's folder must be one of them")
        if any(folder in each for each in self.rows.values()):
            raise BadInput(f"{self.file} has {path.name} in {sets}, where the image lies in {folder}")
        return next(iter(found.items()))

    def missing(self, face_ids: Iterable[str]) -> str:
        """Which images have no row, in one line; empty where all have one."""
        lost = [face_id for face_id in face_ids if PurePosixPath(face_id).name not in self.rows]
        names = ", ".join(lost[:_SHOWN]) + (", ..." if len(lost) > _SHOWN else "")
        return f"{self.file} has no row for {len(lost)} images ({names})" if lost else ""

    def record(self) -> dict[str, Json]:
        """What a Result keeps of it."""
        return {"file": self.file, "rows": sum(map(len, self.rows.values())), "sha256": self.sha256}


@runtime_checkable
class HoldsPoints(Protocol):
    """A face set that may have a list of five points of its faces."""

    def point_list(self) -> PointList | None:
        """The list; None where it has none."""
        ...


def find_point_list(folder: Path) -> PointList | None:
    """The one list that lies in a folder; None where no CSV there has the columns of one.

    Raises:
        BadInput: where there are several, and for one that cannot be used.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    except OSError as error:
        raise BadInput(f"{printable(str(folder))}: cannot be listed: {error.strerror or error}") from error
    found = [path for path in files if _is_list(_head(path))]
    if len(found) > 1:
        names = ", ".join(printable(path.name) for path in found)
        raise BadInput(f"{printable(str(folder))}: holds {len(found)} lists of five points ({names}): leave one")
    return read_point_list(found[0]) if found else None


def read_point_list(path: Path) -> PointList:
    """A list of five points from a CSV file.

    Raises:
        BadInput: naming the file, the line and what is wrong: columns that are missing, values that are no numbers,
            a name that is there twice, points that lie outside of an image of 512 px.
    """
    where = printable(str(path))
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{where}: cannot be read as text: {error}") from error
    reader = csv.DictReader(io.StringIO(text))
    try:
        lacking = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if lacking:
            raise BadInput(f"{where}: is no list of five points: it lacks the columns {', '.join(lacking[:_SHOWN])}")
        rows: dict[str, dict[str, Five]] = {}
        for line in reader:
            name, dataset, five = _row(where, reader.line_num, line)
            if dataset in rows.setdefault(name, {}):
                raise BadInput(f"{where}: line {reader.line_num}: {name} of {dataset} is there twice")
            rows[name][dataset] = five
    except csv.Error as error:
        raise BadInput(f"{where}: line {reader.line_num}: {error}") from error
    if not rows:
        raise BadInput(f"{where}: has no rows")
    eyes = median((five[0][1] + five[1][1]) / 2 for each in rows.values() for five in each.values())
    if not EYES_PX[0] < eyes < EYES_PX[1]:
        raise BadInput(
            f"{where}: the eyes of its faces lie {eyes:.0f} px below the top, and not about 240 px as in aligned faces "
            f"of {SIDE_PX} px: is it a list of another size?"
        )
    return PointList(printable(path.name), hashlib.sha256(data).hexdigest(), rows)


def _row(where: str, number: int, line: Mapping[str, str | None]) -> tuple[str, str, Five]:
    name, dataset = line["filename"], line["dataset"]
    values = []
    for column in COLUMNS[2:]:
        try:
            values.append(float(line[column] or ""))
        except ValueError:
            raise BadInput(f"{where}: line {number}: {column} is no number: {line[column]!r}") from None
    if not name or not dataset:
        raise BadInput(f"{where}: line {number}: lacks its {'dataset' if name else 'filename'}")
    low, high = -_SLACK * SIDE_PX, (1 + _SLACK) * SIDE_PX
    if not all(math.isfinite(value) and low <= value <= high for value in values):
        raise BadInput(
            f"{where}: line {number}: {name} has points outside of an image of {SIDE_PX} px: of another size?"
        )
    return (
        PurePosixPath(name).stem if name.lower().endswith(".png") else name,
        dataset,
        tuple((values[place], values[place + 1]) for place in range(0, 10, 2)),
    )


def _is_list(head: list[str]) -> bool:
    """As published, the columns lead with the image and its set; in another order all of them have to be there."""
    return head[:2] == ["filename", "dataset"] or set(COLUMNS) <= set(head)


def _head(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return next(csv.reader([file.readline(4096).strip()]), [])
    except OSError:
        return []
