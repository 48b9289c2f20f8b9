"""Moments of a stream are those of the whole; files of published statistics are read, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfpbench.metrics.feature_sets import Moments, checked_features, gather, load_reference
from gfpbench.types import BadInput


def rows(n: int, seed: int = 0, d: int = 6) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3 + 100


def expect_moments_of(moments: Moments, whole: torch.Tensor, rel: float = 1e-12) -> None:
    array = whole.double().numpy()
    assert moments.n == len(array)
    np.testing.assert_allclose(moments.mean.numpy(), array.mean(0), rtol=rel)
    np.testing.assert_allclose(moments.covariance.numpy(), np.cov(array, rowvar=False), rtol=rel, atol=rel * 10)


@pytest.mark.parametrize("cuts", [(40,), (1,) * 40, (7, 33), (39, 1), (1, 39), (16, 16, 8)])
def test_batches_of_any_size_give_numpys_moments(cuts: tuple[int, ...]) -> None:
    moments = Moments()
    for part in torch.split(rows(40), list(cuts)):
        moments.add(part)
    expect_moments_of(moments, rows(40))


@pytest.mark.parametrize("cut", [1, 20, 39])
def test_parts_gathered_apart_can_be_merged(cut: int) -> None:
    first, second = Moments(), Moments()
    first.add(rows(40)[:cut])
    second.add(rows(40)[cut:])
    first.merge(second)
    expect_moments_of(first, rows(40))
    first.merge(Moments())
    expect_moments_of(first, rows(40))
    empty = Moments()
    empty.merge(first)
    expect_moments_of(empty, rows(40))


def test_a_large_mean_costs_no_digits() -> None:
    far = torch.randn(500, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 1e6
    moments = Moments()
    for part in torch.split(far, 9):
        moments.add(part)
    expect_moments_of(moments, far, rel=1e-8)


def test_half_precision_features_are_summed_in_double() -> None:
    half = rows(300).to(torch.float16)
    moments = Moments()
    for part in torch.split(half, 10):
        moments.add(part)
    expect_moments_of(moments, half.double())


def test_memory_does_not_grow() -> None:
    moments = Moments()
    for seed in range(30):
        moments.add(rows(50, seed))
    held = sum(value.numel() for value in vars(moments).values() if isinstance(value, torch.Tensor))
    assert held == 6 + 36


def test_features_are_kept_up_to_a_number() -> None:
    few = gather(torch.split(rows(20), 7), keep=20)
    assert few.features is not None
    assert torch.equal(few.features, rows(20))
    many = gather(torch.split(rows(21), 7), keep=20)
    assert many.features is None
    expect_moments_of(many.moments, rows(21))
    with pytest.raises(BadInput, match="kid_legacy compares single features; this set of 21 images"):
        many.needed_features("kid_legacy")
    with pytest.raises(BadInput, match="no features"):
        gather([])


def test_what_does_not_fit_is_refused() -> None:
    moments = Moments()
    moments.add(rows(3))
    with pytest.raises(BadInput, match="5 dimensions cannot join 6"):
        moments.add(rows(3, d=5))
    other = Moments()
    other.add(rows(3, d=5))
    with pytest.raises(BadInput, match="5 dimensions cannot join 6"):
        moments.merge(other)
    with pytest.raises(BadInput, match="two images or more, not 1"):
        _ = gather([rows(1)]).moments.covariance


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (torch.zeros(3), r"\(N, D\) floats"),
        (torch.zeros(3, 0), r"\(N, D\) floats"),
        (torch.zeros(3, 2, dtype=torch.int64), r"\(N, D\) floats"),
        (torch.tensor([[0.0, float("nan")]]), "NaN or infinities"),
        (torch.tensor([[0.0, float("inf")]]), "NaN or infinities"),
        (torch.zeros(0, 4), "set of 0 is too small"),
    ],
)
def test_broken_features_are_refused(features: torch.Tensor, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        checked_features(features)


def published(kind: str, path: Path, mean: Any, covariance: Any) -> Path:
    if kind == "npz":
        np.savez(path.with_suffix(".npz"), mu=mean, sigma=covariance)
        return path.with_suffix(".npz")
    torch.save({"mean": mean, "cov": covariance}, path.with_suffix(".pth"))
    return path.with_suffix(".pth")


@pytest.mark.parametrize("kind", ["npz", "pth"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_published_statistics_are_read(kind: str, dtype: Any, tmp_path: Path) -> None:
    array = rows(40).numpy()
    mean, covariance = array.mean(0).astype(dtype), np.cov(array, rowvar=False).astype(dtype)
    held = load_reference(published(kind, tmp_path / "stats", mean, covariance), n=40)
    assert (held.n, held.features) == (40, None)
    np.testing.assert_array_equal(held.moments.mean.numpy(), mean.astype(np.float64))
    np.testing.assert_allclose(held.moments.covariance.numpy(), covariance, rtol=1e-6)


class _Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    torch.save({"mean": _Bomb(mark), "cov": np.eye(2)}, tmp_path / "stats.pth")
    with pytest.raises(BadInput, match=r"stats\.pth"):
        load_reference(tmp_path / "stats.pth", n=9)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"feats": np.zeros((3, 2))}, "holds feats, neither mu and sigma nor mean and cov"),
        ({"mu": np.zeros(3), "sigma": np.eye(2)}, r"a mean \(3,\) and a covariance \(2, 2\) do not fit"),
        ({"mu": np.zeros((2, 2)), "sigma": np.eye(2)}, "do not fit"),
        ({"mu": np.array([0, np.nan]), "sigma": np.eye(2)}, "NaN"),
        ({"mu": np.zeros(2), "sigma": np.array([[1, 2], [0, 1]])}, "not symmetric"),
    ],
)
def test_other_files_are_refused(arrays: dict[str, Any], words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "stats.npz", **arrays)
    with pytest.raises(BadInput, match=words):
        load_reference(tmp_path / "stats.npz", n=9)


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.npz"):
        load_reference(tmp_path / "nowhere.npz", n=9)
    (tmp_path / "page.npz").write_text("<!DOCTYPE html>")
    with pytest.raises(BadInput, match=r"page\.npz"):
        load_reference(tmp_path / "page.npz", n=9)
    np.savez(tmp_path / "one.npz", mu=np.zeros(2), sigma=np.eye(2))
    with pytest.raises(BadInput, match="two images or more, not 1"):
        load_reference(tmp_path / "one.npz", n=1)
