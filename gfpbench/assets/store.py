"""The asset cache: its folder, the state of each asset in it, and access to verified files only."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from gfpbench.assets.lock import Record
from gfpbench.assets.table import ASSETS, Asset, find
from gfpbench.lazy import LazyModule
from gfpbench.types import AssetMissing, BadInput, Json

if TYPE_CHECKING:
    import platformdirs
    import pooch
else:
    platformdirs, pooch = LazyModule("platformdirs"), LazyModule("pooch")

State: TypeAlias = Literal["present", "unverified", "damaged", "partial", "missing"]
"""``unverified`` is a file of the right size that was put there by hand and not hashed yet."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of one asset on this machine. ``size_bytes`` is what lies on disk, of the file or of its part."""

    asset: Asset
    state: State
    path: Path
    size_bytes: int
    sha256: str | None
    reason: str = ""


def home() -> Path:
    """The folder for everything from outside: ``GFPBENCH_HOME``, or the user's cache folder. It may not exist yet."""
    chosen = os.environ.get("GFPBENCH_HOME", "").strip()
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("gfpbench"))


def pins() -> Record:
    """``assets.lock``: full hashes, fixed on first use, of files whose publisher gave none or only a beginning."""
    return Record(home() / "assets.lock")


def stamps() -> Record:
    """Files whose hash was checked, with size and time of change; forgetting it only costs a new check."""
    return Record(home() / ".verified.json", disposable=True)


def file_of(asset: Asset) -> Path:
    """Where the file lies once it is here."""
    return home() / asset.filename


def part_of(asset: Asset) -> Path:
    """Where an unfinished download lies."""
    return home() / f"{asset.filename}.part"


def short(sha256: str) -> str:
    """A hash as it is shown to people."""
    return f"{sha256[:12]}…" if len(sha256) > 12 else sha256


def expected_sha256(asset: Asset) -> str | None:
    """All 64 digits, from the table or from ``assets.lock``; None while unknown.

    Raises:
        BadInput: the lock file holds a hash that does not begin with the published digits.
    """
    if asset.sha256 is not None and len(asset.sha256) == 64:
        return asset.sha256
    pin = pins().get(asset.name)
    if pin is None:
        return None
    pinned = str(pin.get("sha256", ""))
    if not re.fullmatch("[0-9a-f]{64}", pinned) or not pinned.startswith(asset.sha256 or ""):
        raise BadInput(f"{pins().path}: the entry for {asset.name} is not a hash that fits: delete that entry")
    return pinned


def mismatch(asset: Asset, sha256: str) -> str | None:
    """Why a file with this hash is not the asset, or None where it is (or where its hash is not known yet)."""
    expected = expected_sha256(asset)
    if expected is not None and sha256 != expected:
        pinned = "" if asset.sha256 == expected else f", pinned in {pins().path} on first use"
        return f"its sha256 is {short(sha256)}, expected {short(expected)}{pinned}"
    if asset.sha256 is not None and not sha256.startswith(asset.sha256):
        return f"its sha256 is {short(sha256)}, expected {asset.sha256}…"
    return None


def pin(asset: Asset, sha256: str, size_bytes: int, origin: str) -> bool:
    """Fix the hash of a file whose publisher gave none. True where that was news."""
    if expected_sha256(asset) is not None:
        return False
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pins().put(asset.name, {"sha256": sha256, "size_bytes": size_bytes, "from": origin, "first_seen": now})
    return True


def stamp(asset: Asset, sha256: str) -> None:
    """Remember that the file was hashed, so that the next use need not read it again."""
    found = file_of(asset).stat()
    stamps().put(asset.key, {"sha256": sha256, "size_bytes": found.st_size, "mtime_ns": found.st_mtime_ns})


