"""What only a GPU can show. ``CISDL_GPU_TESTS=cpu`` runs these lines on a CPU, to try the tests."""

import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training.conftest import ADAM, small
from training.test_run import FAST, Ears, tensors

from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.models.networks.registry import build
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.profile import measure_cost
from cisdl_bench.scoring.quick import quick_scores
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.training.epoch_order import EpochOrder
from cisdl_bench.training.feed import Part, feed
from cisdl_bench.training.initial_weights import make_networks
from cisdl_bench.training.kinds import find_kinds
from cisdl_bench.training.log import read_log
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.run import train
from cisdl_bench.training.stages import make_stage

DEVICE = os.environ.get("CISDL_GPU_TESTS", "cuda:0" if torch.cuda.is_available() else "")
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
pytestmark = pytest.mark.skipif(not DEVICE, reason="needs a GPU")


@pytest.fixture(scope="module")
def learnt(pairs64: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that has learnt the pairs on the device."""
    out = tmp_path_factory.mktemp("gpu") / "dmac"
    own = small("dmac", optimizer=ADAM, epochs=20)
    train(own, [pairs64], out, replace(FAST, device=DEVICE, save_every=1000), Ears())
    return out / "dmac.pt"


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.1)])
def test_scores_are_the_cpus(learnt: Path, pairs64: Path, precision: str, tolerance: float) -> None:
    on_cpu = quick_scores(load_checkpoint(learnt).network, [pairs64], 33, ScoreOptions())[0]
    network = load_checkpoint(learnt).network.to(DEVICE)
    options = ScoreOptions(device=DEVICE, precision=precision)
    on_device = quick_scores(network, [pairs64], 33, options)[0]
    assert on_cpu["iou"] > 0.3
    for metric in ("iou", "mcc", "nmm"):
        assert on_device[metric] == pytest.approx(on_cpu[metric], abs=tolerance)


def test_probabilities_are_the_cpus(learnt: Path, pairs64: Path) -> None:
    batch = PairDataset([pairs64]).__getitems__(range(6))
    network = load_checkpoint(learnt).network
    with torch.inference_mode():
        expected = network.detect(batch["probe"], batch["donor"]).probe
        network = network.to(DEVICE)
        got = network.detect(batch["probe"].to(DEVICE), batch["donor"].to(DEVICE)).probe
    assert torch.allclose(got.cpu(), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["dmac", "adv-bce-0.01-0.01-1e-5"])
def test_a_step_waits_for_nothing(pairs64: Path, name: str) -> None:
    """After warming up: neither the feed nor the step looks at what the GPU has computed."""
    own, options = small(name), TrainOptions(device=DEVICE, precision="bf16")
    networks = make_networks(own, 0, None, None).networks
    networks = {key: network.to(DEVICE) for key, network in networks.items()}
    stage, dataset = make_stage(networks, own, options), PairDataset([pairs64])
    orders = {key: EpochOrder(find_kinds(dataset), 0.5, 0.5, 0, key) for key in stage.feeds}
    feeds = {key: feed(dataset, order, Part(own.batch), 0, DEVICE) for key, order in orders.items()}
    for _ in range(3):
        stage.step(feeds)
    if DEVICE != "cpu":
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            losses = [stage.step(feeds) for _ in range(3)]
    finally:
        if DEVICE != "cpu":
            torch.cuda.set_sync_debug_mode("default")
        for source in feeds.values():
            source.close()
    assert [str(each.message) for each in told if "synchroniz" in str(each.message)] == []
    assert all(torch.isfinite(loss["loss"]) for loss in losses)


@pytest.mark.parametrize("name", ["dmac", "adv-bce-0.01-0.01-1e-5", "adv-hin-0.01-0.01-1e-5"])
def test_bf16_trains_both_stages(pairs64: Path, tmp_path: Path, name: str) -> None:
    own = small(name, epochs=1)
    options = replace(FAST, device=DEVICE, precision="bf16")
    start = tmp_path / "dmac.pt"
    if own.start:
        train(small("dmac", epochs=1), [pairs64], tmp_path / "dmac", options, Ears())
        start = tmp_path / "dmac" / "dmac.pt"
    begins = {"start": start} if own.start else {}
    record = train(own, [pairs64], tmp_path / "own", options, Ears(), name="own", **begins)
    assert record["complete"]
    assert all(value.dtype != torch.bfloat16 for value in tensors(tmp_path / "own/own.pt").values())


def test_compiled_networks_learn_the_same(pairs64: Path, tmp_path: Path) -> None:
    own, options = small("dmac", optimizer=ADAM, epochs=1), replace(FAST, device=DEVICE)
    for compiled in (False, True):
        chosen = replace(options, compile=compiled)
        train(own, [pairs64], tmp_path / str(compiled), chosen, Ears())
    plain, compiled_ = (tensors(tmp_path / str(word) / "dmac.pt") for word in (False, True))
    for key, value in plain.items():
        if value.is_floating_point():
            assert torch.allclose(compiled_[key], value, rtol=0.05, atol=2e-2), key


def test_a_stopped_run_resumes_on_the_device(pairs64: Path, tmp_path: Path) -> None:
    own, options = small("dmac", epochs=1), replace(FAST, device=DEVICE)
    for _ in range(2):
        train(own, [pairs64], tmp_path, replace(options, max_minutes=0), Ears())
    record = train(own, [pairs64], tmp_path, options, Ears())
    assert record["complete"]
    steps = [int(line["step"]) for line in read_log(tmp_path / "history.csv")]
    assert steps == list(range(1, record["steps"] + 1))


@NEEDS_GPU
def test_cost_is_measured_on_the_card() -> None:
    options = ScoreOptions(device=DEVICE, precision="bf16")
    cost = measure_cost(build("dmac", configuration={"width": 0.125}), options, 64, seconds=0)
    assert cost["peak_mb"] > 1
    assert cost["best_batch"] > 1
    assert cost["gflop"] > 0


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_cards_learn_what_one_does_in_two_pieces(pairs64: Path, tmp_path: Path) -> None:
    words = ["-m", "cisdl_bench", "train", "dmac", "--data", str(pairs64), "--epochs", "1"]
    words += ["--batch-size", "6", "--device", "cuda"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*launch, *words, "--out", str(tmp_path / "two")], check=True)
    one = [sys.executable, *words, "--pieces", "2", "--out", str(tmp_path / "one")]
    subprocess.run(one, check=True)
    first, second = (tensors(tmp_path / name / "dmac.pt") for name in ("one", "two"))
    for key, value in first.items():
        if value.is_floating_point():
            assert torch.allclose(second[key], value, rtol=1e-2, atol=1e-3), key
