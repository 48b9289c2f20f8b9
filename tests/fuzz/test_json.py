"""Every JSON and TOML from outside: read and used as the commands do, or refused in one line with file and field."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from gfpbench import assets, baselines, claims, codec, collapse, degraded, report, results, speed
from gfpbench.assets.lock import Record
from gfpbench.baselines.collapse import COLLAPSE
from gfpbench.baselines.speed import SPEED, compare_speed
from gfpbench.claims import published
from gfpbench.collapse import record as collapse_record
from gfpbench.faces.manifest import manifest_path, read_manifest
from gfpbench.report.claims import claim_lines
from gfpbench.speed import record as speed_record
from tests.fuzz import mutations
from tests.fuzz.outcome import Budget, fuzz, outcome
from tests.unit.speed.machines import LOADS, SOUND, Machine, Model, measured

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "baselines" / "quality" / "bicubic-embedded-paper-s0.json"


def cut(document: Any, rows: int) -> Any:
    for result in document["results"]:
        result["rows"] = result["rows"][:rows]
    return document


def stored() -> list[Any]:
    """A baseline as it is, and the same without what is optional, failed in one image and identical in another."""
    whole = cut(json.loads(BASELINE.read_text()), 6)
    bare = json.loads(json.dumps(whole))
    (result,) = bare["results"]
    del result["envelope"]
    result["case"]["limit"] = 6
    result["environment"]["torch"] = "2.3.0"
    result["rows"][0]["failure"] = "it raised"
    result["rows"][0]["scores"] = dict.fromkeys(result["rows"][0]["scores"])
    result["rows"][1]["scores"]["psnr_rgb"] = "inf"
    result["rows"][2]["attributes"] = {"group": "a", "age": 3}
    result["rows"][3]["attributes"] = {"group": "b", "age": 4}
    result["rows"][4]["attributes"] = {"group": "b"}
    result["problems"] = [{"stage": "restore", "subject": result["rows"][0]["id"], "reason": "it raised"}]
    score = {"value": 12.0, "low": 11.0, "high": 13.0, "n": 6, "n_reference": 6, "better": "lower", "tolerance": 0.1}
    result["set_scores"] = {
        "fid_legacy_vs_truth": score | {"unit": "", "best": None, "extrapolated": 9.0, "note": "few"}
    }
    result["protocols"] = {"gfpgan-paper": {"PSNR": "psnr_rgb"}, "vqfr": {"PSNR": "psnr_rgb_fitted"}}
    return [whole, bare]


def verdicts() -> list[Any]:
    now, before = (results.from_json(one["results"][0]) for one in stored())
    before_that = measured(SOUND, Machine(LOADS["idle"], 1))
    slower = compare_speed(measured(Model(computes=0.9, peak_mib=900.0), Machine(LOADS["idle"], 2)), before_that)
    gate = report.Gate((baselines.compare(now, before),), (slower,))
    record = {"schema": 1, "passed": gate.passed, "comparisons": [one.to_json() for one in gate.comparisons]}
    return [json.loads(json.dumps(record | {"speed": [one.to_json() for one in gate.speeds]}))]


def used_as_results(path: Path) -> None:
    """What compare, matrix, report, claims and the gate do with a file of Results."""
    read = results.read(path)
    raw = codec.parse(path.read_bytes())
    written = {"schema": 1, "results": [results.to_json(one) for one in read]}
    assert same(written, raw), "what was accepted is not what stands in the file"
    uses: list[Callable[[], Any]] = [
        lambda: compared(path, BASELINE),
        lambda: compared(BASELINE, path),
        lambda: report.matrix_markdown(report.matrix([*read, *results.read(BASELINE)])),
        lambda: report.markdown(read),
        lambda: report.terminal_lines(read, None, 100),
        lambda: report.write_report(read, path.parent / "report", store=None),
        lambda: report.write_junit(read, path.parent / "junit.xml"),
        lambda: claim_lines(claims.judged(read)),
    ]
    for use in uses:
        outcome(use, Budget())
    outcome(lambda: all_printed(report.terminal_lines(read, None, 100)), Budget())


def all_printed(lines: Iterable[str]) -> None:
    for line in lines:
        assert line.isprintable(), ascii(line)


def compared(path: Path, baseline: Path) -> None:
    for now, before in baselines.paired_cases(path, baseline).pairs:
        comparison = baselines.compare(now, before)
        report.comparison_lines(comparison)
        report.comparison_table(comparison)
        json.dumps(comparison.to_json(), allow_nan=False)


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: the same fields, 1 and 1.0 alike, true and 1 not."""
    if isinstance(one, dict) and isinstance(other, dict):
        # What is empty may be left out.
        return all(
            same(one.get(key, other.get(key)), other.get(key, one.get(key))) for key in one.keys() | other.keys()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


GOOD = stored()


def fuzz_file(path: Path, inputs: st.SearchStrategy[bytes], use: Callable[[Path], object]) -> None:
    """Each input as the file of this path."""

    def one(data: bytes, budget: Budget) -> None:
        path.write_bytes(data)
        outcome(lambda: use(path), budget)

    fuzz(inputs, one)


def test_results(tmp_path: Path) -> None:
    fuzz_file(tmp_path / "results.json", mutations.texts(GOOD), used_as_results)


def test_verdicts(tmp_path: Path) -> None:
    def use(path: Path) -> None:
        gate = report.read_gate([path.parent])
        report.gate_markdown(gate)
        report.write_report([], path.parent / "page", store=None, gate=gate)
        report.write_junit([], path.parent / "junit.xml", gate=gate)

    fuzz_file(tmp_path / "verdicts.json", mutations.texts(verdicts()), use)


COLLAPSES = [
    json.loads((ROOT / "baselines" / "collapse" / name).read_text())
    for name in ("nano-embedded-all-s0-d4.json", "classical-embedded-roll-s0-d4.json")
]


def test_collapse_points(tmp_path: Path) -> None:
    def use(path: Path) -> None:
        found = collapse_record.read(path)
        for one in found:
            assert collapse_record.from_json(collapse_record.to_json(one)) == one
            collapse.collapse_lines(one)
        COLLAPSE.leftovers(path.parent)
        report.write_collapse(found, path.parent / "page", store=path.parent / "none")

    fuzz_file(tmp_path / "collapse.json", mutations.texts(COLLAPSES), use)


def test_baselines_of_speed(tmp_path: Path) -> None:
    def use(path: Path) -> None:
        before = speed_record.read(path)
        found = compare_speed(measured(SOUND, Machine(LOADS["idle"], 2)), before)
        report.speed_lines(found)
        json.dumps(found.to_json(), allow_nan=False)
        SPEED.leftovers(path.parent)

    good = json.loads(json.dumps(speed.to_json(measured(SOUND, Machine(LOADS["idle"], 1)))))
    fuzz_file(tmp_path / "speed.json", mutations.texts([good]), use)


def test_locks_of_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path))
    entry = {"sha256": "ab" * 32, "size_bytes": 3, "from": "here", "first_seen": "2026-01-01T00:00:00+00:00"}
    good = [{name: dict(entry) for name in names} for names in (["lpips-alex"], list(assets.ASSETS)[:4])]

    def use(path: Path) -> None:
        (tmp_path / ".verified.json").write_bytes(path.read_bytes())
        Record(path).read()
        json.dumps(assets.describe(), allow_nan=False)

    fuzz_file(tmp_path / "assets.lock", mutations.texts(good), use)


