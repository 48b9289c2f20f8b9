"""Reports at addresses: written in a folder of this disk and put there when they are whole, and read from there."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from gfpbench import codec
from gfpbench.assets.fetching import offline
from gfpbench.assets.remote import Remote, RemoteFailed, RemoteMissing, is_http, opened, refuse_secrets
from gfpbench.assets.store import home
from gfpbench.disk import disk, partial_path, write_whole
from gfpbench.types import BadInput, GfpbenchError

MARK = ".unfinished"
"""As ``gfpbench.completion`` has it."""
RECORD = ".uploaded.json"
LAST = ("index.html", "results.json")
"""What a reader looks for is put there behind everything that it leads to."""
_BUCKETS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "adl", "oci", "hf")
"""Stores without folders; what they call one is a bucket, which is nothing to be made by a typing error."""


@dataclass(frozen=True, slots=True)
class _Uploaded:
    """What this disk put at an address: name -> SHA-256."""

    files: dict[str, str] = field(default_factory=dict)


class RemoteReport:
    """A report folder at an address, and the one on this disk in which it is written.

    ``folder`` lies in ``GFPBENCH_HOME/reports`` and stays, so that a run that was stopped goes on there.

    Args:
        url: as fsspec takes it.

    Raises:
        PackageMissing: where fsspec is not installed, or what it needs for that protocol.
        BadInput: for an address of a web server or of an archive, and for one with a password in it.
    """

    def __init__(self, url: str) -> None:
        if is_http(url) or "::" in url or "*" in url:
            raise BadInput(f"--report {url}: a report is put into a folder of a store, such as s3://bucket/report")
        if offline():
            raise BadInput(f"--report {url}: has to be reached, and GFPBENCH_OFFLINE forbids that")
        refuse_secrets(url)
        self.url = url.rstrip("/")
        self._system, path = opened(self.url)
        self._path = path.rstrip("/")
        self.folder = home() / "reports" / _own_name(self.url)
        self._was_marked = False

    def begin(self) -> None:
        """Mark the report as unfinished, which shows before hours of work whether it can be written.

        Raises:
            RemoteFailed: where it cannot.
            BadInput: where a report lies there that was not put there from ``folder``: it would be lost.
        """
        with self._told("cannot be written"):
            self._was_marked = self._system.exists(self._at(MARK))
            there = self._system.exists(self._at("results.json"))
            sha256 = hashlib.sha256(self._system.cat_file(self._at("results.json"))).hexdigest() if there else None
        own = self.folder / "results.json"
        ours = own.read_bytes() if own.is_file() else b""
        if sha256 not in (None, self._record().files.get("results.json"), hashlib.sha256(ours).hexdigest()):
            raise BadInput(
                f"{self.url}: holds a report that was not put there from {self.folder}: give another address"
            )
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        with self._told("cannot be written"):
            self._put(lambda path: self._system.pipe_file(path, f"process {os.getpid()}, since {now}\n".encode()), MARK)

    def withdraw(self) -> None:
        """Take the mark away where nothing was begun after all; one of before stays."""
        if not self._was_marked:
            with suppress(Exception):  # what went wrong before is what has to be told
                self._system.rm_file(self._at(MARK))

    def put(self) -> None:
        """Put the whole report there and take the mark away. What is there already is not put there again.

        Raises:
            RemoteFailed: where that fails; the line says where the report is on this disk.
        """
        files = {path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*") if path.is_file()}
        names = sorted(name for name in files if not PurePosixPath(name).name.startswith("."))
        before, now = self._record().files, dict[str, str]()
        ready = f"; the report is whole in {self.folder}, and the same command puts it there again"
        try:
            with self._told("cannot be written", ready):
                there = {str(name): info.get("size") for name, info in self._listed()}
                for name in sorted(names, key=lambda one: (LAST.index(one) + 1 if one in LAST else 0, one)):
                    with files[name].open("rb") as opened_file:
                        sha256 = hashlib.file_digest(opened_file, "sha256").hexdigest()
                    if before.get(name) != sha256 or there.get(self._at(name)) != files[name].stat().st_size:
                        self._put(lambda path, one=name: self._system.put_file(str(files[one]), path), name)  # type: ignore[misc]
                    now[name] = sha256
                for name in before.keys() - now.keys():
                    if self._at(name) in there:
                        self._system.rm_file(self._at(name))
                write_whole(self.folder / RECORD, json.dumps(asdict(_Uploaded(now))))
                self._system.rm_file(self._at(MARK))
        except BaseException:
            write_whole(self.folder / RECORD, json.dumps(asdict(_Uploaded({**before, **now}))))
            raise

    def _record(self) -> _Uploaded:
        try:
            return codec.decode(_Uploaded, codec.read(self.folder / RECORD))
        except BadInput:  # nothing was put there, or nobody knows what
            return _Uploaded()

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    def _listed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        self._system.invalidate_cache()
        yield from self._system.find(self._path, detail=True).items()

    def _put(self, write: Callable[[str], object], name: str) -> None:
        try:
            write(self._at(name))
        except FileNotFoundError:
            if PurePosixPath(self.url).parts[0].rstrip(":").lower() in _BUCKETS:
                raise
            self._system.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
            write(self._at(name))

    @contextmanager
    def _told(self, what: str, more: str = "") -> Iterator[None]:
        try:
            yield
        except GfpbenchError:
            raise
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise RemoteFailed(f"{self.url}: {what} ({reason}){more}") from error


def fetched_report(url: str, *, images: bool = False, everything: bool = False) -> Path:
    """A results.json at an address, or a folder that holds one or baselines, on this disk with what belongs to it.

    Args:
        url: of a .json file, or of its folder.
        images: the images that were kept too, which pages show.
        everything: of a part of a run, which is joined with the others.

    Returns:
        The file or the folder, as the path that ``url`` is below ``GFPBENCH_HOME/remote/reports``. What has gone at the
        address is gone there too.

    Raises:
        RemoteFailed: where it cannot be fetched.
    """
    file = PurePosixPath(url).name if url.endswith(".json") else ""
    above = url.removesuffix(file).rstrip("/")
    folder = home() / "remote" / "reports" / re.sub(r"[^\w./=+-]+", "_", above.replace("://", "/")).replace("..", "_")
    found: dict[str, Path] = {}
    if is_http(url):
        for name in (file or "results.json", "rows.parquet", MARK):
            try:
                found[name] = Remote(f"{above}/{name}").fetched()
            except RemoteMissing:
                if name not in ("rows.parquet", MARK):
                    raise
    else:
        remote = Remote(above)
        for one in remote.files():
            inside = PurePosixPath(one.name)
            if inside.is_absolute() or ".." in inside.parts:
                raise RemoteFailed(f"{one.url}: has a path that leads out of its folder")
            if everything or _is_wanted(inside, images):
                found[inside.as_posix()] = remote.fetched(one)
        if file and file not in found:
            raise RemoteMissing(f"{url}: there is no such file")
        if not found:
            raise RemoteMissing(f"{url}: holds no results.json")
    _mirrored(found, folder)
    return folder / file if file else folder


def _is_wanted(name: PurePosixPath, images: bool) -> bool:
    if len(name.parts) == 1:
        return name.suffix in (".json", ".parquet") or name.name == MARK
    return images and name.parts[0] == "cases" and name.parts[2:-1] == ("images",)


def _mirrored(files: dict[str, Path], folder: Path) -> None:
    """Make a folder hold these files and no others, each a second name of the kept content where that is possible."""
    with disk(folder):
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.samefile(content):
                continue
            partial = partial_path(path)
            partial.unlink(missing_ok=True)
            try:
                os.link(content, partial)
            except OSError:  # of another disk, or of a system without
                shutil.copyfile(content, partial)
            partial.replace(path)
        for path in folder.rglob("*"):
            if path.is_file() and path.relative_to(folder).as_posix() not in files:
                path.unlink(missing_ok=True)


def _own_name(url: str) -> str:
    """A folder's name that tells an address, and no other has."""
    tail = re.sub(r"[^\w-]+", "-", url.partition("://")[2])[-60:].strip("-")
    return f"{tail}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
