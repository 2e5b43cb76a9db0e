"""One step of each stage on recording stand-ins: who is given what, what learns, what changes.

Expected inputs and losses are written anew in numpy; gradients are their numeric derivatives.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cisdl_bench.training.experiments import Experiment, OptimizerSpec, load_experiment
from cisdl_bench.training.loss_terms import find_opponents
from cisdl_bench.training.options import TrainOptions
from cisdl_bench.training.stages import make_stage

SIZE, SIDE = 64, 32
#: Of blue, green and red, protocol section 7.
MEAN = np.array([104.008, 116.669, 122.675]).reshape(1, 3, 1, 1)
SGD_LIKE = OptimizerSpec("adam", 1e-3)


class Recorder(nn.Module):
    """A network of one weight that remembers what it was called with."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.calls: list[tuple[Tensor, ...]] = []
        self.modes: list[tuple[bool, bool, bool]] = []

    def note(self, *seen: Tensor) -> None:
        self.calls.append(tuple(each.detach().clone() for each in seen))
        grad, cast = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
        self.modes.append((grad, cast, self.training))


class Matcher(Recorder):
    """Finds a picture's red: logit of 'tampered' is weight * (red / 255 - 0.4)."""

    def forward(self, probe: Tensor, donor: Tensor) -> tuple[Tensor, ...]:
        self.note(probe, donor)
        masks = []
        for picture in (probe, donor):
            red = functional.adaptive_avg_pool2d(picture[:, :1].float() / 255, SIDE)
            logit = self.weight * (red - 0.4)
            masks.append(torch.cat((torch.zeros_like(logit), logit), dim=1))
        return tuple(masks)


class Det(Recorder):
    """Says that a pair is related by weight * (2 * sum of the probe's - sum of the donor's)."""

    def forward(self, probe: Tensor, donor: Tensor) -> Tensor:
        self.note(probe, donor)
        score = self.weight * (2 * probe.mean((1, 2, 3)) - donor.mean((1, 2, 3))) / 50
        return torch.stack((torch.zeros_like(score), score), dim=1)


class Dis(Recorder):
    """Weighs the six channels it sees differently."""

    def forward(self, masked: Tensor) -> Tensor:
        self.note(masked)
        channels = torch.tensor([1.0, -2, 3, -1.5, 2.5, 0.5])
        return self.weight * (masked.mean((2, 3)) @ channels).unsqueeze(1) / 50


def batch(seed: int, n: int = 2) -> dict[str, Tensor]:
    """Pictures and masks of which no two are alike; every label occurs."""
    g = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 90, (2, n, 3, SIZE, SIZE), generator=g, dtype=torch.uint8)
    pictures += torch.randint(0, 160, (2, n, 3, 1, 1), generator=g, dtype=torch.uint8)
    masks = torch.zeros(2, n, SIZE, SIZE, dtype=torch.uint8)
    for k in range(n):
        masks[0, k, 3 + seed : 30, 5 : 40 + k] = 1
        masks[1, k, 20:60, 10 + seed : 33 + 3 * k] = 1
    label = torch.tensor([1, 0] * n)[:n]
    return {
        "probe": pictures[0],
        "donor": pictures[1],
        "probe_mask": masks[0],
        "donor_mask": masks[1],
        "known": torch.ones(n, 2, dtype=torch.bool),
        "label": label,
        "kind": label,
        "index": torch.arange(n),
    }


# What each should be given, in numpy


