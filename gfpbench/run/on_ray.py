"""Workers on the nodes of a Ray cluster: each is the child of an actor there, which passes its messages on.

The worker itself is the process that ``--workers`` starts, so that what it does is the same wherever it runs. The actor
has the resources, and ends it; with the actor, its node or the command ends its pipe, at which it ends by itself.
"""

from __future__ import annotations

import io
import itertools
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from gfpbench.disk import write_whole
from gfpbench.lazy import LazyModule
from gfpbench.run.child_process import Lost
from gfpbench.run.journal import changed_fields
from gfpbench.run.messages import BrokenMessage, MachineLost, receive
from gfpbench.run.ray_actor import installation, module_paths, package
from gfpbench.run.ray_connection import connected, line_of, still_connected
from gfpbench.run.ray_relay import Direct, Held, Relayed, count_through_client, relay
from gfpbench.run.recorder import Features
from gfpbench.run.workers import Heard, Workers
from gfpbench.types import BadInput, GfpbenchError, Json

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

VARIABLES = "GFPBENCH_"
"""Environment variables that begin so are the command's on every node."""
LISTEN_SECONDS = 60.0
"""How long one call for an answer may wait."""
PLACED_SECONDS = 30.0
"""How long a worker may wait for room in the cluster before that is told."""
NOTICED_SECONDS = 2.0
"""How long after an actor Ray may tell that its node is gone."""

_log = logging.getLogger("gfpbench")


class RayWorkers(Workers):
    """Actors of a Ray cluster, with the contract of ``Workers``.

    Every node has to have the same packages, code and processor or GPU, and to see the faces and models at the same
    paths; the working folder too, which the workers have as well.

    Args:
        count: how many; None for as many as there is room for.
        options: as for ``Workers``.
        address: ``HOST:PORT`` or ``auto``; ``ray://HOST:10001`` on a machine outside the cluster, which has to be like
            its nodes all the same; where empty ``RAY_ADDRESS``, or a cluster of this machine alone, which
            ends with ``close``. A connection that is there already is used and left as it is.
        gpus: of each worker; a fraction for several on one GPU.

    Raises:
        PackageMissing: where Ray is not installed.
        BadInput: where no cluster answers, no node has room for a worker, or there are more than a client can have.
        GfpbenchError: where the first machine of the cluster cannot run gfpbench, which a client needs.
    """

    without = "--engine ray"

    def __init__(self, count: int | None, options: Mapping[str, Json], *, address: str = "", gpus: float = 0.0) -> None:
        self._needs = {"CPU": float(torch.get_num_threads()), "GPU": gpus}
        self._connected, self._relayed = connected(address), itertools.count()
        try:
            nodes = _alive()
            room = room_for(self._needs, nodes)
            if not room:
                raise BadInput(
                    f"--engine ray: a worker takes {_said(self._needs)}, and none of {len(nodes)} nodes of the cluster "
                    "has that"
                )
            if through_client := package().util.client.ray.is_connected():
                count = count_through_client(count, room)
            super().__init__(room if count is None else count, options)
            self._relay = relay(self.count) if through_client else None
        except BaseException:
            self._disconnect()
            raise

    def close(self) -> None:
        super().close()
        if self._relay is not None:
            with suppress(Exception):  # gone already, with the whole cluster
                still_connected().kill(self._relay)
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connected:
            self._connected = False
            package().shutdown()

    def start(self, deliver: Callable[[Heard], None]) -> RayProcess:
        if self._relay is None:
            return RayProcess(Direct(self._needs), self._needs, deliver)
        try:
            relayed = Relayed(self._relay, next(self._relayed), self._needs)
        except Exception as error:  # of many kinds
            raise GfpbenchError(
                f"the Ray cluster is lost ({line_of(error)}); what was measured is kept, and the same command goes on"
            ) from error
        return RayProcess(relayed, self._needs, deliver)

    def opencv_threads(self) -> int:
        return int(self._needs["CPU"])

    def device_of(self, device: str, number: int) -> str:
        """Ray shows each actor its own GPUs only: ``cuda`` is the first of them."""
        return device


def room_for(needs: Mapping[str, float], nodes: list[dict[str, Json]]) -> int:
    """How many workers with these needs all nodes have room for, whatever else runs there."""
    return sum(
        min(int(node["Resources"].get(name, 0) / need + 1e-9) for name, need in needs.items() if need) for node in nodes
    )


def _said(needs: Mapping[str, float]) -> str:
    return " and ".join(f"{need:g} {name}" for name, need in needs.items() if need)


