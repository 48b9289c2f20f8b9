"""Small honest bugs in the faces, each of which one of the laws in tests/unit/faces has to notice."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from gfpbench import faces
from gfpbench.decode import containers, files, pillow
from gfpbench.decode import reader as decode
from gfpbench.decode import rgb as to_rgb
from gfpbench.decode.containers import collection, in_tar, in_zip
from gfpbench.faces import align, embedded, folder
from gfpbench.faces.align import Square, crop, ffhq_square
from gfpbench.faces.attributes import moved
from gfpbench.faces.embedded import Embedded
from gfpbench.faces.manifest import read_manifest
from gfpbench.types import BadInput, Face, FaceSet
from tests.unit.faces import laws, laws_attributes, test_folder
from tests.unit.faces import test_archive as archives

ASTRONAUT = read_manifest()[0]
IMAGE = decode.decode_rgb(embedded.file_bytes(ASTRONAUT), "astronaut")


def caught(check: Callable[..., None], *args: object) -> bool:
    """Whether a law notices: by its own assertion or because the code refuses."""
    try:
        check(*args)
    except (AssertionError, BadInput):
        return True
    return False


def cropping(change: Callable[[Square], Square]) -> Callable[..., np.ndarray]:
    def crop_of(image: np.ndarray, landmarks: Sequence[Sequence[float]], size_px: int) -> np.ndarray:
        return crop(image, change(ffhq_square(landmarks)), size_px)

    return crop_of


def same(square: Square) -> Square:
    return square


SQUARES: dict[str, Callable[[Square], Square]] = {
    "half a pixel to the right": lambda s: replace(s, centre=(s.centre[0] + 0.5, s.centre[1])),
    "half a pixel down": lambda s: replace(s, centre=(s.centre[0], s.centre[1] + 0.5)),
    "two per cent wider": lambda s: replace(
        s, right=(s.right[0] * 1.02, s.right[1] * 1.02), down=(s.down[0] * 1.02, s.down[1] * 1.02)
    ),
    "mirrored": lambda s: replace(s, right=(-s.right[0], -s.right[1])),
    "not turned": lambda s: replace(s, right=(s.side_px / 2, 0.0), down=(0.0, s.side_px / 2)),
    "transposed": lambda s: replace(s, right=s.down, down=s.right),
}


def test_the_honest_crop_passes() -> None:
    laws.check_places(cropping(same))
    laws.check_like_skimage(cropping(same), IMAGE, ASTRONAUT.landmarks)
    laws.check_turned(cropping(same), IMAGE, ASTRONAUT.landmarks)


@pytest.mark.parametrize("bug", SQUARES)
def test_a_wrong_square_is_seen_on_dots_and_on_a_real_face(bug: str) -> None:
    assert caught(laws.check_places, cropping(SQUARES[bug]))
    if bug != "not turned":  # the astronaut is nearly upright; that bug is for the turned copies
        assert caught(laws.check_like_skimage, cropping(SQUARES[bug]), IMAGE, ASTRONAUT.landmarks)
    else:
        assert caught(laws.check_turned, cropping(SQUARES[bug]), IMAGE, ASTRONAUT.landmarks)


def test_nearest_instead_of_cubic_sampling_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def nearest(rgb: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        rows = np.clip(np.rint(y), 0, rgb.shape[0] - 1).astype(int)
        return rgb[rows, np.clip(np.rint(x), 0, rgb.shape[1] - 1).astype(int)].astype(float)

    monkeypatch.setattr(align, "_cubic", nearest)
    assert caught(laws.check_like_skimage, cropping(same), IMAGE, ASTRONAUT.landmarks)


def test_sampling_without_antialiasing_is_seen() -> None:
    def crop_of(image: np.ndarray, landmarks: Sequence[Sequence[float]], size_px: int) -> np.ndarray:
        over = 4
        return crop(image, ffhq_square(landmarks), size_px * over)[over // 2 :: over, over // 2 :: over]

    assert caught(laws.check_like_skimage, crop_of, IMAGE, ASTRONAUT.landmarks)


def test_truncating_instead_of_rounding_is_seen() -> None:
    def crop_of(image: np.ndarray, landmarks: Sequence[Sequence[float]], size_px: int) -> np.ndarray:
        fine = crop(image, ffhq_square(landmarks), size_px * 2).reshape(size_px, 2, size_px, 2, 3)
        return fine.mean(axis=(1, 3)).astype(np.uint8)

    assert caught(laws.check_like_skimage, crop_of, IMAGE, ASTRONAUT.landmarks)


def with_landmarks(change: Callable[[np.ndarray], np.ndarray]) -> Embedded:
    def moved(landmarks: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
        return tuple((float(x), float(y)) for x, y in change(np.array(landmarks, dtype=float)))

    return Embedded(entries=tuple(replace(entry, landmarks=moved(entry.landmarks)) for entry in read_manifest()))


def swapped_eyes(points: np.ndarray) -> np.ndarray:
    points[36:48] = np.roll(points[36:48], 6, axis=0)
    return points


def one_eye_corner_off(points: np.ndarray) -> np.ndarray:
    points[36, 0] += 3
    return points


LANDMARKS = {
    "eyes swapped": swapped_eyes,
    "x and y swapped": lambda points: points[:, ::-1],
    "half a pixel off": lambda points: points + 0.5,
    "one corner of an eye 3 px off": one_eye_corner_off,
}


def test_the_honest_faces_pass() -> None:
    laws.check_embedded(Embedded())
    laws.check_crops_are_of_what_is_given(embedded.aligned_face, ASTRONAUT, IMAGE)
    laws.check_apart(lambda: Embedded(48))


@pytest.mark.parametrize("bug", LANDMARKS)
def test_wrong_landmarks_are_seen(bug: str) -> None:
    assert caught(laws.check_embedded, with_landmarks(LANDMARKS[bug]))


KEYS: dict[str, Callable[[Any, Square, int], object]] = {
    "the pixels": lambda image, square, size_px: (square, size_px),
    "the landmarks": lambda image, square, size_px: (image, size_px),
    "the size": lambda image, square, size_px: (image, square),
}


@pytest.mark.parametrize("forgotten", KEYS)
def test_a_crop_that_is_kept_for_another_is_seen(monkeypatch: pytest.MonkeyPatch, forgotten: str) -> None:
    kept: dict[object, np.ndarray] = {}
    made = embedded._crop_of
    monkeypatch.setattr(embedded, "_crop_of", lambda *asked: kept.setdefault(KEYS[forgotten](*asked), made(*asked)))
    assert caught(laws.check_crops_are_of_what_is_given, embedded.aligned_face, ASTRONAUT, IMAGE)


def test_faces_shared_by_two_sets_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, Face] = {}
    load = Embedded.load
    monkeypatch.setattr(Embedded, "load", lambda self, name: kept.setdefault(name, load(self, name)))
    assert caught(laws.check_apart, lambda: Embedded(48))


def test_swapped_eyes_are_refused_by_name() -> None:
    with pytest.raises(BadInput, match="left and right are swapped"):
        with_landmarks(swapped_eyes).load("astronaut")


def test_one_changed_byte_of_a_file_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = bytearray(embedded.file_bytes(ASTRONAUT))
    data[-5] ^= 1
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "astronaut.png").write_bytes(bytes(data))
    monkeypatch.setattr(embedded, "_beside", lambda package, file: (tmp_path / file).read_bytes())
    with pytest.raises(BadInput, match="is not the recorded image"):
        Embedded().load("astronaut")


@pytest.mark.parametrize(
    "bug",
    [
        lambda rgb: rgb[..., ::-1],
        lambda rgb: rgb[:, ::-1],
        lambda rgb: np.roll(rgb, 1, axis=1),
        lambda rgb: np.clip(rgb.astype(int) + 1, 0, 255).astype(np.uint8),
    ],
    ids=["BGR", "mirrored", "one pixel to the right", "one grey level brighter"],
)
def test_a_reader_with_a_bug_is_seen(monkeypatch: pytest.MonkeyPatch, bug: Callable[[np.ndarray], np.ndarray]) -> None:
    monkeypatch.setattr(
        embedded, "decode_rgb", lambda data, name: np.ascontiguousarray(bug(decode.decode_rgb(data, name)))
    )
    assert caught(laws.check_embedded, Embedded())


def test_bgr_is_refused_before_any_law_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "decode_rgb", lambda data, name: decode.decode_rgb(data, name)[..., ::-1].copy())
    with pytest.raises(BadInput, match="did not decode to the recorded image"):
        Embedded().load("grace_hopper")


def test_names_in_the_order_of_the_file_system_are_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / f"{name}.png")
    laws.check_order(folder.Folder(tmp_path).ids())
    monkeypatch.setattr(folder, "named", lambda root, files: {f.stem: f for f in sorted(files, reverse=True)})
    assert caught(laws.check_order, folder.Folder(tmp_path).ids())


def check_orientations(decode_bytes: Callable[[bytes, str], np.ndarray]) -> None:
    """All eight EXIF orientations come out as Pillow turns them."""
    from PIL import ImageOps

    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG", exif=exif)
        with Image.open(stream) as image:
            expected = np.asarray(ImageOps.exif_transpose(image))
        assert np.array_equal(decode_bytes(stream.getvalue(), "x"), expected), f"orientation {orientation}"


@pytest.mark.parametrize(("one", "other"), [(6, 8), (5, 7), (2, 4), (3, 1)])
def test_confused_orientations_are_seen(monkeypatch: pytest.MonkeyPatch, one: int, other: int) -> None:
    check_orientations(decode.decode_rgb)
    honest = to_rgb.oriented
    confused = {one: other, other: one}

    def confusing(values: Any, number: int) -> Any:
        return honest(values, confused.get(number, number))

    monkeypatch.setattr(to_rgb, "oriented", confusing)
    assert caught(check_orientations, decode.decode_rgb)


def check_deep(decode_bytes: Callable[[bytes, str], np.ndarray]) -> None:
    """16-bit values become the nearest of v / 257."""
    import cv2

    values = np.random.default_rng(0).integers(0, 65536, (40, 50, 3), dtype=np.uint16)
    data = cv2.imencode(".png", values[..., ::-1])[1].tobytes()
    assert np.array_equal(decode_bytes(data, "x"), ((values.astype(int) + 128) // 257))


def test_cutting_16_bits_to_8_instead_of_rounding_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    check_deep(decode.decode_rgb)
    monkeypatch.setattr(pillow, "_is_deep_colour_png", lambda data: False)  # Pillow's own reading
    assert caught(check_deep, decode.decode_rgb)


def _entry(change: Callable[[containers.Entry], containers.Entry]) -> Callable[[pytest.MonkeyPatch], None]:
    def sabotage(monkeypatch: pytest.MonkeyPatch) -> None:
        honest = in_tar.InTar.entries
        monkeypatch.setattr(in_tar.InTar, "entries", lambda self: map(change, honest(self)))

    return sabotage


def _follows_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarfile.TarInfo, "isreg", lambda self: True)


def _one_byte_on(entry: containers.Entry) -> containers.Entry:
    start, length = cast("tuple[int, int]", entry.key)
    return replace(entry, key=(start + 1, length))


def _last_shard_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "told_apart", lambda where, names: {name[0]: key for key, name in names.items()})


def _in_the_order_of_the_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = files.told_apart

    def unsorted(where: str, names: Any) -> Any:
        found = honest(where, names)
        return {name: found[name] for name in sorted(found, key=lambda one: found[one])}

    monkeypatch.setattr(collection, "told_apart", unsorted)


def _breaks_off_unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = in_tar.InTar.entries

    def shorter(self: in_tar.InTar) -> Iterator[containers.Entry]:
        with suppress(containers.ContainerBroken):
            yield from honest(self)

    monkeypatch.setattr(in_tar.InTar, "entries", shorter)


def _length_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = in_zip.InZip.entries
    monkeypatch.setattr(in_zip.InZip, "entries", lambda self: (replace(one, length=None) for one in honest(self)))


def _climbs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_tar, "named_inside", lambda name: name)


ARCHIVES: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[Path], None]]] = {
    "an image from the byte after": (
        _entry(_one_byte_on),
        lambda to: archives.test_an_archive_is_the_folder_that_was_packed("tar", faces_of(to), to),
    ),
    "not in the order of names": (
        _in_the_order_of_the_archive,
        lambda to: archives.test_an_archive_is_the_folder_that_was_packed("tar", faces_of(to), to),
    ),
    "links followed": (_follows_links, archives.test_links_and_devices_are_left_out),
    "paths that climb out": (_climbs_out, lambda to: archives.test_paths_that_lead_out_are_left_out("tar", to)),
    "the last shard wins": (_last_shard_wins, archives.test_a_name_in_two_shards_leads_with_its_shard),
    "a shard that breaks off": (_breaks_off_unsaid, archives.test_a_broken_shard_is_an_image_that_cannot_be_read),
    "a bomb unpacked": (_length_not_looked_at, archives.test_a_bomb_is_refused_before_it_is_unpacked),
}


def faces_of(to: Path) -> FaceSet:
    return faces.load(archives.folder_of(archives.FILES, to / "folder"))


@pytest.mark.parametrize("bug", ARCHIVES)
def test_a_reader_of_archives_with_a_bug_is_seen(bug: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sabotage, law = ARCHIVES[bug]
    (tmp_path / "honest").mkdir()
    (tmp_path / "broken").mkdir()
    law(tmp_path / "honest")
    sabotage(monkeypatch)
    with pytest.raises((AssertionError, BadInput, pytest.fail.Exception)):
        law(tmp_path / "broken")


IS_BLANK = folder.is_blank
BLANK: dict[str, tuple[str, object]] = {
    "black for a face": ("BLANK_LEVELS", -1),
    "JPEG's traces for a face": ("BLANK_LEVELS", 1),
    "a dark face for black": ("BLANK_LEVELS", 8),
    "every eighth row alone": ("is_blank", lambda rgb: IS_BLANK(rgb[::8])),
    "white for a face": ("is_blank", lambda rgb: rgb.max() <= folder.BLANK_LEVELS),
    "grey for a blank": ("is_blank", lambda rgb: np.ptp(rgb, axis=(0, 1)).max() <= folder.BLANK_LEVELS),
}


@pytest.mark.parametrize("bug", BLANK)
def test_taking_a_blank_for_a_face_or_a_face_for_a_blank_is_seen(
    bug: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    test_folder.test_a_blank_image_is_no_face(tmp_path / "honest")
    monkeypatch.setattr(folder, *BLANK[bug])
    with pytest.raises((AssertionError, BadInput, pytest.fail.Exception)):
        test_folder.test_a_blank_image_is_no_face(tmp_path / "broken")


def along_one_alone(w: Any, mean: Any, vectors: Any, wanted: Any) -> Any:
    """As if the directions were at right angles: a smile comes with glasses."""
    for name, place in wanted.items():
        w = w + (place - (w - mean) @ vectors[name]) * vectors[name]
    return w


def from_the_origin(w: Any, mean: Any, vectors: Any, wanted: Any) -> Any:
    return moved(w, 0 * mean, vectors, wanted)


def by_so_much(w: Any, mean: Any, vectors: Any, wanted: Any) -> Any:
    """A step in place of a place: who wears glasses already gets a second pair."""
    return moved(w, mean, vectors, {name: place + (w - mean) @ vectors[name] for name, place in wanted.items()})


def to_the_mean(w: Any, mean: Any, vectors: Any, wanted: Any) -> Any:
    """Nothing of the face stays."""
    return moved(mean, mean, vectors, wanted)


@pytest.mark.parametrize(
    "broken", [along_one_alone, from_the_origin, by_so_much, to_the_mean], ids=lambda f: f.__name__
)
def test_a_face_moved_otherwise_is_seen(broken: Callable[..., Any]) -> None:
    assert not any(caught(law, moved) for law in laws_attributes.LAWS)
    assert any(caught(law, broken) for law in laws_attributes.LAWS)
