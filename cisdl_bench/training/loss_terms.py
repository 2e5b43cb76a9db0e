"""The terms of the loss that an experiment's table ``[losses]`` weighs.

A new term is a function of a ``ForwardPass`` and an entry in ``LOSS_TERMS``. A term may need an
opponent, a network that learns beside the one that finds masks (paper, Algorithm 2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from cisdl_bench.models.networks.detection_network import DetectionNetwork
from cisdl_bench.models.networks.dmac_det import shrink_pictures, tampered_probability
from cisdl_bench.store.torch_view import Batch
from cisdl_bench.training.experiments import AdversarialSpec, Experiment
from cisdl_bench.training.feed import make_target
from cisdl_bench.training.kinds import SIDES
from cisdl_bench.training.losses import (
    DISCRIMINATIVE,
    detection_loss,
    generator_detection_loss,
    soft_dice,
    spatial_cross_entropy,
)

#: A network beside the one that finds masks, called with its inputs in the run's precision.
Call = Callable[..., Tensor]


@dataclass(frozen=True)
class ForwardPass:
    """What a term is computed from: one pass of the network that finds masks.

    Attributes:
        batch: Pictures, true masks and labels.
        logits: Logits of the probe's and of the donor's mask, (N, 2, h, w) or (N, 1, h, w).
        experiment: Experiment that is trained.
        opponents: Networks that learn beside the one that finds masks, by name.
    """

    batch: Batch
    logits: tuple[Tensor, Tensor]
    experiment: Experiment
    opponents: Mapping[str, Call]

    @property
    def adversarial(self) -> AdversarialSpec:
        """The experiment's table of that name."""
        assert self.experiment.adversarial is not None
        return self.experiment.adversarial

    @cached_property
    def pictures(self) -> list[Tensor]:
        """Probe and donor as opponents see them, float32, (N, 3, 32, 32)."""
        side, levels = DetectionNetwork.side, self.experiment.pictures
        return [shrink_pictures(self.batch[name], side, levels) for name in SIDES]

    @cached_property
    def generated(self) -> list[Tensor]:
        """Both masks as opponents see them, probabilities, (N, 1, 32, 32)."""
        return [tampered_probability(logits, DetectionNetwork.side) for logits in self.logits]

    @cached_property
    def truth(self) -> list[Tensor]:
        """Both true masks as opponents see them, 0 or 1, (N, 1, 32, 32)."""
        masks = []
        for name, generated in zip(SIDES, self.generated, strict=True):
            mask = make_target(self.batch[f"{name}_mask"], generated.shape[-1])
            masks.append(mask.unsqueeze(1).to(generated.dtype))
        return masks

    def ask_det(self, masks: list[Tensor]) -> Tensor:
        """Return Det's logits on the pictures times masks, (N, 2)."""
        probe, donor = (mask * pic for mask, pic in zip(masks, self.pictures, strict=True))
        return self.opponents["detection"](probe, donor)

    def ask_dis(self, masks: list[Tensor]) -> Tensor:
        """Return Dis' logits on both masks with their pictures, (2, N, 1)."""
        shown = []
        for mask, picture in zip(masks, self.pictures, strict=True):
            shown.append(torch.cat(((1 - mask) * picture, mask * picture), dim=1))
        return self.opponents["discriminative"](torch.cat(shown)).reshape(2, -1, 1)


@dataclass(frozen=True)
class LossTerm:
    """A term of the loss of the network that finds masks.

    Attributes:
        compute: Function that returns the term of a forward pass.
        column: Name of the loss in ``history.csv``.
        opponent: Opponent that the term needs, one of ``OPPONENTS``; empty where it needs none.
    """

    compute: Callable[[ForwardPass], Tensor]
    column: str
    opponent: str = ""


@dataclass(frozen=True)
class Opponent:
    """A network that learns beside the one that finds masks, of the same name in ``NETWORKS``.

    Attributes:
        compute: Function that returns the opponent's own loss of a forward pass.
        column: Name of the loss in ``history.csv``.
    """

    compute: Callable[[ForwardPass], Tensor]
    column: str


def _ce(step: ForwardPass) -> Tensor:
    """Return L_ce, equation (9)."""
    targets = [
        make_target(step.batch[f"{name}_mask"], logits.shape[-1])
        for name, logits in zip(SIDES, step.logits, strict=True)
    ]
    return spatial_cross_entropy(step.logits, targets)


def _dice(step: ForwardPass) -> Tensor:
    """Return the soft Dice loss of both masks; not in the paper."""
    return soft_dice(step.logits, [step.batch[f"{name}_mask"] for name in SIDES])


def _generator_det(step: ForwardPass) -> Tensor:
    """Return L_det^G, equation (11)."""
    return generator_detection_loss(step.ask_det(step.generated), step.batch["label"])


def _generator_dis(step: ForwardPass) -> Tensor:
    """Return L_dis^G, equation (13) or (15)."""
    loss, _ = DISCRIMINATIVE[step.adversarial.form]
    return loss(step.ask_dis(step.generated))


def _det(step: ForwardPass) -> Tensor:
    """Return L_det^D, equation (12)."""
    truth = step.ask_det(step.truth) if step.adversarial.ground_truth else None
    return detection_loss(truth, step.ask_det(step.generated), step.batch["label"])


def _dis(step: ForwardPass) -> Tensor:
    """Return L_dis^D, equation (14) or (16)."""
    _, loss = DISCRIMINATIVE[step.adversarial.form]
    return loss(step.ask_dis(step.truth), step.ask_dis(step.generated))


LOSS_TERMS: dict[str, LossTerm] = {
    "ce": LossTerm(_ce, "ce"),
    "det": LossTerm(_generator_det, "det_g", opponent="detection"),
    "dis": LossTerm(_generator_dis, "dis_g", opponent="discriminative"),
    "dice": LossTerm(_dice, "dice"),
}
OPPONENTS: dict[str, Opponent] = {
    "detection": Opponent(_det, "det_d"),
    "discriminative": Opponent(_dis, "dis_d"),
}


def find_opponents(experiment: Experiment) -> list[str]:
    """Return the names of the networks that an experiment's terms need beside its own."""
    needed = {LOSS_TERMS[name].opponent for name in experiment.losses}
    return [name for name in OPPONENTS if name in needed]


def history_columns() -> list[str]:
    """Return the names of all losses in ``history.csv``.

    >>> [name for name in history_columns() if name in ("loss", "ce", "det_d")]
    ['loss', 'ce', 'det_d']
    """
    terms = [term.column for term in LOSS_TERMS.values()]
    return ["loss", *terms, *(opponent.column for opponent in OPPONENTS.values())]
