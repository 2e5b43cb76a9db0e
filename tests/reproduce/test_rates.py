"""Speeds: measured once for each device and kind of work."""

from dataclasses import replace
from pathlib import Path

import pytest
from training.conftest import small

from cisdl_bench.reproduce.rates import Rate, Rates, measure_training, name_training
from cisdl_bench.training.experiments import load_experiment
from cisdl_bench.training.options import TrainOptions


def test_a_rate_is_measured_once_and_again_where_the_file_is_damaged(tmp_path: Path) -> None:
    measured = []

    def measure() -> Rate:
        measured.append(1)
        return {"pairs_per_second": 2.0, "bytes": 3, "pair_bytes": 0.5}

    rates = Rates(tmp_path / "rates.json")
    for work in ("a", "a", "b"):
        assert rates.find("cpu", work, measure)["pairs_per_second"] == 2.0
    assert len(measured) == 2
    rates.path.write_text(rates.path.read_text().replace("2.0", "-2.0"))
    rates.find("cpu", "a", measure)
    assert len(measured) == 3


def test_experiments_that_differ_in_weights_alone_share_a_rate() -> None:
    options = TrainOptions()
    named = [
        name_training(load_experiment(name), options, 256)
        for name in ("adv-bce-0.1-0.1-1e-5", "adv-hin-0.01-0.01-1e-6", "det", "dmac", "dmac-star")
    ]
    assert named[0] == named[1]
    assert len(set(named)) == 3
    assert named[3] == named[4]


@pytest.mark.parametrize("name", ["dmac", "dmac-adv", "adv-det-dagger"])
def test_every_stage_is_measured(name: str) -> None:
    rate = measure_training(small(name), TrainOptions(), 64)
    assert rate["pairs_per_second"] > 0
    assert rate["bytes"] > 10**6
    assert rate["pair_bytes"] == 0


def test_frozen_features_take_room_for_each_pair() -> None:
    experiment = replace(load_experiment("dmac-unit-frozen"), batch=2)
    rate = measure_training(experiment, TrainOptions(), 64)
    assert rate["pair_bytes"] == 2 * 48 * 8 * 8 * 2  # pictures, channels, positions, bytes
