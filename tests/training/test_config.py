"""Recipes are whole, and a mistake in a config file is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gfpbench.restorers.nano import nano
from gfpbench.types import BadInput
from training.config import RECIPES, read_config

SHIPPED = "cpu, cpu-judged, cpu-steer, cpu-steer-judged, gpu, gpu-steer"


@pytest.mark.parametrize("recipe", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_shipped_recipes_can_be_read(recipe: str) -> None:
    assert read_config(recipe).sizes.out_px == 128


def test_every_key_of_the_recipe_is_explained() -> None:
    lines = (RECIPES / "gpu.toml").read_text().split("[about]")[0].splitlines()
    keys = [line for line in lines if "=" in line.partition("#")[0]]
    unexplained = [line for line in keys if "#" not in line]
    assert {line.split(" =")[0] for line in unexplained} <= {
        *("channel_multiplier", "batch", "learning_rate", "r1_gamma", "ema_decay", "discriminator_learning_rate"),
        *("r1_every", "diffaugment", "checkpoint_seconds"),
    }


def test_the_cpu_recipe_is_the_embedded_networks_size() -> None:
    config = nano().provenance()["config"]
    assert read_config("cpu").sizes.config() == config


def test_a_file_is_laid_over_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[network]\nsize_px = 64\n[degradation]\nnone = 1\n[losses]\nl1 = 2\n")
    config = read_config(str(path))
    assert config.network["size_px"] == 64
    assert config.network["style"] == read_config("gpu").network["style"]
    assert config.degradation == {"none": 1}
    assert config.losses.l1 == 2.0


def test_a_recipe_lies_over_the_one_it_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('over = "cpu-judged"\n[losses]\nl1 = 2\n')
    mine, judged, cpu = (read_config(name) for name in (str(path), "cpu-judged", "cpu"))
    assert mine.losses.l1 == 2.0
    assert mine.losses.adversarial == judged.losses.adversarial > cpu.losses.adversarial == 0
    assert mine.network["style"] == cpu.network["style"] != read_config("gpu").network["style"]
    assert mine.restore["features"] == cpu.restore["features"] == "dlib"


def test_recipes_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    for one, other in ((first, second), (second, first)):
        one.write_text(f'over = "{other}"\n')
    with pytest.raises(BadInput, match="has to name a recipe that does not lie over this one"):
        read_config(str(first))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("over = 3", "over = 3 has to name a recipe"),
        ("over = 'cqu'", f"cqu: No such file or directory; give a TOML file or one of: {SHIPPED}"),
        ("[network]\nsize_px = 48", "size_px = 48 has to be a power of two"),
        ("[network]\nsize_px = 16", "size_px = 16 has to be a number from 32"),
        ("[network]\nnarrow = 0.001", "narrow times 512 has to be 8, 16"),
        ("[network]\nsize = 64", "no key in .network. named 'size': did you mean 'size_px'"),
        ("[losses]\nl1 = 'much'", "losses.l1 = 'much' has to be a float"),
        ("[losses]\nl1 = -1", "losses.l1 = -1.0 has to be a number from 0"),
        ("[losses]\nl1 = nan", "losses.l1 = nan has to be a number"),
        ("[losses]\nidentity = 10", "losses.identity = 10 needs restore.identity"),
        ("[restore]\nbatch = 0", "restore.batch = 0 has to be a number from 1"),
        ("[restore]\nema_decay = 2.0", "from 0 to 1"),
        ("[restore]\nfeatures = 'vgg'", "features = 'vgg'; choose from discriminator, dlib, none"),
        ("[degradation]\n", "has to give a share above 0"),
        ("[degradation]\npaper = -1", "degradation.paper = -1 has to be"),
        ("[prio]\nbatch = 4", "no table named 'prio': did you mean 'prior'"),
        ("losses = 3", "write .losses."),
        ("[losses", "is not TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=says) as caught:
        read_config(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(BadInput, match=f"give a TOML file or one of: {SHIPPED}"):
        read_config("no-such-file.toml")
