"""Full disks, Ctrl-C, killed processes and two at once: what is left behind can always be gone on with."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gfpbench import assets
from gfpbench.assets import download
from gfpbench.assets.lock import Record
from tests.unit.assets import laws
from tests.unit.assets.laws import CONTENT, Page, Server, final, part, toy


def full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("after", [0, 1])
def test_a_full_disk_in_the_data(server: Server, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    toy(monkeypatch, server.url("/one", Page()), server.url("/two", Page()))
    monkeypatch.setattr(download, "CHUNK_BYTES", 100_000)
    real, written = download.write, []

    def write(file: Any, piece: bytes) -> None:
        written.append(len(piece))
        (full if len(written) > after else real)(file, piece)

    with monkeypatch.context() as disk:
        disk.setattr(download, "write", write)
        with pytest.raises(assets.FetchFailed, match=r"disk .* is full") as caught:
            assets.fetch("toy", say=print)
    assert "\n" not in str(caught.value)
    assert "GFPBENCH_HOME" in str(caught.value)
    assert server.asked("/two") == [], "another mirror does not make room on the disk"
    assert not final().exists()
    assert part().stat().st_size == sum(written[:after])
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT


@pytest.mark.parametrize("where", ["marks", "lock file", "stamp", "rename"])
def test_a_full_disk_anywhere_else(server: Server, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    toy(monkeypatch, server.url("/file", Page()), sha256=None)
    with monkeypatch.context() as disk:
        if where == "marks":
            disk.setattr(download.ResumingDownloader, "_begin", full)
        elif where == "rename":
            disk.setattr(Path, "replace", full)
        else:
            real, wanted = Record.put, "assets.lock" if where == "lock file" else ".verified.json"
            disk.setattr(Record, "put", lambda self, *rest: (full if self.path.name == wanted else real)(self, *rest))
        with pytest.raises(assets.FetchFailed, match=r"disk .* is full"):
            assets.fetch("toy", say=print)
        laws.nothing_wrong_under_its_name()
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT
    assert assets.path("toy") == final()


def test_a_cache_that_cannot_be_written(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "file" / "below"))
    toy(monkeypatch, server.url("/file", Page()))
    with pytest.raises(assets.FetchFailed, match="cannot write toy"):
        assets.fetch("toy", say=print)


def test_ctrl_c_leaves_a_part_to_go_on_with(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page()))
    monkeypatch.setattr(download, "CHUNK_BYTES", 50_000)

    def stop(done: int, total: int, what: str) -> None:
        if done >= 50_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assets.fetch("toy", progress=stop, say=print)
    kept = part().stat().st_size
    assert 0 < kept < len(CONTENT)
    assert part().read_bytes() == CONTENT[:kept]
    assert assets.status("toy").state == "partial"
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT
    assert server.asked("/file")[-1] == f"bytes={kept}-"


def test_two_threads_fetch_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    laws.law_one_download_at_a_time(server, monkeypatch, assets.fetch)


NURSERY = """
import os, sys
from gfpbench import assets
name, url, sha256, size = sys.argv[1:]
assets.ASSETS[name] = assets.Asset(name, name + ".pth", (url,), sha256, int(size), "Apache-2.0", "nobody", ())
print("ready", flush=True)
for _ in sys.stdin:
    if (pid := os.fork()) == 0:
        path = assets.fetch(name, say=lambda line: None)
        os.write(1, f"done {path}\\n".encode())
        os._exit(0)
    print(pid, flush=True)
"""
"""A process of its own that makes fetching processes: importing torch once is slow enough."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_two_processes_fetch_once_and_a_killed_one_frees_the_way(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = toy(monkeypatch, server.url("/file", Page(stall_after=70_000)))
    command = [sys.executable, "-c", NURSERY, asset.name, *asset.urls, str(asset.sha256), str(asset.size_bytes)]
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None

        def start() -> str:
            print("go", file=nursery.stdin, flush=True)
            return nursery.stdout.readline().strip()  # type: ignore[union-attr]

        assert nursery.stdout.readline() == "ready\n"
        victim = int(start())
        while not part().exists() or part().stat().st_size < 60_000:  # the last few kB may not be on disk yet
            assert nursery.poll() is None
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        kept = part().stat().st_size
        release, waited = threading.Event(), list[bool]()
        server.pages["/file"] = Page(on_request=lambda page: waited.append(release.wait(20)))
        assert start().isdigit()
        assert start().isdigit()
        release.set()
        assert [nursery.stdout.readline() for _ in range(2)] == [f"done {final()}\n"] * 2
        nursery.stdin.close()
        nursery.wait(10)
    assert final().read_bytes() == CONTENT
    assert server.asked("/file") == [None, f"bytes={kept}-"], "one of them went on where the killed one stopped"


def test_a_failure_frees_the_lock(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(status=500)))
    with pytest.raises(assets.FetchFailed):
        assets.fetch("toy", say=print)
    server.pages["/file"] = Page()
    lines: list[str] = []
    assert assets.fetch("toy", say=lines.append) == final()
    assert lines == []
