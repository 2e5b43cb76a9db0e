"""kornia's networks with random weights: shapes, places and errors, not matches."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cisdl_bench.errors import ModelError
from cisdl_bench.models.find import find_detector
from cisdl_bench.models.matchers.of_kornia import DiskLightGlue, Loftr

RNG = np.random.default_rng(0)
DONOR, PROBE = RNG.integers(0, 256, (2, 40, 56, 3), dtype=np.uint8)


def check_points(points: tuple[np.ndarray, np.ndarray]) -> None:
    assert points[0].shape == points[1].shape
    assert points[0].dtype == np.float64
    assert points[0].shape[1] == 2
    for one in points:
        assert (one <= [55, 39]).all()


def test_loftr() -> None:
    kornia = pytest.importorskip("kornia.feature")
    torch.manual_seed(0)
    matcher = Loftr(kornia.LoFTR(pretrained=None).eval(), 0.0).to("cpu")
    check_points(matcher.match(DONOR, PROBE))
    assert matcher.identity.startswith("kornia ")


def test_disk_and_light_glue() -> None:
    kornia = pytest.importorskip("kornia.feature")
    torch.manual_seed(0)
    light_glue = kornia.LightGlueMatcher.__new__(kornia.LightGlueMatcher)
    nn.Module.__init__(light_glue)
    light_glue.feature_name = "disk"
    light_glue.matcher = kornia.LightGlue(None, input_dim=128, n_layers=1, filter_threshold=-1.0)
    matcher = DiskLightGlue(kornia.DISK().eval(), light_glue.eval(), 64).to("cpu")
    points = matcher.match(DONOR, PROBE)
    check_points(points)
    assert len(points[0]) > 0


class Answer(nn.Module):
    """A network of LoFTR's interface: what it is given, and three matches."""

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.given = data
        return {
            "keypoints0": torch.tensor([[3.0, 4.0], [50.0, 30.0], [58.0, 30.0]]),
            "keypoints1": torch.tensor([[5.0, 6.0], [51.0, 31.0], [40.0, 30.0]]),
            "confidence": torch.tensor([0.9, 0.1, 0.9]),
        }


def test_unsure_matches_and_those_beside_the_picture_are_left_out() -> None:
    network = Answer()
    donor, probe = Loftr(network, 0.2).match(DONOR, PROBE)
    assert donor.tolist() == [[3, 4]]
    assert probe.tolist() == [[5, 6]]
    given = network.given["image0"]
    assert given.shape == (1, 1, 48, 64)
    grey = DONOR @ [0.299, 0.587, 0.114]
    assert given[0, 0, :40, :56].numpy() * 255 == pytest.approx(grey, abs=1)


@pytest.mark.parametrize("name", ["loftr", "disk-lightglue"])
def test_lacking_kornia_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kornia.feature", None)
    with pytest.raises(ModelError, match=rf"^matcher:{name}: .*pip install .*\[kornia\]"):
        find_detector(f"matcher:{name}")


@pytest.mark.parametrize("name", ["loftr", "disk-lightglue"])
def test_a_hub_that_cannot_be_reached_is_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kornia = pytest.importorskip("kornia.feature")

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no route to the hub\nand more")

    monkeypatch.setattr(kornia, "LoFTR", refuse)
    monkeypatch.setattr(kornia.DISK, "from_pretrained", refuse)
    with pytest.raises(ModelError, match=r"got OSError: no route to the hub\. Run this") as caught:
        find_detector(f"matcher:{name}")
    assert "\n" not in str(caught.value)
