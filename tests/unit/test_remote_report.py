"""A report at an address is the report of a folder: put there whole, refused while it is not, read as from a disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gfpbench import results
from gfpbench.assets import remote_report
from gfpbench.assets.remote import RemoteFailed, RemoteMissing
from gfpbench.assets.remote_report import RemoteReport, fetched_report
from gfpbench.cli import app
from gfpbench.types import BadInput
from tests.unit.assets.laws import Page, Server
from tests.unit.faces.test_addresses import _home, memory  # noqa: F401 - fixtures

RUN = ["run", "--restorer", "bicubic", "--limit", "2", "--size", "64", "--metric", "psnr_rgb"]
URL = "memory://bucket/run"


def said(*words: object, code: int = 0) -> str:
    found = CliRunner().invoke(app, [*map(str, words)])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    assert found.exit_code == code, found.output
    return found.stdout


def refused(*words: object) -> str:
    found = CliRunner().invoke(app, [*map(str, words)])
    assert isinstance(found.exception, BadInput), found.exception
    assert "\n" not in str(found.exception)
    return str(found.exception)


def names(system: Any, below: str = "/bucket/run/") -> set[str]:
    return {path.removeprefix(below) for path in system.find(below)}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in a folder."""
    folder = tmp_path_factory.mktemp("local") / "report"
    said(*RUN, "--report", folder)
    return folder


@pytest.fixture
def there(memory: Any, local: Path) -> Any:  # noqa: F811
    """The same report at an address."""
    report = RemoteReport(URL)
    shutil.copytree(local, report.folder)
    report.begin()
    report.put()
    return memory


def test_it_holds_what_a_folder_holds(memory: Any, local: Path) -> None:  # noqa: F811
    assert f"{URL}: the report is there" in said(*RUN, "--report", URL)
    files = {path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file()}
    files = {name for name in files if not Path(name).name.startswith(".")}
    assert names(memory) == files
    assert {"results.json", "index.html", "junit.xml"} < files
    for name in files - {name for name in files if name.endswith("timing.json")}:
        assert memory.cat_file(f"/bucket/run/{name}") == (local / name).read_bytes(), name


def test_commands_read_it(there: Any, local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "LARGE_ROWS", 1)
    said("report", local, "--to", "memory://bucket/large")
    assert "rows.parquet" in names(there, "/bucket/large/")
    assert said("report", "memory://bucket/large", "--json") == said("report", local, "--json")
    for place in (URL, f"{URL}/results.json"):
        assert said("report", place, "--json") == said("report", local, "--json")
        assert said("claims", place, "--json", "--to", tmp_path / "c")
        assert "after" in said("matrix", f"before={local}", f"after={place}", "--json")
    assert said("compare", URL, local, "--report", "memory://bucket/page")
    assert {"index.html", "verdicts.json"} < names(there, "/bucket/page/")
    said("report", URL, "--to", tmp_path / "far")
    said("report", local, "--to", tmp_path / "near")
    for name in ("index.html", "results.json", "rows.parquet"):
        assert (tmp_path / "far" / name).read_bytes() == (tmp_path / "near" / name).read_bytes(), name
    assert "data:image/" in (tmp_path / "far" / "index.html").read_text()


def test_what_goes_there_goes_here(there: Any, tmp_path: Path) -> None:
    folder = fetched_report(URL, images=True)
    assert folder == tmp_path / "home" / "remote" / "reports" / "memory" / "bucket" / "run"
    image = next(folder.rglob("*.png"))
    there.rm_file(f"/bucket/run/{image.relative_to(folder).as_posix()}")
    there.pipe_file("/bucket/run/results.json", b"{}")
    assert fetched_report(URL, images=True) == folder
    assert not image.exists()
    assert (folder / "results.json").read_text() == "{}"
    with pytest.raises(RemoteMissing, match=r"memory://bucket/run/other\.json: there is no such file"):
        fetched_report(f"{URL}/other.json")
    with pytest.raises(RemoteMissing, match="memory://bucket/none"):
        fetched_report("memory://bucket/none")


def test_a_report_on_a_web_server_is_read(local: Path) -> None:
    with Server() as server:
        url = server.url("/run/results.json", Page((local / "results.json").read_bytes(), etag='"one"'))
        assert said("report", url, "--json") == said("report", local, "--json")


