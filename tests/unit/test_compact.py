"""Compact rows equal the plain ones, and a large file read row by row is the file read as a whole."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gfpbench import compact, results, run
from gfpbench.compact import compact as compacted
from gfpbench.results import read, text, write
from gfpbench.run import assembly
from gfpbench.types import BadInput, Case, Result, Row
from tests.speed.large import large

IMAGES = 40


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of two Results that counts as large, of which five rows stay plain."""
    monkeypatch.setattr(results, "LARGE_BYTES", 1)
    monkeypatch.setattr(compact, "PLAIN_AT_MOST", 5)
    write(two(), tmp_path / "results.json")
    return tmp_path / "results.json"


def two() -> list[Result]:
    return [large(IMAGES), dataclasses.replace(large(IMAGES, "input"), rows=odd())]


def odd() -> tuple[Row, ...]:
    """Rows with whatever may stand in a row: infinity, blanks, nothing, other metrics, lone surrogates."""
    first, second, third, *others = large(IMAGES, "input").rows
    read_as = {"truth": {"format": "PNG", "bits": 16}}
    return (
        dataclasses.replace(first, scores={"a": math.inf, "b": None, "c": -0.0}, read=read_as, parameters={}),
        dataclasses.replace(
            second, id="ab\ud800\n\u202e", attributes={"x": [1, {"y": None}], "z": True}, fingerprint={}
        ),
        dataclasses.replace(third, scores={}, failure="raised", size_px=(7, 2000)),
        *others,
    )


def is_the_same(compacted: Callable[[Sequence[Row]], Sequence[Row]]) -> None:
    """The law: field by field, and in the bytes of the file."""
    plain = odd()
    rows = tuple(compacted(plain))
    assert rows == plain
    assert plain == rows
    for one, other in zip(rows, plain, strict=True):
        for field in dataclasses.fields(Row):
            mine, theirs = getattr(one, field.name), getattr(other, field.name)
            assert mine == theirs, field.name
            assert repr(mine) == repr(theirs)
        assert [*one.scores.items()] == [*other.scores.items()]
        assert one.scores.get("none") is None
        assert one.scores.get("none", 3) == 3
        assert "none" not in one.scores
    result = large(IMAGES)
    assert text([dataclasses.replace(result, rows=rows)]) == text([dataclasses.replace(result, rows=plain)])
    assert rows != (dataclasses.replace(plain[0], scores={"a": math.inf, "b": 0.0, "c": -0.0}), *plain[1:])


def test_compact_rows_are_the_rows() -> None:
    is_the_same(compacted)
    assert pickle.loads(pickle.dumps(compacted(odd()))) == [*odd()]
    with pytest.raises(KeyError):
        compacted(odd())[0].scores["none"]


def test_what_is_compact_says_so() -> None:
    """Else the tests here would compare plain rows with plain rows."""
    kinds = {type(getattr(row, name)) for row in compacted(odd()) for name in ("scores", "fingerprint", "parameters")}
    assert kinds == {compact._Scores, compact._Packed, dict}  # dict for what is empty


def test_a_large_file_is_read_row_by_row(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(path)
    assert [type(row.scores) for row in found[1].rows[4:6]] == [dict, compact._Scores]
    assert list(found) == two()
    monkeypatch.setattr(results, "LARGE_BYTES", 1 << 40)
    assert read(path) == found
    assert text(found) == path.read_text()


DAMAGES: dict[str, Callable[[str], str]] = {
    "cut": lambda text: text[: len(text) // 2],
    "a comma lost": lambda text: text.replace("},\n{", "}\n{", 1),
    "a comma too many": lambda text: text.replace("}\n]", "},\n]", 1),
    "a row of text": lambda text: text.replace('\n{"attributes"', '\n"row",\n{"attributes"', 1),
    "a row twice": lambda text: text.replace("face-000003", "face-000004", 1),
    "a failed row with a number": lambda text: text.replace('"failure": null', '"failure": "raised"', 1),
    "a fingerprint of text": lambda text: text.replace('"noise_levels": ', '"noise_levels": "x", "y": ', 1),
    "NaN": lambda text: text.replace('"jpeg_quality": ', '"jpeg_quality": NaN, "y": ', 1),
    "a name twice": lambda text: text.replace('"jpeg_quality": ', '"jpeg_quality": 1, "jpeg_quality": ', 1),
    "another schema": lambda text: text.replace('"schema": 1', '"schema": 2'),
    "rows elsewhere": lambda text: text.replace(',"rows": [\n', ',"rows": [], "restorer": {"x": 1\n,"rows": [\n', 1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_as_in_a_small_file(path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    before = path.read_text()
    path.write_text(DAMAGES[damage](before))
    assert path.read_text() != before
    with pytest.raises(BadInput) as large_error:
        read(path)
    monkeypatch.setattr(results, "LARGE_BYTES", 1 << 40)
    with pytest.raises(BadInput) as small_error:
        read(path)
    assert str(large_error.value) == str(small_error.value)
    assert "\n" not in str(large_error.value)


@pytest.mark.parametrize("layout", [{"indent": 1}, {"indent": None}])
def test_another_layout_of_the_same_is_read_too(path: Path, layout: dict[str, int | None]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()), **layout))  # type: ignore[arg-type]
    assert list(read(path)) == two()


def test_a_list_that_stands_elsewhere_is_not_taken_for_the_rows(path: Path) -> None:
    data = json.loads(path.read_text())
    rows = data["results"][0].pop("rows")
    lines = ",\n".join(map(json.dumps, rows))
    first = json.dumps(data["results"][0])[:-1]
    inner = f'{{"z": 1\n,"rows": [\n{lines}\n]\n}}'
    path.write_text(f'{{"results": [{first}, "rows": [], "y": {inner}}}], "schema": 1}}')
    with pytest.raises(BadInput, match="has unknown y"):
        read(path)


def test_no_rows_at_all(path: Path) -> None:
    given = [dataclasses.replace(large(1), rows=(), problems=())]
    write(given, path)
    assert list(read(path)) == given


def test_a_run_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    case = Case("embedded", "paper", "bicubic", draws=4)
    found = []
    for at_most in (1000, 3):
        monkeypatch.setattr(assembly, "PLAIN_AT_MOST", at_most)
        store = tmp_path / str(at_most)
        result = run.measure(case, store=store, metrics=["psnr_rgb"], batch_size=3, keep_images=0)
        found.append((result, (store / case.id / "result.json").read_bytes()))
    assert found[0] == found[1]
    assert [type(row.scores) for row in found[1][0].rows] == [*[dict] * 3, *[compact._Scores] * 5]
