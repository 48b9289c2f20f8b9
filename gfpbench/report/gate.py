"""The gate's verdicts, stored beside the results, so that a later report still shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gfpbench import codec
from gfpbench.baselines import Comparison, comparison_from_json
from gfpbench.baselines.speed_comparison import SpeedComparison, speed_comparison_from_json
from gfpbench.disk import disk, write_whole
from gfpbench.report.speed import speed_markdown
from gfpbench.report.verdicts import comparison_markdown
from gfpbench.types import BadInput, Json, Result

FILE = "verdicts.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Gate:
    """Comparisons with baselines, of quality and of speed.

    ``before`` names folders where the runs of the baselines kept images; no file holds it.
    """

    comparisons: tuple[Comparison, ...] = ()
    speeds: tuple[SpeedComparison, ...] = ()
    before: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.comparisons or self.speeds)

    @property
    def passed(self) -> bool:
        return all(one.passed for one in self.comparisons) and all(one.passed for one in self.speeds)

    @property
    def all_same(self) -> bool:
        """Whether something was compared and all of it is as its baseline: not worse, not better, nothing else."""
        return bool(self) and all(one.kind in ("same", "alike") for one in (*self.comparisons, *self.speeds))

    def of(self, results: Sequence[Result]) -> Gate:
        """Without comparisons of quality whose case is not among the results, unless that is what they found."""
        cases = {result.case for result in results}
        kept = tuple(one for one in self.comparisons if one.case in cases or one.vanished)
        return Gate(kept, self.speeds, self.before)


@dataclass(frozen=True, slots=True)
class _File:
    schema: int
    passed: bool
    comparisons: tuple[Json, ...]
    speed: tuple[Json, ...]


def write_gate(gate: Gate, folder: Path) -> None:
    """Write ``verdicts.json`` into a folder, whole or not at all; where nothing was compared, an older one goes."""
    path = folder / FILE
    if not gate:
        with disk(path):
            path.unlink(missing_ok=True)
        return
    record = {
        "schema": SCHEMA,
        "passed": gate.passed,
        "comparisons": [one.to_json() for one in gate.comparisons],
        "speed": [one.to_json() for one in gate.speeds],
    }
    write_whole(path, json.dumps(record, indent=1, allow_nan=False) + "\n")


def read_gate(folders: Sequence[Path]) -> Gate:
    """What the gate found in several folders together; nothing where no comparison was made.

    Raises:
        BadInput: for a file that is broken or of another schema, by name.
    """
    found = Gate()
    for path in (folder / FILE for folder in dict.fromkeys(folders)):
        if not path.exists():
            continue
        try:
            record = codec.read(path)
            codec.check_schema(record, SCHEMA)
            file = codec.decode(_File, record)
            comparisons = tuple(
                comparison_from_json(one, f"comparisons[{number}]") for number, one in enumerate(file.comparisons)
            )
            speeds = tuple(speed_comparison_from_json(one, f"speed[{number}]") for number, one in enumerate(file.speed))
            if file.passed != Gate(comparisons, speeds).passed:
                raise BadInput(f"passed: is {codec.shown(file.passed)}, and the verdicts say otherwise")
        except BadInput as error:
            said = str(error).removeprefix(f"{path}: ").removeprefix("cannot be read: ")
            raise BadInput(f"{path}: cannot be read: {said}; remove it, or make it again") from error
        found = Gate(found.comparisons + comparisons, found.speeds + speeds)
    return found


def gate_markdown(gate: Gate) -> str:
    """The verdicts for a pull-request comment, below the tables; empty where nothing was compared."""
    if not gate:
        return ""
    verdict = "nothing changed" if gate.passed else "**not as the baselines**"
    lines = comparison_markdown(gate.comparisons) + speed_markdown(gate.speeds)
    return f"\n**Against the baselines**: {verdict}\n\n{lines}"
