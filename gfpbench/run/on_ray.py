"""Workers on the nodes of a Ray cluster: each is the child of an actor there, which passes its messages on.

The worker itself is the process that ``--workers`` starts, so that what it does is the same wherever it runs. The actor
has the resources, and ends it; with the actor, its node or the command ends its pipe, at which it ends by itself.
"""

from __future__ import annotations

import io
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gfpbench.disk import write_whole
from gfpbench.lazy import LazyModule
from gfpbench.run.journal import changed_fields
from gfpbench.run.messages import BrokenMessage, MachineLost, receive
from gfpbench.run.ray_actor import Actor, installation, module_paths, package
from gfpbench.run.recorder import Features
from gfpbench.run.workers import Heard, Workers
from gfpbench.types import BadInput, GfpbenchError, Json

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

VARIABLES = "GFPBENCH_"
"""Environment variables that begin so are the command's on every node."""
ANSWER_SECONDS = 10.0
"""How long the head of a cluster may take to be reached."""
PLACED_SECONDS = 30.0
"""How long a worker may wait for room in the cluster before that is told."""
NOTICED_SECONDS = 2.0
"""How long after an actor Ray may tell that its node is gone."""

_log = logging.getLogger("gfpbench")


def reachable(address: str) -> str:
    """Where a cluster is looked for: the address, else ``RAY_ADDRESS``, else ``local``, which is one of this process.

    Raises:
        BadInput: for an address that cannot be, and where nothing listens.
    """
    where = address or os.environ.get("RAY_ADDRESS", "") or "local"
    if "://" in where:  # Ray's client, for machines that are no node
        head = where.partition("://")[2].rpartition(":")[0] or "HOST"
        raise BadInput(
            f"--address {where}: start the command on a machine of the cluster, with --address auto or {head}:6379; "
            f"from any other send it there: ray job submit --address http://{head}:8265 -- gfpbench ... --address auto"
        )
    host, colon, port = where.rpartition(":")
    try:
        if colon:  # Ray itself tries for minutes, and says so many times
            socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise BadInput(f"--engine ray: no cluster at {where}: {_line(error)}") from error
    return where


def _connected(address: str) -> bool:
    """Connect this process to a cluster. Returns whether it was not connected before.

    Raises:
        BadInput: where no cluster of this version of Ray and of Python answers.
    """
    ray = package()
    if ray.is_initialized():
        return False
    where = reachable(address)
    alone = {"include_dashboard": False} if where == "local" else {}
    try:
        ray.init(where, log_to_driver=False, logging_level="ERROR", **alone)
    except (OSError, RuntimeError, ValueError, AssertionError) as error:
        raise BadInput(f"--engine ray: no cluster at {where}: {_line(error)}") from error
    return True


class RayWorkers(Workers):
    """Actors of a Ray cluster, with the contract of ``Workers``.

    Every node has to have the same packages, code and processor or GPU, and to see the faces and models at the same
    paths; the working folder too, which the workers have as well.

    Args:
        count: how many; None for as many as there is room for.
        options: as for ``Workers``.
        address: ``HOST:PORT`` or ``auto``; where empty ``RAY_ADDRESS``, or a cluster of this machine alone, which
            ends with ``close``. A connection that is there already is used and left as it is.
        gpus: of each worker; a fraction for several on one GPU.

    Raises:
        PackageMissing: where Ray is not installed.
        BadInput: where no cluster answers, or no node has room for a worker.
    """

    without = "--engine ray"

    def __init__(self, count: int | None, options: Mapping[str, Json], *, address: str = "", gpus: float = 0.0) -> None:
        self._needs = {"CPU": float(torch.get_num_threads()), "GPU": gpus}
        self._connected = _connected(address)
        try:
            nodes = _alive()
            room = room_for(self._needs, nodes)
            if not room:
                raise BadInput(
                    f"--engine ray: a worker takes {_said(self._needs)}, and none of {len(nodes)} nodes of the cluster "
                    "has that"
                )
            super().__init__(room if count is None else count, options)
        except BaseException:
            self._disconnect()
            raise

    def close(self) -> None:
        super().close()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connected:
            self._connected = False
            package().shutdown()

    def start(self, deliver: Callable[[Heard], None]) -> RayProcess:
        return RayProcess(self._needs, deliver)

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
        needs: ``CPU`` and ``GPU`` that its actor holds.
        deliver: called in a thread with each message, and with the reason where there will be none any more.
    """

    def __init__(self, needs: Mapping[str, float], deliver: Callable[[Heard], None]) -> None:
        ray = package()
        groups = {"asks": 1, "answers": 1}  # each in order, and a call that waits for an answer holds up no other
        how = {"num_cpus": needs["CPU"], "num_gpus": needs["GPU"], "max_restarts": 0, "max_task_retries": 0}
        self._actor = ray.remote(concurrency_groups=groups, **how)(Actor).remote()
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
        self._actor.ask.options(concurrency_group="asks").remote(held.getvalue())

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
            self._actor.hang_up.remote()

    def end(self) -> None:
        self._over = True
        with suppress(Exception):  # gone already, with its node or the whole cluster
            package().kill(self._actor)
        self._thread.join(10)

    def _listen(self) -> None:
        """Hand on what the worker says, until its actor ends."""
        ray = package()
        try:
            self._begin()
            while True:
                told, features = ray.get(self._actor.answer.options(concurrency_group="answers").remote())
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
            self._how = f"{self.where}: {_line(error)}"
            lost = BrokenMessage if self._over or not self._is_node_gone() else MachineLost
            self._deliver(lost("the pipe ended"))

    def _begin(self) -> None:
        """Wait until it is placed, and see that it would measure the same. Raises GfpbenchError where it would not."""
        ray = package()
        variables = {name: value for name, value in os.environ.items() if name.startswith(VARIABLES)}
        asked = self._actor.begin.remote(str(Path.cwd()), module_paths(), variables)
        if not ray.wait([asked], timeout=PLACED_SECONDS)[0] and not self._over:
            _log.warning("a worker waits for %s to be free in the Ray cluster", _said(self._needs))
        try:
            node, name, there = ray.get(asked)
        except ray.exceptions.RayActorError as error:
            if getattr(error, "actor_init_failed", False) or "creation task" in str(error):
                raise GfpbenchError(f"a node of the Ray cluster cannot run gfpbench: {_line(error)}") from error
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
    return [node for node in package().nodes() if node["Alive"]]


def _line(error: BaseException) -> str:
    """An error of Ray's in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
