"""Small bugs in what a file of results must hold before anything is concluded from it, each of which a test notices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gfpbench import results
from gfpbench.types import BadInput, Result
from tests.unit import test_results as laws

Read = Callable[[Path], tuple[Result, ...]]
honest: Read = results.read_measured


def _without_images(path: Path) -> tuple[Result, ...]:
    found = results.read(path)
    return found if any(not one.rows for one in found) else honest(path)


def _cases_whatever_their_label(path: Path) -> tuple[Result, ...]:
    found = honest(path)
    if len({one.case.id for one in found}) != len(found):
        raise BadInput(f"{path}: holds {found[0].case.id} more than once: keep one of them")
    return found


def _problems_are_no_answer(path: Path) -> tuple[Result, ...]:
    found = honest(path)
    if not all(one.rows for one in found):
        raise BadInput(f"{path}: holds no image, so nothing was measured")
    return found


def _one_of_each(path: Path) -> tuple[Result, ...]:
    found = {(one.case.id, one.label): one for one in results.read(path)}
    return honest(path) if len(found) < 2 and not all(one.rows for one in found.values()) else tuple(found.values())


BUGS: dict[str, Read] = {
    "everything is believed": results.read,
    "a case without an image is believed": _without_images,
    "a case of two labels is refused": _cases_whatever_their_label,
    "a case of which no face could be read is refused": _problems_are_no_answer,
    "of a case that is there twice the last is taken": _one_of_each,
}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(results, "read_measured", BUGS[name])
    with pytest.raises((AssertionError, BadInput, pytest.fail.Exception)):
        laws.test_nothing_is_concluded_from_a_file_without_a_measurement(tmp_path)