def test_an_upload_that_fails_keeps_the_report_and_goes_on(
    memory: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = type(memory).put_file
    put: list[str] = []

    def failing(self: Any, path: str, to: str, **given: Any) -> None:
        put.append(to)
        if to.endswith("results.json") or to.endswith("junit.xml"):
            raise PermissionError("AccessDenied\nnot you")
        honest(self, path, to, **given)

    monkeypatch.setattr(type(memory), "put_file", failing)
    line = refused(*RUN, "--report", URL)
    kept = RemoteReport(URL).folder
    assert f"{URL}: cannot be written (PermissionError: AccessDenied not you); the report is whole in {kept}" in line
    assert (kept / "index.html").exists()
    assert ".unfinished" in names(memory)
    assert "results.json" not in names(memory)
    assert "has not finished" in refused("report", URL, "--json")
    already = [one for one in put if not one.endswith("junit.xml")]
    put.clear()

    def counted(self: Any, path: str, to: str, **given: Any) -> None:
        put.append(to)
        honest(self, path, to, **given)

    monkeypatch.setattr(type(memory), "put_file", counted)
    said(*RUN, "--report", URL)
    assert already
    assert not {one for one in already if "/images/" in one} & set(put), "what is there is not put there again"
    assert put[-1].endswith("results.json")
    assert ".unfinished" not in names(memory)


def test_what_never_began_leaves_none(memory: Any) -> None:  # noqa: F811
    assert "no metric" in refused(*RUN, "--metric", "none", "--report", URL)
    assert names(memory) == set()


def test_what_ends_a_run_leaves_the_mark(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def stopped(*given: object, **more: object) -> None:
        raise BadInput("stopped here")

    with monkeypatch.context() as patch:
        patch.setattr("gfpbench.run.run_case", stopped)
        assert refused(*RUN, "--report", URL) == "stopped here"
    assert names(memory) == {".unfinished"}
    assert "has not finished" in refused("claims", URL)
    said(*RUN, "--report", URL)
    assert ".unfinished" not in names(memory)


def test_a_report_of_somebody_else_is_not_replaced(there: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said(*RUN, "--report", URL)  # its own is
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "another"))
    before = {name: there.cat_file(f"/bucket/run/{name}") for name in names(there)}
    assert "holds a report that was not put there from" in refused(*RUN, "--report", URL)
    assert {name: there.cat_file(f"/bucket/run/{name}") for name in names(there)} == before


def test_what_the_next_run_does_not_write_goes(there: Any) -> None:
    there.pipe_file("/bucket/run/mine.txt", b"mine")
    images = {name for name in names(there) if "/images/" in name}
    assert images
    folder = RemoteReport(URL).folder
    (folder / next(iter(images))).unlink()
    report = RemoteReport(URL)
    report.begin()
    report.put()
    assert names(there) == {"mine.txt", *names(there)} - {next(iter(images))}
    assert len({name for name in names(there) if "/images/" in name}) == len(images) - 1


def test_exit_code_1_puts_it_there_all_the_same(memory: Any, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "faces").mkdir()
    said("degrade", "--limit", "2", "--size", "64", "--to", tmp_path / "faces", code=0)
    (tmp_path / "faces" / "broken.png").write_bytes(b"no image")
    said("run", "--faces", tmp_path / "faces", "--restorer", "bicubic", "--metric", "psnr_rgb", "--report", URL, code=1)
    assert "results.json" in names(memory)
    assert ".unfinished" not in names(memory)


def test_shards_at_addresses_are_joined(memory: Any, tmp_path: Path) -> None:  # noqa: F811
    parts = [f"memory://bucket/parts/{number}" for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        said(*RUN, "--batch-size", "1", "--shard", f"{number}/2", "--report", part)
    said("merge", *parts, "--report", URL)
    said(*RUN, "--batch-size", "1", "--report", tmp_path / "local")
    assert memory.cat_file("/bucket/run/results.json") == (tmp_path / "local" / "results.json").read_bytes()
    assert "holds a part of a run" in refused("report", parts[0], "--json")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://host/report", "a report is put into a folder of a store"),
        ("zip://x::memory://bucket/a.zip", "a report is put into a folder of a store"),
        ("memory://bucket/*", "a report is put into a folder of a store"),
        ("s3://me:secret@bucket/run", "carries a password"),
        ("nosuch://bucket/run", "nosuch"),
    ],
)
def test_an_address_that_takes_no_report_is_refused(url: str, why: str, memory: Any) -> None:  # noqa: F811
    line = refused(*RUN, "--report", url)
    assert why in line
    assert "secret@" not in line


def test_a_verb_that_takes_no_address_makes_no_folder_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "collapse: s3:/bucket/x: takes no address here" in refused("collapse", "--report", "s3://bucket/x")
    assert list(tmp_path.iterdir()) == []


def test_no_address_is_reached_offline(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("GFPBENCH_OFFLINE", "1")
    assert "GFPBENCH_OFFLINE forbids that" in refused(*RUN, "--report", URL)


def test_folders_are_made_where_a_store_has_them(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    report = RemoteReport(f"file://{tmp_path}/far/away")
    report.begin()
    report.folder.mkdir(parents=True)
    (report.folder / "results.json").write_text("{}")
    report.put()
    assert [path.name for path in (tmp_path / "far" / "away").iterdir()] == ["results.json"]
    assert json.loads((report.folder / remote_report.RECORD).read_text())["files"].keys() == {"results.json"}


def test_a_real_s3_server_takes_a_report(monkeypatch: pytest.MonkeyPatch, local: Path) -> None:
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
        with pytest.raises(RemoteFailed, match="s3://nowhere/run: cannot be written"):
            RemoteReport("s3://nowhere/run").begin()
        s3fs.S3FileSystem().mkdir("reports")
        said("report", local, "--to", "s3://reports/run")
        assert said("report", "s3://reports/run", "--json") == said("report", local, "--json")
        assert ".unfinished" not in {Path(name).name for name in s3fs.S3FileSystem().find("reports/run")}
    finally:
        server.stop()
        s3fs.S3FileSystem.clear_instance_cache()
