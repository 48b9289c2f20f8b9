"""Folders as the authors' scripts write them: read by name, with the decision recorded, or refused in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gfpbench import cli, results, run
from gfpbench.images import Bytes, batch_from_uint8, to_rgb_arrays
from gfpbench.report.reading import readings
from gfpbench.restorers import checked, load
from gfpbench.restorers.outputs import Outputs
from gfpbench.types import BadInput, Case, ImageBatch, RestorationFailed
from tests.unit.run import laws

SIDE = 64
NAMES = ("anna", "bo.v2", "anna_00")
"""One of them is called as a script would call a face of another."""


def image(name: str) -> Bytes:
    return np.random.default_rng(list(name.encode())).integers(30, 220, (SIDE, SIDE, 3)).astype(np.uint8)


def restored(name: str) -> Bytes:
    return np.ascontiguousarray(image(name)[:, ::-1])


def batch(names: tuple[str, ...] = NAMES) -> ImageBatch:
    return batch_from_uint8([image(name) for name in names], names)


def write(path: Path, rgb: Bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path, lossless=True) if path.suffix == ".webp" else Image.fromarray(rgb).save(path)


def gfpgan(root: Path, *, aligned: bool = True, suffix: str = "", names: tuple[str, ...] = NAMES) -> Path:
    """As inference_gfpgan.py writes it, and the scripts of VQFR and RestoreFormer."""
    for name in names:
        write(root / "cropped_faces" / f"{name}_00.png", image(name))
        write(root / "restored_faces" / f"{name}_00{suffix}.png", restored(name))
        write(root / "cmp" / f"{name}_00.png", np.hstack([image(name), restored(name)]))
        if not aligned:
            write(root / "restored_imgs" / f"{name}{suffix}.webp", restored(name))
    return root


def codeformer(root: Path, *, aligned: bool) -> Path:
    """As inference_codeformer.py writes it, with --has_aligned and without."""
    for name in NAMES:
        write(root / "restored_faces" / (f"{name}.png" if aligned else f"{name}_00.png"), restored(name))
        if not aligned:
            write(root / "cropped_faces" / f"{name}_00.png", image(name))
            write(root / "final_results" / f"{name}.png", restored(name))
    return root


def gpen(root: Path) -> Path:
    """As GPEN's demo.py writes it with --save_face, in another format so that what is read can be compared."""
    for name in NAMES:
        write(root / f"{name}_GPEN.bmp", restored(name))
        write(root / f"{name}_COMP.bmp", np.hstack([image(name), restored(name)]))
        write(root / f"{name}_face00.bmp", np.hstack([image(name), restored(name)]))
    return root


def measured(outputs: Outputs, names: tuple[str, ...] = NAMES) -> None:
    """Every image is the restoration of the one whose name it has."""
    outputs.expect(names)
    found, failures = checked(outputs, batch(names))
    assert failures == {}
    assert found is not None
    for name, rgb in zip(names, to_rgb_arrays(found), strict=True):
        assert (rgb == restored(name)).all(), name


@pytest.mark.parametrize(
    ("tree", "options", "layout", "files", "left_out"),
    [
        (lambda at: gfpgan(at), "", "gfpgan", "restored_faces/NAME_NN", 6),
        (lambda at: gfpgan(at), "?layout=vqfr", "gfpgan", "restored_faces/NAME_NN", 6),
        (lambda at: gfpgan(at, aligned=False), "?part=faces", "gfpgan", "restored_faces/NAME_NN", 9),
        (lambda at: gfpgan(at, aligned=False), "?part=whole", "gfpgan", "restored_imgs/NAME", 9),
        (lambda at: gfpgan(at, suffix="_v1.3"), "?suffix=_v1.3", "gfpgan", "restored_faces/NAME_NN_v1.3", 6),
        (lambda at: gfpgan(at) / "restored_faces", "", "gfpgan", "NAME_NN", 0),
        (lambda at: codeformer(at, aligned=True), "", "codeformer", "restored_faces/NAME", 0),
        (lambda at: codeformer(at, aligned=False), "?part=faces", "codeformer", "restored_faces/NAME_NN", 6),
        (lambda at: codeformer(at, aligned=False), "?part=whole", "codeformer", "final_results/NAME", 6),
        (lambda at: codeformer(at, aligned=False) / "final_results", "?layout=codeformer", "codeformer", "NAME", 0),
        (lambda at: gpen(at), "", "gpen", "NAME_GPEN", 6),
    ],
)
def test_a_scripts_folder(
    tree: Callable[[Path], Path], options: str, layout: str, files: str, left_out: int, tmp_path: Path
) -> None:
    outputs = load(f"outputs:{tree(tmp_path)}{options}")
    assert isinstance(outputs, Outputs)
    measured(outputs)
    record = outputs.provenance()
    assert record["layout"] == {"name": layout, "files": files, "guessed": "layout" not in options}
    assert record["files"] == len(NAMES)
    assert sum(entry["count"] for entry in record.get("left_out", {}).values()) == left_out
    assert outputs.unused(NAMES) == ()


