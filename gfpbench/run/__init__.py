"""Runs a Case: faces, degradation, restorer and metrics give one Result, journalled to disk on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gfpbench.lazy import lazy_package

if TYPE_CHECKING:
    from gfpbench.run.batches import batch_size_for
    from gfpbench.run.case import measure, run_case
    from gfpbench.run.course import task_ahead
    from gfpbench.run.degraded_images import degraded_folder, write_degraded
    from gfpbench.run.environment import environment
    from gfpbench.run.guarded import guarded
    from gfpbench.run.input_folders import input_folders, refuse_inside_inputs
    from gfpbench.run.key import answers_of, faces_sha256, read_by, surroundings
    from gfpbench.run.merging import merge
    from gfpbench.run.on_ray import RayWorkers
    from gfpbench.run.parts import TRUTH, LoadedBy, Parts, load, refuse_limit
    from gfpbench.run.recorder import image_path
    from gfpbench.run.remaking import Remade, remake
    from gfpbench.run.shards import number_of, read_part, run_shard, share_of, write_part
    from gfpbench.run.shared import SharedInputs
    from gfpbench.run.spreading import Spread, spread
    from gfpbench.run.verify import verify
    from gfpbench.run.workers import Workers, pin_threads

__all__ = [
    "TRUTH",
    "LoadedBy",
    "Parts",
    "RayWorkers",
    "Remade",
    "SharedInputs",
    "Spread",
    "Workers",
    "answers_of",
    "degraded_folder",
    "batch_size_for",
    "environment",
    "faces_sha256",
    "guarded",
    "input_folders",
    "load",
    "measure",
    "merge",
    "number_of",
    "pin_threads",
    "image_path",
    "read_by",
    "read_part",
    "refuse_inside_inputs",
    "refuse_limit",
    "remake",
    "run_case",
    "run_shard",
    "share_of",
    "spread",
    "surroundings",
    "task_ahead",
    "verify",
    "write_degraded",
    "write_part",
]

lazy_package(__name__)
