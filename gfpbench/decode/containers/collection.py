"""The images of one archive or of all shards of a set by id: which there are, what was left out, and their bytes."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from gfpbench.decode.containers import Container, ContainerBroken, Entry
from gfpbench.decode.decoded import FACE_LIMITS, Decoded, Limits
from gfpbench.decode.files import MAXIMUM_ENTRIES, MAXIMUM_LEFT_OUT, Listing, printable, told_apart, without_suffix
from gfpbench.decode.formats import HIDDEN, why_left_out
from gfpbench.decode.reader import decode
from gfpbench.degraded import WRITTEN
from gfpbench.types import BadInput, GfpbenchError, UnreadableFace


@dataclass(frozen=True, slots=True)
class Shard:
    """One archive of a set.

    Args:
        said: how a person called it: its path, or the address from which it was fetched.
        name: how it is told from the others.
        container: it, opened.
        file: what it is read from; None where its container sees to that.
        stamp: length and time of change of ``file`` when it was listed: what is read later must be the same file.
    """

    said: str
    name: str
    container: Container
    file: Path | None = None
    stamp: tuple[int, int] | None = None


class Collection:
    """Images in archives, under the ids that the same files in a folder would have (``gfpbench.decode.files.named``).

    Where a name is in several shards, its id leads with the name of its shard. An archive that cannot be listed to its
    end is an image that cannot be read, under the archive's name: what lies before is there.

    Args:
        where: how error lines call all of it.
        shards: the archives (``shards.open_shards``).

    Raises:
        BadInput: where there is no image, where none of the archives can be read, where there are more than a million
            files, or 300,000 that are no images.
    """

    def __init__(self, where: str, shards: Sequence[Shard]) -> None:
        self.where = printable(where)
        self._shards = tuple(shards)
        self._counted = self._not_images = 0
        self._left_out: dict[str, list[str]] = defaultdict(list)
        self._beside: dict[str, list[tuple[Shard, Entry]]] = defaultdict(list)
        self._entries = self._listed()
        self.listing = Listing(Path(where), (), {why: tuple(sorted(names)) for why, names in self._left_out.items()})
        if not self._entries:
            raise BadInput(self.listing.none_taken())

    def ids(self) -> tuple[str, ...]:
        """In code-point order."""
        return tuple(self._entries)

    def files(self) -> dict[str, str]:
        """The path of each image inside its archive -> its id; below its archive's name where several have it."""
        counts = Counter(entry.name for _, entry in self._entries.values())
        return {
            printable(entry.name if counts[entry.name] == 1 else f"{shard.name}/{entry.place or entry.name}"): image_id
            for image_id, (shard, entry) in self._entries.items()
        }

    def decode(self, image_id: str, limits: Limits = FACE_LIMITS) -> Decoded:
        """Decode one image.

        Raises:
            UnreadableFace: with the reason, where that is impossible.
            BadInput: for an unknown id.
        """
        return decode(self.data(image_id, limits), self.place(image_id), limits)

    def data(self, image_id: str, limits: Limits = FACE_LIMITS) -> bytes:
        """The bytes of one image file. Raises as ``decode`` does."""
        place = self.place(image_id)
        shard, entry = self._entries[image_id]
        if entry.wrong:
            raise UnreadableFace(f"{place}: {entry.wrong}")
        if (entry.length or 0) > limits.maximum_file_bytes:
            raise UnreadableFace(f"{place}: has {entry.length} bytes, above the limit of {limits.maximum_file_bytes}")
        try:
            data = shard.container.read(entry.key, limits.maximum_file_bytes + 1)
            changed = stamp_of(shard.file) != shard.stamp
        except GfpbenchError:  # says itself whose fault it is
            raise
        except Exception as error:  # an archive's libraries given hostile bytes raise anything; that is the reason
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UnreadableFace(f"{place}: cannot be read from its archive ({printable(reason)})") from error
        if changed:
            raise UnreadableFace(f"{place}: its archive was changed since it was listed: run it again")
        if len(data) > limits.maximum_file_bytes:
            raise UnreadableFace(f"{place}: has more than {limits.maximum_file_bytes} bytes, the limit")
        return data

    def beside(self, name: str) -> tuple[bytes, ...]:
        """The bytes of a file that `gfpbench degrade` writes beside its images (``degraded.WRITTEN``).

        Args:
            name: its path inside.

        Returns:
            Nothing where it is not there, once where all archives of the set have the same, else each.

        Raises:
            BadInput: where it is damaged, or has more than 256 MiB.
        """
        found: dict[bytes, None] = {}
        for shard, entry in self._beside.get(name, ()):
            where, limit = f"{shard.said}: {printable(entry.name)}", FACE_LIMITS.maximum_file_bytes
            try:
                data = shard.container.read(entry.key, limit + 1)
            except GfpbenchError:
                raise
            except Exception as error:  # as for the bytes of an image
                raise BadInput(f"{where}: {entry.wrong or 'is damaged'} ({type(error).__name__})") from error
            if entry.wrong or len(data) > limit:
                raise BadInput(f"{where}: {entry.wrong or f'has more than {limit} bytes, the limit'}")
            found[data] = None
        return tuple(found)

    def sha256(self) -> str:
        """Over names and lengths, as a folder's; where lengths are not known, the archives' own come last."""
        lines = [f"{image_id}\t{-1 if e.length is None else e.length}" for image_id, (_, e) in self._entries.items()]
        if any(entry.length is None for _, entry in self._entries.values()):
            lines += [f"{shard.name}\t{(shard.stamp or (-1,))[0]}" for shard in self._shards]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def place(self, image_id: str) -> str:
        if image_id not in self._entries:
            raise BadInput(f"{self.where}: has no image {image_id!r}")
        shard, entry = self._entries[image_id]
        return shard.said if entry.name == shard.name else f"{shard.said}: {printable(entry.name)}"

    def _listed(self) -> dict[str, tuple[Shard, Entry]]:
        listed: list[tuple[Shard, Entry]] = []
        names: list[tuple[str, ...]] = []
        broken: dict[str, str] = {}
        for shard in self._shards:
            found: dict[str, list[Entry]] = defaultdict(list)
            try:
                for entry in self._images(shard):
                    found[printable(entry.place or entry.name)].append(entry)
            except ContainerBroken as error:
                broken[shard.name] = str(error)
                found[shard.name] = [Entry(shard.name, wrong=str(error))]
            for place, entries in found.items():
                one = entries[0]
                if len(entries) > 1:  # which of them is meant, nobody can say
                    one = replace(one, wrong=f"is there {len(entries)} times under one name")
                full = printable(one.name)
                listed.append((shard, one))
                names.append((without_suffix(full), full, f"{printable(shard.name)}/{place}"))
        if len(broken) == len(self._shards) == len(names):
            raise BadInput(f"{self.where}: {next(iter(broken.values()))}")
        return {image_id: listed[place] for image_id, place in told_apart(self.where, dict(enumerate(names))).items()}

    def _images(self, shard: Shard) -> Iterator[Entry]:
        """Those of one archive; what is left out is counted on the way."""
        below = f"{shard.name}/" if len(self._shards) > 1 else ""
        for entry in shard.container.entries():
            self._counted += 1
            self._limit(self._counted, MAXIMUM_ENTRIES, "files")
            path = PurePosixPath(entry.name)
            why: str | None = entry.left_out
            if not why and not entry.is_image:
                hidden = any(part.startswith(".") for part in path.parts)
                why = HIDDEN if hidden else why_left_out(path.name)
            if not why:
                yield entry
                continue
            self._not_images += 1
            self._limit(self._not_images, MAXIMUM_LEFT_OUT, "files that are no images")
            self._left_out[why].append(below + entry.name)
            if path.name in WRITTEN and not entry.left_out:
                self._beside[entry.name].append((shard, entry))

    def _limit(self, count: int, maximum: int, what: str) -> None:
        if count > maximum:
            raise BadInput(
                f"{self.where}: holds more than {maximum:,} {what}, the limit of what is searched for images"
            )


def stamp_of(file: Path | None) -> tuple[int, int] | None:
    """Length and time of change of a file. Raises BadInput where it cannot be looked at."""
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError as error:
        raise BadInput(f"{printable(str(file))}: cannot be read: {error.strerror or error}") from error
    return found.st_size, found.st_mtime_ns
