"""Merged shards of a run leave the bytes of one that was not divided; whatever does not fit is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from gfpbench import cli
from gfpbench.run import case, merging, recorder, worker
from gfpbench.types import GfpbenchError
from tests.unit.run.worker_threads import files_of, inputs_in, threads_for_processes

SHARDS = ("1/3", "2/3", "3/3")


def done(*words: str | Path, code: int = 0) -> str:
    """What a command prints."""
    outcome = CliRunner().invoke(cli.app, [*map(str, words)])
    assert outcome.exit_code == code, (outcome.output, outcome.exception)
    return outcome.output


def complaint(*words: str | Path) -> str:
    """The one line that a bad call ends with."""
    outcome = CliRunner().invoke(cli.app, [*map(str, words)])
    assert isinstance(outcome.exception, GfpbenchError), outcome.output
    assert "\n" not in str(outcome.exception)
    return str(outcome.exception)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with inputs_in(tmp_path_factory.mktemp("inputs")) as folder:
        yield folder


def asked(inputs: Path, restorer: str = "python:worker_models:repeats") -> list[str | Path]:
    words: list[str | Path] = [
        "run",
        "--faces",
        inputs / "faces",
        "--restorer",
        restorer,
        "--metric",
        "psnr_rgb",
        "--metric",
        "ssim_rgb",
    ]
    return [*words, "--batch-size", "3", "--keep", "5", "--device", "cpu", "--max-unreadable", "1"]


@pytest.fixture(scope="module")
def whole(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    done(*asked(inputs), "--report", folder, code=1)  # some images were given twice
    return folder


@pytest.fixture(scope="module")
def parts(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("parts")
    for shard in SHARDS:
        said = done(*asked(inputs), "--shard", shard, "--report", folder / shard[0])
        assert f"shard {shard}" in said
    return tuple(folder / shard[0] for shard in SHARDS)


def test_merged_parts_are_the_undivided_run(
    tmp_path: Path, whole: Path, parts: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where one image was given in two parts: the second of the two is a failure, as in one process."""
    before = {part: files_of(part) for part in parts}
    with threads_for_processes(monkeypatch):
        done("merge", *reversed(parts), "--report", tmp_path, "--max-unreadable", "1", code=1)
    assert files_of(tmp_path / "cases") == files_of(whole / "cases")
    for name in ("results.json", "junit.xml"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
    assert {part: files_of(part) for part in parts} == before
    failures = [
        (row["id"], row["failure"].split("'")[1])
        for result in json.loads((whole / "results.json").read_text())["results"]
        for row in result["rows"]
        if row["failure"]
    ]
    assert [one for one, other in failures if other < "07" <= one]  # of the first part, in another


def test_damaged_images_of_a_part_are_made_again(
    tmp_path: Path, whole: Path, parts: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = Path(shutil.copytree(parts[0], tmp_path / "damaged"))
    shown = sorted(damaged.glob("cases/input*/images/*.png"))
    shown[0].write_bytes(shown[0].read_bytes()[:50])
    shown[4].unlink()
    assert shown[0].name[:5] != shown[4].name[:5], "of two faces"
    with threads_for_processes(monkeypatch):
        done("merge", damaged, *parts[1:], "--report", tmp_path / "all", "--max-unreadable", "1", code=1)
    assert files_of(tmp_path / "all" / "cases") == files_of(whole / "cases")


def test_set_metrics_of_merged_parts(tmp_path: Path, inputs: Path) -> None:
    words = [*asked(inputs, "bicubic"), "--metric", "frechet_dlib_vs_truth", "--limit", "4"]
    done(*words, "--report", tmp_path / "whole")
    for shard in ("1/2", "2/2"):
        done(*words, "--shard", shard, "--report", tmp_path / shard[0])
    done("merge", tmp_path / "1", tmp_path / "2", "--report", tmp_path / "both", "--max-unreadable", "1")
    assert files_of(tmp_path / "both" / "cases") == files_of(tmp_path / "whole" / "cases")
    scores = [one["set_scores"] for one in json.loads((tmp_path / "both" / "results.json").read_text())["results"]]
    assert [one["frechet_dlib_vs_truth"]["n"] for one in scores] == [4, 4, 4]
    (features,) = sorted((tmp_path / "2").glob("cases/bicubic*/features/*.npz"))[:1]
    features.write_bytes(b"")
    line = complaint("merge", tmp_path / "1", tmp_path / "2", "--report", tmp_path / "other")
    assert f"{features}: is gone or was changed" in line


def test_what_is_the_worst_only_once_another_has_failed_keeps_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst face of the second part was given in the first part already, and fails once they are joined."""
    for module, name, count in ((recorder, "MANY", 2), (recorder, "BEST", 1), (recorder, "SAMPLE", 0)):
        monkeypatch.setattr(module, name, count)
    for module in (case, merging, worker):
        monkeypatch.setattr(module, "KEPT_WORST", 1)
    rng = np.random.default_rng(0)
    for folder in ("faces", "outputs"):
        (tmp_path / folder).mkdir()
    given: dict[int, np.ndarray] = {}
    for number in range(6):
        truth = rng.integers(60, 190, (64, 64, 3), np.uint8)
        noise = 40 if number == 5 else 3
        given[number] = given[1] if number == 4 else truth + rng.integers(-noise, noise, truth.shape).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "faces" / f"{number}.png"), truth)
        cv2.imwrite(str(tmp_path / "outputs" / f"{number}.png"), given[number])
    words: list[str | Path] = ["run", "--faces", tmp_path / "faces", "--device", "cpu"]
    words += ["--restorer", f"outputs:{tmp_path / 'outputs'}"]
    words += ["--metric", "psnr_rgb", "--batch-size", "1", "--keep", "1"]
    done(*words, "--report", tmp_path / "whole", code=1)
    for shard in ("1/2", "2/2"):
        done(*words, "--shard", shard, "--report", tmp_path / shard[0])
    with threads_for_processes(monkeypatch):
        done("merge", tmp_path / "1", tmp_path / "2", "--report", tmp_path / "both", code=1)
    assert next((tmp_path / "whole").glob("cases/*outputs-*/images/5.restored.png"))
    assert files_of(tmp_path / "both" / "cases") == files_of(tmp_path / "whole" / "cases")


def test_a_share_without_a_batch_says_so(tmp_path: Path, inputs: Path) -> None:
    words = [*asked(inputs, "bicubic"), "--batch-size", "8", "--limit", "4", "--shard", "2/2", "--report", tmp_path]
    assert "shard 2/2, no face: no batch begins in this share; join all" in done(*words)


def test_a_shard_goes_on_and_more_shards_than_batches_are_merged(tmp_path: Path, inputs: Path) -> None:
    words = [*asked(inputs, "bicubic"), "--limit", "4"]
    done(*words, "--report", tmp_path / "whole")
    for shard in (*SHARDS, "2/3"):
        done(*words, "--shard", shard, "--report", tmp_path / shard[0])
    done("merge", *(tmp_path / shard[0] for shard in SHARDS), "--report", tmp_path / "all", "--max-unreadable", "1")
    assert files_of(tmp_path / "all" / "cases") == files_of(tmp_path / "whole" / "cases")


@pytest.mark.parametrize("verb", ["report", "claims", "compare"])
def test_a_part_is_no_result(verb: str, parts: tuple[Path, ...], whole: Path) -> None:
    words = [parts[0], whole] if verb == "compare" else [parts[0]]
    assert f"{parts[0]}: holds a part of a run" in complaint(verb, *words)
    assert "gfpbench merge" in complaint(verb, *words)


def test_what_does_not_fit_is_refused(
    tmp_path: Path, inputs: Path, whole: Path, parts: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = parts
    to = ("--report", tmp_path / "report")
    assert "shards are missing: 2/3" in complaint("merge", one, three, *to)
    assert f"{one} and {one} are both shard 1/3" in complaint("merge", one, two, one, *to)
    assert f"{whole}: is no part of a run" in complaint("merge", one, whole, *to)
    assert "lies in the part" in complaint("merge", one, two, three, "--report", one / "report")

    def changed(part: Path, name: str) -> Path:
        return Path(shutil.copytree(part, tmp_path / name))

    def rewritten(path: Path, **fields: object) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    other = changed(two, "of")
    rewritten(other / "part.json", of=4)
    assert f"{other} is shard 2/4, and {one} is 1/3" in complaint("merge", one, other, three, *to)
    other = changed(two, "cases")
    rewritten(other / "part.json", cases=["input"])
    assert f"{other} holds other cases than {one}" in complaint("merge", one, other, three, *to)
    for field, value in (("cases", []), ("number", 4), ("of", 0)):
        other = changed(two, f"no {field}")
        rewritten(other / "part.json", **{field: value})
        assert f"{other / 'part.json'}: is shard" in complaint("merge", one, other, three, *to)
    other = changed(one, "twice")
    rewritten(other / "part.json", number=2)
    assert f"{other / 'cases'}" in complaint("merge", one, other, three, *to)
    assert "are there twice" in complaint("merge", one, other, three, *to)
    other = changed(two, "shorter")
    journal = next(other.glob("cases/input*/rows.jsonl"))
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    assert "faces 13 to 15 are missing" in complaint("merge", one, other, three, *to)
    journal.write_bytes(journal.read_bytes()[:-9])
    assert "line 3 of rows.jsonl is damaged" in complaint("merge", one, other, three, *to)
    other = changed(two, "unfinished")
    (other / ".unfinished").touch()
    assert "shard 2/3 has not finished" in complaint("merge", one, other, three, *to)
    done(*asked(inputs), "--batch-size", "4", "--shard", "2/3", "--report", tmp_path / "otherwise")
    line = complaint("merge", one, tmp_path / "otherwise", three, *to)
    assert "was measured otherwise than" in line
    assert "batch_size" in line
    monkeypatch.setattr(merging, "code_sha256", lambda: "0")
    assert "measured with another installation (code)" in complaint("merge", *parts, *to)
    assert not (tmp_path / "report").exists()


def test_options_that_make_no_part_are_refused(inputs: Path, whole: Path, parts: tuple[Path, ...]) -> None:
    for wrong in ("0/3", "4/3", "2", "a/b", "1/0"):
        assert f"--shard {wrong}: give K/N" in complaint("run", "--shard", wrong, "--report", "nowhere")
    words = asked(inputs)
    assert "give each shard a folder of its own" in complaint(*words, "--shard", "1/3", "--report", whole)
    assert "holds shard 1/3 of a run" in complaint(*words, "--report", parts[0])
    assert "holds shard 1/3 of a run" in complaint(*words, "--shard", "2/3", "--report", parts[0])
    assert "--keep all with --shard" in complaint(*words, "--keep", "all", "--shard", "1/3", "--report", "nowhere")
