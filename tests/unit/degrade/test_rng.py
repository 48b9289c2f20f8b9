"""Keys separate what must not be shared, and a key's numbers are its own."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench.degrade.rng import generator, key, step_generator, uniform

parts = st.tuples(st.integers(), st.text(max_size=8), st.text(max_size=8))


@settings(derandomize=True, deadline=None)
@given(parts, parts)
def test_two_keys_are_equal_only_if_all_their_parts_are(one: tuple[int, str, str], other: tuple[int, str, str]) -> None:
    assert (key(*one) == key(*other)) == (one == other)


def test_parts_do_not_run_together() -> None:
    assert len({key(1, "ab", "c"), key(1, "a", "bc"), key(1, 'a", "b', "c"), key(11, "", ""), key(1, "1", "")}) == 5


def test_no_seed_and_no_name_stands_for_another() -> None:
    seeds = [0, 1, -1, 2**31, -(2**31), 2**32, 2**32 + 1, 2**63, 2**64, 2**128, 10**40]
    names = ["a", "A", "a~0", "a~1", "b/a", "b", " a", "a ", "\u00e9", "e\u0301", ""]
    keys = [key(seed, name, step) for seed in seeds for name in names for step in ("blur", "noise")]
    assert len(set(keys)) == len(keys)
    assert all(len(one) == 32 for one in keys)
    assert len({generator(one).random() for one in keys}) == len(keys)


def test_a_generator_starts_afresh_each_time() -> None:
    first, again = (step_generator(3, "face", "blur").random(5) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, generator(key(3, "face", "noise")).random(5))


def test_equal_bounds_give_their_value() -> None:
    assert uniform(generator("0" * 32), (2.5, 2.5)) == 2.5
