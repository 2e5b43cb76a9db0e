"""Running statistics: the mean over pieces and processes, computed anew in numpy."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from cisdl_bench.training.experiments import OptimizerSpec, load_experiment
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.stages import make_stage
from cisdl_bench.training.statistics import Statistics

ROOT = Path(__file__).parent.parent


class Tiny(nn.Module):
    """Normalises pictures before anything that learns, so its statistics are the pictures'."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, affine=False)
        self.weight = nn.Parameter(torch.tensor([0.5, -0.25, 0.125]))
        self.register_buffer("constant", torch.tensor(104.008), persistent=False)

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, Tensor]:
        both = self.norm(torch.cat((probe, donor)).float())
        logit = torch.einsum("nchw,c->nhw", both, self.weight).unsqueeze(1)
        logit = functional.adaptive_avg_pool2d(logit, 8)
        first, second = torch.cat((torch.zeros_like(logit), logit), dim=1).chunk(2)
        return first, second


def pieces_of(step: int) -> list[dict[str, Tensor]]:
    """Two pieces of a batch of one step, bright and dark."""
    found = []
    for piece in range(2):
        g = torch.Generator().manual_seed(10 * step + piece)
        span = (0, 120) if piece else (90, 256)
        pictures = torch.randint(*span, (2, 2, 3, 16, 16), generator=g, dtype=torch.uint8)
        masks = torch.randint(0, 2, (2, 2, 16, 16), generator=g, dtype=torch.uint8)
        sides = {"probe": pictures[0], "donor": pictures[1]}
        found.append({**sides, "probe_mask": masks[0], "donor_mask": masks[1]})
    return found


def stage_of(pieces: int = 1):
    from dataclasses import replace

    of = replace(load_experiment("dmac"), optimizer=OptimizerSpec("adam", 0.05))
    return make_stage({"network": Tiny()}, of, TrainOptions(pieces=pieces))


def expected(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance after some steps: momentum 0.1, towards the mean of the two pieces'."""
    mean, variance = np.zeros(3), np.ones(3)
    for step in range(steps):
        values = [
            np.concatenate([of["probe"], of["donor"]]).astype(float).transpose(1, 0, 2, 3)
            for of in pieces_of(step)
        ]
        flat = [each.reshape(3, -1) for each in values]
        mean = 0.9 * mean + 0.1 * np.mean([each.mean(1) for each in flat], axis=0)
        variance = 0.9 * variance + 0.1 * np.mean([each.var(1, ddof=1) for each in flat], axis=0)
    return mean, variance


def check(state: dict[str, Tensor], steps: int) -> None:
    mean, variance = expected(steps)
    np.testing.assert_allclose(state["norm.running_mean"].numpy(), mean, rtol=1e-5)
    np.testing.assert_allclose(state["norm.running_var"].numpy(), variance, rtol=1e-5)
    assert state["norm.num_batches_tracked"] == steps


def test_pieces_count_as_one_batch() -> None:
    stage = stage_of(pieces=2)
    for step in range(3):
        stage.step({"pairs": iter(pieces_of(step))})
    check(stage.learners["network"].network.state_dict(), 3)


def test_processes_keep_the_mean_of_all(tmp_path: Path) -> None:
    """Two processes, a piece each, against numpy and against one process's two pieces."""
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import sys, warnings
sys.path.insert(0, {str(ROOT)!r})
warnings.simplefilter("error")
import torch
from cisdl_bench.devices import ranked
from training.test_statistics import pieces_of, stage_of
def work(rank):
    stage = stage_of()
    for step in range(3):
        stage.step({{"pairs": iter([pieces_of(step)[rank.number]])}})
    learner = stage.learners["network"]
    state = learner.network.state_dict() | {{"constant": learner.network.constant}}
    torch.save(state, {str(tmp_path)!r} + f"/{{rank.number}}.pt")
with ranked() as rank:
    work(rank)
"""
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch, script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    states = [torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in (0, 1)]
    for state in states:
        check(state, 3)
        assert state["constant"] == torch.tensor(104.008)
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    alone = stage_of(pieces=2)
    for step in range(3):
        alone.step({"pairs": iter(pieces_of(step))})
    one = alone.learners["network"].network.state_dict()
    torch.testing.assert_close(states[0]["weight"], one["weight"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pieces", [1, 3])
def test_power_iterations_are_those_of_a_whole_batch(pieces: int) -> None:
    """A weight's singular vectors do not depend on pictures: pieces must not turn them further."""
    torch.manual_seed(0)
    layer = spectral_norm(nn.Linear(6, 5))
    torch.manual_seed(0)
    other = spectral_norm(nn.Linear(6, 5))
    statistics = Statistics(layer, pieces)
    for number in range(pieces):
        with statistics.piece(number):
            layer(torch.ones(1, 6))
    other(torch.ones(1, 6))
    for a, b in zip(layer.buffers(), other.buffers(), strict=True):
        assert torch.equal(a, b)
