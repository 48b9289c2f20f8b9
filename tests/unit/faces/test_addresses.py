"""Faces at addresses: the same images as in a folder, fetched once, kept by content, resumed, named when they fail."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gfpbench import faces
from gfpbench.assets import remote
from gfpbench.assets.remote import Remote, RemoteFailed
from gfpbench.types import BadInput, PackageMissing, UnreadableFace
from tests.unit.assets.laws import Page, Server
from tests.unit.decode.archives import WRITERS, folder_of, png, tar_of, zip_of
from tests.unit.faces.test_archive import FILES, rows_of, why_not

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GFPBENCH_OFFLINE", raising=False)


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's file system in memory, empty before and after."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def put(system: Any, files: dict[str, bytes], below: str) -> None:
    for name, data in files.items():
        system.pipe_file(f"{below}/{name}", data)


def contents(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "home" / "remote" / "content").rglob("*") if path.is_file())


def test_a_folder_at_an_address_is_that_folder(memory: Any, tmp_path: Path) -> None:
    folder = faces.load(folder_of(FILES, tmp_path / "folder"))
    put(memory, FILES, "/bucket/set")
    for url in ("memory://bucket/set", "memory://bucket/set/"):
        found = faces.load(url)
        assert found.ids() == folder.ids()
        assert [found.load(one).sha256 for one in found.ids()] == [folder.load(one).sha256 for one in folder.ids()]
        assert found.source()["files_sha256"] == folder.source()["files_sha256"]
        assert found.source()["left_out"]["not an image by its suffix"]["count"] == 2
    assert len(contents(tmp_path)) == 5, "what is not read is not fetched"
    assert faces.load("memory://bucket/set/*.png").ids() == ("b", "c.d", "é")


def test_shards_at_addresses_give_the_rows_of_the_folder(memory: Any, tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    expected = rows_of(folder_of(FILES, tmp_path / "folder"), tmp_path / "store")
    for kind in ("zip", "tar.gz", "shards of tar", "shards of parquet"):
        spec = Path(WRITERS[kind](FILES, tmp_path / "packed"))
        for path in spec.parent.iterdir():
            if path.is_file():
                memory.put_file(str(path), f"/bucket/{path.name}")
        assert rows_of(f"memory://bucket/{spec.name}", tmp_path / "store") == expected, kind


def test_what_was_fetched_is_not_fetched_again_until_it_changes(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    honest = type(memory)._open

    def counted(self: Any, path: str, mode: str = "rb", **given: Any) -> Any:
        if mode == "rb":
            opened.append(path)
        return honest(self, path, mode, **given)

    monkeypatch.setattr(type(memory), "_open", counted)
    put(memory, {"a.png": png(0), "b.png": png(1)}, "/set")
    memory.pipe_file("/x.zip", Path(zip_of([("c.png", png(2))], tmp_path / "x.zip")).read_bytes())
    for _ in range(2):
        first = faces.load("memory://set").load("a").sha256
        faces.load("memory://x.zip").load("c")
    assert opened == ["/set/a.png", "/x.zip"]
    time.sleep(0.002)
    memory.pipe_file("/set/a.png", png(3))
    assert faces.load("memory://set").load("a").sha256 != first
    assert opened == ["/set/a.png", "/x.zip", "/set/a.png"]
    assert len(contents(tmp_path)) == 3
    for path in contents(tmp_path):  # kept under its hash; one that is cut short is fetched anew
        path.write_bytes(path.read_bytes()[:-1])
    assert faces.load("memory://set").load("a")
    assert faces.load("memory://x.zip").load("c")


def test_the_same_content_at_two_addresses_is_kept_once(memory: Any, tmp_path: Path) -> None:
    put(memory, {"a.png": png(0), "b.png": png(0)}, "/set")
    found = faces.load("memory://set")
    assert found.load("a").sha256 == found.load("b").sha256
    assert len(contents(tmp_path)) == 1


class Breaks:
    """A file that breaks off after some bytes."""

    def __init__(self, file: Any, after: int) -> None:
        self.file, self.left = file, after

    def read(self, size: int) -> bytes:
        if self.left <= 0:
            raise ConnectionResetError("the line is cut")
        data: bytes = self.file.read(min(size, self.left))
        self.left -= len(data)
        return data

    def __enter__(self) -> Breaks:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(tar_of([(f"{n}.png", png(n)) for n in range(5)], tmp_path / "x.tar")).read_bytes()
    memory.pipe_file("/x.tar", data)
    honest = type(memory).open
    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "open", lambda *a, **k: Breaks(honest(*a, **k), len(data) // 2))
        with pytest.raises(RemoteFailed, match=r"memory://x.tar: cannot be fetched \(ConnectionResetError"):
            faces.load("memory://x.tar")
    read: list[int] = []

    def seeking(*given: Any, **named: Any) -> Any:
        file = honest(*given, **named)
        jump = file.seek

        def seek(place: int) -> Any:
            read.append(place)
            return jump(place)

        file.seek = seek
        return file

    monkeypatch.setattr(type(memory), "open", seeking)
    assert len(faces.load("memory://x.tar").ids()) == 5
    assert read == [len(data) // 2]
    assert not list((tmp_path / "home").rglob("*.part")) + list((tmp_path / "home").rglob("*.version"))


def test_a_part_of_another_version_is_not_continued(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe_file("/x.tar", Path(tar_of([("a.png", png(0))], tmp_path / "x.tar")).read_bytes())
    honest = type(memory).open
    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "open", lambda *a, **k: Breaks(honest(*a, **k), 1000))
        with pytest.raises(RemoteFailed, match="the line is cut"):
            faces.load("memory://x.tar")
    time.sleep(0.002)
    memory.pipe_file("/x.tar", Path(tar_of([("b.png", png(1))], tmp_path / "x.tar")).read_bytes())
    expected = faces.load(folder_of({"b.png": png(1)}, tmp_path / "folder")).load("b").sha256
    assert faces.load("memory://x.tar").load("b").sha256 == expected


def test_a_file_that_changes_under_way_is_refused(memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(tar_of([("a.png", png(0))], tmp_path / "x.tar")).read_bytes()
    memory.pipe_file("/x.tar", data)
    honest = type(memory).open

    def changing(self: Any, path: str, mode: str = "rb", **given: Any) -> Any:
        file = honest(self, path, mode, **given)
        if mode == "rb":
            time.sleep(0.002)
            self.pipe_file(path, data)
        return file

    monkeypatch.setattr(type(memory), "open", changing)
    with pytest.raises(RemoteFailed, match="changed while it was fetched: run it again"):
        faces.load("memory://x.tar")
    assert contents(tmp_path) == []


def test_offline_what_is_here_is_used_and_what_is_not_is_named(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(memory, {"a.png": png(0), "b.png": png(1)}, "/set")
    memory.pipe_file("/x.zip", Path(zip_of([("c.png", png(2))], tmp_path / "x.zip")).read_bytes())
    online = faces.load("memory://set").load("a").sha256
    faces.load("memory://x.zip")
    monkeypatch.setenv("GFPBENCH_OFFLINE", "1")
    memory.store.clear()
    monkeypatch.setattr(remote, "opened", None)  # nobody is asked
    found = faces.load("memory://set")
    assert found.ids() == ("a", "b")
    assert found.load("a").sha256 == online
    with pytest.raises(RemoteFailed, match=r"memory://.*b\.png: has to be fetched, and GFPBENCH_OFFLINE forbids that"):
        found.load("b")
    assert faces.load("memory://x.zip").load("c")
    for url in ("memory://other", "memory://other.zip", "https://example.org/x.zip"):
        with pytest.raises(RemoteFailed, match="and GFPBENCH_OFFLINE forbids that"):
            faces.load(url)


def test_what_fails_is_told_in_one_line(memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(memory, {"a.png": png(0), "notes.txt": b"x"}, "/set")
    memory.pipe_file("/bad.zip", b"rubbish")
    for url, said in (
        ("memory://none", r"memory://none: there is no such file"),
        ("memory://none.zip", r"memory://none\.zip: there is no such file"),
        ("memory://none-*.tar", r"memory://none-\*\.tar: there is no such file"),
        ("memory://set/notes.txt", r"is a file, give its folder or an archive"),
        ("memory://bad.zip", r"memory://bad\.zip: cannot be read as zip"),
        ("memory://x.lmdb", "LMDB is read from a disk only"),
        ("nosuch://bucket/x", "nosuch://bucket/x: Protocol not known"),
        ("https://example.org/faces/", "a web server lists no folder: give an archive"),
        ("memory://x.zip?column=a", r"there is no such file|there is no option"),
    ):
        with pytest.raises(BadInput, match=said) as caught:
            faces.load(url)
        assert "\n" not in str(caught.value)
    found = faces.load("memory://set")
    memory.rm_file("/set/a.png")
    assert "there is no such file" in why_not(found, "a")
    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "info", lambda *_: (_ for _ in ()).throw(PermissionError("Access\nDenied")))
        with pytest.raises(RemoteFailed, match=r"cannot be fetched \(PermissionError: Access Denied\)"):
            faces.load("memory://y.zip")


def test_a_broken_shard_and_image_are_named_by_their_address(memory: Any, tmp_path: Path) -> None:
    for number in range(2):
        data = Path(tar_of([(f"{number}.png", png(number))], tmp_path / "x.tar")).read_bytes()
        memory.pipe_file(f"/s-{number}.tar", data[: 800 if number else None])
    memory.pipe_file("/set/a.png", b"rubbish")
    found = faces.load("memory://s-{0..1}.tar")
    assert set(found.ids()) == {"0", "1", "s-1.tar"}
    assert why_not(found, "0") == ""
    assert why_not(found, "s-1.tar").startswith("memory://s-1.tar: ")
    assert why_not(faces.load("memory://set"), "a").startswith("memory://set: a.png: cannot be decoded")


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@example.org/x.zip",
        "https://example.org/x.zip?X-Amz-Signature=0f&X-Amz-Credential=a",
        "zip://*.png::https://example.org/x.zip?token=abc",
        "ftp://me:secret@example.org/x.zip",
        "https://account.blob.core.windows.net/x.zip?sv=1&sig=abc",
    ],
)
def test_secrets_in_an_address_are_refused_without_being_said(url: str) -> None:
    with pytest.raises(BadInput, match="carries a password or signature, which reports would keep") as caught:
        faces.load(url)
    assert "secret@" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_limits(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(memory, {f"{n}.png": b"x" * 50 for n in range(12)}, "/set")
    with pytest.raises(RemoteFailed, match="has 50 bytes, above the limit of 40"):
        Remote("memory://set/1.png").fetched(at_most=40)
    monkeypatch.setattr(remote, "MAXIMUM_FILES", 10)
    with pytest.raises(RemoteFailed, match="holds more than 10 files, the limit"):
        faces.load("memory://set")


def test_a_file_at_a_file_address_is_a_path(tmp_path: Path) -> None:
    spec = zip_of([("a.png", png(0))], tmp_path / "x.zip")
    assert faces.load(f"file://{spec}").ids() == ("a",)
    assert not (tmp_path / "home").exists()


def test_a_folder_that_is_named_like_an_address_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of({"a.png": png(0)}, tmp_path / "x::y")
    assert faces.load("x::y").ids() == ("a",)


def test_images_within_an_archive_by_a_chained_address(tmp_path: Path) -> None:
    spec = zip_of([("deep/a.png", png(0)), ("b.png", png(1)), ("deep/er/c.png", png(2))], tmp_path / "x.zip")
    found = faces.load(f"zip://deep::file://{spec}")
    assert found.ids() == ("a", "er/c")
    assert why_not(found, "er/c") == ""


def test_without_fsspec_or_its_protocol_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(PackageMissing, match=r"gs://bucket/x needs the package 'gcsfs'.*pip install gcsfs"):
        faces.load("gs://bucket/x")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(PackageMissing, match=r"needs the package 'fsspec'.*pip install gfpbench\[fsspec\]"):
        faces.load("memory://x")


def test_an_archive_of_a_web_server(tmp_path: Path) -> None:
    data = Path(zip_of([("a.png", png(0)), ("b.png", png(1))], tmp_path / "x.zip")).read_bytes()
    with Server() as server:
        url = server.url("/x.zip", Page(data, etag='"one"'))
        found = faces.load(url)
        assert found.ids() == ("a", "b")
        assert why_not(found, "b") == ""
        fetched = len(server.requests)
        assert faces.load(url).ids() == ("a", "b")
        assert [request.path for request in server.requests[fetched:]] == ["/x.zip"], "asked for its version only"
        other = Path(zip_of([("c.png", png(2))], tmp_path / "y.zip")).read_bytes()
        assert faces.load(server.url("/x.zip", Page(other, etag='"two"'))).ids() == ("c",)
        with pytest.raises(RemoteFailed, match=r"/none\.zip: there is no such file \(the server answers 404\)"):
            faces.load(server.url("/none.zip"))
    with pytest.raises(RemoteFailed, match="no connection"):
        faces.load(url)


def test_an_archive_of_a_web_server_is_resumed(tmp_path: Path) -> None:
    data = Path(zip_of([(f"{n}.png", png(n)) for n in range(9)], tmp_path / "x.zip")).read_bytes()
    with Server() as server:
        url = server.url("/x.zip", Page(data, etag='"one"', cut_after=len(data) // 2))
        assert len(faces.load(url).ids()) == 9
        assert f"bytes={len(data) // 2}-" in server.asked("/x.zip")


def test_a_real_s3_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against moto's server, with credentials as fsspec takes them: from the environment."""
    moto = pytest.importorskip("moto.server", reason="moto[s3,server] and s3fs are not installed")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        system = s3fs.S3FileSystem()
        system.mkdir("bucket")
        expected = rows_of(folder_of(FILES, tmp_path / "folder"), tmp_path / "store")
        system.put(str(tmp_path / "folder") + os.sep, "bucket/set/", recursive=True)
        (tmp_path / "packed").mkdir()
        for kind in ("zip", "shards of tar", "shards of parquet"):
            WRITERS[kind](FILES, tmp_path / "packed")
        system.put(str(tmp_path / "packed") + os.sep, "bucket/", recursive=True)
        for spec in ("set", "faces.zip", "shard-{000..001}.tar", "train-*.parquet"):
            assert rows_of(f"s3://bucket/{spec}", tmp_path / "store") == expected, spec
        chained = faces.load("zip://a::s3://bucket/faces.zip")
        assert chained.ids() == ("10", "2")
        assert why_not(chained, "2") == ""
        kept = contents(tmp_path)
        assert faces.load("s3://bucket/faces.zip").load("b")
        assert contents(tmp_path) == kept
        with pytest.raises(RemoteFailed, match=r"s3://bucket/none\.zip: there is no such file"):
            faces.load("s3://bucket/none.zip")
        with pytest.raises((RemoteFailed, UnreadableFace, BadInput), match="s3://nowhere/set") as caught:
            faces.load("s3://nowhere/set")
        assert "\n" not in str(caught.value)
    finally:
        server.stop()
        s3fs.S3FileSystem.clear_instance_cache()
