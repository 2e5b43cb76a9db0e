"""One training step: masks by themselves or against opponents, a head alone, and tuning Det."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from cisdl_bench.store.torch_view import Batch
from cisdl_bench.training.experiments import Experiment, OptimizerSpec
from cisdl_bench.training.learner import Learner, autocast, average_statistics
from cisdl_bench.training.loss_terms import LOSS_TERMS, OPPONENTS, Call, ForwardPass, find_opponents
from cisdl_bench.training.losses import detection_loss, weighted_sum
from cisdl_bench.training.options import TrainOptions

Losses = dict[str, Tensor]


class Stage(Protocol):
    """What a training run goes through.

    Attributes:
        learners: Networks that learn, by the name that their weights are kept under.
        frozen: Networks that it uses and leaves as they are, by name.
        feeds: Names of the orders that its batches come from, and how many batches a step takes.
    """

    learners: dict[str, Learner]
    frozen: dict[str, nn.Module]
    feeds: dict[str, int]

    def step(self, batches: Mapping[str, Iterator[Batch]]) -> Losses:
        """Make one step; return its losses by name, detached, averaged over its pieces."""
        ...


class MaskStage:
    """The network that finds masks learns: by itself, or against opponents.

    By itself it is stage 1 (section IV-B). Against Det and Dis it is stage 2, Algorithm 2. Line 2
    to 7: ``steps`` times, a batch of its own updates Det by equation (12) and Dis by (14) or (16).
    Line 8 to 10: another batch updates DMAC by equation (8). The release takes one batch for both.
    """

    def __init__(
        self, networks: Mapping[str, nn.Module], experiment: Experiment, options: TrainOptions
    ) -> None:
        self._experiment, self._options = experiment, options
        self._opponents = find_opponents(experiment)
        self.learners = {"network": Learner(networks["network"], experiment.optimizer, options)}
        self.frozen: dict[str, nn.Module] = {}
        self.feeds = {"pairs": 1}
        spec = experiment.adversarial
        if spec is not None:
            optimizer = OptimizerSpec("adam", spec.learning_rate, spec.betas)
            for name in self._opponents:
                self.learners[name] = Learner(networks[name], optimizer, options)
            self.feeds = {"opponents": spec.steps, "pairs": 1}

    def step(self, batches: Mapping[str, Iterator[Batch]]) -> Losses:
        """Make one step; of Algorithm 2 where there are opponents."""
        opponents = [self.learners[name] for name in self._opponents]
        losses: Losses = {}
        for _ in range(self.feeds.get("opponents", 0)):
            means = _Means(self._options.pieces)
            for number in range(self._options.pieces):
                with self._statistics(number):
                    self._teach_opponents(next(batches["opponents"]), number, means)
            for learner in opponents:
                learner.step()
            losses = means.values  # of the last update
        for learner in opponents:
            learner.network.requires_grad_(False)
        means = _Means(self._options.pieces)
        for number in range(self._options.pieces):
            with self._statistics(number):
                self._teach_network(next(batches["pairs"]), number, means)
        for learner in opponents:
            learner.network.requires_grad_(True)
        self.learners["network"].step()
        average_statistics(self.learners.values())
        return {**losses, **means.values}

    def _statistics(self, number: int) -> ExitStack:
        """Return the context of one piece: every network that is called updates its statistics."""
        stack = ExitStack()
        for learner in self.learners.values():
            stack.enter_context(learner.statistics.piece(number))
        return stack

    def _forward(self, batch: Batch, network: nn.Module, opponents: dict[str, Call]) -> ForwardPass:
        with autocast(self._options):
            logits = network(batch["probe"], batch["donor"])
        return ForwardPass(batch, logits, self._experiment, opponents)

    def _teach_opponents(self, batch: Batch, number: int, means: "_Means") -> None:
        calls = {name: self._cast(self.learners[name].call) for name in self._opponents}
        with torch.no_grad():
            forward = self._forward(batch, self.learners["network"].network, calls)
        for name in self._opponents:
            learner, opponent = self.learners[name], OPPONENTS[name]
            with learner.piece(number):
                loss = opponent.compute(forward)
                means.add(opponent.column, loss)
                learner.backward(loss)

    def _teach_network(self, batch: Batch, number: int, means: "_Means") -> None:
        learner = self.learners["network"]
        # Not what processes exchange gradients through: opponents do not learn here.
        calls = {name: self._cast(self.learners[name].network) for name in self._opponents}
        with learner.piece(number):
            forward = self._forward(batch, learner.call, calls)
            learner.backward(compute_loss(forward, means))

    def _cast(self, network: nn.Module) -> Call:
        def call(*inputs: Tensor) -> Tensor:
            with autocast(self._options):
                answer: Tensor = network(*inputs)
            return answer

        return call


def compute_loss(forward: ForwardPass, means: "_Means") -> Tensor:
    """Return the experiment's loss of a forward pass, and note it and its terms."""
    weights = forward.experiment.losses
    terms = {name: term.compute(forward) for name, term in LOSS_TERMS.items() if name in weights}
    loss = weighted_sum(terms, weights)
    if len(terms) > 1:
        for name, term in terms.items():
            means.add(LOSS_TERMS[name].column, term)
    means.add("loss", loss)
    return loss


