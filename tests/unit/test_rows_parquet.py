"""Rows in Parquet are the rows: every value comes back, and a file that is not the one is refused in one line."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from gfpbench import compact, report, results
from gfpbench.cli import app
from gfpbench.results import parquet, read, text, write, write_report_file
from gfpbench.types import BadInput, PackageMissing, Result, Row
from tests.speed.large import large

IMAGES = 40


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "LARGE_ROWS", 3)
    monkeypatch.setattr(compact, "PLAIN_AT_MOST", 5)
    monkeypatch.setattr(parquet, "TOGETHER", 7)


def odd() -> tuple[Row, ...]:
    """Rows with whatever may stand in a row."""
    first, second, third, fourth, *others = large(IMAGES, "input").rows
    values = {"whole": 3, "half": 0.5, "yes": True, "none": None, "large": (1 << 64) - 1, "list": [1, {"y": None}]}
    mixed = {"jpeg_quality": 7.0, "noise_std_grey_levels": 7, "blur_shape": None, "inf": "inf", "x.y": "\udc80", "": ""}
    scores = {"a": math.inf, "b": None, "c": -0.0, "d": -math.inf, "e": 5e-324, "f": 0.1 + 0.2, "rest": 1.0}
    return (
        dataclasses.replace(first, scores=scores, read={"truth": {"format": "PNG", "bits": 16}}, parameters={}),
        dataclasses.replace(second, id="ab\ud800\n\u202e", attributes=values, fingerprint={}),
        dataclasses.replace(third, scores={}, failure="raised \udcff", size_px=(7, 2000)),
        dataclasses.replace(fourth, parameters=mixed, attributes={}, face_sha256=""),
        *others,
    )


def three() -> list[Result]:
    empty = dataclasses.replace(large(1, "none"), rows=(), problems=())
    return [large(IMAGES), empty, dataclasses.replace(large(IMAGES, "input"), rows=odd()), empty]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_report_file(three(), tmp_path / "results.json")
    return tmp_path / "results.json"


def test_every_value_comes_back(path: Path) -> None:
    found = read(path)
    assert text(found) == text(three())
    assert list(found) == three()
    for one, other in zip(found[2].rows, odd(), strict=True):
        assert repr(sorted(one.parameters.items())) == repr(sorted(other.parameters.items()))  # 7 is not 7.0
        assert repr(sorted(one.scores.items())) == repr(sorted(other.scores.items()))  # 0.0 is not -0.0
    assert isinstance(found[0].rows[-1].scores, compact._Scores)


def test_equal_rows_give_equal_bytes_whatever_held_them(path: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    write_report_file(read(path), tmp_path / "again" / "results.json")
    for name in ("results.json", "rows.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == path.with_name(name).read_bytes(), name


def test_results_json_holds_the_rest_and_an_older_gfpbench_refuses_it(path: Path) -> None:
    data = json.loads(path.read_text())
    assert data["schema"] == 2
    assert [one["rows"] for one in data["results"]] == [[], [], [], []]
    assert data["rows"]["counts"] == [IMAGES, 0, IMAGES, 0]
    assert data["results"][0]["metrics"] == json.loads(text(three()))["results"][0]["metrics"]


def test_people_read_it_with_pandas(path: Path) -> None:
    frame = pd.read_parquet(path.with_name("rows.parquet"))
    assert list(frame["result"]) == [0] * IMAGES + [2] * IMAGES
    assert frame["scores.metric_0"].dtype == "float64"
    assert frame["scores.metric_3"][5] == large(IMAGES).rows[5].scores["metric_3"]
    assert frame["parameters.jpeg_quality"][5] == large(IMAGES).rows[5].parameters["jpeg_quality"]
    assert frame["scores.a"][IMAGES] == math.inf
    assert frame["failure"].notna().sum() == 0  # that one cannot be told in UTF-8
    assert "raised" in frame["rest"][IMAGES + 2]


def test_what_has_no_column_is_kept_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(parquet, "COLUMNS_AT_MOST", 3)
    write_report_file(three(), tmp_path / "results.json")
    assert len(pd.read_parquet(tmp_path / "rows.parquet").columns) == 1 + 5 + 3 + 3
    assert text(read(tmp_path / "results.json")) == text(three())


def test_few_rows_stay_in_results_json(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(results, "LARGE_ROWS", 2 * IMAGES)
    write_report_file(three(), path)
    write(three(), tmp_path / "plain.json")
    assert path.read_text() == (tmp_path / "plain.json").read_text()
    assert not path.with_name("rows.parquet").exists()  # the one of before is of no use any more


def _edited(path: Path, edit: Callable[[dict[str, object]], object]) -> None:
    data = json.loads(path.read_text())
    edit(data["rows"])
    path.write_text(json.dumps(data))


def _named(path: Path, file: str) -> None:
    _edited(path, lambda rows: rows.update(file=file))


def _other(path: Path) -> None:
    other = path.parent / "other"
    other.mkdir()
    write_report_file([large(IMAGES, seed=1)], other / "results.json")
    shutil.copy(other / "rows.parquet", path.with_name("rows.parquet"))


def _other_named(path: Path) -> None:
    """A Parquet file that is none of ours, with its right hash."""
    pd.DataFrame({"a": [1]}).to_parquet(path.with_name("rows.parquet"))
    _rehashed(path)


def _rehashed(path: Path) -> None:
    import hashlib

    sha256 = hashlib.sha256(path.with_name("rows.parquet").read_bytes()).hexdigest()
    _edited(path, lambda rows: rows.update(sha256=sha256))


def _cut(path: Path) -> None:
    rows = path.with_name("rows.parquet")
    rows.write_bytes(rows.read_bytes()[:-100])


def _bit(path: Path) -> None:
    data = bytearray(path.with_name("rows.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    path.with_name("rows.parquet").write_bytes(data)


def _text(path: Path) -> None:
    path.with_name("rows.parquet").write_text("no parquet")
    _rehashed(path)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.with_name("rows.parquet").unlink(), "beside it, which cannot be read .*keep both"),
    "cut short": (_cut, "rows.parquet is not the file that this was written with"),
    "a bit": (_bit, "rows.parquet is not the file that this was written with"),
    "of another run": (_other, "rows.parquet is not the file that this was written with"),
    "foreign": (_other_named, "rows.parquet: is not the Parquet file that gfpbench writes"),
    "no parquet": (_text, "rows.parquet: is not the Parquet file that gfpbench writes"),
    "a folder": (lambda path: _named(path, "."), "expected the name of a file"),
    "a path that leads out": (lambda path: _named(path, "../rows.parquet"), "expected the name of a file"),
    "other counts": (lambda path: _edited(path, lambda rows: rows.update(counts=[1, 0, 40, 0])), "does not hold each"),
    "a count too few": (lambda path: _edited(path, lambda rows: rows.update(counts=[40])), "a count for each"),
    "no hash": (lambda path: _edited(path, lambda rows: rows.pop("sha256")), r"results.json: rows: .*sha256"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_line(path: Path, damage: str) -> None:
    harm, said = DAMAGES[damage]
    harm(path)
    with pytest.raises(BadInput, match=said) as error:
        read(path)
    assert "\n" not in str(error.value)
    assert str(path.parent) in str(error.value)
    with pytest.raises(BadInput, match="remove it, or give another --report folder"):
        report.earlier(path.parent)


def test_a_row_that_is_twice_or_carries_a_number_beside_a_failure_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [dict(one) for one in map(results.row_to_json, large(4).rows)]
    monkeypatch.setattr(parquet, "read", lambda path: iter([(0, rows[0])] * 2))
    with pytest.raises(BadInput, match="does not hold each image of each result once"):
        read(path)
    rows[0]["failure"] = "raised"
    with pytest.raises(BadInput, match=r"rows.parquet.scores: a failed image carries a number"):
        read(path)


def test_without_pyarrow_all_rows_stay_in_results_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_report_file(three(), tmp_path / "apart.json")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    written = report.write_run([large(IMAGES)], tmp_path / "report", store=None)
    assert any("rows.parquet needs pyarrow, `pip install gfpbench[parquet]`" in line for line in written.lines())
    assert list(read(tmp_path / "report" / "results.json")) == [large(IMAGES)]
    with pytest.raises(PackageMissing, match=r"rows.parquet needs the package 'pyarrow'.*gfpbench\[parquet\]"):
        read(tmp_path / "apart.json")


def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    for content in (b"mine", b""):
        (tmp_path / "rows.parquet").write_bytes(content)
        written = report.write_run([large(IMAGES)], tmp_path, store=None)
        assert (tmp_path / "rows.parquet").read_bytes() == content
        assert any("rows.parquet was not written by gfpbench" in line for line in written.lines())
        assert list(read(tmp_path / "results.json")) == [large(IMAGES)]


def test_commands_read_both(tmp_path: Path) -> None:
    before, now = large(IMAGES), large(IMAGES, seed=1)
    report.write_run([before], tmp_path / "before", store=None)
    report.write_run([now], tmp_path / "now", store=None)
    write([before], tmp_path / "plain.json")
    write([now], tmp_path / "now.json")
    assert {one.name for one in (tmp_path / "now").iterdir()} >= {"results.json", "rows.parquet"}

    def said(*words: object) -> tuple[int, str]:
        found = CliRunner().invoke(app, [*map(str, words)])
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found.exit_code, found.output.replace(str(tmp_path), "")

    apart = said("compare", tmp_path / "now", tmp_path / "before", "--json")
    assert apart == said("compare", tmp_path / "now.json", tmp_path / "plain.json", "--json")
    assert "metric_0" in apart[1]
    assert said("compare", tmp_path / "before", tmp_path / "plain.json")[0] == 0
    assert said("report", tmp_path / "now", "--json") == said("report", tmp_path / "now.json", "--json")
    for page in ("apart", "plain"):
        source = tmp_path / ("now" if page == "apart" else "now.json")
        assert said("report", source, "--to", tmp_path / page, "--csv", tmp_path / f"{page}.csv")[0] == 0
        assert said("claims", source, "--to", tmp_path / page)[0] == 0
    for name in ("results.json", "rows.parquet", "index.html"):
        assert (tmp_path / "apart" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes(), name
    assert (tmp_path / "apart.csv").read_text() == (tmp_path / "plain.csv").read_text()
    assert "rows.parquet</code>" in (tmp_path / "apart" / "index.html").read_text()


def test_a_run_and_its_joined_shards_leave_the_same_files(tmp_path: Path) -> None:
    run = ["run", "--restorer", "bicubic", "--limit", "4", "--size", "64", "--metric", "psnr_rgb", "--batch-size", "2"]
    merge = ["merge", str(tmp_path / "1"), str(tmp_path / "2"), "--report", str(tmp_path / "joined")]
    for words in (
        [*run, "--report", str(tmp_path / "whole")],
        *([*run, "--report", str(tmp_path / str(n)), "--shard", f"{n}/2"] for n in (1, 2)),
        merge,
    ):
        assert CliRunner().invoke(app, words).exit_code == 0, words
    files = [(tmp_path / "whole" / name, tmp_path / "joined" / name) for name in ("results.json", "rows.parquet")]
    assert all(one.read_bytes() == other.read_bytes() for one, other in files)
    # Measured again, the run finds what it left.
    assert CliRunner().invoke(app, [*run, "--report", str(tmp_path / "whole")]).exit_code == 0
    assert files[1][0].read_bytes() == files[1][1].read_bytes()
