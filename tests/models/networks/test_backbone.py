"""Backbones: three levels at 1/8 of a stand-in's networks, and of timm's own where it is installed.

All weights here are random: published ones lie on a hub.
"""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
from click.testing import CliRunner
from conftest import REPOSITORY, make
from safetensors.torch import save_file

from cisdl_bench.cli.main import main
from cisdl_bench.errors import ModelError, SpecError
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.models.networks.backbone import Backbone, check_backbone
from cisdl_bench.models.networks.dmac import Dmac
from cisdl_bench.models.networks.dmac_unit import DmacUnit
from cisdl_bench.models.networks.registry import NETWORKS, build
from cisdl_bench.specs import spec_text
from cisdl_bench.training.experiments import experiment_text, parse_experiment


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The stand-in, imported instead of timm."""
    path = REPOSITORY / "tests" / "stubs" / "timm.py"
    spec = importlib.util.spec_from_file_location("timm", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(__import__("sys").modules, "timm", module)
    return module


@pytest.fixture(scope="module")
def timm() -> ModuleType:
    """timm itself. Its torchvision needs two operators declared where its compiled part fails."""
    if importlib.util.find_spec("torchvision") and not hasattr(torch.ops.torchvision, "nms"):
        for name in ("nms", "qnms"):
            arguments = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{name}", arguments)
    return pytest.importorskip("timm", reason="timm is not installed", exc_type=ImportError)


_SEEDED = torch.Generator().manual_seed(0)
PICTURES = torch.randint(0, 256, (2, 3, 64, 80), dtype=torch.uint8, generator=_SEEDED)


@pytest.mark.parametrize(
    ("name", "channels"), [("pyramid", [6, 8, 10]), ("columns", [5, 5, 5]), ("coarse", [6, 8, 10])]
)
def test_three_levels_at_an_eighth(stub, name: str, channels: list[int]) -> None:
    features = Backbone(f"{name}.tag")
    assert [tuple(level.shape) for level in features(PICTURES)] == [(2, c, 8, 10) for c in channels]
    odd = features(PICTURES[..., :61, :50])
    assert [tuple(level.shape[2:]) for level in odd] == [(8, 7)] * 3


def test_a_convolutional_network_is_dilated_and_sees_normalised_pictures(stub) -> None:
    features = Backbone("pyramid")
    normal = (PICTURES / 255 - torch.tensor([0.5, 0.4, 0.3]).reshape(3, 1, 1)) / torch.tensor(
        [0.25, 0.5, 0.2]
    ).reshape(3, 1, 1)
    expected = features.body(normal)[1:]
    for level, other in zip(features(PICTURES), expected, strict=True):
        torch.testing.assert_close(level, other, rtol=1e-4, atol=1e-5)


def test_a_transformer_sees_pictures_of_one_patch_a_position(stub) -> None:
    features = Backbone("columns")
    features(PICTURES)
    assert features.body.chosen == [3, 7, 11]
    assert features.body.sides[-1] == (128, 160)


def test_channels_that_come_last_and_coarse_levels_are_put_right(stub) -> None:
    features = Backbone("coarse")
    third = features.body((PICTURES - features.mean) / features.deviation)[1].permute(0, 3, 1, 2)
    torch.testing.assert_close(features(PICTURES)[0], third)


def test_what_cannot_be_used_is_refused(stub) -> None:
    with pytest.raises(ModelError, match="backbone fixed: .*any size, got 'Input height"):
        Backbone("fixed")
    with pytest.raises(ModelError, match="mine: expected a network of timm's, .*mean pyramid"):
        check_backbone("pyramd.in1k", "mine")
    for name in ("hf-hub:someone/network", "../pyramid", "a/b", ""):
        with pytest.raises(ModelError, match=r"a name of timm's, such as"):
            Backbone(name)


def test_without_timm_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(ModelError, match=r"pip install 'cisdl-bench\[backbones\]'"):
        build("dmac", "network", {"backbone": "resnet18"})


@pytest.mark.parametrize("kind", [Dmac, DmacUnit])
def test_dmac_learns_through_a_backbone(stub, kind: type[Dmac]) -> None:
    network = kind(backbone="pyramid")
    assert network.configuration == {"backbone": "pyramid"}
    probe, donor = network(PICTURES, PICTURES.flip(0))
    assert probe.shape == donor.shape == (2, 2, 8, 10)
    (probe.square().sum() + donor.sum()).backward()
    assert all(p.grad is not None and p.grad.any() for p in network.features.parameters())
    lengths = [level.square().mean(dim=1) for level in network.describe(PICTURES)]
    # A position whose channels are all 0 stays so.
    unit = all(torch.allclose(length[length > 0], torch.ones(())) for length in lengths)
    assert unit == (kind is DmacUnit)


def test_he_initialisation_leaves_a_backbone_as_it_is(stub) -> None:
    torch.manual_seed(3)
    network = build("dmac", "network", {"backbone": "pyramid"})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    NETWORKS["dmac"].draw_weights(network)
    kept = [name for name, value in network.state_dict().items() if value.equal(before[name])]
    assert {name for name in before if name.startswith("features")} <= set(kept)
    assert "aspp.branches.0.0.weight" not in kept


def experiment_of(name: str, backbone: str, **changes: str) -> str:
    known = {"dmac-unit-dinov2-frozen": "vit_small_patch14_dinov2.lvd142m"}
    text = experiment_text(name).replace(known.get(name, "convnext_tiny.fb_in22k"), backbone)
    text = text.replace("batch = 24", "batch = 6").replace("epochs = 6", "epochs = 1")
    return text.replace("epochs = 3", "epochs = 1")


def typed(*words: object) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("name", ["dmac-convnext", "dmac-unit-dinov2-frozen"])
def test_an_experiment_trains_and_its_checkpoint_is_scored(stub, coco, tmp_path, name) -> None:
    (tmp_path / "small.toml").write_text(spec_text("training").replace("size = 256 ", "size = 64 "))
    make(coco, tmp_path, str(tmp_path / "small.toml"), difficulty="all", pairs=12)
    backbone = "columns.tag" if "frozen" in name else "pyramid.tag"
    (tmp_path / "mine.toml").write_text(experiment_of(name, backbone))
    weights = tmp_path / "published.safetensors"
    save_file(stub.state_of(backbone.partition(".")[0]), weights)
    words = ["train", tmp_path / "mine.toml", "--data", tmp_path / "training", "--init", weights]
    shown = typed(*words, "-o", tmp_path / "run", "--maps", tmp_path / "maps", "--device", "cpu")
    assert f"{backbone} from published.safetensors" in shown
    checkpoint = load_checkpoint(tmp_path / "run" / f"{name}.pt")
    kept = checkpoint.network.features.body.state_dict()
    published = stub.state_of(backbone.partition(".")[0])
    same = [torch.equal(value, published[key]) for key, value in kept.items()]
    assert all(same) == ("frozen" in name)
    words = ["score", tmp_path / "run" / f"{name}.pt", "--data", tmp_path / "training"]
    typed(*words, "--limit", 3, "--device", "cpu", "-o", tmp_path / "scores")
    record = json.loads((tmp_path / "run" / "training.json").read_text())
    assert "He initialisation" in record["initial_weights"]


def test_wrong_weights_are_refused(stub, tmp_path: Path) -> None:
    from cisdl_bench.models.checkpoints.backbone_weights import load_backbone

    features = Backbone("pyramid")
    torch.save({"state_dict": {"stages.0.weight": torch.zeros(1)}}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"--init .*w.pth: backbone pyramid: expected its publis"):
        load_backbone(features, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="--init timm: .*hub.*connect.* Give their file by --init"):
        load_backbone(features, Path("timm"))
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="w.pth: expected tensors by their names, got 'epoch'"):
        load_backbone(features, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="none.pth: expected a file of weights"):
        load_backbone(features, tmp_path / "none.pth")


def test_backbones_go_with_dmac_and_cross_entropy(stub) -> None:
    text = experiment_of("dmac-convnext", "pyramid")
    with pytest.raises(SpecError, match="network: expected one of dmac, dmac-unit"):
        parse_experiment(text.replace('network = "dmac"', 'network = "consensus"'), "mine")
    with pytest.raises(SpecError, match="width: expected 1 beside a backbone, got 0.5"):
        parse_experiment(text.replace("batch = 6", "batch = 6\nwidth = 0.5"), "mine")
    with pytest.raises(ModelError, match="mine: backbone: .*Did you mean pyramid"):
        parse_experiment(text.replace('"pyramid"', '"pyramids"'), "mine")


REAL = [
    "convnextv2_atto.fcmae",
    "resnet18",
    "vit_tiny_patch16_224",
    "vit_small_patch14_dinov2.lvd142m",
    "swin_tiny_patch4_window7_224",
    "pvt_v2_b0",
]


@pytest.mark.parametrize("name", REAL)
def test_timms_own_networks_give_three_levels(timm: ModuleType, name: str) -> None:
    torch.manual_seed(0)
    features = Backbone(name)
    levels = features.eval()(PICTURES[:1])
    assert [tuple(level.shape) for level in levels] == [(1, c, 8, 10) for c in features.channels]
    assert all(level.std() > 0 for level in levels)


@pytest.mark.parametrize("name", ["convnextv2_atto", "vit_tiny_patch16_224"])
def test_timms_published_files_are_read(timm: ModuleType, tmp_path: Path, name: str) -> None:
    """A file as timm publishes it, of the whole network, its weights drawn at random."""
    from cisdl_bench.models.checkpoints.backbone_weights import load_backbone

    torch.manual_seed(1)
    whole = timm.create_model(name, pretrained=False).eval()
    save_file(whole.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(2)
    features = Backbone(name).eval()
    load_backbone(features, tmp_path / "model.safetensors")
    if "vit" in name:
        whole.set_input_size((128, 160))
        x = torch.nn.functional.interpolate(PICTURES.float(), (128, 160), mode="bilinear")
        blocks = whole.forward_intermediates(
            (x - features.mean) / features.deviation, indices=[3], intermediates_only=True
        )
        torch.testing.assert_close(features(PICTURES)[0], blocks[0], rtol=1e-3, atol=1e-4)
    else:
        first = whole.stem((PICTURES.float() - features.mean) / features.deviation)
        expected = whole.stages[1](whole.stages[0](first))
        torch.testing.assert_close(features(PICTURES)[0], expected, rtol=1e-3, atol=1e-4)
