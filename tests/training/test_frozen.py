"""Frozen features: maps computed once give what pictures give, are kept, and are not believed."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Heard
from training.conftest import SIDE, make_pairs, small

from cisdl_bench.devices import Rank
from cisdl_bench.errors import RunError, SpecError
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.models.networks.registry import build
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.quick import quick_scores
from cisdl_bench.store.torch_view import PairDataset
from cisdl_bench.training import frozen as module
from cisdl_bench.training.describer import RememberingDetector
from cisdl_bench.training.epoch_order import Draw
from cisdl_bench.training.experiments import check_experiment, load_experiment
from cisdl_bench.training.feed import augment
from cisdl_bench.training.frozen import freeze
from cisdl_bench.training.losses import spatial_cross_entropy
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.run import train
from cisdl_bench.training.stages import HeadStage

OPTIONS = TrainOptions(log_every=1, save_every=2)


def head(**changes):
    """DMAC's head on frozen features of unit length, small."""
    return small("dmac-unit-frozen", epochs=1, **changes)


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(3)
    return build("dmac-unit", configuration={"width": 0.125}).eval()


@pytest.fixture
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART", 8)
    monkeypatch.setattr(module, "AT_ONCE", 3)


def test_maps_are_what_the_network_computes_of_the_pictures(
    network: torch.nn.Module, pairs64: Path, tmp_path: Path, short_parts: None
) -> None:
    dataset = PairDataset([pairs64])
    frozen = freeze(network, dataset, tmp_path, OPTIONS, Heard())
    assert frozen is not None
    assert len(frozen) == len(dataset) == 33
    chosen = [32, 0, 7, 8, 1]
    batch, pictures = frozen.__getitems__(chosen), dataset.__getitems__(chosen)
    assert batch["maps"].dtype == torch.float16
    assert batch["maps"].shape == (5, 2, 48, SIDE // 8, SIDE // 8)
    assert not {"probe", "donor"} & set(batch)
    for name in ("probe_mask", "donor_mask", "label", "kind", "index"):
        assert torch.equal(batch[name], pictures[name])
    with torch.no_grad():
        levels = network.describe(torch.cat((pictures["probe"], pictures["donor"])))
        maps = network.compare([x[:5] for x in levels], [x[5:] for x in levels])
        logits = network(pictures["probe"], pictures["donor"])
        of_maps = network.head(torch.cat(batch["maps"].float().unbind(1))).chunk(2)
    torch.testing.assert_close(batch["maps"].float(), torch.stack(maps.chunk(2), 1), **NEAR)
    for ours, theirs in zip(of_maps, logits, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-2, rtol=0)


def test_sets_have_maps_of_their_own_and_are_joined(
    network: torch.nn.Module, pairs64: Path, coco: Path, tmp_path: Path, short_parts: None
) -> None:
    other = make_pairs(coco, tmp_path / "other", 9)
    single = freeze(network, PairDataset([other]), tmp_path / "maps", OPTIONS, Heard())
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "maps").rglob("*.npy")}
    joined = freeze(network, PairDataset([pairs64, other]), tmp_path / "maps", OPTIONS, Heard())
    assert single is not None
    assert joined is not None
    assert len(joined) == 42
    maps = joined.__getitems__([32, 33, 41])["maps"]
    assert torch.equal(maps[1:], single.__getitems__([0, 8])["maps"])
    alone = freeze(network, PairDataset([pairs64]), tmp_path / "maps", OPTIONS, Heard())
    assert torch.equal(maps[0], alone.__getitems__([32])["maps"][0])
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


NEAR = {"atol": 1e-3, "rtol": 1e-3}  # half precision has 11 bits, and values are near 1


def test_a_step_on_maps_has_the_loss_of_the_whole_network(
    network: torch.nn.Module, pairs64: Path, tmp_path: Path
) -> None:
    dataset = PairDataset([pairs64])
    frozen = freeze(network, dataset, tmp_path, OPTIONS, Heard())
    assert frozen is not None
    foreground = range(0, 18, 3)  # their two masks differ
    batch, pictures = frozen.__getitems__(foreground), dataset.__getitems__(foreground)
    with torch.no_grad():  # so that it matters which logits meet which mask
        for branch in network.aspp.branches:
            branch[-1].weight *= 50
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        network.train()
        logits = network(pictures["probe"], pictures["donor"])
        network.load_state_dict(before)
    side = logits[0].shape[-1]
    targets = [
        (torch.nn.functional.adaptive_avg_pool2d(pictures[f"{s}_mask"].float(), side) >= 0.5).long()
        for s in ("probe", "donor")
    ]
    stage = HeadStage({"network": network}, head(losses={"ce": 1.0}), OPTIONS)
    losses = stage.step({"pairs": iter([batch])})
    expected = spatial_cross_entropy(logits, targets)
    torch.testing.assert_close(losses["loss"], expected.detach(), atol=0, rtol=1e-3)
    changed = spatial_cross_entropy(logits[::-1], targets)
    assert abs(float(changed / expected) - 1) > 3e-3
    moved = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
    assert moved
    assert all(name.startswith("aspp.") for name in moved)