def test_plain_names_are_read_as_before(tmp_path: Path) -> None:
    """Although ``anna_00.png`` could be a face of ``anna``: one reading finds all images, the other some."""
    for name in NAMES:
        write(tmp_path / f"{name}.png", restored(name))
    outputs = Outputs(str(tmp_path))
    measured(outputs)
    assert set(outputs.provenance()) == {"restorer", "folder", "files", "contents_sha256"}


def test_folders_below_are_those_of_the_images(tmp_path: Path) -> None:
    names = ("smith/anna", "jones/anna")
    for name in names:
        folder, _, base = name.partition("/")
        write(tmp_path / folder / "restored_faces" / f"{base}_00.png", restored(name))
    measured(Outputs(str(tmp_path)), names)


@pytest.mark.parametrize("suffix", ["_GFPGAN", "_CodeFormer", "_RestoreFormer", "_VQFR"])
def test_the_tools_name_behind_the_images(suffix: str, tmp_path: Path) -> None:
    for name in NAMES:
        write(tmp_path / f"{name}{suffix}.webp", restored(name))
    measured(Outputs(str(tmp_path)))


def refused(root: Path, options: str = "", names: tuple[str, ...] = NAMES) -> str:
    """The one line, and the specification without its folder."""
    with pytest.raises(BadInput) as caught:
        load(f"outputs:{root}{options}").expect(names)  # type: ignore[attr-defined]
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(str(root), "DIR")


def test_faces_or_whole_images_is_asked(tmp_path: Path) -> None:
    expected = (
        "its files can be read in 2 ways: part=faces takes restored_faces/anna_00.png for 'anna', "
        "part=whole takes restored_imgs/anna.webp for 'anna': say which, behind a question mark"
    )
    assert expected in refused(gfpgan(tmp_path, aligned=False))
    (tmp_path / "restored_faces" / "bo.v2_00.png").unlink()  # a photograph without a face decides nothing
    assert expected in refused(tmp_path)


def test_several_faces_are_asked_for(tmp_path: Path) -> None:
    gfpgan(tmp_path)
    write(tmp_path / "restored_faces" / "bo.v2_01.png", image("other"))
    expected = (
        "1 of 3 images have several restored faces (bo.v2: bo.v2_00.png, bo.v2_01.png): "
        "choose one with face=0 (or 1, ...) behind the folder's name"
    )
    assert refused(tmp_path).endswith(expected)
    outputs = Outputs(str(tmp_path), face="0")
    measured(outputs)
    record = outputs.provenance()
    assert record["layout"]["face"] == 0
    assert record["left_out"]["another face of the same image"] == {
        "count": 1,
        "first": ["restored_faces/bo.v2_01.png"],
    }


@pytest.mark.parametrize(
    ("file", "hint"),
    [
        ("{}_mine.png", "'outputs:DIR?suffix=_mine' would match 3 of them"),
        ("deep/{}.png", "'outputs:DIR/deep' would match 3 of them"),
        ("deep/{}-x.webp", "'outputs:DIR/deep?suffix=-x' would match 3 of them"),
        ("restored_faces/{}_00_v2.png", "'outputs:DIR/restored_faces?layout=gfpgan&suffix=_v2' would match 3 of them"),
        ("x{}.png", "no option matches them: rename the files"),
        ("{}2.png", "no option matches them: rename the files"),
    ],
)
def test_where_no_name_fits_three_of_each_side_are_shown(file: str, hint: str, tmp_path: Path) -> None:
    names = ("eve", "finn", "gus", "hal")
    for name in names[:3]:
        write(tmp_path / file.format(name), restored(name))
    line = refused(tmp_path, names=names)
    files = ", ".join(file.format(name) for name in names[:3])
    assert line == (
        f"outputs:DIR: no file is named as one of the 4 images: images eve, finn, gus, ...; files {files}; {hint}"
    )
    if options := re.search(r"'outputs:DIR(.*)'", hint):
        measured(load(f"outputs:{tmp_path}{options[1]}"), names[:3])  # type: ignore[arg-type]


def test_one_file_for_two_images_is_refused(tmp_path: Path) -> None:
    """A script takes anna.jpg and anna.png for ``anna`` and keeps what it wrote last."""
    write(tmp_path / "restored_faces" / "anna_00.png", restored("anna.jpg"))
    write(tmp_path / "restored_faces" / "bo_00.png", restored("bo"))
    outputs = Outputs(str(tmp_path))
    outputs.expect(("anna.jpg", "anna.png", "bo"))
    assert outputs.find("bo") == "restored_faces/bo_00.png"
    for name in ("anna.jpg", "anna.png"):
        with pytest.raises(RestorationFailed, match=r"is the file of 2 images \(anna\.jpg, anna\.png\)"):
            outputs.find(name)


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    outputs = Outputs(str(gfpgan(tmp_path, names=("anna",))))
    outputs.expect(("anna", "zoe"))
    expected = re.escape(str(tmp_path / "restored_faces" / "zoe_NN"))
    with pytest.raises(RestorationFailed, match=f"no restored image: looked for {expected} with .png"):
        outputs.find("zoe")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("?layout=gfpgam", "layout=gfpgam cannot be used; give layout=auto|plain|gfpgan|codeformer|gpen|named|vqfr"),
        ("?layuot=gfpgan", "there is no option 'layuot'; there are: layout="),
        ("?face=one", "face=one cannot be used; give face=0..999"),
        ("?resize=nearest", "resize=nearest cannot be used; give resize=no|area|bicubic|lanczos"),
    ],
)
def test_options_that_there_are_not(options: str, words: str, tmp_path: Path) -> None:
    gfpgan(tmp_path)
    assert words in refused(tmp_path, options)


