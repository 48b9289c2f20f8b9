"""The settings of a training run: a TOML file over the shipped recipe, every key checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gfpbench.registry import unknown
from gfpbench.restorers.gfpgan_sizes import Sizes
from gfpbench.types import BadInput
from training.losses import Weights

RECIPES = Path(__file__).parent / "recipes"
MOST_LAYERS = 8
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "run.precision": ("auto", "fp32", "bf16"),
    "restore.features": ("discriminator", "dlib", "none"),
    "restore.identity": ("none", "dlib"),
}
_FROM: Mapping[str, float] = {
    "network.size_px": 32,
    "network.style": 1,
    "network.mlp": 1,
    "network.channel_multiplier": 1,
    "network.discriminator_width": 1,
    "network.discriminator_widest": 1,
    "network.local_width": 1,
    "data.held_out": 2,
    "prior.batch": 1,
    "prior.r1_every": 1,
    "restore.batch": 1,
    "restore.r1_every": 1,
    "steer.hidden": 1,
    "steer.truncation": 0.01,
    "steer.faces": 1,
}
"""The least value of a number; 0 for those that are not here."""
_UP_TO_ONE = (
    "prior.style_mixing",
    "prior.ema_decay",
    "restore.ema_decay",
    "restore.flat_until",
    "restore.least_rate",
    "restore.pyramid_until",
    "restore.beta_1",
    "steer.truncation",
)


@dataclass(frozen=True, slots=True)
class Config:
    """The tables of a recipe, whole and checked; ``recipes/gpu.toml`` says what each key means."""

    network: Mapping[str, Any]
    data: Mapping[str, Any]
    degradation: Mapping[str, float]
    prior: Mapping[str, Any]
    restore: Mapping[str, Any]
    steer: Mapping[str, Any]
    losses: Weights
    run: Mapping[str, Any]
    about: Mapping[str, str]
    tables: Mapping[str, Mapping[str, Any]]

    @property
    def sizes(self) -> Sizes:
        """Of the network to be trained."""
        n = self.network
        return Sizes.made(n["size_px"], n["style"], n["mlp"], n["narrow"], n["channel_multiplier"])


def read_config(name_or_path: str) -> Config:
    """A shipped recipe (``gpu``, ``cpu``, ``cpu-judged``) or a TOML file of your own.

    It lies over the recipe that its key ``over`` names; over ``gpu`` where it names none.

    Raises:
        BadInput: for a file that cannot be read, a key that does not exist, and a value that cannot be used.
    """
    tables = _whole(name_or_path)
    for table, values in tables.items():
        for key, value in values.items():
            _check(f"{table}.{key}", value, name_or_path)
    _check_whole(tables, name_or_path)
    parts: dict[str, Any] = {**tables, "losses": Weights(**tables["losses"])}
    return Config(**parts, tables=tables)


def _whole(name_or_path: str, depth: int = 0) -> dict[str, dict[str, Any]]:
    """A recipe over the one it names, and that over the one *it* names, down to ``gpu``, which holds every key."""
    shipped = RECIPES / f"{name_or_path}.toml"
    theirs: dict[str, Any] = _tables(shipped if shipped.is_file() else Path(name_or_path))
    if name_or_path == "gpu":
        return theirs
    under = theirs.pop("over", "gpu")
    if not isinstance(under, str) or depth > MOST_LAYERS:
        raise BadInput(f"config {name_or_path}: over = {under!r} has to name a recipe that does not lie over this one")
    tables = _whole(under, depth + 1)
    _lay_over(tables, theirs, name_or_path)
    return tables


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        names = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.toml")))
        raise BadInput(f"config {path}: {error.strerror}; give a TOML file or one of: {names}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"config {path} is not TOML: {' '.join(str(error).split())}") from error


def _lay_over(tables: dict[str, dict[str, Any]], theirs: Mapping[str, Any], source: str) -> None:
    for table, values in theirs.items():
        if table not in tables:
            raise BadInput(f"config {source}: {unknown('table', table, tables)}")
        if not isinstance(values, dict):
            raise BadInput(f"config {source}: {table} has to be a table: write [{table}]")
        if table == "degradation":  # a mixture, not settings: the whole of it is replaced
            tables[table] = values
            continue
        for key, value in values.items():
            if key not in tables[table]:
                raise BadInput(f"config {source}: {unknown(f'key in [{table}]', key, tables[table])}")
            ours = tables[table][key]
            if isinstance(ours, float) and type(value) is int:
                value = float(value)
            if type(value) is not type(ours):
                raise BadInput(f"config {source}: {table}.{key} = {value!r} has to be a {type(ours).__name__}")
            tables[table][key] = value


def _check(name: str, value: Any, source: str) -> None:
    if name in _CHOICES and value not in _CHOICES[name]:
        raise BadInput(f"config {source}: {name} = {value!r}; choose from {', '.join(_CHOICES[name])}")
    if isinstance(value, str | bool):
        return
    low, high = _FROM.get(name, 0), 1.0 if name in _UP_TO_ONE else 1e9
    if not isinstance(value, int | float) or not low <= value <= high:  # NaN fails too
        raise BadInput(f"config {source}: {name} = {value!r} has to be a number from {low:g} to {high:g}")


def _check_whole(tables: Mapping[str, Mapping[str, Any]], source: str) -> None:
    size = tables["network"]["size_px"]
    if size & (size - 1):
        raise BadInput(f"config {source}: network.size_px = {size} has to be a power of two")
    narrow = tables["network"]["narrow"] * 512
    if narrow < 8 or narrow % 8:
        raise BadInput(f"config {source}: network.narrow times 512 has to be 8, 16, 24 ... channels, not {narrow:g}")
    if not tables["degradation"] or not sum(tables["degradation"].values()) > 0:
        raise BadInput(f"config {source}: [degradation] has to give a share above 0 to something")
    losses = tables["losses"]
    for term, network in (("perceptual", "features"), ("identity", "identity")):
        if losses[term] and tables["restore"][network] == "none":
            raise BadInput(f"config {source}: losses.{term} = {losses[term]:g} needs restore.{network}, which is none")
