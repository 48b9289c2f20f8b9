"""One file from one address, so that an interrupted download goes on where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from gfpbench import codec
from gfpbench.assets.errors import MAX_REDIRECTS, Dropped, MirrorFailed, plain_words
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, Json, Progress

if TYPE_CHECKING:
    import requests
    import urllib3
else:
    requests, urllib3 = LazyModule("requests"), LazyModule("urllib3")

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server. There is no limit on the whole: a large file may take hours on a thin line.

    Args:
        connect_seconds: for the connection.
        stall_seconds: between two pieces of data.
        slow_seconds: a window in which less than ``slow_bytes`` arriving counts as stalled too.
    """

    connect_seconds: float = 15
    stall_seconds: float = 30
    slow_seconds: float = 60
    slow_bytes: int = 60 * 1024
    dropped_retries: int = 3


class ResumingDownloader:
    """A downloader for pooch (``pooch.retrieve(..., downloader=...)``) that keeps and continues partial files.

    The part lies at ``part`` until it is whole, with the address and the server's version marks beside it
    (``part`` + ``.json``). It is continued only from the same address and only while the server still has the same
    version (RFC 9110: ``Range`` with ``If-Range``; ``ETag`` and the total are compared as well). It starts over
    otherwise.

    Args:
        part: where the unfinished file is kept.
        size_bytes: what the file must measure; None where that is not known.
        progress: told the bytes that are here, the total (0: not known) and ``what``.
    """

    def __init__(
        self,
        part: Path,
        size_bytes: int | None = None,
        patience: Patience = Patience(),
        progress: Progress | None = None,
        what: str = "",
    ) -> None:
        self.part = part
        self.marks_path = part.with_name(f"{part.name}.json")
        self.size_bytes = size_bytes
        self.patience = patience
        self.progress = progress
        self.what = what

    def __call__(
        self, url: str, output_file: str | Path, pooch: object = None, check_only: bool = False
    ) -> bool | None:
        """Get the file, and only when it is whole move it to ``output_file``. Raises MirrorFailed with the reason.

        Args:
            pooch: part of pooch's protocol; not used.
            check_only: only ask whether the file is there.
        """
        if check_only:
            with self._session() as session, plain_words(self.patience.connect_seconds, self.patience.stall_seconds):
                timeout = (self.patience.connect_seconds, self.patience.stall_seconds)
                return bool(session.head(url, timeout=timeout, allow_redirects=True).ok)
        self.fill(url)
        self.part.replace(output_file)
        self.marks_path.unlink(missing_ok=True)
        return None

    def fill(self, url: str) -> bool:
        """Bring the part to its full length. True where some of it came from an earlier attempt."""
        began_with = self._usable(url)
        retries = self.patience.dropped_retries
        while True:
            before = self._usable(url)
            try:
                resumed = self._attempt(url)
            except Dropped as dropped:
                retries -= 1
                # A server that cannot continue gives the same beginning again and again: that is no progress.
                if retries < 0 or self._usable(url) <= before:
                    raise MirrorFailed(str(dropped)) from dropped
            else:
                return resumed and began_with > 0

    def discard(self) -> None:
        """Delete the part and its marks."""
        self.part.unlink(missing_ok=True)
        self.marks_path.unlink(missing_ok=True)

    def _usable(self, url: str) -> int:
        """Bytes that are here and came from this address."""
        return self.part.stat().st_size if self.part.is_file() and self._marks(url) else 0

    def _marks(self, url: str) -> dict[str, Json]:
        """What was noted of the version that the part belongs to; empty where it belongs to another address."""
        try:
            marks = codec.plain(codec.read(self.marks_path))
        except BadInput:
            return {}  # without marks the download begins anew
        known = isinstance(marks, dict) and marks.get("url") == url
        if not known or not all(isinstance(marks.get(key), str | None) for key in ("ETag", "Last-Modified")):
            return {}
        return marks if isinstance(marks, dict) and type(marks.get("total")) in (int, type(None)) else {}

    def _session(self) -> requests.Session:
        session = requests.Session()  # takes proxies from the environment
        session.max_redirects = MAX_REDIRECTS
        # Without this a server may compress, and neither lengths nor ranges would speak of the file itself.
        session.headers["Accept-Encoding"] = "identity"
        return session

    def _attempt(self, url: str) -> bool:
        """One connection. True where the part was continued, False where it began anew."""
        marks, have = self._marks(url), self._usable(url)
        if have and marks.get("total") == have:
            return True
        with self._session() as session, plain_words(self.patience.connect_seconds, self.patience.stall_seconds):
            response = self._ask(session, url, marks, have)
            offset = _continues_at(response, marks, have)
            if offset is None:
                response.close()
                response = self._ask(session, url, {}, 0)
                offset = 0
            with response:
                total = self._checked_total(response, offset)
                if offset == 0:
                    self._begin(url, response, total)
                self._receive(response, offset, total)
        return offset > 0

    def _ask(self, session: requests.Session, url: str, marks: Mapping[str, Json], have: int) -> requests.Response:
        headers = {}
        if have:
            headers["Range"] = f"bytes={have}-"
            if validator := _strong_validator(marks):
                headers["If-Range"] = validator
        timeout = (self.patience.connect_seconds, self.patience.stall_seconds)
        response = session.get(url, headers=headers, stream=True, timeout=timeout)
        trail = [*response.history, response]
        if any(a.url.startswith("https:") and not b.url.startswith("https:") for a, b in pairwise(trail)):
            response.close()
            raise MirrorFailed(f"it redirects from https to {urlsplit(response.url).scheme}, which nobody protects")
        if response.status_code not in (200, 206, 416):
            response.close()
            raise MirrorFailed(f"the server answers {response.status_code} {response.reason}".rstrip())
        if response.headers.get("Content-Type", "").lower().startswith("text/html"):
            response.close()
            raise MirrorFailed("the server sends a web page instead of the file (a login or error page?)")
        return response

    def _checked_total(self, response: requests.Response, offset: int) -> int | None:
        """Length of the whole file as the server has it. Raises where that is not the length it must have."""
        if response.status_code == 416:
            raise MirrorFailed("the server answers 416 Range Not Satisfiable")
        announced = _number(response.headers.get("Content-Length"))
        total = None if announced is None else offset + announced
        if total is not None and self.size_bytes is not None and total != self.size_bytes:
            raise MirrorFailed(f"the server has {total} bytes, expected {self.size_bytes}")
        return total if total is not None else self.size_bytes

    def _begin(self, url: str, response: requests.Response, total: int | None) -> None:
        """Empty the part and note which version it will hold, before its first byte."""
        marks = {"url": url, "total": total}
        marks |= {key: response.headers[key] for key in ("ETag", "Last-Modified") if key in response.headers}
        self.discard()
        self.marks_path.write_text(json.dumps(marks), encoding="utf-8")

    def _receive(self, response: requests.Response, offset: int, total: int | None) -> None:
        done = offset
        window_began, window_done = time.monotonic(), done
        limit = self.size_bytes if self.size_bytes is not None else total
        with self.part.open("ab") as file:
            for piece in pieces(response, total):
                write(file, piece)
                done += len(piece)
                if limit is not None and done > limit:
                    raise MirrorFailed(f"the server sends more than the {limit} bytes of the file")
                if self.progress is not None:
                    self.progress(done, total or 0, self.what)
                now = time.monotonic()
                if now - window_began >= self.patience.slow_seconds:
                    if done - window_done < self.patience.slow_bytes:
                        rate = (done - window_done) / (now - window_began)
                        raise MirrorFailed(f"the server is too slow ({rate:.0f} bytes per second)")
                    window_began, window_done = now, done
        if total is not None and done < total:
            raise Dropped(f"the file is short: {done} of {total} bytes")
        if done == 0:
            raise MirrorFailed("the server sends an empty file")