def test_maps_are_mirrored_and_swapped_with_their_masks() -> None:
    maps = torch.arange(8.0).reshape(1, 2, 1, 2, 2).half()
    mask = torch.tensor([[[1, 0], [0, 0]]], dtype=torch.uint8)
    batch = {"maps": maps, "probe_mask": mask, "donor_mask": 1 - mask}
    yes, no = np.array([True]), np.array([False])
    place = np.array([0])
    flipped = augment(batch, Draw(place, yes, no))
    assert flipped["maps"].flatten().tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    assert flipped["probe_mask"].flatten().tolist() == [0, 1, 0, 0]
    swapped = augment(batch, Draw(place, no, yes))
    assert swapped["maps"].flatten().tolist() == [4, 5, 6, 7, 0, 1, 2, 3]
    assert swapped["probe_mask"].flatten().tolist() == [0, 1, 1, 1]


def test_maps_go_on_where_they_stopped(
    network: torch.nn.Module, pairs64: Path, tmp_path: Path, short_parts: None
) -> None:
    dataset, asked = PairDataset([pairs64]), []

    def stops() -> bool:
        asked.append(1)
        return len(asked) > 8

    assert freeze(network, dataset, tmp_path / "a", OPTIONS, Heard(), stops) is None
    (place,) = (tmp_path / "a").iterdir()
    kept = {path.name: path.stat().st_mtime_ns for path in place.glob("*.npy")}
    assert 0 < len(kept) < 5
    assert freeze(network, dataset, tmp_path / "a", OPTIONS, Heard()) is not None
    assert freeze(network, dataset, tmp_path / "b", OPTIONS, Heard()) is not None
    for path in sorted(place.glob("*.npy")):
        assert path.read_bytes() == (tmp_path / "b" / place.name / path.name).read_bytes()
        if path.name in kept:
            assert path.stat().st_mtime_ns == kept[path.name]


def test_minutes_that_are_over_keep_what_is_done(
    pairs64: Path, tmp_path: Path, short_parts: None
) -> None:
    ears, out = Heard(), tmp_path / "out"
    record = train(head(), [pairs64], out, replace(OPTIONS, max_minutes=0), ears)
    assert not record["complete"]
    assert any("the same command goes on" in line for line in ears.lines)
    assert len(list((out / "maps").rglob("*.npy"))) == 1
    record = train(head(), [pairs64], out, OPTIONS, ears)
    assert record["complete"]
    assert any("random numbers" in note for note in record["notes"])


def test_other_weights_pictures_or_precision_have_maps_of_their_own(
    network: torch.nn.Module, pairs64: Path, coco: Path, tmp_path: Path
) -> None:
    other = make_pairs(coco, tmp_path / "other", 6)
    freeze(network, PairDataset([pairs64]), tmp_path / "maps", OPTIONS, Heard())
    freeze(network, PairDataset([other]), tmp_path / "maps", OPTIONS, Heard())
    half = replace(OPTIONS, precision="bf16")
    freeze(network, PairDataset([other]), tmp_path / "maps", half, Heard())
    with torch.no_grad():
        network.features.conv1_1.bias += 1
    freeze(network, PairDataset([other]), tmp_path / "maps", OPTIONS, Heard())
    assert len(list((tmp_path / "maps").iterdir())) == 4


def test_broken_maps_are_refused(
    network: torch.nn.Module, pairs64: Path, tmp_path: Path, short_parts: None
) -> None:
    dataset = PairDataset([pairs64])
    freeze(network, dataset, tmp_path, OPTIONS, Heard())
    (place,) = tmp_path.iterdir()
    path = place / "maps-00001.npy"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunError, match=r"maps-00001\.npy.*Remove the folder"):
        freeze(network, dataset, tmp_path, OPTIONS, Heard())
    path.unlink()
    with pytest.raises(RunError, match="no such file"):
        freeze(network, dataset, tmp_path, OPTIONS, Heard())
    freeze(network, dataset, tmp_path / "whole", OPTIONS, Heard())
    (record,) = (tmp_path / "whole").glob("*/maps.json")
    text = record.read_text()
    record.write_text(text.replace('"pairs": 8\n', '"pairs": 7\n', 1))
    with pytest.raises(RunError, match=r"maps\.json.*Remove the folder"):
        freeze(network, dataset, tmp_path / "whole", OPTIONS, Heard())
    content = json.loads(text)
    content["parts"].append(content["parts"][0])
    record.write_text(json.dumps(content))
    shutil.copy(record.parent / "maps-00000.npy", record.parent / "maps-00005.npy")
    with pytest.raises(RunError, match=r"maps of 33 pairs, got 41"):
        freeze(network, dataset, tmp_path / "whole", OPTIONS, Heard())
    (place / "maps.json").write_text('{"format": "cisdl-bench maps", "request": {}, "parts": 3}')
    with pytest.raises(RunError, match=r"maps\.json.*Remove the folder"):
        freeze(network, dataset, tmp_path, OPTIONS, Heard())