def status(name: str, full: bool = False) -> Status:
    """What is here of one asset: the publisher's file, else the one that was made out of a package.

    Args:
        full: read and hash the file. Otherwise size, time of change and the remembered hash decide, in no time.
    """
    asset = find(name)
    published = _status(asset, full)
    packaged = asset.from_package()
    if packaged is None or published.state in ("present", "unverified") or not file_of(packaged).is_file():
        return published
    return _status(packaged, full)


def _status(asset: Asset, full: bool) -> Status:
    path, part = file_of(asset), part_of(asset)
    if not path.is_file():
        size = part.stat().st_size if part.is_file() else 0
        return Status(asset, "partial" if size else "missing", part if size else path, size, None)
    found = path.stat()
    if asset.size_bytes is not None and found.st_size != asset.size_bytes:
        reason = f"it has {found.st_size} bytes, expected {asset.size_bytes}"
        return Status(asset, "damaged", path, found.st_size, None, reason)
    known = stamps().get(asset.key)
    remembered = known is not None and (known.get("size_bytes"), known.get("mtime_ns")) == (
        found.st_size,
        found.st_mtime_ns,
    )
    if remembered and not full:
        assert known is not None
        sha256 = str(known.get("sha256"))
    elif full:
        sha256 = str(pooch.file_hash(str(path)))
    else:
        return Status(asset, "unverified", path, found.st_size, None, "its hash was not checked yet")
    reason = mismatch(asset, sha256) or ""
    if reason:
        return Status(asset, "damaged", path, found.st_size, sha256, reason)
    if expected_sha256(asset) is None:
        return Status(asset, "unverified", path, found.st_size, sha256, "no hash was published, and none is pinned yet")
    return Status(asset, "present", path, found.st_size, sha256)


def path(name: str, needed_by: str | None = None) -> Path:
    """The verified file. Hashes it if that was not done since it last changed; fetches nothing.

    Args:
        needed_by: who asks, for the message; the table knows otherwise.

    Raises:
        AssetMissing: it is not here.
        BadInput: it is here and is not what it should be, or nobody ever vouched for it.
    """
    if needed_by is not None:
        find(name, needed_by)
    found = status(name)
    if found.state == "unverified":
        found = status(name, full=True)
        if found.state == "present":
            assert found.sha256 is not None
            stamp(found.asset, found.sha256)
    if found.state in ("missing", "partial"):
        raise AssetMissing(name, needed_by or " and ".join(found.asset.needed_by))
    if found.state == "damaged":
        raise BadInput(f"{found.path} is not {name}: {found.reason}: run `gfpbench fetch {name}` to get it again")
    if found.state == "unverified":
        raise BadInput(f"{found.path} was put there by hand and {found.reason}: run `gfpbench fetch {name}` to pin it")
    return found.path


def describe(full: bool = False) -> list[dict[str, Json]]:
    """One JSON-able row per asset, in the order of the table: what it is, its licence, and what is here of it."""
    rows: list[dict[str, Json]] = []
    for asset in ASSETS.values():
        here = status(asset.name, full)
        package = asset.package
        out_of_package = package is not None and (here.asset.filename == package.filename or not asset.urls)
        published = len(asset.sha256 or "")
        rows.append(
            {
                "name": asset.name,
                "state": here.state,
                "reason": here.reason,
                "path": str(here.path),
                "bytes_here": here.size_bytes,
                "bytes_expected": here.asset.size_bytes,
                "bytes_of_package": package.size_bytes if package else None,
                "bytes_converted": package.converted_bytes if package else None,
                "out_of_package": out_of_package,
                "licence": here.asset.licence,
                "noncommercial": asset.noncommercial,
                "needed_by": list(asset.needed_by),
                "source": asset.source,
                "urls": list(asset.urls),
                "package": package.label if package else "",
                "from": here.asset.source if here.state == "present" else "",
                "hash": "published"
                if published == 64
                else "beginning published"
                if published
                else "pinned on first use",
                "sha256": here.sha256 if here.state == "present" else expected_sha256(asset) or asset.sha256,
                "note": asset.note,
            }
        )
    return rows
