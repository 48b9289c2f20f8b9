"""Archives as faces: the same images in every kind give the same ids, pixels and scores; hostile ones are bounded."""

from __future__ import annotations

import gc
import io
import json
import os
import random
import stat
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gfpbench import faces, run
from gfpbench.decode import FACE_LIMITS, containers
from gfpbench.decode.containers import KINDS, collection, in_tar, in_zip
from gfpbench.decode.formats import HIDDEN
from gfpbench.types import BadInput, Case, FaceSet, PackageMissing, UnreadableFace
from tests.unit.decode.archives import WRITERS, folder_of, lmdb_of, png, tar_of, zip_of

IMAGES = {name: png(seed) for seed, name in enumerate(["b.png", "a/2.png", "a/10.PNG", "é.png", "c.d.png"])}
FILES = {**IMAGES, "a/2.json": b"{}", ".hidden.png": png(9), "notes.txt": b"x"}


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPBENCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> FaceSet:
    return faces.load(folder_of(FILES, tmp_path / "folder"))


def packed(kind: str, tmp_path: Path, seed: int = 0) -> str:
    rows = list(FILES.items())
    random.Random(seed).shuffle(rows)
    (tmp_path / "packed").mkdir(exist_ok=True)
    return WRITERS[kind](dict(rows), tmp_path / "packed")


def test_every_kind_has_its_row() -> None:
    assert {name.split(".")[0].split()[-1] for name in WRITERS} == set(KINDS)


@pytest.mark.parametrize("kind", WRITERS)
def test_an_archive_is_the_folder_that_was_packed(kind: str, folder: FaceSet, tmp_path: Path) -> None:
    for seed in (0, 1):  # whatever its order inside
        archive = faces.load(packed(kind, tmp_path, seed))
        assert isinstance(archive, FaceSet)
        assert archive.ids() == folder.ids() == ("a/10", "a/2", "b", "c.d", "é")
        for face_id in folder.ids():
            one, other = folder.load(face_id), archive.load(face_id)
            assert (one.sha256, one.read, one.attributes) == (other.sha256, other.read, other.attributes)
        said = archive.source()
        assert json.loads(json.dumps(said)) == said
        assert said["count"] == 5


@pytest.mark.parametrize("kind", ["zip", "tar", "shards of tar"])
def test_what_is_no_image_is_counted(kind: str, folder: FaceSet, tmp_path: Path) -> None:
    left_out = faces.load(packed(kind, tmp_path)).source()["left_out"]
    assert {why: entry["count"] for why, entry in left_out.items()} == {HIDDEN: 1, "not an image by its suffix": 2}
    assert {why: entry["count"] for why, entry in folder.source()["left_out"].items()} == {
        why: entry["count"] for why, entry in left_out.items()
    }


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_one_archive_has_the_hash_of_its_folder(kind: str, folder: FaceSet, tmp_path: Path) -> None:
    assert faces.load(packed(kind, tmp_path)).source()["files_sha256"] == folder.source()["files_sha256"]


def why_not(found: FaceSet, face_id: str) -> str:
    """Why a face cannot be read; empty where it can."""
    try:
        found.load(face_id)
    except UnreadableFace as error:
        return str(error)
    return ""


def rows_of(spec: str, store: Path) -> list[object]:
    case = Case(faces=spec, degradation="paper", restorer="bicubic", size_px=64, draws=2)
    result = run.measure(case, store=store, metrics=("psnr_rgb",), keep_images=0, device="cpu")
    return [(row.id, row.face_sha256, row.scores, row.parameters) for row in result.rows]


def test_runs_on_every_kind_give_the_same_rows(folder: FaceSet, tmp_path: Path) -> None:
    expected = rows_of(str(tmp_path / "folder"), tmp_path / "store")
    assert len(expected) == 10
    for kind in WRITERS:
        assert rows_of(packed(kind, tmp_path), tmp_path / "store") == expected, kind