def test_maps_beyond_half_precision_are_refused_by_the_pair(pairs64: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    paper = build("dmac", configuration={"width": 0.125}).eval()
    with torch.no_grad():
        paper.features.conv5_3.bias += 1e4
    with pytest.raises(RunError, match=r"training/\d+: .*half precision.*dmac-unit"):
        freeze(paper, PairDataset([pairs64]), tmp_path, OPTIONS, Heard())


def test_a_run_learns_its_head_alone_and_resumes_bit_for_bit(pairs64: Path, tmp_path: Path) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    experiment = replace(head(), epochs=2)
    train(experiment, [pairs64], whole, OPTIONS, Heard(), maps=tmp_path / "maps")
    late = replace(OPTIONS, max_minutes=1e-9)
    record = train(experiment, [pairs64], parted, late, Heard(), maps=tmp_path / "maps")
    assert 0 < record["step"] < record["steps"]
    assert train(experiment, [pairs64], parted, OPTIONS, Heard(), maps=tmp_path / "maps")[
        "complete"
    ]
    first, second = (
        load_checkpoint(out / "dmac-unit-frozen.pt").network for out in (whole, parted)
    )
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    state, steps = torch.load(whole / "state.torch"), record["steps"]
    rate = 1e-3 * (1 + math.cos(math.pi * (steps - 1) / steps)) / 2  # of the last step
    assert state["optimizers"]["head"]["param_groups"][0]["lr"] == pytest.approx(rate)
    torch.manual_seed(0)
    begun = train(
        replace(experiment, epochs=1, batch=33), [pairs64], tmp_path / "short", OPTIONS, Heard()
    )
    assert begun["complete"]
    short = load_checkpoint(tmp_path / "short" / "dmac-unit-frozen.pt").network
    assert torch.equal(short.features.conv5_3.weight, first.features.conv5_3.weight)
    assert not torch.equal(short.aspp.branches[0][0].weight, first.aspp.branches[0][0].weight)


def test_the_growth_curve_is_of_the_whole_network(pairs64: Path, tmp_path: Path) -> None:
    scored = []

    def evaluate(network: torch.nn.Module) -> list[dict]:
        results = quick_scores(network, [pairs64], 6, ScoreOptions())
        scored.append(results[0]["iou"])
        return results

    options = replace(OPTIONS, evaluate_every=3)
    out = tmp_path / "out"
    train(head(), [pairs64], out, options, Heard(), evaluate=evaluate)
    network = load_checkpoint(out / "dmac-unit-frozen.pt").network
    (again,) = quick_scores(network, [pairs64], 6, ScoreOptions())
    assert len(scored) == 2
    assert again["iou"] == scored[-1]


def test_pictures_are_described_once_however_often_they_are_scored(
    network: torch.nn.Module, pairs64: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, described = PairDataset([pairs64]), []
    first, second = (dataset.__getitems__(numbers) for numbers in ([0, 1], [2, 3]))
    with torch.inference_mode():
        expected = [network.detect(batch["probe"], batch["donor"]) for batch in (first, second)]
        describe = network.describe
        monkeypatch.setattr(network, "describe", lambda x: described.append(len(x)) or describe(x))
        detector = RememberingDetector(network)
        for _ in range(3):
            for batch, answer in zip((first, second), expected, strict=True):
                again = detector.detect(batch["probe"], batch["donor"])
                assert torch.equal(again.probe, answer.probe)
                assert torch.equal(again.donor, answer.donor)
    assert described == [4, 4]


def test_what_cannot_be_frozen_is_refused(pairs64: Path, tmp_path: Path) -> None:
    frozen = ("features",)
    with pytest.raises(SpecError, match="freeze"):
        check_experiment(replace(load_experiment("dmac-adv"), freeze=frozen), "mine.toml")
    with pytest.raises(SpecError, match="network"):
        check_experiment(replace(load_experiment("dmvn-bn"), freeze=frozen), "mine.toml")
    with pytest.raises(RunError, match="torchrun"):
        train(head(), [pairs64], tmp_path, OPTIONS, Heard(), rank=Rank(0, 2))
