"""Results and their rows as JSON values, and back: every field is checked by name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cache
from typing import Any

from gfpbench import codec
from gfpbench.types import BadInput, Better, Json, Result, Row, any_scored

LATER: Mapping[type, Collection[str]] = {
    Result: ("envelope", "label", "protocols", "set_scores"),
    Row: ("fingerprint", "read"),
}
"""Fields that are written only where there is something in them."""
_encoder = json.JSONEncoder(sort_keys=True, allow_nan=False)  # json.dumps would make one for each value
_NUMBERS = ("best", "tolerance")  # the fields of a metric's record that may be infinite


@dataclass(frozen=True, slots=True)
class _Metric:
    """The fields of a metric's record that readers of a Result rely on; it may hold more."""

    unit: str
    better: Better
    best: float | None
    tolerance: float
    identity: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class _SetScore:
    """The same of a number of a whole set."""

    value: float
    n: int
    n_reference: int
    better: Better
    tolerance: float
    unit: str = ""
    best: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    extrapolated: float | None = None
    note: str = ""
    identity: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """The fingerprint of one image (``run.fingerprints``)."""

    sha256: str
    mean_levels: tuple[float, float, float]
    std_levels: tuple[float, float, float]
    lowest_levels: tuple[float, float, float]
    highest_levels: tuple[float, float, float]
    sharpness_levels: float
    noise_levels: float
    thumbnail_rgb: str


_LOOK = {one.name for one in fields(_Look)}
_TRIPLES = ("mean_levels", "std_levels", "lowest_levels", "highest_levels")
_NUMBER = {int, float}
_THUMBNAIL = re.compile("[0-9a-f]{384}")


@dataclass(frozen=True, slots=True)
class _Extent:
    """One envelope of a baseline (``baselines.envelope``)."""

    scores: Mapping[str, float] | None = None
    degraded: Mapping[str, float] | None = None
    restored: Mapping[str, float] | None = None
    bytes_moved: float | None = None
    exact: bool = False
    how: str = ""


@dataclass(frozen=True, slots=True)
class _Faces:
    """The same of where the faces came from (``FaceSet.source``)."""

    draws: int | None = None


def to_json(result: Result) -> dict[str, Json]:
    """A Result as plain JSON values; infinity becomes the text "inf".

    Raises:
        BadInput: for NaN, for a number beside a failure, and for anything that JSON cannot hold; names the field.
    """
    data = {
        "case": asdict(result.case),
        "rows": [_row_data(row) for row in result.rows],
        "metrics": {name: metric_to_json(name, record) for name, record in result.metrics.items()},
        "restorer": _plain(result.restorer, "restorer"),
        "degradation": _plain(result.degradation, "degradation"),
        "faces": _plain(result.faces, "faces"),
        "environment": _plain(result.environment, "environment"),
        "problems": [asdict(problem) for problem in result.problems],
        "not_measured": _plain(result.not_measured, "not_measured"),
    }
    if result.envelope:
        data["envelope"] = _plain(result.envelope, "envelope")
    if result.set_scores:
        data["set_scores"] = {name: metric_to_json(name, record) for name, record in result.set_scores.items()}
    if result.protocols:
        data["protocols"] = {name: _plain(figures, f"protocols.{name}") for name, figures in result.protocols.items()}
    if result.label:
        data["label"] = result.label
    if not result.case.has_truth:
        data["truth"] = False
    from_json(data)  # what is written can be read again
    return data


def from_json(data: Json, where: str = "") -> Result:
    """The Result that ``to_json`` wrote. Raises BadInput naming the field for anything else."""
    result = codec.decode(Result, data, where, infinite=True, optional=LATER, ignored=("truth",))
    at = f"{where}." if where else ""
    for name in ("size_px", "limit", "draws"):
        count = getattr(result.case, name)
        if count is not None and count < 1:
            raise BadInput(f"{at}case.{name}: expected 1 or more, not {count}")
    _check_truth(result, data.get("truth", True), at)
    if len(set(result.image_ids)) != len(result.rows):
        raise BadInput(f"{at}rows: an image is listed twice")
    for number, row in enumerate(result.rows):
        check_row(row, f"{at}rows[{number}]")
    _checked(_Faces, result.faces, f"{at}faces")
    for name, look in result.envelope.items():
        if name in ("repeat", "elsewhere"):
            _checked(_Extent, look, f"{at}envelope.{name}")
    return replace(
        result,
        metrics=_records(_Metric, result.metrics, f"{at}metrics"),
        set_scores=_records(_SetScore, result.set_scores, f"{at}set_scores"),
    )


def _check_truth(result: Result, said: Json, at: str) -> None:
    """Whether there is a ground truth is said twice, so that no reader overlooks it: ``truth`` is false where there is
    none, and then nothing holds a number that needs one. A reader that does not know the field refuses the file."""
    if said is not result.case.has_truth:
        raise BadInput(f"{at}truth: is {codec.shown(said)}, and the degradation is {result.case.degradation!r}")
    if result.case.has_truth:
        return
    if result.case.restorer == "truth":
        raise BadInput(f"{at}case.restorer: is 'truth', and there is none")
    needing = [
        f"metrics.{codec.name_in_path(name)}" for name, one in result.metrics.items() if one.get("needs_truth", 1)
    ]
    needing += [f"set_scores.{codec.name_in_path(name)}" for name in result.set_scores if name.endswith("_vs_truth")]
    if needing:
        raise BadInput(f"{at}{needing[0]}: needs a truth, and there is none")


