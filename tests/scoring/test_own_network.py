"""A network trained by the guide's loop: a loop of one's own and `score` say the same of it."""

import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import REPOSITORY, Heard
from torch.nn import functional

from cisdl_bench.models.find import find_detector
from cisdl_bench.models.networks.upsample import resize_masks
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.run import score
from cisdl_bench.store import open_pairs
from cisdl_bench.store.torch_view import PairDataset, pair_loader

MINE = """
from pathlib import Path
import torch
from torch.nn import functional

class Coarse(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Conv2d(6, 8, 5, stride=4, padding=2), torch.nn.ReLU(),
            torch.nn.Conv2d(8, 2, 5, stride=4, padding=2),
        )
    def forward(self, probe, donor):
        assert 0 <= float(probe.min()) and float(probe.max()) <= 1, "0 to 1, as in the guide"
        masks = self.net(torch.cat((probe, donor), dim=1) - 0.5).sigmoid()
        return masks[:, 0], masks[:, 1]

def network():
    made = Coarse()
    if Path("coarse.pt").exists():
        made.load_state_dict(torch.load("coarse.pt", weights_only=True))
    return made
"""


def prepared() -> str:
    """The guide's own line that turns a batch into what a network sees."""
    text = (REPOSITORY / "docs" / "guide" / "your-network.md").read_text()
    (line,) = re.findall(r"^    (probe, donor = .*)$", text, re.MULTILINE)
    return str(line)


def test_a_loop_of_ones_own_agrees_with_score(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("coarse_net.py").write_text(MINE)
    import coarse_net

    torch.manual_seed(0)
    network, line = coarse_net.network(), prepared()
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    seen: dict[str, torch.Tensor] = {}
    for _ in range(6):
        for batch in pair_loader(PairDataset([made / "training"]), batch_size=30):
            exec(line, {}, seen := {"batch": batch})
            masks = network(seen["probe"], seen["donor"])
            loss = torch.zeros(())
            for mask, side in zip(masks, ("probe", "donor"), strict=True):
                truth = batch[f"{side}_mask"].float()
                weight = 1 + 2.5 * truth  # tampered pixels are few
                called = resize_masks(mask, (256, 256))
                loss = loss + functional.binary_cross_entropy(called, truth, weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    torch.save(network.state_dict(), "coarse.pt")
    network.eval()
    data = made / "combination-normal"
    ious = []
    for batch in pair_loader(PairDataset([data]), batch_size=1):
        exec(line, {}, seen := {"batch": batch})
        with torch.no_grad():
            answer = network(seen["probe"], seen["donor"])
        for side, mask in zip(("probe", "donor"), answer, strict=True):
            called = resize_masks(mask, (256, 256))[0].numpy() > 0.5
            true = batch[f"{side}_mask"][0].numpy() != 0
            ious.append((called & true).sum() / (called | true).sum())
    assert len(set(ious)) > 10
    assert mask.shape[-1] == 16  # coarse: that it is upsampled in one way matters
    job = ScoreJob(open_pairs(data), Perturbation())
    detector = find_detector("coarse_net:network")
    (result,) = score(detector, [job], tmp_path / "scores", ScoreOptions(), Heard())
    assert result["summary"]["iou"] == pytest.approx(np.mean(ious), abs=1e-9)
    sys.modules.pop("coarse_net")


def test_masks_are_upsampled_corner_to_corner() -> None:
    """Against OpenCV's remap at the places that align_corners names."""
    mask = torch.rand(2, 5, 7, generator=torch.Generator().manual_seed(0))
    y, x = np.meshgrid(np.linspace(0, 4, 33), np.linspace(0, 6, 40), indexing="ij")
    places = [each.astype(np.float32) for each in (x, y)]
    for shape in (mask, mask.unsqueeze(1)):
        found = resize_masks(shape, (33, 40))
        assert found.shape == (2, 33, 40)
        for k in range(2):
            expected = cv2.remap(
                mask[k].numpy(), *places, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
            )
            # OpenCV's places are multiples of 1/32.
            np.testing.assert_allclose(found[k].numpy(), expected, atol=0.04)
        ends = found[:, [0, 0, -1, -1], [0, -1, 0, -1]]
        torch.testing.assert_close(ends, mask[:, [0, 0, -1, -1], [0, -1, 0, -1]])
    same = torch.rand(2, 8, 8).double()
    assert torch.equal(resize_masks(same, (8, 8)), same.float())
