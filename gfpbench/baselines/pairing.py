"""Pairs the Results of two files by case, and lists cases that only one file holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gfpbench import results
from gfpbench.baselines.comparison import VANISHED, Comparison, options
from gfpbench.types import BadInput, Result, Verdict


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two files or folders of Results, case by case.

    Args:
        pairs: (now, baseline).
        vanished: cases of the baseline that the new results do not hold.
        added: cases that the baseline does not hold.
        notes: a line for each case of ``vanished`` and ``added``, and one for baselines that nothing was compared with.
    """

    pairs: tuple[tuple[Result, Result], ...]
    vanished: tuple[Result, ...]
    added: tuple[Result, ...]
    notes: tuple[str, ...]


def paired_cases(result: Path, baseline: Path) -> Pairing:
    """Pair the Results of two files or folders by case; where each holds one other case, these two are a pair.

    Args:
        result: a file of Results, or a folder with a ``results.json``.
        baseline: the same, or a folder of baselines named after their cases. Such a folder may hold baselines of
            cases that nobody measured now: they are counted, and have not vanished.

    Raises:
        BadInput: where a file is absent or broken, where one holds a case twice, and where nothing can be compared.
    """
    now = _read(result, ())
    before = _read(baseline, [one.case.id for one in now])
    there = {one.case.id: one for one in before}
    pairs = [(one, there[one.case.id]) for one in now if one.case.id in there]
    paired = {one.case.id for one, _ in pairs}
    added, vanished = ([one for one in side if one.case.id not in paired] for side in (now, before))
    if len(added) == len(vanished) == 1:  # the same bench with two checkpoints
        pairs.append((added[0], vanished[0]))
        added, vanished = [], []
    notes = [f"only in {result}: {one.case.id}" for one in added]
    notes += [f"only in {baseline}: {one.case.id}" for one in vanished]
    if not pairs:
        raise BadInput(f"{result} and {baseline} hold no case in common: {'; '.join(notes[:4])}")
    return Pairing(tuple(pairs), tuple(vanished), tuple(added), (*notes, *_not_asked_for(baseline, len(before))))


def vanished(baseline: Result) -> Comparison:
    """The comparison of a case that was measured for the baseline and not now: it is missing, and fails."""
    case = baseline.case
    reason = "the baseline holds this case, and the new results do not"
    return Comparison(
        case=case,
        baseline_case=case,
        metrics=(),
        verdicts=(Verdict(case.id, VANISHED, None, None, None, kind="missing", reason=reason),),
        notes=(),
        likely="",
        same_machine=False,
        same_model=False,
        images=0,
        command=f"gfpbench run {options(case)} --report report",
    )


def _is_of_baselines(path: Path) -> bool:
    return path.is_dir() and not (path / "results.json").exists()


def _not_asked_for(path: Path, used: int) -> tuple[str, ...]:
    """A folder of baselines holds many cases; a run of one of them is no loss of the others, but they are counted."""
    others = len(list(path.glob("*.json"))) - used if _is_of_baselines(path) else 0
    return (f"not compared: {others:,} more in {path}, of cases that were not measured",) if others else ()


def _read(path: Path, names: Sequence[str]) -> tuple[Result, ...]:
    if not _is_of_baselines(path):
        return _distinct(path / "results.json" if path.is_dir() else path)
    found = [path / f"{name}.json" for name in names if (path / f"{name}.json").exists()]
    if not found:
        raise BadInput(
            f"{path}: holds no results.json" + (f" and no baseline of {', '.join(names[:3])}" if names else "")
        )
    return tuple(one for file in found for one in results.read_measured(file))


def _distinct(file: Path) -> tuple[Result, ...]:
    """The Results of a file, which may hold each case only once, since two would be ambiguous."""
    read = results.read_measured(file)
    twice = [name for name, count in Counter(one.case.id for one in read).items() if count > 1]
    if twice:
        raise BadInput(f"{file}: holds {twice[0]} more than once: compare the files that it was made of")
    return read
