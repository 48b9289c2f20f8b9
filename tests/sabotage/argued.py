"""Bugs that nothing notices in the case they are shown to, each with the reason why that is right."""

from __future__ import annotations

ARGUED: dict[str, str] = {}
