"""Which of several published sets of degraded images a Result was measured on: two go by the name CelebA-Test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gfpbench.assets.datasets import INPUTS
from gfpbench.claims.judge import judge_row
from gfpbench.claims.published import Row, Table, tables
from gfpbench.types import Result

TELLING = ("PSNR", "SSIM", "NIQE", "LPIPS", "FID", "Deg")
"""Figures of an input row that tell one set from another, the first that was measured decides: the first three need no
network."""


@dataclass(frozen=True, slots=True)
class Held:
    """Which degraded images are here.

    Args:
        inputs: a key of ``INPUTS``; None where that is not known.
        not_inputs: keys that they certainly are not.
        words: how that is known, in one line.
    """

    inputs: str | None
    not_inputs: tuple[str, ...]
    words: str


def held_inputs(result: Result, degraded: Result | None) -> Held:
    """What is known of the degraded images behind a Result.

    Args:
        degraded: the Result of ``input`` on the same images. Its figures are compared with the input rows of the
            published tables, which decide; where none was measured on all images, the name of the folder does.
    """
    name = result.degradation.get("inputs")
    named = name if name in INPUTS else None
    for table, row in _input_rows(result):
        told = None if degraded is None else _compared(table, row, degraded)
        if told is None:
            continue
        agrees, words = told
        if agrees:
            return Held(table.inputs, (), f"here are {INPUTS[table.inputs]}, by the input row: {words}")
        inputs = None if named == table.inputs else named
        here = f"here are {INPUTS[inputs]}, by the folder's name" if inputs else "other images are here"
        return Held(inputs, (table.inputs,), f"{here}: {words}")
    if named is not None:
        return Held(named, (), f"here are {INPUTS[named]}, by the folder's name {named}; no whole input row checks it")
    return Held(None, (), "which degraded images are here is not known: no whole input row, and no published folder")


def other_inputs(table: Table, row: Row, result: Result, degraded: Result | None) -> str:
    """Why a row of a published table is not about the degraded images of a Result; empty where it is, or may be.

    An input row whose figure lies elsewhere still fails, unless the images are known to be another published set.
    """
    if not table.inputs:
        return ""
    held = held_inputs(result, degraded)
    other = held.inputs is not None and held.inputs != table.inputs
    denied = table.inputs in held.not_inputs and row.restorer != "input"
    return f"waits for {INPUTS[table.inputs]}: {held.words}" if other or denied else ""


def _input_rows(result: Result) -> list[tuple[Table, Row]]:
    case = result.case
    return [
        (table, row)
        for table in tables()
        for row in table.rows
        if table.inputs
        and row.restorer == "input"
        and (table.faces, table.degradation) == (case.faces.partition(":")[0], case.degradation_named)
    ]


def _compared(table: Table, row: Row, degraded: Result) -> tuple[bool, str] | None:
    for figure in TELLING:
        if figure in row.figures:
            told = judge_row(table, row, figure, degraded)
            if told.got is not None:
                return told.status == "held", f"{figure} {told.got:.4g}, published {row.figures[figure]:g}"
    return None


def about_inputs(results: Sequence[Result], held: Sequence[Held]) -> tuple[str, ...]:
    """One line for each case whose published tables have several sets of degraded images."""
    return tuple(
        dict.fromkeys(
            f"{result.case.faces}, degraded {result.case.degradation}: {one.words}"
            for result, one in zip(results, held, strict=True)
            if _input_rows(result)
        )
    )
