"""A Ray cluster of two nodes on this machine, and what runs on it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from gfpbench.run import ray_actor


@contextmanager
def two_nodes(**each: Any) -> Iterator[Any]:
    """``ray.cluster_utils.Cluster`` with one processor on each node; nothing of it stays.

    Args:
        each: further arguments of each node.
    """
    with _two_nodes({}, each) as cluster:
        yield cluster


@contextmanager
def for_clients(**each: Any) -> Iterator[Any]:
    """``two_nodes`` with a server for Ray's client at ``client_address``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # It starts a process for each client, which is slow here, and may crash as it is forked.
    settings = {"RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "120", "GRPC_ENABLE_FORK_SUPPORT": "0"}
    with mock.patch.dict(os.environ, settings), _two_nodes({"ray_client_server_port": port}, each) as cluster:
        cluster.client_address = f"ray://127.0.0.1:{port}"
        yield cluster


@contextmanager
def _two_nodes(head: dict[str, Any], each: dict[str, Any]) -> Iterator[Any]:
    ray = ray_actor.package()
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, **head, **each}
    with warnings.catch_warnings():  # Ray leaves two files of the client's server open
        warnings.filterwarnings("ignore", "unclosed file .*/ray_client_server", ResourceWarning)
        cluster: Any = Cluster(initialize_head=True, head_node_args=head)
    session = cluster.head_node.get_session_dir_path()
    try:
        cluster.add_node(num_cpus=1, **each)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
        shutil.rmtree(session, ignore_errors=True)


def worker_processes(inputs: Path) -> set[int]:
    """The worker processes that look for modules in ``inputs``."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (path / "cmdline").read_bytes().split(b"\0")
            if b"gfpbench.run.worker" in words and any(os.fsencode(inputs) in word for word in words):
                found.add(int(path.name))
    return found


def relays() -> set[int]:
    """The processes of the actors that drive others for a client."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (path / "cmdline").read_bytes().startswith(b"ray::Relay"):
                found.add(int(path.name))
    return found


def actor_of(pid: int) -> int:
    """The process of the actor that started a worker."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill(pid: int) -> None:
    """As the system does where memory is short."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def gone(pids: set[int], seconds: float = 60) -> bool:
    """Whether all of these end, soon."""
    end = time.monotonic() + seconds
    while alive := {pid for pid in pids if _runs(pid)}:
        if time.monotonic() > end:
            print(f"still there: {alive}")
            return False
        time.sleep(0.05)
    return True


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
