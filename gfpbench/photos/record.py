"""The record of a folder of restored photos, kept on disk during and after a run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from gfpbench import codec
from gfpbench.disk import disk, write_whole
from gfpbench.types import BadInput, Json

RECORD = "photos.json"
JOURNAL = ".photos.jsonl"
SCHEMA = "gfpbench/photos/2"
_OWN = "record_sha256"


class Record:
    """The entries of ``photos.json``, one for each photo by its name, and of the journal of a run that was killed.

    Each entry carries a hash of itself: one that was changed by anything but this class counts for nothing.

    Args:
        out: the folder of restored photos; exists.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.damaged = False
        """Something that lay there was not an entry as it was written; its photos are restored again."""
        self._known: dict[str, dict[str, Json]] = {}
        for entry in (*self._finished(), *self._journal()):
            if _is_sound(entry):
                self._known[entry["name"]] = entry
            else:
                self.damaged = True
        self._done: list[str] = []

    def find(self, name: str) -> dict[str, Json] | None:
        """The entry of a photo, of this run or an earlier one."""
        return self._known.get(name)

    def add(self, entry: dict[str, Json]) -> None:
        """Keep what became of a photo; on the disk when this returns. Raises DiskRefused."""
        signed = {**entry, _OWN: _sha256(entry)}
        line = _encoded(signed)
        with disk(self.out), (self.out / JOURNAL).open("ab") as file:
            if file.tell():
                line = b"\n" + line  # what a killed run left may lack its end
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._known[entry["name"]] = signed
        self._done.append(entry["name"])

    def keep(self, name: str) -> None:
        """Take the entry of an earlier run over into this one."""
        self._done.append(name)

    def write(self, head: dict[str, Json]) -> dict[str, Json]:
        """Write ``photos.json``, whole or not at all, and end the journal.

        Returns:
            ``head`` with ``photos``, those of this run in their order, and ``earlier``: other photos whose restored
            files are still in the folder, by name.

        Raises:
            DiskRefused: the journal is kept then.
        """
        others = sorted(self._known.keys() - set(self._done))
        record = {
            "schema": SCHEMA,
            **head,
            "photos": [self._known[name] for name in self._done],
            "earlier": [self._known[name] for name in others if self._is_there(self._known[name])],
        }
        write_whole(self.out / RECORD, _encoded(record, indent=1) + b"\n")
        with disk(self.out):
            (self.out / JOURNAL).unlink(missing_ok=True)
        return record

    def _is_there(self, entry: dict[str, Json]) -> bool:
        output = entry.get("output")
        return isinstance(output, str) and "\0" not in output and os.path.lexists(self.out / output)

    def _finished(self) -> Iterable[Json]:
        data = _bytes_of(self.out / RECORD)
        record = None if data is None else _decoded(data)
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            # A record of an older version says nothing of what its photos came from.
            self.damaged |= data is not None and not _is_older(record)
            return ()
        lists = [record.get(key) for key in ("earlier", "photos")]
        return [entry for entries in lists if isinstance(entries, list) for entry in entries]

    def _journal(self) -> Sequence[Json]:
        lines = [line for line in (_bytes_of(self.out / JOURNAL) or b"").split(b"\n") if line]
        entries = [_decoded(line) for line in lines]
        return entries[:-1] if entries and entries[-1] is None else entries  # the last may be torn


def _is_older(record: Json) -> bool:
    return isinstance(record, dict) and record.get("schema") == "gfpbench/photos/1"


def _is_sound(entry: Json) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return False
    return entry.get(_OWN) == _sha256({key: value for key, value in entry.items() if key != _OWN})


def _sha256(entry: dict[str, Json]) -> str:
    return hashlib.sha256(_encoded(entry, sort_keys=True)).hexdigest()


def _encoded(record: Json, *, indent: int | None = None, sort_keys: bool = False) -> bytes:
    text = json.dumps(record, indent=indent, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")  # half a character, as \\udcff: what JSON reads back as the same


def _decoded(data: bytes) -> Json:
    try:
        return codec.plain(codec.parse(data))
    except BadInput:
        return None


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
