"""What must hold for any way of fetching, checked against a local server that misbehaves in stated ways.

Each ``law_*`` takes the fetcher under test, so that the saboteurs run exactly what the tests run.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pooch
import pytest
import torch

from gfpbench import assets
from gfpbench.assets import Asset, Patience, store
from gfpbench.types import BadInput

CONTENT = b"PK\x03\x04" + bytes(range(256)) * 1200
OTHER = b"PK\x03\x04" + bytes(reversed(range(256))) * 1200
ONCE = Patience(connect_seconds=20, stall_seconds=20, dropped_retries=0)
"""For servers that answer: a busy machine must not look like a slow server."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

Fetch = Callable[..., Path]


@dataclass
class Page:
    """What one address answers, and how it misbehaves."""

    content: bytes = CONTENT
    status: int = 200
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    heeds_if_range: bool = True
    redirect: str | None = None
    content_type: str = "application/octet-stream"
    length: int | None = None  # announced instead of the true one
    unmeasured: bool = False  # announces no length
    cut_after: int | None = None  # closes the connection after so many bytes of the body
    stall_after: int | None = None  # then sends nothing more, and holds the connection
    stall_first: bool = False  # accepts the connection and says nothing
    drip: bool = False  # one byte every 10 ms
    on_request: Callable[[Page], None] | None = None


@dataclass
class Request:
    path: str
    headers: dict[str, str]


@dataclass
class Server:
    """A server on this machine. ``pages`` maps paths to answers; ``requests`` is what it was asked."""

    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Server:
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            def do_HEAD(self) -> None:
                outer.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def url(self, path: str, page: Page | None = None) -> str:
        """The address of a path, which answers ``page`` from now on."""
        if page is not None:
            self.pages[path] = page
        return f"http://127.0.0.1:{self.http.server_port}{path}"

    def asked(self, path: str) -> list[str | None]:
        """The ``Range`` header of each request for a path."""
        return [request.headers.get("Range") for request in self.requests if request.path == path]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        self.requests.append(Request(handler.path, dict(handler.headers.items())))
        page = self.pages.get(handler.path, Page(status=404))
        if page.on_request is not None:
            page.on_request(page)
        with suppress(BrokenPipeError, ConnectionResetError):  # the client gave up, as it should
            self._answer(handler, page)

    def _answer(self, handler: BaseHTTPRequestHandler, page: Page) -> None:
        if page.stall_first:
            self.released.wait(10)
            return
        if page.redirect is not None:
            handler.send_response(302)
            handler.send_header("Location", page.redirect)
            handler.send_header("Content-Length", "0")
            handler.send_header("Connection", "close")
            handler.end_headers()
            return
        status, start = page.status, 0
        if status == 200 and page.ranges and (wanted := handler.headers.get("Range")):
            known = handler.headers.get("If-Range")
            if not page.heeds_if_range or known is None or known in (page.etag, page.modified):
                start = int(wanted.removeprefix("bytes=").partition("-")[0])
                status = 206 if start < len(page.content) else 416
        body = page.content[start:] if status in (200, 206) else b""
        handler.send_response(status)
        if status == 206:
            handler.send_header("Content-Range", f"bytes {start}-{len(page.content) - 1}/{len(page.content)}")
        for key, value in (("ETag", page.etag), ("Last-Modified", page.modified), ("Content-Type", page.content_type)):
            if value is not None:
                handler.send_header(key, value)
        handler.send_header("Connection", "close")
        if not page.unmeasured:
            handler.send_header("Content-Length", str(len(body) if page.length is None else page.length))
        handler.end_headers()
        if handler.command != "HEAD":
            self._send_body(handler, page, body)

    def _send_body(self, handler: BaseHTTPRequestHandler, page: Page, body: bytes) -> None:
        if page.drip:
            for at in range(len(body)):
                handler.wfile.write(body[at : at + 1])
                if self.released.wait(0.01):
                    return
        elif page.stall_after is not None:
            handler.wfile.write(body[: page.stall_after])
            self.released.wait(10)
        else:
            handler.wfile.write(body if page.cut_after is None else body[: page.cut_after])


