"""The settings of gfpbench in pytest, as a table: each is an option and a key of the configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

NUMBERS = {"whole": int, "seconds": float, "number": float}
"""The kinds of settings that are numbers, and what makes one of text."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: ``--gfpbench-NAME``, ``--NAME`` where that is free, and ``gfpbench_NAME`` in the configuration.

    Args:
        name: with dashes, as in ``baseline-update``.
        help: one line for ``pytest --help``.
        kind: ``flag``; ``text``, ``whole`` (an integer), ``seconds``, ``number`` or ``path`` (one value); ``names``
            (repeatable).
        metavar: what ``--help`` calls the value.
        default: where neither the command line nor the configuration says anything.
        configurable: whether the configuration file may set it. Rewriting baselines is asked for each time.
    """

    name: str
    help: str
    kind: Literal["flag", "text", "whole", "seconds", "number", "path", "names"] = "text"
    metavar: str = ""
    default: Any = None
    configurable: bool = True

    @property
    def key(self) -> str:
        """Its name in the configuration file and as an attribute of ``config.option``."""
        return f"gfpbench_{self.name.replace('-', '_')}"

    @property
    def short(self) -> str:
        return f"--{self.name}"

    @property
    def long(self) -> str:
        return f"--gfpbench-{self.name}"

    def arguments(self, help_: str) -> dict[str, Any]:
        """What argparse is told."""
        told: dict[str, Any] = {"dest": self.key, "help": help_}
        if self.kind == "flag":
            return {**told, "action": "store_true", "default": False}
        return {
            **told,
            "metavar": self.metavar,
            "default": None,
            "action": "append" if self.kind == "names" else "store",
            **({"type": NUMBERS[self.kind]} if self.kind in NUMBERS else {}),
        }


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "restorer",
            "restorer to test, repeatable: a name or form of `gfpbench list restorers` (default: nano)",
            "names",
            "NAME",
            ("nano",),
        ),
        Setting(
            "faces",
            "clean faces: a name of `gfpbench list faces`, a folder or archives",
            "text",
            "NAME|PATH",
            default="embedded",
        ),
        Setting("degradation", "a name of `gfpbench list degradations` (default: paper)", "text", "NAME"),
        Setting(
            "no-truth",
            "the faces are low-quality images without ground truth: nothing is degraded, what needs a truth is blank",
            "flag",
        ),
        Setting(
            "protocol",
            "evaluation protocol, repeatable: a name of `gfpbench list protocols` (default: ours)",
            "names",
            "NAME",
            (),
        ),
        Setting("limit", "use the first N images only; each draw of a face counts as one", "whole", "N"),
        Setting("seed", "seed of all random draws (default: 0)", "whole", "N", default=0),
        Setting("device", "device of the restorers (default: auto)", "text", "auto|cpu|cuda", default="auto"),
        Setting("size", "side of the face crops in pixels (default: as the faces are)", "whole", "PX"),
        Setting(
            "draws", "degrade each face N times with independent draws (default: 8 for embedded, else 1)", "whole", "N"
        ),
        Setting(
            "workers",
            "measure in N processes, one per GPU; any N gives the same results. Each has one CPU thread, or "
            "OMP_NUM_THREADS (default: the process of the tests, all cores)",
            "whole",
            "N",
        ),
        Setting(
            "engine",
            "where --workers run: in processes of this machine, or on a Ray cluster (default: processes)",
            metavar="processes|ray",
            default="processes",
        ),
        Setting(
            "address",
            "Ray cluster (default: RAY_ADDRESS, else this machine alone)",
            "text",
            "HOST:PORT|auto|ray://HOST:PORT",
        ),
        Setting(
            "gpus-per-worker",
            "GPUs that Ray reserves for each worker (default: 1 with --device cuda, else 0)",
            "number",
            "N",
        ),
        Setting(
            "isolate",
            "run each restorer in its own process: if it hangs or exits, its images fail and the run continues",
            "flag",
        ),
        Setting(
            "seconds-per-image",
            "with --isolate: time limit of a restorer per image (default: 120)",
            "seconds",
            "SECONDS",
        ),
        Setting("report", "write index.html, junit.xml and results.json to DIR", "path", "DIR"),
        Setting(
            "baselines", "folder of the baselines (default: baselines/quality in the project's folder)", "path", "DIR"
        ),
        Setting(
            "baseline-update", "rewrite the baseline of every case that a test compares", "flag", configurable=False
        ),
        Setting(
            "baseline-update-new",
            "write baselines for cases that have none, and change no other",
            "flag",
            configurable=False,
        ),
        Setting(
            "another-file",
            "other weights under the same name: fail where their images moved, until --baseline-update, or judge their "
            "quality alone (default: fail)",
            "text",
            "fail|judge",
            default="fail",
        ),
        Setting(
            "max-unreadable",
            "fraction of faces that may be unreadable before a comparison fails, 0 to 1 (default: 0)",
            "text",
            "SHARE",
            default="0",
        ),
        Setting(
            "speed-gate",
            "run the tests that measure speed and memory (fixture `speed`); they are deselected otherwise",
            "flag",
        ),
        Setting("strict-speed", "a device without a speed baseline fails instead of skipping", "flag"),
        Setting("strict-assets", "a test that would skip because an asset or a GPU is missing fails", "flag"),
    )
}
