"""The manifest says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gfpbench.faces.manifest import manifest_path, read_manifest
from gfpbench.types import BadInput

WHOLE = manifest_path().read_text(encoding="utf-8")


def test_the_real_one_is_whole() -> None:
    astronaut, hopper = read_manifest()
    assert (astronaut.name, hopper.name) == ("astronaut", "grace_hopper")
    assert astronaut.size_px == (512, 512)
    assert hopper.size_px == (600, 512)
    assert len(hopper.landmarks) == 68


def test_an_installed_copy_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gfpbench

    package = tmp_path / "site-packages" / "gfpbench"
    (package / "_fixtures").mkdir(parents=True)
    monkeypatch.setattr(gfpbench, "__file__", str(package / "__init__.py"))
    with pytest.raises(BadInput, match="reinstall gfpbench"):
        manifest_path()
    beside = tmp_path / "site-packages" / "fixtures" / "manifest.toml"
    beside.parent.mkdir()
    beside.write_text(WHOLE, encoding="utf-8")
    assert manifest_path() == beside
    (package / "_fixtures" / "manifest.toml").write_text(WHOLE, encoding="utf-8")
    assert manifest_path() == package / "_fixtures" / "manifest.toml"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[face]]", "[[face", "is not TOML"),
        ("[[face]]", "[[image]]", r"has no \[\[face\]\] tables"),
        ('subject = "Eileen Collins"\n', "", "face 1: lacks subject"),
        ('subject = "Eileen', 'colour = "red"\nsubject = "Eileen', "face 1: has unknown colour"),
        ('"Eileen Collins"', '" "', "face 1.subject: is empty"),
        ('"Eileen Collins"', "7", "face 1.subject: expected text, not 7"),
        ('sha256 = "8', 'sha256 = "X', "face 1.sha256: must be 64 hexadecimal digits"),
        ('name = "astronaut"', 'name = "../astronaut"', "may hold letters"),
        ('name = "astronaut"', 'name = "grace_hopper"', "two faces are called 'grace_hopper'"),
        ("[179, 104], ", "", "face 1.landmarks: must be 68 pairs, not 67"),
        ("[179, 104], ", "[179], ", r"face 1.landmarks\[0\]: expected 2 values, not 1"),
        ("[179, 104], ", '["a", true], ', r"face 1.landmarks\[0\]\[0\]: expected a number, not 'a'"),
        ("[179, 104], ", "[179, 700], ", r"face 1.landmarks: \(179.0, 700.0\) lies outside the image of 512x512"),
        ("size_px = [512, 512]", "size_px = 512", "face 1.size_px: expected a list, not 512"),
        ("size_px = [512, 512]", "size_px = [inf, 512]", r"face 1.size_px\[0\]: expected a whole number, not inf"),
        ("[179, 104], ", "[nan, 104], ", r"face 1.landmarks\[0\]\[0\]: is no finite number"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in WHOLE
    path = tmp_path / "manifest.toml"
    path.write_text(WHOLE.replace(old, new) if "[[face" in old else WHOLE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=message) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value).replace("\n  ", "")


def test_absent_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_manifest(tmp_path / "none.toml")
    (tmp_path / "m.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="cannot be read"):
        read_manifest(tmp_path / "m.toml")
