"""One training step of each stage: cross-entropy, the adversarial one, tuning Det."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from inspect import signature
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from cisdl_bench.models.networks.detection_network import DetectionNetwork
from cisdl_bench.models.networks.discriminative_network import DiscriminativeNetwork
from cisdl_bench.models.networks.dmac_det import shrunk_pictures, tampered_probability
from cisdl_bench.store.torch_view import Batch
from cisdl_bench.training.experiments import AdversarialSpec, Experiment, OptimizerSpec
from cisdl_bench.training.feed import SIDES, target
from cisdl_bench.training.losses import (
    DISCRIMINATIVE,
    detection_loss,
    detection_loss_of_dmac,
    multi_task_loss,
    spatial_cross_entropy,
)
from cisdl_bench.training.statistics import Statistics

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Computing:
    """How a stage computes.

    Attributes:
        device: Torch device, such as ``cpu`` or ``cuda:0``.
        precision: ``fp32``, or ``bf16``: autocast; losses are always float32.
        pieces: Number of pieces of each batch, whose gradients are added up.
        compile: Whether networks are compiled.
        distributed: Whether gradients are averaged over processes.
    """

    device: str = "cpu"
    precision: str = "fp32"
    pieces: int = 1
    compile: bool = False
    distributed: bool = False

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context that forward passes run in."""
        kind = torch.device(self.device).type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=self.precision == "bf16")


