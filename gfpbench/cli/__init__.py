"""The `gfpbench` command: the same engine as the pytest plugin, for people and scripts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from gfpbench.cli import judge, look, measure
from gfpbench.cli import speed as timed
from gfpbench.cli.app import app

__all__ = ["VERBS", "app", "main"]

VERBS: dict[str, Callable[..., None]] = {
    "list": look.list_,
    "run": measure.run,
    "photos": measure.photos,
    "collapse": measure.collapse,
    "speed": timed.speed_,
    "report": judge.report_,
    "compare": judge.compare,
    "matrix": judge.matrix_,
    "claims": judge.claims_,
    "explain": judge.explain,
    "fetch": look.fetch,
    "doctor": look.doctor,
}
"""The verbs, in the order in which help shows them."""

for _name, _verb in VERBS.items():
    app.command(_name)(_verb)


def main() -> None:
    """Run the command. Our own errors are one line on standard error and exit code 2."""
    # Spinning waits cost more than the work itself on small shared machines; read once, when torch loads OpenMP.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except Exception as error:
        from gfpbench.types import GfpbenchError

        if not isinstance(error, GfpbenchError):
            raise
        # Names come from files: none of them may drive the terminal, or break the one line in two.
        line = "".join(c if c.isprintable() else " " for c in str(error))
        print(f"gfpbench: {line}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("gfpbench: stopped; what was measured is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)
