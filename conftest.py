"""Loads the plugin when the suite runs from a checkout; an installed gfpbench registers itself."""

import pytest

pytest.register_assert_rewrite("tests")  # what tests share asserts too, in modules that are not named test_*.py

pytest_plugins = ["pytester"]
