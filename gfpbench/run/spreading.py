"""Where cases are measured, as the options of a command or a pytest session say: here, in processes, or on Ray."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from gfpbench.run import ray_actor
from gfpbench.run.on_ray import RayWorkers
from gfpbench.run.ray_connection import reachable
from gfpbench.run.workers import Workers, pin_threads
from gfpbench.types import BadInput, Json

ENGINES = ("processes", "ray")


@dataclass(frozen=True, slots=True)
class Spread:
    """Where cases are measured.

    Args:
        workers, engine, address: those of --workers, --engine and --address.
        gpus: of each worker of a Ray cluster.
    """

    workers: int | None
    engine: str
    address: str
    gpus: float

    @property
    def is_here(self) -> bool:
        """Whether the process that asks measures itself."""
        return self.engine != "ray" and (self.workers is None or self.workers == 1)

    @property
    def pins_threads(self) -> bool:
        """Whether the process that asks has to have the threads of a worker: with one worker, it is that worker."""
        return self.engine == "ray" or self.workers is not None

    def pin_threads(self) -> None:
        """Give this process as many threads as each worker, where ``pins_threads``."""
        if self.pins_threads:
            pin_threads()

    def pool(self, options: Mapping[str, Json]) -> AbstractContextManager[Workers | None]:
        """The workers, which load with these options of ``run.load``; None where ``is_here``.

        Raises:
            BadInput: where no Ray cluster answers, or none of its nodes has room.
        """
        if self.is_here:
            return nullcontext()
        return self.started(options)

    def refuse_unreachable(self) -> None:
        """Before anything is started. Raises BadInput where nothing listens at the address of the Ray cluster."""
        if self.engine == "ray":
            reachable(self.address)

    def started(self, options: Mapping[str, Json]) -> Workers:
        """The workers of ``pool`` where there are some. The caller closes them."""
        if self.engine == "ray":
            return RayWorkers(self.workers, options, address=self.address, gpus=self.gpus)
        assert self.workers is not None
        return Workers(self.workers, options)


def spread(workers: int | None, engine: str, address: str, gpus_per_worker: float | None, device: str) -> Spread:
    """What the options say, checked.

    Args:
        workers, engine, address, gpus_per_worker: those of the options with these names.
        device: as resolved; looked at with ``ray`` only.

    Raises:
        BadInput: for a value that cannot be, and where the options do not go together.
        PackageMissing: without Ray.
    """
    if workers is not None and workers < 1:
        raise BadInput(f"--workers {workers}: leaves nobody to measure; give 1 or more")
    if engine not in ENGINES:
        raise BadInput(f"--engine {engine}: give {' or '.join(ENGINES)}")
    if engine != "ray":
        if address or gpus_per_worker is not None:
            raise BadInput(f"{'--address' if address else '--gpus-per-worker'} is for --engine ray")
        return Spread(workers, engine, address, 0.0)
    ray_actor.package()
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or index:
        raise BadInput(f"--device {device} with --engine ray: give cpu, or cuda for a GPU of each worker's own")
    given = gpus_per_worker or 0.0
    if not 0 <= given <= 1 and not (given > 0 and given.is_integer()):
        raise BadInput(f"--gpus-per-worker {given:g}: give a fraction of one, or a whole number")
    if kind == "cuda" and gpus_per_worker == 0:
        raise BadInput("--gpus-per-worker 0 with --device cuda leaves the workers no GPU")
    return Spread(workers, engine, address, float(kind == "cuda") if gpus_per_worker is None else gpus_per_worker)
