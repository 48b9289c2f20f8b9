"""Errors that are one clear line for a person."""

from __future__ import annotations


class GfpbenchError(Exception):
    """An error with one clear line for a person: what was wrong, where, and what to do. Exit code 2."""


class BadInput(GfpbenchError):
    """A file, option or value that cannot be used."""


class UnreadableFace(BadInput):
    """One image that cannot be decoded or makes no sense; it is named in the report and the run goes on."""


class RestorationFailed(GfpbenchError):
    """A restorer that raised, or returned something that is not a restoration of what it was given."""


class AssetMissing(GfpbenchError):
    """Something from outside that is not here: weights, statistics, a dataset."""

    def __init__(self, asset: str, needed_by: str) -> None:
        super().__init__(f"{needed_by} needs the asset {asset!r}, which is not here: run `gfpbench fetch {asset}`")
        self.asset = asset
        self.needed_by = needed_by


class PackageMissing(AssetMissing):
    """An optional Python package that is not installed."""

    def __init__(self, package: str, needed_by: str, install: str) -> None:
        GfpbenchError.__init__(self, f"{needed_by} needs the package {package!r}, which is not here: run `{install}`")
        self.asset = package
        self.needed_by = needed_by
