"""pytest-xdist workers: one GPU each, and each case measured by exactly one of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def device_of(worker: str, device: str, gpus: int) -> str:
    """The device of one worker, as ``devices.one_of``.

    Args:
        worker: as pytest-xdist names it: ``gw0``, ``gw1`` and so on; empty for a session of one process.
        device: as resolved: ``cpu``, ``cuda`` or ``cuda:N``. A GPU that was named by number is left as it is.
        gpus: how many there are.
    """
    number = worker.removeprefix("gw")
    from gfpbench.devices import one_of  # loads what a project without our fixtures does not need

    return one_of(device, int(number), gpus) if number.isdecimal() else device


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
        from gfpbench.disk import held, write_whole  # imports torch, and the plugin imports this file

        stem = hashlib.sha256(f"{kind}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        done = self.folder / f"{stem}.json"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with held(self.folder / f"{stem}.lock"):
            if done.exists():
                yield False
                return
            yield True
            write_whole(done, json.dumps([kind, name]), durable=False)

    def done(self, kind: str) -> tuple[str, ...]:
        """The names of all work of one kind that is done, sorted."""
        from gfpbench import codec  # imports torch, and the plugin imports this file

        records = [codec.decode(tuple[str, str], codec.read(path), str(path)) for path in self.folder.glob("*.json")]
        return tuple(sorted(name for of_kind, name in records if of_kind == kind))


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
