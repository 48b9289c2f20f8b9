"""Small honest bugs in how files are found, read and recorded, each of which a check has to notice."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gfpbench.decode import decode, files, pillow, reader, rgb, treatment
from gfpbench.decode.files import Names, list_images
from gfpbench.restorers import outputs
from gfpbench.restorers.outputs import Outputs

RGB = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def png(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


def caught(check: Callable[..., None], *args: object) -> bool:
    try:
        check(*args)
    except AssertionError:
        return True
    return False


def check_counts(folder: Path) -> None:
    """Every file is taken or counted."""
    for name in ("a.png", "b.JPG", "c.heic", "d.txt", "e", ".f"):
        (folder / name).touch()
    listing = list_images(folder)
    counted = sum(entry["count"] for entry in listing.record().values())
    assert len(listing.files) + counted == 6
    assert len(listing.files) == 2


def check_record() -> None:
    """What was done to the values is in the record."""
    alpha = np.full((40, 50), 100, np.uint8)
    assert decode(png(np.dstack([RGB, alpha])), "x").record()["treatment"] == ["alpha composited on white"]
    assert decode(png(RGB), "x").record()["treatment"] == []


def check_unlike() -> None:
    """A truth with alpha and an output without are told apart, either way round; equal ones are not."""
    one = {"treatment": [treatment.COMPOSITED]}
    assert treatment.unlike(one, {})
    assert treatment.unlike({}, one)
    assert not treatment.unlike(one, one)


def check_names() -> None:
    """A file is found by the name of its image with any suffix in any case, and two are not one."""
    assert Names(["a.JPE", "b.png"]).of("a") == ("a.JPE",)
    assert len(Names(["a.png", "a.avif"]).of("a")) == 2
    assert Names(["a_out.png"]).of("a") == ()


def check_contents(folder: Path) -> None:
    """Provenance differs where the contents do, of equal names and sizes."""
    (folder / "a.png").write_bytes(b"x" * 100)
    one = Outputs(str(folder)).provenance()
    (folder / "a.png").write_bytes(b"y" * 100)
    assert Outputs(str(folder)).provenance() != one


def check_no_other_program() -> None:
    """An EPS is refused whatever its name, before any decoder that starts a program sees it."""
    tried: list[tuple[str, ...]] = []
    honest = Image.open

    def opened(stream: io.BytesIO, formats: tuple[str, ...] | None = None) -> Image.Image:
        tried.append(tuple(formats or ("every format that Pillow knows",)))
        return honest(stream, formats=["PNG"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "open", opened)
        decode(png(RGB), "x")
    assert "EPS" not in tried[0]
    assert "every format that Pillow knows" not in tried[0]


def test_the_honest_reader_passes(tmp_path: Path) -> None:
    for name, check in (("counts", check_counts), ("contents", check_contents)):
        (tmp_path / name).mkdir()
        check(tmp_path / name)
    for honest in (check_record, check_unlike, check_names, check_no_other_program):
        honest()


def test_files_left_out_in_silence_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files._Walk, "leave_out", lambda self, below, name, reason: None)
    assert caught(check_counts, tmp_path)


def test_suffixes_in_lower_case_only_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "suffix_of", lambda name: Path(name).suffix)
    assert caught(check_names)


def test_alpha_dropped_without_a_word_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = rgb.to_rgb
    monkeypatch.setattr(reader, "to_rgb", lambda samples: (*honest(samples)[:2], ()))
    assert caught(check_record)


def test_a_difference_looked_for_in_one_direction_only_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = treatment.unlike
    monkeypatch.setattr(treatment, "unlike", lambda truth, output: honest(truth, {}))
    assert caught(check_unlike)


def test_provenance_by_names_and_sizes_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs.Outputs, "_sha256", lambda self, file: str((self.folder / file).stat().st_size))
    assert caught(check_contents, tmp_path)


def test_a_reader_without_the_list_of_formats_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow, "offered", lambda data: None)
    assert caught(check_no_other_program)
