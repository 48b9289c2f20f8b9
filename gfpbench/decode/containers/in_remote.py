"""Images and archives at addresses: shards are fetched whole, the files of a folder one at a time as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from gfpbench.assets.remote import Remote, RemoteMissing, is_http
from gfpbench.assets.remote_cache import RemoteFile
from gfpbench.decode.containers import KINDS, LEADS_OUT, Entry, kind_of, named_inside
from gfpbench.decode.containers.collection import Collection, Shard
from gfpbench.decode.containers.shards import open_shards, options_of, spelled
from gfpbench.types import BadInput, UnreadableFace


class InRemote:
    """A folder, or the files of a pattern, at an address; each file is kept once it was read.

    Args:
        remote: where it is.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def entries(self) -> Iterator[Entry]:
        """As ``Container``."""
        for file in self._remote.files():
            name = named_inside(file.name)
            yield Entry(file.name, left_out=LEADS_OUT) if name is None else Entry(name, file, file.size_bytes)

    def read(self, key: RemoteFile, at_most: int) -> bytes:
        """As ``Container``.

        Raises:
            UnreadableFace: where it is not there any more, or too long.
            RemoteFailed: where it cannot be reached, which is no fault of the image's.
        """
        try:
            path = self._remote.fetched(key, at_most=at_most)
        except RemoteMissing as error:
            raise UnreadableFace(str(error)) from error
        with path.open("rb") as file:
            return file.read(at_most)


def collected_from(url: str) -> Collection:
    """The images at an address: of one archive, of the shards that braces or ``*`` name, or of a folder.

    Args:
        url: as fsspec takes it. Options of an archive stand behind ``?``, at http(s) behind ``#``.

    Raises:
        BadInput, RemoteFailed, PackageMissing: as ``Remote`` and ``Collection`` do.
    """
    address, mark, given = url.partition("#" if is_http(url) else "?")
    kind = _kind(address)
    if kind is None:
        return Collection(url, [Shard(url, "", InRemote(Remote(url)))])
    if kind == "lmdb":
        raise BadInput(f"{url}: LMDB is read from a disk only: copy the folder")
    options = options_of(url, given) if mark else {}
    suffix = next(one for one in KINDS[kind].suffixes if _name(address).endswith(one))
    paths = {}
    for pattern in spelled(address):
        remote = Remote(pattern)
        if "*" not in pattern:
            paths[pattern] = remote.fetched(suffix=suffix)
            continue
        files = sorted(remote.files(), key=lambda file: file.path)
        if not files:
            raise BadInput(f"{pattern}: there is no such file")
        paths.update({file.url: remote.fetched(file, suffix=suffix) for file in files})
    return Collection(url, open_shards(url, paths, options))


def _name(address: str) -> str:
    first = address.partition("::")[0]
    return PurePosixPath(first.partition("?")[0] if is_http(address) else first).name.lower()


def _kind(address: str) -> str | None:
    """The kind of archive that an address ends with; what stands in front of ``::`` decides."""
    return kind_of(_name(address))
