"""Small honest bugs in the reader of JSON, each of which a check has to notice."""

from __future__ import annotations

import dataclasses
import importlib
import json
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpbench import codec, compact
from gfpbench.types import BadInput, Row
from tests.unit import test_codec, test_compact

# The package has functions of these names.
decode, text = (importlib.import_module(f"gfpbench.codec.{name}") for name in ("decode", "text"))


@dataclass(frozen=True, slots=True)
class Score:
    name: str
    value: float
    count: int
    passed: bool
    parts: tuple[float, ...] = ()


GOOD: dict[str, Any] = {"name": "psnr", "value": 24, "count": 3, "passed": True, "parts": [0.5]}


def check_sound() -> None:
    """What is sound comes in as it stands there."""
    assert codec.decode(Score, codec.parse(json.dumps(GOOD))) == Score("psnr", 24.0, 3, True, (0.5,))


def check_refused(change: str, place: str) -> None:
    """One change of a sound document is refused in one line that names the place."""
    whole = json.dumps(GOOD)
    old, new = change.split(" -> ")
    assert whole.count(old) == 1
    line = ""
    try:
        codec.decode(Score, codec.parse(whole.replace(old, new)), "x.json: ")
    except BadInput as error:
        line = str(error)
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} came through") from error
    assert line, f"{new} was accepted"
    assert place in line
    assert "\n" not in line


CHANGES = (
    ('"passed": true -> "passed": 1', "passed"),
    ('"count": 3 -> "count": true', "count"),
    ('"count": 3 -> "count": 3.0', "count"),
    ('"value": 24 -> "value": "24"', "value"),
    ('"value": 24 -> "value": NaN', "value"),
    ('"value": 24 -> "value": 1e999', "value"),
    ('"value": 24 -> "value": true', "value"),
    ('"value": 24 -> "value": 1, "value": 2', "value"),
    ('"value": 24 -> "value": 24, "extra": 1', "extra"),
    (', "parts": [0.5] -> ', "parts"),
    ("[0.5] -> [[0.5]]", "parts[0]"),
    ("[0.5] -> {}", "parts"),
    ('"psnr" -> null', "name"),
)


def check_all() -> None:
    check_sound()
    for change, place in CHANGES:
        check_refused(change, place)


def _scalar(kind: type, reader: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(decode, "_SCALARS", {**decode._SCALARS, kind: reader})


def _finite(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decode, "_checked_number", lambda value: None)


def _twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(text, "_object", dict)


def _fields(patch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    honest = decode._named
    patch.setattr(decode, "_named", lambda value: change(honest(value)))


def _lists(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decode, "_listed", lambda value: list(value))


def _placeless(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decode, "joined", lambda where, path: where)


SABOTEURS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a number is as good as a truth": _scalar(bool, bool),
    "a truth is a whole number": _scalar(int, int),
    "a text is read as a number": _scalar(float, float),
    "anything is text": _scalar(str, str),
    "NaN and infinity are numbers": _finite,
    "the last of two fields counts": _twice,
    "unknown fields are dropped": lambda patch: _fields(
        patch, lambda found: {name: item for name, item in found.items() if name in GOOD}
    ),
    "missing fields are filled up": lambda patch: _fields(patch, lambda found: {"parts": [], **found}),
    "whatever can be gone through is a list": _lists,
    "the place is not said": _placeless,
    "types are not looked at": lambda patch: patch.setattr(decode, "_number", lambda value: value + 0.0),
}


def test_the_reader_is_sound() -> None:
    check_all()


@pytest.mark.parametrize("saboteur", SABOTEURS)
def test_a_broken_reader_is_noticed(saboteur: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if saboteur == "types are not looked at":
        monkeypatch.setattr(decode, "_SCALARS", {**decode._SCALARS, float: lambda value: value + 0.0})
    SABOTEURS[saboteur](monkeypatch)
    decode._decoder.cache_clear()
    try:
        with pytest.raises(AssertionError):
            check_all()
    finally:
        monkeypatch.undo()
        decode._decoder.cache_clear()


def _blanks_are_zero(rows: Sequence[Row]) -> list[Row]:
    filled = [dataclasses.replace(row, scores={k: v or 0.0 for k, v in row.scores.items()}) for row in rows]
    return compact.compact(filled)


def _parameters_of_the_next(rows: Sequence[Row]) -> list[Row]:
    made = compact.compact(rows)
    others = [*made[1:], made[0]]
    return [dataclasses.replace(one, parameters=other.parameters) for one, other in zip(made, others, strict=True)]


def _single_precision(rows: Sequence[Row]) -> list[Row]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else float(np.float32(value))

    scores = [{name: rounded(value) for name, value in row.scores.items()} for row in rows]
    return compact.compact([dataclasses.replace(row, scores=own) for row, own in zip(rows, scores, strict=True)])


@pytest.mark.parametrize("careless", [_blanks_are_zero, _parameters_of_the_next, _single_precision])
def test_compact_rows_that_are_other_rows(careless: Callable[[Sequence[Row]], list[Row]]) -> None:
    with pytest.raises(AssertionError):
        test_compact.is_the_same(careless)


def test_a_reader_that_opens_pipes_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stat, "S_ISREG", lambda mode: True)
    with pytest.raises(AssertionError, match="Regex pattern did not match"):
        test_codec.test_a_pipe_is_refused_and_not_waited_for(tmp_path, "JSON")
