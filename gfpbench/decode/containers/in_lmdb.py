"""An LMDB folder of images as BasicSR writes it: data.mdb with the files' bytes, meta_info.txt with their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gfpbench.decode.containers import LEADS_OUT, LMDB_DATA, ContainerBroken, Entry, named_inside
from gfpbench.decode.files import printable
from gfpbench.types import PackageMissing

DATA, NAMES = LMDB_DATA, "meta_info.txt"
NAMES_BYTES = 256 * 2**20
UNNAMED = f"in {DATA} and not in {NAMES}"
_LINE = re.compile(r"(?P<key>.+)\.png \([\d, ]+\)(?: \d+)?")  # basicsr.utils.lmdb_util: "sub/0001.png (512,512,3) 1"


class InLmdb:
    """One LMDB folder.

    LMDB maps its file into memory and trusts what is in it: a file that ends early is refused, but pages that somebody
    has tampered with may end the process. Nothing is written, no lock file either.

    Args:
        path: the folder.
        options: none.

    Raises:
        PackageMissing: where lmdb is not installed.
    """

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        del options
        try:
            import lmdb  # noqa: F401
        except ImportError as error:
            raise PackageMissing("lmdb", printable(str(path)), "pip install gfpbench[lmdb]") from error
        self.path = path.resolve()

    def entries(self) -> Iterator[Entry]:
        """As ``Container``. A name without an image is listed as wrong, an image without a name left out."""
        import lmdb

        try:
            names = self._names()
            with _opened(self.path).begin(buffers=True) as reading:
                for key, value in reading.cursor():
                    name = names.pop(bytes(key), None)
                    if name is None:
                        yield Entry(bytes(key).decode("utf-8", "backslashreplace"), left_out=UNNAMED)
                    elif (inside := named_inside(name)) is None:
                        yield Entry(name, left_out=LEADS_OUT)
                    else:
                        yield Entry(inside, bytes(key), len(value))
        except (lmdb.Error, OSError) as error:
            raise ContainerBroken(f"cannot be read as LMDB: {' '.join(str(error).split())}") from error
        for name in names.values():
            yield Entry(named_inside(name) or "unnamed.png", wrong=f"is in {NAMES} and not in {DATA}", place=name)

    def read(self, key: bytes, at_most: int) -> bytes:
        """As ``Container``. Raises KeyError for an image that is gone."""
        with _opened(self.path).begin(buffers=True) as reading:
            value = reading.get(key)
            if value is None:
                raise KeyError(key.decode("utf-8", "backslashreplace"))
            return bytes(value[:at_most])

    def _names(self) -> dict[bytes, str]:
        """Key -> name, of the lines of meta_info.txt. Raises ContainerBroken for a line of another form."""
        file = self.path / NAMES
        if not file.is_file():
            raise ContainerBroken(f"has no {NAMES} beside its {DATA}, as BasicSR writes it")
        if file.stat().st_size > NAMES_BYTES:
            raise ContainerBroken(f"has a {NAMES} of more than {NAMES_BYTES} bytes, the limit")
        names: dict[bytes, str] = {}
        with file.open(encoding="utf-8", errors="surrogateescape") as lines:
            for number, line in enumerate(lines, 1):
                found = _LINE.fullmatch(line.rstrip("\r\n"))
                if found is None:
                    raise ContainerBroken(f"{NAMES}: line {number} is not 'NAME.png (height,width,channels) level'")
                key = found["key"].encode("utf-8", "surrogateescape")
                if key in names:
                    raise ContainerBroken(f"{NAMES}: line {number} names {printable(found['key'])} once more")
                names[key] = f"{found['key']}.png"
        return names


_OPEN: dict[tuple[int, Path], tuple[tuple[int, int, int], Any]] = {}


def _opened(folder: Path) -> Any:
    """The environment of a folder: a process may open each once only, and a child none of its parent's.

    Raises:
        ContainerBroken: where the file is shorter than its pages, of which reading would end the process.
    """
    import lmdb

    data = folder / DATA
    found = data.stat()
    stamp = found.st_size, found.st_mtime_ns, found.st_ino
    known = _OPEN.get((os.getpid(), folder))
    if known is not None and known[0] == stamp:
        return known[1]
    if known is not None:
        known[1].close()
        del _OPEN[os.getpid(), folder]
    environment = lmdb.open(str(folder), readonly=True, lock=False, readahead=False, create=False, max_readers=1)
    needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    if found.st_size < needed:
        environment.close()
        raise ContainerBroken(f"breaks off: {DATA} has {found.st_size} of {needed} bytes")
    _OPEN[os.getpid(), folder] = stamp, environment
    return environment
