"""What a search takes over from an earlier one in the same store, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gfpbench import restorers
from gfpbench.collapse import collapse_point
from gfpbench.types import ImageBatch
from tests.unit.collapse import stale
from tests.unit.collapse.toys import Smoother


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(tmp_path / "model"))
    yield
    stale.forget_models()


@pytest.mark.parametrize("what", stale.CHANGES)
def test_what_changed_is_measured_anew(tmp_path: Path, what: str) -> None:
    stale.CHANGES[what](tmp_path)


class Unnamed(Smoother):
    """Says of itself what every version of it says."""

    opaque = True

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        done = super().__call__(degraded).pixels
        return ImageBatch(self.share * done + (1 - self.share) * degraded.pixels, degraded.ids)


def test_an_object_that_does_not_name_its_weights_is_asked(tmp_path: Path) -> None:
    shares = iter([0.3, 0.9, 0.9])
    stale.searched_again_as_fresh(tmp_path, stale.ASKED, lambda: None, lambda: Unnamed(next(shares)))


def test_an_unchanged_one_is_asked_for_two_answers_and_no_more(tmp_path: Path) -> None:
    first, second = Unnamed(0.9), Unnamed(0.9)
    found = collapse_point(stale.ASKED, store=tmp_path, restorer=first)
    assert first.images == found.restorations + 2
    assert collapse_point(stale.ASKED, store=tmp_path, restorer=second) == found
    assert second.images == 2


def test_an_unchanged_python_restorer_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale.write_model(tmp_path / "model", 0.9)
    asked = replace(stale.ASKED, restorer="python:stale_model:restore")
    found = collapse_point(asked, store=tmp_path / "store")
    stale.forget_models()
    given = restorers.load(asked.restorer)
    inside, calls = given._restore, []  # type: ignore[attr-defined]

    def counting(batch: ImageBatch) -> Any:
        calls.append(batch.ids)
        return inside(batch)

    monkeypatch.setattr(given, "_restore", counting)
    assert collapse_point(asked, store=tmp_path / "store", restorer=given) == found
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["result.json", "key.json", "images"])
def test_a_case_whose_files_were_touched_is_measured_anew(tmp_path: Path, name: str) -> None:
    found = collapse_point(stale.ASKED, store=tmp_path, restorer=Smoother())
    folder = tmp_path / found.steps[0].case
    path = min((folder / "images").iterdir()) if name == "images" else folder / name
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content.replace(b"1", b"2"), b"{}", b"[[]]", b""):
        path.write_bytes(damaged)
        toy = Smoother()
        assert collapse_point(stale.ASKED, store=tmp_path, restorer=toy) == found
        assert toy.images == 4
        assert path.read_bytes() == content


class Silent(Smoother):
    """Restores noisy faces and fails on the coarse ones that it is asked about."""

    opaque = True

    def __call__(self, degraded: ImageBatch) -> ImageBatch:
        if len(degraded) == 1:
            raise ValueError("one image alone makes me ill")
        return super().__call__(degraded)


def test_one_that_gives_no_answer_is_measured_anew(tmp_path: Path) -> None:
    found = collapse_point(stale.ASKED, store=tmp_path, restorer=Silent())
    again = Silent()
    assert collapse_point(stale.ASKED, store=tmp_path, restorer=again) == found
    assert again.images == found.restorations > 0
