"""What the suite needs beyond an installed gfpbench: pytest's own tester, and the checkout's ``training``."""

import signal
import sys
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests")  # what tests share asserts too, in modules that are not named test_*.py

pytest_plugins = ["pytester"]
# A shell that starts a job in the background lets it ignore Ctrl-C, and whatever that starts too; tests send Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Last, so that an installed gfpbench is the one that is tested.
sys.path.append(str(Path(__file__).parent))
