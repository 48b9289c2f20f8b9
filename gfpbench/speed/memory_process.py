"""The child process of ``memory.in_a_process``: restores one batch twice and reports its peak memory."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path


def main(asked: str, answer: Path) -> None:
    """Measure the case described in ``asked`` (JSON) and write ``{"peak_mib": ...}``."""
    from gfpbench.run.parts import repeatable
    from gfpbench.speed.inputs import degraded_batch, load_restorer
    from gfpbench.speed.memory import CALLS
    from gfpbench.speed.reference import reference_workload
    from gfpbench.speed.stopwatch import one_thread
    from gfpbench.types import Case

    wanted = json.loads(asked)
    case = Case(**wanted["case"])
    batch = degraded_batch(case, wanted["batch_size"])
    with repeatable(), one_thread():
        reference_workload("cpu")()  # what torch sets up at its first convolution is nobody's
        floor = _begin()
        restorer = load_restorer(case, "cpu")
        for _ in range(CALLS):
            restorer(batch)
        peak = _kib("VmHWM")
    answer.write_text(json.dumps({"peak_mib": max(0, peak - floor) / 1024}))


def _begin() -> int:
    """Forget the peak so far, and say what is in use now in KiB; where a system forgets nothing, the peak so far."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _kib("VmHWM")
    return _kib("VmRSS")


def _kib(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status does not say {name}")
    return int(found[1])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
