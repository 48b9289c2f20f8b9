"""Look for the inputs on which stated bounds are exceeded, by hypothesis, which moves towards larger deviations.

    tox run -e bounds                                  all searches, some hours of one core; fails above a bound
    tox run -e bounds -- piqe niqe --examples 200      some, shorter
    tox run -e bounds -- --seed 7 --write              with other inputs; keep what is worse in found.json

The worst inputs are kept as the numbers they are made from.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, settings, target
from hypothesis import seed as seeded

from tests.bounds.searches import FOUND, SEARCHES, Search, plain, stored

Worst = dict[str, tuple[float, Any]]


def searched(search: Search, examples: int, seed: int) -> tuple[int, Worst]:
    """How many inputs were measured, and for each deviation the largest with its input."""
    worst: Worst = {}
    count = 0

    @seeded(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.target),
        suppress_health_check=list(HealthCheck),
    )
    @given(search.samples)
    def look(sample: Any) -> None:
        nonlocal count
        count += 1
        for name, value in search.measured(sample).items():
            if value is None:
                continue
            if name not in worst or value > worst[name][0]:
                worst[name] = value, sample
            target(value, label=name)

    look()
    return count, worst


def merged(before: dict[str, Any], count: int, worst: Worst, seed: int) -> dict[str, Any]:
    """A search's record with these inputs added: what was worse before stays."""
    deviations = dict(before.get("worst", {}))
    for name, (value, sample) in worst.items():
        if name not in deviations or value > deviations[name]["value"]:
            deviations[name] = {"value": value, "input": plain(sample)}
    seeds = dict(before.get("seeds", {}))
    seeds[str(seed)] = max(count, seeds.get(str(seed), 0))  # the same inputs twice are no more inputs
    return {
        "seeds": seeds,
        "worst": dict(sorted(deviations.items())),
    }


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bounds.search", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="SEARCH", help=f"of {', '.join(SEARCHES)}; all unless named")
    parser.add_argument("--examples", type=int, default=1000, help="inputs of each search; 1000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="add what was found to found.json")
    given_ = parser.parse_args(arguments)
    unknown = [name for name in given_.names if name not in SEARCHES]
    if unknown:
        parser.error(f"no search is called {', '.join(unknown)}; there are {', '.join(SEARCHES)}")
    torch.set_num_threads(1)
    broken = False
    for name in given_.names or SEARCHES:
        begun, search = time.perf_counter(), SEARCHES[name]
        count, worst = searched(search, given_.examples, given_.seed)
        print(f"{name}: {count} inputs, {time.perf_counter() - begun:.0f} s", flush=True)
        for deviation, (value, sample) in worst.items():
            bound = search.bounds[deviation]
            broken |= value > bound
            said = f"bound {bound:g}{' EXCEEDED' if value > bound else ''}"
            print(f"  {deviation}: {value:.3g}, {said}: {sample}", flush=True)
        if given_.write:
            found = stored()
            found[name] = merged(found.get(name, {}), count, worst, given_.seed)
            FOUND.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
