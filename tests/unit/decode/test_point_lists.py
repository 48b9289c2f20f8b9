"""Lists of five points: read as they are published, refused in one line where they are of something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from gfpbench.decode.point_lists import find_point_list, read_point_list
from gfpbench.types import BadInput

HEAD = (
    "filename,dataset,x1,y1,x2,y2,left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y,"
    "mouth_left_x,mouth_left_y,mouth_right_x,mouth_right_y"
)
POINTS = (193.5, 242.1, 322.0, 242.0, 257.7, 280.2, 205.9, 367.2, 309.2, 367.0)


def line(name: str, dataset: str, scale: float = 1.0) -> str:
    return ",".join([name, dataset, "110.0", "105.6", "394.6", "442.9", *(f"{value * scale:g}" for value in POINTS)])


def write(path: Path, *lines: str, head: str = HEAD) -> Path:
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_a_list_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "test_face.csv", line("0412", "Wider-Test"), line("Will_Smith_0001_00", "LFW-Test"))
    found = find_point_list(tmp_path)
    assert found == read_point_list(path)
    assert found is not None
    assert found.of("0412")[0] == "Wider-Test"
    assert found.of("LFW-Test/Will_Smith_0001_00")[1] == tuple(zip(POINTS[::2], POINTS[1::2], strict=True))
    assert found.missing(["0412", "a/0412"]) == ""
    assert found.missing(["1", "2", "3", "4"]) == "test_face.csv has no row for 4 images (1, 2, 3, ...)"
    assert found.record()["rows"] == 2
    # Columns in another order, and a byte order mark.
    turned = ",".join(HEAD.split(",")[:2] + HEAD.split(",")[:5:-1])
    values = line("0412", "Wider-Test").split(",")
    path.write_text("\ufeff" + turned + "\n" + ",".join(values[:2] + values[:5:-1]) + "\n", encoding="utf-8")
    assert read_point_list(path).rows == {"0412": found.rows["0412"]}


def test_a_name_of_two_sets_is_told_by_its_folder(tmp_path: Path) -> None:
    found = read_point_list(write(tmp_path / "list.csv", line("0412", "Wider-Test"), line("0412", "CelebA", 1.01)))
    assert found.record()["rows"] == 2
    assert found.of("CelebA/0412")[1] != found.of("test/Wider-Test/0412")[1]
    for face_id in ("0412", "LFW-Test/0412"):
        with pytest.raises(BadInput, match="has 0412 in Wider-Test and CelebA: the image's folder must be one of them"):
            found.of(face_id)


def test_a_list_whose_columns_are_turned_or_quoted_is_found(tmp_path: Path) -> None:
    columns, values = HEAD.split(","), line("0412", "Wider-Test").split(",")
    for head, row in ((columns[::-1], values[::-1]), ([f'"{one}"' for one in columns], values)):
        path = write(tmp_path / "test_face.csv", ",".join(row), head=",".join(head))
        assert find_point_list(tmp_path) == read_point_list(path)
    (tmp_path / "notes.csv").write_text("dataset,filename,note\nCelebA,1,blurred\n")  # no list, whatever it is of
    assert find_point_list(tmp_path) is not None


def test_other_csv_files_are_no_lists(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("name,score\na,1\n")
    assert find_point_list(tmp_path) is None
    write(tmp_path / "val_face.csv", line("1", "CelebA"))
    write(tmp_path / "test_face.csv", line("1", "CelebA"))
    with pytest.raises(BadInput, match=r"2 lists of five points \(test_face.csv, val_face.csv\): leave one"):
        find_point_list(tmp_path)


@pytest.mark.parametrize(
    ("lines", "head", "said"),
    [
        ((line("1", "CelebA"),), HEAD.replace("nose_x", "nose"), "lacks the columns nose_x"),
        ((line("1", "CelebA"), line("1", "CelebA")), HEAD, "line 3: 1 of CelebA is there twice"),
        ((line("1", "CelebA").replace("242.1", "left"),), HEAD, "line 2: left_eye_y is no number: 'left'"),
        ((line("1", "CelebA").rsplit(",", 1)[0],), HEAD, "line 2: mouth_right_y is no number"),
        ((line("", "CelebA"),), HEAD, "line 2: lacks its filename"),
        ((line("1", ""),), HEAD, "line 2: lacks its dataset"),
        ((line("1", "CelebA", 4),), HEAD, "line 2: 1 has points outside of an image of 512 px: of another size"),
        ((line("1", "CelebA").replace("242.1", "nan"),), HEAD, "line 2: 1 has points outside"),
        ((line("1", "CelebA", 0.5), line("2", "CelebA", 0.5)), HEAD, "121 px below the top, .* a list of another size"),
        ((), HEAD, "has no rows"),
    ],
)
def test_what_is_no_list_is_refused_in_one_line(tmp_path: Path, lines: tuple[str, ...], head: str, said: str) -> None:
    path = write(tmp_path / "test_face.csv", *lines, head=head)
    with pytest.raises(BadInput, match=said) as refused:
        read_point_list(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
