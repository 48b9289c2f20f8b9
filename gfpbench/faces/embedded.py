"""The embedded face set: two public-domain portraits from scikit-image and matplotlib, FFHQ-aligned."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from gfpbench.decode import decode_rgb
from gfpbench.faces.align import Square, crop, ffhq_square, in_crop
from gfpbench.faces.manifest import Entry, read_manifest
from gfpbench.images import Bytes, from_uint8, pixels_sha256
from gfpbench.types import BadInput, Face, Json

DEFAULT_SIZE_PX = 128
MEAN_TOLERANCE = 0.5
"""Grey levels by which another JPEG decoder may move the mean of a channel; a wrong channel order moves it by more."""


class Embedded:
    """The embedded portraits at one size.

    The images hold faces of 174 and 327 pixels: at 512 px they are enlarged, so the truth is softer there than a
    512-px photograph. ``source()`` tells each face's own size. There are no more: of the images that scikit-image,
    matplotlib, SciPy, OpenCV, Pillow and the packages of the tests carry, no other shows a face of 64 px or more that
    is in the public domain (no detector finds one in scikit-image's photographer; its LFW subset is 25 px and grey).

    Args:
        size_px: side of the crops; 128 unless told, the size of the ``nano`` restorer.
        entries: which images; those of the manifest unless told.
    """

    name = "embedded"
    default_draws = 8  # two portraits are few: each is degraded in eight different ways

    def __init__(self, size_px: int | None = None, *, entries: tuple[Entry, ...] | None = None) -> None:
        self.size_px = DEFAULT_SIZE_PX if size_px is None else size_px
        self._entries = {entry.name: entry for entry in (read_manifest() if entries is None else entries)}
        self._loaded: dict[str, Face] = {}
        self._decoded_as_recorded: dict[str, bool] = {}

    def ids(self) -> tuple[str, ...]:
        """Names of the portraits, in alphabetical order."""
        return tuple(sorted(self._entries))

    def load(self, face_id: str) -> Face:
        """One aligned portrait, kept in memory once decoded.

        Raises:
            BadInput: for an unknown id, and where the installed file is not the recorded one.
        """
        if face_id not in self._entries:
            raise BadInput(f"no embedded face {face_id!r}: there are {', '.join(self.ids())}")
        if face_id not in self._loaded:
            entry = self._entries[face_id]
            image = decode_rgb(file_bytes(entry), f"{entry.package}/{entry.file}")
            self._decoded_as_recorded[face_id] = check_decoded(entry, image)
            self._loaded[face_id] = aligned_face(entry, image, self.size_px)
        return self._loaded[face_id]

    def source(self) -> Mapping[str, Json]:
        """Where the portraits come from; the files are hashed, and decoded if they were not yet."""
        faces = []
        for name in self.ids():
            self.load(name)
            entry = self._entries[name]
            faces.append(
                {
                    "id": name,
                    "subject": entry.subject,
                    "from": f"{entry.package}/{entry.file}",
                    "sha256": entry.sha256,
                    "decoded_as_recorded": self._decoded_as_recorded[name],
                    "licence": entry.licence,
                    "source": entry.source,
                    "own_side_px": round(ffhq_square(entry.landmarks).side_px, 1),
                }
            )
        files = "\n".join(f"{face['id']} {face['sha256']}" for face in faces)
        return {
            "name": self.name,
            "from": "scikit-image and matplotlib as installed, FFHQ alignment from fixtures/manifest.toml",
            "licence": "public domain",
            "count": len(faces),
            "size_px": self.size_px,
            "files_sha256": hashlib.sha256(files.encode()).hexdigest(),
            "faces": faces,
        }


def file_bytes(entry: Entry) -> bytes:
    """The file another package carries, checked against its recorded hash.

    Raises:
        BadInput: where the package or file is absent, or the file is another one than was recorded.
    """
    try:
        data = _beside(entry.package, entry.file)
    except (ImportError, OSError) as error:
        raise BadInput(
            f"the face {entry.name!r} is carried by {entry.distribution} as {entry.package}/{entry.file}, "
            f"which is not here: install {entry.distribution} from its wheel ({error})"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != entry.sha256:
        raise BadInput(
            f"{entry.package}/{entry.file} is not the recorded image of {entry.name!r}: sha256 {found[:12]}..., "
            f"expected {entry.sha256[:12]}...; reinstall {entry.distribution}"
        )
    return data


def _beside(package: str, file: str) -> bytes:
    """A file of an installed package, which is not imported for it: matplotlib takes a quarter of a second."""
    spec = importlib.util.find_spec(package)
    read = getattr(spec and spec.loader, "get_data", None)  # the loader of a zip file has it too
    if spec is None or not spec.submodule_search_locations or read is None:
        raise ModuleNotFoundError(f"No module named {package!r}")
    data: bytes = read(str(Path(spec.submodule_search_locations[0], file)))
    return data


def check_decoded(entry: Entry, image: Bytes) -> bool:
    """Whether the image decoded to exactly the recorded pixels; False where the JPEG decoder rounds otherwise.

    Raises:
        BadInput: where it is another image: other size, or a channel's mean off by over half a grey level.
    """
    if pixels_sha256(image) == entry.pixels_sha256:
        return True
    mean = tuple(float(image[..., channel].mean()) for channel in range(3))
    off = max(abs(got - expected) for got, expected in zip(mean, entry.mean_rgb, strict=True))
    if image.shape[:2] != entry.size_px or off > MEAN_TOLERANCE:
        raise BadInput(
            f"{entry.package}/{entry.file} did not decode to the recorded image of {entry.name!r}: "
            f"{image.shape[:2]} with mean RGB {[round(value, 2) for value in mean]}, expected {entry.size_px} with "
            f"{list(entry.mean_rgb)}"
        )
    return False


def aligned_face(entry: Entry, image: Bytes, size_px: int) -> Face:
    """Crop one decoded image to an aligned face of ``size_px``."""
    square = ffhq_square(entry.landmarks)
    rgb = _crop_of(_Decoded(pixels_sha256(image), image), square, size_px)
    points = in_crop(square, entry.landmarks, size_px)
    places = {"eye_left": points[36:42].mean(0), "eye_right": points[42:48].mean(0), "mouth": points[[48, 54]].mean(0)}
    landmarks = {name: [round(float(value), 3) for value in place] for name, place in places.items()}
    return Face(entry.name, from_uint8(rgb), {"subject": entry.subject, "landmarks_px": landmarks}, pixels_sha256(rgb))


@dataclass(frozen=True, slots=True)
class _Decoded:
    """An image that is told from others by the hash of its pixels."""

    sha256: str
    rgb: Bytes = field(compare=False, repr=False)


@lru_cache(maxsize=16)
def _crop_of(image: _Decoded, square: Square, size_px: int) -> Bytes:
    """``crop``, once for each process: every case on these portraits loads them anew, and cropping is most of that."""
    rgb = crop(image.rgb, square, size_px)
    rgb.flags.writeable = False
    return rgb