class RayProcess:
    """One worker on some node; see ``ChildProcess`` for what its methods do.

    Args:
        actor: that holds the worker.
        needs: ``CPU`` and ``GPU`` that it has.
        deliver: called in a thread with each message, and with the reason where there will be none any more.
    """

    def __init__(self, actor: Held, needs: Mapping[str, float], deliver: Callable[[Heard], None]) -> None:
        self._actor = actor
        self._deliver, self._needs = deliver, dict(needs)
        self._code: int | None = None
        self._how = "its actor was ended"
        self._folder = Path()
        self._node = ""
        self.where = "a worker on a node that is not known yet"
        self._begun, self._over = threading.Event(), False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def written(self, write: Callable[[IO[bytes]], None]) -> None:
        held = io.BytesIO()
        write(held)
        told, _ = receive(io.BytesIO(held.getvalue()))
        if "folder" in told:
            self._folder = Path(told["folder"])
        try:
            self._actor.ask(held.getvalue())
        except Exception as error:  # of whatever kind: what listens meets the same
            raise Lost from error

    def ended_with(self) -> int | None:
        if self._begun.is_set():
            self._thread.join(5)
        return self._code

    def how_it_ended(self) -> str:
        self.ended_with()
        return self._how

    def hang_up(self) -> None:
        self._over = True
        with suppress(Exception):  # of whatever kind: it is killed next
            self._actor.hang_up()

    def end(self) -> None:
        self._over = True
        with suppress(Exception):  # gone already, with its node or the whole cluster
            self._actor.kill()
        self._thread.join(10)

    def _listen(self) -> None:
        """Hand on what the worker says, until its actor ends."""
        try:
            self._begin()
            while True:
                told, features = self._next()
                if isinstance(told, tuple):
                    self._code, self._how = told
                    self._deliver(BrokenMessage("the pipe ended"))
                    return
                message = receive(io.BytesIO(told))
                if features is not None:
                    write_whole(Features(self._folder).path(message[0]["measured"]["start"]), features)
                self._deliver(message)
        except (GfpbenchError, BrokenMessage) as error:
            self._deliver(error)
        except Exception as error:  # noqa: BLE001 - Ray has many kinds, the client's own among them; all mean that it is lost
            self._how = f"{self.where}: {line_of(error)}"
            lost = BrokenMessage if self._over or not self._is_node_gone() else MachineLost
            self._deliver(lost("the pipe ended"))

    def _begin(self) -> None:
        """Wait until it is placed, and see that it would measure the same. Raises GfpbenchError where it would not."""
        ray = package()
        variables = {name: value for name, value in os.environ.items() if name.startswith(VARIABLES)}
        self._actor.begin(str(Path.cwd()), module_paths(), variables)
        try:
            node, name, there = self._next(PLACED_SECONDS)
        except ray.exceptions.RayActorError as error:
            if getattr(error, "actor_init_failed", False) or "creation task" in str(error):
                raise GfpbenchError(f"a node of the Ray cluster cannot run gfpbench: {line_of(error)}") from error
            raise
        self._node, self.where = node, f"a worker on node {name}"
        if isinstance(there, str):
            raise GfpbenchError(f"node {name} of the Ray cluster {there}")
        if differing := differences(installation(), there):
            raise GfpbenchError(
                f"node {name} of the Ray cluster is not like this machine ({differing}): install the same there, or "
                "leave it out of the cluster"
            )
        self._begun.set()

    def _next(self, patience: float = math.inf) -> Any:
        """The next answer of the actor, which is waited for; after so many seconds that is told."""
        until = time.monotonic() + patience
        while (found := self._actor.answer(min(patience, LISTEN_SECONDS))) is None:
            if time.monotonic() > until and not self._over:
                _log.warning("a worker waits for %s to be free in the Ray cluster", _said(self._needs))
                until = math.inf
        return found

    def _is_node_gone(self) -> bool:
        until = time.monotonic() + NOTICED_SECONDS
        while self._node and time.monotonic() < until:
            with suppress(Exception):  # not even the cluster can be asked
                if self._node not in {node["NodeID"] for node in _alive()}:
                    return True
            time.sleep(0.2)
        return False


def differences(mine: Mapping[str, Json], there: Mapping[str, Json]) -> str:
    """In which of their fields two installations differ, with both values; empty where in none."""
    said = []
    for field in changed_fields(dict(mine), dict(there)):
        first, _, name = field.partition(".")
        values = [one[first].get(name) if name else one[first] for one in (there, mine)]
        said.append("{}: {} there, {} here".format(name or first, *(value or "none" for value in values)))
    return "; ".join(said[:5])


def _alive() -> list[dict[str, Json]]:
    return [node for node in still_connected().nodes() if node["Alive"]]
