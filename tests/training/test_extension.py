"""A loss term and a network are one entry each: trained, logged, scored."""

import csv
import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from cisdl_bench.cli.main import main
from cisdl_bench.models.detection import Detection
from cisdl_bench.models.networks.registry import NETWORKS, NetworkSpec
from cisdl_bench.models.networks.upsample import resize_masks
from cisdl_bench.training.loss_terms import LOSS_TERMS, ForwardPass, LossTerm

EXPERIMENT = """
name = "mine"
version = 1
title = "A network or a loss of one's own"
source = "this test"
stage = "cross-entropy"
network = "{network}"
epochs = 1
batch = 18
flip = 0.5
swap = 0.5
[optimizer]
name = "adam"
learning_rate = 1e-3
[losses]
ce = 1.0
"""


class Tiny(nn.Module):
    """A made-up network: one convolution over both pictures."""

    architecture = "tiny"

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(6, 1, 8, stride=8)

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        pictures = torch.cat((probe, donor), dim=1).float() / 255
        mirrored = torch.cat((donor, probe), dim=1).float() / 255
        return self.features(pictures), self.features(mirrored)

    def detect(self, probe: Tensor, donor: Tensor) -> Detection[Tensor]:
        size = probe.shape[-2:]
        first, second = (resize_masks(m.sigmoid(), size) for m in self(probe, donor))
        return Detection(first, second)


def fill_with_a_fifth(network: nn.Module) -> None:
    """First weights of ``Tiny``: they do not depend on the seed."""
    nn.init.constant_(network.features.weight, 0.2)
    nn.init.constant_(network.features.bias, 0.0)


def typed(*words: object) -> dict:
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_new_network_is_one_entry(
    pairs64: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = NetworkSpec(
        f"{__name__}:Tiny",
        trainable=True,
        multiple=8,
        initialise=f"{__name__}:fill_with_a_fifth",
    )
    monkeypatch.setitem(NETWORKS, "tiny", spec)
    (tmp_path / "mine.toml").write_text(EXPERIMENT.format(network="tiny"))
    words = ("--data", pairs64, "--out", tmp_path / "run", "--log-every", 1, "--device", "cpu")
    record = typed("-q", "train", "--experiment", tmp_path / "mine.toml", *words, "--json")
    assert (record["complete"], record["step"]) == (True, 2)
    checkpoint = tmp_path / "run" / record["checkpoint"]
    state = torch.load(checkpoint, weights_only=True)["state"]
    moved = (state["features.weight"] - 0.2).abs()
    assert 0 < moved.max() < 0.01  # two steps of Adam from where they begin
    words = ("--data", pairs64, "-o", tmp_path / "scores", "--set", "training", "--device", "cpu")
    (result,) = typed("-q", "score", checkpoint, *words, "--json")
    assert result["about"]["architecture"] == "tiny"
    assert result["summary"]["pairs"] == 33
    assert 0 <= result["summary"]["mask_auc"] <= 1
    words = ("--experiment", tmp_path / "mine.toml", "--data", pairs64, "--init", "vgg16.pth")
    refused = CliRunner().invoke(main, ["train", *map(str, words), "-o", str(tmp_path / "other")])
    assert "tiny has no blocks of VGG-16. Leave --init out." in refused.output
    refused = CliRunner().invoke(main, ["profile", "tiny", "--size", "60"])
    assert "expected a side that 8 divides for tiny, got 60 px" in refused.output


def test_a_new_loss_term_is_one_entry(
    pairs64: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def area(step: ForwardPass) -> Tensor:
        return torch.stack([mask.mean() for mask in step.generated]).sum()

    monkeypatch.setitem(LOSS_TERMS, "area", LossTerm(area, "area"))
    text = EXPERIMENT.format(network="dmac") + "area = 0.5\n"
    text = text.replace("batch = 18", "batch = 18\nwidth = 0.125")
    (tmp_path / "mine.toml").write_text(text)
    words = ("--data", pairs64, "--out", tmp_path / "run", "--log-every", 1, "--device", "cpu")
    typed("-q", "train", "--experiment", tmp_path / "mine.toml", *words, "--json")
    lines = history(tmp_path / "run")
    assert len(lines) == 2
    for line in lines:
        loss = float(line["ce"]) + 0.5 * float(line["area"])
        assert float(line["loss"]) == pytest.approx(loss, rel=1e-6)
        assert 0 < float(line["area"]) < 2