def pooled(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels."""
    *rest, h, w = values.shape
    return values.reshape(*rest, h // 2, 2, w // 2, 2).mean((-1, -3))


def shown(of: dict[str, Tensor], side: str, levels: str = "bgr-minus-mean") -> np.ndarray:
    bgr = pooled(of[side].numpy().astype(float))[:, ::-1]
    return bgr / 127.5 - 1 if levels == "-1..1" else bgr - MEAN


def truth(of: dict[str, Tensor], side: str) -> np.ndarray:
    share = pooled(of[f"{side}_mask"].numpy().astype(float))
    return (share >= 0.5).astype(float)[:, None]


def generated(of: dict[str, Tensor], side: str, weight: float) -> np.ndarray:
    red = pooled(of[side].numpy()[:, :1].astype(float)) / 255
    return 1 / (1 + np.exp(-weight * (red - 0.4)))


def cross_entropy(of: dict[str, Tensor], weight: float) -> float:
    total = 0.0
    for side in ("probe", "donor"):
        p, t = generated(of, side, weight), truth(of, side)
        total -= float((t * np.log(p) + (1 - t) * np.log(1 - p)).mean())
    return total


def det_loss(of: dict[str, Tensor], masks: dict[str, np.ndarray], weight: float) -> float:
    """Cross-entropy of Det's answer, as ``Det`` computes it."""
    seen = {side: (masks[side] * shown(of, side)).mean((1, 2, 3)) for side in masks}
    score = weight * (2 * seen["probe"] - seen["donor"]) / 50
    label = of["label"].numpy()
    return float(np.log1p(np.exp(np.where(label == 1, -score, score))).mean())


def dis_scores(of: dict[str, Tensor], masks: dict[str, np.ndarray], weight: float) -> np.ndarray:
    """Dis' answers for both pictures, (2, N), as ``Dis`` computes them."""
    channels = np.array([1.0, -2, 3, -1.5, 2.5, 0.5])
    found = []
    for side, mask in masks.items():
        picture = shown(of, side)
        six = np.concatenate(((1 - mask) * picture, mask * picture), axis=1)
        found.append(weight * (six.mean((2, 3)) @ channels) / 50)
    return np.stack(found)


def derivative(of: Any, at: float, h: float = 1e-5) -> float:
    return (of(at + h) - of(at - h)) / (2 * h)


# Running a step


class Watched:
    """A stage on stand-ins, and what every optimizer found when it was asked to step."""

    def __init__(self, experiment: Experiment, **options: Any) -> None:
        self.networks: dict[str, Recorder] = {"network": Matcher(1.5)}
        beside = ["detection"] if experiment.stage == "detection" else find_opponents(experiment)
        stand_ins = {"detection": Det(0.7), "discriminative": Dis(-0.6)}
        self.networks |= {name: stand_ins[name] for name in beside}
        for network in self.networks.values():
            network.eval()  # a stage puts them into the mode it needs
        self.stage = make_stage(self.networks, experiment, TrainOptions(**options))
        #: Each update in order: whose, every network's gradient, and every network's weight.
        self.updates: list[tuple[str, dict[str, float | None], dict[str, float]]] = []
        for name, learner in self.stage.learners.items():
            learner.optimizer.register_step_pre_hook(lambda *_, name=name: self.note(name))

    def weights(self) -> dict[str, float]:
        return {name: each.weight.item() for name, each in self.networks.items()}

    def note(self, name: str) -> None:
        grads = {
            key: None if each.weight.grad is None else float(each.weight.grad)
            for key, each in self.networks.items()
        }
        self.updates.append((name, grads, self.weights()))

    def step(self, **feeds: list[dict[str, Tensor]]) -> dict[str, float]:
        self.taken: dict[str, Iterator[dict[str, Tensor]]] = {k: iter(v) for k, v in feeds.items()}
        terms = self.stage.step(self.taken)
        assert all(next(each, None) is None for each in self.taken.values())
        return {name: float(value) for name, value in terms.items()}


def close(found: Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found.double().numpy(), expected, rtol=1e-5, atol=1e-4)


def adversarial(**changes: Any) -> Experiment:
    """Weights so large that the gradient of each loss shows in DMAC's."""
    of = load_experiment("dmac-adv")
    assert of.adversarial is not None
    levels = changes.pop("pictures", of.pictures)
    losses = {"ce": 1.0, "det": 3.0, "dis": 2.0}
    for name in changes.pop("without", ()):
        del losses[name]
    inner = replace(of.adversarial, **changes)
    return replace(of, losses=losses, adversarial=inner, optimizer=SGD_LIKE, pictures=levels)


A, B = batch(0), batch(1)


def test_what_det_and_dis_are_given() -> None:
    """Algorithm 2: first a batch of their own, true then generated masks; then DMAC's batch."""
    watched = Watched(adversarial())
    watched.step(opponents=[A], pairs=[B])
    matcher, det, dis = watched.networks.values()
    assert [
        [torch.equal(x, y) for x, y in zip(c, (a["probe"], a["donor"]), strict=True)]
        for c, a in zip(matcher.calls, (A, B), strict=True)
    ] == [[True, True]] * 2
    assert [grad for grad, _, _ in matcher.modes] == [False, True]
    cases = [
        (A, {side: truth(A, side) for side in ("probe", "donor")}),
        (A, {side: generated(A, side, 1.5) for side in ("probe", "donor")}),
        (B, {side: generated(B, side, 1.5) for side in ("probe", "donor")}),
    ]
    assert len(det.calls) == len(dis.calls) == 3
    for (of, masks), to_det, (to_dis,) in zip(cases, det.calls, dis.calls, strict=True):
        pictures = {side: shown(of, side) for side in masks}
        for side, seen in zip(masks, to_det, strict=True):
            close(seen, masks[side] * pictures[side])
        both = [
            np.concatenate(((1 - mask) * pictures[side], mask * pictures[side]), axis=1)
            for side, mask in masks.items()
        ]
        close(to_dis, np.concatenate(both))
    for network in watched.networks.values():
        assert all(training for _, _, training in network.modes)


def test_levels_of_minus_1_to_1() -> None:
    watched = Watched(adversarial(pictures="-1..1"))
    watched.step(opponents=[A], pairs=[B])
    probe, donor = watched.networks["detection"].calls[0]
    close(probe, truth(A, "probe") * shown(A, "probe", "-1..1"))
    close(donor, truth(A, "donor") * shown(A, "donor", "-1..1"))
    assert float(probe.min()) >= -1


@pytest.mark.parametrize("form", ["bce", "hinge"])
def test_who_has_which_gradient(form: str) -> None:
    watched = Watched(adversarial(form=form))
    before = watched.weights()
    terms = watched.step(opponents=[A], pairs=[B])
    first, second, third = watched.updates
    assert [first[0], second[0], third[0]] == ["detection", "discriminative", "network"]
    # DMAC has none while Det and Dis learn, and they have none while DMAC does.
    assert first[1]["network"] is None
    assert second[1]["network"] is None
    assert third[1]["detection"] is None
    assert third[1]["discriminative"] is None
    masks = {
        "true": {side: truth(A, side) for side in ("probe", "donor")},
        "made": {side: generated(A, side, 1.5) for side in ("probe", "donor")},
    }

    def of_det(w: float) -> float:
        return det_loss(A, masks["true"], w) + det_loss(A, masks["made"], w)

    def of_dis(w: float) -> float:
        true, made = (dis_scores(A, masks[name], w) for name in ("true", "made"))
        if form == "bce":
            both = np.log1p(np.exp(-true)) + np.log1p(np.exp(made))
        else:
            both = np.maximum(0, 1 - true) + np.maximum(0, 1 + made)
        return float(both.mean(axis=1).sum())

    assert first[1]["detection"] == pytest.approx(derivative(of_det, 0.7), rel=1e-3)
    assert second[1]["discriminative"] == pytest.approx(derivative(of_dis, -0.6), rel=1e-3)
    # When DMAC learns, Det and Dis are as they were just updated.
    after = third[2]
    assert after["detection"] != before["detection"]
    assert after["discriminative"] != before["discriminative"]
    assert after["network"] == before["network"]

    def parts(w: float) -> tuple[float, float, float]:
        made = {side: generated(B, side, w) for side in ("probe", "donor")}
        scores = dis_scores(B, made, after["discriminative"])
        dis = np.log1p(np.exp(-scores)) if form == "bce" else -scores
        det = det_loss(B, made, after["detection"])
        return cross_entropy(B, w), det, float(dis.mean(axis=1).sum())

    def of_dmac(w: float) -> float:
        ce, det, dis = parts(w)
        return ce + 3 * det + 2 * dis

    assert third[1]["network"] == pytest.approx(derivative(of_dmac, 1.5), rel=1e-3)
    # Each of the three terms is felt.
    for k, weight in enumerate((1, 3, 2)):
        share = weight * derivative(lambda w, k=k: parts(w)[k], 1.5)
        assert abs(share) > 1e-2 * abs(third[1]["network"])
    ce, det, dis = parts(1.5)
    expected = {"ce": ce, "det_g": det, "dis_g": dis, "loss": ce + 3 * det + 2 * dis}
    expected |= {"det_d": of_det(0.7), "dis_d": of_dis(-0.6)}
    assert terms == pytest.approx(expected, rel=1e-4)
    now = watched.weights()
    assert now["network"] != before["network"]
    assert {k: now[k] for k in ("detection", "discriminative")} == {
        k: after[k] for k in ("detection", "discriminative")
    }
    for network in watched.networks.values():
        assert network.weight.grad is None
        assert network.weight.requires_grad


def test_without_ground_truth_det_sees_generated_masks_alone() -> None:
    watched = Watched(adversarial(ground_truth=False, without=["dis"]))
    terms = watched.step(opponents=[A], pairs=[B])
    det = watched.networks["detection"]
    assert len(det.calls) == 2
    close(det.calls[0][0], generated(A, "probe", 1.5) * shown(A, "probe"))
    made = {side: generated(A, side, 1.5) for side in ("probe", "donor")}
    assert terms["det_d"] == pytest.approx(det_loss(A, made, 0.7), rel=1e-4)
    assert set(terms) == {"loss", "ce", "det_g", "det_d"}


def test_k_updates_of_the_opponents_for_each_of_dmacs() -> None:
    watched = Watched(adversarial(steps=3, without=["det"]))
    terms = watched.step(opponents=[A, B, A], pairs=[B])
    assert [name for name, _, _ in watched.updates] == ["discriminative"] * 3 + ["network"]
    weights = [weights["discriminative"] for _, _, weights in watched.updates]
    assert len(set(weights)) == 4
    assert watched.stage.feeds == {"opponents": 3, "pairs": 1}
    masks = [
        {s: f(s) for s in ("probe", "donor")}
        for f in (lambda s: truth(A, s), lambda s: generated(A, s, 1.5))
    ]
    true, made = (dis_scores(A, each, weights[2]) for each in masks)
    last = (np.log1p(np.exp(-true)) + np.log1p(np.exp(made))).mean(axis=1).sum()
    assert terms["dis_d"] == pytest.approx(last, rel=1e-4)  # of the last update, not of all


def test_cross_entropy_alone() -> None:
    watched = Watched(replace(load_experiment("dmac"), optimizer=SGD_LIKE))
    terms = watched.step(pairs=[A])
    (call,) = watched.networks["network"].calls
    assert torch.equal(call[0], A["probe"])
    assert torch.equal(call[1], A["donor"])
    assert terms == {"loss": pytest.approx(cross_entropy(A, 1.5), rel=1e-5)}
    ((_, grads, _),) = watched.updates
    expected = derivative(lambda w: cross_entropy(A, w), 1.5)
    assert grads["network"] == pytest.approx(expected, rel=1e-4)


def test_tuning_det_on_generated_masks_with_dmac_fixed() -> None:
    watched = Watched(replace(load_experiment("adv-det-dagger"), optimizer=SGD_LIKE))
    terms = watched.step(pairs=[A])
    matcher, det = watched.networks["network"], watched.networks["detection"]
    assert matcher.modes == [(False, False, False)]  # no gradient, in evaluation mode
    assert det.modes == [(True, False, True)]
    made = {side: generated(A, side, 1.5) for side in ("probe", "donor")}
    for side, seen in zip(made, det.calls[0], strict=True):
        close(seen, made[side] * shown(A, side))
    assert terms["loss"] == pytest.approx(det_loss(A, made, 0.7), rel=1e-4)
    ((_, grads, _),) = watched.updates
    assert grads["network"] is None
    expected = derivative(lambda w: det_loss(A, made, w), 0.7)
    assert grads["detection"] == pytest.approx(expected, rel=1e-3)
    assert watched.weights()["network"] == 1.5


@pytest.mark.parametrize("name", ["dmac", "dmac-adv", "adv-det-dagger"])
def test_pieces_give_the_mean_gradient_of_the_pieces(name: str) -> None:
    """Two pieces of two pairs, against one batch of all four: these have no batch statistics."""
    of = adversarial() if name == "dmac-adv" else replace(load_experiment(name), optimizer=SGD_LIKE)
    joined = {key: torch.cat((A[key], B[key])) for key in A}
    one, two = Watched(of), Watched(of, pieces=2)
    feeds = ("opponents", "pairs") if name == "dmac-adv" else ("pairs",)
    whole = one.step(**{feed: [joined] for feed in feeds})
    parts = two.step(**{feed: [A, B] for feed in feeds})
    assert parts == pytest.approx(whole, rel=1e-4)
    assert [name for name, _, _ in one.updates] == [name for name, _, _ in two.updates]
    for (_, a, _), (_, b, _) in zip(one.updates, two.updates, strict=True):
        assert b == {k: v if v is None else pytest.approx(v, rel=1e-3) for k, v in a.items()}


@pytest.mark.parametrize("name", ["dmac", "dmac-adv", "adv-det-dagger"])
def test_bf16_is_for_forward_passes_alone(name: str) -> None:
    of = adversarial() if name == "dmac-adv" else load_experiment(name)
    watched = Watched(of, precision="bf16")
    feeds = {"opponents": [A], "pairs": [B]} if name == "dmac-adv" else {"pairs": [A]}
    terms = watched.stage.step({key: iter(value) for key, value in feeds.items()})
    assert all(cast for each in watched.networks.values() for _, cast, _ in each.modes)
    assert all(value.dtype == torch.float32 for value in terms.values())


def test_optimizers_are_the_papers() -> None:
    """Section IV-B: Adadelta with PyTorch's defaults; Adam 1e-5 and 2e-4, betas 0.5, 0.999."""
    first = Watched(load_experiment("dmac")).stage.learners["network"].optimizer
    assert isinstance(first, torch.optim.Adadelta)
    group = first.param_groups[0]
    assert (group["lr"], group["rho"], group["eps"], group["weight_decay"]) == (1.0, 0.9, 1e-6, 0)
    learners = Watched(load_experiment("dmac-adv")).stage.learners
    rates = {name: each.optimizer.param_groups[0]["lr"] for name, each in learners.items()}
    assert rates == {"network": 1e-5, "detection": 2e-4, "discriminative": 2e-4}
    for each in learners.values():
        assert isinstance(each.optimizer, torch.optim.Adam)
        assert each.optimizer.param_groups[0]["betas"] == (0.5, 0.999)
    plain = Watched(replace(load_experiment("dmac"), optimizer=SGD_LIKE)).stage.learners["network"]
    assert plain.optimizer.param_groups[0]["betas"] == (0.9, 0.999)


def test_frozen_weights_have_no_optimizer() -> None:
    network = Matcher(1.0)
    network.extra = nn.Parameter(torch.zeros(3), requires_grad=False)
    stage = make_stage({"network": network}, load_experiment("dmac"), TrainOptions())
    (group,) = stage.learners["network"].optimizer.param_groups
    assert [p is network.weight for p in group["params"]] == [True]
