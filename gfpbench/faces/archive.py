"""Archives of images as faces: zip, tar, parquet and LMDB, one image read at a time and nothing unpacked."""

from __future__ import annotations

from collections.abc import Mapping

from gfpbench.decode.containers.collection import Collection
from gfpbench.decode.files import printable
from gfpbench.faces.folder import face_of
from gfpbench.types import Face, Json


def at_address(url: str, size_px: int | None) -> Archive:
    """The images at an address, as fsspec takes it. Raises as ``gfpbench.decode.containers.in_remote`` does."""
    from gfpbench.decode.containers.in_remote import collected_from

    return Archive(collected_from(url), size_px, name=url)


class Archive:
    """Every image of one archive or of several shards, as ``Folder`` has those of a folder: the same ids and pixels.

    Args:
        collection: the images.
        size_px: as for ``Folder``.
        name: how the report calls it.
    """

    def __init__(self, collection: Collection, size_px: int | None, *, name: str) -> None:
        self.name = printable(name)
        self.size_px = size_px
        self._collection = collection

    def ids(self) -> tuple[str, ...]:
        """Names in code-point order."""
        return self._collection.ids()

    def load(self, face_id: str) -> Face:
        """Decode one image. Raises UnreadableFace with the reason, BadInput for an unknown id."""
        return face_of(face_id, self._collection.decode(face_id), self.size_px, self._collection.place(face_id))

    def source(self) -> Mapping[str, Json]:
        """The archives, how many images, a hash over their names and lengths, and how many files were left out."""
        left_out = self._collection.listing.record()
        return {
            "name": self.name,
            "from": self._collection.where,
            "licence": "not stated",
            "count": len(self.ids()),
            "size_px": self.size_px,
            "files_sha256": self._collection.sha256(),
            **({"left_out": left_out} if left_out else {}),
        }
