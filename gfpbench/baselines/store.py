"""Baselines of every kind on disk: where the file of a case lies, when it is made, which files nothing can use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar

from gfpbench.run.environment import device_key
from gfpbench.types import BadInput, Case, GfpbenchError, Json

T = TypeVar("T")

Update: TypeAlias = Literal["never", "new", "always"]
"""When a baseline is made: never, where there is none, or each time."""
Devices: TypeAlias = Literal["none", "GPUs", "all"]
"""Which devices have a folder of their own, named after the device and its release of torch."""


def is_due(update: Update, path: Path) -> bool:
    """Whether the baseline at this path is to be made now."""
    return update == "always" or (update == "new" and not path.exists())


@dataclass(frozen=True, slots=True)
class Store(Generic[T]):
    """The baselines of one kind: ``baselines/<name>/[<device>/]<case id>.json``.

    Args:
        name: of the kind, and of its folder.
        holds: what a file holds one of, in words.
        read: everything in a file. Raises BadInput naming the file and the field.
        case: what was measured; names the file.
        environment: where.
        devices: which have folders of their own.
    """

    name: str
    holds: str
    read: Callable[[Path], tuple[T, ...]]
    case: Callable[[T], Case]
    environment: Callable[[T], Mapping[str, Json]]
    devices: Devices

    @property
    def folder(self) -> Path:
        """Where the baselines lie in a project, seen from pytest's root folder."""
        return Path("baselines") / self.name

    def path(self, root: Path, case: Case, environment: Mapping[str, Json]) -> Path:
        """Where the baseline of a case on a device lies, such as ``nvidia_h100-torch2.15/<case id>.json``."""
        on_gpu = environment.get("device", "cpu") != "cpu"
        own = self.devices == "all" or (self.devices == "GPUs" and on_gpu)
        return (root / device_key(environment) if own else root) / f"{case.id}.json"

    def path_of(self, root: Path, one: T) -> Path:
        """Where something measured belongs as a baseline."""
        return self.path(root, self.case(one), self.environment(one))

    def find(self, root: Path, case: Case, environment: Mapping[str, Json]) -> tuple[T, Path] | None:
        """The baseline of a case on a device, and where it lies; None where there is none.

        Of kinds where only GPUs have folders, a GPU without a baseline of its own has that of the CPU.

        Raises:
            BadInput: for a file that is broken, or holds another case or device.
        """
        for path in dict.fromkeys((self.path(root, case, environment), *self._shared(root, case))):
            if path.exists():
                return self.at(root, path, case), path
        return None

    def at(self, root: Path, path: Path, case: Case | None = None) -> T:
        """The baseline in a file. Raises BadInput where it is broken, or not what the name of the file says."""
        found = self.read(path)
        if len(found) != 1:
            raise BadInput(f"{path}: a baseline holds one {self.holds}, not {len(found)}")
        try:
            held = self.case(found[0])
        except BadInput as error:  # of a name that nobody knows any more
            raise BadInput(f"{path}: {error}") from error
        if case is not None and held != case:
            raise BadInput(f"{path}: holds the case {held.id}, not {case.id}: renamed by hand? make it again")
        if path not in (self.path_of(root, found[0]), *self._shared(root, held)):
            where = f" on {device_key(self.environment(found[0]))}" if self.devices == "all" else ""
            raise BadInput(f"{path}: is not where the baseline of {held.id}{where} belongs")
        return found[0]

    def leftovers(self, root: Path, unused: Callable[[T], str] = lambda one: "") -> tuple[str, ...]:
        """Baseline files that nothing can ever use again, each with the reason in one line.

        A file is left over where it cannot be read, where its name is not that of its case, and for the reason that
        ``unused`` gives, if any.
        """
        found = []
        for path in sorted(root.rglob("*.json")):
            try:
                reason = unused(self.at(root, path))
            except GfpbenchError as error:
                reason = str(error).removeprefix(f"{path}: ")
            if reason:
                found.append(f"{path}: {reason}; remove it, or make it again with --baseline-update")
        return tuple(found)

    def _shared(self, root: Path, case: Case) -> Iterator[Path]:
        if self.devices == "GPUs":
            yield root / f"{case.id}.json"
