"""Reaching a Ray cluster, from one of its machines or through Ray's client, and what Ray says in one line."""

from __future__ import annotations

import os
import re
import socket
import warnings
from typing import Any

from gfpbench.run.ray_actor import package
from gfpbench.types import BadInput, PackageMissing

CLIENT = "ray://"
"""So begins the address of the server for Ray's client."""
ANSWER_SECONDS = 10.0
"""How long the head of a cluster may take to be reached."""
CLIENT_TRIES = 3
"""How often a client asks for a server of its own."""
LEFT_SECONDS = "20"
"""How long the cluster keeps the actors of a client that is gone, in case it comes back."""
COLOURS = re.compile(r"\x1b\[\d*m")
"""With which Ray marks the names of processes."""


def reachable(address: str) -> str:
    """Where a cluster is looked for: the address, else ``RAY_ADDRESS``, else ``local``, which is one of this process.

    Raises:
        BadInput: for an address that cannot be, and where nothing listens.
    """
    where = address or os.environ.get("RAY_ADDRESS", "") or "local"
    place = where.removeprefix(CLIENT)
    host, colon, port = place.rpartition(":")
    if "://" in place or (place != where and not colon):
        raise BadInput(
            f"--address {where}: give HOST:PORT or auto on a machine of the cluster, ray://HOST:10001 on any other"
        )
    try:
        if colon:  # Ray itself tries for minutes, and says so many times
            socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise BadInput(f"--engine ray: no cluster at {where}: {line_of(error)}") from error
    return where


def connected(address: str) -> bool:
    """Connect this process to a cluster. Returns whether it was not connected before.

    Raises:
        BadInput: where no cluster of this version of Ray and of Python answers.
        PackageMissing: without Ray, or what its client needs.
    """
    ray = package()
    if ray.is_initialized():
        return False
    where = reachable(address)
    if where.startswith(CLIENT):
        os.environ.setdefault("RAY_CLIENT_RECONNECT_GRACE_PERIOD", LEFT_SECONDS)
    how = {"log_to_driver": False, "logging_level": "ERROR"}
    if where == "local":
        how["include_dashboard"] = False
    for tries_left in reversed(range(CLIENT_TRIES)):
        try:
            with warnings.catch_warnings():  # which says what is raised too
                warnings.filterwarnings("ignore", "Ray Client connection timed out", UserWarning)
                ray.init(where, **how)
            return True
        except ImportError as error:
            raise PackageMissing("grpc", f"--address {CLIENT}", "pip install 'ray[client]'") from error
        except (OSError, RuntimeError, ValueError, AssertionError) as error:
            # What the server forks for each client may crash in gRPC's own handlers before it is a process of its own.
            if tries_left and isinstance(error, ConnectionAbortedError):
                continue
            raise BadInput(f"--engine ray: no cluster at {where}: {line_of(error)}") from error
    raise AssertionError("the last try returns or raises")


def still_connected() -> Any:
    """The package. Raises ConnectionError once the connection is lost, where Ray itself would look for a cluster of its
    own choice, or start one."""
    ray = package()
    if not ray.is_initialized():
        raise ConnectionError("the connection to it is lost")
    return ray


def line_of(error: BaseException) -> str:
    """An error of Ray's in one line: of a traceback the last one, which says what happened."""
    lines = [line.strip() for line in COLOURS.sub("", str(error)).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if any(line.startswith(("Traceback ", "File ")) for line in lines):
        return lines[-1][:300]
    return (" ".join(lines) if lines[0].endswith(":") else lines[0])[:300]
