"""Results survive the disk to the last bit, and a file that is not one is refused with its name and the field."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench import results
from gfpbench.types import BadInput, Case, GfpbenchError, Problem, Result, Row

FIXED = settings(derandomize=True, deadline=None, max_examples=60, database=None)
NAMES = ("gmsd", "niqe", "psnr_rgb")

texts = st.text(max_size=12)
whole = st.integers(-(2**53), 2**53)
plain = st.recursive(
    st.none() | st.booleans() | whole | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
records = st.dictionaries(texts, plain, max_size=4)
scores = st.none() | st.floats(allow_nan=False)
cases = st.builds(
    Case,
    texts,
    texts,
    texts,
    whole,
    st.none() | st.integers(1, 4096),
    st.none() | st.integers(1, 9),
    st.none() | st.integers(1, 9),
)


@st.composite
def some_results(draw: st.DrawFn) -> Result:
    rows = []
    for name in draw(st.lists(texts, max_size=4, unique=True)):
        failure = draw(st.none() | texts)
        values = {metric: None if failure is not None else draw(scores) for metric in NAMES}
        size = (draw(st.integers(1, 4096)), draw(st.integers(1, 4096)))
        rows.append(Row(name, draw(texts), size, draw(records), draw(records), values, failure, draw(records)))
    metric = st.fixed_dictionaries(
        {"best": scores, "tolerance": st.floats(0, 1), "unit": texts, "better": st.sampled_from(["higher", "lower"])}
    )
    return Result(
        case=draw(cases),
        rows=tuple(rows),
        metrics={name: draw(metric) for name in NAMES},
        restorer=draw(records),
        degradation=draw(records),
        faces=draw(records),
        environment=draw(records),
        problems=tuple(draw(st.lists(st.builds(Problem, texts, texts, texts), max_size=3))),
        not_measured=draw(st.dictionaries(texts, texts, max_size=2)),
        envelope=draw(records),
    )


METRIC: dict[str, Any] = {"unit": "dB", "better": "higher", "best": 0.0, "tolerance": 0.1}


def example() -> Result:
    row = Row("a", "00", (8, 9), {"age": 3}, {"noise_std_255": 2.5}, {"psnr_rgb": math.inf, "gmsd": None})
    failed = Row("b", "01", (8, 9), {}, {}, {"psnr_rgb": None, "gmsd": None}, "returned NaN")
    metrics = {"psnr_rgb": METRIC | {"best": math.inf}, "gmsd": METRIC | {"better": "lower"}}
    return Result(Case("f", "d", "r"), (row, failed), metrics, {}, {}, {}, {}, (Problem("restore", "b", "NaN"),), {})


@FIXED
@given(some_results())
def test_json_round_trip(result: Result) -> None:
    text = json.dumps(results.to_json(result), allow_nan=False)
    assert results.from_json(json.loads(text)) == result


@FIXED
@given(st.lists(some_results(), max_size=2))
def test_file_round_trip(tmp_path_factory: pytest.TempPathFactory, stored: list[Result]) -> None:
    path = tmp_path_factory.mktemp("results") / "r.json"
    results.write(stored, path)
    assert results.read(path) == tuple(stored)
    first = path.read_bytes()
    results.write(results.read(path), path)
    assert path.read_bytes() == first


def test_every_bit_of_a_score_survives(tmp_path: Path) -> None:
    values = [0.1, -0.0, 5e-324, 1.7976931348623157e308, 2 / 3, math.inf, -math.inf]
    rows = tuple(Row(str(i), "", (1, 1), {}, {}, {"m": value}) for i, value in enumerate(values))
    results.write(
        [Result(Case("f", "d", "r"), rows, {"m": METRIC | {"best": None}}, {}, {}, {}, {})], tmp_path / "r.json"
    )
    (read,) = results.read(tmp_path / "r.json")
    assert [value.hex() for value in read.scores("m") if value is not None] == [value.hex() for value in values]


def test_the_file_can_be_read_as_a_diff(tmp_path: Path) -> None:
    results.write([example()], tmp_path / "r.json")
    lines = (tmp_path / "r.json").read_text().splitlines()
    for part in (
        '"id": "a"',
        '"id": "b"',
        '"psnr_rgb": {"best": "inf"',
        '"stage": "restore"',
        '"case": {',
        '"schema": 1',
    ):
        assert sum(part in line for line in lines) == 1
    row = next(line for line in lines if '"id": "a"' in line)
    keys = list(json.loads(row.rstrip(",")))
    assert keys == sorted(keys)
    assert "NaN" not in "".join(line for line in lines if '"scores"' in line and '"id": "a"' in line)
    assert "Infinity" not in "".join(lines)


def _without(*path: str | int) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        del data[path[-1]]

    return change


def _with(value: Any, *path: str | int) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


ROW = ("results", 0, "rows", 0)
WRONG: dict[str, tuple[Callable[[Any], None], str]] = {
    "no schema": (_without("schema"), "schema: this gfpbench reads schema 1, not None"),
    "newer schema": (_with(2, "schema"), "schema 1, not 2"),
    "schema true": (_with(True, "schema"), "schema 1, not True"),
    "no results": (_without("results"), "file: lacks results"),
    "results no list": (_with({}, "results"), "results: expected a list, not an object"),
    "no rows": (_without("results", 0, "rows"), r"results\[0\]: lacks rows"),
    "strange field": (_with(1, "results", 0, "colour"), "has unknown colour"),
    "no seed": (_without("results", 0, "case", "seed"), "case: lacks seed"),
    "seed text": (_with("0", "results", 0, "case", "seed"), "case.seed: expected a whole number, not '0'"),
    "seed true": (_with(True, "results", 0, "case", "seed"), "case.seed"),
    "no row id": (_without(*ROW, "id"), r"rows\[0\]: lacks id"),
    "row twice": (_with("b", *ROW, "id"), "rows: an image is listed twice"),
    "score text": (_with("good", *ROW, "scores", "gmsd"), r"rows\[0\].scores.gmsd: expected a number"),
    "score true": (_with(True, *ROW, "scores", "gmsd"), r"scores.gmsd: expected a number"),
    "score nan text": (_with("nan", *ROW, "scores", "gmsd"), r"scores.gmsd: expected a number"),
    "score NaN": (_with(math.nan, *ROW, "scores", "gmsd"), "NaN is not JSON"),
    "score Infinity": (_with(math.inf, *ROW, "scores", "gmsd"), "Infinity is not JSON"),
    "score huge": (_with(10**400, *ROW, "scores", "gmsd"), "scores.gmsd: the number is too large"),
    "failed with a number": (_with("ill", *ROW, "failure"), r"rows\[0\].scores: a failed image carries a number"),
    "one side": (_with([8], *ROW, "size_px"), r"rows\[0\].size_px: expected 2 values, not 1"),
    "half a pixel": (_with([8, 8.5], *ROW, "size_px"), r"rows\[0\].size_px\[1\]: expected a whole number, not 8.5"),
    "problem without stage": (_without("results", 0, "problems", 0, "stage"), r"problems\[0\]: lacks stage"),
    "best text": (_with("much", "results", 0, "metrics", "gmsd", "best"), "metrics.gmsd.best: expected a number"),
    "metrics a list": (_with([], "results", 0, "metrics"), "metrics: expected an object, not a list"),
    "no tolerance": (_without("results", 0, "metrics", "gmsd", "tolerance"), "metrics.gmsd: lacks tolerance"),
    "a tolerance below 0": (_with(-1, "results", 0, "metrics", "gmsd", "tolerance"), "gmsd.tolerance: expected 0 or"),
    "no direction": (_with("up", "results", 0, "metrics", "gmsd", "better"), "gmsd.better: expected higher or lower"),
    "parameters nested without end": (
        _with(json.loads("[" * 70 + "]" * 70), *ROW, "parameters", "x"),
        r"rows\[0\].parameters.x(\[0\])+...(.*): is nested more than 64 deep",
    ),
    "parameter huge": (_with(10**400, *ROW, "parameters", "noise_std_255"), "noise_std_255: the number is too large"),
    "parameter NaN": (_with(math.nan, *ROW, "parameters", "noise_std_255"), "parameters.noise_std_255: NaN is not"),
    "fingerprint of a number": (_with({"restored": 3}, *ROW, "fingerprint"), "fingerprint.restored: expected an obj"),
    "fingerprint of little": (
        _with({"restored": {"sha256": "a"}}, *ROW, "fingerprint"),
        "fingerprint.restored: lacks highest_levels, lowest",
    ),
    "envelope of text": (
        _with({"repeat": {"scores": {"gmsd": "little"}}}, "results", 0, "envelope"),
        "envelope.repeat.scores.gmsd: expected a number",
    ),
    "draws a text": (_with("x", "results", 0, "faces", "draws"), "faces.draws: expected a whole number, not 'x'"),
    "draws an object": (_with({"a": 1}, "results", 0, "faces", "draws"), "faces.draws: expected a whole number"),
    "faces an object of none": (_with([], "results", 0, "faces"), "faces: expected an object, not a list"),
    "set score text": (
        _with({"fid": METRIC | {"value": "small", "n": 1, "n_reference": 1}}, "results", 0, "set_scores"),
        r"results\[0\].set_scores.fid.value: expected a number",
    ),
    "set score of nothing": (
        _with({"fid": METRIC | {"value": 3.0}}, "results", 0, "set_scores"),
        "set_scores.fid: lacks n, n_reference",
    ),
    "hostile name": (_with({"\x1b[2J\nx": 1}, "results", 0, "not_measured"), r"not_measured.'\\x1b\[2J\\nx': expected"),
    "reason a number": (_with({"fid": 1}, "results", 0, "not_measured"), "not_measured.fid: expected text"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_by_name_and_field(tmp_path: Path, name: str) -> None:
    path = tmp_path / "stored.json"
    results.write([example()], path)
    data = json.loads(path.read_text())
    change, line = WRONG[name]
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(BadInput, match=line) as caught:
        results.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_name_that_stands_twice_is_refused_where_it_stands(tmp_path: Path) -> None:
    """Parsers keep the last of the two, so that whoever reads the file sees another number than the program."""
    path = tmp_path / "stored.json"
    results.write([example()], path)
    path.write_text(path.read_text().replace('"gmsd": null', '"gmsd": null, "gmsd": 0.1', 1))
    with pytest.raises(BadInput, match=r"results\[0\].rows\[0\].scores.gmsd: is there twice"):
        results.read(path)
    path.write_text(path.read_text().replace('"age": 3', '"age": 3, "age": 4').replace('"gmsd": null, ', "", 1))
    with pytest.raises(BadInput, match=r"rows\[0\].attributes.age: is there twice"):
        results.read(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"<<<<<<< HEAD\n{}"])
def test_what_is_no_result_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "stored.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"stored.json: "):
        results.read(path)


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stored.json"
    results.write([example()], path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(BadInput):
            results.read(path)


def test_a_missing_file_or_a_folder_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none.json: cannot be read: No such file"):
        results.read(tmp_path / "none.json")
    with pytest.raises(BadInput, match="cannot be read"):
        results.read(tmp_path)


def _row(**changes: Any) -> Result:
    fields: dict[str, Any] = {
        "id": "a", "face_sha256": "", "size_px": (1, 1), "attributes": {}, "parameters": {}, "scores": {"m": 1.0},
    }  # fmt: skip
    return Result(Case("f", "d", "r"), (Row(**{**fields, **changes}),), {"m": METRIC}, {}, {}, {}, {})


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (_row(scores={"m": math.nan}), "a: m: is NaN"),
        (_row(scores={"m": True}), "a: m: expected a number"),
        (_row(failure="ill"), "a failed image carries a number"),
        (_row(parameters={"x": math.inf}), "a: parameters: JSON cannot hold this"),
        (_row(attributes={"x": object()}), "a: attributes: JSON cannot hold this"),
        (_row(attributes={3: 1}), "names of fields must be text"),
    ],
)
def test_what_must_not_be_stored_is_refused_and_the_old_file_stays(tmp_path: Path, result: Result, line: str) -> None:
    path = tmp_path / "r.json"
    results.write([example()], path)
    before = path.read_bytes()
    with pytest.raises(BadInput, match=line):
        results.write([example(), result], path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.json"]


def test_an_image_listed_twice_is_not_written(tmp_path: Path) -> None:
    twice = replace(example(), rows=example().rows[:1] * 2)
    with pytest.raises(BadInput, match="r-f-d-s0: rows: an image is listed twice"):
        results.write([twice], tmp_path / "r.json")


def test_what_is_written_is_what_to_json_gives(tmp_path: Path) -> None:
    results.write([example(), example()], tmp_path / "r.json")
    stored = json.loads((tmp_path / "r.json").read_text())
    assert stored == {"schema": results.SCHEMA, "results": [results.to_json(example())] * 2}


def test_what_the_disk_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GfpbenchError, match="cannot be written: "):
        results.write([example()], tmp_path / "file" / "r.json")


@pytest.mark.parametrize("field", ["size_px", "limit", "draws"])
@pytest.mark.parametrize("value", [0, -3])
def test_a_case_that_cannot_be_measured_is_refused(tmp_path: Path, field: str, value: int) -> None:
    data = {"schema": results.SCHEMA, "results": [results.to_json(example())]}
    data["results"][0]["case"][field] = value  # type: ignore[index]
    (tmp_path / "changed.json").write_text(json.dumps(data))
    with pytest.raises(
        BadInput, match=rf"changed\.json: results\[0\]\.case\.{field}: expected 1 or more, not {value}$"
    ):
        results.read(tmp_path / "changed.json")


def test_nothing_is_concluded_from_a_file_without_a_measurement(tmp_path: Path) -> None:
    path, one = tmp_path / "some.json", example()
    refused: list[tuple[tuple[Result, ...], str]] = [
        ((), "results: holds no case, so nothing was measured"),
        (
            (one, replace(one, rows=(), problems=())),
            r"results\[1\]\.rows: r-f-d-s0 holds no image, so nothing was measured",
        ),
        ((one, one), "holds r-f-d-s0 more than once: keep one of them"),
    ]
    for stored, line in refused:
        results.write(stored, path)
        with pytest.raises(BadInput, match=rf"some\.json: {line}$"):
            results.read_measured(path)
    for stored in ((one,), (one, replace(one, label="old")), (replace(one, rows=()),)):
        results.write(stored, path)  # the last: no face could be read, and the problems say so
        assert results.read_measured(path) == stored