def write(file: IO[bytes], piece: bytes) -> None:
    """Append to the part. A function of its own because this is where disks fill up."""
    file.write(piece)


def pieces(response: requests.Response, total: int | None, *, decode: bool = False) -> Iterator[bytes]:
    """What has arrived, as it arrives: waiting for a full chunk would hide a server that drips.

    Args:
        total: the bytes that there have to be; None where the response alone knows.
        decode: undo a compression of the transfer.
    """
    raw = response.raw
    read, size = (raw.read1, CHUNK_BYTES) if hasattr(raw, "read1") else (raw.read, 1024)  # urllib3 before 2.1
    try:
        while piece := read(size, decode_content=decode):
            yield piece
    except urllib3.exceptions.ProtocolError:
        if total is None:
            raise  # otherwise counting the bytes says it better


def _continues_at(response: requests.Response, marks: Mapping[str, Json], have: int) -> int | None:
    """Where the body belongs in the part: ``have``, or 0 for a whole file. None: ask anew, for all of it."""
    if response.status_code == 200:
        return 0
    if response.status_code == 416:
        return None if have else 0
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    same_place = unit == "bytes" and _number(span.partition("-")[0]) == have
    same_total = marks.get("total") is None or _number(total) in (None, marks["total"])
    same_mark = all(
        marks.get(key) in (None, response.headers.get(key, marks.get(key))) for key in ("ETag", "Last-Modified")
    )
    return have if same_place and same_total and same_mark else None


def _strong_validator(marks: Mapping[str, Json]) -> str | None:
    etag = marks.get("ETag")
    if etag and not str(etag).startswith("W/"):
        return str(etag)
    return str(marks["Last-Modified"]) if marks.get("Last-Modified") else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdigit() else None
