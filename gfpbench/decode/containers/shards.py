"""Which archives a person names: one, several by braces and stars, or a folder that is one; and their options."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gfpbench.decode.containers import KINDS, LMDB_DATA, kind_of, open_container
from gfpbench.decode.containers.collection import Collection, Shard, stamp_of
from gfpbench.decode.files import printable
from gfpbench.types import BadInput

MAXIMUM_SHARDS = 10_000
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


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
        return Collection(text, open_shards(text, {str(path): path}, {})) if _is_container(path) else None
    pattern, question, given = text.partition("?")
    if kind_of(pattern) is None:
        return None
    paths = {one: Path(one) for one in expanded(str(Path(pattern).expanduser()))}
    lost = [one for one, path in paths.items() if not _exists(path)]
    if lost:
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        raise BadInput(f"{printable(lost[0])}: no such file{more}")
    return Collection(text, open_shards(text, paths, options_of(text, given) if question else {}))


def open_shards(where: str, paths: Mapping[str, Path], options: Mapping[str, str]) -> list[Shard]:
    """The archives of one set.

    Args:
        where: how error lines call all of it.
        paths: what a person calls each -> where it lies.
        options: what was said behind the path (``gfpbench.decode.containers.Kind``).

    Raises:
        BadInput: for several kinds, more than 10,000 archives, and an option that there is not.
        PackageMissing: where the package that reads them is not installed.
    """
    kinds = {said: _kind(said, path) for said, path in paths.items()}
    if len(set(kinds.values())) != 1:
        raise BadInput(
            f"{printable(where)}: holds archives of several kinds ({', '.join(sorted(set(kinds.values())))})"
        )
    if len(paths) > MAXIMUM_SHARDS:
        raise BadInput(f"{printable(where)}: is {len(paths)} archives, above the limit of {MAXIMUM_SHARDS}")
    shards = []
    for (said, path), name in zip(paths.items(), _names(list(paths)), strict=True):
        file = path / LMDB_DATA if path.is_dir() else path
        container = open_container(path, kinds[said], options)
        shards.append(Shard(printable(said), name, container, file, stamp_of(file)))
    return shards


def expanded(pattern: str) -> Iterator[str]:
    """The paths that braces and stars stand for. Raises BadInput as ``spelled``, and where a star finds nothing."""
    for path in spelled(pattern):
        if "*" not in path:
            yield path
            continue
        root = Path(path).anchor
        below = path.removeprefix(root).replace("[", "[[]")  # a bracket is itself
        found = sorted(map(str, Path(root or ".").glob(below)))
        if not found:
            raise BadInput(f"{printable(path)}: there is no such file")
        yield from found


def spelled(pattern: str) -> Iterator[str]:
    """What braces stand for, in order: ranges count up with as many digits as their first number.

    Raises:
        BadInput: for more than 10,000 of them.
    """
    parts = _BRACES.split(pattern)
    choices = [_choices(part) if place % 2 else (part,) for place, part in enumerate(parts)]
    count = 1
    for each in choices:
        count *= len(each)
    if count > MAXIMUM_SHARDS:
        raise BadInput(f"{printable(pattern)}: is {count} archives, above the limit of {MAXIMUM_SHARDS}")
    yield from map("".join, itertools.product(*choices))


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
