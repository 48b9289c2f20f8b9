"""The images of one archive or of all shards of a set by id: which there are, what was left out, and their bytes."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from gfpbench.decode.containers import KINDS, LMDB_DATA, Container, ContainerBroken, Entry, kind_of, open_container
from gfpbench.decode.decoded import FACE_LIMITS, Decoded, Limits
from gfpbench.decode.files import MAXIMUM_ENTRIES, MAXIMUM_LEFT_OUT, Listing, printable, told_apart, without_suffix
from gfpbench.decode.formats import HIDDEN, why_left_out
from gfpbench.decode.reader import decode
from gfpbench.types import BadInput, UnreadableFace

MAXIMUM_SHARDS = 10_000
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True, slots=True)
class Shard:
    """One archive of a set.

    Args:
        path: of the file, or of the folder that is one (LMDB).
        said: how a person called it: its path, or the address from which it was fetched.
        name: how it is told from the others.
        stamp: length and time of change when it was listed: what is read later must be the same file.
        container: it, opened.
    """

    path: Path
    said: str
    name: str
    stamp: tuple[int, int]
    container: Container


class Collection:
    """Images in archives, under the ids that the same files in a folder would have (``gfpbench.decode.files.named``).

    Where a name is in several shards, its id leads with the name of its shard. An archive that cannot be listed to its
    end is an image that cannot be read, under the archive's name: what lies before is there.

    Args:
        where: how error lines call all of it.
        paths: the archives, of one kind: what a person calls each -> where it lies.
        options: what was said behind the path (``gfpbench.decode.containers.Kind``).

    Raises:
        BadInput: where there is no image, where none of the archives can be read, where there are more than a million
            files, or 300,000 that are no images, or 10,000 archives, and for an option that there is not.
        PackageMissing: where the package that reads the archives is not installed.
    """

    def __init__(self, where: str, paths: Mapping[str, Path], options: Mapping[str, str]) -> None:
        self.where = printable(where)
        kinds = {said: _kind(said, path) for said, path in paths.items()}
        if len(set(kinds.values())) != 1:
            raise BadInput(f"{self.where}: holds archives of several kinds ({', '.join(sorted(set(kinds.values())))})")
        if len(paths) > MAXIMUM_SHARDS:
            raise BadInput(f"{self.where}: is {len(paths)} archives, above the limit of {MAXIMUM_SHARDS}")
        names = _names(list(paths))
        self._shards = tuple(
            Shard(path, printable(said), name, _stamp(path), open_container(path, kinds[said], options))
            for (said, path), name in zip(paths.items(), names, strict=True)
        )
        self._counted = self._not_images = 0
        self._left_out: dict[str, list[str]] = defaultdict(list)
        self._entries = self._listed()
        self.listing = Listing(Path(where), (), {why: tuple(sorted(names)) for why, names in self._left_out.items()})
        if not self._entries:
            raise BadInput(self.listing.none_taken())

    def ids(self) -> tuple[str, ...]:
        """In code-point order."""
        return tuple(self._entries)

    def decode(self, image_id: str, limits: Limits = FACE_LIMITS) -> Decoded:
        """Decode one image.

        Raises:
            UnreadableFace: with the reason, where that is impossible.
            BadInput: for an unknown id.
        """
        return decode(self.data(image_id, limits), self._place(image_id), limits)

    def data(self, image_id: str, limits: Limits = FACE_LIMITS) -> bytes:
        """The bytes of one image file. Raises as ``decode`` does."""
        place = self._place(image_id)
        shard, entry = self._entries[image_id]
        if entry.wrong:
            raise UnreadableFace(f"{place}: {entry.wrong}")
        if (entry.length or 0) > limits.maximum_file_bytes:
            raise UnreadableFace(f"{place}: has {entry.length} bytes, above the limit of {limits.maximum_file_bytes}")
        try:
            data = shard.container.read(entry.key, limits.maximum_file_bytes + 1)
            changed = _stamp(shard.path) != shard.stamp
        except Exception as error:  # an archive's libraries given hostile bytes raise anything; that is the reason
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UnreadableFace(f"{place}: cannot be read from its archive ({printable(reason)})") from error
        if changed:
            raise UnreadableFace(f"{place}: its archive was changed since it was listed: run it again")
        if len(data) > limits.maximum_file_bytes:
            raise UnreadableFace(f"{place}: has more than {limits.maximum_file_bytes} bytes, the limit")
        return data

    def sha256(self) -> str:
        """Over names and lengths, as a folder's; where lengths are not known, the archives' own come last."""
        lines = [f"{image_id}\t{-1 if e.length is None else e.length}" for image_id, (_, e) in self._entries.items()]
        if any(entry.length is None for _, entry in self._entries.values()):
            lines += [f"{shard.name}\t{shard.stamp[0]}" for shard in self._shards]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _place(self, image_id: str) -> str:
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

    def _limit(self, count: int, maximum: int, what: str) -> None:
        if count > maximum:
            raise BadInput(
                f"{self.where}: holds more than {maximum:,} {what}, the limit of what is searched for images"
            )


def collected(text: str) -> Collection | None:
    """The images of archives, as a person names them; None where the text names no archive.

    Args:
        text: the path of one archive, of several with ``{000..015}``, ``{train,val}`` or ``*`` in it, or of a folder
            that is one; options stand behind a ``?``.

    Raises:
        BadInput: for an archive that is not there; and as ``Collection``.
    """
    path = Path(text).expanduser()
    if _exists(path):
        return Collection(text, {str(path): path}, {}) if _is_container(path) else None
    pattern, question, given = text.partition("?")
    if kind_of(pattern) is None:
        return None
    paths = {one: Path(one) for one in expanded(str(Path(pattern).expanduser()))}
    lost = [one for one, path in paths.items() if not _exists(path)]
    if lost:
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        raise BadInput(f"{printable(lost[0])}: no such file{more}")
    return Collection(text, paths, options_of(text, given) if question else {})


def expanded(pattern: str) -> Iterator[str]:
    """The paths that braces and stars stand for, in order; ranges count up with as many digits as their first number.

    Raises:
        BadInput: where a star finds nothing, and for more than 10,000 paths.
    """
    parts = _BRACES.split(pattern)
    choices = [_choices(part) if place % 2 else (part,) for place, part in enumerate(parts)]
    count = 1
    for each in choices:
        count *= len(each)
    if count > MAXIMUM_SHARDS:
        raise BadInput(f"{printable(pattern)}: is {count} archives, above the limit of {MAXIMUM_SHARDS}")
    for one in itertools.product(*choices):
        path = "".join(one)
        if "*" not in path:
            yield path
            continue
        root = Path(path).anchor
        below = path.removeprefix(root).replace("[", "[[]")  # a bracket is itself
        found = sorted(map(str, Path(root or ".").glob(below)))
        if not found:
            raise BadInput(f"{printable(path)}: there is no such file")
        yield from found


def _choices(inside: str) -> Sequence[str]:
    numbers = _RANGE.fullmatch(inside)
    if numbers is None:
        return inside.split(",") if "," in inside else (f"{{{inside}}}",)
    first, last = int(numbers[1][:9]), int(numbers[2][:9])
    return [str(number).zfill(len(numbers[1])) for number in range(first, min(last, first + MAXIMUM_SHARDS) + 1)]


def options_of(text: str, given: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given.split("&")]
    if not all(name and value for name, _, value in pairs):
        raise BadInput(f"{printable(text)}: options are NAME=VALUE, with & between them")
    return {name: value for name, _, value in pairs}


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a zero byte
        return False


def _is_container(path: Path) -> bool:
    """A folder is one only as LMDB: by its name, or by what is in it."""
    kind = kind_of(str(path))
    return kind == "lmdb" or (path / LMDB_DATA).is_file() if path.is_dir() else kind is not None


def _kind(said: str, path: Path) -> str:
    kind = "lmdb" if path.is_dir() else kind_of(said)
    if kind is None:
        raise BadInput(f"{printable(said)}: is no archive that is read ({', '.join(KINDS)})")
    return kind


def _names(said: Sequence[str]) -> list[str]:
    """The archives by their place below the folder that they share, of their paths or addresses."""
    parts = [one.split("/") for one in said]
    alike = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*(one[:-1] for one in parts), strict=False))
    shared = len(list(alike))
    return ["/".join(one[shared:]) for one in parts]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = (path / LMDB_DATA if path.is_dir() else path).stat()
    except OSError as error:
        raise BadInput(f"{printable(str(path))}: cannot be read: {error.strerror or error}") from error
    return found.st_size, found.st_mtime_ns