def test_a_name_in_two_shards_leads_with_its_shard(tmp_path: Path) -> None:
    tar_of([("x.png", png(0)), ("y.png", png(1))], tmp_path / "s-0.tar")
    tar_of([("x.png", png(2)), ("z.jpg", png(3)), ("z.png", png(4))], tmp_path / "s-1.tar")
    for spec in ("s-{0..1}.tar", "s-{1,0}.tar", "s-*.tar"):
        shards = faces.load(str(tmp_path / spec))
        assert shards.ids() == ("s-0.tar/x.png", "s-1.tar/x.png", "y", "z.jpg", "z.png")
    assert shards.load("s-1.tar/x.png").sha256 != shards.load("s-0.tar/x.png").sha256


def test_shards_of_one_name_lead_with_their_folder(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        tar_of([("x.png", png(0))], tmp_path / place / "0.tar")
    assert faces.load(str(tmp_path / "{a,b}" / "0.tar")).ids() == ("a/0.tar/x.png", "b/0.tar/x.png")


@pytest.mark.parametrize("pattern", ["s-{000..002}.tar", "none-*.tar", "gone.zip", "s-{000,001}.tar?column=x"])
def test_a_shard_that_is_not_there_is_named(pattern: str, tmp_path: Path) -> None:
    for number in range(2):
        tar_of([(f"{number}.png", png(number))], tmp_path / f"s-{number:03}.tar")
    with pytest.raises(BadInput, match=r"s-002.tar: no such file|no such file|there is no option 'column'") as caught:
        faces.load(str(tmp_path / pattern))
    assert "\n" not in str(caught.value)


def test_too_many_shards_are_refused_before_they_are_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="above the limit of 10000"):
        faces.load(str(tmp_path / "s-{0..99999999999}-{0..9}.tar"))


def test_a_file_with_braces_in_its_name_is_itself(tmp_path: Path) -> None:
    spec = zip_of([("x.png", png(0))], tmp_path / "s-{0..1}.zip")
    assert faces.load(spec).ids() == ("x",)


def test_a_folder_named_like_an_archive_is_a_folder(tmp_path: Path) -> None:
    assert faces.load(folder_of(IMAGES, tmp_path / "x.zip")).ids()[0] == "a/10"


def test_a_broken_shard_is_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    for number in range(3):
        rows = [(f"{number}-{place}.png", png(10 * number + place)) for place in range(3)]
        tar_of(rows, tmp_path / f"s-{number}.tar")
    whole = (tmp_path / "s-1.tar").read_bytes()
    (tmp_path / "s-1.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "s-2.tar").write_bytes(b"not a tar file" * 99)
    shards = faces.load(str(tmp_path / "s-{0..2}.tar"))
    assert {"0-0", "0-1", "0-2", "1-0", "s-1.tar", "s-2.tar"} <= set(shards.ids())
    for name in ("s-1.tar", "s-2.tar"):
        with pytest.raises(UnreadableFace, match=rf"{name}: (cannot be read as tar|breaks off)"):
            shards.load(name)
    for name in set(shards.ids()) - {"s-1.tar", "s-2.tar"}:
        said = why_not(shards, name)
        assert not said or ("s-1.tar" in said and "breaks off" in said)


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.xz"])
@pytest.mark.parametrize("data", [b"", b"\0" * 4096, b"rubbish" * 1000, b"\x1f\x8b\x08", b"PK\5\6" + bytes(40)])
def test_one_broken_archive_is_refused_in_one_line(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=rf"{name}: (cannot be|breaks off|holds no images|has a header)") as caught:
        faces.load(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "parquet"])
