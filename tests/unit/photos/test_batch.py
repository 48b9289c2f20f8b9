"""Many photos: one bad photo costs no other, a stopped run goes on, and nothing stale is taken for new."""

from __future__ import annotations

import errno
import json
import os
import struct
import sys
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gfpbench import images
from gfpbench.decode import read_rgb
from gfpbench.disk import DiskRefused, disk
from gfpbench.photos import Pipeline, restore_paths
from gfpbench.photos.canvas import canvas_of
from gfpbench.photos.output import write_photo
from gfpbench.photos.paths import MAXIMUM_NAME_BYTES, output_of, photos_in
from gfpbench.photos.record import Record
from gfpbench.types import BadInput, GfpbenchError, ImageBatch
from tests import child
from tests.unit.photos import laws, scenes
from tests.unit.photos.scenes import Place

PHOTO, FOUND = scenes.scene(220, 300, [Place((130, 110), 160)])
OTHER, _ = scenes.scene(220, 300, [Place((130, 110), 160, portrait=1)])
HERE = {"machine": "this one"}


class InColour(scenes.Known):
    """Finds the known face in every photo of the right size that has any light."""

    def __call__(self, rgb):
        return self.found if rgb.shape == PHOTO.shape and rgb.any() else []


def pipeline(**settings):
    return Pipeline(scenes.Painter(laws.inverted), InColour(FOUND), **settings)


def restored_by(run: Pipeline) -> list[str]:
    assert isinstance(run.restorer, scenes.Painter)
    return [name for batch in run.restorer.seen for name in batch.ids]


def restore(folder: Path, out: Path, run: Pipeline | None = None, **settings):
    """The record, the lines told, and the crops that went to the restorer."""
    run, told = run or pipeline(), []
    settings = {"surroundings": HERE, **settings}
    record = restore_paths([folder], out, run, lambda *given: told.append(given), **settings)
    return record, told, restored_by(run)


def photos_below(root: Path) -> Path:
    """Two photos of a face and one without."""
    (root / "deep").mkdir(parents=True)
    images.write_png(root / "a.png", PHOTO)
    images.write_png(root / "deep" / "b.png", OTHER)
    images.write_png(root / "empty.png", scenes.ground(100, 100))
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return photos_below(tmp_path / "in")


def names_and_bytes(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


# What must not end a batch


def test_a_name_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "d").mkdir(parents=True)
    long = "é" * 125 + "x"  # 251 bytes
    for name in (f"{long}.jpg", f"{long}.png", f"{'y' * 248}.webp"):
        assert len(name.encode()) <= MAXIMUM_NAME_BYTES
        (root / name).write_bytes(images.encode_png(PHOTO))
    images.write_png(root / "d" / "a.png", PHOTO)
    record, told, _ = restore(root, tmp_path / "out")
    assert [ok for _, _, ok in told] == [True] * 4, told
    outputs = [photo["output"] for photo in record["photos"]]
    assert len(set(outputs)) == 4
    for output in outputs:
        assert all(len(part.encode()) <= MAXIMUM_NAME_BYTES for part in output.split("/"))
        assert read_rgb(tmp_path / "out" / output).shape == PHOTO.shape


def test_long_names_are_kept_apart_and_short_ones_as_they_are() -> None:
    assert output_of("smith/03") == "smith/03.png"
    assert output_of("x" * 251) == "x" * 251 + ".png"
    one, other = output_of("x" * 300), output_of("x" * 301)
    assert len(one) == len(other) == MAXIMUM_NAME_BYTES
    assert one != other
    assert len(output_of("é" * 300).encode()) in (MAXIMUM_NAME_BYTES - 1, MAXIMUM_NAME_BYTES)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_utf8(folder: Path, tmp_path: Path) -> None:
    bad = os.fsdecode(os.fsencode(folder) + b"/m\xff\n.png")
    os.rename(folder / "a.png", bad)  # noqa: PTH104 - a Path would do as well
    record, told, _ = restore(folder, tmp_path / "out")
    assert [photo["output"] for photo in record["photos"]] == ["deep/b.png", None, "m\\xff\\n.png"]
    on_disk = json.loads((tmp_path / "out" / "photos.json").read_text(encoding="utf-8"))
    assert on_disk == json.loads(json.dumps(record))
    assert on_disk["photos"][2]["file"].endswith("in/m\\xff\\n.png")
    assert all(name.isprintable() for name, _, _ in told)
    # Given by itself it has the same name.
    assert [source.name for source in photos_in([Path(bad)], tmp_path / "out").sources] == ["m\\xff\\n"]