def test_a_folder_may_be_called_as_an_option(tmp_path: Path) -> None:
    folder = tmp_path / "what?layout=gpen"
    for name in NAMES:
        write(folder / f"{name}.png", restored(name))
    measured(load(f"outputs:{folder}"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("side", "option", "failure"),
    [
        (128, "", "but its input is 64 x 64 px: resize=area or resize=lanczos behind the folder's name"),
        (32, "", "but its input is 64 x 64 px: resize=bicubic or resize=lanczos behind the folder's name"),
        (32, "?resize=area", "resize=area only reduces; give resize=bicubic or resize=lanczos"),
        (128, "?resize=area", None),
        (128, "?resize=lanczos", None),
        (32, "?resize=bicubic", None),
    ],
)
def test_another_size_only_by_name(side: int, option: str, failure: str | None, tmp_path: Path) -> None:
    blurred = Image.fromarray(restored("anna")).resize((8, 8)).resize((side, side), Image.Resampling.BICUBIC)
    write(tmp_path / "anna.png", np.asarray(blurred))
    outputs = load(f"outputs:{tmp_path}{option}")
    assert isinstance(outputs, Outputs)
    found, failures = checked(outputs, batch(("anna",)))
    if failure is not None:
        assert failure in failures["anna"]
        return
    way = option.partition("=")[2]
    assert failures == {}
    assert found is not None
    assert found.size == (SIDE, SIDE)
    assert outputs.provenance()["resize"] == way
    assert outputs.read_record("anna")["treatment"] == [f"resized from {side} x {side} px ({way})"]
    if option == "?resize=area":
        expected = np.asarray(blurred).astype(float).reshape(SIDE, 2, SIDE, 2, 3).mean((1, 3))
        assert np.abs(to_rgb_arrays(found)[0] - expected).max() <= 0.51


def test_a_run_of_a_scripts_folder(tmp_path: Path) -> None:
    """Guessed from all names, stated among what was read, and never written into."""
    faces = laws.ToyFaces(count=3, sizes=((48, 48),))
    for name in faces.ids():
        (rgb,) = to_rgb_arrays(ImageBatch(faces.load(name).pixels[None] * 0.9, (name,)))
        write(tmp_path / "out" / "restored_faces" / f"{name}_00.png", rgb)
    case = Case("toy", "noise", f"outputs:{tmp_path / 'out'}")
    toy = laws.Toy(faces, restorer=load(case.restorer))  # type: ignore[arg-type]
    result = run.run_case(case, toy.parts(), store=tmp_path / "store")
    assert [row.failure for row in result.rows] == [None] * 3
    said = [one.line for one in readings([result])]
    assert said == [
        f"outputs of {case.restorer}: named restored_faces/NAME_NN, layout gfpgan (guessed from all names), "
        "for 3 images (first: face 0000)"
    ]
    optional = replace(case, restorer=f"{case.restorer}?layout=gfpgan")
    with pytest.raises(BadInput, match="lies in the folder of the restored images"):
        run.refuse_inside_inputs(optional, tmp_path / "out" / "report")


def test_a_scripts_folder_beside_inputs_without_a_truth(tmp_path: Path) -> None:
    """Real low-quality faces and what a script made of them: one command, and the page says how the files are named."""
    for name in ("anna", "zoe"):
        write(tmp_path / "lq" / f"{name}.png", image(name))
    gfpgan(tmp_path / "results", names=("anna", "zoe"))
    words = ["run", "--faces", str(tmp_path / "lq"), "--no-truth", "--restorer", f"outputs:{tmp_path / 'results'}"]
    report = tmp_path / "report"
    done = CliRunner().invoke(
        cli.app, [*words, "--metric", "colour_shift_vs_input", "--metric", "psnr_rgb", "--report", str(report)]
    )
    assert done.exit_code == 0, done.output
    page = (report / "index.html").read_text().replace("<wbr>", "")
    for text in (done.output, page):
        assert "named restored_faces/NAME_NN, layout gfpgan (guessed from all names)" in text
    result = results.read(report / "results.json")[-1]
    assert set(result.metrics) == {"colour_shift_vs_input"}
    assert all(row.scores["colour_shift_vs_input"] for row in result.rows)
