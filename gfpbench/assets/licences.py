"""Consent to licences that forbid commercial use: asked for once per licence, then remembered."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from gfpbench.assets.errors import LicenceNotAccepted
from gfpbench.assets.lock import Record
from gfpbench.assets.store import home
from gfpbench.assets.table import Asset

Ask: TypeAlias = Callable[[Asset], bool]
"""Asks a person whether they agree to the licence of an asset."""


def accepted() -> Record:
    """The licences accepted on this machine, by asset."""
    return Record(home() / "licences.json", disposable=True)


def is_accepted(asset: Asset) -> bool:
    """Whether nothing needs to be asked. A licence that changed counts as a new one."""
    entry = accepted().get(asset.name)
    return not asset.noncommercial or (entry is not None and entry.get("licence") == asset.licence)


def require_licence(asset: Asset, accept: bool, ask: Ask | None = None) -> None:
    """Settle the licence of an asset, by what was agreed before, by ``accept``, or by asking.

    Raises:
        LicenceNotAccepted: the answer was no, or there is nobody to ask.
    """
    if is_accepted(asset):
        return
    if not accept:
        ask = ask or (ask_on_terminal if sys.stdin.isatty() and sys.stderr.isatty() else None)
        if ask is None or not ask(asset):
            raise LicenceNotAccepted(
                f"{asset.name} is for non-commercial use only ({asset.licence}, {asset.source}): "
                "agree with `--accept-licence`, or do without it"
            )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    accepted().put(asset.name, {"licence": asset.licence, "accepted": now})


def ask_on_terminal(asset: Asset) -> bool:
    """Ask on the terminal; anything but yes is no."""
    print(f"{asset.name}: {asset.licence}, for non-commercial use only ({asset.source}).", file=sys.stderr)
    print("Do you agree to its terms? [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        return False