def test_a_link_to_itself_costs_one_photo(folder: Path, tmp_path: Path) -> None:
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "nowhere.png").symlink_to("absent.png")
    _, told, _ = restore(folder, tmp_path / "out")
    assert {name: ok for name, _, ok in told} == {
        "a": True,
        "deep/b": True,
        "empty": False,
        "loop": False,
        "nowhere": False,
    }


def test_a_path_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no existing photo or folder"):
        restore(tmp_path / ("x" * 300), tmp_path / "out")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("two\nlines"), ValueError("")])
def test_whatever_one_photo_raises_the_next_is_restored(
    folder: Path, tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gfpbench.photos import batch

    real = canvas_of

    def fails_once(decoded):
        monkeypatch.setattr(batch, "canvas_of", real)
        raise error

    monkeypatch.setattr(batch, "canvas_of", fails_once)
    _, told, _ = restore(folder, tmp_path / "out")
    assert [ok for _, _, ok in told] == [False, True, False]
    assert told[0][1].startswith(f"a: {type(error).__name__}: ")
    assert "\n" not in told[0][1]


def test_a_detector_that_says_nan_costs_one_photo(folder: Path, tmp_path: Path) -> None:
    nan = replace(FOUND[0], confidence=float("nan"))
    run = Pipeline(scenes.Painter(laws.inverted), InColour([nan]))
    _, told, _ = restore(folder, tmp_path / "out", run)
    assert [ok for _, _, ok in told] == [False, False, False]
    json.loads((tmp_path / "out" / "photos.json").read_text(), parse_constant=pytest.fail)


def test_a_restored_photo_that_cannot_be_written_costs_no_other(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "a.png").mkdir(parents=True)  # a folder where the photo should go
    (tmp_path / "out" / "a.png" / "kept").write_text("")
    _, told, _ = restore(folder, tmp_path / "out")
    assert [ok for _, _, ok in told] == [False, True, False]
    assert "a.png: cannot be written: " in told[0][1]
    assert (tmp_path / "out" / "a.png" / "kept").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_ends_the_batch_in_one_line_and_keeps_what_was_done(
    folder: Path, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gfpbench.photos import batch

    real, calls = write_photo, list[str]()

    def second_is_refused(path, *given):
        calls.append(path.name)
        if len(calls) == 2:
            with disk(path):
                raise OSError(number, os.strerror(number), str(path))
        return real(path, *given)

    monkeypatch.setattr(batch, "write_photo", second_is_refused)
    with pytest.raises(DiskRefused, match=rf"b\.png: cannot be written: {os.strerror(number)}; free some space"):
        restore(folder, tmp_path / "out")
    assert calls == ["a.png", "b.png"]
    record = json.loads((tmp_path / "out" / "photos.json").read_text())
    assert [photo["name"] for photo in record["photos"]] == ["a"]
    monkeypatch.setattr(batch, "write_photo", real)
    assert restore(folder, tmp_path / "out")[2] == ["deep/b#0"]


def test_a_listener_that_has_left_is_no_trouble_of_the_disk(folder: Path, tmp_path: Path) -> None:
    def gone(*_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):  # the command's own streams take it; nobody's photo is blamed
        restore_paths([folder], tmp_path / "out", pipeline(), gone, surroundings=HERE)
    assert [photo["ok"] for photo in json.loads((tmp_path / "out" / "photos.json").read_text())["photos"]] == [True]


def test_files_that_are_no_photos_are_counted(folder: Path, tmp_path: Path) -> None:
    for name in ("notes.txt", "more.txt", "telephone.heic", ".hidden.png"):
        (folder / name).write_bytes(b"")
    record, _, _ = restore(folder, tmp_path / "out")
    ((given, reasons),) = record["left_out"].items()
    assert given == str(folder)
    assert sorted(entry["count"] for entry in reasons.values()) == [1, 1, 2]


# Large photos


def test_what_may_be_pasted_may_be_read(tmp_path: Path) -> None:
    """27 million pixels, more than a face crop may have; and one pixel row more than a photo may have."""
    large = np.full((4500, 6000, 3), 90, np.uint8)
    large[: PHOTO.shape[0], : PHOTO.shape[1]] = PHOTO
    (tmp_path / "in").mkdir()
    images.write_png(tmp_path / "in" / "a.png", large)
    header = struct.pack(">IIBBBBB", 10_000, 10_001, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "in" / "b.png").write_bytes(data + b"\0\0\0\x0bIDAT" + b"\0" * 100)
    run = Pipeline(scenes.Painter(laws.inverted), scenes.Known(FOUND))
    _, told, _ = restore(tmp_path / "in", tmp_path / "out", run)
    assert [ok for _, _, ok in told] == [True, False]
    assert "is 10000x10001, above the limit of 100000000 pixels" in told[1][1]
    twice = Pipeline(scenes.Painter(laws.inverted), scenes.Known(FOUND), upscale=2)
    _, told, _ = restore(tmp_path / "in", tmp_path / "larger", twice)
    assert "12000 x 9000 px restored is above the limit of 100000000 pixels" in told[0][1]


def test_a_photo_takes_a_bounded_number_of_bytes_for_each_pixel(tmp_path: Path) -> None:
    """The dearest kind: 16 bits with alpha. In float64 as a whole it would take 150 and more."""
    height, width = 1200, 1600
    colour = np.full((height, width, 3), 30_000, np.uint16)
    colour[: PHOTO.shape[0], : PHOTO.shape[1]] = PHOTO.astype(np.uint16) * 257
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.png"
    path.write_bytes(images.encode_png(colour, np.full((height, width), 60_000, np.uint16)))
    del colour
    run = Pipeline(scenes.Painter(laws.inverted), scenes.Known(FOUND))
    tracemalloc.start()
    try:
        record, _, _ = restore(tmp_path / "in", tmp_path / "out", run)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert record["photos"][0]["ok"]
    assert peak / (height * width) < 60


# Going on


def test_the_second_run_restores_nothing_and_says_so(folder: Path, tmp_path: Path) -> None:
    first, _, crops = restore(folder, tmp_path / "out")
    assert crops == ["a#0", "deep/b#0"]
    before = names_and_bytes(tmp_path / "out")
    second, told, crops = restore(folder, tmp_path / "out")
    assert crops == []
    assert [line.endswith("(by an earlier run)") for _, line, _ in told] == [True] * 3
    assert [ok for _, _, ok in told] == [True, True, False]
    assert second == first
    assert names_and_bytes(tmp_path / "out") == before


def test_a_stopped_run_goes_on(folder: Path, tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_paths([folder], tmp_path / "out", pipeline(), stop, surroundings=HERE)
    assert restore(folder, tmp_path / "out")[2] == ["deep/b#0"]
    whole = restore(folder, tmp_path / "whole")[0]
    assert whole["photos"] == json.loads((tmp_path / "out" / "photos.json").read_text())["photos"]


def changed_photo(folder: Path, out: Path) -> Pipeline:
    """Other pixels in a file of the same name, size and time."""
    path = folder / "a.png"
    time = path.stat().st_mtime_ns
    data = images.encode_png(OTHER)
    path.write_bytes(data)
    os.utime(path, ns=(time, time))
    return pipeline()


def changed_restorer(folder: Path, out: Path) -> Pipeline:
    class Newer(scenes.Painter):
        def provenance(self):
            return {"restorer": self.name, "weights_sha256": "other"}

    return Pipeline(Newer(laws.inverted), InColour(FOUND))


def changed_upscale(folder: Path, out: Path) -> Pipeline:
    return pipeline(upscale=2)


def changed_face(folder: Path, out: Path) -> Pipeline:
    return pipeline(face="largest")


def changed_batch_size(folder: Path, out: Path) -> Pipeline:
    return pipeline(batch_size=1)


def changed_output(folder: Path, out: Path) -> Pipeline:
    images.write_png(out / "a.png", PHOTO)
    return pipeline()


def removed_output(folder: Path, out: Path) -> Pipeline:
    (out / "a.png").unlink()
    return pipeline()


def changed_record(folder: Path, out: Path) -> Pipeline:
    path = out / "photos.json"
    path.write_text(path.read_text().replace('"faces_restored": 1', '"faces_restored": 2', 1))
    return pipeline()


def record_of_something_else(folder: Path, out: Path) -> Pipeline:
    (out / "photos.json").write_text("[" * 100_000)
    return pipeline()


BOTH = ["a#0", "deep/b#0"]


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (changed_photo, ["a#0"]),
        (changed_restorer, BOTH),
        (changed_upscale, BOTH),
        (changed_face, BOTH),
        (changed_batch_size, BOTH),
        (changed_output, ["a#0"]),
        (removed_output, ["a#0"]),
        (changed_record, ["a#0"]),
        (record_of_something_else, BOTH),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_came_from_something_else_is_restored_again(
    change, again: list[str], folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    restore(folder, out)
    run = change(folder, out)
    assert restore(folder, out, run)[2] == again
    fresh = replace(run, restorer=type(run.restorer)(run.restorer.paint))
    restore(folder, tmp_path / "fresh", fresh)
    assert names_and_bytes(out) == names_and_bytes(tmp_path / "fresh")


def test_other_surroundings_or_none_takes_nothing_over(folder: Path, tmp_path: Path) -> None:
    restore(folder, tmp_path / "out")
    assert restore(folder, tmp_path / "out", surroundings={"machine": "another"})[2] == BOTH
    assert restore(folder, tmp_path / "out", surroundings=None)[2] == BOTH
    assert restore(folder, tmp_path / "out", surroundings=None)[2] == BOTH


def test_a_face_that_failed_is_tried_again_and_an_empty_photo_is_not(folder: Path, tmp_path: Path) -> None:
    looked = []

    class Looks(InColour):
        def __call__(self, rgb):
            looked.append(rgb.shape)
            return super().__call__(rgb)

    class Fails:
        name = "painter"

        def __call__(self, degraded: ImageBatch) -> ImageBatch:
            raise RuntimeError("CUDA out of memory")

        def provenance(self):
            return {"restorer": self.name}

    first = restore_paths([folder], tmp_path / "out", Pipeline(Fails(), Looks(FOUND)), surroundings=HERE)
    assert [photo["ok"] for photo in first["photos"]] == [False] * 3
    looked.clear()
    run = Pipeline(scenes.Painter(laws.inverted), Looks(FOUND))
    assert restore(folder, tmp_path / "out", run)[2] == BOTH
    assert looked == [PHOTO.shape, PHOTO.shape], "the photo without a face was looked at again"


def test_photos_of_an_earlier_run_stay_in_the_record(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = restore_paths([folder / "a.png"], out, pipeline(), surroundings=HERE)
    second = restore_paths([folder / "deep" / "b.png"], out, pipeline(), surroundings=HERE)
    assert [photo["name"] for photo in second["photos"]] == ["b"]
    assert second["earlier"] == first["photos"]
    run = pipeline()
    restore_paths([folder / "a.png"], out, run, surroundings=HERE)
    assert restored_by(run) == []
    (out / "b.png").unlink()
    assert restore_paths([folder / "a.png"], out, pipeline(), surroundings=HERE)["earlier"] == []


def test_two_runs_into_one_folder_are_kept_apart(folder: Path, tmp_path: Path) -> None:
    def second(*_: object) -> None:
        with pytest.raises(GfpbenchError, match="another run restores photos into it"):
            restore_paths([folder], tmp_path / "out", pipeline(), surroundings=HERE)

    restore_paths([folder], tmp_path / "out", pipeline(), second, surroundings=HERE)
    assert sorted(names_and_bytes(tmp_path / "out")) == ["a.png", "deep/b.png", "photos.json"]


# Stale files


def blacken(path: Path) -> None:
    images.write_png(path, np.zeros_like(PHOTO))


def test_the_restored_photo_of_a_photo_that_fails_now_is_removed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    restore(folder, out)
    blacken(folder / "a.png")
    (folder / "deep" / "b.png").write_bytes(b"no image")
    record, told, _ = restore(folder, out)
    assert sorted(names_and_bytes(out)) == ["photos.json"]
    assert (
        told[0][1] == "0 faces restored (a grey photo); no face was found by known; a.png of an earlier run was removed"
    )
    assert told[1][1].endswith("; deep/b.png of an earlier run was removed")
    assert [photo["output"] for photo in record["photos"]] == [None, None, None]
    assert record["photos"][0]["problems"][-1] == "a.png of an earlier run was removed"


def test_a_file_from_elsewhere_is_named_and_left(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    restore(folder, out)
    blacken(folder / "a.png")
    images.write_png(out / "a.png", OTHER)  # somebody worked on it
    _, told, _ = restore(folder, out)
    assert "a.png lies there from elsewhere, is not this photo as restored now, and was left" in told[0][1]
    assert (read_rgb(out / "a.png") == OTHER).all()
    # And again, now that nothing else changes.
    assert "lies there from elsewhere" in restore(folder, out)[1][0][1]


def test_nothing_is_written_into_a_folder_of_photos(folder: Path, tmp_path: Path) -> None:
    before = names_and_bytes(folder)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "deep").symlink_to(folder / "deep")
    (folder / "deep" / "b.png").rename(folder / "deep" / "b.jpg")
    before = names_and_bytes(folder)
    for out in (folder / "restored", folder, tmp_path / "out"):
        with pytest.raises(BadInput, match=r"lies in|would be overwritten"):
            restore(folder, out)
    assert names_and_bytes(folder) == before


# Killed


def test_a_torn_journal_holds_what_was_whole(tmp_path: Path) -> None:
    record = Record(tmp_path)
    for number in range(3):
        record.add({"name": f"n{number}", "output": None, "text": "é\udcff"})
    journal = tmp_path / ".photos.jsonl"
    data = journal.read_bytes()
    ends = [at for at in range(len(data) + 1) if at == len(data) or data[at : at + 1] == b"\n"]
    for length in range(len(data) + 1):
        journal.write_bytes(data[:length])
        again = Record(tmp_path)
        assert not again.damaged
        known = [again.find(f"n{number}") is not None for number in range(3)]
        assert known == [length >= end for end in ends]
        again.add({"name": "later", "output": None, "text": ""})
        assert Record(tmp_path).find("later") is not None
    journal.write_bytes(data.replace(b"n1", b"n9", 1))
    assert Record(tmp_path).damaged


@pytest.mark.usefixtures("forked_processes")
def test_killed_at_any_moment_it_ends_in_the_same_bytes(tmp_path: Path) -> None:
    kills = int(child.run("tests.unit.photos.killed", "main", tmp_path, timeout=300).split()[-1])
    assert kills > 30, "there were not that many moments to be killed at"
