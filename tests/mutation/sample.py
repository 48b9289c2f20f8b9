"""Mutation testing on a sample: small changes to the code that decides, and whether a test notices each.

    tox run -e mutation                                   the sample that docs/mutation.md reports
    tox run -e mutation -- --seed 2 --per-package 20      another one

mutmut makes the mutants of each function and knows which tests reach it; this draws some of them with a seed, the same
number from each package, runs the fastest of those tests against each and all of them against what survives that, and
writes what is left with its diff to report/mutation.md.
All mutants together are some 13,000, which would take days.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

PACKAGES = ("degrade", "metrics", "baselines", "collapse")
_MUTMUT = """
import sys
from mutmut import __main__ as program
from mutmut.state import state

seconds = float(sys.argv.pop(1))
collect, make_runner = program.collect_or_load_stats, program.get_mutant_runner


def collected(*given, **named):
    found = collect(*given, **named)
    known, took = state().tests_by_mangled_function_name, state().duration_by_test
    for function, tests in known.items():
        left, chosen = seconds, set()
        for test in sorted(tests, key=lambda test: (took[test], test)):
            left -= took[test]
            if left < 0 and chosen:
                break
            chosen.add(test)
        known[function] = chosen
    return found


def runner(*given, **named):
    made = make_runner(*given, **named)
    made.run_clean_tests = lambda **_: 0  # collecting the statistics ran them all, and would have stopped at a failure
    return made


program.collect_or_load_stats, program.get_mutant_runner = collected, runner
program.cli()
"""
"""mutmut, with the fastest of the tests that reach a function, so many seconds of them."""
_CALM = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "OPENCV_FOR_THREADS_NUM": "1"}
"""A forked process has none of its parent's threads, so the parent must not have used any."""


def mutants_of(package: str) -> list[str]:
    """The names of all mutants of a package, as mutmut gives them, in alphabetical order."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    names: list[str] = []
    for path in sorted(Path("gfpbench", package).rglob("*.py")):
        made = mutate_file_contents(str(path), path.read_text(encoding="utf-8"))
        names += [get_mutant_name(path, name) for name in made.mutant_names]
    return sorted(names)


def drawn(seed: int, per_package: int) -> dict[str, list[str]]:
    """So many mutants of each package. More with the same seed are these and others."""
    sample = {}
    for package in PACKAGES:
        names = mutants_of(package)
        random.Random(f"{seed} {package}").shuffle(names)
        sample[package] = names[:per_package]
    return sample


def mutmut(*arguments: str, seconds: float = 0.0) -> subprocess.CompletedProcess[str]:
    """Run mutmut in a process of its own: it turns the interpreter inside out."""
    command = [sys.executable, "-c", _MUTMUT, str(seconds), *arguments]
    capture = arguments[0] != "run"
    return subprocess.run(command, env=os.environ | _CALM, text=True, check=False, capture_output=capture)


def outcomes(names: Sequence[str]) -> dict[str, str]:
    """What became of each mutant: killed, survived, timeout, no tests, ..."""
    from mutmut.stats import status_by_exit_code

    codes: dict[str, int | None] = {}
    for path in Path("mutants", "gfpbench").rglob("*.meta"):
        codes |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return {name: status_by_exit_code[codes.get(name)] for name in names}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-package", type=int, default=100, help="mutants of each of the four packages")
    parser.add_argument("--children", type=int, default=2, help="processes")
    parser.add_argument("--to", type=Path, default=Path("report"), help="folder of mutation.md")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the fastest tests that reach a mutant, first")
    parser.add_argument("--again", action="store_true", help="those too that an earlier run has decided")
    parser.add_argument("--only-report", action="store_true", help="of what has been run before; run nothing")
    chosen = parser.parse_args()
    if not Path("gfpbench", "degrade").is_dir():
        parser.error("run it in the root of a checkout of gfpbench")
    sample = drawn(chosen.seed, chosen.per_package)
    names = [name for package in PACKAGES for name in sample[package]]
    children = ("--max-children", str(chosen.children))
    if not chosen.only_report:
        before = outcomes(names)
        todo = [name for name in names if chosen.again or before[name] in ("not checked", "no tests")]
        done = mutmut("run", *children, *(todo or names[:1]), seconds=chosen.seconds)
        left = [name for name, outcome in outcomes(names).items() if outcome in ("survived", "timeout", "not checked")]
        if left and not done.returncode:  # with every test that reaches it
            done = mutmut("run", *children, *left, seconds=1e9)
        if done.returncode:
            return done.returncode
    found = outcomes(names)
    lines = ["# Mutants", "", f"Seed {chosen.seed}, {chosen.per_package} mutants of each package.", ""]
    lines += ["| package | mutants | " + " | ".join(_STATUSES) + " |", "| --- |" + " ---: |" * (len(_STATUSES) + 1)]
    for package in PACKAGES:
        counts = Counter(found[name] for name in sample[package])
        numbers = " | ".join(str(counts[status]) for status in _STATUSES)
        lines.append(f"| {package} | {len(sample[package])} | {numbers} |")
    lines.append("")
    for name in names:
        if found[name] not in ("killed", "timeout"):
            shown = mutmut("show", name)
            lines += [f"## {name}: {found[name]}", "", "```diff", shown.stdout.strip(), "```", ""]
    chosen.to.mkdir(parents=True, exist_ok=True)
    (chosen.to / "mutation.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines[:10]))
    print(f"written: {chosen.to / 'mutation.md'}")
    return 0


_STATUSES = ("killed", "timeout", "survived", "no tests", "segfault", "suspicious", "not checked")

if __name__ == "__main__":
    sys.exit(main())
