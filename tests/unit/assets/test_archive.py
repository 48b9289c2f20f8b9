"""Unpacking: into its own folder and nowhere else, whole or not at all."""

from __future__ import annotations

import io
import random
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from gfpbench.assets import extract
from gfpbench.types import BadInput
from tests.unit.assets.laws import law_nothing_is_written_outside

GOOD = {"faces/a.png": b"one", "faces/sub/b.png": b"two", "list.txt": b"three"}
EVIL_NAMES = [
    "../evil",
    "faces/../../evil",
    "/evil",
    "..\\evil",
    "C:\\evil",
    "C:evil",
    "\\evil",
    "//host/share/evil",
    "..",
]


def make(path: Path, members: dict[str, bytes], extra: tuple[str, ...] = ()) -> Path:
    """A zip or tar with these members; ``extra`` adds a link, a hard link or a device, at the end."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, content in members.items():
                zipped.writestr(zipfile.ZipInfo(name), content)
            for kind in extra:
                entry = zipfile.ZipInfo(kind)
                entry.external_attr = (stat.S_IFLNK if kind == "symlink" else stat.S_IFCHR) << 16
                zipped.writestr(entry, "/etc/passwd")
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for kind in extra:
            info = tarfile.TarInfo(kind)
            info.type = {"symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}[kind]
            info.linkname = "/etc/passwd"
            archive.addfile(info)
    return path


def files_in(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_a_good_archive_is_unpacked(tmp_path: Path, name: str) -> None:
    assert files_in(extract(make(tmp_path / name, GOOD), tmp_path / "out")) == GOOD
    assert sorted(p.name for p in tmp_path.iterdir()) == [name, "out"]


@pytest.mark.parametrize("evil", EVIL_NAMES)
@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_a_member_that_climbs_out_is_refused_before_anything_is_written(tmp_path: Path, name: str, evil: str) -> None:
    (tmp_path / "inner").mkdir()
    law_nothing_is_written_outside(tmp_path, extract, make(tmp_path / "inner" / name, GOOD | {evil: b"evil"}))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.zip", "symlink"), ("a.zip", "device"), ("a.tar", "symlink"), ("a.tar", "hardlink"), ("a.tar", "device")],
)
def test_links_and_devices_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    with pytest.raises(BadInput, match=r"holds a (link|device)"):
        extract(make(tmp_path / name, GOOD, (kind,)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="more than the 100000 that are allowed"):
        extract(make(tmp_path / "a.zip", {"zeros": bytes(1_000_000)}), tmp_path / "out", max_bytes=100_000)


NOISE = random.Random(0).randbytes(200_000)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_damaged_archive_leaves_nothing(tmp_path: Path, name: str, share: float) -> None:
    archive = make(tmp_path / name, {"noise": NOISE} | GOOD)
    content = bytearray(archive.read_bytes())
    at = int(len(content) * share)
    content[at : at + 40] = bytes(40)
    archive.write_bytes(content)
    with pytest.raises(BadInput):
        extract(archive, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_a_truncated_archive_leaves_nothing(tmp_path: Path, name: str, share: float) -> None:
    archive = make(tmp_path / name, {"noise": NOISE} | GOOD)
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * share)])
    with pytest.raises(BadInput):
        extract(archive, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


def test_a_tar_with_a_broken_header_in_the_middle_is_not_half_unpacked(tmp_path: Path) -> None:
    archive = make(tmp_path / "a.tar", GOOD)
    content = bytearray(archive.read_bytes())
    content[1024:1040] = b"x" * 16  # the second member's header
    archive.write_bytes(content)
    with pytest.raises(BadInput, match="damaged"):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>")
    with pytest.raises(BadInput, match="neither a zip nor a tar"):
        extract(tmp_path / "a.zip", tmp_path / "out")
    with pytest.raises(BadInput, match="no such file"):
        extract(tmp_path / "missing.zip", tmp_path / "out")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert files_in(extract(make(tmp_path / "a.zip", GOOD), tmp_path / "out")) == GOOD
    with pytest.raises(BadInput, match="already there"):
        extract(tmp_path / "a.zip", tmp_path / "out")
    assert files_in(tmp_path / "out") == GOOD
