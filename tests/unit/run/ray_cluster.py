"""A Ray cluster of two nodes on this machine, and what runs on it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gfpbench.run import ray_actor


@contextmanager
def two_nodes(**each: Any) -> Iterator[Any]:
    """``ray.cluster_utils.Cluster`` with one processor on each node; nothing of it stays.

    Args:
        each: further arguments of each node.
    """
    ray = ray_actor.package()
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **each})
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