def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, no proxies, nothing of the person who runs the tests."""
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GFPBENCH_OFFLINE", raising=False)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in [name for name in assets.ASSETS if name.startswith("toy")]:
        monkeypatch.delitem(assets.ASSETS, name)


def toy(monkeypatch: pytest.MonkeyPatch, *urls: str, name: str = "toy", **changes: Any) -> Asset:
    """A small asset in the table, for the length of a test."""
    facts: dict[str, Any] = {
        "filename": f"{name}.pth",
        "urls": urls,
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size_bytes": len(CONTENT),
        "licence": "Apache-2.0",
        "source": "nobody/nothing@v1",
        "needed_by": ("gfpgan-toy",),
    }
    asset = Asset(name=name, **(facts | changes))
    monkeypatch.setitem(assets.ASSETS, name, asset)
    return asset


def part() -> Path:
    return store.home() / "toy.pth.part"


def final() -> Path:
    return store.home() / "toy.pth"


def nothing_wrong_under_its_name() -> None:
    """The invariant of every failure: either no file has the final name, or it is whole and right."""
    assert not final().exists() or final().read_bytes() == CONTENT, "a wrong or unfinished file has the final name"


def interrupted(server: Server, monkeypatch: pytest.MonkeyPatch, fetch: Fetch, page: Page, **changes: Any) -> int:
    """Fetch until the connection breaks; the number of bytes that are kept."""
    page.cut_after = 100_000
    toy(monkeypatch, server.url("/file", page), **changes)
    with pytest.raises(assets.FetchFailed, match="short"):
        fetch("toy", patience=ONCE, say=print)
    page.cut_after = None
    nothing_wrong_under_its_name()
    assert part().stat().st_size == 100_000
    return 100_000


def law_wrong_content_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch, fetch: Fetch) -> None:
    """A file with the right length and the wrong hash is deleted, and both hashes are shown."""
    toy(monkeypatch, server.url("/file", Page(content=OTHER)))
    with pytest.raises(assets.FetchFailed) as caught:
        fetch("toy", patience=ONCE, say=print)
    wrong, right = (hashlib.sha256(content).hexdigest()[:12] for content in (OTHER, CONTENT))
    assert wrong in str(caught.value)
    assert right in str(caught.value)
    assert not final().exists()
    assert not part().exists()


def law_name_comes_last(server: Server, monkeypatch: pytest.MonkeyPatch, fetch: Fetch) -> None:
    """At no moment before the hash is known does the file have its final name."""
    toy(monkeypatch, server.url("/file", Page()))
    seen = []
    real = pooch.file_hash

    def watched(path: str, *rest: Any) -> Any:
        seen.append(final().exists())
        return real(path, *rest)

    monkeypatch.setattr(pooch, "file_hash", watched)
    assert fetch("toy", patience=ONCE, say=print).read_bytes() == CONTENT
    assert seen == [False], "the file had its final name before it was verified"


def law_changed_file_is_not_appended(
    server: Server, monkeypatch: pytest.MonkeyPatch, fetch: Fetch, heeds_if_range: bool
) -> None:
    """A part of an old version is never continued with the new one, even where no hash would notice."""
    page = Page(content=OTHER, heeds_if_range=heeds_if_range)
    interrupted(server, monkeypatch, fetch, page, sha256=None, size_bytes=None)
    page.content, page.etag = CONTENT, '"two"'
    assert fetch("toy", patience=ONCE, say=print).read_bytes() == CONTENT, "two versions were glued together"


def law_one_download_at_a_time(server: Server, monkeypatch: pytest.MonkeyPatch, fetch: Fetch) -> None:
    """Two that want the same file: the second waits, then finds it."""
    both = threading.Event()
    lines: list[str] = []

    def held(page: Page) -> None:
        if len(server.asked("/file")) > 1:
            both.set()
        both.wait(20)

    toy(monkeypatch, server.url("/file", Page(on_request=held)))
    found: list[Path | Exception] = []

    def one() -> None:
        try:
            found.append(fetch("toy", say=tell, patience=ONCE))
        except Exception as problem:  # noqa: BLE001 - whatever it is, the law shows it
            found.append(problem)

    def tell(line: str) -> None:
        lines.append(line)
        both.set()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert server.asked("/file") == [None], "the same file was asked for twice"
    assert found == [final(), final()]
    assert final().read_bytes() == CONTENT
    assert any("waiting for another process" in line for line in lines)


class Code:
    """Makes a folder when it is unpickled: what a malicious checkpoint would do, only harmless."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def law_code_never_runs(tmp_path: Path, load: Callable[[Path], Any], good: Any, protocol: int = 2) -> None:
    """A checkpoint that names a function is refused by that name, in one line, and nothing of it runs."""
    torch.save(good | {"extra": Code(tmp_path / "ran")}, tmp_path / "w.pth", pickle_protocol=protocol)
    with pytest.raises(BadInput, match=r"w\.pth.*mkdir.*refused") as caught:
        load(tmp_path / "w.pth")
    assert not (tmp_path / "ran").exists(), "the code in the file ran"
    assert "\n" not in str(caught.value)


def law_nothing_is_written_outside(tmp_path: Path, extract: Callable[[Path, Path], Any], archive: Path) -> None:
    """An archive with a member that climbs out is refused before anything is written."""
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(BadInput, match="outside its folder"):
        extract(archive, archive.parent / "out")
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before, "something was written"
    assert not (archive.parent / "out").exists()


def law_a_pin_is_held(server: Server, monkeypatch: pytest.MonkeyPatch, fetch: Fetch) -> None:
    """Once the hash of an unpublished file is pinned, another file is not the asset any more."""
    toy(monkeypatch, server.url("/file", Page()), sha256=None)
    fetch("toy", say=print)
    final().unlink()
    server.pages["/file"] = Page(content=OTHER)
    with pytest.raises(assets.FetchFailed, match=r"pinned in .*assets\.lock on first use"):
        fetch("toy", say=print)
    assert not final().exists()


def law_later_damage_is_seen(monkeypatch: pytest.MonkeyPatch, path: Callable[[str], Path]) -> None:
    """A file that changed after it was verified is not handed out, though its length is right."""
    toy(monkeypatch)
    final().parent.mkdir(parents=True, exist_ok=True)
    final().write_bytes(CONTENT)
    assert path("toy") == final()
    later = final().stat().st_mtime_ns + 10
    final().write_bytes(OTHER)
    os.utime(final(), ns=(later, later))
    with pytest.raises(BadInput, match="its sha256 is"):
        path("toy")
