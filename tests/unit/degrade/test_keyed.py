"""Keys separate what must not be shared, and a key's numbers are its own."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpbench.degrade.keyed import generator, key, step_generator, uniform

parts = st.tuples(st.integers(), st.text(max_size=8), st.text(max_size=8))


@settings(derandomize=True, deadline=None)
@given(parts, parts)
def test_two_keys_are_equal_only_if_all_their_parts_are(one: tuple[int, str, str], other: tuple[int, str, str]) -> None:
    assert (key(*one) == key(*other)) == (one == other)


def test_parts_do_not_run_together() -> None:
    assert len({key(1, "ab", "c"), key(1, "a", "bc"), key(1, 'a", "b', "c"), key(11, "", ""), key(1, "1", "")}) == 5


def test_a_generator_starts_afresh_each_time() -> None:
    first, again = (step_generator(3, "face", "blur").random(5) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, generator(key(3, "face", "noise")).random(5))


def test_equal_bounds_give_their_value() -> None:
    assert uniform(generator("0" * 32), (2.5, 2.5)) == 2.5
