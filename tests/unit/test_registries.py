"""Every registry answers a missing companion entry with one line that says which file lacks which row."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from gfpbench import assets, collapse, degrade, faces, metrics, registry, restorers
from gfpbench.assets.datasets import FACES, place_of
from gfpbench.claims import published
from gfpbench.collapse import definition
from gfpbench.degrade import axes
from gfpbench.degrade.axes import steps
from gfpbench.metrics import protocols, set_measures
from gfpbench.photos import detect
from gfpbench.types import BadInput
from tests.degradation import laws_axes, laws_axes_physics
from tests.unit.faces import trees
from tests.unit.metrics import every_metric, protocol_laws


class Companion(NamedTuple):
    """A row that an entry of another table needs.

    Args:
        entry: the entry, for the test's name.
        table: where the row stands; it is taken out.
        row: its name.
        use: what somebody does with the entry.
        file: the file that must be named.
    """

    entry: str
    table: Mapping[str, Any]
    row: str
    use: Callable[[], Any]
    file: str


def _packaged_claims() -> Any:
    published.papers.cache_clear()
    try:
        return published.papers()
    finally:
        published.papers.cache_clear()


def companions() -> list[Companion]:
    """Every pair of an entry and a row that it needs, over all registries."""
    found = [
        Companion("default metrics", metrics.METRICS, name, metrics.load, "gfpbench/metrics/__init__.py")
        for name in metrics.DEFAULT
    ]
    for name, protocol in protocols.PROTOCOLS.items():
        for metric in protocol.metrics:
            metric = metric.removesuffix("_vs_input")  # whose row is that of the metric itself
            table: Mapping[str, Any] = metrics.METRICS if metric in metrics.METRICS else set_measures.SET_METRICS
            file = "gfpbench/metrics/__init__.py"
            found.append(Companion(f"protocol {name}", table, metric, partial(protocols.find, name), file))
    for name, (_, reference) in set_measures.SET_METRICS.items():
        use: Callable[[], Any] = partial(set_measures.load, [name])
        file = "gfpbench/metrics/set_measures.py"
        found.append(Companion(f"set metric {name}", set_measures.REFERENCES, reference, use, file))
        asset = set_measures.REFERENCES[reference].asset
        if asset is not None:
            found.append(Companion(f"set metric {name}", assets.ASSETS, asset, use, "gfpbench/assets/table.py"))
    for asset, row in assets.ASSETS.items():
        for name in row.needed_by:
            use = partial(assets.path, asset, name)
            found.append(Companion(f"{name}'s asset", assets.ASSETS, asset, use, "gfpbench/assets/table.py"))
    for name in axes.AXES:
        use = partial(axes.load_axis, name)
        base = axes.load_axis(name).base
        found.append(Companion(f"axis {name}", steps.BASES, base, use, "gfpbench/degrade/axes/steps.py"))
    for name, face_set in FACES.items():
        if face_set.where_to_get:
            use = partial(place_of, name, None, assets.home(), "a test")
            found.append(Companion(f"folder of {name}", FACES, name, use, "gfpbench/assets/datasets.py"))
    for one in published.tables():
        restored_by = {str(row.restorer) for row in one.rows} - {"None", "truth"}
        for rows, names, file in (
            (FACES, {one.faces}, "gfpbench/assets/datasets.py"),
            (degrade.DEGRADATIONS, {one.degradation}, "gfpbench/degrade/__init__.py"),
            (restorers.RESTORERS, restored_by, "gfpbench/restorers/__init__.py"),
        ):
            named = cast("Mapping[str, Any]", rows)
            found += [Companion(f"table {one.id}", named, str(row), _packaged_claims, file) for row in sorted(names)]
    measured = metrics.load(["ssim_rgb"])[0]
    file = "gfpbench/collapse/definition.py"
    found += [
        Companion(
            "definition of collapse", collapse.CRITERIA, name, lambda: definition.criteria_for(measured, None), file
        )
        for name in collapse.DEFAULT
    ]
    found += [
        Companion("default axes", axes.AXES, name, collapse.default_axes, "gfpbench/degrade/axes/__init__.py")
        for name in collapse.DEFAULT_AXES
    ]
    return found


COMPANIONS = companions()


def is_told(companion: Companion, patch: pytest.MonkeyPatch) -> None:
    """Without the row the entry is refused in one line that names the row and the file."""
    patch.delitem(cast("MutableMapping[str, Any]", companion.table), companion.row)
    with pytest.raises(BadInput) as refused:
        companion.use()
    said = str(refused.value)
    assert "\n" not in said
    assert companion.file in said, f"{said!r} does not name {companion.file}"
    assert repr(companion.row) in said, f"{said!r} does not name {companion.row!r}"
    assert "lacks" in said


@pytest.mark.parametrize("companion", COMPANIONS, ids=[f"{one.entry}: {one.row}" for one in COMPANIONS])
def test_a_missing_row_is_told_with_its_file(companion: Companion, monkeypatch: pytest.MonkeyPatch) -> None:
    is_told(companion, monkeypatch)


TARGETS: dict[str, tuple[Mapping[str, str], Callable[[str], Any]]] = {
    "restorer": (restorers.RESTORERS, restorers.load),
    "form": (restorers.SCHEMES, lambda form: restorers.load(f"{form.partition(':')[0]}:nothing")),
    "metric": (metrics.METRICS, lambda name: metrics.load([name])),
    "set metric": (
        {name: row[0] for name, row in set_measures.SET_METRICS.items()},
        lambda name: set_measures.load([name]),
    ),
    "degradation": (degrade.DEGRADATIONS, degrade.load),
    "axis": (axes.AXES, axes.load_axis),
    "face set": ({name: row.loader for name, row in FACES.items()}, faces.load),
    "face detector": (detect.DETECTORS, detect.load),
}
"""Every registry whose rows name "module:attribute", and what loads a row."""

ROWS = [(kind, name) for kind, (table, _) in TARGETS.items() for name in table]


@pytest.mark.parametrize(("kind", "name"), ROWS, ids=[f"{kind} {name}" for kind, name in ROWS])
def test_a_row_whose_attribute_is_gone_names_the_file(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table, load = TARGETS[kind]
    module, _, attribute = table[name].partition(":")
    monkeypatch.delattr(importlib.import_module(module), attribute)
    with pytest.raises(BadInput) as refused:
        load(name)
    assert f"{module.replace('.', '/')}.py lacks {attribute!r}" in str(refused.value)
    assert repr(name) in str(refused.value)


def test_a_row_whose_file_is_gone_names_it() -> None:
    with pytest.raises(
        BadInput, match=r"'mine' names gfpbench\.metrics\.mine:mine, and there is no gfpbench/metrics/mi"
    ):
        registry.resolve("metric", {"mine": "gfpbench.metrics.mine:mine"}, "mine")


def test_a_file_that_lacks_a_package_is_not_called_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "wants_another.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has"):
        registry.resolve("metric", {"mine": "wants_another:mine"}, "mine")


@pytest.mark.parametrize(
    ("table", "row", "other", "use"),
    [
        (metrics.METRICS, "psnr_rgb", metrics.METRICS["psnr_y"], lambda: metrics.load(["psnr_rgb"])),
        (axes.AXES, "noise", axes.AXES["blur"], lambda: axes.load_axis("noise")),
        (degrade.DEGRADATIONS, "paper", degrade.DEGRADATIONS["none"], lambda: degrade.load("paper")),
        (
            protocols.PROTOCOLS,
            "vqfr",
            replace(protocols.PROTOCOLS["vqfr"], name="other"),
            lambda: protocols.find("vqfr"),
        ),
    ],
)
def test_a_row_of_another_name_is_refused(
    table: Any, row: str, other: Any, use: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(table, row, other)
    with pytest.raises(BadInput, match="the two names must be equal"):
        use()


def test_a_function_for_a_metric_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As somebody writes who has a score and has not read how a metric says its convention."""
    monkeypatch.setitem(metrics.METRICS, "mine", "gfpbench.metrics.psnr:_psnr_y")
    with pytest.raises(BadInput, match=r"the row 'mine' of METRICS .* names a function, not a metric: wrap it"):
        metrics.load(["mine"])


