"""The provenance key of a run: stored work is reused only while every input is unchanged."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from gfpbench import faces, images, results
from gfpbench.assets import ASSETS
from gfpbench.assets.store import expected_sha256
from gfpbench.devices import repeatable
from gfpbench.restorers.checked import Seen, checked, is_opaque
from gfpbench.results import dumps
from gfpbench.run.batches import ids_sha256, load_face
from gfpbench.run.environment import environment
from gfpbench.run.parts import Parts, identity, plain
from gfpbench.types import (
    Case,
    FaceSet,
    ImageBatch,
    Json,
    OpensFiles,
    Problem,
    Restorer,
    Row,
    TimeLimited,
    UnreadableFace,
)

PROBED_FACES = 2
ALIGNED_PX = 512


def key_of(case: Case, parts: Parts, *, device: str, batch_size: int, keep_images: int) -> dict[str, Json]:
    """The case, every part's record, the machine, the code, the packages; of an opaque restorer also what it answers.

    What the faces show is not in it: a face is compared with its own row where that is reused.

    Raises:
        BadInput: as ``Parts.records`` and ``Parts.ids`` do.
    """
    records = parts.records()
    answers = parts.answers
    if answers is None and parts.restorer is not None and is_opaque(parts.restorer):
        answers = answers_of(parts.restorer, parts.faces, parts.ids(case), device)
    restorer = parts.restorer
    limit = restorer.seconds_per_image if restorer is not None and isinstance(restorer, TimeLimited) else None
    return {
        "schema": results.SCHEMA,
        "case": asdict(case),
        "ids_sha256": ids_sha256(parts.ids(case)),
        "environment": environment(device),
        "packages": packages(),
        "assets_sha256": _assets_sha256(),
        "unavailable": dict(parts.unavailable),
        "batch_size": batch_size,
        "keep_images": keep_images,
        **({"restorer's answers": dict(answers)} if answers is not None else {}),
        **({"clean_faces_sha256": parts.clean_faces_sha256} if parts.clean_faces_sha256 is not None else {}),
        "restorer's files": dict(files_of(parts)),
        "seconds_per_image": limit,  # who is too slow has failed
        **records,
        "faces": identity(records["faces"]),
        "degradation": identity(records["degradation"]),
        "restorer": identity(records["restorer"]),
        "metrics": {name: results.metric_to_json(name, record) for name, record in records["metrics"].items()},
    }


def surroundings(restorer: Restorer, device: str) -> dict[str, Json] | None:
    """What restored photos come from besides the photos and the pipeline's record: machine, code, packages, weights.

    Of an opaque restorer also what it answers for the embedded faces at the size of an aligned face. None where it
    gives no answer: then nothing says whether it is still the same.
    """
    record: dict[str, Json] = {
        "environment": environment(device),
        "packages": dict(packages()),
        "assets_sha256": _assets_sha256(),
    }
    if is_opaque(restorer):
        embedded = faces.load("embedded", size_px=ALIGNED_PX, draws=1)
        answers = answers_of(restorer, embedded, embedded.ids(), device)
        if not is_told_apart(answers):
            return None
        record["restorer's answers"] = dict(answers)
    return record


def read_by(restorer: Restorer | None) -> Mapping[str, str]:
    """Path -> sha256 of the files that a restorer was seen to read so far; none where nobody watches."""
    return restorer.files_read() if restorer is not None and isinstance(restorer, OpensFiles) else {}


def files_of(parts: Parts) -> Mapping[str, str]:
    """Those that it read before its first batch: while it was imported and built, and for its answers."""
    return read_by(parts.restorer) if parts.files is None else parts.files


def is_told_apart(answers: Mapping[str, str]) -> bool:
    """Whether a restorer gave an answer at all; where it gave none, nothing says whether it is still the same."""
    return any(re.fullmatch(r"[0-9a-f]{64}", answer) for answer in answers.values())


def answers_of(restorer: Restorer, face_set: FaceSet, ids: Sequence[str], device: str) -> dict[str, str]:
    """What a restorer makes of the first faces that can be read, each at a quarter of its resolution: a hash for each.

    The input is fixed by the faces alone, so that answers at different degradations are one and the same. A face that
    it cannot restore has the reason in place of a hash. Costs two restorations.
    """
    found: dict[str, str] = {}
    for face_id in ids:
        if len(found) == PROBED_FACES:
            break
        try:
            face = load_face(face_set, face_id)
        except UnreadableFace:
            continue
        clean = ImageBatch(face.pixels[None].clone().cpu(), (face_id,))
        height, width = clean.size
        coarse = images.quantized(images.resized(clean, (max(1, height // 4), max(1, width // 4))))
        given = images.quantized(images.resized(coarse, clean.size))
        with repeatable():
            restored, failures = checked(restorer, images.moved(given, device), Seen())
        if restored is None:
            found[face_id] = failures[face_id]
        else:
            found[face_id] = images.pixels_sha256(images.to_rgb_arrays(images.moved(restored, "cpu"))[0])
    return found


def faces_sha256(face_set: FaceSet, ids: Sequence[str]) -> str:
    """Hash of what the faces show, what is known of them and how they were read; of the reason where one cannot be."""
    digest = hashlib.sha256()
    for face_id in ids:
        try:
            face = load_face(face_set, face_id)
        except UnreadableFace as error:
            _add(digest, face_id, None, str(error))
        else:
            known = plain(face.attributes, f"the attributes of face {face_id!r}")
            _add(digest, face_id, face.sha256, known, plain(face.read, f"how {face_id!r} was read"))
    return digest.hexdigest()


def measured_faces_sha256(ids: Iterable[str], rows: Sequence[Row], problems: Sequence[Problem]) -> str:
    """The same hash of the faces that a Result was measured on."""
    by_name = {row.id: row for row in rows}
    unreadable = {problem.subject: problem.reason for problem in problems if problem.stage == "faces"}
    digest = hashlib.sha256()
    for face_id in ids:
        row = by_name.get(face_id)
        if row is None:
            _add(digest, face_id, None, unreadable.get(face_id, ""))
        else:
            _add(digest, face_id, row.face_sha256, dict(row.attributes), dict(row.read.get("truth", {})))
    return digest.hexdigest()


def _add(digest: hashlib._Hash, *parts: Json) -> None:
    digest.update((dumps(list(parts)) + "\n").encode())


@functools.cache
def packages() -> Mapping[str, str]:
    """The versions of whatever gfpbench may use and is installed here: a metric is what its package computes."""
    try:
        wanted = importlib.metadata.requires("gfpbench") or []
    except importlib.metadata.PackageNotFoundError:  # run from a folder that was never installed
        return {}
    versions = {}
    for requirement in wanted:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            versions[name.lower()] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed
    return dict(sorted(versions.items()))


def _assets_sha256() -> str:
    """Of the hashes of all assets, those included that were pinned on first use."""
    pinned = {name: expected_sha256(asset) for name, asset in sorted(ASSETS.items())}
    return hashlib.sha256(dumps(pinned).encode()).hexdigest()
