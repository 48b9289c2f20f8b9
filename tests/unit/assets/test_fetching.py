"""Fetching: the right file or one clear line, and never anything half-written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pooch
import pytest

from gfpbench import assets
from gfpbench.assets import Patience, ResumingDownloader
from gfpbench.types import BadInput
from tests.unit.assets import laws
from tests.unit.assets.laws import CONTENT, ONCE, OTHER, Page, Server, final, part, toy

SOON_STALLED = Patience(connect_seconds=20, stall_seconds=0.4, dropped_retries=0)
SOON_SLOW = Patience(stall_seconds=20, slow_seconds=0.3, slow_bytes=4096)


def failure(patience: Patience = ONCE, **options: Any) -> str:
    """The one line with which fetching fails."""
    with pytest.raises(assets.FetchFailed) as caught:
        assets.fetch("toy", patience=patience, say=print, **options)
    laws.nothing_wrong_under_its_name()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_arrives_whole_and_verified(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page()))
    seen: list[tuple[int, int, str]] = []
    path = assets.fetch("toy", progress=lambda *where: seen.append(where), say=print)
    assert path == final() == assets.path("toy")
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT), "toy")
    assert [done for done, _, _ in seen] == sorted({done for done, _, _ in seen})
    assert sorted(p.name for p in path.parent.iterdir() if p.is_file()) == [".verified.json", "toy.pth"]


def test_a_file_that_is_here_is_not_asked_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page()))
    assets.fetch("toy", say=print)
    monkeypatch.setenv("GFPBENCH_OFFLINE", "1")
    assert assets.fetch("toy", say=print) == final()
    assert len(server.requests) == 1


def test_an_interrupted_download_goes_on_where_it_stopped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = laws.interrupted(server, monkeypatch, assets.fetch, Page())
    seen: list[int] = []
    assert assets.fetch("toy", progress=lambda done, *_: seen.append(done), say=print).read_bytes() == CONTENT
    assert server.asked("/file") == [None, f"bytes={kept}-"]
    assert server.requests[-1].headers["If-Range"] == '"one"'
    assert seen[0] > kept


def test_a_dropped_connection_is_taken_up_again_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(cut_after=len(CONTENT) // 3 + 1)))
    assert assets.fetch("toy", say=print, patience=Patience(dropped_retries=3)).read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_a_server_without_ranges_is_not_asked_for_ever(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(cut_after=1000, ranges=False)))
    with pytest.raises(assets.FetchFailed, match="short: 1000 of"):
        assets.fetch("toy", say=print, patience=Patience(dropped_retries=50))
    assert len(server.requests) == 2


def test_a_server_without_ranges_starts_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    laws.interrupted(server, monkeypatch, assets.fetch, Page(ranges=False))
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changed_meanwhile_starts_over(
    server: Server, monkeypatch: pytest.MonkeyPatch, heeds_if_range: bool
) -> None:
    laws.law_changed_file_is_not_appended(server, monkeypatch, assets.fetch, heeds_if_range)


def test_a_file_of_another_length_starts_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(content=OTHER + b"more", etag=None)
    laws.interrupted(server, monkeypatch, assets.fetch, page, sha256=None, size_bytes=None)
    page.content = CONTENT
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT


def test_a_change_that_only_the_hash_shows_starts_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(content=OTHER, etag=None)
    laws.interrupted(server, monkeypatch, assets.fetch, page)
    page.content = CONTENT
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT
    assert server.asked("/file") == [None, "bytes=100000-", None]


def test_weak_marks_are_not_used_to_continue(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(etag='W/"one"', modified="Wed, 01 Sep 2021 00:00:00 GMT")
    laws.interrupted(server, monkeypatch, assets.fetch, page)
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT
    assert server.requests[-1].headers["If-Range"] == page.modified


def test_a_part_that_is_longer_than_the_file_starts_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    laws.interrupted(server, monkeypatch, assets.fetch, Page(content=OTHER + OTHER, etag=None), size_bytes=None)
    with part().open("ab") as file:
        file.write(b"x" * len(CONTENT))
    server.pages["/file"] = Page(etag=None)
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT  # 416, then all of it


def test_a_whole_part_is_only_verified(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = laws.interrupted(server, monkeypatch, assets.fetch, Page())
    with part().open("ab") as file:
        file.write(CONTENT[kept:])
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_another_mirror_does_not_continue_the_first_ones_part(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    laws.interrupted(server, monkeypatch, assets.fetch, Page(content=OTHER, etag=None))
    assert assets.fetch("toy", urls=[server.url("/mirror", Page())], say=print).read_bytes() == CONTENT
    assert server.asked("/mirror") == [None]


def test_a_dead_mirror_leaves_the_part_of_the_first_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = laws.interrupted(server, monkeypatch, assets.fetch, Page())
    failure(urls=[server.url("/gone")])
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT
    assert server.asked("/file")[-1] == f"bytes={kept}-"


def test_mirrors_are_tried_in_order_and_each_failure_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [server.url("/gone"), server.url("/broken", Page(status=500)), server.url("/file", Page())]
    toy(monkeypatch, *urls)
    lines: list[str] = []
    assert assets.fetch("toy", say=lines.append) == final()
    assert [request.path for request in server.requests] == ["/gone", "/broken", "/file"]
    assert len(lines) == 2
    assert "404" in lines[0]
    assert "500" in lines[1]


@pytest.mark.parametrize("status", [403, 404, 410, 429, 500, 503])
def test_a_refusal_is_named(server: Server, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    toy(monkeypatch, server.url("/file", Page(status=status)))
    assert f"the server answers {status}" in failure()


def test_redirects_are_followed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/start", Page(redirect=server.url("/file", Page()))))
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT


def test_redirects_in_a_circle_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/a", Page(redirect=server.url("/b", Page(redirect=server.url("/a"))))))
    assert "circle" in failure()
    assert len(server.requests) == 11


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x"])
def test_a_redirect_out_of_the_web_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    toy(monkeypatch, server.url("/file", Page(redirect=where)), sha256=None, size_bytes=None)
    assert "not http or https" in failure()


def test_a_redirect_from_https_to_http_is_refused(server: Server, tmp_path: Path) -> None:
    class Answer:
        def __init__(self, url: str, *history: Any) -> None:
            self.url, self.history, self.status_code, self.closed = url, history, 200, False

        def close(self) -> None:
            self.closed = True

    class Session:
        def get(self, *_: Any, **__: Any) -> Answer:
            return answer

    answer = Answer("http://mirror/file", Answer("https://publisher/file"))
    with pytest.raises(assets.MirrorFailed, match="https to http"):
        ResumingDownloader(tmp_path / "part")._ask(Session(), "https://publisher/file", {}, 0)  # type: ignore[arg-type]
    assert answer.closed


def test_a_server_that_says_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(stall_first=True)))
    assert "nothing came for 0.4 s" in failure(SOON_STALLED)


def test_a_server_that_stops_in_the_middle_leaves_a_part(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(stall_after=50_000)))
    line = failure(SOON_STALLED)
    assert "nothing came for 0.4 s" in line
    assert "kept" in line
    assert part().stat().st_size == 50_000
    server.pages["/file"].stall_after = None
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT
    assert server.asked("/file")[-1] == "bytes=50000-"


def test_a_server_that_drips(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(drip=True)))
    assert "too slow" in failure(SOON_SLOW)


def test_a_slow_but_steady_server_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    content = CONTENT[:40]
    toy(
        monkeypatch,
        server.url("/file", Page(content=content, drip=True)),
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=40,
    )
    patient = Patience(stall_seconds=5, slow_seconds=0.1, slow_bytes=1)
    assert assets.fetch("toy", patience=patient, say=print).read_bytes() == content


@pytest.mark.parametrize("size_bytes", [len(CONTENT), None])
def test_a_short_file(server: Server, monkeypatch: pytest.MonkeyPatch, size_bytes: int | None) -> None:
    toy(monkeypatch, server.url("/file", Page(content=CONTENT[:9000], length=len(CONTENT))), size_bytes=size_bytes)
    assert "short" in failure()


def test_a_short_file_without_a_length(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(unmeasured=True, cut_after=9000)))
    assert f"short: 9000 of {len(CONTENT)} bytes" in failure()


def test_a_file_without_a_length_that_never_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(content=CONTENT * 20, unmeasured=True)))
    assert "sends more than" in failure()
    assert not part().exists() or part().stat().st_size < 20 * len(CONTENT)


def test_a_server_with_a_file_of_another_length_is_not_listened_to(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy(monkeypatch, server.url("/file", Page(content=CONTENT + b"!")))
    assert f"the server has {len(CONTENT) + 1} bytes, expected {len(CONTENT)}" in failure()
    assert not part().exists()


def test_an_empty_file(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page(content=b"")), size_bytes=None, sha256=None)
    assert "empty" in failure()


def test_wrong_content_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    laws.law_wrong_content_is_refused(server, monkeypatch, assets.fetch)


def test_after_wrong_content_the_next_mirror_is_tried(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/bad", Page(content=OTHER)), server.url("/good", Page()))
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT


def test_the_name_comes_last(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    laws.law_name_comes_last(server, monkeypatch, assets.fetch)


@pytest.mark.parametrize(
    "page",
    [
        Page(content=b"<!DOCTYPE html><p>log in</p>", content_type="text/html; charset=utf-8"),
        Page(content=b"\n <html><p>log in</p>"),
        Page(content=b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"),
        Page(content=b'{"message": "Not Found"}'),
    ],
)
def test_a_page_instead_of_the_file_is_never_pinned(
    server: Server, monkeypatch: pytest.MonkeyPatch, page: Page
) -> None:
    toy(monkeypatch, server.url("/file", page), sha256=None, size_bytes=None)
    failure()
    assert not final().exists()
    assert not (assets.home() / "assets.lock").exists()


def test_offline_by_wish(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page()))
    monkeypatch.setenv("GFPBENCH_OFFLINE", "1")
    assert "GFPBENCH_OFFLINE" in failure()
    assert server.requests == []
    monkeypatch.setenv("GFPBENCH_OFFLINE", "0")
    assert assets.fetch("toy", say=print) == final()


def test_offline_by_circumstance(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    toy(monkeypatch, "https://github.com/file.pth")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert failure().endswith("github.com: its name cannot be resolved: is there a network?")


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    with Server() as gone:
        url = gone.url("/file")
    toy(monkeypatch, url)
    assert "no connection (" in failure()


def test_proxies_of_the_environment_are_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, "http://publisher.invalid/file")
    server.pages["http://publisher.invalid/file"] = Page()
    monkeypatch.setenv("http_proxy", server.url(""))
    assert assets.fetch("toy", say=print).read_bytes() == CONTENT


def test_it_serves_pooch_as_a_downloader(server: Server, tmp_path: Path) -> None:
    downloader = ResumingDownloader(tmp_path / "file.part", patience=ONCE)
    url, right = server.url("/file", Page()), hashlib.sha256(CONTENT).hexdigest()
    pooch.get_logger().setLevel("WARNING")
    got = pooch.retrieve(url, f"sha256:{right}", fname="file", path=tmp_path / "cache", downloader=downloader)
    assert Path(got).read_bytes() == CONTENT
    assert downloader(url, "", None, check_only=True) is True
    assert downloader(server.url("/gone"), "", None, check_only=True) is False
    assert list(tmp_path.glob("file.part*")) == []


def test_a_file_that_people_must_get_themselves(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    right = hashlib.sha256(CONTENT).hexdigest()
    toy(monkeypatch, sha256=right[:8], size_bytes=None)
    line = failure()
    assert "nobody/nothing@v1" in line
    assert str(assets.home()) in line
    final().parent.mkdir(parents=True, exist_ok=True)
    final().write_bytes(CONTENT)
    lines: list[str] = []
    assert assets.fetch("toy", say=lines.append) == final()
    assert right in lines[0]
    assert assets.path("toy") == final()


def test_a_damaged_file_is_fetched_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/file", Page()))
    assets.fetch("toy", say=print)
    final().write_bytes(OTHER)
    lines: list[str] = []
    assert assets.fetch("toy", say=lines.append).read_bytes() == CONTENT
    assert "damaged" in lines[0]


def test_several_at_once_one_failure_does_not_stop_the_others(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    toy(monkeypatch, server.url("/gone"), name="toy-gone")
    toy(monkeypatch, server.url("/file", Page()))
    toy(monkeypatch, server.url("/file"), name="toy-nc", noncommercial=True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    gone, refused, got = assets.fetch_many(["toy-gone", "toy-nc", "toy", "toy"], say=print)
    assert isinstance(gone.problem, assets.FetchFailed)
    assert isinstance(refused.problem, assets.LicenceNotAccepted)
    assert (got.path, got.problem) == (final(), None)
    with pytest.raises(BadInput, match="did you mean 'toy'"):
        assets.fetch_many(["toy", "toyy"])
