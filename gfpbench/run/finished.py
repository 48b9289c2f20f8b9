"""Reuse of a finished case: valid while its key and all of its files are unchanged."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gfpbench import codec, results
from gfpbench.disk import write_whole
from gfpbench.restorers.opened_files import changed_since
from gfpbench.results import dumps
from gfpbench.run.journal import changed_fields
from gfpbench.run.key import faces_sha256, is_told_apart, measured_faces_sha256
from gfpbench.run.parts import Parts
from gfpbench.types import BadInput, Case, Json, Result

RESULT = "result.json"
KEY = "key.json"

_log = logging.getLogger("gfpbench")


@dataclass(frozen=True, slots=True)
class _Key:
    key: Mapping[str, Json]
    faces_sha256: str
    read: Mapping[str, str]
    files: Mapping[str, str]


def sign(
    folder: Path, case: Case, parts: Parts, key: Mapping[str, Json], result: Result, read: Mapping[str, str]
) -> None:
    """Write ``key.json`` beside a Result that is complete: its key, its faces, and a hash of each of its files.

    Args:
        read: path -> sha256 of what the restorer read besides what the key says.
    """
    faces = parts.clean_faces_sha256
    if faces is None:
        faces = measured_faces_sha256(parts.ids(case), result.rows, result.problems)
    record = {"key": dict(key), "faces_sha256": faces, "read": dict(read), "files": _files(folder)}
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