class Learner:
    """A network that learns: its optimizer, and its gradients over pieces and processes.

    Args:
        network: A network on its device.
        spec: Name and settings of its optimizer.
        computing: Precision, pieces and processes.

    Attributes:
        network: The network, in training mode.
        optimizer: What updates its weights.
        statistics: Its running statistics, averaged over pieces and processes.
        call: What a forward pass calls whose gradients the processes exchange.
    """

    def __init__(self, network: nn.Module, spec: OptimizerSpec, computing: Computing) -> None:
        self.network = network.train()
        self.optimizer = _optimizer(network, spec)
        call: Any = torch.compile(network) if computing.compile else network
        self.parallel = None
        self.statistics = Statistics(network, computing.pieces)
        if computing.distributed:
            self.parallel = nn.parallel.DistributedDataParallel(
                call, gradient_as_bucket_view=True, **_OWN_BUFFERS
            )
        self.call: nn.Module = self.parallel or call
        self._pieces = computing.pieces

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of one piece."""
        (loss / self._pieces).backward()  # type: ignore[no-untyped-call]

    def piece(self, number: int) -> AbstractContextManager[Any]:
        """Return the context of one piece: processes exchange gradients after the last."""
        if self.parallel is not None and number < self._pieces - 1:
            return self.parallel.no_sync()
        return nullcontext()

    def step(self) -> None:
        """Update the weights, and forget the gradients."""
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


_FORWARD = "forward_sync_buffers"  # torch 2.13's name of what was broadcast_buffers
_PARALLEL = signature(nn.parallel.DistributedDataParallel.__init__).parameters
#: Batch statistics are each process's own during a step, as each piece's are.
_OWN_BUFFERS: dict[str, Any] = {_FORWARD if _FORWARD in _PARALLEL else "broadcast_buffers": False}


def _average_statistics(learners: Mapping[str, Learner]) -> None:
    for learner in learners.values():
        if learner.parallel is not None:
            learner.statistics.average()


def _optimizer(network: nn.Module, spec: OptimizerSpec) -> torch.optim.Optimizer:
    parameters = [p for p in network.parameters() if p.requires_grad]
    if spec.name == "adadelta":
        return torch.optim.Adadelta(parameters, lr=spec.learning_rate)
    betas = (spec.betas[0], spec.betas[1]) if spec.betas else (0.9, 0.999)
    return torch.optim.Adam(parameters, lr=spec.learning_rate, betas=betas)


class Stage(Protocol):
    """What a training run goes through.

    Attributes:
        learners: By the name that their weights are kept under.
        frozen: Networks that it uses and leaves as they are, by name.
        feeds: Names of the orders that its batches come from, and how many batches a step takes.
    """

    learners: dict[str, Learner]
    frozen: dict[str, nn.Module]
    feeds: dict[str, int]

    def step(self, batches: Mapping[str, Iterator[Batch]]) -> Terms:
        """Make one step; return its losses by name, detached, averaged over its pieces."""
        ...


class CrossEntropyStage:
    """Stage 1 (section IV-B): equation (9) alone."""

    def __init__(self, network: nn.Module, experiment: Experiment, computing: Computing) -> None:
        self.learners = {"network": Learner(network, experiment.optimizer, computing)}
        self.frozen: dict[str, nn.Module] = {}
        self.feeds = {"pairs": 1}
        self._computing = computing

    def step(self, batches: Mapping[str, Iterator[Batch]]) -> Terms:
        """Make one step."""
        learner, terms = self.learners["network"], _Terms(self._computing.pieces)
        for number in range(self._computing.pieces):
            batch = next(batches["pairs"])
            with learner.statistics.piece(number), learner.piece(number):
                with self._computing.autocast():
                    logits = learner.call(batch["probe"], batch["donor"])
                loss = spatial_cross_entropy(logits, _targets(batch, logits))
                terms.add(loss=loss)
                learner.backward(loss)
        learner.step()
        _average_statistics(self.learners)
        return terms.mean


class AdversarialStage:
    """Stage 2: Algorithm 2, with Det and Dis as the experiment has them.

    Line 2 to 7: ``steps`` times, a batch of its own updates Det by equation (12) and Dis by (14)
    or (16). Line 8 to 10: another batch updates DMAC by equation (8). The release takes one batch
    for both.
    """

    def __init__(
        self, networks: Mapping[str, nn.Module], experiment: Experiment, computing: Computing
    ) -> None:
        assert experiment.adversarial is not None
        self.spec: AdversarialSpec = experiment.adversarial
        opponent = OptimizerSpec("adam", self.spec.learning_rate, self.spec.betas)
        specs = {"network": experiment.optimizer, "detection": opponent, "discriminative": opponent}
        self.learners = {
            name: Learner(network, specs[name], computing) for name, network in networks.items()
        }
        self.frozen: dict[str, nn.Module] = {}
        self.feeds = {"opponents": self.spec.steps, "pairs": 1}
        self._computing = computing
        self._pictures = experiment.pictures
        self._opponents = [learner for name, learner in self.learners.items() if name != "network"]

    def step(self, batches: Mapping[str, Iterator[Batch]]) -> Terms:
        """Make one step of Algorithm 2."""
        terms = _Terms(self._computing.pieces)
        for _ in range(self.spec.steps):
            last = _Terms(self._computing.pieces)
            for number in range(self._computing.pieces):
                with self._statistics(number):
                    self._teach_opponents(next(batches["opponents"]), number, last)
            for learner in self._opponents:
                learner.step()
        terms.total.update(last.total)
        for learner in self._opponents:
            learner.network.requires_grad_(False)
        for number in range(self._computing.pieces):
            with self._statistics(number):
                self._teach_dmac(next(batches["pairs"]), number, terms)
        for learner in self._opponents:
            learner.network.requires_grad_(True)
        self.learners["network"].step()
        _average_statistics(self.learners)
        return terms.mean

    def _statistics(self, number: int) -> ExitStack:
        """Return the context of one piece: every network that is called updates its statistics."""
        stack = ExitStack()
        for learner in self.learners.values():
            stack.enter_context(learner.statistics.piece(number))
        return stack

    def _teach_opponents(self, batch: Batch, number: int, terms: "_Terms") -> None:
        with torch.no_grad(), self._computing.autocast():
            logits = self.learners["network"].network(batch["probe"], batch["donor"])
        pictures, generated = _shown(batch, logits, self._pictures)
        truth = [
            target(batch[f"{side}_mask"], mask.shape[-1]).unsqueeze(1).to(mask.dtype)
            for side, mask in zip(SIDES, generated, strict=True)
        ]
        if "detection" in self.learners:
            det = self.learners["detection"]
            with det.piece(number):
                of_truth = self._det(det.call, pictures, truth) if self.spec.ground_truth else None
                of_generated = self._det(det.call, pictures, generated)
                loss = detection_loss(of_truth, of_generated, batch["label"])
                terms.add(det_d=loss)
                det.backward(loss)
        if "discriminative" in self.learners:
            dis = self.learners["discriminative"]
            with dis.piece(number):
                scores = (self._dis(dis.call, pictures, masks) for masks in (truth, generated))
                loss = DISCRIMINATIVE[self.spec.form][1](*scores)
                terms.add(dis_d=loss)
                dis.backward(loss)

    def _teach_dmac(self, batch: Batch, number: int, terms: "_Terms") -> None:
        learner = self.learners["network"]
        with learner.piece(number):
            with self._computing.autocast():
                logits = learner.call(batch["probe"], batch["donor"])
            ce = spatial_cross_entropy(logits, _targets(batch, logits))
            pictures, generated = _shown(batch, logits, self._pictures)
            det: Tensor | float = 0.0
            dis: Tensor | float = 0.0
            if "detection" in self.learners:
                scores = self._det(self.learners["detection"].network, pictures, generated)
                det = detection_loss_of_dmac(scores, batch["label"])
                terms.add(det_g=det)
            if "discriminative" in self.learners:
                scores = self._dis(self.learners["discriminative"].network, pictures, generated)
                dis = DISCRIMINATIVE[self.spec.form][0](scores)
                terms.add(dis_g=dis)
            loss = multi_task_loss(ce, det, dis, self.spec.lambda_det, self.spec.lambda_dis)
            terms.add(loss=loss, ce=ce)
            learner.backward(loss)

    def _det(self, network: nn.Module, pictures: list[Tensor], masks: list[Tensor]) -> Tensor:
        with self._computing.autocast():
            logits: Tensor = network(
                *(mask * picture for mask, picture in zip(masks, pictures, strict=True))
            )
        return logits

    def _dis(self, network: nn.Module, pictures: list[Tensor], masks: list[Tensor]) -> Tensor:
        """Return Dis' scores of both masks, (2, N, 1)."""
        seen = [
            torch.cat(((1 - mask) * picture, mask * picture), dim=1)
            for mask, picture in zip(masks, pictures, strict=True)
        ]
        with self._computing.autocast():
            scores: Tensor = network(torch.cat(seen))
        return scores.reshape(2, -1, 1)