DEGRADED = {
    "schema": degraded.SCHEMA,
    "made": {"faces": "embedded", "degradation": "paper", "seed": 0, "size_px": None},
    "images": [
        {
            "id": name, "file": f"{name}.png", "height_px": 128, "width_px": 128, "face_sha256": "ab" * 32,
            "sha256": "cd" * 32, "file_sha256": "ef" * 32, "parameters": {"blur_sigma_px": 1.5},
            "truth_file_sha256": None,
        }
        for name in ("a", "b")
    ],
    "problems": [{"stage": "faces", "subject": "c", "reason": "is empty"}],
}  # fmt: skip


def test_manifests_of_degraded_images(tmp_path: Path) -> None:
    def use(path: Path) -> None:
        found = degraded.find_manifest(path.parent)
        assert found is not None
        for image in found.images:
            assert (tmp_path / image.file).resolve().is_relative_to(tmp_path.resolve())

    fuzz_file(tmp_path / degraded.MANIFEST, mutations.texts([DEGRADED]), use)


def tables(good: bytes) -> st.SearchStrategy[bytes]:
    """A TOML file with its bytes damaged, or places of its document changed."""
    changed = mutations.documents([tomllib.loads(good.decode())])
    return mutations.damaged([good]) | changed.map(lambda document: toml(document).encode("utf-8", "replace"))


MANIFEST = manifest_path().read_bytes()
PAPER = (ROOT / "gfpbench" / "claims" / "gfpgan-2021.toml").read_bytes()


def test_manifests_of_faces(tmp_path: Path) -> None:
    def use(path: Path) -> None:
        for entry in read_manifest(path):
            numbers = [*entry.mean_rgb, *(value for point in entry.landmarks for value in point)]
            assert all(map(math.isfinite, numbers))

    fuzz_file(tmp_path / "manifest.toml", tables(MANIFEST), use)


def test_published_tables_of_ones_own(tmp_path: Path) -> None:
    fuzz_file(tmp_path / "paper.toml", tables(PAPER), published.read)


def toml(value: Any, top: bool = True) -> str:
    """A document as TOML: tables at the top, everything below inline. What TOML has no word for becomes text."""
    if isinstance(value, dict):
        if top:
            return "\n".join(f"{json.dumps(str(key))} = {toml(item, False)}" for key, item in value.items())
        return "{" + ", ".join(f"{json.dumps(str(key))} = {toml(item, False)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item, False) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return repr(value) if isinstance(value, int | float) else json.dumps(value)


def test_the_good_documents_are_read(tmp_path: Path) -> None:
    """Fuzzing what is refused anyway would find nothing."""
    for number, document in enumerate(GOOD):
        path = tmp_path / str(number) / "results.json"
        path.parent.mkdir()
        path.write_text(json.dumps(document))
        used_as_results(path)
        read = Budget()
        outcome(lambda path=path: results.read(path), read)  # type: ignore[misc]
        assert read.answered == 1
    (tmp_path / "verdicts.json").write_text(json.dumps(verdicts()[0]))
    assert report.read_gate([tmp_path])
    (tmp_path / "paper.toml").write_text(toml(tomllib.loads(PAPER.decode())))
    assert published.read(tmp_path / "paper.toml").tables
    (tmp_path / "manifest.toml").write_text(toml(tomllib.loads(MANIFEST.decode())))
    assert read_manifest(tmp_path / "manifest.toml")