def _records(
    kind: type[_Metric | _SetScore], records: Mapping[str, Mapping[str, Json]], where: str
) -> dict[str, dict[str, Json]]:
    """The records of metrics, each with the fields that are relied on, its infinite numbers made numbers."""
    read = {}
    for name, record in records.items():
        if kind is _SetScore and "value" in record and record["value"] is None:
            at = f"{where}.{codec.name_in_path(name)}.value"
            raise BadInput(f"{at}: is missing; what was not measured belongs to not_measured")
        known = _checked(kind, record, f"{where}.{codec.name_in_path(name)}")
        if known.tolerance < 0 or not math.isfinite(known.tolerance):
            raise BadInput(f"{where}.{codec.name_in_path(name)}.tolerance: expected 0 or more, not {known.tolerance}")
        if isinstance(known, _SetScore) and not math.isfinite(known.value):
            raise BadInput(f"{where}.{codec.name_in_path(name)}.value: must be finite")
        read[name] = {**record, **{field: getattr(known, field) for field in _NUMBERS if field in record}}
    return read


def _checked(kind: type[Any], record: Json, where: str) -> Any:
    """The fields of an open record that are known, read strictly; others may be there."""
    names, may_be_missing = _known(kind)  # type: ignore[arg-type]  # a type is hashable
    there = {name: item for name, item in record.items() if name in names} if isinstance(record, dict) else record
    return codec.decode(kind, there, where, infinite=True, optional={kind: may_be_missing})


@cache
def _known(kind: type[Any]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The names of a dataclass's fields, and of those that have a default."""
    listed = fields(kind)
    return frozenset(one.name for one in listed), tuple(one.name for one in listed if one.default is not MISSING)


def check_row(row: Row, where: str) -> None:
    """What its annotations do not say of a row. Raises BadInput naming the field."""
    if row.failure is not None and any_scored([row]):
        raise BadInput(f"{where}.scores: a failed image carries a number")
    for kind in ("degraded", "restored"):
        look = row.fingerprint.get(kind)
        if look is None or _is_whole(look):
            continue
        known = _checked(_Look, look, f"{where}.fingerprint.{kind}")
        if not _THUMBNAIL.fullmatch(known.thumbnail_rgb):
            raise BadInput(f"{where}.fingerprint.{kind}.thumbnail_rgb: expected 384 hexadecimal digits")


def _is_whole(look: Json) -> bool:
    """Whether a fingerprint is what a run writes, told at a glance; where not, the long way finds what is wrong."""
    if type(look) is not dict or look.keys() != _LOOK or type(look["sha256"]) is not str:
        return False
    levels = [look["sharpness_levels"], look["noise_levels"]]
    for name in _TRIPLES:
        triple = look[name]
        if type(triple) is not list or len(triple) != 3:
            return False
        levels += triple
    kinds = set(map(type, levels))
    if not kinds <= _NUMBER or not all(map(math.isfinite, levels)) or max(map(abs, levels)) > 1e6:
        return False
    thumbnail = look["thumbnail_rgb"]
    return type(thumbnail) is str and _THUMBNAIL.fullmatch(thumbnail) is not None


def row_to_json(row: Row) -> dict[str, Json]:
    """One image of a Result as plain JSON values. Raises BadInput as ``to_json`` does."""
    data = _row_data(row)
    row_from_json(data, row.id)  # what is written can be read again
    return data


def _row_data(row: Row, plain: Callable[[Any, str], Json] | None = None) -> dict[str, Json]:
    """The fields of a row, each made plain by ``plain``; ``_plain`` where None."""
    plain = plain or _plain
    data = {
        "id": row.id,
        "face_sha256": row.face_sha256,
        "size_px": list(row.size_px),
        "attributes": plain(row.attributes, f"{row.id}: attributes"),
        "parameters": plain(row.parameters, f"{row.id}: parameters"),
        "scores": {name: _number_to_json(score, f"{row.id}: {name}") for name, score in row.scores.items()},
        "failure": row.failure,
    }
    if row.fingerprint:
        data["fingerprint"] = plain(row.fingerprint, f"{row.id}: fingerprint")
    if row.read:
        data["read"] = plain(row.read, f"{row.id}: read")
    return data


def checked_row_to_json(row: Row) -> dict[str, Json]:
    """The same of a row that ``row_from_json`` gave: what is plain already is not made so again."""
    return _row_data(row, _as_it_is)


def row_from_json(data: Json, where: str = "row") -> Row:
    """One image of a Result. Raises BadInput naming the field."""
    row = codec.decode(Row, data, where, infinite=True, optional=LATER)
    check_row(row, where)
    return row


def metric_to_json(name: str, record: Mapping[str, Json]) -> dict[str, Json]:
    """What a Result keeps about a metric, as plain JSON values: a best value of infinity becomes text."""
    numbers = {key: _number_to_json(record[key], f"metrics.{name}.{key}") for key in _NUMBERS if key in record}
    rest = {key: value for key, value in record.items() if key not in _NUMBERS}
    return {**_plain(rest, f"metrics.{name}"), **numbers}


def dumps(value: Json) -> str:
    """One line of JSON with sorted keys and no NaN: equal values give equal bytes."""
    return _encoder.encode(value)


def _plain(value: Any, where: str) -> Json:
    """A deep copy made of dict, list, str, int, float, bool and None only."""
    try:
        text = json.dumps(value if not isinstance(value, Mapping) else dict(value), allow_nan=False)
        copy = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"{where}: JSON cannot hold this: {error}") from error
    if isinstance(value, Mapping) and not all(isinstance(key, str) for key in value):
        raise BadInput(f"{where}: the names of fields must be text")
    return copy


def _as_it_is(value: Mapping[str, Json], where: str) -> Json:
    """The same of what was read from JSON."""
    return dict(value)


def _number_to_json(value: object, where: str) -> Json:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{where}: expected a number, not {value!r}")
    if math.isnan(value):
        raise BadInput(f"{where}: is NaN, which is never a score")
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(value)
