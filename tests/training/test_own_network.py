"""`network = "mine:network"` in an experiment: trained, resumed, scored with its checkpoint."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from conftest import make

from cisdl_bench.cli.main import main
from cisdl_bench.errors import ModelError
from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.models.checkpoints.program import ForeignNetwork, from_factory
from cisdl_bench.models.find import find_detector

SOURCE = """
import torch
from torch import nn

class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(6, 4, 3, 4, 1), nn.ReLU(), nn.Conv2d(4, 1, 3, 2, 1))

    def forward(self, probe, donor):
        one = self.body(torch.cat((probe, donor), dim=1)).sigmoid()
        other = self.body(torch.cat((donor, probe), dim=1)).sigmoid()
        return one, other[:, 0]

def network():
    return Mine()
"""


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="cisdl-bench")


@pytest.fixture
def folder(coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a network, its experiment and a training set."""
    name = f"mine_{tmp_path.name.replace('-', '_')}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    Path(f"{name}.py").write_text(SOURCE)
    make(coco, tmp_path / "cisdl-data", "training", pairs=12)
    text = typed("train", "--show", "dmac").stdout
    changed = text.replace('network = "dmac"', f'network = "{name}:network"')
    changed = changed.replace('name = "dmac"', 'name = "mine"')
    changed = changed.replace("epochs = 3", "epochs = 2").replace("batch = 24", "batch = 4")
    assert changed.count("mine") == 2
    Path("mine.toml").write_text(changed)
    return tmp_path


def test_it_is_trained_resumed_and_scored(folder: Path) -> None:
    whole = typed("train", "mine.toml", "-o", "whole")
    assert whole.exit_code == 0, whole.output
    program = next(folder.glob("mine_*.py")).stem + ":network"
    assert f"score {program}@whole/mine.pt" in whole.stderr
    for _ in range(3):
        typed("train", "mine.toml", "-o", "parts", "--max-minutes", 0)
    typed("train", "mine.toml", "-o", "parts")
    states = [
        load_checkpoint(Path(run) / "mine.pt", from_factory(program)[0])
        for run in ("whole", "parts")
    ]
    for name, value in states[0].network.state_dict().items():
        assert torch.equal(value, states[1].network.state_dict()[name]), name
    torch.manual_seed(0)
    fresh = from_factory(program)[0].state_dict()
    trained = states[0].network.state_dict()
    assert not any(torch.equal(value, fresh[name]) for name, value in trained.items())
    scored = typed("score", f"{program}@whole/mine.pt", "-s", "training")
    assert scored.exit_code == 0, scored.output
    assert (folder / "cisdl-scores" / "mine" / "training" / "result.json").exists()
    refused = typed("score", "whole/mine.pt", "-s", "training")
    assert refused.exit_code == 2
    assert f"{program}@whole/mine.pt" in refused.stderr


def test_an_edited_network_is_another_run(folder: Path) -> None:
    typed("train", "mine.toml", "--max-minutes", 0)
    source = next(folder.glob("mine_*.py"))
    source.write_text(SOURCE.replace("nn.ReLU()", "nn.Tanh()"))
    os.utime(source, (1, 1))
    refused = typed("train", "mine.toml")
    assert refused.exit_code == 2
    assert "begins_with" in refused.stderr


def test_a_checkpoint_of_another_network_or_program_is_refused(folder: Path) -> None:
    typed("train", "mine.toml", "-o", "whole")
    name = next(folder.glob("mine_*.py")).stem
    with Path(f"{name}.py").open("a") as file:
        file.write("\n\ndef other():\n    return Mine()\n")
    with pytest.raises(ModelError, match=f"{name}:other"):
        find_detector(f"{name}:other@whole/mine.pt")
    with pytest.raises(ModelError, match=r"gone\.pt"):
        find_detector(f"{name}:network@gone.pt")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('stage = "adversarial"', "detection network"),
        ('freeze = ["features"]', "whose features can be frozen"),
        ("width = 0.5", "width: expected 1"),
    ],
)
def test_what_does_not_go_with_it_is_refused(folder: Path, line: str, message: str) -> None:
    text = Path("mine.toml").read_text()
    if line.startswith("stage"):
        text = text.replace('stage = "cross-entropy"', line)
    else:
        text = line + "\n" + text
    Path("mine.toml").write_text(text)
    refused = typed("train", "mine.toml")
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_its_logits_are_those_of_its_probabilities() -> None:
    """ln(p / (1 - p)) against 0: p = 0.75 gives ln 3; 0 and 1 stay finite."""

    def call(probe: torch.Tensor, donor: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.tensor([[[0.75, 0.0]]]), torch.tensor([[[[1.0, 0.5]]]])

    pictures = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    probe, donor = ForeignNetwork(call, "call")(pictures, pictures)
    assert probe[0, :, 0].numpy() == pytest.approx(
        np.array([[0, 0], [np.log(3), np.log(1e-6 / (1 - 1e-6))]]), rel=1e-3
    )
    assert donor[0, :, 0, 1].tolist() == [0, 0]
    assert torch.isfinite(donor).all()
