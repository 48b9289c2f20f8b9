"""Which Result is compared with which, where two files hold several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gfpbench import results
from gfpbench.types import BadInput, Result


def paired_cases(result: Path, baseline: Path) -> tuple[list[tuple[Result, Result]], tuple[str, ...]]:
    """Pairs (now, baseline) of two files or folders, and a line for each case that only one of them holds.

    Args:
        result: a file of Results, or a folder with a ``results.json``.
        baseline: the same, or a folder of baselines named after their cases.

    Raises:
        BadInput: where a file is absent or broken, and where nothing can be compared.
    """
    now = _read(result, ())
    before = _read(baseline, [one.case.id for one in now])
    there = {one.case.id: one for one in before}
    pairs = [(one, there[one.case.id]) for one in now if one.case.id in there]
    paired = {one.case.id for one, _ in pairs}
    rest = [[one for one in side if one.case.id not in paired] for side in (now, before)]
    if len(rest[0]) == len(rest[1]) == 1:  # the same bench with two checkpoints
        pairs.append((rest[0][0], rest[1][0]))
        rest = [[], []]
    alone = [
        f"only in {path}: {one.case.id}" for path, side in zip((result, baseline), rest, strict=True) for one in side
    ]
    if not pairs:
        raise BadInput(f"{result} and {baseline} hold no case in common: {'; '.join(alone[:4])}")
    return pairs, tuple(alone)


def _read(path: Path, names: Sequence[str]) -> tuple[Result, ...]:
    if not path.is_dir():
        return results.read(path)
    if (path / "results.json").exists():
        return results.read(path / "results.json")
    found = [path / f"{name}.json" for name in names if (path / f"{name}.json").exists()]
    if not found:
        raise BadInput(
            f"{path}: holds no results.json" + (f" and no baseline of {', '.join(names[:3])}" if names else "")
        )
    return tuple(one for file in found for one in results.read(file))
