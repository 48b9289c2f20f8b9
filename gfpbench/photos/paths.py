"""Files and folders of photos: each restored and written, one record of all; a bad photo costs no other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from gfpbench.decode import read_rgb
from gfpbench.decode.files import list_images, named
from gfpbench.images import write_png
from gfpbench.photos.photo import Pipeline, restore_photo
from gfpbench.types import BadInput, GfpbenchError, Json

RECORD = "photos.json"
Told = Callable[[str, str, bool], None]
"""Told of each photo when it is done: its name, a line about it, whether all is well."""


def restore_paths(paths: Sequence[Path], out: Path, pipeline: Pipeline, told: Told | None = None) -> dict[str, Json]:
    """Restore photos into ``out / name.png`` and write ``out / photos.json``, also where it is interrupted.

    Args:
        paths: photos and folders of photos. A photo in a folder is named by its path below it, without the suffix.
        out: a folder, made where it is not there. An older picture or record in it is replaced.
        pipeline: the restorer, the detector and how faces are pasted.
        told: called after each photo.

    Returns:
        What was written to ``photos.json``: the pipeline's record and, for each photo, its faces and problems. A photo
        of which no face was restored has no ``output``, and nothing is written for it.

    Raises:
        BadInput: where a path is no photo and no folder with photos, two photos have one name, ``out`` is a file or
            would overwrite a photo that was given, or the disk refuses.
    """
    photos = named_photos(paths)
    _refuse_overwriting(photos, out)
    written: list[dict[str, Json]] = []
    record: dict[str, Json] = {"schema": "gfpbench/photos/1", "pipeline": pipeline.record(), "photos": written}
    try:
        out.mkdir(parents=True, exist_ok=True)
        try:
            for name, path in photos.items():
                one = _restored(name, path, out, pipeline)
                written.append(one)
                if told is not None:
                    told(name, one["line"], bool(one["ok"]))
        finally:
            _write(out / RECORD, record)
    except OSError as error:
        raise BadInput(f"{out}: cannot be written: {error.strerror or error}") from error
    return record


def named_photos(paths: Sequence[Path]) -> dict[str, Path]:
    """Each photo's file by its name. Raises BadInput where there is none, or two would have one name."""
    photos: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            listing = list_images(path)
            found = named(path, listing.files)
            if not found:
                raise BadInput(listing.none_taken())
        elif path.exists():
            found = {path.stem: path}
        else:
            raise BadInput(f"{path}: is no existing photo or folder")
        for name, file in found.items():
            if name in photos and photos[name].resolve() != file.resolve():
                raise BadInput(f"{photos[name]} and {file} would both be written as {name}.png: restore them apart")
            photos[name] = file
    return photos


def _refuse_overwriting(photos: dict[str, Path], out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out}: is a file; give a folder")
    given = {path.resolve() for path in photos.values()}
    for name in photos:
        if (out / f"{name}.png").resolve() in given:
            raise BadInput(f"{out / f'{name}.png'} is one of the photos and would be overwritten: give another folder")


def _restored(name: str, path: Path, out: Path, pipeline: Pipeline) -> dict[str, Json]:
    try:
        result = restore_photo(read_rgb(path), pipeline, name)
    except GfpbenchError as error:  # this photo cannot be used; the next one can
        line = str(error)
        return {
            "name": name,
            "file": str(path),
            "output": None,
            "ok": False,
            "faces": [],
            "problems": [line],
            "line": line,
        }
    output = None
    if result.restored is not None:
        output = out / f"{name}.png"
        output.parent.mkdir(parents=True, exist_ok=True)
        write_png(output, result.restored)
    relative = None if output is None else output.relative_to(out).as_posix()
    return {**result.to_json(), "file": str(path), "output": relative, "line": result.line()}


def _write(path: Path, record: dict[str, Json]) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
