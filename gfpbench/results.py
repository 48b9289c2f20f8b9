"""Results on disk: one JSON file, written whole or not at all, one image a line so that a diff can be read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from gfpbench.disk import replacing
from gfpbench.types import BadInput, Case, Json, Problem, Result, Row

SCHEMA = 1
"""Raised whenever an older reader would misunderstand the file."""

_T = TypeVar("_T")
_RESULT = ("case", "degradation", "environment", "faces", "metrics", "not_measured", "problems", "restorer", "rows")
_CASE = ("degradation", "draws", "faces", "limit", "restorer", "seed", "size_px")
_ROW = ("attributes", "face_sha256", "failure", "id", "parameters", "scores", "size_px")
_OPTIONAL = ("envelope", "label", "protocols", "set_scores")
_PROBLEM = ("reason", "stage", "subject")
_NUMBERS = ("best", "tolerance")  # the fields of a metric's record that may be infinite


def to_json(result: Result) -> dict[str, Json]:
    """A Result as plain JSON values; infinity becomes the text "inf".

    Raises:
        BadInput: for NaN, for a number beside a failure, and for anything that JSON cannot hold; names the field.
    """
    data = {
        "case": asdict(result.case),
        "rows": [row_to_json(row) for row in result.rows],
        "metrics": {name: metric_to_json(name, record) for name, record in result.metrics.items()},
        "restorer": _plain(result.restorer, "restorer"),
        "degradation": _plain(result.degradation, "degradation"),
        "faces": _plain(result.faces, "faces"),
        "environment": _plain(result.environment, "environment"),
        "problems": [problem_to_json(problem) for problem in result.problems],
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
    from_json(data)  # what is written can be read again
    return data


def from_json(data: Json) -> Result:
    """The Result that ``to_json`` wrote. Raises BadInput naming the field for anything else."""
    fields = _fields(data, _RESULT, "result", also=_OPTIONAL)
    rows = tuple(row_from_json(row, f"rows[{number}]") for number, row in enumerate(_list(fields["rows"], "rows")))
    if len({row.id for row in rows}) != len(rows):
        raise BadInput("rows: an image is listed twice")
    problems = _list(fields["problems"], "problems")
    return Result(
        case=_case(fields["case"]),
        rows=rows,
        metrics={
            _text(name, "metrics"): _metric_from_json(name, record)
            for name, record in _mapping(fields["metrics"], "metrics").items()
        },
        restorer=_mapping(fields["restorer"], "restorer"),
        degradation=_mapping(fields["degradation"], "degradation"),
        faces=_mapping(fields["faces"], "faces"),
        environment=_mapping(fields["environment"], "environment"),
        problems=tuple(problem_from_json(item, f"problems[{number}]") for number, item in enumerate(problems)),
        not_measured={
            name: _text(reason, f"not_measured.{name}")
            for name, reason in _mapping(fields["not_measured"], "not_measured").items()
        },
        envelope=_mapping(fields.get("envelope", {}), "envelope"),
        set_scores={
            name: _set_score_from_json(name, record)
            for name, record in _mapping(fields.get("set_scores", {}), "set_scores").items()
        },
        protocols={
            name: {
                figure: _text(metric, f"protocols.{name}.{figure}")
                for figure, metric in _mapping(figures, f"protocols.{name}").items()
            }
            for name, figures in _mapping(fields.get("protocols", {}), "protocols").items()
        },
        label=_text(fields.get("label", ""), "label"),
    )


def row_to_json(row: Row) -> dict[str, Json]:
    """One image of a Result as plain JSON values. Raises BadInput as ``to_json`` does."""
    data = {
        "id": row.id,
        "face_sha256": row.face_sha256,
        "size_px": list(row.size_px),
        "attributes": _plain(row.attributes, f"{row.id}: attributes"),
        "parameters": _plain(row.parameters, f"{row.id}: parameters"),
        "scores": {name: _number_to_json(score, f"{row.id}: {name}") for name, score in row.scores.items()},
        "failure": row.failure,
    }
    if row.fingerprint:
        data["fingerprint"] = _plain(row.fingerprint, f"{row.id}: fingerprint")
    if row.read:
        data["read"] = _plain(row.read, f"{row.id}: read")
    row_from_json(data, row.id)
    return data


def row_from_json(data: Json, where: str = "row") -> Row:
    """One image of a Result. Raises BadInput naming the field."""
    fields = _fields(data, _ROW, where, also=("fingerprint", "read"))
    scores = {
        name: _number(score, f"{where}.scores.{name}")
        for name, score in _mapping(fields["scores"], f"{where}.scores").items()
    }
    failure = _optional(_text, fields["failure"], f"{where}.failure")
    if failure is not None and any(score is not None for score in scores.values()):
        raise BadInput(f"{where}.scores: a failed image carries a number")
    size = _list(fields["size_px"], f"{where}.size_px")
    if len(size) != 2:
        raise BadInput(f"{where}.size_px: expected height and width, not {size!r}")
    return Row(
        id=_text(fields["id"], f"{where}.id"),
        face_sha256=_text(fields["face_sha256"], f"{where}.face_sha256"),
        size_px=(_whole(size[0], f"{where}.size_px"), _whole(size[1], f"{where}.size_px")),
        attributes=_mapping(fields["attributes"], f"{where}.attributes"),
        parameters=_mapping(fields["parameters"], f"{where}.parameters"),
        scores=scores,
        failure=failure,
        fingerprint=_mapping(fields.get("fingerprint", {}), f"{where}.fingerprint"),
        read={
            name: _mapping(record, f"{where}.read.{name}")
            for name, record in _mapping(fields.get("read", {}), f"{where}.read").items()
        },
    )


def problem_to_json(problem: Problem) -> dict[str, Json]:
    """A Problem as plain JSON values."""
    return asdict(problem)


def problem_from_json(data: Json, where: str = "problem") -> Problem:
    """A Problem. Raises BadInput naming the field."""
    fields = _fields(data, _PROBLEM, where)
    return Problem(**{name: _text(fields[name], f"{where}.{name}") for name in _PROBLEM})


def write(results: Sequence[Result], path: Path) -> None:
    """Write Results to one file: to a temporary name first, then renamed, so that a reader never sees half of it.

    Raises:
        BadInput: where a Result holds what JSON cannot (nothing is written).
        DiskRefused: where the disk refuses.
    """
    with replacing(path) as file:
        file.writelines(line.encode() for line in _lines(results))


def text(results: Sequence[Result]) -> str:
    """What ``write`` puts into a file. Raises BadInput as ``to_json`` does."""
    return "".join(_lines(results))


def read(path: Path) -> tuple[Result, ...]:
    """The Results of one file, in the order written.

    Raises:
        BadInput: naming the file and the field, for a file that is missing, broken or of another schema.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:  # broken UTF-8 is a ValueError too
        raise BadInput(f"{path}: is not the JSON that gfpbench writes: {error}") from error
    try:
        if not isinstance(data, dict) or data.get("schema") != SCHEMA or isinstance(data.get("schema"), bool):
            found = data.get("schema") if isinstance(data, dict) else None
            raise BadInput(
                f"schema: this gfpbench reads schema {SCHEMA}, not {found!r}; measure again or update gfpbench"
            )
        listed = _list(_fields(data, ("results", "schema"), "file")["results"], "results")
        return tuple(_within(f"results[{number}]", item) for number, item in enumerate(listed))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _within(where: str, item: Json) -> Result:
    try:
        return from_json(item)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error