def test_a_restorer_without_a_docstring_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "without_words.py").write_text("def bare(*, device: str) -> None:\n    ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(restorers.RESTORERS, "bare", "without_words:bare")
    with pytest.raises(BadInput, match=r"'bare': without_words:bare lacks a docstring"):
        restorers.describe()
    monkeypatch.setitem(restorers.RESTORERS, "bare", "without_words:gone")
    with pytest.raises(BadInput, match=r"'bare' names without_words:gone, and without_words.py lacks 'gone'"):
        restorers.describe()


TEST_ROWS: dict[str, tuple[Any, Any, str]] = {
    "axis": (axes.AXES, laws_axes.PROMISED, "PROMISED in tests/degradation/laws_axes.py"),
    "physics of axis": (axes.AXES, laws_axes_physics.PHYSICS, "PHYSICS in tests/degradation/laws_axes_physics.py"),
    "metric": (metrics.METRICS, every_metric.ORACLES, every_metric.TABLE),
    "set metric": (
        {set_measures.load([name])[0].metric.name for name in set_measures.SET_METRICS},
        every_metric.SET_ORACLES,
        every_metric.SET_TABLE,
    ),
    "face set": (FACES.keys() - {"embedded"}, trees.TREES, "TREES in tests/unit/faces/trees.py"),
    "figure": (
        protocol_laws.per_image_figures(),
        protocol_laws.SCRIPTS,
        "SCRIPTS in tests/unit/metrics/protocol_laws.py",
    ),
}
"""Every registry whose entries have a row in a table of the tests: entries, rows, and where the rows stand."""


@pytest.mark.parametrize("kind", TEST_ROWS)
def test_every_entry_has_its_row_in_the_tests(kind: str) -> None:
    entries, rows, table = TEST_ROWS[kind]
    for name in entries:
        registry.companion(rows, name, f"{kind} {name!r}", table)
    unused = [name for name in rows if name not in entries]
    assert not unused, f"{table} has rows of nothing: {unused}"


PACKAGE = Path(registry.__file__).parent

PARTS: dict[str, tuple[str, str, Callable[[], set[str]], str]] = {
    "restorer": (
        "restorers/*.py",
        r'^class \w+.*:\n(?:(?!^\S).*\n)*?    name = "([\w.-]+)"$',
        lambda: set(restorers.RESTORERS),
        "RESTORERS in gfpbench/restorers/__init__.py",
    ),
    "metric": ("metrics/*.py", r'^\w+ = PerImageMetric\(\s*name="(\w+)"', lambda: set(metrics.METRICS), metrics.TABLE),
    "axis": (
        "degrade/axes/*.py",
        r"^(\w+) = Axis\(",
        lambda: {target.partition(":")[2] for target in axes.AXES.values()},
        axes.TABLE,
    ),
    "face set": ("faces/*.py", r'\bplace_of\("([\w-]+)"', lambda: set(FACES), "FACES in gfpbench/assets/datasets.py"),
}
"""Kind -> files with its parts, the pattern of a definition, the names in its table, and the table."""


def parts_without_row(kind: str, package: Path) -> list[str]:
    """Every part that a file of the package defines and no row of its table names."""
    files, definition, rows, table = PARTS[kind]
    found = [
        (path.relative_to(package.parent).as_posix(), name)
        for path in sorted(package.glob(files))
        for name in re.findall(definition, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    ]
    return [f"{path} defines the {kind} {name!r}, which {table} lacks" for path, name in found if name not in rows()]


@pytest.mark.parametrize("kind", PARTS)
def test_every_part_of_the_package_has_its_row(kind: str) -> None:
    assert parts_without_row(kind, PACKAGE) == []


@pytest.mark.parametrize(
    ("kind", "file", "text", "name"),
    [
        ("restorer", "restorers/mine.py", 'class Mine:\n    """Mine."""\n\n    name = "mine"\n', "mine"),
        ("metric", "metrics/mine.py", 'mine = PerImageMetric(\n    name="mine",\n', "mine"),
        ("axis", "degrade/axes/mine.py", "MINE = Axis(\n", "MINE"),
        ("face set", "faces/mine.py", 'root = place_of("mine", path, home(), "a test")\n', "mine"),
    ],
)
def test_a_part_without_its_row_is_told(kind: str, file: str, text: str, name: str, tmp_path: Path) -> None:
    package = tmp_path / "gfpbench"
    path = package / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert parts_without_row(kind, package) == [
        f"gfpbench/{file} defines the {kind} {name!r}, which {PARTS[kind][3]} lacks"
    ]


def test_every_registry_is_whole() -> None:
    """Nothing is missing from what the package ships."""
    for name in set_measures.SET_METRICS:
        set_measures.load([name])
    for name in protocols.PROTOCOLS:
        protocols.find(name)
    assert set(protocols.CONVENTIONS) <= {*metrics.METRICS, *set_measures.SET_METRICS}
    subjects = {*metrics.METRICS, *set_measures.SET_METRICS, *restorers.RESTORERS, *FACES, "whole-photo"}
    for asset in assets.ASSETS.values():
        assert set(asset.needed_by) <= subjects, f"{asset.name} is needed by something that no table holds"
    _packaged_claims()