class HeadStage:
    """The network's head learns from maps that are known: its features are frozen.

    Batches come from ``FrozenDataset``, with ``maps`` instead of pictures.
    """

    def __init__(
        self, networks: Mapping[str, nn.Module], experiment: Experiment, options: TrainOptions
    ) -> None:
        network: Any = networks["network"].eval()
        self.frozen: dict[str, nn.Module] = {"network": network}
        learner = Learner(network.head, experiment.optimizer, options)
        self.learners = {"head": learner}
        self.feeds = {"pairs": 1}
        self._experiment, self._options = experiment, options

    def step(self, batches: Mapping[str, Iterator[Batch]]) -> Losses:
        """Make one step."""
        learner, means = self.learners["head"], _Means(self._options.pieces)
        for number in range(self._options.pieces):
            batch = next(batches["pairs"])
            with learner.statistics.piece(number), learner.piece(number):
                probe, donor = batch["maps"].float().unbind(dim=1)
                maps = torch.cat((probe, donor)).contiguous(memory_format=torch.channels_last)
                with autocast(self._options):
                    logits = learner.call(maps).chunk(2)
                forward = ForwardPass(batch, logits, self._experiment, {})
                learner.backward(compute_loss(forward, means))
        learner.step()
        average_statistics(self.learners.values())
        return means.values


class DetectionStage:
    """DMAC-adv-det-dagger (section IV-D): Det tuned on generated masks alone, DMAC fixed."""

    def __init__(
        self, networks: Mapping[str, nn.Module], experiment: Experiment, options: TrainOptions
    ) -> None:
        self.frozen = {"network": networks["network"].eval()}
        learner = Learner(networks["detection"], experiment.optimizer, options)
        self.learners = {"detection": learner}
        self.feeds = {"pairs": 1}
        self._experiment, self._options = experiment, options

    def step(self, batches: Mapping[str, Iterator[Batch]]) -> Losses:
        """Make one step."""
        det, means = self.learners["detection"], _Means(self._options.pieces)
        for number in range(self._options.pieces):
            batch = next(batches["pairs"])
            with det.statistics.piece(number), det.piece(number):
                with autocast(self._options):
                    with torch.no_grad():
                        logits = self.frozen["network"](batch["probe"], batch["donor"])
                    calls: dict[str, Call] = {"detection": det.call}
                    forward = ForwardPass(batch, logits, self._experiment, calls)
                    scores = forward.ask_det(forward.generated)
                loss = detection_loss(None, scores, batch["label"])
                means.add("loss", loss)
                det.backward(loss)
        det.step()
        average_statistics(self.learners.values())
        return means.values


STAGES: dict[str, type[MaskStage | DetectionStage]] = {
    "cross-entropy": MaskStage,
    "adversarial": MaskStage,
    "detection": DetectionStage,
}


def make_stage(
    networks: Mapping[str, nn.Module], experiment: Experiment, options: TrainOptions
) -> Stage:
    """Return the experiment's stage on networks by their names, each on its device."""
    if experiment.freeze:
        return HeadStage(networks, experiment, options)
    return STAGES[experiment.stage](networks, experiment, options)


class _Means:
    """A step's losses, averaged over its pieces."""

    def __init__(self, pieces: int) -> None:
        self._sums: Losses = {}
        self._pieces = pieces

    def add(self, name: str, loss: Tensor) -> None:
        detached = loss.detach()
        self._sums[name] = self._sums[name] + detached if name in self._sums else detached

    @property
    def values(self) -> Losses:
        return {name: total / self._pieces for name, total in self._sums.items()}
