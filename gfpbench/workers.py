"""Several processes in one session (pytest -n): each on a GPU of its own, every piece of work done by one of them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

WAIT_SECONDS = 0.1


def device_of(worker: str, device: str, gpus: int) -> str:
    """The device of one worker: ``cuda`` becomes a GPU of its own, counted round where workers outnumber GPUs.

    Args:
        worker: as pytest-xdist names it: ``gw0``, ``gw1`` and so on; empty for a session of one process.
        device: as resolved: ``cpu``, ``cuda`` or ``cuda:N``. A GPU that was named by number is left as it is.
        gpus: how many there are.
    """
    number = worker.removeprefix("gw")
    if device != "cuda" or gpus < 1 or not number.isdecimal():
        return device
    return f"cuda:{int(number) % gpus}"


@dataclass(frozen=True, slots=True)
class Shared:
    """What the workers of one session have done, told by files in a folder that all of them see.

    Args:
        folder: on a disk of this machine; made, for this user alone, by whoever comes first.
    """

    folder: Path

    @contextmanager
    def once(self, kind: str, name: str) -> Iterator[bool]:
        """Do a piece of work in one process only: ``with shared.once("measured", case.id) as mine:``.

        Gives True to the first that comes; the others wait until it is done and get False. Where the first fails or
        dies, the next one gets True: a failure is found by everyone who asks, as in a session of one process.
        """
        stem = hashlib.sha256(f"{kind}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        done = self.folder / f"{stem}.json"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with held(self.folder / f"{stem}.lock"):
            if done.exists():
                yield False
                return
            yield True
            partial = done.with_suffix(f".{os.getpid()}.part")
            partial.write_text(json.dumps([kind, name]), encoding="utf-8")
            partial.replace(done)

    def done(self, kind: str) -> tuple[str, ...]:
        """The names of all work of one kind that is done, sorted."""
        records = [json.loads(path.read_text(encoding="utf-8")) for path in self.folder.glob("*.json")]
        return tuple(sorted(name for of_kind, name in records if of_kind == kind))


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file as a lock, waiting for whoever holds it. The lock is the system's: it goes when the process goes."""
    with path.open("a") as file:
        _wait_for(file)
        yield


@contextmanager
def alone(path: Path, otherwise: str, *, keep: bool = True) -> Iterator[None]:
    """Hold the lock ``path``, a file made for it. The lock is the system's: it goes when the process goes.

    Args:
        path: in a folder that exists.
        otherwise: what is told where another process holds it.
        keep: leave the file there; else it is removed at the end where the system allows it.

    Raises:
        GfpbenchError: where another process holds it.
    """
    while True:
        with path.open("a") as file:
            try:
                _lock(file)
            except OSError as error:
                from gfpbench.types import GfpbenchError  # imports torch, and the plugin imports this file

                raise GfpbenchError(f"{otherwise}; wait for it, or give this run a folder of its own") from error
            if not _is_at(file, path):  # removed by the one who held it: somebody else may hold a new one
                continue
            try:
                yield
            finally:
                if not keep:
                    with suppress(OSError):  # Windows removes no open file
                        path.unlink()
            return


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _wait_for(file: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
                return
            except OSError:
                time.sleep(WAIT_SECONDS)
    else:
        fcntl.flock(file, fcntl.LOCK_EX)


def scheduler_by_case(config: Any, log: Any, case_ids: Sequence[str]) -> Any:
    """A scheduler of pytest-xdist that gives all tests of one case to one worker, and every other test to whoever is
    free. The cases are found by their ids in the names of the tests."""
    from xdist.scheduler import LoadScopeScheduling

    longest_first = sorted(case_ids, key=len, reverse=True)

    class ByCase(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]  # where pytest-xdist carries no types
        def _split_scope(self, nodeid: str) -> str:
            _, _, parameters = nodeid.partition("[")
            return next((case_id for case_id in longest_first if case_id in parameters), nodeid)

    return ByCase(config, log)
