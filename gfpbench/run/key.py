"""What the numbers of a run came from, as one key; a finished case is reused while its key and files are unchanged."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gfpbench import codec, faces, images, results
from gfpbench.assets import ASSETS
from gfpbench.assets.store import expected_sha256
from gfpbench.devices import repeatable
from gfpbench.disk import write_whole
from gfpbench.process_guard import called
from gfpbench.restorers.checked import Seen, checked, is_opaque
from gfpbench.restorers.opened_files import changed_since
from gfpbench.results import dumps
from gfpbench.run.batches import ids_sha256, load_face
from gfpbench.run.environment import environment
from gfpbench.run.journal import changed_fields
from gfpbench.run.parts import Parts, identity, plain
from gfpbench.types import (
    BadInput,
    Case,
    FaceSet,
    ImageBatch,
    Json,
    Metric,
    OpensFiles,
    Problem,
    Restorer,
    Result,
    Row,
    TimeLimited,
    UnreadableFace,
)

RESULT = "result.json"
KEY = "key.json"
PROBED_FACES = 2
ALIGNED_PX = 512

_log = logging.getLogger("gfpbench")


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
        **({"metrics' code": code} if (code := code_of(parts.metrics)) else {}),
        **({"clean_faces_sha256": parts.clean_faces_sha256} if parts.clean_faces_sha256 is not None else {}),
        "restorer's files": dict(files_of(parts)),
        "seconds_per_image": limit,  # who is too slow has failed
        **records,
        "faces": identity(records["faces"]),
        "degradation": identity(records["degradation"]),
        "restorer": identity(records["restorer"]),
        "metrics": {name: results.metric_to_json(name, record) for name, record in records["metrics"].items()},
    }


def code_of(metrics: Iterable[Metric]) -> dict[str, Json]:
    """Module -> sha256 of the files of metrics that are not gfpbench's: no version says when these have changed."""
    makers = (maker for metric in metrics for maker in (type(metric), getattr(metric, "score", None)))
    modules = (getattr(maker, "__module__", None) for maker in makers)
    # Some compiled functions have None in place of a module's name.
    places = sorted({name for name in modules if isinstance(name, str)})
    return {name: sha256 for place in places for name, sha256 in _files_of_module(place).items()}


@functools.cache
def _files_of_module(name: str) -> Mapping[str, str]:
    """As they are when first asked for: a process goes on with the code that it has imported."""
    if name.partition(".")[0] == "gfpbench" or name not in sys.modules:
        return {}
    from gfpbench.restorers.own_modules import own_modules

    return own_modules(sys.modules[name])


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
    """Path -> sha256 of the files that a restorer was seen to read so far; none where it is not watched."""
    if restorer is None or not isinstance(restorer, OpensFiles):
        return {}
    what = f"the files of restorer {restorer.name!r}"
    return plain(called(what, lambda: dict(restorer.files_read())), what)


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
    found, what = dict[str, str](), f"restorer {restorer.name!r}"
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
            restored, failures = called(what, checked, restorer, images.moved(given, device), Seen())
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


def measured_faces_sha256(ids: Iterable[str], rows: Sequence[Row], problems: Sequence[Problem], kind: str) -> str:
    """The same hash of the faces that a Result was measured on, which are the images of that kind in its rows."""
    by_name = {row.id: row for row in rows}
    unreadable = {problem.subject: problem.reason for problem in problems if problem.stage == "faces"}
    digest = hashlib.sha256()
    for face_id in ids:
        row = by_name.get(face_id)
        if row is None:
            _add(digest, face_id, None, unreadable.get(face_id, ""))
        else:
            _add(digest, face_id, row.face_sha256, dict(row.attributes), dict(row.read.get(kind, {})))
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


@dataclass(frozen=True, slots=True)
class _Key:
    key: Mapping[str, Json]
    faces_sha256: str
    read: Mapping[str, str]
    files: Mapping[str, str]


def sign(folder: Path, key: Mapping[str, Json], faces_sha256: str, read: Mapping[str, str]) -> None:
    """Write ``key.json`` beside a Result that is complete: its key, its faces, and a hash of each of its files.

    Args:
        faces_sha256: of what the faces show, as ``faces_sha256`` tells.
        read: path -> sha256 of what the restorer read besides what the key says.
    """
    record = {"key": dict(key), "faces_sha256": faces_sha256, "read": dict(read), "files": _files(folder)}
    write_whole(folder / KEY, dumps(record) + "\n")


def finished(folder: Path, case: Case, parts: Parts, key: Mapping[str, Json]) -> Result | None:
    """The Result of a finished case, if everything it came from and every file of it is what it was; None otherwise.

    The faces are decoded once more, unless the caller knows the hash of what they were made from.

    Args:
        folder: of the case.
        key: what the case would come from now (``key_of``).
    """
    if not (folder / KEY).exists():
        return None
    try:
        record = codec.decode(_Key, codec.read(folder / KEY))
    except BadInput:
        _log.info("%s: measured again: %s is damaged", folder, KEY)
        return None
    reason = _differs(folder, case, parts, key, record)
    if reason is not None:
        _log.info("%s: measured again: %s", folder, reason)
        return None
    (result,) = results.read(folder / RESULT)
    records = parts.records()
    # Files that were left out of a folder are no part of the key, and have to be told as they are now.
    now = replace(result, faces=records["faces"], restorer=records["restorer"])
    if now != result:
        results.write([now], folder / RESULT)
        write_whole(folder / KEY, dumps({**asdict(record), "files": _files(folder)}) + "\n")
    return now


def _differs(folder: Path, case: Case, parts: Parts, key: Mapping[str, Json], record: _Key) -> str | None:
    if "restorer's answers" in key and not is_told_apart(key["restorer's answers"]):
        return "its restorer gives no answer to tell it by"
    plain_key = json.loads(dumps(dict(key)))
    if record.key != plain_key:
        return f"another {', '.join(changed_fields(dict(record.key), plain_key)) or 'key'}"
    if record.files != _files(folder):
        return "a file of it is gone or was changed"
    path = changed_since(record.read)
    if path is not None:
        return f"{path}, which the restorer read, has changed"
    faces = parts.clean_faces_sha256
    if record.faces_sha256 != (faces_sha256(parts.faces, parts.ids(case)) if faces is None else faces):
        return "the faces have changed"
    return None


def _files(folder: Path) -> dict[str, str]:
    """Name -> hash of the Result and of the images kept beside it."""
    paths = [folder / RESULT, *sorted((folder / "images").glob("*"))]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file()
    }
