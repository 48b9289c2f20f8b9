"""What a notebook displays of a Result: figures of the report, images of the face that was asked for, names as text."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

import gfpbench
from gfpbench import results
from gfpbench.report.display import face_strip, summary_html
from gfpbench.run.recorder import image_path
from gfpbench.types import BadInput, Problem, Result
from tests.unit.report import laws, sample


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Three faces, the images of the third not kept, and what became of them."""
    store, faces = tmp_path_factory.mktemp("cases"), sample.crops(3, 32)
    kept = [*faces][:2]
    found = sample.bench(store, faces, {"sharp": sample.sharpen(0.5)}, {("sharp", kept[1]): "out of memory"}, kept=kept)
    return store, found[1]


def nothing_runs_and_names_are_text(html: str) -> None:
    """A hostile name adds no element and no attribute; all that is loaded lies in the fragment."""
    fragment = laws.parsed(html)
    assert {node.tag for node in fragment.every()}.isdisjoint({"script", "iframe", "object", "link", "form"})
    for node in fragment.every():
        assert set(node.attributes) <= {"class", "style", "scope", "title", "src", "alt"}, node.attributes
        assert node.attributes.get("src", "data:image/").startswith("data:image/")
        assert "url(" not in node.attributes.get("style", "")
    assert "alert(1)" in fragment.text, "the hostile name is not there, so this proves nothing"
    assert "\u202e" not in html
    assert "\x1b" not in html


def hostile() -> Result:
    one = sample.scored("a", {"psnr_rgb": [1.0, 2.0]}, {1: sample.HOSTILE})
    rows = tuple(
        replace(row, id=f"{sample.HOSTILE}{row.id}", parameters={sample.HOSTILE: sample.HOSTILE}) for row in one.rows
    )
    said = Problem("restore", rows[1].id, sample.HOSTILE)
    return replace(
        one, rows=rows, label=sample.HOSTILE, problems=(said,), not_measured={sample.HOSTILE: sample.HOSTILE}
    )


def hostile_strip(folder: Path) -> str:
    result = hostile()
    name = result.image_ids[1]
    path = image_path(folder / result.case.id, name, "degraded")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<script>alert(1)</script>")
    return face_strip(result, name, folder).html


def shows_the_face(store: Path, result: Result) -> None:
    """The strip of a face holds the very images that were kept of it, in order, and its own scores."""
    strip = face_strip(result, result.image_ids[0], store)
    fragment = laws.parsed(strip.html)
    shown = [base64.b64decode(image.attributes["src"].partition(",")[2]) for image in fragment.every("img")]
    paths = [image_path(store / result.case.id, strip.id, kind) for kind in ("degraded", "restored", "truth")]
    assert shown == [path.read_bytes() for path in paths]
    score = result.rows[0].scores["psnr_rgb"]
    assert f"psnr_rgb ↑ {score:.2f} dB" in " ".join(fragment.text.split())
    assert (strip.id, strip.case) == (result.image_ids[0], result.named)


def test_names_are_text(tmp_path: Path) -> None:
    nothing_runs_and_names_are_text(summary_html(hostile()))
    nothing_runs_and_names_are_text(hostile_strip(tmp_path))


def test_the_summary_has_the_figures_of_the_report(bench: tuple[Path, Result]) -> None:
    _, result = bench
    text = " ".join(laws.parsed(summary_html(result)).text.split())
    mean = gfpbench.means(result)["psnr_rgb"]
    assert f"psnr_rgb ↑ dB {mean.mean:.2f} {mean.low:.2f} – {mean.high:.2f} {mean.n}" in text
    assert "1 failed" in text
    assert "1 ×: out of memory" in text
    assert "not measured" in text


def test_a_result_displays_itself(bench: tuple[Path, Result]) -> None:
    store, result = bench
    assert result._repr_html_() == summary_html(result) == gfpbench.summary_html(result)
    shown = result.show(result.image_ids[0], store=store)
    assert shown._repr_html_() == face_strip(result, result.image_ids[0], store).html
    assert "<div" not in repr(shown)


def test_a_strip_shows_the_face(bench: tuple[Path, Result]) -> None:
    shows_the_face(*bench)


def test_a_failed_restoration_says_so_in_its_place(bench: tuple[Path, Result]) -> None:
    store, result = bench
    fragment = laws.parsed(face_strip(result, result.image_ids[1], store).html)
    assert [figure.text.split()[0] for figure in fragment.every("figure")] == ["degraded", "out", "ground"]
    assert "psnr_rgb" not in fragment.text


def test_the_folder_of_a_report_is_a_store(bench: tuple[Path, Result], tmp_path: Path) -> None:
    store, result = bench
    (tmp_path / "cases").symlink_to(store)
    assert face_strip(result, result.image_ids[0], tmp_path) == face_strip(result, result.image_ids[0], store)


def test_what_is_not_there_is_said(bench: tuple[Path, Result], tmp_path: Path) -> None:
    store, result = bench
    first, _, last = result.image_ids
    for name, folder, says in [
        (first[:-1], store, rf"no image named '{first[:-1]}': did you mean .*'{first}'.* \(one of 3 images"),
        ("Zoë", store, rf"there are: {first}, "),
        (3, store, "no image named 3: there are"),
        (last, store, rf"{last}: no image of it was kept, but of 2 others \({first}, .*--keep all"),
        (first, tmp_path, rf"{first}: .* holds no images of .*: give the folder where its run kept them"),
        (first, None, rf"{first}: it is not known where the images of .* are, .* give store="),
    ]:
        with pytest.raises(BadInput, match=says) as refused:
            result.show(name, store=folder)  # type: ignore[arg-type]
        assert "\n" not in str(refused.value)


def test_a_measured_result_knows_its_images(tmp_path: Path) -> None:
    result = gfpbench.measure("bicubic", limit=2, size_px=32, metrics=["psnr_rgb"])
    results.write([result], tmp_path / "results.json")
    (again,) = results.read(tmp_path / "results.json")  # equal, so what is known of the one is known of the other
    name = result.image_ids[1]
    assert result.show(name) == again.show(name)
    assert len([*laws.parsed(again.show(name)._repr_html_()).every("img")]) == 3
