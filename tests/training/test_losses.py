"""Equations (8) to (16) against cases computed by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from cisdl_bench.training import losses


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def two(*chances: float) -> Tensor:
    """Logits (N, 2) under which class 1 has these chances."""
    return torch.tensor([[0.0, logit(p)] for p in chances])


def test_cross_entropy_of_two_masks() -> None:
    """Two positions a mask; the true classes have chances 0.5, 0.8 and 0.25, 0.9."""
    probe = torch.tensor([[[[0.0, 0.0]], [[logit(0.5), logit(0.8)]]]])
    donor = torch.tensor([[[[0.0, 0.0]], [[logit(0.75), logit(0.9)]]]])
    targets = [torch.tensor([[[1, 1]]]), torch.tensor([[[0, 1]]])]
    expected = -(math.log(0.5) + math.log(0.8)) / 2 - (math.log(0.25) + math.log(0.9)) / 2
    assert losses.spatial_cross_entropy([probe, donor], targets).item() == pytest.approx(expected)
    one = [x[:, 1:] for x in (probe, donor)]  # one channel, against 0
    assert losses.spatial_cross_entropy(one, targets).item() == pytest.approx(expected)


def test_detection_losses() -> None:
    """Pair 1 is related, pair 2 is not."""
    label = torch.tensor([1, 0])
    generated, truth = two(0.5, 0.2), two(0.9, 0.4)
    of_generated = -(math.log(0.5) + math.log(0.8)) / 2
    of_truth = -(math.log(0.9) + math.log(0.6)) / 2
    assert losses.generator_detection_loss(generated, label).item() == pytest.approx(of_generated)
    both = losses.detection_loss(truth, generated, label).item()
    assert both == pytest.approx(of_generated + of_truth)
    assert losses.detection_loss(None, generated, label).item() == pytest.approx(of_generated)


#: Of two pictures of two pairs: chances of 'true' that Dis gives.
TRUE, FAKE = ((0.9, 0.8), (0.7, 0.6)), ((0.3, 0.2), (0.1, 0.5))


def scores(chances: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.tensor([[[logit(p)] for p in pair] for pair in chances])


def test_bce_losses() -> None:
    of_dmac = -sum((math.log(a) + math.log(b)) / 2 for a, b in FAKE)
    assert losses.generator_bce_loss(scores(FAKE)).item() == pytest.approx(of_dmac)
    of_dis = -sum((math.log(a) + math.log(b)) / 2 for a, b in TRUE)
    of_dis -= sum((math.log(1 - a) + math.log(1 - b)) / 2 for a, b in FAKE)
    found = losses.discriminator_bce_loss(scores(TRUE), scores(FAKE)).item()
    assert found == pytest.approx(of_dis)


def test_hinge_losses() -> None:
    true = torch.tensor([[[2.0], [0.5]], [[1.0], [-1.0]]])
    fake = torch.tensor([[[-3.0], [0.0]], [[-0.5], [1.0]]])
    assert losses.generator_hinge_loss(fake).item() == pytest.approx(-(-3 / 2 + 0.5 / 2))
    of_true = (0 + 0.5) / 2 + (0 + 2) / 2
    of_fake = (0 + 1) / 2 + (0.5 + 2) / 2
    assert losses.discriminator_hinge_loss(true, fake).item() == pytest.approx(of_true + of_fake)


def test_the_multi_task_loss_weighs() -> None:
    ce, det, dis = (torch.tensor(v, requires_grad=True) for v in (1.0, 2.0, 4.0))
    loss = losses.weighted_sum(
        {"ce": ce, "det": det, "dis": dis}, {"ce": 1.0, "det": 0.01, "dis": 0.1}
    )
    assert loss.item() == pytest.approx(1.42)
    loss.backward()
    assert [x.grad.item() for x in (ce, det, dis)] == pytest.approx([1, 0.01, 0.1])


def test_a_certain_answer_costs_no_infinity() -> None:
    sure = torch.full((2, 1, 1), 200.0)
    assert losses.generator_bce_loss(-sure).item() == pytest.approx(400)
    assert losses.discriminator_bce_loss(sure, -sure).item() == 0


def test_soft_dice_is_that_of_the_masks_that_have_a_region() -> None:
    numbers = np.random.default_rng(0)
    logits = [torch.from_numpy(numbers.normal(size=(3, 2, 4, 4))) for _ in range(2)]
    masks = [torch.from_numpy(numbers.integers(0, 2, (3, 16, 16), dtype=np.uint8)) for _ in "ab"]
    masks[0][1] = 0
    expected = []
    for logit, mask in zip(logits, masks, strict=True):
        difference = (logit[:, 1] - logit[:, 0]).numpy()
        for one, true in zip(difference, mask.numpy(), strict=True):
            if not true.any():
                continue
            share = true.reshape(8, 2, 8, 2).mean(axis=(1, 3))
            at = np.linspace(0, 3, 8)  # align_corners: corners stay, straight lines between
            rows = np.array([np.interp(at, range(4), column) for column in one.T]).T
            fine = np.array([np.interp(at, range(4), row) for row in rows])
            p = 1 / (1 + np.exp(-fine))
            expected.append(1 - (2 * (p * share).sum() + 1) / (p.sum() + share.sum() + 1))
    assert len(expected) == 5
    assert float(losses.soft_dice(logits, masks)) == pytest.approx(np.mean(expected), abs=1e-5)


def test_soft_dice_of_no_region_is_0_and_has_a_gradient() -> None:
    logit = torch.zeros(2, 1, 2, 2, requires_grad=True)
    loss = losses.soft_dice([logit], [torch.zeros(2, 4, 4, dtype=torch.uint8)])
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(logit.grad, torch.zeros_like(logit))
