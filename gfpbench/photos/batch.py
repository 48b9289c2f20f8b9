"""Restores many photos: errors are kept per photo, and an interrupted run can be resumed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import gfpbench
from gfpbench.decode import Limits, read
from gfpbench.decode.files import printable
from gfpbench.disk import DiskRefused, alone, disk, sweep
from gfpbench.photos.canvas import canvas_of
from gfpbench.photos.output import write_photo
from gfpbench.photos.paths import Source, photos_in
from gfpbench.photos.photo import MAXIMUM_PIXELS, Pipeline, restore_photo
from gfpbench.photos.record import RECORD, SCHEMA, Record
from gfpbench.types import GfpbenchError, Json

LIMITS = Limits(maximum_pixels=MAXIMUM_PIXELS, maximum_file_bytes=2**30)
"""Of a photo that is read: as many pixels as may be written, with room for 16 bits and alpha without compression."""
Told = Callable[[str, str, bool], None]
"""Told of each photo when it is done: its name, a line about it, whether all is well."""

_LOCK = ".photos.lock"
_DISK_IS_GONE = frozenset({errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO})


def restore_paths(
    paths: Sequence[Path],
    out: Path,
    pipeline: Pipeline,
    told: Told | None = None,
    *,
    surroundings: Mapping[str, Json] | None = None,
) -> dict[str, Json]:
    """Restore photos into ``out / name.png`` and write ``out / photos.json``, also where it is interrupted.

    A photo that an earlier run restored is not restored again while everything its restored photo came from is the
    same: the bytes of the photo, the pipeline, its surroundings, and the restored file itself. A run that was killed
    leaves no half-written photo and no record of one, and ends in the same bytes when it is started again.

    Where a photo has no restored face any more, the restored photo that an earlier run wrote for it is removed.

    Args:
        paths: photos and folders of photos. A photo in a folder is named by its path below it, without the suffix.
        out: a folder, made where it is not there; not one of, nor in, the folders of photos.
        pipeline: the restorer, the detector, which faces are restored and how they are pasted.
        told: called after each photo.
        surroundings: what the photos depend on besides, such as versions and the device; without it nothing of an
            earlier run is taken over.

    Returns:
        What was written to ``photos.json``: the pipeline's record and, for each photo, its faces and problems. A photo
        of which no face was restored has no ``output``, and nothing is written for it.

    Raises:
        BadInput: where a path is no photo and no folder with photos, two photos have one name, ``out`` is a file, lies
            among the photos or would overwrite one.
        DiskRefused: where the disk is full or refuses everything.
        GfpbenchError: where another run restores into ``out``.
    """
    given = photos_in(paths, out)
    head: dict[str, Json] = {
        "gfpbench": gfpbench.__version__,
        "made_by": None if surroundings is None else _made_by(pipeline, surroundings),
        "pipeline": pipeline.record(),
        "surroundings": None if surroundings is None else dict(surroundings),
        "left_out": dict(given.left_out),
    }
    with ExitStack() as stack:
        with disk(out):
            out.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone(out / _LOCK, f"{out}: another run restores photos into it", keep=False))
            sweep(out, locked=True)
            record = Record(out)
        if record.damaged and told is not None:
            told(RECORD, "is damaged: photos that it does not vouch for are restored again", False)
        batch = _Batch(out, pipeline, head["made_by"], record)
        try:
            for source in given.sources:
                entry = batch.entry_of(source)
                if told is not None:
                    told(source.name, entry["line"], bool(entry["ok"]))
        finally:
            written = record.write(head)
    return written


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """What one run does with each photo."""

    out: Path
    pipeline: Pipeline
    made_by: str | None
    record: Record

    def entry_of(self, source: Source) -> dict[str, Json]:
        """What became of a photo: taken over from an earlier run, or found out now."""
        earlier = self.record.find(source.name)
        if earlier is not None and self._still_holds(source, earlier):
            self.record.keep(source.name)
            return {**earlier, "line": f"{earlier['line']} (by an earlier run)"}
        entry = self._new(source)
        entry = self._without_stale(source, entry, earlier) if entry["output"] is None else entry
        self.record.add(entry)
        return entry

    def _still_holds(self, source: Source, earlier: Mapping[str, Json]) -> bool:
        """Whether nothing that an entry came from has changed, and the restored photo is the one that was written."""
        if self.made_by is None or earlier.get("made_by") != self.made_by or earlier.get("final") is not True:
            return False
        if earlier.get("input_sha256") is None or earlier["input_sha256"] != _sha256_of(source.path):
            return False
        if earlier.get("output") is None:
            return not os.path.lexists(self.out / source.output)
        written = _sha256_of(self.out / source.output)
        return earlier["output"] == source.output and earlier.get("output_sha256") == written

    def _new(self, source: Source) -> dict[str, Json]:
        entry: dict[str, Json] = {
            "name": source.name,
            "file": printable(str(source.path)),
            "input_sha256": None,
            "made_by": self.made_by,
            "restorer": self.pipeline.restorer.name,
            "output": None,
            "output_sha256": None,
            "final": False,
        }
        try:
            decoded = read(source.path, LIMITS)
            entry["input_sha256"] = decoded.sha256
            result = restore_photo(decoded.rgb, self.pipeline, source.name, canvas=canvas_of(decoded))
            done = {**result.to_json(), "read": decoded.record(), "line": result.line()}
            json.dumps(done, allow_nan=False)  # a detector may say anything
            if result.whole is not None:
                target = self.out / source.output
                done["written"] = write_photo(target, result.whole, decoded)
                done |= {"output": source.output, "output_sha256": _sha256_of(target)}
                left_out = done["written"]["left_out"]
                done["line"] += f"; left out: {', '.join(left_out)}" if left_out else ""
            final = not any(face.state == "failed" for face in result.faces)
            return {**entry, **done, "final": final}
        except Exception as error:
            if isinstance(error, DiskRefused) and _disk_is_gone(error):
                raise
            line = str(error) if isinstance(error, GfpbenchError) else _line(source.name, error)
            return {**entry, "ok": False, "faces": [], "problems": [line], "line": line}

    def _without_stale(
        self, source: Source, entry: dict[str, Json], earlier: Mapping[str, Json] | None
    ) -> dict[str, Json]:
        """Remove the restored photo that an earlier run wrote, or name one that lies there from elsewhere."""
        target = self.out / source.output
        if not os.path.lexists(target):
            return entry
        own = earlier is not None and earlier.get("output") == source.output
        if own and earlier is not None and earlier.get("output_sha256") == _sha256_of(target):
            with disk(target):
                target.unlink()
            note = f"{source.output} of an earlier run was removed"
        else:
            note = f"{source.output} lies there from elsewhere, is not this photo as restored now, and was left"
        return {**entry, "problems": [*entry["problems"], note], "line": f"{entry['line']}; {note}"}


def _disk_is_gone(error: DiskRefused) -> bool:
    """Whether the next photo would fare no better: full or broken, not only a name or a folder that is refused."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _DISK_IS_GONE


def _made_by(pipeline: Pipeline, surroundings: Mapping[str, Json]) -> str:
    """Hash of everything besides the photo that a restored photo comes from."""
    parts = {
        "schema": SCHEMA,
        "pipeline": pipeline.record(),
        "batch_size": pipeline.batch_size,  # arithmetic differs a little with it
        "surroundings": dict(surroundings),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _sha256_of(path: Path) -> str | None:
    """Hash of a file's bytes; None where it is none that is read here."""
    try:
        kind = path.stat()
        if not stat.S_ISREG(kind.st_mode) or kind.st_size > LIMITS.maximum_file_bytes:
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _line(name: str, error: Exception) -> str:
    return f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:300] or 'no message'}"