class DetectionStage:
    """DMAC-adv-det-dagger (section IV-D): Det tuned on generated masks alone, DMAC fixed."""

    def __init__(
        self, networks: Mapping[str, nn.Module], experiment: Experiment, computing: Computing
    ) -> None:
        self.frozen = {"network": networks["network"].eval()}
        self.learners = {
            "detection": Learner(networks["detection"], experiment.optimizer, computing)
        }
        self.feeds = {"pairs": 1}
        self._computing = computing
        self._pictures = experiment.pictures

    def step(self, batches: Mapping[str, Iterator[Batch]]) -> Terms:
        """Make one step."""
        det, terms = self.learners["detection"], _Terms(self._computing.pieces)
        for number in range(self._computing.pieces):
            batch = next(batches["pairs"])
            with det.statistics.piece(number), det.piece(number):
                with self._computing.autocast():
                    with torch.no_grad():
                        logits = self.frozen["network"](batch["probe"], batch["donor"])
                    pictures, masks = _shown(batch, logits, self._pictures)
                    scores = det.call(*(m * p for m, p in zip(masks, pictures, strict=True)))
                loss = detection_loss(None, scores, batch["label"])
                terms.add(loss=loss)
                det.backward(loss)
        det.step()
        _average_statistics(self.learners)
        return terms.mean


def make_stage(
    networks: Mapping[str, nn.Module], experiment: Experiment, computing: Computing
) -> Stage:
    """Return the experiment's stage on networks by their names, each on its device."""
    if experiment.stage == "cross-entropy":
        return CrossEntropyStage(networks["network"], experiment, computing)
    kind = AdversarialStage if experiment.stage == "adversarial" else DetectionStage
    return kind(networks, experiment, computing)


def networks_of(experiment: Experiment) -> dict[str, type[nn.Module]]:
    """Return what stands beside the network that finds masks, by name."""
    of = experiment.adversarial
    wanted: dict[str, type[nn.Module]] = {}
    if experiment.stage == "detection" or (of is not None and of.lambda_det):
        wanted["detection"] = DetectionNetwork
    if of is not None and of.lambda_dis:
        wanted["discriminative"] = DiscriminativeNetwork
    return wanted


class _Terms:
    """Sums of a step's losses over its pieces."""

    def __init__(self, pieces: int) -> None:
        self.total: Terms = {}
        self._pieces = pieces

    def add(self, **losses: Tensor) -> None:
        for name, loss in losses.items():
            before = self.total.get(name)
            now = loss.detach()
            self.total[name] = now if before is None else before + now

    @property
    def mean(self) -> Terms:
        return {name: total / self._pieces for name, total in self.total.items()}


def _targets(batch: Batch, logits: tuple[Tensor, Tensor]) -> list[Tensor]:
    return [
        target(batch[f"{side}_mask"], of_mask.shape[-1])
        for side, of_mask in zip(SIDES, logits, strict=True)
    ]


def _shown(
    batch: Batch, logits: tuple[Tensor, Tensor], levels: str
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the pictures and generated masks that Det and Dis see, probe first."""
    side = DetectionNetwork.side
    pictures = [shrunk_pictures(batch[each], side, levels) for each in SIDES]
    return pictures, [tampered_probability(of_mask, side) for of_mask in logits]