def dumps(value: Json) -> str:
    """One line of JSON with sorted keys and no NaN: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _lines(results: Iterable[Result]) -> Iterator[str]:
    """The text of the file: rows, problems and metrics one a line, everything else one field a line.

    Rows are made into text one at a time, so that writing ten thousand takes no more memory than holding them.
    """
    yield '{\n"results": [\n'
    for number, result in enumerate(results):
        yield f"{',' if number else ''}{{\n"
        if len(set(result.image_ids)) != len(result.rows):
            raise BadInput(f"{result.case.id}: rows: an image is listed twice")
        for position, (name, value) in enumerate(sorted(to_json(replace(result, rows=())).items())):
            yield f'{"," if position else ""}"{name}": '
            if name == "rows":
                yield "["
                for place, row in enumerate(result.rows):
                    yield f"{',' if place else ''}\n{dumps(row_to_json(row))}"
                yield "\n]\n"
            elif name == "problems" and value:
                yield "[\n" + ",\n".join(map(dumps, value)) + "\n]\n"
            elif name in ("metrics", "not_measured", "set_scores", "protocols") and value:
                yield "{\n" + ",\n".join(f"{dumps(key)}: {dumps(value[key])}" for key in sorted(value)) + "\n}\n"
            else:
                yield f"{dumps(value)}\n"
        yield "}\n"
    yield f'],\n"schema": {SCHEMA}\n}}\n'


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


def metric_to_json(name: str, record: Mapping[str, Json]) -> dict[str, Json]:
    """What a Result keeps about a metric, as plain JSON values: a best value of infinity becomes text."""
    numbers = {key: _number_to_json(record[key], f"metrics.{name}.{key}") for key in _NUMBERS if key in record}
    rest = {key: value for key, value in record.items() if key not in _NUMBERS}
    return {**_plain(rest, f"metrics.{name}"), **numbers}


def _metric_from_json(name: str, data: Json) -> dict[str, Json]:
    record = dict(_mapping(data, f"metrics.{name}"))
    return record | {key: _number(record[key], f"metrics.{name}.{key}") for key in _NUMBERS if key in record}


def _set_score_from_json(name: str, data: Json) -> dict[str, Json]:
    record = _metric_from_json(name, data)
    value = _number(record.get("value"), f"set_scores.{name}.value")
    if value is None:
        raise BadInput(f"set_scores.{name}.value: is missing; what was not measured belongs to not_measured")
    for bound in ("low", "high", "extrapolated"):
        _number(record.get(bound), f"set_scores.{name}.{bound}")
    for count in ("n", "n_reference"):
        _whole(record.get(count), f"set_scores.{name}.{count}")
    return record


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


def _number(value: Json, where: str) -> float | None:
    if value is None:
        return None
    if value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f'{where}: expected a number, null, "inf" or "-inf", not {value!r}')
    try:
        number = float(value)
    except OverflowError as error:
        raise BadInput(f"{where}: the number is too large") from error
    if not math.isfinite(number):  # 1e999 reads as infinity; NaN comes from a caller, never from a file
        raise BadInput(f'{where}: must be finite, or the text "inf"')
    return number


def _no_constant(name: str) -> float:
    raise BadInput(f'{name} is not JSON: a score that is undefined is null, and infinity is the text "inf"')


def _fields(data: Json, names: Sequence[str], where: str, also: Sequence[str] = ()) -> Mapping[str, Json]:
    """An object with these fields, no others, and perhaps those named in ``also``."""
    fields = _mapping(data, where)
    missing, strange = sorted(set(names) - set(fields)), sorted(set(fields) - {*names, *also})
    if missing or strange:
        wrong = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has unknown {', '.join(strange)}"] * bool(strange)
        raise BadInput(f"{where}: {' and '.join(wrong)}")
    return fields


def _case(data: Json) -> Case:
    fields = _fields(data, _CASE, "case")
    return Case(
        **{name: _text(fields[name], f"case.{name}") for name in ("faces", "degradation", "restorer")},
        seed=_whole(fields["seed"], "case.seed"),
        size_px=_optional(_whole, fields["size_px"], "case.size_px"),
        limit=_optional(_whole, fields["limit"], "case.limit"),
        draws=_optional(_whole, fields["draws"], "case.draws"),
    )


def _mapping(value: Json, where: str) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise BadInput(f"{where}: expected an object, not {type(value).__name__}")
    return value


def _list(value: Json, where: str) -> list[Json]:
    if not isinstance(value, list):
        raise BadInput(f"{where}: expected a list, not {type(value).__name__}")
    return value


def _text(value: Json, where: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{where}: expected text, not {value!r}")
    return value


def _whole(value: Json, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput(f"{where}: expected a whole number, not {value!r}")
    return value


def _optional(check: Callable[[Json, str], _T], value: Json, where: str) -> _T | None:
    return None if value is None else check(value, where)
