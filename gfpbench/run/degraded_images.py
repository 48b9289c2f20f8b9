"""Writes the degraded images of a run to a folder, to be restored by another tool."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gfpbench import codec, images
from gfpbench.degraded import (
    LOCK,
    MANIFEST,
    SCHEMA,
    UNFINISHED,
    DegradedImage,
    Manifest,
    file_of,
    find_manifest,
    image_from_json,
    manifest_text,
)
from gfpbench.disk import disk, write_whole
from gfpbench.lazy import LazyModule
from gfpbench.results import dumps
from gfpbench.run import engine
from gfpbench.run.batches import batches
from gfpbench.run.environment import environment
from gfpbench.run.input_folders import refuse_inside_inputs
from gfpbench.run.journal import locked
from gfpbench.run.parts import Parts, plain
from gfpbench.types import BadInput, Case, Face, ImageBatch, Json, Problem, Progress

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

VERSIONS = ("gfpbench", "code_sha256", "numpy", "opencv", "torch")
"""What of the environment the bytes of a degraded image depend on."""


def write_degraded(
    case: Case,
    parts: Parts,
    to: Path,
    *,
    truth_to: Path | None = None,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> Manifest:
    """Write every degraded image of a case as PNG, and then ``degraded.json``.

    An image is ``ID.png``, in folders where its id names some; ``--faces`` and ``outputs:`` read such a folder under
    the same ids. A run that was stopped goes on where it was; a folder that is complete is checked, and what was lost
    or changed in it is made again.

    Args:
        case: its restorer does not matter.
        parts: of the case.
        to: a folder that is empty or not there yet, or one that the same case began to fill.
        truth_to: likewise, for the clean faces.
        batch_size: faces degraded at once; changes nothing but the time.
        progress: told how many faces are done.

    Raises:
        BadInput: where a folder holds something else, or the faces; where not one face can be read.
        GfpbenchError: where a part breaks its contract, another process fills the folder, or the disk refuses.
    """
    ids = parts.ids(case)
    _refuse_inputs(case, to, truth_to)
    with disk(to):
        to.mkdir(parents=True, exist_ok=True)
        with locked(to):
            folder = _Folder(to, truth_to, _made(case, parts))
            known = folder.begun()
            written: dict[str, DegradedImage] = {}
            problems: list[Problem] = []
            for batch in batches(parts.faces, ids, batch_size):
                problems += batch.unreadable
                parameters = {
                    face.id: engine.drawn(parts.degradation, [face.id], case.seed, _size(face))[0]
                    for face in batch.faces
                }
                kept = {
                    face.id: known[face.id]
                    for face in batch.faces
                    if face.id in known and folder.still_holds(known[face.id], face, parameters[face.id])
                }
                missing = [face for face in batch.faces if face.id not in kept]
                new, failed = _degraded(missing, parts, case.seed)
                written |= kept | folder.add(missing, new, parameters)
                problems += failed
                if progress is not None:
                    progress(batch.stop, len(ids), f"{case.faces} degraded by {case.degradation}")
            if not written:
                reasons = "; ".join(f"{problem.subject}: {problem.reason}" for problem in problems[:3])
                raise BadInput(f"faces {case.faces!r}: not one of {len(ids)} can be degraded ({reasons})")
            folder.finished([written[one] for one in ids if one in written], problems)
    found = find_manifest(to)
    assert found is not None
    return found


def degraded_folder(report: Path, case: Case) -> Path:
    """Where a run that keeps everything leaves the degraded images of a case: the same for all of its restorers."""
    return report / replace(case, restorer="degraded").id


def _degraded(faces: Sequence[Face], parts: Parts, seed: int) -> tuple[dict[str, images.Bytes], Sequence[Problem]]:
    """The degraded images of some faces of one size, by name, and why others have none."""
    if not faces:
        return {}, ()
    truth = ImageBatch(torch.stack([face.pixels for face in faces]), tuple(face.id for face in faces))
    degraded, problems = engine.degrade_alone(parts.degradation, truth, seed)
    return {} if degraded is None else dict(zip(degraded.ids, images.to_rgb_arrays(degraded), strict=True)), problems


@dataclass(frozen=True, slots=True)
class _Header:
    schema: str
    made: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class _Folder:
    """The folder while it is filled."""

    to: Path
    truth_to: Path | None
    made: Mapping[str, Json]

    def begun(self) -> dict[str, DegradedImage]:
        """What was written before, by name. Raises BadInput where the folder holds anything else."""
        listed = self._listed()
        others = [path.name for path in sorted(self.to.iterdir()) if path.name != LOCK]
        if listed is None and others:
            raise BadInput(f"{self.to}: is not empty ({others[0]}, no {MANIFEST}): give a folder of its own")
        known = {} if listed is None else listed
        fresh = not any(image.truth_file_sha256 for image in known.values())
        if self.truth_to is not None and fresh and self.truth_to.exists() and any(self.truth_to.iterdir()):
            raise BadInput(f"{self.truth_to}: is not empty: give the clean faces a folder of their own")
        lines = [{"schema": SCHEMA, "made": dict(self.made)}, *map(asdict, known.values())]
        write_whole(self.to / UNFINISHED, "".join(f"{dumps(line)}\n" for line in lines))
        return known

    def _listed(self) -> dict[str, DegradedImage] | None:
        """What an earlier call lists, finished or not; None where there was none."""
        path = self.to / UNFINISHED
        if not path.exists():
            manifest = find_manifest(self.to)
            if manifest is None:
                return None
            self._refuse_other(manifest.made)
            return {image.id: image for image in manifest.images}
        header, *lines = path.read_bytes().split(b"\n")
        try:
            begun = codec.decode(_Header, codec.parse(header))
        except BadInput as error:
            raise BadInput(f"{path}: is damaged; remove the folder and begin again") from error
        self._refuse_other(begun.made)
        found = {}
        for line in lines:
            try:
                image = image_from_json(codec.parse(line), "image")
            except BadInput:  # torn when the process was killed: made again
                continue
            found[image.id] = image
        return found

    def _refuse_other(self, before: Mapping[str, Json]) -> None:
        differing = sorted(name for name in {*before, *self.made} if before.get(name) != self.made.get(name))
        if differing:
            raise BadInput(
                f"{self.to}: holds images that were made otherwise (what differs: {', '.join(differing)}): "
                "give another folder, or remove this one"
            )

    def still_holds(self, image: DegradedImage, face: Face, parameters: Mapping[str, Json]) -> bool:
        """Whether an image was made from this face with these parameters, and its files are as they were written."""
        if image.face_sha256 != face.sha256 or image.parameters != parameters:
            return False
        if _file_sha256(self.to / image.file) != image.file_sha256:
            return False
        if self.truth_to is None:
            return True
        return image.truth_file_sha256 is not None and (
            _file_sha256(self.truth_to / image.file) == image.truth_file_sha256
        )

    def add(
        self,
        faces: Sequence[Face],
        degraded: Mapping[str, images.Bytes],
        parameters: Mapping[str, Mapping[str, Json]],
    ) -> dict[str, DegradedImage]:
        """Write images, and note them once they are there."""
        added = {}
        for face in faces:
            if face.id not in degraded:
                continue
            file, rgb, truth_sha256 = file_of(face.id), degraded[face.id], None
            images.write_png(self.to / file, rgb)
            if self.truth_to is not None:
                clean = images.to_rgb_arrays(ImageBatch(face.pixels[None], (face.id,)))[0]
                images.write_png(self.truth_to / file, clean)
                truth_sha256 = _file_sha256(self.truth_to / file)
            height, width = _size(face)
            added[face.id] = DegradedImage(
                id=face.id,
                file=file,
                height_px=height,
                width_px=width,
                face_sha256=face.sha256,
                sha256=images.pixels_sha256(rgb),
                file_sha256=_file_sha256(self.to / file) or "",
                parameters=parameters[face.id],
                truth_file_sha256=truth_sha256,
            )
        with (self.to / UNFINISHED).open("a", encoding="utf-8") as file_of_lines:
            file_of_lines.writelines(dumps(asdict(image)) + "\n" for image in added.values())
        return added

    def finished(self, listed: Sequence[DegradedImage], problems: Sequence[Problem]) -> None:
        """Write the manifest: the folder is complete."""
        write_whole(self.to / MANIFEST, manifest_text(self.made, listed, problems))
        (self.to / UNFINISHED).unlink()


def _made(case: Case, parts: Parts) -> dict[str, Json]:
    """What all images of a folder have in common."""
    versions = environment("cpu")
    record = {
        "faces": case.faces,
        "degradation": case.degradation,
        "seed": case.seed,
        "size_px": case.size_px,
        "draws": case.draws,
        "limit": case.limit,
        "faces_record": plain(parts.faces.source(), "the faces' source"),
        "degradation_record": plain(parts.degradation.describe(), "the degradation's description"),
        "versions": {name: versions[name] for name in VERSIONS},
    }
    return plain(record, "the record of the degraded images")


def _refuse_inputs(case: Case, to: Path, truth_to: Path | None) -> None:
    """Nothing is written into the faces, nor clean and degraded faces into one folder. Raises BadInput."""
    for folder in (to, truth_to):
        if folder is not None:
            refuse_inside_inputs(case, folder)
            if folder.exists() and not folder.is_dir():
                raise BadInput(f"{folder}: is a file; give a folder")
    if truth_to is not None:
        one, other = to.expanduser().resolve(), truth_to.expanduser().resolve()
        if one == other or one in other.parents or other in one.parents:
            raise BadInput(f"{to} and {truth_to}: one lies in the other; give each a folder of its own")


def _size(face: Face) -> tuple[int, int]:
    return int(face.pixels.shape[1]), int(face.pixels.shape[2])


def _file_sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
