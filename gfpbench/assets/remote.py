"""Files at addresses that a user gives (s3://, gs://, hf://, https://), kept under the SHA-256 of their content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from gfpbench import codec
from gfpbench.assets.archive import MAX_BYTES
from gfpbench.assets.download import Patience, ResumingDownloader
from gfpbench.assets.errors import MirrorFailed, plain_words
from gfpbench.assets.fetching import offline, to_stderr
from gfpbench.assets.lock import exclusive
from gfpbench.assets.remote_cache import RemoteFile, kept_at, note_of, taken_in
from gfpbench.disk import DiskRefused, partial_path, refusal, sweep, write_whole
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, GfpbenchError, PackageMissing

if TYPE_CHECKING:
    import requests
else:
    requests = LazyModule("requests")

MAXIMUM_FILES = 1_000_000
"""Of one listing: with more it is no folder of images but a whole bucket."""
CHUNK_BYTES = 1 << 20
MARKS = (
    *("ETag", "etag", "checksum", "md5Hash", "generation", "blob_id", "oid", "sha", "CRC"),
    *("LastModified", "last_modified", "updated", "mtime", "modified", "created", "date_time"),
)
"""What file systems call that which changes with a file. Without any of them a file is fetched again each time."""
_SECRETS = re.compile(r"signature|^sig$|token|password|secret|credential|api_?key", re.IGNORECASE)


class RemoteFailed(BadInput):
    """What cannot be reached or fetched, in one line with its address."""


class RemoteMissing(RemoteFailed):
    """What is not there, or is not wanted: asking again would not help."""


@dataclass(frozen=True, slots=True)
class _Listing:
    files: tuple[RemoteFile, ...]


def is_remote(text: str) -> bool:
    """Whether a text is an address and not a path."""
    return "::" in text or re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def is_http(url: str) -> bool:
    """Whether one file is asked of a web server, which needs no fsspec."""
    return url.startswith(("http://", "https://")) and "::" not in url


class Remote:
    """What lies at one address: a file, a folder, or the files that fit a pattern with ``*``.

    Args:
        url: as fsspec takes it, ``zip://inside/*.png::s3://bucket/x.zip`` too.

    Raises:
        PackageMissing: where fsspec is not installed, or what it needs for that protocol.
        BadInput: for a protocol that there is not, and for an address with a password or signature in it.
        RemoteFailed: where it cannot be reached.
    """

    def __init__(self, url: str) -> None:
        refuse_secrets(url)
        self.url = url
        self._http = is_http(url)
        self._system: Any = None
        self._path = ""
        if not self._http and not offline():
            self._system, self._path = opened(url)
            self._system.invalidate_cache()

    def files(self) -> Iterator[RemoteFile]:
        """All files below the folder, or those that fit the pattern, in no promised order. Offline the last listing.

        Raises:
            RemoteFailed: where it cannot be listed, and for more than a million files.
        """
        if self._http:
            raise RemoteFailed(f"{self.url}: a web server lists no folder: give an archive (.zip, .tar, .parquet)")
        note = note_of(f"listing {self.url}")
        if offline():
            if not note.is_file():
                raise RemoteFailed(f"{self.url}: has to be listed, and GFPBENCH_OFFLINE forbids that")
            yield from codec.decode(_Listing, codec.read(note)).files
            return
        sweep(note.parent)
        found: list[RemoteFile] = []
        with _told(self.url):
            for path, info in _walk(self._system, self._path):
                if len(found) == MAXIMUM_FILES:
                    raise RemoteFailed(f"{self.url}: holds more than {MAXIMUM_FILES:,} files, the limit")
                found.append(self._described(path, info))
        write_whole(note, json.dumps({"files": [asdict(file) for file in found]}), durable=False)
        yield from found

    def fetched(self, file: RemoteFile | None = None, *, suffix: str = "", at_most: int = MAX_BYTES) -> Path:
        """A file of the listing, or the one file of the address, on this disk; fetched where it is not or has changed.

        A transfer that broke off goes on where it stopped, while the file is the same.

        Args:
            suffix: of the name under which it is kept.
            at_most: bytes that it may have.

        Raises:
            RemoteMissing: where it is not there or too long.
            RemoteFailed: where the transfer fails, and where it is not here and GFPBENCH_OFFLINE is set.
        """
        url = self.url if file is None else file.url
        note = note_of(url)
        if offline():
            kept = kept_at(note, suffix)
            if kept is None:
                raise RemoteFailed(f"{url}: has to be fetched, and GFPBENCH_OFFLINE forbids that")
            return kept[1]
        with _told(url):
            whole = file is None
            if file is None:
                file = _head(url) if self._http else self._described(self._path, self._system.info(self._path))
            kept = kept_at(note, suffix)
            if kept is not None and file.is_unchanged(kept[0]):
                return kept[1]
            if (file.size_bytes or 0) > at_most:
                raise RemoteMissing(f"{url}: has {file.size_bytes} bytes, above the limit of {at_most}")
            if whole or suffix:
                to_stderr(f"{url}: fetching{'' if file.size_bytes is None else f' {file.size_bytes:,} bytes'}")
            with _part_of(note, locked=bool(whole or suffix)) as part:
                kept = kept_at(note, suffix)  # another process may have fetched it meanwhile
                if kept is not None and file.is_unchanged(kept[0]):
                    return kept[1]
                self._receive(file, part, at_most, once=not (whole or suffix))
                return taken_in(part, note, file, suffix)

    def _described(self, path: str, info: Mapping[str, Any]) -> RemoteFile:
        size = info.get("size")
        said = next(((mark, info[mark]) for mark in MARKS if info.get(mark) is not None), ("", ""))
        version = f"{said[0]} {said[1].isoformat() if isinstance(said[1], datetime) else said[1]}".strip()
        root = self._path.partition("*")[0].rpartition("/")[0] if "*" in self._path else self._path.rstrip("/")
        around = self.url.partition("::")[1:]
        url = self._system.unstrip_protocol(path) + "".join(around) if path != self._path else self.url
        name = path.removeprefix(root).lstrip("/") or path
        return RemoteFile(url, path, name, size if isinstance(size, int) else None, version)

    def _receive(self, file: RemoteFile, part: Path, at_most: int, *, once: bool) -> None:
        """Write the part to its full length, from where it ends if it is of the same version.

        Args:
            once: it is small and comes in one answer, so that nobody is asked whether it has changed on the way.
        """

        def bounded(done: int, total: int, what: str) -> None:
            del total, what
            if done > at_most:
                raise RemoteMissing(f"{file.url}: has more than {at_most} bytes, the limit")

        if self._http:
            ResumingDownloader(part, file.size_bytes, Patience(), bounded).fill(file.url)
            return
        mark = part.with_suffix(".version")
        version = json.dumps(asdict(file))
        same = bool(file.version) and mark.is_file() and mark.read_text(encoding="utf-8") == version
        if not same:
            part.unlink(missing_ok=True)
            write_whole(mark, version, durable=False)
        before = None if once else self._described(file.path, self._system.info(file.path))
        with self._system.open(file.path, "rb") as source, part.open("ab") as target:
            if done := target.tell():
                source.seek(done)
            while data := source.read(CHUNK_BYTES):
                done += len(data)
                bounded(done, 0, "")
                target.write(data)
        self._system.invalidate_cache()
        changed = before is not None and before != self._described(file.path, self._system.info(file.path))
        if changed or (file.size_bytes is not None and done != file.size_bytes):
            part.unlink()
            what = "changed while it was fetched" if changed else f"ended after {done} of {file.size_bytes} bytes"
            raise RemoteFailed(f"{file.url}: {what}: run it again")


@contextmanager
def _part_of(note: Path, *, locked: bool) -> Iterator[Path]:
    """Where a file lies until it is whole: of an archive one part for all processes, of an image each has its own."""
    note.parent.mkdir(parents=True, exist_ok=True)
    if not locked:
        yield partial_path(note)
        return
    with exclusive(note.with_suffix(".lock")):
        yield note.with_suffix(".part")


def refuse_secrets(url: str) -> None:
    """Raises BadInput for an address with a password or signature in it, and for what is none."""
    for part in url.split("::"):
        try:
            split = urlsplit(part)
            secret = split.password is not None or any(map(_SECRETS.search, parse_qs(split.query)))
        except ValueError as error:
            raise BadInput(f"{url[:200]!r}: is no address: {error}") from error
        if secret:
            raise BadInput(
                f"{split.scheme}://{split.hostname or ''}: its address carries a password or signature, which reports "
                "would keep: give credentials as fsspec takes them (environment, ~/.aws, ~/.config/fsspec)"
            )


def opened(url: str) -> tuple[Any, str]:
    """The file system of an address, and what it calls the place. Raises as ``Remote``."""
    try:
        import fsspec
    except ImportError as error:
        raise PackageMissing("fsspec", url, "pip install gfpbench[fsspec]") from error
    with _told(url):
        try:
            system, path = fsspec.url_to_fs(url)
        except ImportError as error:
            named = re.search(r"[Ii]nstall ([\w.-]+)|[Pp]lease pip install ([\w.-]+)", str(error))
            package = next(filter(None, named.groups()), "") if named else urlsplit(url).scheme
            raise PackageMissing(package, url, f"pip install {package}") from error
        except ValueError as error:
            raise BadInput(f"{url}: {' '.join(str(error).split())}") from error
        return system, str(path)


def _walk(system: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "*" in path:
        yield from ((name, info) for name, info in system.glob(path, detail=True).items() if info["type"] == "file")
        return
    if path and system.isfile(path):
        raise RemoteFailed("is a file, give its folder or an archive")
    for folder, _, files in system.walk(path, detail=True, on_error="raise"):
        yield from ((f"{folder}/{name}" if folder else name, info) for name, info in files.items())


def _head(url: str) -> RemoteFile:
    """What a web server says of a file before it is fetched; nothing where it does not answer to that."""
    patience = Patience()
    with plain_words(patience.connect_seconds, patience.stall_seconds):
        timeout = (patience.connect_seconds, patience.stall_seconds)
        headers = {"Accept-Encoding": "identity"}
        answer = requests.head(url, timeout=timeout, allow_redirects=True, headers=headers)
    if answer.status_code in (404, 410):
        raise RemoteMissing(f"{url}: there is no such file (the server answers {answer.status_code})")
    if not answer.ok:
        return RemoteFile(url, url, url, None, "")
    length = answer.headers.get("Content-Length", "")
    said = [f"{mark} {answer.headers[mark]}" for mark in ("ETag", "Last-Modified") if mark in answer.headers]
    version = next(iter(said), "")
    return RemoteFile(url, url, url, int(length) if length.isdecimal() else None, version)


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Whatever a file system raises, as one line with the address."""
    try:
        yield
    except MirrorFailed as error:
        raise RemoteFailed(f"{url}: {error}") from error
    except RemoteFailed as error:
        raise (error if str(error).startswith(url[:40]) else RemoteFailed(f"{url}: {error}")) from error.__cause__
    except GfpbenchError:
        raise
    except FileNotFoundError as error:
        raise RemoteMissing(f"{url}: there is no such file") from error
    except Exception as error:
        if isinstance(error, OSError) and error.filename and (line := refusal(error)) is not None:
            raise DiskRefused(line) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise RemoteFailed(f"{url}: cannot be fetched ({reason})") from error
