"""float32 is float32 while a run trains, and spectral norms stay float32 under autocast."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from training.conftest import small
from training.test_run import FAST, Ears

from cisdl_bench.devices import float32_rule
from cisdl_bench.models.networks.discriminative_network import DiscriminativeNetwork, spectral_norm
from cisdl_bench.scoring.options import ScoreOptions, inference
from cisdl_bench.training import run as module
from cisdl_bench.training.run import train


def flags() -> tuple[bool, bool, bool]:
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    return cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark


@pytest.mark.parametrize("before", [(True, True, False), (False, False, True)])
@pytest.mark.parametrize("exact", [True, False])
def test_the_rule_holds_within_and_is_undone(before: tuple[bool, ...], exact: bool) -> None:
    old = flags()
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    try:
        cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before

        def fails() -> None:
            with float32_rule(exact, benchmark=exact):
                assert flags() == (not exact, not exact, exact)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fails()
        assert flags() == before
        settings = ScoreOptions(precision="fp32" if exact else "bf16")
        with inference(settings):
            assert flags() == (not exact, not exact, not exact)
        assert flags() == before
    finally:
        cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = old


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_computes_under_the_rule(
    pairs64: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    seen: list[tuple[bool, bool, bool]] = []
    plain = module.make_stage

    def noting(*words: Any) -> Any:
        stage = plain(*words)
        step = stage.step
        stage.step = lambda batches: seen.append(flags()) or step(batches)  # type: ignore[func-returns-value]
        return stage

    monkeypatch.setattr(module, "make_stage", noting)
    before = flags()
    choices = replace(FAST, precision=precision)
    train(small("dmac", batch=33, epochs=1), [pairs64], tmp_path, choices, Ears())
    assert seen == [(precision == "bf16", precision == "bf16", True)]
    assert flags() == before


def test_the_power_iteration_is_float32_under_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA's autocast turns the products into bfloat16; on a CPU the region itself is looked at."""
    cast: list[bool] = []
    plain = torch.mv

    def noting(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        cast.append(torch.is_autocast_enabled("cpu"))
        return plain(matrix, vector)

    network = DiscriminativeNetwork().train()
    monkeypatch.setattr(torch, "mv", noting)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = network(torch.rand(2, 6, 32, 32))
        weight = network.classifier.weight
    assert scores.dtype == torch.bfloat16
    assert weight.dtype == torch.float32
    assert len(cast) == 3 * 6  # two for the vectors, one for the norm; five layers and the last
    assert not any(cast)
    assert all(each.dtype == torch.float32 for each in network.buffers())


def test_spectral_norm_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same names, the same numbers, step after step."""
    layers = []
    for norm in (spectral_norm, parametrizations.spectral_norm):
        torch.manual_seed(1)
        layers.append(norm(nn.Conv2d(3, 4, 3)))
    ours, theirs = layers
    picture = torch.rand(1, 3, 8, 8)
    for _ in range(3):
        assert torch.equal(ours(picture), theirs(picture))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value)
