from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional
from training.conftest import small, write_hed, write_vgg
from training.test_run import Ears

from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cisdl_bench.models.checkpoints.vgg_weights import IMAGENET_DEVIATION, IMAGENET_MEAN
from cisdl_bench.models.networks.registry import build
from cisdl_bench.training.experiments import load_experiment
from cisdl_bench.training.initial_weights import make_networks
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.run import train


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    write_vgg(path)
    return path


@pytest.mark.parametrize("name", ["dmac", "dmvn-bn"])
def test_published_vgg_gives_the_same_features_but_at_the_border(vgg: Path, name: str) -> None:
    """Against the published convention: RGB in 0 to 1, less a mean, by a deviation."""
    network = make_networks(load_experiment(name), 0, vgg, None).networks["network"]
    state = torch.load(vgg, weights_only=True)
    picture = torch.randint(0, 256, (1, 3, 24, 24), generator=torch.Generator().manual_seed(1))
    mean, deviation = (
        torch.tensor(v).reshape(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_DEVIATION)
    )
    x = (picture / 255 - mean) / deviation
    for place in (0, 2):
        weight, bias = (state[f"features.{place}.{part}"] for part in ("weight", "bias"))
        x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
    with torch.no_grad():
        ours = network.features.block(1, network.prepare(picture.to(torch.uint8)))
    gap = (ours - x)[..., 2:-2, 2:-2].abs().max() / x.abs().max()
    assert gap < 1e-5
    last = "conv5_3" if name == "dmac" else "conv4_3"
    place = 28 if name == "dmac" else 21
    own = network.features.state_dict()
    assert torch.equal(own[f"{last}.weight"], state[f"features.{place}.weight"])


def test_without_vgg_he_and_said(tmp_path: Path) -> None:
    found = make_networks(small("dmac"), 3, None, None)
    assert found.origin == "He initialisation (no --init: VGG-16 not used)"
    weight = found.networks["network"].features.conv3_2.weight
    assert weight.std().item() == pytest.approx((2 / (9 * weight.shape[1])) ** 0.5, rel=0.1)
    again = make_networks(small("dmac"), 3, None, None).networks["network"].state_dict()
    other = make_networks(small("dmac"), 4, None, None).networks["network"].state_dict()
    key = "features.conv3_2.weight"
    assert torch.equal(again[key], weight)
    assert not torch.equal(other[key], weight)


def test_files_of_other_networks_are_refused(vgg: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"conv1_1.weight: expected the shape .* width 1"):
        make_networks(small("dmac"), 0, vgg, None)
    torch.save({"features.0.bias": torch.zeros(64)}, tmp_path / "cut.pth")
    with pytest.raises(ModelError, match=r"features.0.weight: expected .*, got none"):
        make_networks(load_experiment("dmac"), 0, tmp_path / "cut.pth", None)
    with pytest.raises(ModelError, match=r"gone.pth: expected a file .*, got No such file"):
        make_networks(load_experiment("dmac"), 0, tmp_path / "gone.pth", None)
    save_checkpoint(tmp_path / "bn.pt", build("dmvn-bn"), {})
    with pytest.raises(ModelError, match="expected a checkpoint of dmac, width 0.125"):
        make_networks(small("dmac-star"), 0, None, tmp_path / "bn.pt")
    with pytest.raises(ModelError, match=r"--init .*has weights\. Leave --init out"):
        make_networks(load_experiment("dmac-star"), 0, vgg, tmp_path / "bn.pt")
    narrow = build("dmac", configuration={"width": 0.125})
    save_checkpoint(tmp_path / "narrow.pt", narrow, {})
    with pytest.raises(ModelError, match="with its detection network, got one of DMAC alone"):
        make_networks(small("adv-det-dagger"), 0, None, tmp_path / "narrow.pt")


def test_records_and_checkpoints_say_what_a_network_began_with(pairs64: Path, tmp_path) -> None:
    write_hed(tmp_path / "hed.h5")
    own = replace(load_experiment("dmac"), batch=1)
    options = TrainOptions(max_minutes=0)
    record = train(own, [pairs64], tmp_path / "own", options, Ears(), vgg=tmp_path / "hed.h5")
    assert record["initial_weights"].startswith("HED's weights (VGG-16 from ImageNet, fine-tuned")
    assert record["request"]["begins_with"].startswith("HED ")
    checkpoint = tmp_path / "own" / "dmac.pt"
    about = load_checkpoint(checkpoint).about["training"]
    assert about["initial_weights"] == record["initial_weights"]
    later = make_networks(load_experiment("dmac-adv"), 0, None, checkpoint)
    assert later.origin == f"dmac.pt, which began with: {record['initial_weights']}"