def test_every_cut_is_noticed(kind: str, tmp_path: Path) -> None:
    """An archive that ends anywhere early is refused, or one of its images cannot be read: never a shorter list."""
    spec = Path(packed(kind, tmp_path))
    whole = spec.read_bytes()
    last = len(whole.rstrip(b"\0")) if kind == "tar" else len(whole)
    for cut in (1, 100, 512, len(whole) // 3, len(whole) // 2, last - 1):
        spec.write_bytes(whole[:cut])
        try:
            shorter = faces.load(str(spec))
        except BadInput:
            continue
        assert any(why_not(shorter, face_id) for face_id in shorter.ids()), f"{kind} cut at {cut}"


def flipped(data: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    changed = bytearray(data)
    for _ in range(chance.randint(1, 20)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


@pytest.mark.parametrize("kind", ["zip", "tar", "parquet"])
def test_damaged_bytes_never_end_in_anything_but_one_line(kind: str, tmp_path: Path) -> None:
    spec = Path(packed(kind, tmp_path))
    whole = spec.read_bytes()
    for seed in range(60):
        spec.write_bytes(flipped(whole, seed))
        said = []
        try:
            damaged = faces.load(str(spec))
            said += [why_not(damaged, face_id) for face_id in damaged.ids()]
        except BadInput as error:
            said.append(str(error))
        assert not [line for line in said if "\n" in line]


OUT = ["../x.png", "/etc/x.png", "a/../../x.png", "C:\\x.png", "..\\x.png", "\\\\host\\x.png"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_paths_that_lead_out_are_left_out(kind: str, tmp_path: Path) -> None:
    write = zip_of if kind == "zip" else tar_of
    spec = write([*((name, png(0)) for name in OUT), ("./in.png", png(1))], tmp_path / f"x.{kind}")
    found = faces.load(spec)
    assert found.ids() == ("in",)
    assert found.source()["left_out"]["a path that leads out of the archive"]["count"] == len(OUT)
    assert not list(tmp_path.rglob("*.png"))


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name, kind in (("l.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE), ("d.png", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        info = tarfile.TarInfo("in.png")
        info.size = len(png(0))
        tar.addfile(info, io.BytesIO(png(0)))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        link = zipfile.ZipInfo("l.png")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("in.png", png(0))
    for name, links in (("x.tar", 2), ("x.zip", 1)):
        found = faces.load(str(tmp_path / name))
        assert found.ids() == ("in",)
        assert found.source()["left_out"][containers.LINK]["count"] == links


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_name_that_is_there_twice_is_not_read(kind: str, tmp_path: Path) -> None:
    write = zip_of if kind == "zip" else tar_of
    with pytest.warns(UserWarning, match="Duplicate name") if kind == "zip" else _quiet():
        spec = write([("x.png", png(0)), ("x.png", png(1)), ("y.png", png(2))], tmp_path / f"x.{kind}")
    found = faces.load(spec)
    assert found.ids() == ("x", "y")
    with pytest.raises(UnreadableFace, match="is there 2 times under one name"):
        found.load("x")


class _quiet:  # noqa: N801 - stands where a context manager of pytest does
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    spec = Path(zip_of([("bomb.png", bytes(2**22)), ("in.png", png(0))], tmp_path / "x.zip"))
    data = spec.read_bytes()
    for mark, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):  # what it says it unpacks to
        place = data.index(mark) + at
        data = data[:place] + (2**29).to_bytes(4, "little") + data[place + 4 :]
    spec.write_bytes(data)
    found = faces.load(str(tmp_path / "x.zip"))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableFace, match=f"above the limit of {FACE_LIMITS.maximum_file_bytes}"):
            found.load("bomb")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert found.load("in")


def test_a_length_that_lies_ends_where_it_says(tmp_path: Path) -> None:
    """The directory says 100 bytes and the member unpacks to more: no more than that is unpacked."""
    spec = Path(zip_of([("x.png", png(0))], tmp_path / "x.zip"))
    data = spec.read_bytes()
    length = len(png(0)).to_bytes(4, "little")
    at = data.rindex(b"PK\1\2") + 24
    assert data[at : at + 4] == length
    spec.write_bytes(data[:at] + (100).to_bytes(4, "little") + data[at + 4 :])
    with pytest.raises(UnreadableFace, match=r"x\.zip: x\.png"):
        faces.load(str(spec)).load("x")


def test_a_compressed_tar_that_grows_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_tar, "SMALL_BYTES", 2**16)
    spec = tar_of([("x.png", bytes(2**23))], tmp_path / "x.tar.gz")
    with pytest.raises(BadInput, match=r"unpacks to more than \d+ bytes, the limit"):
        faces.load(spec)
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_a_compressed_tar_is_unpacked_once_by_its_content(tmp_path: Path) -> None:
    spec = packed("tar.gz", tmp_path)
    faces.load(spec)
    (plain,) = (tmp_path / "home" / "unpacked").iterdir()
    before = plain.stat().st_mtime_ns
    moved = Path(spec).rename(tmp_path / "moved.tar.gz")
    assert faces.load(str(moved)).load("b")
    assert [path.stat().st_mtime_ns for path in (tmp_path / "home" / "unpacked").iterdir()] == [before]


def test_headers_of_absurd_length_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("x.png")
        info.pax_headers = {"comment": "x" * (in_tar.HEADER_BYTES + 1)}
        tar.addfile(info)
    with pytest.raises(BadInput, match=r"x\.tar: has a header of more than"):
        faces.load(str(tmp_path / "x.tar"))
    monkeypatch.setattr(in_zip, "DIRECTORY_BYTES", 1000)
    spec = zip_of(((f"{number}.png", b"") for number in range(100)), tmp_path / "x.zip")
    with pytest.raises(BadInput, match=r"x\.zip: has a header of more than 1000 bytes"):
        faces.load(spec)


def test_millions_of_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "MAXIMUM_ENTRIES", 20)
    monkeypatch.setattr(collection, "MAXIMUM_LEFT_OUT", 10)
    for kind, write in (("zip", zip_of), ("tar", tar_of)):
        many = write(((f"{number}.png", b"") for number in range(21)), tmp_path / f"many.{kind}")
        others = write(((f"{number}.txt", b"") for number in range(11)), tmp_path / f"others.{kind}")
        with pytest.raises(BadInput, match="holds more than 20 files, the limit"):
            faces.load(many)
        with pytest.raises(BadInput, match="holds more than 10 files that are no images"):
            faces.load(others)


def test_an_archive_without_images_says_what_is_in_it(tmp_path: Path) -> None:
    for kind, write in (("zip", zip_of), ("tar", tar_of)):
        with pytest.raises(BadInput, match=r"holds no images .*left out: 1 file: 1 not an image by its suffix \[a.txt"):
            faces.load(write([("a.txt", b"x")], tmp_path / f"x.{kind}"))


def test_an_archive_that_changes_is_not_read_on(tmp_path: Path) -> None:
    spec = tar_of([("x.png", png(0)), ("y.png", png(1))], tmp_path / "x.tar")
    found = faces.load(spec)
    tar_of([("y.png", png(1)), ("x.png", png(0)), ("z.png", png(0))], tmp_path / "x.tar")
    os.utime(spec, ns=(1, 1))
    with pytest.raises(UnreadableFace, match="was changed since it was listed"):
        found.load("x")


def test_nothing_is_kept_and_listing_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = png(0, 256)

    def rows() -> Iterator[tuple[str, bytes]]:
        return ((f"{number:02}.png", data) for number in range(24))

    for kind, write in (("zip", zip_of), ("tar", tar_of)):
        spec = write(rows(), tmp_path / f"x.{kind}")
        with monkeypatch.context() as patch:
            patch.setattr(collection, "decode", None)
            found = faces.load(spec)
        found.load("00")
        gc.collect()
        tracemalloc.start()
        try:
            for face_id in found.ids():
                found.load(face_id)
            kept, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept < 2**20, kind
        assert peak < 6 * 2**20, kind


def hostile_rows(to: Path) -> str:
    """Rows without a path, without bytes, with a path that climbs, and two of one path."""
    import pyarrow
    from pyarrow import parquet

    struct = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    paths = (None, "x.png", "../out.png", "twice.png", "twice.png")
    rows = [{"bytes": png(seed), "path": path} for seed, path in enumerate(paths)]
    rows[1]["bytes"] = None
    parquet.write_table(pyarrow.table({"image": pyarrow.array(rows, struct)}), to, row_group_size=2)
    return str(to)


def test_rows_without_a_name_are_called_by_their_number(tmp_path: Path) -> None:
    found = faces.load(hostile_rows(tmp_path / "x.parquet"))
    names = ("row-00000000", "row-00000002", "x", "x.parquet/row-00000003", "x.parquet/row-00000004")
    assert found.ids() == names
    with pytest.raises(UnreadableFace, match=r"x\.parquet: x\.png: .*holds no bytes"):
        found.load("x")
    for seed, name in ((0, names[0]), (2, names[1]), (4, names[4]), (3, names[3]), (0, names[0])):  # back and forth
        assert (
            found.load(name).sha256
            == faces.load(folder_of({"a.png": png(seed)}, tmp_path / str(seed))).load("a").sha256
        )


def test_a_column_of_bytes_is_named_where_there_are_several(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    spec = str(tmp_path / "x.parquet")
    table = pyarrow.table({"lq": [png(0), png(1)], "hq": [png(2), png(3)], "key": ["a", "b"], "n": [1, 2]})
    parquet.write_table(table, spec)
    with pytest.raises(BadInput, match=r"has 2 columns of bytes \(lq, hq\): say which, \?column=lq"):
        faces.load(spec)
    for options, wrong in (
        ("column=n", "'n' of images"),
        ("column=hq&id=z", "'z' of names"),
        ("row=1", "takes column"),
    ):
        with pytest.raises(BadInput, match=wrong):
            faces.load(f"{spec}?{options}")
    with pytest.raises(BadInput, match="options are NAME=VALUE"):
        faces.load(f"{spec}?hq")
    assert faces.load(f"{spec}?column=hq").ids() == ("row-00000000", "row-00000001")
    named = faces.load(f"{spec}?column=hq&id=key")
    assert named.ids() == ("a", "b")
    assert named.load("b").sha256 != faces.load(f"{spec}?column=lq&id=key").load("b").sha256
    parquet.write_table(pyarrow.table({"n": [1]}), spec)
    with pytest.raises(BadInput, match="has no column of image bytes; its columns are 'n'"):
        faces.load(spec)


def test_lmdb_and_its_names_have_to_agree(tmp_path: Path) -> None:
    spec = Path(lmdb_of(IMAGES, tmp_path / "x.lmdb"))
    lines = (spec / "meta_info.txt").read_text().splitlines()
    (spec / "meta_info.txt").write_text("\n".join([*lines[1:], "gone.png (40,40,3) 1"]))
    before = sorted(path.name for path in spec.iterdir())
    found = faces.load(str(spec))
    assert found.ids() == ("a/10", "a/2", "c.d", "gone", "é")
    with pytest.raises(UnreadableFace, match=r"gone\.png: is in meta_info.txt and not in data.mdb"):
        found.load("gone")
    assert found.source()["left_out"] == {"in data.mdb and not in meta_info.txt": {"count": 1, "first": ["b"]}}
    assert sorted(path.name for path in spec.iterdir()) == before, "no lock file is left behind"
    for text, wrong in (("x.jpg", "line 1 is not"), (f"{lines[0]}\n{lines[0]}\n", "line 2 names b once more")):
        (spec / "meta_info.txt").write_text(text)
        with pytest.raises(BadInput, match=rf"x.lmdb: meta_info.txt: {wrong}"):
            faces.load(str(spec))
    (spec / "meta_info.txt").unlink()
    with pytest.raises(BadInput, match=r"has no meta_info\.txt beside its data\.mdb"):
        faces.load(str(spec))


def test_an_lmdb_that_ends_early_does_not_end_the_process(tmp_path: Path) -> None:
    spec = Path(lmdb_of(IMAGES, tmp_path / "x.lmdb"))
    data = (spec / "data.mdb").read_bytes()
    for cut in (0, 100, 4096, 8192, len(data) // 2, len(data) - 4096):
        (spec / "data.mdb").write_bytes(data[:cut])
        with pytest.raises(BadInput, match=r"x\.lmdb: (breaks off|cannot be read as LMDB|holds no images)"):
            faces.load(str(spec))


@pytest.mark.parametrize(("package", "kind"), [("pyarrow", "parquet"), ("lmdb", "lmdb")])
def test_without_its_package_one_line_says_what_to_install(
    package: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = packed(kind, tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PackageMissing, match=rf"needs the package '{package}'.*pip install gfpbench\[{kind}\]"):
        faces.load(spec)
