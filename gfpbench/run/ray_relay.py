"""Actors of a Ray cluster, driven from one of its machines, or through Ray's client from a machine outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gfpbench.run.ray_actor import Actor, package
from gfpbench.run.ray_connection import line_of, still_connected
from gfpbench.types import BadInput, GfpbenchError, Json

HEAD = "node:__internal_head__"
"""What Ray calls the first machine of a cluster, among its resources."""
RELAYED_AT_MOST = 64
"""Workers through one client, of which each has a call that waits; the server behind it has 100 threads."""


class Held(Protocol):
    """One actor, as ``RayProcess`` drives it. Whatever Ray raises, its methods raise."""

    def begin(self, folder: str, paths: list[tuple[str, str]], variables: dict[str, str]) -> None:
        """Have it begin (``Actor.begin``); the first answer is what that returns."""

    def ask(self, data: bytes) -> None:
        """Pass a message on; the worker has them in the order of these calls."""

    def answer(self, seconds: float) -> Any:
        """The next answer; None where there is none within this time, or a shorter one."""

    def hang_up(self) -> None:
        """Have it end its worker."""

    def kill(self) -> None:
        """End it."""


class Direct:
    """An actor that this process drives, as a part of the cluster.

    Args:
        needs: ``CPU`` and ``GPU`` that it holds.
    """

    def __init__(self, needs: Mapping[str, float]) -> None:
        groups = {"asks": 1, "answers": 1}  # each in order, and a call that waits for an answer holds up no other
        how = {"num_cpus": needs["CPU"], "num_gpus": needs["GPU"], "max_restarts": 0, "max_task_retries": 0}
        self._actor = package().remote(concurrency_groups=groups, **how)(Actor).remote()
        self._coming: Any = None  # the answer that was asked for last

    def begin(self, folder: str, paths: list[tuple[str, str]], variables: dict[str, str]) -> None:
        self._coming = self._actor.begin.remote(folder, paths, variables)

    def ask(self, data: bytes) -> None:
        self._actor.ask.options(concurrency_group="asks").remote(data)

    def answer(self, seconds: float) -> Any:
        if self._coming is None:
            self._coming = self._actor.answer.options(concurrency_group="answers").remote()
        if not package().wait([self._coming], timeout=seconds)[0]:
            return None
        coming, self._coming = self._coming, None
        return package().get(coming)

    def hang_up(self) -> None:
        self._actor.hang_up.remote()

    def kill(self) -> None:
        package().kill(self._actor)


class Relay:
    """What runs on the first machine of the cluster for a client, which can say neither in which order the calls of an
    actor are run nor which of them may wait: it drives the actors, and is itself called one call after the other."""

    def __init__(self) -> None:
        self._held: dict[int, Direct] = {}

    def ready(self) -> None:
        """Returns once it runs."""

    def start(self, number: int, needs: Mapping[str, float]) -> None:
        self._held[number] = Direct(needs)

    def call(self, number: int, method: str, *given: Json | bytes) -> Any:
        """What a method of ``Direct`` returns, for the actor with this number."""
        return getattr(self._held[number], method)(*given)

    def kill(self, number: int) -> None:
        self._held.pop(number).kill()


class Relayed:
    """An actor that a ``Relay`` drives for this process.

    Args:
        relay: as ``relay`` gives it.
        number: that no other actor of it has.
        needs: as for ``Direct``.
    """

    WAIT_SECONDS = 1.0
    """How long the relay keeps a call for an answer."""

    def __init__(self, relay: Any, number: int, needs: Mapping[str, float]) -> None:
        self._relay, self._number = relay, number
        still_connected().get(relay.start.remote(number, dict(needs)))

    def begin(self, folder: str, paths: list[tuple[str, str]], variables: dict[str, str]) -> None:
        self._call("begin", folder, paths, variables)

    def ask(self, data: bytes) -> None:
        self._call("ask", data)

    def answer(self, seconds: float) -> Any:
        return self._call("answer", min(seconds, self.WAIT_SECONDS))

    def hang_up(self) -> None:
        self._call("hang_up")

    def kill(self) -> None:
        still_connected().get(self._relay.kill.remote(self._number))

    def _call(self, method: str, *given: Any) -> Any:
        ray = still_connected()
        try:
            return ray.get(self._relay.call.remote(self._number, method, *given))
        except ray.exceptions.RayTaskError as error:  # the relay tells what it was told
            raise error.cause from error


def count_through_client(count: int | None, room: int) -> int:
    """How many workers a client has, of which so many were asked for (None: as many as there is room for).

    Raises:
        BadInput: for more of them than one client can have.
    """
    if count is None:
        return min(room, RELAYED_AT_MOST)
    if count > RELAYED_AT_MOST:
        raise BadInput(
            f"--workers {count}: Ray's client can have {RELAYED_AT_MOST}; give fewer, or start the command on a "
            "machine of the cluster, with --address auto"
        )
    return count


def relay(workers: int) -> Any:
    """The actor of a ``Relay`` for so many workers.

    Raises:
        GfpbenchError: where the first machine of the cluster cannot run it.
    """
    ray = package()
    how = {"num_cpus": 0, "resources": {HEAD: 0.001}, "max_concurrency": 2 * workers + 4}
    found = ray.remote(max_restarts=0, max_task_retries=0, **how)(Relay).remote()
    try:
        ray.get(found.ready.remote())
    except ray.exceptions.RayError as error:
        raise GfpbenchError(f"the first machine of the Ray cluster cannot run gfpbench: {line_of(error)}") from error
    return found
