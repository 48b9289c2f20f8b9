"""Files in, files out: names, records, bad photos beside good ones, and nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gfpbench import cli, images
from gfpbench.decode import read_rgb
from gfpbench.disk import DiskRefused, disk
from gfpbench.photos import Pipeline, restore_paths
from gfpbench.types import BadInput
from tests.unit.photos import laws, scenes
from tests.unit.photos.scenes import Place

PHOTO, FOUND = scenes.scene(220, 300, [Place((130, 110), 160)])


class OnlyPhoto(scenes.Known):
    """Finds the face of PHOTO, in PHOTO."""

    def __call__(self, rgb):
        return FOUND if rgb.shape == PHOTO.shape and (rgb == PHOTO).all() else []


def pipeline(**settings):
    return Pipeline(scenes.Painter(laws.inverted), OnlyPhoto([]), **settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    (root / "deep").mkdir(parents=True)
    images.write_png(root / "deep" / "good.png", PHOTO)
    images.write_png(root / "empty.png", scenes.ground(100, 100))
    (root / "broken.jpg").write_bytes(b"\xff\xd8 no image")
    (root / "notes.txt").write_text("no photo")
    return root


def test_one_bad_photo_ends_nothing(folder: Path, tmp_path: Path) -> None:
    told = []
    record = restore_paths([folder], tmp_path / "out", pipeline(), lambda *given: told.append(given))
    assert [name for name, _, _ in told] == ["broken", "deep/good", "empty"]
    assert [ok for _, _, ok in told] == [False, True, False]
    assert told[0][1].endswith("it is damaged or unsupported") or "broken.jpg" in told[0][1]
    assert told[1][1] == "1 face restored"
    assert told[2][1] == "0 faces restored; no face was found by known"
    assert json.loads((tmp_path / "out" / "photos.json").read_text()) == json.loads(json.dumps(record))
    assert [photo["output"] for photo in record["photos"]] == [None, "deep/good.png", None]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == ["good.png", "photos.json"]
    written = read_rgb(tmp_path / "out" / "deep" / "good.png")
    assert written.shape == PHOTO.shape
    x, y = (int(value) for value in FOUND[0].landmarks[2])
    assert np.abs(255.0 - PHOTO[y - 9 : y + 9, x - 9 : x + 9] - written[y - 9 : y + 9, x - 9 : x + 9]).mean() < 10


def test_enlarged(folder: Path, tmp_path: Path) -> None:
    restore_paths([folder / "deep" / "good.png"], tmp_path / "out", pipeline(upscale=2))
    assert read_rgb(tmp_path / "out" / "good.png").shape == (440, 600, 3)


def test_what_was_done_is_kept_when_stopped(folder: Path, tmp_path: Path) -> None:
    def stop(name: str, line: str, ok: bool) -> None:
        if name == "deep/good":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_paths([folder], tmp_path / "out", pipeline(), stop)
    record = json.loads((tmp_path / "out" / "photos.json").read_text())
    assert [photo["name"] for photo in record["photos"]] == ["broken", "deep/good"]


def test_refusals(folder: Path, tmp_path: Path) -> None:
    good = folder / "deep" / "good.png"
    for paths, out, reason in (
        ([tmp_path / "absent"], tmp_path / "out", "is no existing photo or folder"),
        ([folder / "deep"], folder / "deep", "is one of the photos and would be overwritten"),
        ([good], good, "is a file; give a folder"),
        ([tmp_path / "bare"], tmp_path / "out", "holds no images"),
        ([good, tmp_path / "other" / "good.png"], tmp_path / "out", "would both be written as good.png"),
    ):
        (tmp_path / "bare").mkdir(exist_ok=True)
        (tmp_path / "other").mkdir(exist_ok=True)
        images.write_png(tmp_path / "other" / "good.png", PHOTO)
        before = good.read_bytes()
        with pytest.raises(BadInput, match=reason):
            restore_paths(paths, out, pipeline())
        assert good.read_bytes() == before


def test_a_disk_that_refuses_is_one_line(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *_: object) -> None:
        with disk(path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("gfpbench.photos.batch.write_photo", full)
    with pytest.raises(DiskRefused, match=r"good\.png: cannot be written: No space left on device"):
        restore_paths([folder], tmp_path / "out", pipeline())


def test_the_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gfpbench.photos.as_restorer.load_detector", lambda *_, **__: OnlyPhoto([]))
    out = tmp_path / "out"

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["gfpbench", "photos", *arguments, "--out", str(out), "--device", "cpu"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    code, said, failed = command(str(folder))
    assert code == 1
    assert said == (
        f"deep/good: 1 face restored\n{out}: faces found by known, restored by nano, pasted square\n"
        f"{folder}: left out 1 file: 1 not an image by its suffix [notes.txt]\n"
    )
    assert failed.count("\n") == 2
    code, said, _ = command(str(folder / "deep"), "--json")
    assert code == 0
    assert json.loads(said)["photos"][0]["faces"][0]["state"] == "restored"
    code, said, failed = command(str(tmp_path / "absent"))
    assert (code, said) == (2, "")
    assert failed.startswith("gfpbench: ")
    assert failed.count("\n") == 1


def test_the_command_goes_on_unless_weights_that_nobody_names_have_changed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that reads a file when it is asked: its record is the same for any weights."""
    (tmp_path / "strangers_model.py").write_text(
        "from pathlib import Path\n"
        "from gfpbench.types import ImageBatch\n"
        "def restore(batch):\n"
        f"    share = float(Path({str(tmp_path / 'weights')!r}).read_text())\n"
        "    return ImageBatch((share * (1 - batch.pixels)).clamp(0, 1), batch.ids)\n"
    )
    (tmp_path / "weights").write_text("0.9")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("gfpbench.photos.as_restorer.load_detector", lambda *_, **__: OnlyPhoto([]))

    def restored() -> tuple[str, bytes]:
        words = ["photos", str(folder / "deep"), "--restorer", "python:strangers_model:restore", "--device", "cpu"]
        monkeypatch.setattr("sys.argv", ["gfpbench", *words, "--out", "out"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        return capsys.readouterr().out.splitlines()[0], (tmp_path / "out" / "good.png").read_bytes()

    first, before = restored()
    assert restored() == (f"{first} (by an earlier run)", before)
    (tmp_path / "weights").write_text("0.8")
    again, after = restored()
    assert again == first
    assert after != before


@pytest.mark.parametrize("face", ["first", "-1"])
def test_another_face_than_there_can_be_is_one_line(
    face: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["gfpbench", "photos", str(folder), f"--face={face}"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"gfpbench: which face: all, largest, centre or a number counted from 0, not {face!r}\n"
    )
