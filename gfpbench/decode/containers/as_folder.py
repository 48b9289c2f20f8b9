"""What may stand in place of a folder of images: an archive of it, several shards, or an address of either."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gfpbench.decode.containers import LMDB_DATA
from gfpbench.decode.containers.collection import Collection
from gfpbench.degraded import MANIFEST, UNFINISHED, Manifest, manifest_from, not_finished
from gfpbench.types import BadInput

_OWN_OPTIONS = ("column", "id")


def archived(path: str, given: Mapping[str, str]) -> tuple[Collection | None, str, dict[str, str]]:
    """The images of an archive or address.

    Args:
        path: as for ``--faces``.
        given: the options that were said behind it.

    Returns:
        The images, None where the path is a folder or names no archive; the path with the archive's own options; and
        the other options.

    Raises:
        BadInput, RemoteFailed, PackageMissing: as what reads the archive or the address does.
    """
    other = dict(given)
    address = is_address(path)
    folder = Path(path).expanduser()
    if not address and folder.is_dir() and not (folder / LMDB_DATA).is_file():
        return None, path, other
    own = "&".join(f"{name}={other.pop(name)}" for name in _OWN_OPTIONS if name in other)
    called = f"{path}?{own}" if own else path
    if address:
        from gfpbench.decode.containers.in_remote import collected_from

        return collected_from(called), called, other
    from gfpbench.decode.containers.shards import collected

    found = collected(called)
    return (None, path, dict(given)) if found is None else (found, called, other)


def is_address(path: str) -> bool:
    """Whether it is one, and no path that is there."""
    return ("://" in path or "::" in path) and not Path(path).exists()


def manifest_in(archive: Collection, below: str = "") -> Manifest | None:
    """The manifest of degraded images that was packed with them; None where there is none.

    Args:
        archive: where it is looked for.
        below: the folder inside, with a slash at its end; empty for the uppermost.

    Raises:
        BadInput: as ``degraded.find_manifest``; and where shards hold different ones.
    """
    if archive.beside(below + UNFINISHED):
        raise BadInput(not_finished(archive.where))
    found = archive.beside(below + MANIFEST)
    if len(found) > 1:
        raise BadInput(f"{archive.where}: holds {len(found)} different {below}{MANIFEST}; leave one")
    return manifest_from(found[0], f"{archive.where}: {below}{MANIFEST}") if found else None
